"""What would be sent, as a person reads it."""

from __future__ import annotations

from html import unescape

from codebuddy_jupyter.context.fit import Measure
from codebuddy_jupyter.context.items import SECTIONS, Item, Snapshot
from codebuddy_jupyter.display.preview import BAR, preview
from codebuddy_jupyter.question.draft import Drafter, Room
from codebuddy_jupyter.question.tokens import Tokens


def shown(
    *texts: str,
    window: int | None = 4096,
    troubles: tuple[str, ...] = (),
    secret: str = "hunter2",
) -> str:
    items = tuple(
        Item(f"cell:{n}", "cells", f"In[{n}]", text, -n, (n,))
        for n, text in enumerate(texts, 1)
    )
    seen = Snapshot(items, frozenset(SECTIONS), "sales.ipynb", troubles)
    tokens = Tokens()
    measure = Measure(
        tokens.count,
        lambda text: (text.replace(secret, "[x]"), ("password",) * text.count(secret)),
    )
    size = window or 4096
    drafter = Drafter("why?", "Be brief.", seen, tokens, measure)
    made = drafter.draft([], Room(window, 4096, size - size // 4, 8192))
    return unescape(preview(made, "qwen", "http://localhost:1/v1"))


def test_it_tells_who_would_be_asked_and_each_part_with_its_tokens() -> None:
    told = shown("df = 1")
    assert told.startswith("qwen at http://localhost:1/v1 would be sent about ")
    assert "nothing was sent" in told
    assert "| system prompt | 7 |" in told
    assert "| cells | 2 |" in told
    assert "| question | " in told


def test_the_bar_is_the_window() -> None:
    bar = shown("word " * 900).partition("`")[2].partition("`")[0]
    assert len(bar) == BAR
    assert set(bar) == set("█░·")
    assert bar.count("·") == BAR // 4
    assert "of a window of 4,096" in shown("x")
    assert "4,096 (assumed: the server does not tell)" in shown("x", window=None)


def test_the_whole_text_is_folded_below() -> None:
    told = shown("df = 1")
    whole = told.partition("<details>")[2]
    assert "df = 1" in whole
    assert whole.endswith("</details>")


def test_what_is_left_out_blanked_or_cannot_be_read_is_told() -> None:
    told = shown(
        *["word " * 300] * 20,
        "hunter2",
        window=2000,
        troubles=("The notebook cannot be read.",),
    )
    assert "Left out of the cells, as there is no room: In[" in told
    assert "and 3 more" in told or "In[1]" in told
    assert "Blanked: password." in told
    assert "The notebook cannot be read." in told
    assert "hunter2" not in told


def test_that_there_is_nothing_to_tell_is_told() -> None:
    assert "Nothing of the notebook is in it" in shown()
