"""Invisible characters are named, except where writing needs them."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.markdown.characters import (
    escape_invisible,
    name_hiding,
    name_invisible,
)

WRITING = {
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Hindi": "\u0915\u094d\u200d\u0937",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "a heart on fire": "\u2764\ufe0f\u200d\U0001f525",
    "a skin": "\U0001f44d\U0001f3fd \U0001f469\U0001f3fd\u200d\U0001f4bb",
    "a key": "1\ufe0f\u20e3 #\ufe0f\u20e3",
    "a flag": "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "a rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "signs": "\u00a9\ufe0f \u2122\ufe0f \u2714\ufe0e",
    "an ideograph": "\u845b\U000e0100",
    "ASCII": "x = 1  # plain",
    "Chinese": "\u4f60\u597d",
}


@pytest.mark.parametrize("name", WRITING)
def test_emoji_and_scripts_stay_right(name: str) -> None:
    text = f"a {WRITING[name]} b"
    assert name_invisible(text) == text
    assert name_hiding(text) == text
    assert escape_invisible(text) == text


@pytest.mark.parametrize(
    "point",
    [
        0x00AD,
        0x034F,
        0x061C,
        0x115F,
        0x180E,
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2065),
        *range(0x2066, 0x206A),
        0x3164,
        0xFE0F,
        0xFEFF,
        0xFFA0,
        0xFFF9,
        0x1D173,
        0xE0001,
        0xE0041,
        0xE007F,
        0xE0101,
    ],
)
def test_an_invisible_character_in_code_is_shown_and_named(point: int) -> None:
    shown = name_invisible(f"a{chr(point)}b")
    assert shown.startswith(f"a\u27e8U+{point:04X}")
    assert shown.endswith("\u27e9b")
    assert chr(point) not in shown


def test_runs_are_named_once() -> None:
    assert name_invisible("a\u200b\u200bb") == "a⟨U+200B ZERO WIDTH SPACE, 2 times⟩b"
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all that")
    assert name_invisible(f"a{hidden}b") == ("a⟨15 invisible characters, U+E0069…⟩b")


def test_prose_keeps_the_marks_of_its_direction() -> None:
    hebrew = "\u05e9\u05dc\u05d5\u05dd\u200f (\u2066abc\u2069) \u202bx\u202c"
    assert name_hiding(hebrew) == hebrew
    assert name_hiding("a\u202eb") == "a⟨U+202E RIGHT-TO-LEFT OVERRIDE⟩b"
    assert "U+E0041" in name_hiding("a\U000e0041b")
    smuggled = "\U0001f600" + "\ufe00\ufe01\ufe02"
    assert "U+FE01" in name_hiding(smuggled)
    assert "U+FE01" in name_invisible(smuggled)


def test_what_is_told_has_escapes_beside_ascii_only() -> None:
    assert escape_invisible("a\u200b b\u2069") == r"a\u200b b\u2069"
    thai = "\u0e01\u200b\u0e02"
    assert escape_invisible(thai) == thai
    assert escape_invisible("\U0001f600\ufe00\ufe01") == "\U0001f600\\ufe00\\ufe01"
