# `make verify` and `make test` need Python >= 3.11 and nothing else; what they install goes to .venv.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m tests.suite

.PHONY: verify test deep docs clean

verify: $(VENV)/.installed
	$(RUN) verify

test: $(VENV)/.installed-dev
	$(RUN) test

deep: $(VENV)/.installed-dev
	$(RUN) deep

docs: $(VENV)/.installed-dev
	$(VENV)/bin/zensical build --clean --strict

clean:
	rm -rf $(VENV) .cache .suite .hypothesis .mypy_cache .pytest_cache .ruff_cache dist site

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed, $(PYTHON) is %d.%d: say make PYTHON=..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed
