"""The Buddy: who is asked, what is sent, and what is refused before anything is."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from traitlets import TraitError
from traitlets.config import Config

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import Stopped
from codebuddy_jupyter.question.options import Options
from tests.support.fakes import FOREVER, FakeProvider, buddy_with_fakes, fake_of

# seconds
ENOUGH = 30.0


def test_the_provider_setting_takes_a_name_in_any_case_and_no_other(
    buddy: Buddy,
) -> None:
    buddy.provider = "OPENAI"
    assert buddy.provider == "OpenAI"
    buddy.provider = "ollama"
    assert buddy.provider == "Local"
    with pytest.raises(TraitError, match="Did you mean OpenAI"):
        buddy.provider = "openia"
    assert buddy.provider == "Local"


def test_a_reply_tells_who_answered(buddy: Buddy) -> None:
    reply = buddy.ask("hello", Options(model="openai/gpt-4o")).result()
    assert (reply.provider, reply.model) == ("OpenAI", "gpt-4o")


def test_offline_is_told_to_the_provider_before_each_request(
    buddy: Buddy, fake: FakeProvider
) -> None:
    for offline in (False, True, False):
        buddy.offline = offline
        buddy.ask("hello").result()
    assert fake.offline_then == [False, True, False]


# Its end


def test_closing_stops_what_is_asked(tmp_path: Path) -> None:
    buddy = buddy_with_fakes(tmp_path / "codebuddy.json")
    fake = fake_of(buddy)
    fake.replies = [["one ", FOREVER]]
    reply = buddy.ask("1?").start()
    assert reply.wait(ENOUGH, beyond=0)
    buddy.close()
    assert fake.ended.wait(ENOUGH)
    assert isinstance(reply.error, Stopped)
    assert reply.text == "one "


def test_a_provider_that_fails_to_close_does_not_keep_the_others_open(
    buddy: Buddy, fake: FakeProvider
) -> None:
    closed = threading.Event()

    async def fail() -> None:
        raise OSError("too late")

    async def note() -> None:
        await asyncio.sleep(0)
        closed.set()

    fake.close = fail  # type: ignore[method-assign]
    fake_of(buddy, "OpenAI").close = note  # type: ignore[method-assign]
    buddy.close()
    assert closed.is_set()


def test_warming_a_provider_that_cannot_be_made_is_no_error(
    buddy: Buddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_PROVIDER", "nobody")
    buddy.warm()


def test_it_is_configured_as_any_configurable(tmp_path: Path) -> None:
    config = Config({"Buddy": {"provider": "openai"}, "FakeCloud": {"model": "mine"}})
    buddy = buddy_with_fakes(tmp_path / "codebuddy.json", config=config)
    reply = buddy.ask("1?").result()
    assert (reply.provider, reply.model) == ("OpenAI", "mine")
    assert (buddy.origin("provider"), fake_of(buddy, "OpenAI").origin("model")) == (
        "ipython_config.py",
    ) * 2
    buddy.close()


def test_closing_stops_a_question_that_stands_alone(tmp_path: Path) -> None:
    buddy = buddy_with_fakes(tmp_path / "codebuddy.json")
    fake_of(buddy).replies = [["one ", FOREVER]]
    reply = buddy.ask("1?", Options(remember=False)).start()
    assert reply.wait(ENOUGH, beyond=0)
    buddy.close()
    assert isinstance(reply.error, Stopped)
