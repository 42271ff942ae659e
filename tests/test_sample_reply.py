"""What the answer to the tiny question shows of a server."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from codebuddy_jupyter.doctor import examination as doctor
from codebuddy_jupyter.doctor.sample_reply import MAX_TOKENS
from codebuddy_jupyter.errors import Remedy, ServerError
from codebuddy_jupyter.messages import Chunk, Usage
from tests.support.fakes import FakeProvider, Step
from tests.support.reports import lines, local
from tests.support.scripted_server import (
    Answer,
    ScriptedServer,
    reply,
)

pytestmark = pytest.mark.usefixtures("well_server")


def test_one_tiny_question_is_asked(server: ScriptedServer) -> None:
    lines(local(server.url))
    (asked,) = server.asked()
    assert asked["body"]["max_tokens"] == MAX_TOKENS
    assert len(json.dumps(asked["body"]["messages"])) < 200


HEARD: dict[str, tuple[Sequence[Step], str]] = {
    "max_tokens kept": (
        ["a", Chunk(finish="length")],
        "✓ max_tokens the server respects it",
    ),
    "max_tokens ignored": (
        ["a", Chunk(finish="stop", usage=Usage(9, 60))],
        "- max_tokens the server ignores it: 60 tokens came, 8 were allowed",
    ),
    "a short answer": (
        ["a", Chunk(finish="stop")],
        "- max_tokens not known: the answer ended before 8 tokens",
    ),
    "no usage": (
        ["a", Chunk(finish="stop")],
        "- usage the server counts no tokens; they are estimated",
    ),
    "reasoning": (
        [Chunk(reasoning="Hm."), "a", Chunk(finish="stop")],
        "✓ reasoning the model reasons first; its reasoning is shown separately",
    ),
    "a note": (
        [Chunk(note="It refused stream_options."), "a", Chunk(finish="stop")],
        "- note It refused stream_options.",
    ),
    "an error": (
        [ServerError("It broke.", Remedy("Check the log", "tail log"))],
        "✗ answer It broke",
    ),
    "the error's remedy": (
        [ServerError("It broke.", Remedy("Check the log", "tail log"))],
        "→ Check the log: tail log",
    ),
}


@pytest.mark.parametrize(("steps", "line"), HEARD.values(), ids=HEARD)
def test_the_answer_shows_what_the_server_can(steps: Sequence[Step], line: str) -> None:
    provider = FakeProvider()
    provider.replies = [steps]
    assert line in lines(provider)


def test_a_good_reply_that_goes_on_is_not_waited_for(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "QUESTION_TIMEOUT", 0.3)
    server.script(Answer(pieces=reply("One two three").pieces[:2], end="hang"))
    assert any(
        line.startswith("✓ answer it streams: 2 pieces")
        for line in lines(local(server.url))
    )
