"""What the kernel tells about errors and questions."""

from __future__ import annotations

import ast

import pandas as pd
import pytest

from codebuddy_jupyter.context.inspection.hints import (
    ErrorFacts,
    error_hints,
    failing_statement,
    question_hints,
)
from tests.support.snippets import namespace

SOURCE = """
x = 1
for row in rows(
    a
):
    y = [
        row
    ]
with open(b) as f:
    pass
if c > 1:
    d = 2
"""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (2, "x = 1"),
        (3, "(rows(a),)"),
        (4, "(rows(a),)"),
        (7, "y = [row]"),
        (9, "(open(b),)"),
        (11, "(c > 1,)"),
        (12, "d = 2"),
    ],
)
def test_the_statement_of_a_line_is_found(line: int, code: str) -> None:
    statement = failing_statement(SOURCE, line)
    assert statement is not None
    assert ast.unparse(statement) == code


def test_there_may_be_no_statement() -> None:
    assert failing_statement(SOURCE, 99) is None
    assert failing_statement("x = (", 1) is None
    assert failing_statement("", 0) is None


def test_hints_are_few_and_short() -> None:
    source = "; ".join(f"clients['no{n}{'x' * 40}']" for n in range(40))
    found = error_hints(ErrorFacts("KeyError", "", source, 1), namespace())
    assert 0 < len(found) <= 5
    wide = pd.DataFrame({f"{'column' * 20} {n}": [1] for n in range(1_000)})
    found = error_hints(ErrorFacts("KeyError", "", "w['x']", 1), {"w": wide})
    assert max(map(len, found)) <= 600


def test_an_error_of_which_nothing_is_known_has_no_hints() -> None:
    assert error_hints(ErrorFacts("ValueError", "no"), {}) == ()
    facts = ErrorFacts("ZeroDivisionError", "division by zero", "1 / 0", 1)
    assert error_hints(facts, namespace()) == ()


def test_keys_of_a_dict_are_told_only_where_they_were_typed_nearly_so() -> None:
    names = {"people": {"John Smith": 1, "jane": 2}}
    facts = ErrorFacts("KeyError", "", "people[name]", 1, key="john_smith")
    assert error_hints(facts, names) == (
        "people has no key 'john_smith'; nearest: 'John Smith'",
    )
    facts = ErrorFacts("KeyError", "", "people[name]", 1, key="Johnn Smith")
    assert error_hints(facts, names) == ()


def test_a_question_about_an_empty_frame_is_told_where_its_rows_went() -> None:
    names = {"m": pd.DataFrame({"v": [1]})[:0], "a": pd.DataFrame({"v": [1]})}
    cells = [(1, "m = a[a.v > 3]")]
    line = "m has 0 rows since In[1]: m = a[a.v > 3] (a has 1 rows)"
    assert question_hints("why?", ["m"], names, cells) == (line,)
    assert question_hints("why is it empty?", [], names, cells) == (line,)
    assert question_hints("why?", ["a"], names, cells) == ()
    assert question_hints("plot it", [], names, cells) == ()
