"""The discovery of servers that run: which are recognised, where it looks, and what it
offers.
"""

from __future__ import annotations

import asyncio
import importlib.util
import socket

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.providers.kinds import KINDS
from codebuddy_jupyter.providers.local.discovery import SECONDS, Discovery, name_of
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.kinds import PLAYED, Played
from tests.support.scripted_server import MODELS, ScriptedServer, as_json, hang, plain

# seconds, also on a busy machine
ENOUGH = 10.0

OLLAMA = {
    "/": plain("Ollama is running"),
    "/api/version": as_json({"version": "0.12.3"}),
}


@pytest.fixture(autouse=True)
def nothing_is_slow_to_begin() -> None:
    """Import what a look needs, which a kernel has done by then."""
    LocalProvider().warm()


def search(
    *servers: ScriptedServer,
    inside: bool = False,
    offline: bool = False,
    seconds: float = ENOUGH,
    engine: bool = False,
) -> Discovery:
    return Discovery(
        [(server.port, "/v1") for server in servers],
        inside,
        offline,
        seconds,
        has_engine=engine,
    )


def found(looked: Discovery, silent: str = "") -> list[tuple[str, str]]:
    return [(name_of(one), one.url) for one in asyncio.run(looked.find(silent))]


def url(server: ScriptedServer) -> str:
    return f"http://localhost:{server.port}/v1"


def as_ollama(server: ScriptedServer) -> None:
    for path, answer in OLLAMA.items():
        server.script(answer, path=path)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_server_is_known_by_what_it_answers(server: ScriptedServer) -> None:
    as_ollama(server)
    assert found(search(server)) == [("Ollama 0.12.3", url(server))]


@pytest.mark.parametrize("played", PLAYED.values(), ids=PLAYED)
def test_a_server_of_every_kind_is_found(
    server: ScriptedServer, played: Played
) -> None:
    played.on(server)
    looked = Discovery([(server.port, played.base)], False, seconds=ENOUGH)
    name = f"{played.name} {played.version}".strip()
    assert found(looked) == [(name, f"http://localhost:{server.port}{played.base}")]


def test_one_that_nobody_knows_counts_when_it_lists_models(
    server: ScriptedServer,
) -> None:
    assert found(search(server)) == [("OpenAI-compatible server", url(server))]


@pytest.mark.parametrize(
    "answer",
    [
        plain("<html><title>Jupyter Server</title></html>", "text/html"),
        as_json({"error": "who are you?"}, 401),
        as_json({"models": "none"}),
        plain("", status=500),
        plain("", status=302, Location="http://elsewhere.example/"),
    ],
    ids=["web page", "shut door", "other JSON", "failing", "redirect"],
)
def test_what_is_no_model_server_is_not_found(
    server: ScriptedServer, answer: object
) -> None:
    server.script(answer, path=MODELS)  # type: ignore[arg-type]
    assert found(search(server)) == []


def test_all_are_looked_at_side_by_side_and_told_in_their_order(
    server: ScriptedServer,
) -> None:
    with ScriptedServer() as other, ScriptedServer() as silent:
        silent.script(hang(), path=MODELS)
        as_ollama(other)
        # As long as a busy machine needs: the silent one is waited for.
        look = search(silent, server, other, seconds=8)
        names = [name for name, _ in found(look)]
    assert names == ["OpenAI-compatible server", "Ollama 0.12.3"]


def test_a_server_that_says_nothing_is_not_waited_for(server: ScriptedServer) -> None:
    server.script(hang(), path=MODELS)
    assert found(search(server, seconds=SECONDS)) == []


def test_the_one_that_was_asked_already_is_not_asked_again(
    server: ScriptedServer,
) -> None:
    assert found(search(server), silent=f"http://127.0.0.1:{server.port}/v1") == []
    assert server.requests == []


def test_a_key_is_shown_to_nobody(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_API_KEY", "sk-mine")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    found(search(server))
    assert server.requests
    assert "sk-" not in str([record["headers"] for record in server.requests])


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0:{}",
        "http://127.0.0.1:{}",
        ":{}",
        "localhost:{}/",
        " http://localhost:{}/ ",
    ],
)
@pytest.mark.parametrize("variable", ["OLLAMA_HOST", "LMSTUDIO_HOST"])
def test_the_address_that_a_server_goes_by_is_looked_at(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, host: str, variable: str
) -> None:
    monkeypatch.setenv(variable, host.format(server.port))
    assert [name for name, _ in found(search())] == ["OpenAI-compatible server"]


