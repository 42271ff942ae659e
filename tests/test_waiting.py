"""What a reply waits for before its first token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.errors import Unreachable
from codebuddy_jupyter.messages import Chunk, Reading
from codebuddy_jupyter.providers.base import Provider
from codebuddy_jupyter.question.waiting import FIRST_LOOK, NEXT_LOOK, watched
from tests.support.fakes import FakeProvider, eventually


class Loading(Provider):
    """Says one after the other whether it loads its model, or fails."""

    def __init__(self, *answers: bool | Exception | None) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[str] = []

    async def is_model_loading(self, model: str) -> bool | None:
        self.asked.append(model)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def reply(loop: Loop) -> Reply:
    async def never_asked(reply: Reply) -> AsyncIterator[Chunk]:
        yield Chunk()

    reply = Reply("why?", never_asked, loop)
    reply.provider, reply.model = "Local", "llama3"
    return reply


def looks(reply: Reply, provider: Provider, times: int) -> list[bool | None]:
    """What is known of the model after each look; then the first token comes."""
    known: list[bool | None] = []
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        known.append(reply.loading)
        if len(pauses) > times:
            reply._add(Chunk(text="Hi"))

    async def wait() -> None:
        async with watched(reply, lambda name: provider, pause):
            while reply.first is None:
                await asyncio.sleep(0)

    asyncio.run(wait())
    assert pauses[0] == FIRST_LOOK
    assert set(pauses[1:]) <= {NEXT_LOOK}
    return known[1:]


def test_the_server_is_asked_until_the_first_token(reply: Reply) -> None:
    provider = Loading(None, True, True, False)
    assert looks(reply, provider, 4) == [None, True, True, False]
    assert provider.asked == ["llama3"] * 4


def test_a_server_that_does_not_answer_that_is_asked_again(reply: Reply) -> None:
    assert looks(reply, Loading(Unreachable("Down."), True), 2) == [None, True]


def test_a_model_that_reads_is_not_asked_whether_it_loads(reply: Reply) -> None:
    reply.reading = Reading(10, 20)
    provider = Loading()
    assert looks(reply, provider, 2) == [False, False]
    assert provider.asked == []


def test_before_a_model_is_chosen_nothing_is_asked(reply: Reply) -> None:
    reply.model = ""
    provider = Loading()
    assert looks(reply, provider, 2) == [None, None]
    assert provider.asked == []


def test_a_question_says_how_much_was_sent_and_whether_the_model_loads(
    buddy: Buddy, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_model_loading(model: str) -> bool:
        return model == "fake-1"

    monkeypatch.setattr(fake, "is_model_loading", is_model_loading)
    fake.replies.append([3600.0])
    reply = buddy.ask("why? " * 100).start()
    assert eventually(lambda: reply.loading)
    assert reply.sent_tokens is not None
    assert reply.sent_tokens > 50
    reply.close()
