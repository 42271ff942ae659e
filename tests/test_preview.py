"""What would be sent, as a person reads it."""

from __future__ import annotations

from html import unescape

from codebuddy_jupyter.context.items import SECTIONS, Item, Snapshot
from codebuddy_jupyter.display.preview import BAR, preview
from codebuddy_jupyter.question.draft import Drafter, Room
from codebuddy_jupyter.question.tokens import Tokens
from codebuddy_jupyter.secrets.redactor import Redacted


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
    seen = Snapshot(items, frozenset(SECTIONS), troubles)
    tokens = Tokens()

    def redact(text: str) -> Redacted:
        kinds = ("password",) * text.count(secret)
        return Redacted(text.replace(secret, "[x]"), kinds)

    size = window or 4096
    drafter = Drafter("why?", "Be brief.", seen, tokens, redact)
    made = drafter.draft([], Room(window, 4096, size - size // 4, 8192))
    return unescape(preview(made, "qwen", "http://localhost:1/v1"))


def test_model_address_and_each_part_with_its_tokens_are_shown() -> None:
    markdown = shown("df = 1")
    assert markdown.startswith("Nothing was sent. About ")
    assert " tokens would go to qwen (http://localhost:1/v1)." in markdown
    assert "| system prompt | 7 |" in markdown
    assert f"| cells | {Tokens().count('df = 1')} |" in markdown
    assert "| question | " in markdown


def test_the_bar_is_the_window() -> None:
    bar = shown("word " * 900).partition("`")[2].partition("`")[0]
    assert len(bar) == BAR
    assert set(bar) == set("█░·")
    assert bar.count("·") == BAR // 4
    assert "of a context window of 4,096" in shown("x")
    assert "4,096 (assumed: the server does not report it)" in shown("x", window=None)


def test_the_full_text_is_folded_below() -> None:
    markdown = shown("df = 1")
    full_text = markdown.partition("<details>")[2]
    assert "df = 1" in full_text
    assert full_text.endswith("</details>")


def test_what_is_left_out_redacted_or_unreadable_is_reported() -> None:
    markdown = shown(
        *["word " * 300] * 20,
        "hunter2",
        window=2000,
        troubles=("The notebook cannot be read.",),
    )
    assert "Left out of the cells, because there is no room: In[" in markdown
    assert "and 3 more" in markdown or "In[1]" in markdown
    assert "Redacted: password." in markdown
    assert "The notebook cannot be read." in markdown
    assert "hunter2" not in markdown


def test_a_prompt_without_anything_of_the_notebook_says_so() -> None:
    assert "contains nothing of the notebook" in shown()
