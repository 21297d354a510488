# Every chore is one word. All a machine needs is git, make, bash and Python 3.11 or newer with its venv module.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-services test test-all test-fast soak sim mutants lint fix bench build services services-down clean

BIN := .venv/bin
INSTALLED := .venv/.installed
PYTHONS := python3.13 python3.12 python3.11 python3
# Without compiled modules, each of the many processes of the tests would compile all of headwater again.
unexport PYTHONDONTWRITEBYTECODE
# The tests are sorted before they are dealt out, the longest first; xdist keeps that order.
PYTEST := $(BIN)/pytest -n auto --dist loadgroup --no-loadscope-reorder
# ensurepip is what some systems package apart from Python; venv without it makes an environment that has no pip.
IS_GOOD := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

help:  ## show these words
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/  make \1\t\2/p' Makefile | expand -t 22

setup: $(INSTALLED)  ## create .venv with everything in it; does nothing while it is up to date

demo: setup  ## run a real pipeline: digits to data sets, four models and their lineage
	$(BIN)/python examples/digits_pipeline.py

demo-services: setup  ## the same on real servers: Kafka, PostgreSQL and MinIO, started for it
	@$(BIN)/python -m services.demo

test: lint  ## check everything: set up, lint, all tests, those on servers by turns (SAMPLE=0 to 4, or by day)
	$(PYTEST) --on-servers $(or $(SAMPLE),sample)

test-all: lint  ## check everything: set up, lint, every test there is
	$(PYTEST)

test-fast: setup  ## run the tests that take moments and need no servers
	$(PYTEST) -m "not slow and not soak" --on-servers none

soak: setup  ## run the tests that take minutes: long outages and many writers, on real servers
	$(BIN)/pytest -m soak

sim: setup  ## simulate 20,000 schedules of faults, from SEED (0 unless given)
	$(BIN)/python -m tests.simulation --seed $(or $(SEED),0) --schedules 20000

mutants: setup  ## put N (100) single faults into the core at random, from SEED (0), and say which the fast tests notice
	nice -n 15 $(BIN)/python -m tests.mutants --seed $(or $(SEED),0) --count $(or $(N),100)

lint: setup  ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: setup  ## mend what can be mended by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## measure; prints one JSON line a figure
	$(BIN)/python -m bench

build: setup  ## build the wheel into dist/
	$(BIN)/python -m build --wheel

services: setup  ## start Kafka, PostgreSQL and MinIO on this machine, and say how to use them
	@$(BIN)/python -m services up

services-down: setup  ## end what `make services` started; the data is kept
	@$(BIN)/python -m services down

clean:  ## remove .venv, caches and what was built
	rm -rf .venv .build .cache dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A set-up that was cut off has no stamp; its environment is taken up again where it has pip, and made anew where not.
$(INSTALLED): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  for python in $(PYTHONS); do \
	    if $$python -c '$(IS_GOOD)' >/dev/null 2>&1; then \
	      echo "Creating .venv with $$python."; exec $$python -m venv --clear .venv; \
	    fi; \
	  done; \
	  echo "None of $(PYTHONS) on the PATH is Python 3.11 or newer with venv and ensurepip. Install one and try again." >&2; \
	  exit 1; }
	@echo "Installing into .venv."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[service,tables,gs,test,demo]'
	@touch $@
