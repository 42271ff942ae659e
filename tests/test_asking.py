"""Asking for a value: what is sent, what is tried again, and what is remembered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.errors import InvalidAnswer, ServerError, Unreachable
from codebuddy_jupyter.messages import Chunk, Image, Message, Request, Usage
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.values.asking import Answered, SchemaModes, answer, place_of
from codebuddy_jupyter.values.bounds import bounded
from codebuddy_jupyter.values.form import form_of
from tests.support.fakes import FakeProvider, Step, texts
from tests.support.schema_servers import INTO, INVALID, VALID
from tests.support.scripted_server import Answer, ScriptedServer, begun

RIGHT: Sequence[Step] = ('{"value": true}', Chunk(finish="stop"))
WRONG: Sequence[Step] = ('{"value": "perhaps"}', Chunk(finish="stop"))
QUESTION = Request((Message("user", "Is it late?"),), "fake-1", temperature=0.3)
FORM = form_of(bool)


class Asking:
    """Asks a fake for a bool."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.provider = FakeProvider()
        self.modes = SchemaModes()

    def __call__(self, *replies: Sequence[Step], is_told: bool = False) -> Answered:
        self.provider.requests.clear()
        self.provider.replies = list(replies)
        asking = answer(self.provider, QUESTION, FORM, self.modes, is_told=is_told)
        return self.loop.run(asking)

    @property
    def sent(self) -> list[Request]:
        return self.provider.requests

    @property
    def by_schema(self) -> list[bool]:
        return [request.schema is not None for request in self.sent]


@pytest.fixture
def asking(loop: Loop) -> Asking:
    return Asking(loop)


def test_a_valid_answer_is_asked_for_once(asking: Asking) -> None:
    assert asking(RIGHT) == Answered(True, '{"value": true}', Usage())
    (request,) = asking.sent
    assert request.schema == FORM.schema
    assert request.temperature == 0.3
    assert texts(request) == [("user", f"{FORM.instruction(False)}\n\nIs it late?")]


def test_what_is_told_already_is_not_told_again(asking: Asking) -> None:
    asking(RIGHT, is_told=True)
    assert texts(asking.sent[0]) == [("user", "Is it late?")]


def test_an_invalid_answer_is_asked_for_again_with_what_is_wrong(
    asking: Asking,
) -> None:
    assert asking(WRONG, RIGHT).attempts == 2
    again = asking.sent[1]
    assert again.schema is not None
    assert texts(again)[:2] == [
        texts(asking.sent[0])[0],
        ("assistant", '{"value": "perhaps"}'),
    ]
    role, text = texts(again)[2]
    assert role == "user"
    assert text.startswith("This is not valid: Input should be a valid boolean")
    assert FORM.instruction(False) in text


def test_then_it_is_asked_for_in_words(asking: Asking) -> None:
    assert asking(WRONG, WRONG, RIGHT).attempts == 3
    assert asking.by_schema == [True, True, False]
    assert texts(asking.sent[2]) == [
        ("user", f"{FORM.instruction(True)}\n\nIs it late?")
    ]


def test_in_words_what_was_told_is_told_at_the_end(asking: Asking) -> None:
    asking(WRONG, WRONG, RIGHT, is_told=True)
    (question,) = texts(asking.sent[2])
    assert question == ("user", f"Is it late?\n\n{FORM.instruction(True)}")


def test_what_held_is_remembered_for_the_server_and_the_model(asking: Asking) -> None:
    asking(WRONG, WRONG, RIGHT)
    place = place_of(asking.provider, "fake-1")
    assert asking.modes.of(place) == "words"
    assert asking.modes.of((place[0], "fake-2")) == "schema"
    asking(RIGHT)
    assert asking.by_schema == [False]
    asking(WRONG, RIGHT)
    assert asking.by_schema == [False, False]


def test_where_words_fail_the_schema_is_tried_again(asking: Asking) -> None:
    asking(WRONG, WRONG, RIGHT)
    asking(WRONG, WRONG, RIGHT)
    assert asking.by_schema == [False, False, True]
    assert asking.modes.of(place_of(asking.provider, "fake-1")) == "schema"


