"""The Python in an answer, checked against the live kernel."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.context.inspection.answer_check import answer_findings
from tests.support.snippets import namespace

WRONG = "clients['Region']"
LINE = "clients has no column 'Region'; nearest: 'region'"


def fenced(code: str, language: str = "python") -> str:
    return f"Text before.\n\n```{language}\n{code}\n```\n\nText after."


def lines(answer: str, **names: object) -> list[str]:
    found = answer_findings(answer, {**namespace(), **names})
    return [finding.text for finding in found]


@pytest.mark.parametrize("language", ["python", "py", "Python", "ipython", "{python}"])
def test_python_is_checked(language: str) -> None:
    assert lines(fenced(WRONG, language)) == [LINE]


@pytest.mark.parametrize("language", ["sql", "r", "json", "text", "pycon", "bash"])
def test_other_languages_are_not(language: str) -> None:
    assert lines(fenced(WRONG, language)) == []


def test_code_without_a_language_is_checked_where_it_is_surely_code() -> None:
    assert lines(fenced("clients.sort_values('Region')", "")) == [
        "clients has no column 'Region'; nearest: 'region'"
    ]
    assert lines(fenced("Region", "")) == []
    assert lines(fenced("region   revenue\nnorth  10", "")) == []
    assert lines(fenced("Region: str\nrevenue: float", "")) == []
    assert lines(fenced("f(x)", "")) == []


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Use `clients['Region']`.",
        "clients['Region']",
        fenced("clients['Region'"),
        fenced(">>> clients['Region']"),
        fenced("- clients['Region']\n+ clients['region']"),
        "```python",
        "~~~\n",
    ],
)
def test_what_is_no_complete_code_gets_no_line(answer: str) -> None:
    assert lines(answer) == []


def test_the_last_block_counts_even_if_it_is_still_open() -> None:
    assert lines(f"```python\n{WRONG}\n") == [LINE]


def test_blocks_belong_together() -> None:
    answer = fenced("t = clients.assign(tax=1)") + fenced("t['tax'], t['taxes']")
    assert lines(answer) == ["t has no column 'taxes'; nearest: 'tax'"]


def test_a_block_that_quotes_the_user_s_cell_is_left_out() -> None:
    cells = ["", "import pandas\nclients['Region'].sum()  \n"]
    answer = "The error is here:\n" + fenced("  # wrong\n  clients['Region'].sum()")
    assert lines(answer, _ih=cells) == []
    assert lines(answer, _ih=[""]) == [LINE]
    assert lines(answer + fenced("clients['Revenue']"), _ih=cells) == [
        "clients has no column 'Revenue'; nearest: 'revenue'"
    ]


def test_a_line_is_told_once_for_all_blocks() -> None:
    assert lines(fenced(WRONG) * 3) == [LINE]


def test_a_very_long_answer_is_bounded() -> None:
    assert lines("word " * 100_000 + fenced(WRONG)) == []
    assert lines(fenced("x = 1\n" * 3_000) + fenced(WRONG) + fenced("y = 2\n" * 3_000))
    assert lines(fenced("x = 1\n" * 5_000) + fenced(WRONG)) == []
    assert lines("".join(fenced("x = 1") for _ in range(500))) == []
