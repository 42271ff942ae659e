"""Where a statement begins and ends, in code that may be half typed."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.completion.statement import Scanner, is_balanced

ENDS = {
    "a line": ("x = 1\ny", 5),
    "nothing": ("x = 1", None),
    "an open bracket": ("f(a,\nb)\n", 7),
    "a string of lines": ('s = """a\nb"""\n', 13),
    "the other quotes in it": ("s = '''\"\"\"\n'''\n", 14),
    "a bracket in a string": ("s = '('\n", 7),
    "a bracket in a comment": ("x = 1  # (\n", 10),
    "a quote in a comment": ("x = 1  # don't\n", 14),
    "an escaped quote": ("s = 'don\\'t ('\n", 14),
    "a continued line": ("x = 1 + \\\n2\n", 11),
    "a string that is not closed": ("s = 'a\nx\n", 6),
    "a closing bracket too many": ("f())\nx\n", 4),
    "at once": ("\nx\n", 0),
}


@pytest.mark.parametrize(("code", "end"), ENDS.values(), ids=ENDS)
def test_a_statement_ends_at_the_line_break_outside_of_brackets(
    code: str, end: int | None
) -> None:
    assert Scanner().read(code) == end


def test_reading_goes_on_where_it_ended() -> None:
    scanner = Scanner()
    scanner.read_all("x = 1\ny = f(\n")
    assert scanner.start == 6
    assert scanner.read("1,\n2)\nz") == 5


@pytest.mark.parametrize(
    ("code", "balanced"),
    [
        ("f(x)[1]", True),
        ("f(x", False),
        ("f(x))", False),
        ("'a", False),
        ("'a' \"b\"", True),
        ("# (", True),
    ],
)
def test_code_is_balanced_if_each_bracket_and_string_is_closed(
    code: str, balanced: bool
) -> None:
    assert is_balanced(code) is balanced


@pytest.mark.parametrize("code", ["\\", "'\\", '"""\\', "((((" * 2000, "\x00'\x00"])
def test_any_code_is_read_to_its_end(code: str) -> None:
    scanner = Scanner()
    scanner.read_all(code)
    assert scanner.start <= len(code)
