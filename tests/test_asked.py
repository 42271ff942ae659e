"""What a question is asked of: what changes its digest, and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.chat.conversation import Place, Turn
from codebuddy_jupyter.context.items import Item, Snapshot
from codebuddy_jupyter.messages import Image
from codebuddy_jupyter.question.asked import (
    Occurrences,
    Places,
    digests,
)
from codebuddy_jupyter.secrets.redactor import Redacted, Redactor
from tests.support.replies import ended

REQUEST: dict[str, Any] = {"model": "llama3", "extra": []}
CODE = Item("cell:a", "cells", "In[1]", "x = 1")
ERROR = "Cell In[3], line 2, /tmp/ipykernel_12/345.py: <A object at 0x7f12ab> failed"


def of(
    *items: Item, question: str = "why?", earlier: Sequence[Turn] = (), **request: Any
) -> tuple[str, str]:
    snapshot = Snapshot(items)
    return digests(question, {**REQUEST, **request}, snapshot, earlier, Redacted)


@pytest.mark.parametrize(
    ("items", "same"),
    [
        pytest.param([CODE._replace(id="cell:b")], [CODE], id="id of a cell"),
        pytest.param([CODE._replace(title="In[9]")], [CODE], id="number of a cell"),
        pytest.param([CODE._replace(rank=3.0)], [CODE], id="rank"),
        pytest.param(
            [CODE, Item("b", "cells", "In[2]", "y", wanted=False)],
            [CODE],
            id="not wanted",
        ),
        pytest.param(
            [CODE, Item("b", "cells", "cell, not run", "y")], [CODE], id="not run"
        ),
        pytest.param(
            [CODE, Item("b", "outputs", "output of cell", "y")],
            [CODE],
            id="output of an earlier kernel",
        ),
        pytest.param(
            [Item("a", "variables", "a", "a: 1"), Item("b", "variables", "b", "b: 2")],
            [Item("b", "variables", "b", "b: 2"), Item("a", "variables", "a", "a: 1")],
            id="order of variables",
        ),
        pytest.param(
            [Item("error", "error", "error in In[3]", ERROR)],
            [
                Item(
                    "error",
                    "error",
                    "error in In[5]",
                    "Cell In[5], line 2, /tmp/ipykernel_9/6.py: <A object at 0xff> failed",
                )
            ],
            id="numbers, folders and addresses in an error",
        ),
    ],
)
def test_what_another_run_changes_does_not_count(
    items: list[Item], same: list[Item]
) -> None:
    assert of(*items) == of(*same)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([], id="no cell"),
        pytest.param([CODE._replace(text="x = 2")], id="code"),
        pytest.param(
            [CODE._replace(text="x = 1  # at 0x1")], id="code with an address"
        ),
        pytest.param([CODE._replace(section="outputs")], id="section"),
        pytest.param([CODE._replace(title="In[1], failed")], id="state"),
        pytest.param([CODE._replace(images=(Image(b"1", "image/png"),))], id="image"),
        pytest.param([CODE, Item("t", "cells", "text", "prose")], id="text"),
        pytest.param([CODE, Item("o", "outputs", "output of In[1]", "2")], id="output"),
        pytest.param([CODE, Item("v", "variables", "v", "v: int")], id="variable"),
    ],
)
def test_another_context_counts_except_by_prompt(other: list[Item]) -> None:
    assert of(*other)[0] != of(CODE)[0]
    assert of(*other)[1] == of(CODE)[1]


@pytest.mark.parametrize(
    "other",
    [
        {"question": "how?"},
        {"model": "qwen"},
        {"temperature": 0.0},
        {"extra": [("seed", 1)]},
        {"extra": [("seed", object())]},
    ],
    ids=str,
)
def test_another_question_or_model_counts_by_prompt_too(other: dict[str, Any]) -> None:
    one, two = of(**other), of()
    assert one[0] != two[0]
    assert one[1] != two[1]


def test_the_numbers_in_a_question_stand_for_what_they_attach() -> None:
    def about(number: int, text: str) -> tuple[str, str]:
        name = f"@In[{number}]"
        item = Item(f"mention:In[{number}]", "mentions", name, text)
        return of(item, question=f"explain {name}")

    assert about(3, "x = 1") == about(5, "x = 1")
    assert about(3, "x = 1")[1] != about(3, "x = 2")[1]


def test_a_digest_does_not_depend_on_a_secret() -> None:
    redactor = Redactor()

    def with_key(key: str) -> tuple[str, str]:
        redactor.know({"KEY": key})
        item = CODE._replace(text=f"use({key!r})")
        return digests(f"why {key}?", REQUEST, Snapshot((item,)), [], redactor.redact)

    assert with_key("dk39fjq02kfj4mdla") == with_key("pq9fk3mma0skfj29d")


# The conversation


def turn(loop: Loop, question: str, answer: str, place: Place | None) -> Turn:
    return Turn(question, ended(loop, answer), place=place)


def test_earlier_turns_count_by_question_and_answer(loop: Loop) -> None:
    first = [turn(loop, "explain @In[1]", " one ", Place("a", 1))]
    same = [turn(loop, "explain @In[7]", "one", Place("b", 2))]
    other = [turn(loop, "explain @In[1]", "two", Place("a", 1))]
    assert of(earlier=first) == of(earlier=same)
    assert of(earlier=first)[0] != of(earlier=other)[0] != of()[0]
    assert of(earlier=first)[1] == of(earlier=other)[1]


# Places and occurrences


class Cells:
    """Stands for a session."""

    def __init__(self) -> None:
        self.now: tuple[str, float] | None = None

    def running(self) -> object:
        """Return the cell that a test says."""
        return self.now


def test_places_are_counted_in_each_run_of_a_cell() -> None:
    places = Places()
    cells: Any = Cells()
    cells.now = "a", 1.0
    assert [places.next(cells), places.next(cells)] == [Place("a", 1), Place("a", 2)]
    cells.now = "b", 2.0
    assert places.next(cells) == Place("b", 1)
    cells.now = "a", 3.0
    assert places.next(cells) == Place("a", 1)


def test_outside_of_cells_each_question_has_its_own_place() -> None:
    places = Places()
    assert places.next(None) != places.next(None)
    assert places.next(Cells()) == Place("", 3)  # type: ignore[arg-type]


def test_equal_questions_are_counted_by_their_places() -> None:
    occurrences = Occurrences()

    def number(digest: str, *place: Any) -> int:
        return occurrences.asked([digest, "p"], Place(*place)).occurrence

    assert [number("d", "a", 1), number("d", "a", 2), number("d", "b", 1)] == [1, 2, 3]
    assert [number("e", "b", 1), number("d", "a", 2)] == [1, 2]
    assert occurrences.asked(["d", "p"], Place("b", 1)).prompt_occurrence == 3
