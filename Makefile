# Everything a person needs: `make demo` shows the thing, `make test` proves it. Both set themselves up.

ifeq ($(OS),Windows_NT)
PYTHON = py -3
BIN := .venv/Scripts
COLAB := .venv-colab/Scripts
LATER :=
else
# Distributions compile Python with optimisation, and pyenv, unless told to, does not: with its Python, the tests take an eighth
# longer. Where the system has the same version, that is taken.
SYSTEM := /usr/bin/python$(shell python3 -c "import sys; print('%d.%d' % sys.version_info[:2])")
PYTHON ?= $(shell $(SYSTEM) -c "import ensurepip, sys; print(sys.executable)" 2>/dev/null || echo python3)
BIN := .venv/bin
COLAB := .venv-colab/bin
LATER := nice -n 5
endif

# Every kernel and command that a test starts would compile all that it imports: nothing here is compiled on installation.
unexport PYTHONDONTWRITEBYTECODE

INSTALL := $(BIN)/python tests/support/install_packages.py

# Jupyter takes seconds to import it where it is installed, in each process, for formats of addresses that no notebook has.
NEEDLESS := rfc3987-syntax

# Checks the types of the JavaScript of the panel and of the JupyterLab extension.
TYPESCRIPT := typescript@5.9.3 @anywidget/types@0.4.0
TSC := .venv-node/node_modules/.bin/tsc
# What VS Code runs for widgets, for tests; packed, since their dependencies are in them.
VSCODE := @vscode/jupyter-ipywidgets8@1.0.9 @vscode/jupyter-ipywidgets7@2.0.4 requirejs@2.3.7 markdown-it@15.0.0

# What Colab pins, and the oldest of what we depend on.
PINS := "ipython==7.34.*" "ipykernel==6.17.*" "ipywidgets==7.7.*" "traitlets==5.7.*" "openai==2.0.0"
# The rooms that use what is pinned, and whose tests need nothing beyond it.
ROOMS := any_stream api buddy chat_request chat_stream chat_view cloud command commands_conversation commands_models commands_panel commands_provider commands_table completion context conversation error_lines exchange export extension field history late_settings local_provider local_server loop matching meter model_choice ollama openai_chat openai_client options page panel pipeline provider_view reply runs self_hosted server_error session settings settings_form target tasks text_table timeouts transcript transport worker

.PHONY: demo test environments model test-checks test-kernel test-browser test-first test-rest test-colab bench docs system clean

demo: .venv/.demo
	$(BIN)/codebuddy demo $(if $(HEADLESS),--headless) $(if $(MODEL),--model $(MODEL))

test:
ifdef ARGS
	$(MAKE) --jobs 3 test-checks
	$(BIN)/python -m pytest $(ARGS)
else
	$(MAKE) --jobs 4 test-kernel test-first test-rest test-browser test-colab test-checks
endif

# An environment that could not be made is begun anew.
.DELETE_ON_ERROR:

environments: system .venv/.test model .venv-colab/.done .venv-ipykernel-7.3/.done .venv-marimo/.done .venv-node/.done

test-checks: .venv/.test .venv-node/.done
	$(TSC) --project .
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(LATER) $(BIN)/mypy

# What starts kernels and browsers mostly waits and takes longest, so the others, which compute, leave the processors to it.
# Kernels need no browser and no model, which may have to come first.
test-kernel: .venv/.test .venv-colab/.done .venv-ipykernel-7.3/.done
	$(BIN)/python -m pytest -q tests/kernel

test-browser: environments
	$(BIN)/python -m pytest -q tests/browser

# What is left out is named, since pytest reads the whole folder anew for each file that is named.
HALF := $(LATER) $(BIN)/python -m pytest -q tests --ignore tests/kernel --ignore tests/browser

test-first: environments
	$(HALF) --ignore-glob "tests/test_[!a-k]*"

test-rest: environments
	$(HALF) --ignore-glob "tests/test_[a-k]*"

test-colab: environments
	$(LATER) $(COLAB)/python -m pytest -q $(wildcard $(ROOMS:%=tests/test_%.py))

bench: system .venv/.test
	$(BIN)/python -m tests.bench $(ARGS)

docs: system .venv/.test
	$(BIN)/python -m tests.docs

# A browser and the like, which the system has or gets.
system:
	$(PYTHON) tests/support/install_system.py

clean:
	rm -rf .venv .venv-* build dist

# Made once: another Python in its place would find the packages of the first.
.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml | .venv/pyvenv.cfg
	$(INSTALL) $(BIN)/python --editable ".[demo]"
	$(BIN)/python tests/support/labextension.py
	$(BIN)/python tests/support/install_system.py libgomp1
	@touch $@

.venv/.test: pyproject.toml | .venv/pyvenv.cfg
	$(INSTALL) $(BIN)/python --editable ".[test]"
	$(BIN)/python -m pip uninstall --quiet --yes $(NEEDLESS)
	$(BIN)/python tests/support/labextension.py
	@touch $@

# The small real model for tests, in the user's cache, so that it is downloaded once. Without it, the tests that ask it fail
# and say how to get it.
model: .venv/.test
	@$(BIN)/codebuddy pull smollm2-135m || echo "The tests of the real model will fail without it."

.venv-node/.done: Makefile
	@command -v npm >/dev/null || { echo "Missing: npm, for the types of the panel. On Debian or Ubuntu: sudo apt-get install npm"; exit 1; }
	npm install --silent --no-audit --no-fund --prefix .venv-node $(TYPESCRIPT)
	cd .venv-node && npm pack --silent $(VSCODE)
	@touch $@

.venv-colab/.done: pyproject.toml .venv/.test
	$(BIN)/python -m venv --without-pip .venv-colab
	$(INSTALL) $(COLAB)/python --editable . $(PINS) hypothesis jupytext pytest pytest-timeout trustme
	@touch $@

# One package, which a kernel of .venv finds before its own.
.venv-ipykernel-7.3/.done: .venv/.test
	$(INSTALL) $(BIN)/python --no-deps --upgrade --target .venv-ipykernel-7.3 "ipykernel==7.3.*"
	@touch $@

# Found by the kernels of marimo alone, before the packages of .venv.
.venv-marimo/.done: .venv/.test
	$(INSTALL) $(BIN)/python --upgrade --target .venv-marimo "marimo==0.25.*"
	@touch $@
