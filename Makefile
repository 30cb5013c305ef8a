# Every target bootstraps what it needs from python3 and pip alone: a virtual environment, uv, the lock.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
UV := $(CURDIR)/build/uv/bin/uv
EMULATOR := .venv-emulator
SAM := .venv-sam
ONLY ?=
export UV_PROJECT_ENVIRONMENT := $(VENV)

.PHONY: help setup demo test check bench synth synth-check layers lint-infra sam-check schemas format clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## ---- environments: made once, made again when their inputs change ----

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "reflexarc needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv build/uv
	build/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/ready: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

$(EMULATOR)/ready: infra/emulator-requirements.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(EMULATOR)
	VIRTUAL_ENV=$(EMULATOR) $(UV) pip sync --quiet $<
	@touch $@

$(SAM)/ready: infra/sam-requirements.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(SAM)
	VIRTUAL_ENV=$(SAM) $(UV) pip sync --quiet $<
	@touch $@

setup: $(VENV)/ready $(EMULATOR)/ready layers ## Install everything that demo and test need

## ---- what people run ----

demo: setup ## Watch kernel lines become pages, on the embedded AWS emulator
	$(BIN)/reflexarc demo

test: setup ## Run every test (unit, ports, properties, infra, end to end)
	$(BIN)/pytest --cov --cov-report=term:skip-covered

bench: setup ## Run the benchmarks, or one: make bench ONLY=parse
	$(BIN)/python -m tests.benchmarks $(ONLY)

format: $(VENV)/ready ## Format the code and fix what can be fixed by rule
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

check: $(VENV)/ready schemas-check lint-infra ## Run every static check that CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --offline --quiet .github

schemas: $(VENV)/ready ## Write events/schemas from the message models
	$(BIN)/python -m tests.contract.schemas write

.PHONY: schemas-check
schemas-check: $(VENV)/ready
	$(BIN)/python -m tests.contract.schemas check

## ---- infrastructure ----

layers: $(VENV)/ready | $(UV) ## Build the Lambda layers and their local twins from uv.lock
	@$(BIN)/python -m infra.layers --uv $(UV)

synth: $(VENV)/ready ## Write infra/template.yaml from the CDK app
	$(BIN)/python -m infra.synth

# The committed template is what people deploy, so it must be what the app says.
synth-check: $(VENV)/ready
	@$(BIN)/python -m infra.synth build/synth/template.yaml
	@diff -u infra/template.yaml build/synth/template.yaml || { echo 'infra/template.yaml is stale: run `make synth`'; exit 1; }

lint-infra: layers synth-check ## Hold the template against cfn-lint and the app against cdk-nag
	$(BIN)/cfn-lint infra/template.yaml
	$(BIN)/python -m infra.nag

sam-check: $(VENV)/ready $(EMULATOR)/ready $(SAM)/ready layers ## Validate with the SAM CLI and `sam deploy` to the emulator
	$(BIN)/python -m infra.sam_check

# Pins anew what runs in environments of its own; commit the result.
.PHONY: requirements
requirements: | $(UV)
	for name in emulator sam; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --no-annotate \
	    --custom-compile-command 'make requirements' infra/$$name-requirements.in -o infra/$$name-requirements.txt; \
	done

clean: ## Remove what was built; environments stay
	rm -rf build/demo build/bench build/core build/deps build/deps-local build/otlp build/otlp-local .mypy_cache .ruff_cache .pytest_cache