@pytest.mark.parametrize(
    ("value", "looked_at"),
    [
        ("gpu.lan", "http://gpu.lan:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("https://gpu.lan/ollama", "https://gpu.lan/ollama"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("not a host", None),
        ("ftp://gpu.lan", None),
    ],
)
def test_an_address_in_the_environment_is_read_as_its_program_reads_it(
    monkeypatch: pytest.MonkeyPatch, value: str, looked_at: str | None
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", value)
    assert search().urls() == ([looked_at] if looked_at else [])


def test_the_usual_ports_are_those_of_the_kinds() -> None:
    expected = {
        f"http://localhost:{port}{kind.path}" for kind in KINDS for port in kind.ports
    }
    assert set(Discovery(in_container=False).urls()) == expected
    assert "http://localhost:12434/engines/v1" in expected


def test_inside_a_container_the_machine_around_it_is_looked_at() -> None:
    looked = Discovery([(1234, "/v1")], in_container=True)
    assert looked.urls() == [
        "http://localhost:1234/v1",
        "http://host.docker.internal:1234/v1",
    ]


def test_offline_nothing_beyond_loopback_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "gpu.lan")
    looked = Discovery([(1234, "/v1")], in_container=True, offline=True)
    assert looked.urls() == ["http://localhost:1234/v1"]


# What the first failed request makes of it


def refusing(looked: Discovery) -> tuple[LocalProvider, errors.Unreachable]:
    provider = LocalProvider(base_url=f"http://localhost:{free_port()}")
    provider.search = looked
    with pytest.raises(errors.Unreachable) as caught:
        asyncio.run(provider.models())
    return provider, caught.value


def advised(looked: Discovery) -> str:
    provider, error = refusing(looked)
    return str(asyncio.run(provider.instead(error))).replace(provider.url, "URL")


def test_a_server_that_answers_elsewhere_is_offered(server: ScriptedServer) -> None:
    as_ollama(server)
    assert advised(search(server)) == (
        "Nothing answers at URL (connection refused). Use Ollama 0.12.3, which "
        f"answers at {url(server)}: "
        f'%config LocalProvider.base_url = "{url(server)}"'
    )


def test_two_that_answer_are_both_offered(server: ScriptedServer) -> None:
    with ScriptedServer() as other:
        told = advised(search(server, other))
        assert (
            told.index(url(server))
            < told.index("; or use OpenAI-compatible server")
            < told.index(url(other))
        )


def test_a_version_cannot_break_the_line(server: ScriptedServer) -> None:
    as_ollama(server)
    server.script(as_json({"version": "1\n\x1b[31m" + "9" * 500}), path="/api/version")
    told = advised(search(server))
    assert told.isprintable()
    assert len(told) < 400


def test_where_none_answers_the_line_stays_as_it_is() -> None:
    provider, error = refusing(search())
    assert str(asyncio.run(provider.instead(error))) == str(error)


def test_where_none_answers_the_embedded_engine_is_offered_if_it_is_installed() -> None:
    told = advised(search(engine=True))
    first = "Use the embedded engine instead: %buddy /use embedded; or start the server"
    assert f". {first}" in told
    other_machine = "http://192.168.1.5:11434/v1"
    assert search(engine=True).engine_remedies(other_machine) == ()
    is_installed = importlib.util.find_spec("xllamacpp") is not None
    unasked = Discovery([]).engine_remedies("http://localhost:1/v1")
    assert bool(unasked) is is_installed


def test_where_a_server_answers_the_engine_is_not_offered(
    server: ScriptedServer,
) -> None:
    assert "embedded" not in advised(search(server, engine=True))


def test_inside_a_container_it_is_said_what_localhost_is() -> None:
    told = advised(search(inside=True))
    assert (
        "; or since localhost is a container here, use its host machine: "
        "%config LocalProvider.base_url = "
    ) in told
    assert "http://host.docker.internal:" in told
    assert "Start the server there" in told


def test_what_is_offered_is_never_taken_by_itself(server: ScriptedServer) -> None:
    provider, error = refusing(search(server))
    asyncio.run(provider.instead(error))
    assert provider.where() not in (url(server), server.url)


def test_a_server_that_is_there_but_not_well_is_no_reason_to_look_elsewhere(
    server: ScriptedServer,
) -> None:
    provider = LocalProvider(base_url=f"http://127.0.0.1:{free_port()}")
    provider.search = search(server)
    error = errors.Unreachable("It took the request and was silent.")
    assert asyncio.run(provider.instead(error)) is error
    assert server.requests == []
