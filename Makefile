# make run and make test need only python3 (3.11 or newer). Each has its own environment.

PYTHON ?= python3
RUN := .venv-run
TEST := .venv-test
CONFIG ?= config.yaml
PINS ?= run
KILLS ?= 1000
STEPS ?= 200
MINUTES ?= 6
# Two per core: many tests wait for a daemon.
WORKERS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 1) * 2)))
SUITE = $(TEST)/bin/python -m pytest -rs --numprocesses=$(WORKERS) --dist=worksteal --durations=30 --ignore=tests/packages

# Without bytecode every worker compiles all test modules in each run.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run check test test-postgres lint format lock bench crash-lab clock-lab chaos-day environment clean
.PHONY: test-environment test-long-way test-packages client

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: environment ## run the demo in the browser; with TELEGRAM_BOT_TOKEN set, run the daemon with config.yaml
	@if [ -n "$$TELEGRAM_BOT_TOKEN" ]; then \
		exec $(RUN)/bin/python -m notifybot run --config $(CONFIG); \
	else \
		exec $(RUN)/bin/python -m notifybot demo; \
	fi

check: lint ## lint, then the unit tests: no daemon, no PostgreSQL, no sandbox
	@$(SUITE) -m "not daemon and not crash and not slow_because and not both_databases" --ignore=tests/sandbox

test: lint ## lint, then every test, a few of them on PostgreSQL too
	@$(SUITE)

test-long-way: test-environment ## the tests of the socket with web.short_way turned off
	@$(SUITE) --long-way tests/web tests/routes tests/auth

test-postgres: test-environment ## every test of the daemon on PostgreSQL alone, on servers of its own
	@$(SUITE) --database=postgresql

client: ## build the light client, dist/notifybot-client.pyz: one file, standard library alone
	@$(PYTHON) packaging/client.py dist/notifybot-client.pyz

test-packages: test-environment ## build the packages, install each into an empty environment, and try it there
	@$(TEST)/bin/python -m pytest -rs tests/packages

lint: test-environment ## ruff, mypy, import-linter
	@$(TEST)/bin/python -m ruff check
	@$(TEST)/bin/python -m ruff format --check --quiet
	@$(TEST)/bin/python -m mypy
	@$(TEST)/bin/lint-imports --no-logo

format: test-environment ## format the code, and fix what ruff can fix
	@$(TEST)/bin/python -m ruff check --fix
	@$(TEST)/bin/python -m ruff format

lock: ## pin requirements/*.txt again from pyproject.toml
	@$(PYTHON) requirements/lock.py

bench: test-environment ## run every benchmark briefly
	@for file in benchmarks/[a-z]*.py; do \
		$(TEST)/bin/python -m "benchmarks.$$(basename "$$file" .py)" --quick || missed=1; echo; \
	done; exit $${missed:-0}

crash-lab: test-environment ## kill the daemon KILLS times under load, and count lost messages and presses
	@$(TEST)/bin/python -m benchmarks.crash_lab --kills $(KILLS)

clock-lab: test-environment ## set the daemon's clock STEPS times under load, and count alerts that are stuck, early or lost
	@$(TEST)/bin/python -m benchmarks.clock_lab --steps $(STEPS)

chaos-day: test-environment ## one hour of troubles in MINUTES minutes, under load: lost, presses lost, stand-stills
	@$(TEST)/bin/python -m benchmarks.chaos_day --minutes $(MINUTES)

environment: ## install only what make run needs, as for a service; PINS=postgres, charts or all adds extras
	@$(PYTHON) requirements/install.py $(PINS) $(RUN)

clean: ## remove environments, caches and builds
	rm -rf $(RUN) $(TEST) $(RUN).* $(TEST).* build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find [a-z]* -type d -name __pycache__ -prune -exec rm -rf {} +

test-environment:
	@$(PYTHON) requirements/install.py dev $(TEST)
