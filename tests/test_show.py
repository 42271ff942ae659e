"""How a reply looks: its status line, the final output in each format, in a terminal
and in a notebook.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.display.formats import final_output
from codebuddy_jupyter.display.screens import Display, Terminal, follow
from codebuddy_jupyter.display.status import status_line, waiting_line, waiting_markdown
from codebuddy_jupyter.errors import CutOff, Stopped
from codebuddy_jupyter.loop import Loop
from codebuddy_jupyter.messages import Chunk, ToolCall, Usage
from codebuddy_jupyter.question.prompts import FORMATS

Step = str | Chunk | BaseException


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.stop()


def a_reply(loop: Loop, *steps: Step, format: str = "markdown") -> Reply:
    async def source(reply: Reply) -> Any:
        reply.provider, reply.model = "Local", "llama3"
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            yield Chunk(text=step) if isinstance(step, str) else step

    return Reply("why?", source, loop, format=format)


def ended(loop: Loop, *steps: Step, format: str = "markdown") -> Reply:
    reply = a_reply(loop, *steps, format=format).start()
    assert reply.wait(10)
    return reply


class Publisher:
    """Collects what is published, as a kernel's display publisher would send it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    def publish(
        self, data: dict[str, Any], metadata: dict[str, Any] | None = None, **rest: Any
    ) -> None:
        self.sent.append(
            ("update" if rest.get("update") else "display", data, metadata or {})
        )

    def clear_output(self, wait: bool = False) -> None:
        self.sent.append(("clear", {}, {"wait": wait}))


def a_shell(code: str, allow_stdin: bool = True) -> Any:
    """Return the parts of a kernel's shell that a display uses."""
    parent = {"content": {"code": code, "allow_stdin": allow_stdin}}
    return SimpleNamespace(
        kernel=object(),
        display_pub=Publisher(),
        execution_count=1,
        get_parent=lambda: parent,
    )


def test_the_status_line_has_model_tokens_times_and_notes(loop: Loop) -> None:
    reply = ended(
        loop,
        "Hi",
        Chunk(usage=Usage(5, 1200), finish="length"),
        Chunk(note="One turn was left out."),
    )
    reply.started, reply.first, reply.ended = 100.0, 101.5, 104.0
    assert status_line(reply) == (
        "llama3 · 1,200 tokens · first after 1.5 s · 480 tokens/s"
        " · cut at its length limit · One turn was left out."
    )


def test_a_slow_reply_has_its_speed_with_decimals(loop: Loop) -> None:
    reply = ended(loop, "Hi", Chunk(usage=Usage(5, 7)))
    reply.started, reply.first, reply.ended = 100.0, 100.0, 102.0
    assert status_line(reply) == "llama3 · 7 tokens · first after 0.0 s · 3.5 tokens/s"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Stopped("Stopped."), "stopped before its end"),
        (CutOff("The reply was cut off."), "broke off"),
    ],
    ids=["stopped", "broken"],
)
def test_the_status_line_marks_an_incomplete_answer(
    loop: Loop, error: BaseException, says: str
) -> None:
    assert status_line(ended(loop, "Once", error)).endswith(says)


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


def test_a_terminal_gets_the_text_and_no_control_characters(loop: Loop) -> None:
    stream = io.StringIO()
    reply = a_reply(loop, "a\x1b[2Jb", "\x07c\u009b31m", "\ud800")
    screen = Terminal(reply, stream)
    follow(screen)
    screen.finish()
    assert stream.getvalue().startswith("a[2Jbc31m\ufffd\n\nllama3 · ")
    assert "\x1b" not in stream.getvalue()


def test_a_question_alone_in_its_cell_leaves_one_output(loop: Loop) -> None:
    shell = a_shell("%%buddy\nwhy?")
    Display(shell).show(a_reply(loop, "First.\n\n", "Second.\n\n", "Third."))
    kinds = [kind for kind, _, _ in shell.display_pub.sent]
    assert kinds[-2:] == ["clear", "display"]
    assert shell.display_pub.sent[-1][1]["text/plain"].startswith(
        "First.\n\nSecond.\n\nThird.\n\nllama3"
    )


