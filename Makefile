# What contributors run. PYTHON is an interpreter with the extra `dev` installed.
PYTHON ?= .venv/bin/python

.PHONY: check lint types test test-zitadel bench

check: lint types test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest -q -n auto

# Against a running ZITADEL: make test-zitadel URL=http://localhost:8080 ADMIN_PAT_FILE=admin.pat
test-zitadel:
	$(PYTHON) -m pytest tests/emulator tests/provisioning tests/demo tests/catalogue/test_any_zitadel.py \
		--zitadel $(URL) --admin-pat-file $(ADMIN_PAT_FILE)

bench:
	$(PYTHON) -m benchmarks
