"""Prompts without their code: spaces in its place, all else where it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context.prose import blank_code

# Each prompt, with ``~`` where a blank is expected.
PROMPTS = {
    "prose": ("what is @df?", "what is @df?"),
    "backticks": ("is `@a` or @b?", "is ~~~~ or @b?"),
    "two backticks": ("``a ` @b`` @c", "~~~~~~~~~~ @c"),
    "an open backtick": ("a ` @b", "a ` @b"),
    "backticks of two paragraphs": ("a ` b\n\nc ` @d", "a ` b\n\nc ` @d"),
    "a fence": ("a\n```\n@b\n```\n@c", "a\n~~~~~~~~~~~@c"),
    "a fence in a fence": ("````\n```\n@b\n````\n@c", "~~~~~~~~~~~~~~~~~@c"),
    "an open fence": ("a\n~~~\n@b", "a\n~~~~~~"),
    "an indented block": ("a\n\n    @b\n", "a\n\n~~~~~~~"),
    "a paragraph that is indented": ("a\n    @b\n", "a\n    @b\n"),
    "a list": ("- a\n\n    @b\n", "- a\n\n    @b\n"),
    "a decorator": ("@cache\ndef f(): @a", "~~~~~~~~~~ f(): @a"),
    "decorators of a class": ("@a(1)\n@b\nclass C:", "~~~~~~~~~~~~~~ C:"),
    "a mention before a line": ("@a\nis wrong", "@a\nis wrong"),
}


@pytest.mark.parametrize(("prompt", "blanked"), PROMPTS.values(), ids=PROMPTS)
def test_code_is_blanked(prompt: str, blanked: str) -> None:
    assert blank_code(prompt) == blanked.replace("~", " ")


@given(st.text(st.sampled_from("ab@`~\n    #-.(def "), max_size=60))
def test_each_character_is_at_its_place_or_a_space(prompt: str) -> None:
    blanked = blank_code(prompt)
    assert len(blanked) == len(prompt)
    pairs = zip(prompt, blanked, strict=True)
    assert all(after in (before, " ") for before, after in pairs)