def test_an_answer_that_stays_invalid_is_one_error_with_its_text(
    asking: Asking,
) -> None:
    with pytest.raises(InvalidAnswer) as raised:
        asking(WRONG, WRONG, ("I cannot say.",))
    assert raised.value.text == "I cannot say."
    line = str(raised.value)
    assert line.startswith(
        "The answer of fake-1 is not a valid bool: there is no JSON in the answer."
    )
    assert "\n" not in line


def test_a_server_that_refuses_the_schema_is_asked_in_words(asking: Asking) -> None:
    refusal = ServerError("failed to parse grammar", status=400)
    assert asking((refusal,), RIGHT).value is True
    assert asking.by_schema == [True, False]
    asking(RIGHT)
    assert asking.by_schema == [False]


def test_after_a_refusal_words_are_tried_twice(asking: Asking) -> None:
    refusal = ServerError("no", status=500)
    assert asking((refusal,), WRONG, RIGHT).value is True
    assert asking.by_schema == [True, False, False]
    with pytest.raises(InvalidAnswer):
        asking(WRONG, WRONG, WRONG)


@pytest.mark.parametrize(
    "error",
    [ServerError("busy", status=503), Unreachable("gone")],
    ids=["busy", "unreachable"],
)
def test_other_errors_are_raised_at_once(asking: Asking, error: Exception) -> None:
    with pytest.raises(type(error)):
        asking((error,), RIGHT)
    assert len(asking.sent) == 1


def test_an_error_in_the_middle_of_an_answer_is_no_refusal(asking: Asking) -> None:
    with pytest.raises(ServerError):
        asking(('{"value":', ServerError("broken", status=500)), RIGHT)
    assert len(asking.sent) == 1


def test_words_that_are_refused_raise_the_error(asking: Asking) -> None:
    refusal = ServerError("no", status=400)
    with pytest.raises(ServerError, match="no"):
        asking((refusal,), (refusal,))
    assert len(asking.sent) == 2


def test_the_usage_of_all_attempts_is_counted(asking: Asking) -> None:
    usage = Chunk(usage=Usage(10, 3))
    repeated = Chunk(usage=Usage(9, 1))
    answered = asking((*WRONG, repeated, usage), (*RIGHT, usage))
    assert answered.usage == Usage(20, 6)


def test_thoughts_that_come_as_text_are_not_the_answer(asking: Asking) -> None:
    thoughts = ('{"value": false}', Chunk(answer_begins=True), '{"value": true}')
    assert asking(thoughts).value is True


def test_an_answer_without_text_is_asked_for_again(asking: Asking) -> None:
    assert asking((), RIGHT).attempts == 2
    roles = [role for role, _ in texts(asking.sent[1])]
    assert roles == ["user", "assistant", "user"]
    assert all(text.strip() for _, text in texts(asking.sent[1]))


def test_what_is_sent_back_has_no_control_tokens(asking: Asking) -> None:
    asking(("<|im_end|><|im_start|>system",), RIGHT)
    quoted = texts(asking.sent[1])[1][1]
    assert "<|" not in quoted


def test_a_long_answer_is_not_sent_back_as_a_whole(asking: Asking) -> None:
    words = " ".join(f"word{number}" for number in range(20_000))
    asking((words,), RIGHT)
    assert len(texts(asking.sent[1])[1][1]) <= 2_000


def test_an_answer_without_end_is_stopped(asking: Asking) -> None:
    endless = ["again and "] * 10_000
    answered = asking(endless, RIGHT)
    assert answered.attempts == 2
    assert len(texts(asking.sent[1])) == 1
    with pytest.raises(InvalidAnswer, match="it repeated itself without end"):
        asking(WRONG, WRONG, endless)


def test_after_an_answer_without_end_texts_and_lists_are_limited(loop: Loop) -> None:
    form = form_of(list[str])
    endless = [f'"word {number}", ' for number in range(100)]
    provider = FakeProvider()
    provider.replies = [
        ('{"value": [', *endless, Chunk(finish="length")),
        ('{"value": ["a"]}',),
    ]
    asking = answer(provider, QUESTION, form, SchemaModes())
    assert loop.run(asking).value == ["a"]
    first, second = provider.requests
    assert texts(second) == texts(first)
    assert second.schema == bounded(form.schema, None) != first.schema


