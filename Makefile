# Everything happens in this folder: .venv/ holds the programs, var/ the data. Needs Python 3.11 and make.

# A program found by name may still refuse to run (a version manager's stub), so each one is tried.
PYTHON ?= $(shell for python in python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
NEED_PYTHON = test -n "$(PYTHON)" || { echo "Seiseki needs Python 3.11 or later: install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
VENV = .venv/bin/python
INSTALLED = .venv/.installed
UV_VERSION = 0.13.9

.DEFAULT_GOAL = help
.PHONY: help run test check format types bench schema documents lock clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1 -- \2/p' Makefile | awk -F ' -- ' '{ printf "%-14s %s\n", $$1, $$2 }'

run: $(INSTALLED) ## serve the demo on this machine, with a PostgreSQL of its own
	$(VENV) cli.py serve --demo

test: check ## check, then every test
	$(VENV) -m pytest -n 3

check: $(INSTALLED) ## lint, formatting, types
	$(VENV) -m ruff check
	$(VENV) -m ruff format --check
	$(VENV) -m mypy .

format: $(INSTALLED) ## put the code into shape
	$(VENV) -m ruff check --fix
	$(VENV) -m ruff format

types: $(INSTALLED) ## types only
	$(VENV) -m mypy .

bench: $(INSTALLED) ## measure
	$(VENV) -m benchmarks

schema: $(INSTALLED) ## write schema.graphql
	$(VENV) cli.py schema > schema.graphql.new
	mv schema.graphql.new schema.graphql

documents: $(INSTALLED) ## write persisted/pages.json, what the scripts of our pages ask
	$(VENV) cli.py documents > persisted/pages.json.new
	mv persisted/pages.json.new persisted/pages.json

lock: .uv/bin/uv ## pin all that pyproject.toml names in requirements.lock (UPGRADE=--upgrade for newer ones)
	.uv/bin/uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" $(UPGRADE) --output-file requirements.lock

clean: ## remove .venv and caches; var/ stays
	rm -rf .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./var -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

# Made anew when the lock changes: what the lock dropped is gone, and a half-made .venv never counts.
$(INSTALLED): requirements.lock
	@$(NEED_PYTHON)
	$(PYTHON) -m venv --clear .venv
	$(VENV) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.uv/bin/uv:
	@$(NEED_PYTHON)
	$(PYTHON) -m venv --clear .uv
	.uv/bin/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
