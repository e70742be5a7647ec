# The commands, each from nothing but Python 3.11+, pip, make and git:
#   make repro      set everything up and run the study that params.yaml selects
#   make STUDY      another study, one of those below, beside it; its reports go to reports/STUDY/
#   make demo       a page and an API over the study that make repro ran
#   make test       set everything up and pass the tests

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# Stages run `python -m jobshift`; this is the python they find.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

# The other studies, as choices in params.yaml.
STUDIES := published comparison csco csv onet_activity onet_pairs onet_generalize
# The published labels. Two of the sources come from GitHub, or from the folder JOBSHIFT_MIRROR.
published := -S export= -S data=gpts_are_gpts -S rater=human -S split.folds=5 \
	-S 'sources=[onet_tasks,minilm,oews_2025,gpts_are_gpts,working_with_ai]' \
	-S 'models=[majority,activity_lookup,tfidf,probe]' \
	-S 'contrast.models=[majority,activity_lookup,tfidf]' \
	-S 'transfer.models=[tfidf,probe]' -S 'transfer.raters=[gpt4,rubric]'
# Every model on the default labels. Its many pairs of models need more draws for Holm's correction.
comparison := -S 'seeds=[0,1,2]' -S 'contrast.models=[]' \
	-S 'models=[majority,dwa_lookup,activity_lookup,tfidf,svm,lstm,lstm_tuned,minilm_probe,probe,minilm_frozen,minilm_lora,minilm]' \
	-S 'derived.models=[minilm_student,ensemble]' \
	-S 'learning_curve.models=[tfidf,lstm,minilm]' \
	-S conf/evaluate.yaml:draws=5000 -S conf/compare.yaml:draws=5000
# China's classification of occupations of 2022.
csco := -S export= -S data=csco -S 'sources=[csco_2022,multilingual_e5,onet_tasks,oews_2025]' \
	-S encoder=multilingual_e5 -S 'tokenizers=[chars,multilingual_e5]' \
	-S 'models=[majority,tfidf_char,lstm_char,bert_small,e5_probe,multilingual_e5]' \
	-S 'contrast.models=[majority,tfidf_char]' -S 'contrast.splits=[random]'
# A file of one's own, as which the example stands.
csv := -S export= -S data=csv -S 'sources=[multilingual_e5,onet_tasks,oews_2025]' -S encoder=multilingual_e5 \
	-S 'tokenizers=[chars]' -S 'models=[majority,tfidf_char,lstm_char,e5_probe]' \
	-S 'contrast.models=[majority,tfidf_char]' -S 'contrast.splits=[random]'
onet_activity := -S export= -S data=onet_activity -S 'models=[majority,tfidf,lstm,minilm_several]' \
	-S 'contrast.models=[majority,tfidf]' -S 'contrast.splits=[random]'
onet_pairs := -S export= -S data=onet_pairs -S 'tokenizers=[minilm,minilm_pair]' \
	-S 'models=[majority,probe_pair,siamese,minilm_pair]' \
	-S 'contrast.models=[]' -S 'contrast.splits=[]'
onet_generalize := -S export= -S data=onet_generalize -S 'models=[majority,nearest,nearest_minilm,nearest_title,seq2seq_minilm]' \
	-S 'contrast.models=[]' -S 'contrast.splits=[]'

.PHONY: repro demo $(STUDIES) test setup lock clean

repro: $(READY)
	dvc repro

demo: $(READY)
	@jobshift demo

# A study as a DVC experiment beside the workspace, which keeps the study that it has.
$(STUDIES): $(READY)
	-dvc exp remove --quiet $@
	dvc exp run --temp --name $@ -S name=$@ $($@)
	rm -rf reports/$@ && mkdir -p reports/$@
	git archive $$(git for-each-ref --format='%(refname)' 'refs/exps/**/$@'):reports | tar -x -C reports/$@ \
		$(STUDIES:%=--exclude=%) --exclude=sweeps --exclude=costs.csv --exclude='*.typ' --exclude='*.bib' \
		--exclude='verification.*'
	git show $$(git for-each-ref --format='%(refname)' 'refs/exps/**/$@'):params.yaml > reports/$@/params.yaml
	git show $$(git for-each-ref --format='%(refname)' 'refs/exps/**/$@'):dvc.lock > reports/$@/dvc.lock

test: $(READY)
	ruff check
	ruff format --check
	OMP_NUM_THREADS=1 pytest -q -n 2 --dist worksteal tests/test_p*.py tests/*/ tests/test_[!p]*.py

setup: $(READY)

# pip compiles on one core, compileall on all; what it cannot compile (templates) is no problem.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jobshift needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.lock
	$(VENV)/bin/python -m compileall -qq -j 0 $(VENV)/lib || true
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

# Rewrites the lock file from pyproject.toml; commit what it changes.
lock:
	rm -rf .lock-venv
	$(PYTHON) -m venv .lock-venv
	.lock-venv/bin/python -m pip install --quiet --disable-pip-version-check '.[cluster,demo,dev,engines,explain,mask]'
	.lock-venv/bin/python -m pip freeze --exclude jobshift | sed 's/+cpu$$//' > requirements.lock
	rm -rf .lock-venv

clean:
	rm -rf $(VENV) data models exports checkpoints sweeps
