"""Hints that go along with a question."""

from __future__ import annotations

import pandas as pd
import pytest

from codebuddy_jupyter.context.hint_items import hints_about
from codebuddy_jupyter.context.items import Cell
from codebuddy_jupyter.context.mentions import find_mentions

CELLS = [
    Cell("b", "code", "m = a[a.v > 3]", number=2, state="run"),
    Cell("a", "code", "m = 0", number=1, state="run"),
    Cell("c", "code", "m = 5", number=None),
    Cell("d", "code", "m = 6", number=3, state="changed", run_source="print(m)"),
]
NAMES = {"m": pd.DataFrame({"v": [1]})[:0], "a": pd.DataFrame({"v": [1]})}


@pytest.mark.parametrize("prompt", ["why is m so?", "what about @m", "It is empty?"])
def test_a_question_about_an_empty_frame_is_sent_with_where_it_lost_its_rows(
    prompt: str,
) -> None:
    (item,) = hints_about(prompt, find_mentions(prompt), NAMES, CELLS)
    assert item.section == "mentions"
    assert item.text == "m has 0 rows since In[2]: m = a[a.v > 3] (a has 1 rows)"


def test_other_questions_get_none() -> None:
    assert list(hints_about("plot a", [], NAMES, CELLS)) == []
    assert list(hints_about("why is m empty?", [], {}, CELLS)) == []


def test_a_hint_that_fails_costs_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("codebuddy_jupyter.context.hint_items.question_hints", fail)
    assert list(hints_about("why is m empty?", [], NAMES, CELLS)) == []
