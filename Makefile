# Every target bootstraps what it needs from python3 and pip alone.
.DEFAULT_GOAL := help
SHELL := bash
UV_VERSION := 0.13.9
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
EMULATOR := .venv-emulator
SAM := .venv-sam
export UV_PROJECT_ENVIRONMENT := $(VENV)
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test check bench synth synth-check layers format lint clean schemas

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)
