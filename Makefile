# The two commands: `make run` and `make test`. Everything else is for those who change the code.

PYTHON ?= python3
PYTEST_ARGS ?= -n 2 --dist loadgroup

bin := .venv/bin
python := $(bin)/python
ready := .venv/ready

# A Python that went away (an upgrade, a checkout that moved) makes a new virtualenv.
$(shell $(python) -c "" 2>/dev/null || rm -f $(ready))

.DEFAULT_GOAL := help
.PHONY: help run test check bench clean
# One thing at a time, also where somebody set MAKEFLAGS=-j: the steps' words stay in order.
.NOTPARALLEL:

help:
	@echo "make run     the shop on http://localhost:8000/ (PORT=8001 make run for another port); Ctrl-C ends it"
	@echo "make test    all tests; PYTEST_ARGS='-k cart' make test for some of them"
	@echo "make check   lint, format, types, import rules, templates, migrations, settings"
	@echo "make bench   the measurements of benchmarks/"
	@echo "make clean   remove the virtualenv and what the tools left; the shop's data stay"

run: $(ready)
	@$(python) -m shop.embedded.run

test: $(ready)
	@.ci/system-packages chromium oathtool
	@$(python) -m pytest $(PYTEST_ARGS)

check: $(ready)
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/lint-imports --no-logo
	$(bin)/djlint templates --lint --quiet
	$(bin)/mypy
	$(python) manage.py makemigrations --check --dry-run
	$(python) manage.py check

bench: $(ready)
	@$(python) -m benchmarks

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Filled only when the requirements change.
$(ready): requirements.txt requirements-dev.txt
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "$(PYTHON) is not installed: install Python 3.11 or newer, or name one: make run PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) shop/embedded/preflight.py
	@echo "Installing the packages into .venv (a minute or two, once) ..."
	@$(python) -c "" 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@$(python) -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@