@pytest.mark.parametrize(
    "code",
    [
        "print(1)\n%buddy why?",
        "%buddy why?\nprint(1)",
        "%%time\n%buddy why?",
        "x = %buddy why?",
        "ask()",
    ],
    ids=["after", "before", "timed", "assigned", "a function"],
)
def test_other_output_of_the_cell_is_never_cleared(loop: Loop, code: str) -> None:
    shell = a_shell(code)
    Display(shell).show(a_reply(loop, "Hello."))
    assert [kind for kind, _, _ in shell.display_pub.sent if kind == "clear"] == []
    assert (
        len([kind for kind, _, _ in shell.display_pub.sent if kind == "display"]) == 1
    )


def test_where_nobody_watches_only_the_end_is_shown(loop: Loop) -> None:
    shell = a_shell("%%buddy\nwhy?", allow_stdin=False)
    Display(shell).show(a_reply(loop, "First.\n\n", "Second."))
    assert [kind for kind, _, _ in shell.display_pub.sent] == ["display"]


def test_a_failure_without_an_answer_leaves_an_empty_cell_for_its_line(
    loop: Loop,
) -> None:
    shell = a_shell("%buddy why?")
    with pytest.raises(CutOff):
        Display(shell).show(a_reply(loop, CutOff("The reply was cut off.")))
    assert shell.display_pub.sent == [("clear", {}, {"wait": True})]


def test_a_reply_is_shown_once_in_its_cell_and_again_in_a_later_one(loop: Loop) -> None:
    shell = a_shell("%buddy why?")
    display = Display(shell)
    display.show(reply := a_reply(loop, "Hello."))
    before = len(shell.display_pub.sent)
    display(reply)
    assert len(shell.display_pub.sent) == before
    shell.execution_count = 2
    display(reply)
    assert shell.display_pub.sent[-1][1]["text/plain"].startswith("Hello.")


def test_texts_of_the_package_are_plain_in_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Display().text("| a&#46;b |")
    assert capsys.readouterr().out == "| a.b |\n"


def test_the_metadata_can_be_saved(loop: Loop) -> None:
    metadata = final_output(ended(loop, "Hi", Chunk(usage=Usage(3, 1), finish="stop")))[
        1
    ]
    assert json.loads(json.dumps(metadata))["codebuddy"]["prompt_tokens"] == 3


@pytest.fixture
def waiting(loop: Loop) -> Reply:
    """A reply whose request was sent at 100 s, without an answer so far."""
    reply = a_reply(loop)
    reply.model = "qwen2.5"
    reply.started = 100.0
    return reply


def test_a_second_without_an_answer_is_not_worth_a_line(waiting: Reply) -> None:
    assert (waiting_markdown(waiting, 100.9), waiting_line(waiting, 100.9)) == ("", "")


def test_the_terminal_names_the_model_as_it_is_and_markdown_escapes_it(
    waiting: Reply,
) -> None:
    waiting.chunks.append(Chunk(note="1 secret redacted"))
    assert waiting_line(waiting, 102.0) == (
        "1 secret redacted waiting for qwen2.5… 2 s"
    )
    assert waiting_markdown(waiting, 102.0) == (
        "1 secret redacted\n\n*waiting for qwen2&#46;5… 2 s*"
    )


def test_a_long_wait_is_for_the_model_to_load(waiting: Reply) -> None:
    assert waiting_line(waiting, 114.0) == "waiting for the model to load… 14 s"


def test_the_last_words_of_the_reasoning_are_shown_while_the_model_thinks(
    waiting: Reply,
) -> None:
    waiting.first = 103.0
    waiting.chunks.append(Chunk(reasoning="word " * 100 + "*last*"))
    assert waiting_line(waiting, 110.0) == "thinking… 7 s"
    thinking, _, quote = waiting_markdown(waiting, 110.0).partition("\n\n")
    assert thinking == "*thinking… 7 s*"
    assert quote.endswith("&#42;last&#42;")
    assert len(quote) < 300
