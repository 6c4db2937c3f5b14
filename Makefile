# Everything a developer does here. Needs python3 (3.11 or newer) and make; the rest comes with `make setup`.

PYTHON   ?= python3
BIN      := .venv/bin
PACKAGES := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml cli/pyproject.toml))
PROJECTS := pyproject.toml $(PACKAGES:=/pyproject.toml)
READY    := .venv/ready
MAKEFLAGS += --silent

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup run test test-embedded e2e e2e-compose bench profile check lint types imports drift format contracts sequences lock clean

help: ## Show this list
	awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Create .venv with everything that is needed, pinned and verified by hash

run: setup ## Start the whole platform here, with its own PostgreSQL (Ctrl-C stops it)
	$(BIN)/orderflow up $(ARGS)

test: setup ## Run all tests in parallel; what ARGS names (ARGS="-k cancel") in one process, unless it says -n auto
	$(BIN)/pytest $(or $(ARGS),-n auto)
test-embedded: setup ## Run the tests that need no RabbitMQ, likewise
	$(BIN)/pytest -m "not rabbitmq" $(or $(ARGS),-n auto)
e2e: setup ## Make the journeys of tests/e2e embedded, and again with a process per service
	STACK=embedded $(BIN)/pytest tests/e2e $(ARGS) && STACK=processes $(BIN)/pytest tests/e2e $(ARGS)
e2e-compose: setup ## Build the images, bring them up with Docker Compose and make the journeys there
	STACK=compose $(BIN)/pytest tests/e2e $(ARGS)

bench: setup ## Measure against a floor and the usual way, and write docs/benchmarks.md (ARGS=--quick tries it)
	$(BIN)/python -m bench $(ARGS)
profile: setup ## Draw where a service spends its time under load: build/profile-sales.svg (SERVICE=sales)
	$(BIN)/python -m bench.profile $(or $(SERVICE),sales) $(ARGS)

check: lint types imports drift test ## All that CI demands: format, lint, types, imports, drift, tests
lint: setup ## Check format and lint
	$(BIN)/ruff format --check --quiet && $(BIN)/ruff check --quiet
types: setup ## Check types, strictly
	$(BIN)/mypy
imports: setup ## Check who may import whom
	$(BIN)/lint-imports --no-logo --no-cache
drift: setup ## Check that contracts, sequence designs and what is drawn of them are those of the code
	$(BIN)/python -m contracts.schemas --check && $(BIN)/orderflow sequences check

format: setup ## Format, and mend what lint can mend
	$(BIN)/ruff format --quiet && $(BIN)/ruff check --fix
contracts: setup ## Write docs/contracts anew from the code
	$(BIN)/python -m contracts.schemas
sequences: setup ## Walk the sequences, keep what is said there, and draw their documents anew
	$(BIN)/pytest tests/sequences -m "not rabbitmq" --keep-said $(ARGS) && $(BIN)/orderflow sequences draw
lock: setup ## Pin the newest versions of everything in requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --annotation-style line \
	  --custom-compile-command "make lock" $(foreach package,$(PACKAGES),--no-emit-package $(notdir $(package:cli=orderflow))) \
	  --group dev $(PACKAGES:=/pyproject.toml) --output-file requirements.lock
clean: ## Remove what tools left behind, .venv included
	rm -rf .venv .*_cache .hypothesis && find . -name __pycache__ -prune -exec rm -rf {} +

$(READY): .venv/pyvenv.cfg requirements.lock $(PROJECTS)
	echo "Installing what requirements.lock pins …"
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	touch $@

.venv/pyvenv.cfg:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "orderflow needs Python 3.11 or newer, and $(PYTHON) is not. Name another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: on Debian and Ubuntu that is: apt-get install $(notdir $(PYTHON))-venv"; \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "You are root, so that is done now." && \
	  apt-get update -qq && apt-get install -qq -y $(notdir $(PYTHON))-venv >/dev/null; }
	$(PYTHON) -m venv .venv
