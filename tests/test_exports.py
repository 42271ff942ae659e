"""What the package offers: the list is true, and importing it costs next to nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import codebuddy_jupyter

SLOW = (
    "openai",
    "ipywidgets",
    "pydantic",
    "IPython",
    "markdown_it",
    "traitlets",
    "asyncio",
    "jupyter_core",
)


@pytest.mark.parametrize("name", codebuddy_jupyter.__all__)
def test_every_name_on_the_list_can_be_imported(name: str) -> None:
    assert getattr(codebuddy_jupyter, name).__module__.startswith("codebuddy_jupyter")


def test_the_list_is_sorted_and_holds_every_public_name() -> None:
    tree = ast.parse(Path(codebuddy_jupyter.__file__).read_text(encoding="utf-8"))
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    lazy = {
        alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    public = {name for name in defined | lazy if not name.startswith("_")}
    assert (
        sorted(public) == sorted(codebuddy_jupyter.__all__) == codebuddy_jupyter.__all__
    )
    assert lazy == set(codebuddy_jupyter._HOMES)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(
        AttributeError, match="module 'codebuddy_jupyter' has no attribute 'nothing'"
    ):
        _ = codebuddy_jupyter.nothing


def test_importing_it_imports_nothing_that_is_slow() -> None:
    code = f"import sys, codebuddy_jupyter; print([name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_the_version_is_that_of_the_distribution() -> None:
    assert codebuddy_jupyter.__version__ == version("codebuddy-jupyter")


def test_the_built_in_providers_are_registered_by_the_door_for_all() -> None:
    names = [entry.name for entry in entry_points(group="codebuddy_jupyter.providers")]
    built_in = [
        "Local",
        "Embedded",
        "OpenAI",
        "Anthropic",
        "Gemini",
        "Groq",
        "DeepSeek",
        "Qwen",
        "GLM",
        "Grok",
    ]
    assert set(built_in) <= set(names)
    for entry in entry_points(group="codebuddy_jupyter.providers"):
        assert (
            entry.name not in built_in
            or entry.load().__name__ == f"{entry.name}Provider"
        )
