# `make run` and `make test` need nothing but Python 3.11 or newer: they set up .venv first.
.PHONY: run help setup test test-journeys test-architectures test-faults test-orders check audit clean bench bench-data

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

run: setup  ## run the stages that must run, and show the results
	@retune run
	@test -n "$$VIRTUAL_ENV" || echo "The retune command, in this shell: source .venv/bin/activate"

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-20s%s\n", $$1, $$2}' Makefile

setup: .venv/ready  ## make .venv with the pinned dependencies

.venv/ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is not on the PATH. Install it, or name it: make PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up .venv with the pinned packages (2 GB or more, a few minutes) ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable '.[dev]'
	@# Compiled on every core, and even where PYTHONDONTWRITEBYTECODE is set: without bytecode each stage starts in twice the time.
	@.venv/bin/python -m compileall -qq -j 0 .venv/lib || true  # some packages carry files for newer Pythons
	@touch .venv/ready
	@echo "Done: .venv is ready."

test: setup  ## every test, three at a time because many only wait for a process
	pytest -n 3 --dist loadfile --no-loadscope-reorder  # in the order of the folders: the longest are not the last

test-journeys: setup  ## what the docs tell a person to do, done in fresh copies: two machines, a merge, a sweep, workers (10 minutes)
	RETUNE_TEST_WORKERS=2 pytest tests/journeys -n 2 --dist loadfile

test-architectures: setup  ## every architecture with every method beside plain transformers; writes docs/architectures.md (10 minutes)
	RETUNE_ARCHITECTURES=1 pytest tests/architectures -n auto --dist worksteal -q

test-faults: setup  ## kills, damage, full disks: 38 minutes at most, counted (docs/reliability.md)
	RETUNE_FAULTS=1 pytest tests/faults -n 2 --dist worksteal -q

test-orders: setup  ## every test three times in random order: one core and an odd path, offline, another user (hours)
	.ci/orders

check: setup audit  ## format, lint, types, workflows, known vulnerabilities
	ruff format --check .
	ruff check .
	mypy
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml

audit: setup  ## known vulnerabilities of the pinned packages, where the advisory service can be reached
	@.ci/audit

bench: setup  ## fine-tuning beside transformers' Trainer (needs published data: benchmarks/README.md)
	python benchmarks/bench_finetune.py

bench-data: setup  ## download, tokenize and split on a million rows: rows per second, peak memory
	python benchmarks/bench_data.py

clean:  ## remove .venv; results and caches stay
	rm -rf .venv
