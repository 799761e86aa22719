# `make demo` and `make test` set up whatever they need in .venv; nothing else on the machine is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: bundled-model demo test test-slow fuzz nightly lint types clean

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

# Some hours: ICT and MAKEHUMAN name folders with a checkout of ICT-FaceKit and of mpfb2.
bundled-model: $(VENV)/.with-dev
	$(BIN)/python tools/train_bundled_model.py --ict $(ICT) --makehuman $(MAKEHUMAN) --out runs/bundled --threads 2 --bundle
	$(BIN)/python benchmarks/bundled_model.py --ict $(ICT) --makehuman $(MAKEHUMAN) --out runs/judged
	$(BIN)/python tools/write_model_card.py --judged runs/judged

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
