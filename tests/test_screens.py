"""How a reply is shown in a cell and in a terminal."""

from __future__ import annotations

import io
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import codebuddy_jupyter
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.display.screens import (
    BlockByBlock,
    Display,
    Terminal,
    follow,
)
from codebuddy_jupyter.display.status import THOUGHTS_ABOVE
from codebuddy_jupyter.errors import CutOff
from codebuddy_jupyter.markdown.safe import escape
from codebuddy_jupyter.messages import Chunk
from tests.support.replies import Step, a_reply
from tests.support.shells import a_shell


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


FRONT_ENDS: dict[str, tuple[dict[str, Any], bool]] = {
    "JupyterLab": ({"cell_id": "a1b2", "message_id": "f1c0_7_1"}, True),
    "Notebook 6": ({"message_id": "0a1B2c3d4e5f60718293a4b5c6d7e8f9"}, True),
    "an editor": ({"message_id": "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"}, True),
    "a console": ({"message_id": "3ea0f008-c67871a52b4b18fc8dae1712_65_0"}, False),
    "an old console": ({"message_id": "3ea0f008-c67871a52b4b18fc8dae1712"}, False),
    "unknown": ({}, False),
}


@pytest.mark.parametrize(("front_end", "grows"), FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_an_answer_grows_among_other_outputs_where_updates_are_applied(
    loop: Loop, front_end: dict[str, Any], grows: bool
) -> None:
    shell = a_shell("print(1)\n%buddy why?", **front_end)
    reply = a_reply(loop, "Hello.\n\n", 0.3, "And more.")
    Display(shell).show(reply)
    kinds = [kind for kind, _, _ in shell.display_pub.sent]
    assert kinds[0] == "display"
    assert ("update" in kinds) == grows
    assert shell.display_pub.sent[-1][1]["text/plain"].startswith("Hello.\n\nAnd")


@pytest.mark.parametrize(
    "code", ["%%buddy\nwhy?", "print(1)\n%buddy why?"], ids=["alone", "among others"]
)
def test_an_output_keeps_its_metadata_while_it_grows(loop: Loop, code: str) -> None:
    # With other metadata, VS Code replaces all outputs of the cell.
    shell = a_shell(code, cell_id="a1b2")
    reply = a_reply(loop, Chunk(reasoning="Hm."), 0.3, "First.\n\n", 0.3, "Second.")
    Display(shell).show(reply)
    shown = [sent for sent in shell.display_pub.sent if sent[0] != "clear"]
    *growing, last = [metadata for _, _, metadata in shown]
    assert {"codebuddy": {"complete": False}} in growing
    assert all(metadata == growing[0] for metadata in growing)
    assert last["codebuddy"]["complete"]


CALLS = {
    "of the package": ("buddy.ask('why?', model=model, format='code')", True),
    "with code of the user's": ("buddy.ask(question())", False),
    "of another function": ("buddy.aask('why?')", False),
    "of another object": ("other.ask('why?')", False),
    "below other code": ("1\nbuddy.ask('why?')", False),
    "too long": (f"buddy.ask('{'why? ' * 9_000}')", False),
    "broken": ("buddy.ask('why?", False),
}


@pytest.mark.parametrize(("code", "is_cleared"), CALLS.values(), ids=CALLS)
def test_only_a_cell_that_is_a_single_call_is_cleared(
    loop: Loop, code: str, is_cleared: bool
) -> None:
    shell = a_shell(code)
    shell.user_ns["buddy"] = codebuddy_jupyter
    Display(shell).show(a_reply(loop, "Hello."))
    kinds = [kind for kind, _, _ in shell.display_pub.sent]
    assert ("clear" in kinds) == is_cleared


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


def test_what_renders_in_terminals_is_imported_only_there() -> None:
    code = (
        "import sys\n"
        "from codebuddy_jupyter.display.screens import Display\n"
        "Display().text('| a |\\n|---|\\n')\n"
        "assert not [name for name in sys.modules if name.startswith('rich')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)


def test_no_escape_sequence_of_a_name_reaches_plain_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A model's name stands in tables of the package, as entities."""
    markdown = f"| {escape('llama' + chr(0x1B) + '[2J' + chr(0x9B) + '1m')} &#27;[31m |"
    shell = a_shell("%buddy /models")
    Display(shell).text(markdown)
    progress = Display(shell).progress()
    progress("loading \x1b[2Jllama\r", 0, 0)
    Display().text(markdown)
    shown = [data["text/plain"] for _, data, _ in shell.display_pub.sent if data]
    assert len(shown) == 2
    written = "".join(shown) + capsys.readouterr().out
    assert not set(written) & set("\x1b\x9b\r")


THOUGHTS = [Chunk("Okay.\n\nSo\nbe it."), Chunk(answer_begins=True), Chunk("Yes.")]


@pytest.mark.parametrize(
    "code", ["%%buddy\nwhy?", "print(1)\n%buddy why?"], ids=["alone", "with others"]
)
def test_shown_text_that_was_reasoning_is_folded(loop: Loop, code: str) -> None:
    shell = a_shell(code)
    Display(shell).show(a_reply(loop, *THOUGHTS))
    data = shell.display_pub.sent[-1][1]
    assert data["text/plain"].startswith("Yes.\n\nllama3")
    assert data["text/markdown"].startswith("<details><summary>Thoughts before")


def test_a_cell_takes_back_blocks_that_were_reasoning(
    loop: Loop,
) -> None:
    shell = a_shell("%%buddy\nwhy?")
    screen = BlockByBlock(a_reply(loop), shell)
    for chunk in THOUGHTS:
        screen.drawing.reply._add(chunk)
        screen.drawing.draw(screen.put)
    kinds = [kind for kind, _, _ in shell.display_pub.sent]
    shown = [data.get("text/markdown") for _, data, _ in shell.display_pub.sent]
    cleared = kinds.index("clear")
    assert "Okay.\n\n" in shown[:cleared]
    assert shown[-1] == "Yes."
    assert "Okay.\n\n" not in shown[cleared:]


def test_a_terminal_says_which_text_was_reasoning(loop: Loop) -> None:
    stream = io.StringIO()
    screen = Terminal(a_reply(loop), stream)
    for chunk in THOUGHTS:
        screen.drawing.reply._add(chunk)
        screen.drawing.draw(screen.put)
    assert stream.getvalue() == f"Okay.\n\nSo\nbe it.\n\n{THOUGHTS_ABOVE}\n\nYes."


# Values


def typed_reply(loop: Loop, *steps: Step) -> Reply:
    """A reply whose value is that of JSON with the number 5, which comes late."""
    reply = a_reply(loop, *steps, '{"value": 5}', format="json")
    reply.is_typed = True
    reply.settle(5)
    return reply


class Formatter:
    """Formats values as a shell does."""

    data: ClassVar[dict[str, str]] = {"text/plain": "5", "text/html": "<b>5</b>"}

    def format(self, value: object) -> tuple[dict[str, str], dict[str, str]]:
        return self.data, {"of": "the value"}


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ("%%buddy --into x int\nwhy?", ["clear", "display"]),
        ("1\n%buddy --into x int why?", ["display"]),
    ],
    ids=["alone", "among others"],
)
def test_the_value_of_a_reply_is_shown_in_place_of_its_json(
    loop: Loop, code: str, kinds: list[str]
) -> None:
    shell = a_shell(code, cell_id="a1b2")
    shell.display_formatter = Formatter()
    Display(shell).show_value(typed_reply(loop))
    sent = shell.display_pub.sent
    assert [kind for kind, _, _ in sent] == kinds
    assert sent[-1][1] == Formatter.data
    assert sent[-1][2]["of"] == "the value"
    assert sent[-1][2]["codebuddy"]["model"] == "llama3"


