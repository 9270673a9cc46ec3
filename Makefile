# The words of the README: run, test, check, bench, prove, soak, docs, clean.

PYTHON3 ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
PIP := $(PYTHON) -m pip --disable-pip-version-check --quiet --require-virtualenv
PINNED := --constraint constraints.txt
BUILD := build
DEMO := $(BUILD)/demo
DEMO_GALLERY := sqlite:///$(DEMO)/gallery.db
BENCHMARKS := $(patsubst benchmarks/bench_%.py,%,$(wildcard benchmarks/bench_*.py))

# The demonstration's gallery is kept from run to run: a server may have it open.

# Stamps are written last, so an installation that was interrupted is repeated.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: help run test test-milvus check format bench prove deepface-tests soak audit docs clean venv install install-dev
.DEFAULT_GOAL := help

help:
	@echo "make run      install, enrol and identify sample photos, then serve on port $${MIEN_PORT:-8000}"
	@echo "make test     the whole test suite"
	@echo "make check    ruff, mypy, import-linter, and no machine's addresses or paths in the files"
	@echo "make bench    all benchmarks; make bench-NAME one of: $(BENCHMARKS)"
	@echo "make prove    models that are not downloaded here, with random weights, against DeepFace and others"
	@echo "make deepface-tests DEEPFACE=checkout: DeepFace's own unit tests against mien.compat.deepface"
	@echo "make soak     the long tests: hundreds of kills, tens of thousands of damaged photos and requests"
	@echo "make audit    known holes of the pinned packages; needs the service that pip-audit asks"
	@echo "make test-milvus  the tests of a Milvus index, with a Milvus server of their own"
	@echo "make docs     check the documentation; make docs-models writes docs/models.md from the cards"
	@echo "make clean    remove what was built (not the model cache)"

# ---------------------------------------------------------------- environment

venv:
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Mien needs Python 3.11 or newer as '$(PYTHON3)'; name another with PYTHON3=..." >&2; exit 1; }
	@$(PYTHON3) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv module is missing: install it (Debian, Ubuntu: apt install python3-venv)." >&2; \
	  exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { \
	  echo "Making $(VENV)"; $(PYTHON3) -m venv --clear $(VENV); }

$(RUN_STAMP): pyproject.toml constraints.txt
	@$(MAKE) --no-print-directory venv
	@echo "Installing Mien in $(VENV)"
	@$(PIP) install $(PINNED) pip hatchling editables
	@$(PIP) install $(PINNED) --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	@echo "Installing the tools for tests and checks in $(VENV)"
	@$(PIP) install $(PINNED) --group dev --group dialects
	@touch $@

install: $(RUN_STAMP)
install-dev: $(DEV_STAMP)

# ---------------------------------------------------------------- the README's words

run: $(RUN_STAMP)
	@mkdir -p $(DEMO)
	@MIEN_GALLERY=$(DEMO_GALLERY) $(PYTHON) examples/first_steps.py $(DEMO)/photos
	@if [ -z "$$MIEN_RUN_ONCE" ]; then MIEN_GALLERY=$(DEMO_GALLERY) exec $(BIN)/mien serve; fi

test: $(DEV_STAMP)
	@$(PYTHON) -m pytest -n 2 $(ARGS)

check: $(DEV_STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@! git grep -nIE 'https?://(registry|files|deb|index|pypi)\.|/simple/[a-z]|["'"'"' =(](/(work|farm|root)/)' \
	  -- . || { echo "Addresses of package indexes or paths of one machine: see above." >&2; exit 1; }

format: $(DEV_STAMP)
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(BENCHMARKS:%=bench-%)

bench-%: $(DEV_STAMP)
	@mkdir -p $(BUILD)/bench
	@$(PYTHON) benchmarks/bench_$*.py $(ARGS)

prove: $(DEV_STAMP)
	@$(PYTHON) benchmarks/prove_deepface.py $(ARGS)

deepface-tests: $(DEV_STAMP)
	@test -n "$(DEEPFACE)" || { \
	  echo "Name a checkout of github.com/serengil/deepface: make deepface-tests DEEPFACE=path" >&2; exit 1; }
	@$(PYTHON) benchmarks/deepface_tests.py "$(DEEPFACE)" $(ARGS)

soak: $(DEV_STAMP)
	@MIEN_SOAK=1 $(PYTHON) -m pytest tests/cli/test_enroll_killed.py tests/gallery/test_crash.py \
	  tests/gallery/test_freshness.py tests/image/test_fuzz.py tests/service/test_contract.py \
	  tests/service/test_dialect_contract.py tests/service/test_fuzz_http.py \
	  tests/service/test_several_servers.py $(ARGS)

audit: $(DEV_STAMP)
	@$(PIP) install pip-audit
	@$(PYTHON) -m pip_audit --requirement constraints.txt --no-deps --disable-pip --strict $(ARGS)

test-milvus: $(DEV_STAMP)
	@$(PIP) install $(PINNED) --group milvus-server -e '.[milvus]'
	@MIEN_MILVUS=1 $(PYTHON) -m pytest tests/gallery/test_index.py tests/gallery/test_shared.py \
	  tests/gallery/test_milvus_server.py tests/gallery/index/test_milvus.py $(ARGS)

docs: $(DEV_STAMP)
	@$(PYTHON) -m pytest tests/test_repository.py

docs-models: $(DEV_STAMP)
	@$(PYTHON) benchmarks/models_page.py $(ARGS)

clean:
	rm -rf $(BUILD) dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
