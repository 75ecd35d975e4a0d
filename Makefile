# Gruppetto: `make` prints what can be done here.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MEMBERS := $(sort $(wildcard libs/* services/*))
# In a terminal Ctrl-C reaches the command and not make, which would report an error of what was asked for.
OWN_CTRL_C := if [ -t 0 ]; then set -m; fi
# uv brings its own list of certificates; the machine's list is the one its operator manages.
export UV_SYSTEM_CERTS := 1

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## install everything into .venv, start nothing

$(STAMP): requirements.lock $(addsuffix /pyproject.toml,$(MEMBERS)) Makefile
	@bash scripts/setup.sh $(PYTHON) $(VENV) $(MEMBERS)
	@touch $@

demo: setup  ## start everything with a simulated club; Ctrl-C stops it
	@$(OWN_CTRL_C); $(BIN)/devstack demo || [ $$? -eq 130 ]

run: setup  ## start everything with the real Strava: STRAVA_CLIENT_ID, STRAVA_CLIENT_SECRET; Ctrl-C stops it
	@$(OWN_CTRL_C); $(BIN)/devstack run || [ $$? -eq 130 ]

smoke: setup  ## run the main job once and check every row; DATA=folder, ATHLETES=n, DAYS=n, SEED=n
	@$(BIN)/devstack smoke $(if $(DATA),--data "$(DATA)") $(if $(ATHLETES),--athletes $(ATHLETES)) $(if $(DAYS),--days $(DAYS)) $(if $(SEED),--seed $(SEED))

test: setup  ## run every test, browser included
	@$(BIN)/pytest --numprocesses 3 --no-loadscope-reorder

chaos: setup  ## the long tests, and those of faults in their long form: all is killed for a minute; SECONDS=n
	@CHAOS_SECONDS=$(if $(SECONDS),$(SECONDS),60) $(BIN)/pytest tests/chaos -p no:randomly --timeout 1800 -m "long or not long"
	@$(BIN)/pytest -m long --timeout 600

bench: setup  ## measure beside floors, one line of JSON each
	@$(BIN)/python bench/bus.py && $(BIN)/python bench/strava.py && $(BIN)/python -P bench/pages.py \
		&& $(BIN)/python -P bench/workers.py && $(BIN)/python bench/sync.py \
		&& $(BIN)/python bench/recording.py && $(BIN)/python bench/scoring.py \
		&& $(BIN)/python bench/pipeline.py \
		&& $(BIN)/python bench/standings.py && $(BIN)/python -P bench/web.py

lint: setup  ## run every gate: ruff, mypy, import contracts, dependencies, dead code, event contracts
	@bash scripts/lint.sh

fmt: setup  ## format and fix what can be fixed
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix --quiet .

events: setup  ## write the JSON Schemas and the AsyncAPI document of all events
	@$(BIN)/gruppetto contracts write

lock: setup  ## pin the newest allowed versions into requirements.lock
	@$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url $(patsubst libs/%,--no-emit-package gruppetto-%,$(wildcard libs/*)) --group dev \
		--custom-compile-command "make lock" --quiet --output-file requirements.lock \
		pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS))

clean:  ## remove the virtual environment and the demo's data
	rm -rf $(VENV) .devstack scripts/asyncapi/node_modules

.PHONY: help setup demo run smoke test chaos bench lint fmt events lock clean
