# The commands, each from nothing but Python 3.11+, pip, make and git:
#   make repro      set everything up and run the study that params.yaml selects
#   make published  the same with the published labels; its reports go to reports/published/
#   make comparison the default study with every model, three seeds and learning curves; its reports go to
#                   reports/comparison/
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
# Every model on the default labels. Its many pairs of models need more draws for Holm's correction.
COMPARISON := -S name=comparison -S 'seeds=[0,1,2]' -S 'contrast.models=[]' \
	-S 'models=[majority,dwa_lookup,activity_lookup,tfidf,svm,lstm,lstm_tuned,minilm_probe,probe,minilm_frozen,minilm_lora,minilm]' \
	-S 'derived.models=[minilm_student,ensemble]' \
	-S 'learning_curve.models=[tfidf,lstm,minilm]' \
	-S conf/evaluate.yaml:draws=5000 -S conf/compare.yaml:draws=5000

.PHONY: repro published comparison test setup lock clean

repro: $(READY)
	dvc repro

published: $(READY)
	$(call beside,published,$(PUBLISHED))

comparison: $(READY)
	$(call beside,comparison,$(COMPARISON))

# A study as a DVC experiment beside the workspace, which keeps the study that it has: its name, its choices.
define beside
-dvc exp remove --quiet $(1)
dvc exp run --temp --name $(1) $(2)
rm -rf reports/$(1) && mkdir -p reports/$(1)
git archive $$(git for-each-ref --format='%(refname)' 'refs/exps/**/$(1)'):reports | tar -x -C reports/$(1) \
	--exclude=published --exclude=comparison --exclude=sweeps --exclude=costs.csv --exclude='*.typ' --exclude='*.bib'
git show $$(git for-each-ref --format='%(refname)' 'refs/exps/**/$(1)'):params.yaml > reports/$(1)/params.yaml
git show $$(git for-each-ref --format='%(refname)' 'refs/exps/**/$(1)'):dvc.lock > reports/$(1)/dvc.lock
endef

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
