"""The code of an answer as the source of a cell."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from codebuddy_jupyter.commands.new_cell import (
    NewCell,
    cell_magics,
    cell_source,
    new_cell,
)
from codebuddy_jupyter.markdown.blocks import CodeBlock
from codebuddy_jupyter.markdown.safe import fence

MAGICS = frozenset({"bash", "html"})


@pytest.mark.parametrize(
    ("language", "code", "source"),
    [
        ("python", "x = 1\n", "x = 1"),
        ("Py", "x = 1", "x = 1"),
        ("", "x = 1", "x = 1"),
        ("", "%pip install polars", "%pip install polars"),
        ("", "this is no Python", None),
        ("bash", "ls -l\n", "%%bash\nls -l"),
        ("sh", "ls -l", "%%bash\nls -l"),
        ("python", "%%bash\nls", "%%bash\nls"),
        ("sql", "SELECT 1", None),
        ("json", "{}", None),
        ("console", "$ ls", None),
        ("python", " \n", None),
    ],
)
def test_a_block_becomes_a_cell_that_can_run_it(
    language: str, code: str, source: str | None
) -> None:
    assert cell_source(CodeBlock(language, code), MAGICS) == source


def test_sql_becomes_a_cell_where_a_magic_runs_it() -> None:
    block = CodeBlock("sql", "SELECT 1")
    assert cell_source(block, {"sql"}) == "%%sql\nSELECT 1"


def test_all_python_of_an_answer_becomes_one_cell() -> None:
    answer = f"{fence('import os', 'python')}\n{fence('os.name', 'python')}"
    assert new_cell(answer, MAGICS) == NewCell("import os\n\nos.name")


def test_python_goes_before_what_installs_its_packages() -> None:
    install = fence("pip install polars", "bash")
    answer = f"{install}\nThen:\n\n{fence('import polars', 'python')}"
    assert new_cell(answer, MAGICS) == NewCell("import polars", is_all=False)


def test_a_single_block_of_another_language_gets_its_magic() -> None:
    assert new_cell(fence("ls", "bash"), MAGICS) == NewCell("%%bash\nls")
    assert new_cell(fence("SELECT 1", "sql"), MAGICS) is None


def test_an_answer_without_blocks_is_code_if_it_can_be_read_as_such() -> None:
    assert new_cell("x = 1", MAGICS) == NewCell("x = 1")
    assert new_cell("I cannot do that, sorry.", MAGICS) is None
    assert new_cell("", MAGICS) is None


def test_invisible_characters_are_named_in_the_cell() -> None:
    cell = new_cell(fence("if a\u202e: pass", "python"), MAGICS)
    assert cell is not None
    assert "\u202e" not in cell.source
    assert "U+202E" in cell.source


def test_a_block_that_is_cut_off_is_closed() -> None:
    assert new_cell("```python\nx = 1\n", MAGICS) == NewCell("x = 1")


def test_the_magics_are_those_of_the_shell() -> None:
    manager = SimpleNamespace(magics={"cell": {"bash": print}, "line": {"cd": print}})
    assert cell_magics(SimpleNamespace(magics_manager=manager)) == {"bash"}
    assert cell_magics(None) == frozenset()
