# Two commands set everything up on a bare Debian or Ubuntu: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help demo test test-fast check lock web types bench clean
help:
	@echo "make demo    install, build and run everything on this machine (ARGS='--port 9090')"
	@echo "make test    install what the tests need and run all of them"
	@echo "make check   style, types, architecture"
	@echo "make bench   measure the media server (docs/performance.md explains the figures)"

$(VENV)/.installed: requirements.lock pyproject.toml scripts/make-venv
	scripts/make-venv $(PYTHON) $(VENV)
	@touch $@

web_client/node_modules/.installed: web_client/package.json web_client/package-lock.json
	scripts/need-node
	npm --prefix web_client ci --no-audit --no-fund
	@touch $@

WEB_SOURCES := $(shell find web_client/src web_client/public -type f 2>/dev/null) web_client/index.html \
	$(wildcard web_client/*.json web_client/*.ts)

web_client/dist/index.html: web_client/node_modules/.installed $(WEB_SOURCES)
	npm --prefix web_client run build

web: web_client/dist/index.html

types: $(VENV)/.installed web_client/node_modules/.installed
	PYTHON=$(abspath $(BIN))/python npm --prefix web_client run types

demo: $(VENV)/.installed web
	$(BIN)/teleconsult demo --data-dir var/demo $(ARGS)

check: $(VENV)/.installed web_client/node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests/architecture
	npm --prefix web_client run check

test: $(VENV)/.installed web
	scripts/install-test-tools
	$(MAKE) check
	npm --prefix web_client test
	$(BIN)/pytest -n 2 -m "not browser" $(ARGS)
	$(BIN)/pytest -m browser $(ARGS)

test-fast: $(VENV)/.installed
	$(BIN)/pytest -n 2 -m "not browser" $(ARGS)

bench: $(VENV)/.installed
	$(BIN)/teleconsult bench sfu $(ARGS)

# Regenerate the lock after editing pyproject.toml: hashes for every platform, no address of any index.
lock: $(VENV)/.installed
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --group dev --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) web_client/node_modules web_client/dist .pytest_cache .mypy_cache .ruff_cache
