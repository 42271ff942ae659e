"""Formulas: where readers may find them, and how JupyterLab takes them out of a text."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.markdown.code_spans import find_code, mask_code
from codebuddy_jupyter.markdown.maths import (
    formulas_avoid_code,
    remove_maths,
    same_without_maths,
)


@pytest.mark.parametrize(
    ("text", "without", "formulas"),
    [
        ("a $x$ b", "a @@0@@ b", ["$x$"]),
        ("$$\na\n$$", "@@0@@", ["$$\na\n$$"]),
        (r"\\(a\\)", "@@0@@", [r"\\(a\\)"]),
        (r"\begin{a}x\end{a}", "@@0@@", [r"\begin{a}x\end{a}"]),
        ("$a {$} b$", "@@0@@", ["$a {$} b$"]),
        ("cost $5 and $6", "cost @@0@@6", ["$5 and $"]),
        # A mark that is typed gets a number, too, so that it stays what it is.
        ("@@0@@ $x$", "@@0@@ @@1@@", ["@@0@@", "$x$"]),
        ("$x", "$x", []),
        ("$a\n\nb$", "$a\n\nb$", []),
        ("`$x$` $y$", "`$x$` @@0@@", ["$y$"]),
        ("```\n$x$\n```\n", "```\n$x$\n```\n", []),
    ],
    ids=repr,
)
def test_formulas_are_taken_out_as_jupyterlab_does(
    text: str, without: str, formulas: list[str]
) -> None:
    assert remove_maths(text) == (without, formulas)


def contents_of(text: str) -> list[str]:
    found = find_code(text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("text", "avoid"),
    [
        ("a `b`", True),
        ("$x$ `y`", True),
        ("$$x$$ `y` $$z$$", True),
        ("$$ `<b>` $$", False),
        (r"\[ `x` \]", False),
        (r"\begin{a} `x` \end{a}", False),
        ("$$ a `$$`", False),
        (r"\$$ a `b`", False),
    ],
    ids=repr,
)
def test_a_formula_around_code_or_in_it_is_noticed(text: str, avoid: bool) -> None:
    found = find_code(text)
    assert found is not None
    code, _ = found
    assert formulas_avoid_code(text, mask_code(text, code), code) is avoid


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a `b`", True),
        ("$x$ `y`", True),
        ("`$x$` and `@@0@@`", True),
        ("$a `b$ c`", True),
        ("$$ `<b>` $$", False),
        ("    $a\n    b$\n", False),
    ],
    ids=repr,
)
def test_code_that_a_formula_takes_with_it_is_noticed(text: str, same: bool) -> None:
    assert same_without_maths(text, contents_of(text)) is same
