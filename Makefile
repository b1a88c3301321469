# Two commands set everything up on a bare Debian or Ubuntu: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
# What fails is run once more and shown in full; the fourth such test fails the run (tests/support/reruns.py).
AGAIN  ?= --reruns 1

export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help install compiled demo test test-fast check lock web types bench bench-janus clean
help:
	@echo "make demo    install, build and run everything on this machine (ARGS='--port 9090')"
	@echo "make test    install what the tests need and run all of them"
	@echo "make check   style, types, architecture"
	@echo "make bench   measure the media server (docs/performance.md explains the figures)"
	@echo "make bench-janus   measure it beside Janus (ARGS='--subscribers 60 --json')"

ENGINE := transport/native/_engine.so

$(VENV)/.packages: requirements.lock pyproject.toml scripts/make-venv
	scripts/make-venv $(PYTHON) $(VENV)
	@touch $@

# A compiled helper of the media path; without it everything works, at a higher price.
$(VENV)/.installed: $(VENV)/.packages transport/native/engine.c scripts/build-engine
	scripts/build-engine $(BIN)/python
	@touch $@

# The media path's modules, compiled from the very source there is: minutes of work, a third of the price.
# Used until the source changes, or SFU_COMPILED=0 forbids it.
COMPILED := core/_compiled/DIGEST
$(COMPILED): $(VENV)/.installed scripts/build-compiled $(shell find core rtp transport sfu -name '*.py')
	$(BIN)/python scripts/build-compiled
	@mkdir -p $(@D) && touch $@

compiled: $(COMPILED)

web_client/node_modules/.installed: web_client/package.json web_client/package-lock.json
	scripts/need-node
	npm --prefix web_client ci --no-audit --no-fund
	@touch $@

WEB_SOURCES := $(shell find web_client/src web_client/public web_client/docs -type f 2>/dev/null) web_client/index.html \
	$(wildcard web_client/*.json web_client/*.ts)

web_client/dist/index.html: web_client/node_modules/.installed $(WEB_SOURCES)
	npm --prefix web_client run build

# The command above makes it, too; this is for a checkout that was built before there was such a page.
web_client/dist-courtroom/page.js: web_client/dist/index.html
	npm --prefix web_client run build:courtroom

web: web_client/dist/index.html web_client/dist-courtroom/page.js

types: $(VENV)/.installed web_client/node_modules/.installed
	PYTHON=$(abspath $(BIN))/python npm --prefix web_client run types

install: $(VENV)/.installed web $(COMPILED)

demo: $(VENV)/.installed web
	$(BIN)/teleconsult demo --data-dir var/demo $(ARGS)

check: $(VENV)/.installed web_client/node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests/architecture
	npm --prefix web_client run check

test: install
	scripts/install-test-tools
	$(MAKE) check
	npm --prefix web_client test
	$(BIN)/pytest -n 2 -m "not browser" $(AGAIN) $(ARGS)
	scripts/test-compiled $(BIN) $(AGAIN)
	$(BIN)/pytest -m browser $(AGAIN) $(ARGS)

test-fast: $(VENV)/.installed
	$(BIN)/pytest -n 2 -m "not browser" $(ARGS)

bench: $(VENV)/.installed
	$(BIN)/teleconsult bench sfu $(ARGS)

bench-janus: $(VENV)/.installed
	scripts/install-janus
	$(BIN)/teleconsult bench janus $(ARGS)

# Regenerate the lock after editing pyproject.toml: hashes for every platform, no address of any index.
lock: $(VENV)/.installed
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --group dev --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) $(ENGINE) core/_compiled web_client/node_modules web_client/dist web_client/dist-courtroom .pytest_cache .mypy_cache .ruff_cache
