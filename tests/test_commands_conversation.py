"""The commands about the conversation."""

from __future__ import annotations

from codebuddy_jupyter.buddy import Buddy
from tests.support.command_line import run_line
from tests.support.fakes import FakeProvider


def test_reset_starts_a_new_conversation(buddy: Buddy, fake: FakeProvider) -> None:
    assert (
        run_line(buddy, "/reset")
        == "Started a new conversation; the previous one had 0 turns."
    )
    buddy.ask("1?").result()
    assert (
        run_line(buddy, "/reset")
        == "Started a new conversation; the previous one had 1 turn."
    )
    buddy.ask("2?").result()
    assert len(fake.requests[-1].messages) == 2
