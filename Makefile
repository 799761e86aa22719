# `make demo` and `make test` set up whatever they need in .venv; nothing else on the machine is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow fuzz nightly lint types clean

demo: $(VENV)/.with-demo
	$(BIN)/affectvlm demo

test: $(VENV)/.with-dev
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/.with-dev
	$(BIN)/python -m pytest -m slow

fuzz: $(VENV)/.with-dev  # some ten minutes
	PYTHONPATH=tests $(BIN)/python -m fuzzing --cases 100000 --jobs 2

nightly: test-slow fuzz

lint: $(VENV)/.with-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.with-dev
	$(BIN)/mypy

$(VENV)/.with-demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --editable '.[train,app]'
	touch $@

$(VENV)/.with-dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --editable '.[dev]'
	touch $@ $(VENV)/.with-demo

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
