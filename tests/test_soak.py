"""A thousand questions to a server that does everything wrong: nothing piles up."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import BuddyError, Stopped
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.question.options import Options
from tests.support.faults import FAULTS
from tests.support.scripted_server import (
    MODELS,
    Answer,
    ScriptedServer,
    hang,
    model_list,
    reply,
)

QUESTIONS = 1000
RESTARTS = 20
# a bound for what hangs, not a measure of what is slow
SECONDS = 570.0
# questions after which all that stays has come
WARM = 300
SLOW = ("wait: ", "flood: ", "status: loading", "status: queue")
WRONG = [fault.answer for name, fault in FAULTS.items() if not name.startswith(SLOW)]
STEADY = [hang(), Answer(end="hang"), Answer(tokens=1000, per_second=200)]
"""Answers that go on until they are stopped."""


@dataclass(frozen=True)
class Holdings:
    """What the process holds."""

    threads: int
    sockets: int
    tasks: int
    clients: int
    memory: int

    @classmethod
    def of(cls, buddy: Buddy, provider: LocalProvider) -> Holdings:
        """Count, once what is ending has ended."""
        tasks, me = buddy.loop.run(_tasks()), psutil.Process()
        gc.collect()
        sockets = len(me.net_connections(kind="all"))
        return cls(
            threading.active_count(),
            sockets,
            tasks,
            len(provider._clients),
            me.memory_info().rss,
        )


async def _tasks() -> int:
    await asyncio.sleep(0.2)
    return len(asyncio.all_tasks())


@pytest.fixture
def buddy(tmp_path: Path) -> Iterator[Buddy]:
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json")
    yield buddy
    buddy.close()


def ask(buddy: Buddy, server: ScriptedServer, dice: random.Random) -> str:
    """One question; gives how it ended."""
    kind = dice.random()
    stop = kind < 0.25
    steady = stop and dice.random() < 0.7
    server.script(
        dice.choice(STEADY)
        if steady
        else dice.choice(WRONG)
        if kind < 0.5
        else reply("Well.")
    )
    answer = buddy.ask("hello", Options(model="llama3", new=True))
    try:
        if stop:
            answer.start()
            time.sleep(dice.random() * 0.01)
            answer.close()
        answer.result()
    except (BuddyError, Stopped) as error:
        return type(error).__name__
    return "whole"


@pytest.mark.timeout(SECONDS + 30)
def test_a_thousand_questions_with_faults_stops_and_restarts_leave_nothing_behind(
    buddy: Buddy,
) -> None:
    dice, server, ended = random.Random(1), ScriptedServer().__enter__(), set()
    server.script(model_list("llama3", meta={"n_ctx": 4096}), path=MODELS)
    provider = buddy.provider_named("Local")
    assert isinstance(provider, LocalProvider)
    provider.change(
        {
            "base_url": server.url,
            "first_token_timeout": 30.0,
            "next_token_timeout": 30.0,
        }
    )
    end, early = time.monotonic() + SECONDS, None
    for number in range(QUESTIONS):
        if number and number % (QUESTIONS // RESTARTS) == 0:
            port = server.port
            server.__exit__()
            server = ScriptedServer(port=port).__enter__()
            server.script(model_list("llama3", meta={"n_ctx": 4096}), path=MODELS)
        if number == WARM:
            early = Holdings.of(buddy, provider)
        ended.add(ask(buddy, server, dice))
        assert time.monotonic() < end, f"only {number} questions in {SECONDS} s"
    late = Holdings.of(buddy, provider)
    server.__exit__()
    assert ended >= {
        "whole",
        "Stopped",
        "CutOff",
        "NoReply",
        "ServerError",
        "PromptTooLong",
        "KeyRefused",
    }
    assert early is not None
    assert late.threads <= early.threads + 2
    assert late.tasks <= early.tasks + 2
    assert late.clients <= 1
    assert late.sockets <= early.sockets + 6
    assert late.memory <= early.memory + 30e6
