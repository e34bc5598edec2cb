# DisTrack: two commands do all the set-up. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

# Threads that spin for long while they wait slow each other down beside a browser and other processes.
export OMP_WAIT_POLICY ?= PASSIVE
export GOMP_SPINCOUNT ?= 2000
# Dozens of processes import the same modules: they are compiled once.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help app check test gpu-test lint style types floors quick-tests all-tests format bench demo examples pictures clean

# As many processes as cores; `make test WORKERS=4` takes another number.
WORKERS ?= auto
PYTEST := $(PY) -m pytest -n $(WORKERS) --no-loadscope-reorder

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

app: $(VENV)/.app ## set up, prepare the embedded dataset, open the app on PORT (8501)
	$(PY) -m distrack prepare --dataset SPOKEN_DIGITS
	$(PY) -m distrack app

check: $(VENV)/.test ## what to run while you work: lint, types, floors, unit and contract tests
	@$(MAKE) --no-print-directory style floors
	@$(MAKE) --no-print-directory -j2 types quick-tests

test: $(VENV)/.test ## everything: what `make check` runs, and the pages without a browser and in Chromium
	@$(MAKE) --no-print-directory style floors
	@$(MAKE) --no-print-directory -j2 types all-tests

lint: style types floors ## ruff, mypy --strict, the floors

style: $(VENV)/.test
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .

types: $(VENV)/.test
	$(VENV)/bin/mypy

floors: $(VENV)/.test
	$(VENV)/bin/lint-imports

quick-tests: $(VENV)/.test
	$(PYTEST) tests/unit tests/contract distrack

all-tests: $(VENV)/.test
	@browser="$$($(PY) tests/chromium.py)" && echo "browser: $$browser" && DISTRACK_CHROMIUM="$$browser" $(PYTEST)

gpu-test: $(VENV)/.test ## the tests that need a CUDA device; elsewhere they are skipped, and say so
	$(PYTEST) -n 0 -m gpu tests/gpu

format: $(VENV)/.test ## ruff's own format and fixes
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(VENV)/.app ## what the speed claims rest on: `quick` against `paper` (minutes)
	$(PY) -m benchmarks.quick_against_paper

demo: $(VENV)/.app ## make the demo run in assets/ anew
	rm -rf assets/demo
	$(PY) -m distrack distill --dataset SPOKEN_DIGITS --ipc 1 --preset quick --snapshots 6 --device cpu \
		--baselines random-selection,same-storage,full --runs-path assets --name demo
	$(PY) -m distrack listen demo --runs-path assets
	rm -rf assets/.queue assets/demo/.lock
	sed -i.bak -e 's/"host": ".*"/"host": ""/' assets/demo/status.json && rm assets/demo/status.json.bak

examples: $(VENV)/.app ## make the included decompositions and rooms in assets/ anew
	$(PY) -m distrack prepare --dataset SPOKEN_DIGITS
	$(PY) -m assets.make_examples

pictures: $(VENV)/.test ## make the pictures of the README anew (minutes)
	$(PY) -m assets.make_pictures

clean: ## remove the environment and the caches; runs and data stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "DisTrack needs Python 3.11 or newer; name one: make app PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: requirements.txt | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.test: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(VENV)/.app $@
