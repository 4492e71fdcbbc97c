# What contributors run. PYTHON is an interpreter with the extra `dev` installed.
PYTHON ?= .venv/bin/python
FLOORS = .venv-floors
FOLDER ?= build/screenshots

.PHONY: check lint types test floors test-zitadel bench screenshots

check: lint types test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest -q -n auto

# The tests with each direct dependency at the lowest version that pyproject.toml allows, in a new environment
floors:
	$(PYTHON) -m venv --clear $(FLOORS)
	$(FLOORS)/bin/python -m pip install -q 'uv>=0.11,<1'
	$(FLOORS)/bin/python -m uv pip install -q --python $(FLOORS) --resolution lowest-direct -e '.[dev]'
	$(FLOORS)/bin/python -m pytest -q -n auto

# Against a running ZITADEL: make test-zitadel URL=http://localhost:8080 ADMIN_PAT_FILE=admin.pat
test-zitadel:
	$(PYTHON) -m pytest tests/emulator tests/provisioning tests/demo tests/catalogue/test_any_zitadel.py \
		--zitadel $(URL) --admin-pat-file $(ADMIN_PAT_FILE)

bench:
	$(PYTHON) -m benchmarks

# Pictures of the page's main states: make screenshots FOLDER=/tmp/page. The two small ones are docs/images/page-*.webp.
screenshots:
	$(PYTHON) -m tests.support.screenshots $(FOLDER)
