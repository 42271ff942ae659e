"""Code as it is typed in a cell, and the Python in it."""

from __future__ import annotations

import ast
import warnings

import pytest

from codebuddy_jupyter.context.inspection.cell_code import MAX_CODE, cell_code


def python(code: str) -> str | None:
    tree = cell_code(code).tree
    return None if tree is None else ast.unparse(tree)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = 1", "x = 1"),
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("%time x = f()", "x = f()"),
        ("%timeit -n 3 f()", "pass"),
        ("%%time\nx = 1", "x = 1"),
        ("!pip install x\ny = 1", "pass\ny = 1"),
        ("files = !ls\nfiles", "files = ...\nfiles"),
        ("here = %pwd", "here = ..."),
        ("df.head?", "pass"),
        ("?df", "pass"),
        ("if a:\n    !ls\n", "if a:\n    pass"),
        ("a = b % c", "a = b % c"),
        ("ls -la\nx = 1", "pass\nx = 1"),
        ("ls - la", "ls - la"),
        ("x = '''\n%time\n'''", "x = '\\n%time\\n'"),
        ("%%bash\nls", None),
        ("%%html\n<b>", None),
        ("SELECT * FROM t", None),
        ("def f(:", None),
        ("", None),
        ("\n \n", None),
        ("x = '\0'", None),
    ],
)
def test_magics_are_replaced(code: str, expected: str | None) -> None:
    assert python(code) == expected


def test_the_magics_and_their_lines_are_known() -> None:
    cell = cell_code("x = 1\n%tme x\ny = %pwd\n!ls")
    assert [(magic.name, magic.kind, magic.line) for magic in cell.magics] == [
        ("tme", "line", 2),
        ("pwd", "line", 3),
    ]
    assert cell.has_command
    assert cell_code("%%tme\nx").magics[0].kind == "cell"
    assert cell_code("%run other.py").may_define


@pytest.mark.parametrize(
    "code",
    [
        "(" * 150 + ")" * 150,
        "[" * 5_000,
        "-" * 19_000 + "1",
        "a" + ".b" * 9_000,
        "x = 1\n" * (MAX_CODE // 6 + 1),
        "x" * 1_000_000,
        "if a:\n" + "".join(" " * n + "if a:\n" for n in range(1, 150)),
        "f'" + "{" * 400 + "}" * 400 + "'",
        "\ud800",
    ],
)
def test_hostile_code_is_parsed_or_left_alone(code: str) -> None:
    cell_code(code)


def test_no_warning_about_the_model_s_code_is_shown() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert python("re.sub('\\d', '', x)") is not None
