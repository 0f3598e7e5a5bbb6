# Every target works on its own, from a bare machine, and does nothing twice.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Tools of the checkout come before those of the machine. A stray folder named like one of our
# packages must not shadow it: Python leaves the working directory out of its path.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONSAFEPATH := 1

CODE := geoservice layers loaders tiles tests
WORKERS ?= 2
SCALE ?= 1
MINUTES ?= 10
SECONDS ?= 600

.PHONY: help
help: ## print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

.PHONY: install
install: ## install what is missing to work on the project
	@scripts/setup run test web

.PHONY: demo
demo: ## load the sample city and serve it until Ctrl-C
	@scripts/setup run web
	@geoservice demo

# A worker gets whole files, so what a module shares is made once, and its tests keep their order.
.PHONY: test
test: check ## check, then run every test
	npm --prefix geoservice/web --silent test
	pytest -n $(WORKERS) --dist loadfile

.PHONY: check
check: install ## format, lint, types, import rules
	ruff format --check .
	ruff check .
	mypy
	lint-imports
	npm --prefix geoservice/web --silent run check

.PHONY: format
format: install ## put the code into its one format, and fix what can be fixed
	ruff format .
	ruff check --fix .

.PHONY: bench
bench: ## run the benchmarks (SCALE=1)
	@scripts/setup run test web bench
	python -P benchmarks --scale $(SCALE)

.PHONY: soak
soak: ## load a service with tiles, edits and dying workers (SECONDS=600)
	@scripts/setup run test web bench
	PYTHONPATH=$(CURDIR)/benchmarks python -P benchmarks/soak.py --seconds $(SECONDS)

.PHONY: fuzz
fuzz: install ## feed damaged files to the readers (MINUTES=10, SEED=)
	PYTHONPATH=$(CURDIR) python -P -m tests.fuzz --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

.PHONY: docs
docs: ## build the documentation into site/
	@scripts/setup run docs
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

.PHONY: web
web: ## build the web map into geoservice/web/dist
	@scripts/setup web

.PHONY: lock
lock: ## write requirements/*.txt from pyproject.toml
	@scripts/setup run
	@scripts/lock

.PHONY: clean
clean: ## remove environments, builds and caches; never data
	rm -rf .venv .venv-bench build dist site test-results geoservice/web/dist
	rm -rf geoservice/web/node_modules tests/chromium/node_modules
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
