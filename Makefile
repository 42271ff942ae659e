# Everything a person needs: `make demo` shows the thing, `make test` proves it. Both set themselves up.

PYTHON ?= python3
BIN := .venv/bin
ifeq ($(OS),Windows_NT)
PYTHON = py -3
BIN := .venv/Scripts
endif

.PHONY: demo test bench docs clean

demo: .venv/.demo
	$(BIN)/codebuddy demo $(if $(HEADLESS),--headless)

test: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(ARGS)

bench: .venv/.test
	$(BIN)/python -m tests.bench $(ARGS)

docs: .venv/.test
	$(BIN)/python -m tests.docs

clean:
	rm -rf .venv .venv-* build dist

.venv/.demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[demo]"
	@touch $@

.venv/.test: pyproject.toml tests/install_system.py
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	$(BIN)/python tests/install_system.py
	@touch $@
