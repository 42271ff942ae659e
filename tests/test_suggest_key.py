"""Completion of code in a terminal, by a key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from codebuddy_jupyter import errors
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.completion.completer import Completer
from codebuddy_jupyter.ipython.suggest_key import OFF, SuggestKey
from tests.support.fakes import FOREVER, FakeProvider

SECONDS = 30.0
KEY, ACCEPT, ENTER = "\x1b\\", "\x05", "\r"


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    """The keys that are pressed."""
    with create_pipe_input() as keys:
        yield keys


@pytest.fixture
def session(keys: PipeInput) -> PromptSession[str]:
    """A prompt as the terminal has it."""
    return PromptSession(input=keys, output=DummyOutput())


@pytest.fixture
def key(session: PromptSession[str], buddy: Buddy) -> SuggestKey:
    """The key, with a model that completes code."""
    buddy.completion_model = "Local/coder"
    completer = Completer(buddy)
    return SuggestKey(session, lambda: completer)


def typed(session: PromptSession[str], user: Any) -> str:
    """What is typed in the end, where ``user`` acts beside the prompt."""

    async def prompt() -> str:
        acting = asyncio.create_task(user())
        text = await asyncio.wait_for(session.prompt_async("In: "), SECONDS)
        await acting
        return text

    return asyncio.run(prompt())


async def until(holds: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


def suggestion(session: PromptSession[str]) -> str:
    found = session.default_buffer.suggestion
    return found.text if found is not None else ""


def test_the_key_suggests_and_another_accepts(
    session: PromptSession[str], keys: PipeInput, key: SuggestKey, fake: FakeProvider
) -> None:
    fake.writes = [["he", "ad()\n"]]

    async def user() -> None:
        keys.send_text(f"df.{KEY}")
        await until(lambda: suggestion(session) == "head()")
        keys.send_text(f"{ACCEPT}{ENTER}")

    assert typed(session, user) == "df.head()"


def test_the_next_key_ends_the_request(
    session: PromptSession[str], keys: PipeInput, key: SuggestKey, fake: FakeProvider
) -> None:
    fake.writes = [["he", FOREVER]]

    async def user() -> None:
        keys.send_text(f"df.{KEY}")
        await until(lambda: suggestion(session) == "he")
        keys.send_text("x")
        await until(fake.ended.is_set)
        assert suggestion(session) == ""
        keys.send_text(ENTER)

    assert typed(session, user) == "df.x"


def test_it_says_why_there_is_no_suggestion(
    session: PromptSession[str],
    keys: PipeInput,
    key: SuggestKey,
    buddy: Buddy,
    fake: FakeProvider,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake.writes = [[errors.NoInfill("coder cannot do that.")]]
    shown = ""

    def has_shown(text: str) -> bool:
        nonlocal shown
        shown += capsys.readouterr().out
        return text in shown

    async def user() -> None:
        keys.send_text(f"df.{KEY}")
        await until(lambda: has_shown("buddy: coder cannot do that."))
        buddy.completion_model = ""
        keys.send_text(KEY)
        await until(lambda: has_shown(OFF))
        keys.send_text(ENTER)

    assert typed(session, user) == "df."


def test_inside_of_the_text_nothing_is_asked(
    session: PromptSession[str], keys: PipeInput, key: SuggestKey, fake: FakeProvider
) -> None:
    async def user() -> None:
        keys.send_text(f"df.x\x02{KEY}{ENTER}")

    assert typed(session, user) == "df.x"
    assert fake.infills == []


def test_removing_it_gives_the_keys_back(session: PromptSession[str]) -> None:
    earlier = session.key_bindings
    key = SuggestKey(session, lambda: pytest.fail("nobody pressed it"))
    assert session.key_bindings is not earlier
    key.remove()
    assert session.key_bindings is earlier
    other = SuggestKey(session, lambda: pytest.fail("nobody pressed it"))
    taken = session.key_bindings = None
    other.remove()
    assert session.key_bindings is taken
