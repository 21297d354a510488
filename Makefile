# Every chore is one word. All a machine needs is git, make, bash and Python 3.11 or newer with its venv module.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-services test test-all test-fast soak sim mutants checked compiled lint fix pictures bench build service services services-down clean

BIN := .venv/bin
INSTALLED := .venv/.installed
EXTRAS := service,server,tables,gs,test,demo
PYTHONS := python3.13 python3.12 python3.11 python3
# Modules are compiled when they are first imported: of what is installed, most never are. Without compiled modules, each
# of the many processes of the tests would compile all of headwater again.
unexport PYTHONDONTWRITEBYTECODE
# The tests are sorted before they are dealt out, the longest first; xdist keeps that order.
PYTEST := $(BIN)/pytest -n auto --dist loadgroup --no-loadscope-reorder
# ensurepip is what some systems package apart from Python; venv without it makes an environment that has no pip.
IS_GOOD := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/  make \1\t\2/p' Makefile | expand -t 22

setup: $(INSTALLED)  ## create .venv with everything in it; does nothing while it is up to date

demo: setup  ## run a real pipeline: images of digits, data sets, four models and their lineage
	$(BIN)/python examples/digits_pipeline.py

demo-services: setup  ## run the demo on Kafka, PostgreSQL and MinIO, which it starts
	@$(BIN)/python -m services.demo

test: checked  ## run what CI runs: lint, all tests on a folder, and a daily sample on servers (or SAMPLE=0 to 4)
	$(PYTEST) --on-servers $(or $(SAMPLE),sample)

test-all: checked  ## lint, and run all tests but the soak tests, on a folder and on servers
	$(PYTEST)

test-fast: setup  ## run the quick tests, which need no servers
	$(PYTEST) -m "not slow and not soak" --on-servers none

soak: setup  ## run the longest tests: long outages and many writers, on servers
	$(BIN)/pytest -m soak -o faulthandler_timeout=0

sim: setup  ## simulate 20,000 fault schedules, starting from SEED (default: 0)
	$(BIN)/python -m tests.simulation --seed $(or $(SEED),0) --schedules 20000

mutants: setup  ## mutation testing: N mutants (default: 100) of the core, from SEED (default: 0)
	nice -n 15 $(BIN)/python -m tests.mutants --seed $(or $(SEED),0) --count $(or $(N),100)

checked: setup
	@$(MAKE) --no-print-directory -j 2 lint compiled

# Each worker collects all tests: without this, each would compile all of them too. What is wrong is told by the tests.
compiled: setup
	@$(BIN)/pytest --collect-only --quiet >/dev/null || true

lint: setup  ## check style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: setup  ## apply automatic fixes of style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pictures: setup  ## make the pictures of docs/page.md anew, of what the demo records
	$(BIN)/python -m tests.page.pictures

bench: setup  ## run the benchmarks; prints one line of JSON per result
	$(BIN)/python -m bench

build: setup  ## build the wheel into dist/
	$(BIN)/python -m build --wheel

service: setup  ## run all of headwater here until Ctrl-C: those servers, a projector, a relay and `headwater server`
	@$(BIN)/python -m services.service

services: setup  ## start Kafka, PostgreSQL and MinIO on this machine; prints the settings to export
	@$(BIN)/python -m services up

services-down: setup  ## stop the servers that `make services` started; the data is kept
	@$(BIN)/python -m services down

clean:  ## remove .venv, caches and build results
	rm -rf .venv .build .cache dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An interrupted setup leaves no stamp; its environment is reused if it has pip, and recreated otherwise.
$(INSTALLED): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  for python in $(PYTHONS); do \
	    if $$python -c '$(IS_GOOD)' >/dev/null 2>&1; then \
	      echo "Creating .venv with $$python."; exec $$python -m venv --clear .venv; \
	    fi; \
	  done; \
	  echo "None of $(PYTHONS) on the PATH is Python 3.11 or newer with venv and ensurepip. Install one and try again." >&2; \
	  exit 1; }
	@echo "Installing headwater into .venv, with its extras $(EXTRAS), and everything that these need:"
	@set -o pipefail; \
	  $(BIN)/python -m pip install --disable-pip-version-check --no-compile --progress-bar off -c constraints.txt -e '.[$(EXTRAS)]' \
	  | grep --line-buffered -E '^(Collecting|Installing collected|Successfully installed)'
	@touch $@
