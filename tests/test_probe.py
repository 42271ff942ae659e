"""Probes: short requests that find out what a server offers, and never raise for what
it answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import pytest

from codebuddy_jupyter.providers.http.probe import (
    NO_ANSWER,
    Probe,
    ProbeAnswer,
    probing,
)
from codebuddy_jupyter.providers.http.transport import Access
from codebuddy_jupyter.settings.keys import Key
from tests.support.scripted_server import (
    Answer,
    ScriptedServer,
    as_json,
    hang,
    plain,
)

T = TypeVar("T")
MODELS = "/v1/models"
PULL = "/api/pull"


def with_probe(
    where: str | Access,
    use: Callable[[Probe], Awaitable[T]],
    seconds: float = 3.0,
) -> T:
    async def once() -> T:
        async with probing(where, seconds) as probe:
            return await use(probe)

    return asyncio.run(once())


def test_each_url_is_requested_once(server: ScriptedServer) -> None:
    async def get_twice(probe: Probe) -> list[ProbeAnswer]:
        url = f"{server.url}/models"
        both = await asyncio.gather(probe.get(url), probe.get(url))
        return [*both, await probe.get(url)]

    first, second, third = with_probe(server.url, get_twice)
    assert first.status == 200
    assert first is second is third
    assert len(server.asked(MODELS)) == 1


def test_an_uncached_request_is_sent_each_time(server: ScriptedServer) -> None:
    async def get_twice(probe: Probe) -> None:
        await probe.get_uncached(f"{server.url}/models")
        await probe.get_uncached(f"{server.url}/models")

    with_probe(server.url, get_twice)
    assert len(server.asked(MODELS)) == 2


def test_a_silent_server_gives_no_answer(server: ScriptedServer) -> None:
    server.script(hang(), path=MODELS)

    async def get(probe: Probe) -> tuple[ProbeAnswer, ProbeAnswer | None, bool]:
        url = f"{server.url}/models"
        answer = await probe.get(url)
        return answer, await probe.try_get(url), probe.missed_answer

    assert with_probe(server.url, get, 0.2) == (NO_ANSWER, None, True)


def test_an_error_response_is_an_answer(server: ScriptedServer) -> None:
    server.script(as_json({"error": "no", "data": [{"id": "a"}]}, 500), path=MODELS)

    async def get(probe: Probe) -> tuple[ProbeAnswer, bool]:
        return await probe.get(f"{server.url}/models"), probe.missed_answer

    answer, missed = with_probe(server.url, get)
    assert answer.status == 500
    assert answer.mentions("no")
    assert answer.fields == {}
    assert answer.list_of("data") is None
    assert not missed


@pytest.mark.parametrize(
    ("body", "entries"),
    [
        ({"data": [{"id": "a"}, "b", None]}, [{"id": "a"}, {}, {}]),
        ({"data": {"id": "a"}}, None),
        ([{"id": "a"}], None),
        ("data", None),
    ],
    ids=["a list of anything", "an object", "a bare list", "a text"],
)
def test_a_list_is_read_only_where_there_is_one(
    body: Any, entries: list[Mapping[str, Any]] | None
) -> None:
    assert ProbeAnswer(200, {}, body).list_of("data") == entries


def test_the_key_is_sent_to_its_host_only(server: ScriptedServer) -> None:
    async def get_both(probe: Probe) -> None:
        await probe.get(f"{server.url}/models")
        await probe.get(f"{other.url}/models")

    with ScriptedServer() as other:
        with_probe(Access(server.url, Key("sk-very-secret")), get_both)
        assert "sk-very-secret" not in str(other.requests)
    (asked,) = server.asked(MODELS)
    assert asked["headers"]["authorization"] == "Bearer sk-very-secret"


LINES: dict[str, tuple[Answer, list[Mapping[str, Any]]]] = {
    "objects": (
        plain('{"status": "a"}\n\n{"status": "b"}\n'),
        [{"status": "a"}, {"status": "b"}],
    ),
    "no line break at the end": (plain('{"status": "a"}'), [{"status": "a"}]),
    "no object": (plain("not JSON\n[1]\n"), [{"error": "not JSON"}, {"error": [1]}]),
    "an error response": (
        as_json({"error": "no space"}, 507),
        [{"error": {"error": "no space"}, "status": 507}],
    ),
}


@pytest.mark.parametrize(("answer", "objects"), LINES.values(), ids=LINES)
def test_lines_are_read_as_objects(
    server: ScriptedServer, answer: Answer, objects: list[Mapping[str, Any]]
) -> None:
    server.script(answer, path=PULL)

    async def read(probe: Probe) -> list[Mapping[str, Any]]:
        url = f"{probe.native_url}{PULL}"
        return [line async for line in probe.lines(url, {"model": "a"})]

    assert with_probe(server.url, read) == objects
    assert server.asked(PULL)[0]["body"] == {"model": "a"}


def test_lines_that_break_off_are_an_error(server: ScriptedServer) -> None:
    server.script(Answer(pieces=[(0.0, b'{"status": "a"}\n')], end="drop"), path=PULL)

    async def read(probe: Probe) -> None:
        async for _ in probe.lines(f"{probe.native_url}{PULL}", {}):
            pass

    with pytest.raises(ConnectionError):
        with_probe(server.url, read)
