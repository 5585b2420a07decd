# What a developer types. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
ARGS ?=
NONE := 5# what pytest exits with when no test was picked

# Where it is set, every process that a test starts compiles the whole project anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
STAMP := .venv/.installed
NODE := tests/js/node_modules/.installed
REACT := examples/react-chat/node_modules/.installed
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)

# uv does not read pip's configuration: the index and the certificates that pip would use are handed on to it.
UV = index="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null || true)}}"; \
	cert="$${SSL_CERT_FILE:-$${PIP_CERT:-$$($(BIN)/python -m pip config get global.cert 2>/dev/null || true)}}"; \
	[ -z "$$index" ] || export UV_DEFAULT_INDEX="$$index"; \
	[ -z "$$cert" ] || export SSL_CERT_FILE="$$cert"; \
	$(BIN)/uv --quiet --system-certs pip
COMPILE := compile --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(STAMP) ## make .venv with everything in it; quick when nothing changed

.PHONY: prepare
prepare: install $(if $(shell command -v npm),$(NODE)) ## install, and what npm has for the tests of the pages

.PHONY: run
run: install ## start the server with the demo agent: embedded Valkey, API and worker in one process
	@exec $(BIN)/holdfast dev $(ARGS)

# What is broken off has not seen all that fails: there is nothing to run once more.
.PHONY: test
test: prepare ## run the tests, three files at once (ARGS="-k words" picks some)
	@failed=0; \
	run() { echo "pytest $$*"; $(BIN)/pytest "$$@" || case $$? in \
		1) failed=1 ;; \
		$(NONE)) ;; \
		*) rm -rf .pytest_cache; exit 1 ;; \
	esac; }; \
	run -n 3 --dist loadfile --no-loadscope-reorder -m "not alone" $(ARGS); \
	run -m alone $(ARGS); \
	exit $$failed

.PHONY: test-again
test-again: prepare ## run what failed last once more, one after another; what passes now was flaky and is listed
	$(BIN)/pytest -rA --show-capture=no --last-failed --last-failed-no-failures none --maxfail 1 $(ARGS)

.PHONY: bench
bench: install ## measure against langgraph dev (ARGS=--quick for a shorter look)
	$(BIN)/python -m bench $(ARGS)

.PHONY: bench-checkpointer
bench-checkpointer: install ## measure the checkpointer beside others (ARGS=--quick for a shorter look)
	$(BIN)/python -m bench.checkpointer $(ARGS)

.PHONY: check
check: install ## every gate: lint, format, types, import rules, file length, leaked addresses, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.gates
	git ls-files -z --cached --others --exclude-standard | xargs -0 $(BIN)/codespell
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory check-pages; \
	elif [ -n "$${CI:-}" ]; then echo "npm is not installed" >&2; exit 1; \
	else echo "npm is not installed: the types of the pages are not checked"; fi

.PHONY: check-pages
check-pages: $(NODE) ## the types of the pages alone, with TypeScript
	cd tests/js && npm exec --offline -- tsc -p .

.PHONY: eval
eval: install ## let ten scripted customers judge the configured model, and print a score card
	$(BIN)/python -m graph.evaluation $(ARGS)

.PHONY: check-mutations
check-mutations: install ## take mechanisms out, one at a time, and expect a test to go red (ARGS="word" picks some)
	$(BIN)/python -m tests.mutations $(ARGS)

.PHONY: chaos
chaos: install ## kill, stop, flood and wear out the platform (ARGS="zombies --share 0.05" for one of them, shorter)
	$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: images
images: install ## take the pictures of docs/images anew; needs chromium and pngquant (ARGS="word" picks some)
	$(BIN)/python -m tests.ui.pictures $(ARGS)

.PHONY: contract-oracle
contract-oracle: install ## ask `langgraph dev` what tests/contract asks of Holdfast (ARGS="-k words" picks some)
	$(BIN)/python -m tests.contract $(ARGS)

.PHONY: fmt
fmt: install ## format the code and mend what can be mended
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: api-page
api-page: install ## write docs/api.md anew from the routes
	$(BIN)/python -m deploy.api_page

.PHONY: site
site: install ## write the documentation as a site to site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet $(ARGS)

.PHONY: sbom
sbom: install ## write dist/holdfast.cdx.json, the list of all that is passed on, with licenses
	$(BIN)/python -m deploy.sbom $(ARGS)

.PHONY: lock
lock: $(BIN)/uv ## write both lock files anew from pyproject.toml (ARGS="--upgrade" for newer versions)
	@$(UV) $(COMPILE) $(ARGS) --all-extras --output-file requirements.lock pyproject.toml
	@$(UV) $(COMPILE) $(ARGS) --group dev --constraint requirements.lock --output-file requirements-dev.lock

$(NODE): tests/js/package.json tests/js/package-lock.json
$(REACT): examples/react-chat/package.json examples/react-chat/package-lock.json
$(NODE) $(REACT):
	cd $(<D) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(STAMP): requirements.lock requirements-dev.lock pyproject.toml | $(BIN)/uv
	@echo "installing into .venv"
	@$(UV) install --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock -r requirements-dev.lock
	@$(UV) install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# hatchling, which builds the project, and uv itself are in the lock: nothing comes in without its hash
$(BIN)/uv:
	@for python in $(PYTHONS); do \
		if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "making .venv with $$("$$python" --version)"; "$$python" -m venv .venv; break; \
		fi; \
	done; \
	if [ ! -x $(BIN)/python ]; then \
		echo "No Python 3.11 or later with the venv module was found: install one" \
			"(on Debian: apt-get install python3 python3-venv) or name it: make install PYTHON=/path/to/python3" >&2; exit 1; \
	fi
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.lock
