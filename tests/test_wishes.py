"""What a question brings in: outputs, texts, errors."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.context.failure import Failure
from codebuddy_jupyter.context.items import ATTACHED_ERROR, Cell, Item, Output
from codebuddy_jupyter.context.relevance import WordScores
from codebuddy_jupyter.context.wishes import SHORT_OUTPUT, SHORT_OUTPUTS, Wishes


def shown(number: int, source: str, text: str) -> Cell:
    output = (Output("text", text),)
    return Cell(f"c{number}", "code", source, number, "run", output)


CELLS = [
    shown(1, "orders.head()", "order\n" + "12 1.5\n" * SHORT_OUTPUT),
    shown(2, "orders.amount.max()", "99.5"),
    shown(3, "print(region)", "north"),
]


def wishes(
    prompt: str, cells: list[Cell] = CELLS, attached: tuple[Item, ...] = ()
) -> Wishes:
    texts = [cell.output_text for cell in cells]
    words = WordScores(prompt, [cell.source for cell in cells], uncounted=texts)
    return Wishes(prompt, cells, words, attached)


def outputs(prompt: str, cells: list[Cell] = CELLS) -> frozenset[str]:
    shown_texts = [(cell, cell.shown_text) for cell in cells]
    return wishes(prompt, cells).outputs(shown_texts)


@pytest.mark.parametrize(
    ("prompt", "ids"),
    [
        pytest.param("what is the largest amount?", {"c2"}, id="a value"),
        pytest.param("plot the amount per region", set(), id="code is wanted"),
        pytest.param("how do I plot the amount?", set(), id="code is wanted, asked"),
        pytest.param("what did Out[1] show?", {"c1"}, id="named"),
        pytest.param("use In[3]", {"c3"}, id="named, where code is wanted"),
        pytest.param("what is the weather?", set(), id="about something else"),
    ],
)
def test_outputs_are_sent_where_the_question_is_about_them(
    prompt: str, ids: set[str]
) -> None:
    assert outputs(prompt) == ids


def test_few_outputs_are_sent() -> None:
    cells = [shown(n, "amount", f"{n}") for n in range(1, 3 * SHORT_OUTPUTS)]
    assert len(outputs("which amount?", cells)) == SHORT_OUTPUTS


def test_an_error_is_sent_where_it_is_news_or_asked_about() -> None:
    old, new = Failure(1, 1, "KeyError", "k"), Failure(3, 1, "KeyError", "k")
    assert wishes("plot it").wants_error(new)
    assert not wishes("plot it").wants_error(old)
    assert wishes("why did it fail?").wants_error(old)
    attached = (Item(ATTACHED_ERROR, "mentions", "@error", "k"),)
    assert wishes("look at @error", attached=attached).wants_error(old)


def test_an_attached_error_brings_no_other_one() -> None:
    attached = (Item(ATTACHED_ERROR, "mentions", "@error", "k"),)
    assert wishes("why did it fail?").wants_earlier_error(CELLS[0])
    asked = wishes("what is wrong with @error?", attached=attached)
    assert not asked.wants_earlier_error(CELLS[0])
    asked = wishes("is @error that of In[1]?", attached=attached)
    assert asked.wants_earlier_error(CELLS[0])