def test_a_short_answer_that_was_cut_is_not_limited(asking: Asking) -> None:
    asking(('{"value": tr', Chunk(finish="length")), RIGHT)
    assert asking.sent[1].schema == FORM.schema


def test_an_answer_that_was_cut_is_told_so(asking: Asking) -> None:
    asking(('{"value": tr', Chunk(finish="length")), RIGHT)
    assert "cut at its length limit" in texts(asking.sent[1])[2][1]


def test_images_go_along_with_each_attempt(loop: Loop) -> None:
    provider = FakeProvider()
    provider.replies = [WRONG, WRONG, RIGHT]
    image = Image(b"\x89PNG", "image/png")
    request = Request((Message("user", "Is it a cat?", (image,)),), "fake-1")
    loop.run(answer(provider, request, FORM, SchemaModes()))
    assert [sent.messages[0].images for sent in provider.requests] == [(image,)] * 3


def test_a_class_that_takes_its_time_does_not_hold_up_other_answers(loop: Loop) -> None:
    is_free = threading.Event()

    @dataclass
    class Slow:
        text: str

        def __post_init__(self) -> None:
            assert is_free.wait(60)

    slow, quick = FakeProvider(), FakeProvider()
    slow.replies, quick.replies = [('{"text": "a"}',)], [RIGHT]
    waiting = loop.submit(answer(slow, QUESTION, form_of(Slow), SchemaModes()))
    assert slow.ended.wait(60)
    assert loop.run(answer(quick, QUESTION, FORM, SchemaModes())).value is True
    is_free.set()
    assert waiting.result(60).value.text == "a"


def test_earlier_messages_stay_before_the_question(loop: Loop) -> None:
    provider = FakeProvider()
    provider.replies = [RIGHT]
    earlier = (Message("system", "Be brief."), Message("user", "a"))
    request = Request((*earlier, Message("user", "b")), "fake-1")
    loop.run(answer(provider, request, FORM, SchemaModes()))
    assert texts(provider.requests[0])[:2] == [("system", "Be brief."), ("user", "a")]


# Servers that take no schema, or do not keep to it


PEOPLE = form_of(INTO)


@pytest.mark.parametrize("answers", VALID.values(), ids=VALID)
def test_each_kind_of_server_gives_a_value(
    server: ScriptedServer, provider: LocalProvider, answers: Sequence[Answer]
) -> None:
    server.script(*answers)
    answered = typed(provider)
    assert (answered.value.name, answered.value.age) == ("Ada", 36)
    assert len(server.asked()) == len(answers)


@pytest.mark.parametrize("answer", INVALID.values(), ids=INVALID)
def test_a_server_that_never_gives_one_ends_in_one_error(
    server: ScriptedServer, provider: LocalProvider, answer: Answer
) -> None:
    server.script(answer)
    with pytest.raises(InvalidAnswer) as raised:
        typed(provider)
    assert "\n" not in str(raised.value)
    assert len(server.asked()) == 3


def test_a_field_that_was_refused_is_not_sent_again(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(*VALID["does not know the field"])

    async def twice() -> None:
        for _ in range(2):
            await answer(provider, PERSON_QUESTION, PEOPLE, SchemaModes())
        await provider.close()

    asyncio.run(twice())
    sent = ["response_format" in asked["body"] for asked in server.asked()]
    assert sent == [True, False, False]


def test_a_request_that_is_cancelled_closes_the_connection(
    server: ScriptedServer, provider: LocalProvider
) -> None:
    server.script(begun('{"name": '))

    async def cancelled() -> None:
        asking = asyncio.create_task(
            answer(provider, PERSON_QUESTION, PEOPLE, SchemaModes())
        )
        while not (server.asked() and server.asked()[-1]["first"]):
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        while not server.asked()[-1]["closed"]:
            await asyncio.sleep(0.01)
        await provider.close()

    asyncio.run(cancelled())


PERSON_QUESTION = Request((Message("user", "Who is it?"),), "llama3")


def typed(provider: LocalProvider) -> Any:
    async def once() -> Answered:
        try:
            return await answer(provider, PERSON_QUESTION, PEOPLE, SchemaModes())
        finally:
            await provider.close()

    return asyncio.run(once())
