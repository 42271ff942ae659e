"""The output that stays, in each format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import unescape
from typing import Any

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.display.formats import (
    final_output,
    growing_markdown,
    plain,
)
from codebuddy_jupyter.messages import Chunk, ToolCall, Usage
from codebuddy_jupyter.question.prompts import FORMATS
from tests.support.replies import Step, ended


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_a_plain_text(loop: Loop, format: str) -> None:
    data, metadata = final_output(ended(loop, "```python\nx = 1\n```\n", format=format))
    assert "x = 1" in data["text/plain"]
    assert metadata["codebuddy"]["complete"] is True


@pytest.mark.parametrize(
    ("format", "text", "kind", "shown"),
    [
        ("text", "*a* <b>", "text/plain", "*a* <b>"),
        ("code", "Here:\n```python\nx = 1\n```\nDone.", "text/plain", "x = 1"),
        ("json", '```json\n{"a": [1]}\n```', "application/json", {"a": [1]}),
        ("math", "x^2", "text/markdown", "$$\nx^2\n$$"),
        ("math", "$x^2$", "text/markdown", "$x^2$"),
    ],
    ids=["text", "code", "json", "math", "math with marks"],
)
def test_each_format_has_its_own_output(
    loop: Loop, format: str, text: str, kind: str, shown: Any
) -> None:
    data, _ = final_output(ended(loop, text, format=format))
    assert data[kind] == shown or data[kind].startswith(shown)


def test_invalid_json_is_shown_with_the_reason(loop: Loop) -> None:
    data, _ = final_output(ended(loop, "{nope}", format="json"))
    assert "application/json" not in data
    assert "This is not valid JSON" in data["text/markdown"]
    assert data["text/plain"] == "{nope}"


def test_html_is_in_a_frame_and_cannot_escape_from_its_attribute(loop: Loop) -> None:
    data, _ = final_output(
        ended(loop, "<p>\"'></iframe><script>x()</script>", format="html")
    )
    html = data["text/html"]
    assert html.startswith('<iframe sandbox="" ')
    assert html.count("<script") == 0
    assert html.count("</iframe>") == 1
    assert "default-src &#x27;none&#x27;" in html
    # The page is in a frame within the frame, so that the policy of the outer one holds
    # for the pages that links of the inner one lead to.
    outer = unescape(html)
    assert outer.count("<iframe sandbox=") == 2
    assert unescape(outer).count("<script>x()") == 1


def test_reasoning_is_folded_above_the_answer_and_cannot_change_it(
    loop: Loop,
) -> None:
    reply = ended(loop, Chunk(reasoning="```\n</details> $$ <img src=x>\n"), "Yes.")
    markdown = final_output(reply)[0]["text/markdown"]
    assert markdown.count("</details>") == 1
    folded, _, answer = markdown.partition("</details>")
    assert not any(mark in folded for mark in ("```", "$", "<img"))
    assert answer.strip().startswith("Yes.")


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([Chunk(finish="stop")], "The model gave no text."),
        (
            [Chunk(tool_calls=(ToolCall("1", "look_up", "{}"),))],
            "The model gave no text, but called for tools: look_up.",
        ),
    ],
    ids=["nothing", "tools"],
)
def test_an_answer_without_text_says_so(
    loop: Loop, steps: Sequence[Step], says: str
) -> None:
    assert final_output(ended(loop, *steps))[0]["text/plain"].startswith(says)


def test_an_open_fence_does_not_swallow_the_line_below(loop: Loop) -> None:
    markdown = final_output(ended(loop, "```python\nx = 1"))[0]["text/markdown"]
    assert "\n```\n\n<small>" in markdown


def test_the_metadata_can_be_saved(loop: Loop) -> None:
    metadata = final_output(ended(loop, "Hi", Chunk(usage=Usage(3, 1), finish="stop")))[
        1
    ]
    assert json.loads(json.dumps(metadata))["codebuddy"]["prompt_tokens"] == 3


ESCAPES = "\x1b[31mred\x1b]0;title\x07\x9b2Jgone\x08\x08\rover"


@pytest.mark.parametrize("format", FORMATS)
def test_no_escape_sequence_reaches_a_screen(loop: Loop, format: str) -> None:
    """From the text, the name of the model and the notes of an answer."""
    text = f"a {ESCAPES} b\n\n```python\nx = '{ESCAPES}'\n```\n"
    reply = ended(loop, text, format=format)
    reply.model = f"llama{ESCAPES}"
    reply.chunks.append(Chunk(note=f"the server says {ESCAPES}"))
    data, _ = final_output(reply)
    shown = [value for value in data.values() if isinstance(value, str)]
    assert not set("".join(shown)) & set("\x1b\x07\x9b\x08\r")
    assert not set(repr(reply)) & set("\x1b\x07\x9b\x08\r")
    assert not set(growing_markdown(text, format)) & set("\x1b\x07\x9b\x08\r")


@pytest.mark.parametrize("format", ["markdown", "code", "json", "text"])
def test_invisible_characters_in_code_are_named_in_every_format(
    loop: Loop, format: str
) -> None:
    text = "```python\nx = 1 \u202e# \u200b\n```\n"
    data, _ = final_output(ended(loop, text, format=format))
    for shown in data.values():
        assert "\u202e" not in str(shown)
        assert "U+202E RIGHT-TO-LEFT OVERRIDE" in str(shown)
        assert "U+200B ZERO WIDTH SPACE" in str(shown)


def test_plain_text_names_what_hides_text() -> None:
    assert plain("a\u202eb") == "a⟨U+202E RIGHT-TO-LEFT OVERRIDE⟩b"
    assert plain("می‌خواهم ❤️ שלום\u200f") == "می‌خواهم ❤️ שלום\u200f"
