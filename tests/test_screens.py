"""How a reply is shown in a cell and in a terminal."""

from __future__ import annotations

import io

import pytest

from codebuddy_jupyter.display.screens import Display, Terminal, follow
from codebuddy_jupyter.errors import CutOff
from codebuddy_jupyter.loop import Loop
from tests.support.replies import a_reply
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
