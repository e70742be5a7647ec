# The two commands, each from nothing but Python 3.11+, pip, make and git:
#   make repro   set everything up and run the study that params.yaml selects
#   make test    set everything up and pass the tests

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# Stages run `python -m jobshift`; this is the python they find.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro test setup lock clean

repro: $(READY)
	dvc repro

test: $(READY)
	ruff check
	ruff format --check
	pytest -q

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
	.lock-venv/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	.lock-venv/bin/python -m pip freeze --exclude jobshift | sed 's/+cpu$$//' > requirements.lock
	rm -rf .lock-venv

clean:
	rm -rf $(VENV) data models checkpoints
