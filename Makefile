# `make help` lists the commands.
PYTHON ?= python3
VENV := .venv
TOOLS := .venv-tools
PY := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test test-scale check bench chaos soak fuzz audit sbom lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.runtime ## make .venv with what the product needs

setup-dev: $(VENV)/.dev ## the same with what the tests need, and a Chromium where one can be installed

run: $(VENV)/.runtime ## open the dashboard on http://127.0.0.1:8501 (make run DATA=/path/to/images opens it on yours)
	@$(PY) -m dashboard $(if $(DATA),--data "$(DATA)") $(if $(PORT),--port $(PORT))

test: $(VENV)/.dev ## run all tests: unit, process and browser
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not scale"

test-scale: $(VENV)/.dev ## run the tests that take minutes: several machines, much data
	@$(PY) -m pytest -m scale --timeout 1200

check: $(VENV)/.dev ## lint, format, types and all tests
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not scale"

bench: $(VENV)/.runtime ## time the engine against the plain loop and write docs/benchmarks.md
	@$(PY) -m benchmarks.engine

chaos: $(VENV)/.dev ## do harm to trainings by chance and write what was lost to docs/reliability.md
	@$(PY) -m tests.chaos $(ROUNDS)

soak: $(VENV)/.dev ## let 20 people use the dashboard for half an hour and write what it held to docs/reliability.md (make soak MINUTES=2 SESSIONS=3)
	@$(PY) -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SESSIONS),--sessions $(SESSIONS))

fuzz: $(VENV)/.dev ## feed what reads other people's files with damaged ones for ten minutes, by coverage too where atheris is installed (make fuzz SECONDS=60)
	@$(PY) -W ignore -m tests.fuzz $(SECONDS)

audit: $(TOOLS)/.ready $(VENV)/.runtime ## ask the public list of known faults (OSV) about every package that is installed
	@site=$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	$(TOOLS)/bin/pip-audit --path "$$site" -s osv --progress-spinner off 2>$(TOOLS)/audit.log; code=$$?; \
	if grep -q -e ConnectionError -e ProxyError -e SSLError -e ServiceError -e Timeout $(TOOLS)/audit.log; then \
		echo "Nothing was audited: the list of known faults cannot be reached from here (see $(TOOLS)/audit.log)."; exit 2; \
	fi; cat $(TOOLS)/audit.log; exit $$code

sbom: $(TOOLS)/.ready $(VENV)/.runtime ## write what is installed to sbom.json (CycloneDX)
	@$(TOOLS)/bin/cyclonedx-py environment --output-format JSON -o sbom.json $(PY) && echo "Written: sbom.json"

lock: $(VENV)/.dev ## write the digests of what the image is installed from to deploy/requirements.lock
	@$(PY) -m tests.lock

clean: ## remove .venv and caches; runs and data stay
	@rm -rf $(VENV) $(TOOLS) sbom.json .mypy_cache .ruff_cache .pytest_cache .test-artifacts

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; name one with: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV) || { echo "Python has no venv module; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(TOOLS)/.ready: requirements-tools.txt
	@$(PYTHON) -m venv $(TOOLS)
	@echo "Installing what requirements-tools.txt pins into $(TOOLS) …"
	@$(TOOLS)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-tools.txt
	@touch $@

$(VENV)/.runtime: requirements.txt constraints.txt | $(VENV)/bin/python
	@echo "Installing what requirements.txt pins into $(VENV) …"
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements.txt
	@touch $@

# With make -j2 beside what pip installs.
$(VENV)/.programs: tests/programs.py | $(VENV)/bin/python
	@$(PY) -m tests.programs
	@touch $@

$(VENV)/.trackio: requirements-trackio.txt | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/trackio
	@$(VENV)/trackio/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements-trackio.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime $(VENV)/.programs $(VENV)/.trackio
	@echo "Installing what requirements-dev.txt pins into $(VENV) …"
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	@$(PY) -m tests.browser
	@touch $@
