# The commands, each from nothing but Python 3.11+, pip, make and git:
#   make repro      set everything up and run the study that params.yaml selects
#   make published  the same with the published labels; its reports go to reports/published/
#   make test       set everything up and pass the tests

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# Stages run `python -m jobshift`; this is the python they find.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

# The study of the published labels, as choices in params.yaml. Two of its sources come from GitHub, or
# from the folder JOBSHIFT_MIRROR.
PUBLISHED := -S name=published -S data=gpts_are_gpts -S rater=human -S split.folds=5 \
	-S 'sources=[onet_tasks,minilm,oews_2025,gpts_are_gpts,working_with_ai]' \
	-S 'models=[majority,activity_lookup,tfidf,probe]' \
	-S 'contrast.models=[majority,activity_lookup,tfidf]' \
	-S 'transfer.models=[tfidf,probe]' -S 'transfer.raters=[gpt4,rubric]'
EXPERIMENT = $$(git for-each-ref --format='%(refname)' 'refs/exps/**/published')

.PHONY: repro published test setup lock clean

repro: $(READY)
	dvc repro

# As a DVC experiment beside the workspace, which keeps the study that it has.
published: $(READY)
	-dvc exp remove --quiet published
	dvc exp run --temp --name published $(PUBLISHED)
	rm -rf reports/published && mkdir -p reports/published
	git archive $(EXPERIMENT):reports | tar -x -C reports/published \
		--exclude=published --exclude='*.typ' --exclude='*.bib'
	git show $(EXPERIMENT):params.yaml > reports/published/params.yaml
	git show $(EXPERIMENT):dvc.lock > reports/published/dvc.lock

test: $(READY)
	ruff check
	ruff format --check
	OMP_NUM_THREADS=1 pytest -q -n 2 --dist worksteal tests/test_p*.py tests/*/ tests/test_[!p]*.py

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jobshift needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

# Rewrites the lock file from pyproject.toml; commit what it changes.
lock:
	rm -rf .lock-venv
	$(PYTHON) -m venv .lock-venv
	.lock-venv/bin/python -m pip install --quiet --disable-pip-version-check '.[cluster,dev]'
	.lock-venv/bin/python -m pip freeze --exclude jobshift | sed 's/+cpu$$//' > requirements.lock
	rm -rf .lock-venv

clean:
	rm -rf $(VENV) data models checkpoints sweeps
