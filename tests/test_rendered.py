"""Answers and reports as a terminal shows them, rendered."""

from __future__ import annotations

import random
import re

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.display.rendered import Markdown, Paper, RenderedTerminal
from codebuddy_jupyter.display.screens import follow
from codebuddy_jupyter.errors import CutOff
from codebuddy_jupyter.messages import Chunk
from tests.support.attacks import ATTACKS
from tests.support.replies import Step, a_reply
from tests.support.screen import Screen

ANSWER = """# Why it is empty

The **merge** keeps *only* keys in `both`, see [docs](https://pandas.pydata.org/x).

- one
- two:

  ```python
  x = 1
  ```

1. first
2. second

> a quote

| name | value |
|---|---:|
| a | 3 |

```python
def f(x: int) -> str:
    return f"{x}"
```

Done.
"""
SHOWN = """Why it is empty

The merge keeps only keys in both, see docs (https://pandas.pydata.org/x).

 • one
 • two:
   x = 1

 1 first
 2 second

▌ a quote

 name   value
 ──────────────
 a          3

def f(x: int) -> str:
    return f"{x}"

Done.
"""


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A terminal with colours, of 80 columns and 25 rows."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "25")
    return monkeypatch


def show(loop: Loop, *steps: Step, width: int = 80, format: str = "markdown") -> Screen:
    """Show an answer that comes in these steps."""
    screen = Screen(width)
    terminal = RenderedTerminal(a_reply(loop, *steps, format=format), Paper(screen))
    follow(terminal)
    terminal.finish()
    return screen


def answer_on(screen: Screen) -> str:
    """Return what is shown above the status line, which is checked."""
    *answer, gap, status = "\n".join(screen.rows).rstrip().split("\n")
    assert gap == ""
    assert status.startswith("llama3")
    return "\n".join(answer) + "\n"


def in_any_width(text: str) -> str:
    """Return a text as it is however a table is drawn, and however wide it is."""
    text = text.replace("━", "─")
    return re.sub(r"([ ─])\1+", r"\1", re.sub(r"^ +", "", text, flags=re.MULTILINE))


@pytest.mark.parametrize("size", [1, 7, 50, 10_000])
def test_an_answer_is_rendered_however_it_comes(loop: Loop, size: int) -> None:
    pieces: list[Step] = []
    for start in range(0, len(ANSWER), size):
        pieces += [ANSWER[start : start + size], 0.001]
    screen = show(loop, *pieces)
    assert in_any_width(answer_on(screen)) == in_any_width(SHOWN)
    # Headings and code have colours or weights.
    assert re.search(r"\x1b\[1(?:;4)?mWhy it is empty\x1b", screen.getvalue())
    assert "\x1b[94mdef\x1b[0m" in screen.getvalue()


def test_what_grows_is_shown_and_replaced(loop: Loop) -> None:
    screen = show(loop, "The **mean** ", 0.3, "is 3.\n\n", 0.3, "```python\nx = ", 0.3)
    written = screen.getvalue()
    assert "\x1b[1mmean\x1b[0m\r\n" in written.replace("\n", "\r\n")
    assert answer_on(screen) == "The mean is 3.\n\nx =\n"


def test_an_answer_taller_than_the_screen_stays_whole(
    loop: Loop, terminal: pytest.MonkeyPatch
) -> None:
    terminal.setenv("LINES", "6")
    lines = [f"line {number}" for number in range(40)]
    steps: list[Step] = []
    for line in lines:
        steps += [f"{line}\n", 0.02]
    screen = show(loop, "```text\n", *steps, "```\n")
    assert answer_on(screen).splitlines() == lines
    # Nothing above the first row of the screen can be drawn again.
    assert "\x1b[2K" in screen.getvalue()
    assert "\x1b[1A\x1b[2K" * 6 not in screen.getvalue()


@pytest.mark.parametrize("width", [1, 5, 12, 20, 33])
def test_nothing_is_lost_in_a_narrow_terminal(
    loop: Loop, terminal: pytest.MonkeyPatch, width: int
) -> None:
    terminal.setenv("COLUMNS", str(width))
    answer = (
        f"{ANSWER}\n| column_with_a_name | {'x' * 60} |\n|---|---|\n"
        f"| identifier_of_some_length | {'y' * 90} |\n\n"
        f"{'> ' * 20}deep\n\n```\n{'z' * 200}\n```\n"
    )
    screen = show(loop, answer, 0.2, width=width)
    letters = "".join("".join(screen.rows).split())
    for letter, number in (("x", 60), ("y", 90), ("z", 200)):
        assert letters.count(letter) >= number
    assert "deep" in letters


def test_long_lines_of_code_can_be_copied(loop: Loop) -> None:
    line = "x = " + "'a' + " * 60 + "'b'"
    screen = show(loop, f"```python\n{line}\n\ny = 1\n```\n", 0.2)
    # The terminal wraps the line; nothing is put into it, and no spaces follow.
    plain = re.sub(r"\x1b\[[\d;]*m", "", screen.getvalue())
    assert f"{line}\n\ny = 1\n" in plain
    assert not re.search(r" $", plain, re.MULTILINE)


