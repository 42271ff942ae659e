"""The functions of ``import codebuddy_jupyter as buddy``."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import codebuddy_jupyter
from codebuddy_jupyter import api
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.messages import Request
from tests.support.fakes import FakeProvider, Step, texts


@pytest.fixture
def asked(shell: Any, buddy: Buddy) -> Buddy:
    """The Buddy that the functions of the package find: that of the loaded extension."""

    class Loaded:
        pass

    shell.codebuddy = Loaded()
    shell.codebuddy.buddy = buddy
    return buddy


def test_ask_gives_a_reply_of_the_extensions_buddy(
    asked: Buddy, fake: FakeProvider
) -> None:
    options = {
        "model": "mine",
        "system": "s",
        "temperature": 0.5,
        "max_tokens": 9,
        "extra": {"seed": 1},
    }
    reply = api.ask("why?", format="text", new=True, provider="local", **options)  # type: ignore[arg-type]
    assert fake.requests == []
    assert str(reply) == "An answer."
    assert (reply.format, fake.requests[0].model, fake.requests[0].max_tokens) == (
        "text",
        "mine",
        9,
    )
    with pytest.raises(SettingError, match="There is no format"):
        api.ask("why?", format="yaml")


def test_a_question_from_python_stands_alone(asked: Buddy, fake: FakeProvider) -> None:
    changes: list[int] = []
    asked.ask("1?").result()
    chat = asked.chat
    asked.watchers.append(lambda: changes.append(1))
    for new in (False, True):
        api.ask("alone?", new=new).result()
        assert texts(fake.requests[-1])[1:] == [("user", "alone?")]
    assert asked.chat is chat
    assert [turn.question for turn in chat.turns] == ["1?"]
    assert changes == []
    asked.ask("2?").result()
    assert [text for _, text in texts(fake.requests[-1])[1:]] == [
        "1?",
        "An answer.",
        "2?",
    ]


def test_a_question_from_python_may_be_part_of_the_conversation(
    asked: Buddy, fake: FakeProvider
) -> None:
    asked.ask("1?").result()
    api.ask("2?", remember=True).result()
    assert [text for _, text in texts(fake.requests[-1])[1:]] == [
        "1?",
        "An answer.",
        "2?",
    ]
    api.ask("3?", remember=True, new=True).result()
    assert [turn.question for turn in asked.chat.turns] == ["3?"]


@pytest.mark.parametrize(
    ("context", "is_sent"),
    [(None, False), ("none", False), ("auto", True), ("cells", True)],
)
def test_a_question_from_python_sends_the_notebook_only_if_told_to(
    shell: Any, asked: Buddy, fake: FakeProvider, context: str | None, is_sent: bool
) -> None:
    asked.collector.session = Session(shell)
    asked.collector.session.listen()
    shell.run_cell("total = 41 + 1", store_history=True)
    for _ in range(2):
        if context is None:
            api.ask("why?").result()
        else:
            api.ask("why?", context=context).result()
        assert ("41 + 1" in texts(fake.requests[-1])[-1][1]) == is_sent
        assert len(fake.requests[-1].messages) == 2
    asked.collector.session.leave()


def echo(request: Request) -> list[Step]:
    """Answer slowly with the question."""
    question = request.messages[-1].text
    return [0.01, f"{question} ", 0.01, question]


def test_threads_that_ask_at_once_get_their_own_answers(
    asked: Buddy, fake: FakeProvider
) -> None:
    fake.answer = echo
    questions = [f"question {number}" for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda question: str(api.ask(question)), questions))
    assert replies == [f"{question} {question}" for question in questions]
    assert [len(request.messages) for request in fake.requests] == [2] * 24
    assert asked.chat.turns == []


def test_coroutines_that_ask_at_once_get_their_own_answers(
    asked: Buddy, fake: FakeProvider
) -> None:
    fake.answer = echo
    questions = [f"question {number}" for number in range(24)]

    async def ask_all() -> list[Reply]:
        return await asyncio.gather(*[api.aask(question) for question in questions])

    replies = asyncio.run(ask_all())
    expected = [f"{question} {question}" for question in questions]
    assert [reply.text for reply in replies] == expected
    assert [len(request.messages) for request in fake.requests] == [2] * 24
    assert asked.chat.turns == []


def test_aask_awaits_the_whole_reply(asked: Buddy) -> None:
    async def ask() -> Reply:
        return await codebuddy_jupyter.aask("why?", temperature=0)

    assert asyncio.run(ask()).text == "An answer."


def test_save_from_python_gives_the_file(asked: Buddy) -> None:
    asked.offline = True
    assert api.save() == asked.saved.path
    assert asked.saved.load() == ({"Buddy": {"offline": True}}, "")


def test_asking_loads_the_extension_where_that_has_not_been_done(shell: Any) -> None:
    reply = codebuddy_jupyter.ask("why?")
    assert not reply.done
    assert "buddy" in shell.magics_manager.magics["cell"]
    shell.run_line_magic("unload_ext", "codebuddy_jupyter")


def test_without_a_shell_there_is_one_buddy_per_process() -> None:
    api._plain_buddy.cache_clear()
    first, second = api.ask("1?"), api.ask("2?")
    assert first._loop is second._loop
    api._plain_buddy.cache_clear()


def test_a_question_can_ask_for_a_value(asked: Buddy, fake: FakeProvider) -> None:
    fake.replies = [('{"name": "Ada", "age": 36}',), ("yes",)]
    person = api.ask("Who?", into="name, age int").value
    assert (person.name, person.age) == ("Ada", 36)

    async def ask() -> object:
        return (await api.aask("Late?", into=bool)).value

    assert asyncio.run(ask()) is True
    with pytest.raises(SettingError, match="cannot be the form"):
        api.ask("Who?", into=print)
