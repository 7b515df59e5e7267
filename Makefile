# Two commands: `make demo` shows the whole thing on this machine, `make test` proves it.

PYTHON ?= python3
STACK ?= dev
BASE ?= origin/main
TESTS ?= tests
# Most tests wait for something most of the time.
WORKERS ?= 2
# IMAGES=oldest: the oldest supported versions of the services and of promtool and amtool, of Debian 13.
export IMAGES ?= newest
TOOLS := $(CURDIR)/.vitalstream/tools$(if $(filter oldest,$(IMAGES)),-trixie)/usr/bin
VENV := .venv
RUN := $(VENV)/bin/python
PYTEST = PATH="$(TOOLS):$$PATH" $(RUN) -m pytest
# One environment has all of them: what the program and the policy pack pin must be the same.
UV_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: help demo down clean ps logs render dashboards certs preview setup lock settings machine test unit rules live check bench wheel

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## The dev stack with demo traffic on this machine
	@$(RUN) -m ops demo

down: setup ## Remove what demo made; the data volumes stay
	@$(RUN) -m ops down

clean: setup ## Remove what demo made, data volumes too
	@$(RUN) -m ops down --volumes

ps: setup ## What runs
	@$(RUN) -m ops ps

logs: setup ## Follow a log: make logs SERVICE=prometheus
	@$(RUN) -m ops logs $(SERVICE)

render: setup ## Everything a stack is made of, as files: make render STACK=prod
	@$(RUN) -m ops render --stack $(STACK) --out build/$(STACK)

dashboards: render ## The dashboards as JSON for Grafana's Import page
	@ls build/$(STACK)/dashboards/*.json

preview: check ## The report on a pull request: make preview STACK=prod BASE=origin/main
	@PATH="$(TOOLS):$$PATH" $(RUN) -m ops preview --stack $(STACK) --base $(BASE) || \
		{ code=$$?; [ $$code = 2 ] || exit $$code; }

certs: STACK := prod
certs: setup ## A private authority and a certificate: make certs STACK=prod, later RENEW=1; SET=1 sets them
	@$(RUN) -m ops certs --stack $(STACK) $(if $(RENEW),--renew) $(if $(SET),--set)

setup: $(VENV)/.locked ## The Python environment in .venv

# The lock file decides whether the environment is still right.
$(VENV)/.locked: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
		{ echo "error: Python 3.11 to 3.14 is needed; choose one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ [ "$$(id -u)" = 0 ] && echo "installing python3-venv" && \
			apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; } || \
		{ echo "error: Python has no venv module; on Debian: sudo apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@echo "installing the Python packages into $(VENV)"
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

lock: ## Pin the newest versions that the .in files allow
	@uv pip compile $(UV_FLAGS) --upgrade requirements-dev.in -o requirements-dev.txt
	@for part in . policy; do \
		uv pip compile $(UV_FLAGS) --upgrade -c requirements-dev.txt $$part/requirements.in \
			-o $$part/requirements.txt; done
	@cd demo && uv pip compile $(UV_FLAGS) --upgrade requirements.in -o requirements.txt

settings: setup ## Write docs/reference/settings.md anew
	@$(RUN) -m ops.settings_page

check: setup ## Lint, format, imports, types, links between pages, Pulumi.yaml and the page of the settings
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/mypy
	@$(RUN) -m ops.settings_page --check
	@$(PYTEST) -q -n 0 tests/unit/test_docs.py tests/unit/test_settings.py

unit: setup ## The tests that need neither Docker nor the engine: make unit FILTER=routing
	@$(PYTEST) -n 2 tests/unit $(if $(FILTER),-k $(FILTER))

rules: setup ## The tests of the rule files: make rules FILTER=redis
	@$(PYTEST) -n 2 tests/rules $(if $(FILTER),-k $(FILTER))

machine: setup ## The tools and the Docker Engine that tests need; as root on Debian they are installed
	@$(RUN) -m ops machine

live: machine ## The tests on real containers: make live FILTER=backup
	@$(PYTEST) -n $(WORKERS) tests/live $(if $(FILTER),-k $(FILTER))

test: check machine ## Everything that this machine can run: make test WORKERS=1 one after the other
	@$(PYTEST) -n $(WORKERS) $(TESTS)

bench: setup ## The figures of docs/reference/performance.md: make bench BENCH="--only program"
	@$(RUN) -m benchmarks $(BENCH)

wheel: setup ## The backend's metrics as a wheel, in dist/
	@$(VENV)/bin/pip wheel --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation \
		--wheel-dir dist ./metrics
	@ls dist/vitalstream_metrics-*.whl
