# The front door: `make demo` and `make test` set up all they need.
PY := .venv/bin/python
# Most tests wait for a real tool: more of them at a time than there are cores.
JOBS ?= 4
# Each of hundreds of processes would compile all modules again, if none were kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test lint bench torture faults docs help

setup: ## Debian packages (as root), .venv, locked Python packages
	@./setup.sh

demo: setup ## a real campaign in the virtual lab, then its report
	@./demo.sh

test: setup ## all tests, the live virtual lab among them
	@$(PY) -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: setup ## ruff, formatting, types, floors
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: setup ## whole processes beside tshark and others: build/bench (BENCH=options)
	@$(PY) -m tests.bench.environment
	@$(PY) -m tests.bench $(BENCH)
	@$(PY) -m tests.bench.overhead

SEED ?= 1
COUNT ?= 200
torture: setup ## kill controllers again and again: SEED=1 COUNT=200 TORTURE=options
	@$(PY) -m tests.bench.torture --seed $(SEED) --count $(COUNT) $(TORTURE)

faults: setup ## every fault of docs/faults.md, against the ground truth (FAULTS=options)
	@$(PY) -m tests.bench.faultmatrix $(FAULTS)

docs: setup ## what is generated: CLI reference, schemas, tables
	@$(PY) -m testbed.cli.reference

help:
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'
