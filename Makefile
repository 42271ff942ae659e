# Everything a person needs: `make demo` shows the thing, `make test` proves it. Both set themselves up.

PYTHON ?= python3
BIN := .venv/bin
COLAB := .venv-colab/bin
ifeq ($(OS),Windows_NT)
PYTHON = py -3
BIN := .venv/Scripts
COLAB := .venv-colab/Scripts
endif

# What Colab pins, and the oldest of what we depend on.
PINS := "ipython==7.34.*" "ipykernel==6.17.*" "ipywidgets==7.7.*" "traitlets==5.7.*" "openai==2.0.0"
# The rooms whose tests need nothing beyond that.
ROOMS := address any_stream buddy chat chat_stream cloud commands completion context draft envelope errors export failure fit local loop markdown observer openai_chat options outputs patience preview prompts relevance saved secrets session settings show snapshot store tokens transport

.PHONY: demo test bench docs clean

demo: .venv/.demo
	$(BIN)/codebuddy demo $(if $(HEADLESS),--headless)

test: .venv/.test .venv-colab/.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(ARGS)
	$(if $(ARGS),,$(COLAB)/python -m pytest -q $(wildcard $(ROOMS:%=tests/test_%.py)))

bench: .venv/.test
	$(BIN)/python -m tests.bench $(ARGS)

docs: .venv/.test
	$(BIN)/python -m tests.docs

clean:
	rm -rf .venv .venv-* build dist

.venv/.demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[demo]"
	$(BIN)/python tests/install_system.py libgomp1
	@touch $@

.venv/.test: pyproject.toml tests/install_system.py
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	$(BIN)/python tests/install_system.py
	@touch $@

.venv-colab/.done: pyproject.toml
	$(PYTHON) -m venv .venv-colab
	$(COLAB)/python -m pip install --quiet --editable . $(PINS) hypothesis pytest pytest-timeout trustme
	@touch $@
