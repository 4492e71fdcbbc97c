# Everything a contributor runs. PYTHON is the interpreter with the dev extra installed.
PYTHON ?= .venv/bin/python

.PHONY: check lint types test bench

check: lint types test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest

bench:
	$(PYTHON) -m benchmarks