HOSTILE = {
    "an escape sequence": "a\x1b[2Jb\x1b]0;title\x07c",
    "its entities": "a&#27;[2J b&#x1b;]8;;http://h&#x1b;\\ c &#155;2J &#x9b;2J",
    "in code": "`a\x1b[2Jb`\n\n```python\n'\x1b]52;c;aGk=\x07'\n```\n",
    "in a table": "| \x1b[2J | b |\n|---|---|\n| \x9b2J | &#27;c |\n",
    "in a link": "[a\x1b[2J](http://h/\x1b[2J) <http://h/&#27;c> ![i\x1b](http://h)",
    "in a language": "```\x1b[2Jpython\nx\n```\n",
    "a bell and a return": "a\x07\x08\x0b\x0c\rb",
    "nothing for a renderer": "</kbd></kbd> <kbd>",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("format", ["markdown", "code", "json"])
def test_a_model_cannot_control_the_terminal(
    loop: Loop, text: str, format: str
) -> None:
    # The screen refuses what it does not know.
    screen = show(loop, text, 0.1, format=format)
    assert screen.rows
    assert "\x1b]" not in screen.getvalue()


def test_no_attack_controls_the_terminal_or_makes_a_link() -> None:
    for attack in ATTACKS:
        screen = Screen()
        Paper(screen).write([attack], attack)
        assert screen.rows
        assert "\x1b]" not in screen.getvalue()


def test_links_show_their_address_and_html_its_source(loop: Loop) -> None:
    screen = show(
        loop, "[a](https://h/x) List<int> <b>c</b> &lt;d&gt; ![e](http://h/y)"
    )
    assert answer_on(screen) == (
        "a (https://h/x) List<int> <b>c</b> <d> e (http://h/y).\n".replace(".\n", "\n")
    )


def test_any_text_is_shown_without_failing() -> None:
    source = random.Random(7)
    for _ in range(300):
        parts = source.choices(MARKS, k=30)
        Paper(Screen()).write(["".join(parts)])


MARKS = [
    *"*_`[]()<>|-#~!\\&;:1.\n\n\t \x1b",
    "a",
    "```",
    "| a |\n|---|\n",
    "</kbd>",
    "> ",
]


def test_a_failure_of_the_renderer_shows_the_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: object, *_: object) -> None:
        raise RuntimeError("a table without a head")

    monkeypatch.setattr(Markdown, "__rich_console__", fail)
    screen = Screen()
    Paper(screen).write(["some **text**"])
    assert screen.rows == ["some **text**", ""]


def test_no_colours_where_none_are_wanted(
    loop: Loop, terminal: pytest.MonkeyPatch
) -> None:
    terminal.setenv("NO_COLOR", "1")
    written = show(loop, ANSWER).getvalue()
    assert "\x1b[94m" not in written
    assert re.search(r"\x1b\[1(?:;4)?mWhy", written)


@pytest.mark.parametrize("colours", ["NoColor", "nocolor"])
def test_ipython_without_colours_has_none(colours: str) -> None:
    screen = Screen()
    Paper(screen, colours).write(["```python\ndef f(): pass\n```"])
    assert "\x1b[9" not in screen.getvalue()


def test_a_light_terminal_has_dark_colours() -> None:
    screen = Screen()
    Paper(screen, "LightBG").write(["```python\ndef f(): pass\n```"])
    assert "\x1b[34mdef\x1b[0m" in screen.getvalue()


SOURCES = {
    "code": ("Use:\n\n```python\nx = 1\n```\n\nor\n\n```python\ny = 2\n```\nDone.",
             "x = 1\n\ny = 2\n"),
    "json": ('Here:\n\n```json\n{"a": [1]}\n```\n', '{"a": [1]}\n'),
    "html": ("```html\n<b>x</b>\n```", "<b>x</b>\n"),
}  # fmt: skip


@pytest.mark.parametrize("format", SOURCES)
def test_of_an_answer_in_code_only_the_code_stays(loop: Loop, format: str) -> None:
    answer, code = SOURCES[format]
    steps: list[Step] = []
    for word in answer.split(" "):
        steps += [word + " ", 0.1]
    assert answer_on(show(loop, *steps, format=format)) == code


def test_reasoning_is_shown_until_the_answer_comes(loop: Loop) -> None:
    thoughts = Chunk(reasoning="step 1 \x1b[2J step 2")
    screen = show(loop, thoughts, 0.4, "Ten.")
    assert "step 1" in screen.getvalue()
    assert answer_on(screen) == "Ten.\n"


def test_an_answer_without_text_is_told(loop: Loop) -> None:
    assert answer_on(show(loop, Chunk(finish="stop"))) == "The model gave no text.\n"


def test_what_came_before_a_failure_stays(loop: Loop) -> None:
    screen = show(loop, "Half of", CutOff("The reply was cut off."))
    assert screen.rows[:2] == ["Half of", ""]
    assert screen.rows[2].endswith(" · broke off")


def test_a_failure_without_text_leaves_nothing(loop: Loop) -> None:
    assert show(loop, CutOff("The reply was cut off.")).rows == [""]