def test_what_was_waited_for_gives_way_to_the_value(loop: Loop) -> None:
    shell = a_shell("1\n%buddy --into x int why?", cell_id="a1b2")
    shell.display_formatter = Formatter()
    Display(shell).show_value(typed_reply(loop, Chunk(note="busy"), 0.5))
    *kinds, note = [kind for kind, _, _ in shell.display_pub.sent]
    assert (kinds[0], kinds[-1], note) == ("display", "update", "display")
    assert shell.display_pub.sent[-2][1] == Formatter.data
    assert shell.display_pub.sent[-1][1]["text/plain"] == "busy"
    assert '"value"' not in str(shell.display_pub.sent)


def test_a_value_that_shows_itself_leaves_nothing_else(loop: Loop) -> None:
    shell = a_shell("1\n%buddy --into x int why?", allow_stdin=False)
    shell.display_formatter = Formatter()
    shell.display_formatter.data = {}
    Display(shell).show_value(typed_reply(loop))
    assert shell.display_pub.sent == []


def test_a_value_without_a_shell_is_written(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    Display().show_value(typed_reply(loop))
    assert capsys.readouterr().out == "5\n"


def test_a_typed_reply_that_fails_writes_nothing(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CutOff):
        Display().show_value(typed_reply(loop, CutOff("The reply was cut off.")))
    assert capsys.readouterr().out == ""


CAN_ADD = {
    "alone": ("%buddy -f code load a.csv", True),
    "a cell": ("%%buddy -f code\nload a.csv\n%buddy is a name", True),
    "below code": ("import os\n%buddy -f code load a.csv", True),
    "a cell below code": ("import os\n%%buddy -f code\nload a.csv", True),
    "two questions": ("%buddy -f code a\n%buddy -f code b", False),
    "in a loop": ("for i in x:\n    %buddy -f code {i}", False),
    "assigned": ("x = %buddy -f code a", False),
    "a function": ("ask()", False),
}


@pytest.mark.parametrize(("code", "can"), CAN_ADD.values(), ids=CAN_ADD)
def test_one_question_of_a_cell_can_add_a_cell(code: str, can: bool) -> None:
    assert Display(a_shell(code)).can_add_cell() is can


def test_nobody_who_watches_means_no_new_cell() -> None:
    shell = a_shell("%buddy -f code a", allow_stdin=False)
    assert not Display(shell).can_add_cell()


def test_a_captured_question_adds_no_cell() -> None:
    shell = a_shell("%%buddy -f code a")
    shell.display_pub.outputs = []
    assert not Display(shell).can_add_cell()


@pytest.mark.parametrize("has_prompt", [False, True])
def test_a_terminal_takes_the_text_if_its_prompt_can_hold_one(has_prompt: bool) -> None:
    shell = SimpleNamespace(pt_app=object() if has_prompt else None)
    assert Display(shell).can_add_cell() is has_prompt
    assert not Display(None).can_add_cell()


def test_code_that_has_become_a_cell_is_no_longer_shown(loop: Loop) -> None:
    shell = a_shell("%%buddy -f code\nload")
    reply = a_reply(loop, "```python\nx = 1\n```", format="code")
    Display(shell).show_moved(reply, lambda reply: "It is below.")
    _, data, metadata = shell.display_pub.sent[-1]
    assert data["text/markdown"].startswith("<small>It is below.<br>llama3 · ")
    assert "x = 1" not in data["text/markdown"]
    assert data["text/plain"] == "x = 1"
    assert metadata["codebuddy"]["complete"]


def test_code_that_has_become_no_cell_is_shown(loop: Loop) -> None:
    shell = a_shell("%%buddy -f code\nload")
    reply = a_reply(loop, "```python\nx = 1\n```", format="code")
    Display(shell).show_moved(reply, lambda reply: "")
    assert "x = 1" in shell.display_pub.sent[-1][1]["text/markdown"]
