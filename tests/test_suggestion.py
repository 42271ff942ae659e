"""What of a model's text is suggested at the cursor."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.completion.suggestion import Suggestion, can_complete


def suggested(
    code: str, written: str, *, is_asked: bool = False, is_cut: bool = False
) -> str:
    """What is suggested at the ``|`` in code, if the model writes this in tokens."""
    before, _, after = code.partition("|")
    suggestion = Suggestion(before, after, is_asked=is_asked)
    for character in written:
        suggestion.feed(character)
    suggestion.finish(is_cut=is_cut)
    return suggestion.text


TYPED = {
    "the rest of a line": ("df.|", "head()", "head()"),
    "not the next statement": ("df.|", "head()\ndf.tail()", "head()"),
    "all of a call of several lines": ("f(|", "a,\n  b)\nx = 1", "a,\n  b)"),
    "nothing after a whole statement": ("x = 1|", "\ny = 2", ""),
    "a string of several lines": ('x = """a|', '\nb"""\ny', '\nb"""'),
    "not the bracket behind the cursor": ("f(|)", "x)", "x"),
    "but one of its own": ("f(|)", "g(x)", "g(x)"),
    "both brackets behind the cursor": ('df["|"]', 'price"]', "price"),
    "not a colon behind the cursor": ("if |:", "x > 1:", "x > 1"),
    "not the line below": ("x = 1\n|\nprint(x)", "print(x)", ""),
    "not the line below after others": ("f(|\n)", "a,\n)", "a,"),
    "no spaces at the end": ("df.|", "head()   \n", "head()"),
    "up to a character that is not seen": ("x = |", "a\u202eb", "a"),
    "up to a control character": ("x = |", "a\x1b[31mb", "a"),
    "Windows' line breaks": ("x = |", "1\r\ny = 2", "1"),
}


@pytest.mark.parametrize(("code", "written", "expected"), TYPED.values(), ids=TYPED)
def test_while_typing_the_statement_is_completed(
    code: str, written: str, expected: str
) -> None:
    assert suggested(code, written) == expected


def test_a_key_gets_more_statements() -> None:
    written = "head()\nx = 1\n\ny = 2"
    assert suggested("df.|", written, is_asked=True) == written


def test_a_line_that_was_cut_is_no_part_of_several() -> None:
    assert suggested("|", "x = 1\ny = f(", is_asked=True, is_cut=True) == "x = 1"
    assert suggested("|", "x = f(", is_asked=True, is_cut=True) == "x = f("


def test_a_key_does_not_get_lines_without_end() -> None:
    written = "".join(f"x{number} = 1\n" for number in range(100))
    assert len(suggested("|", written, is_asked=True).split("\n")) == 12


def test_it_grows_while_the_model_writes_and_tells_when_it_is_complete() -> None:
    suggestion = Suggestion("df.", "")
    states = []
    for text in ("he", "ad()", "\nx"):
        suggestion.feed(text)
        states.append((suggestion.text, suggestion.is_complete))
    assert states == [("he", False), ("head()", False), ("head()", True)]


@pytest.mark.parametrize(
    ("code", "can"),
    [
        ("df.|", True),
        ("f(|)", True),
        ('df["|"]', True),
        ("if x|:", True),
        ("df.|head()", False),
        ("|x = 1", False),
        ("  \n|", False),
        ("x = 1\n|", True),
    ],
)
def test_typing_completes_at_the_end_of_what_was_begun(code: str, can: bool) -> None:
    before, _, after = code.partition("|")
    assert can_complete(before, after) is can
