"""The examination of the connection to a local server: which server answers, and what to
do if none does.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from codebuddy_jupyter.providers.local.discovery import Discovery
from tests.support.reports import free_port, lines, local, trouble
from tests.support.scripted_server import (
    CHAT,
    ScriptedServer,
)

pytestmark = pytest.mark.usefixtures("well_server")


def test_an_address_that_had_to_be_asked_for_is_shown_as_it_is_used(
    server: ScriptedServer,
) -> None:
    provider = local(f"{server.root}/somewhere")
    shown = lines(provider)
    assert (
        shown[0]
        == "✓ address http://127.0.0.1:PORT/v1, from http://127.0.0.1:PORT/somewhere"
    )
    assert not trouble(provider)


def test_nothing_that_listens_is_told_with_the_command_that_starts_it() -> None:
    assert trouble(local(f"http://127.0.0.1:{free_port()}/v1")) == [
        "✗ connection nothing answers (connection refused)",
        "→ Start the server there",
    ]


@pytest.mark.parametrize(
    ("port", "remedies"),
    [
        (11434, ["→ Start Ollama: ollama serve"]),
        (1234, ["→ Start LM Studio: lms server start"]),
    ],
)
def test_at_a_usual_port_the_remedy_starts_the_usual_server(
    monkeypatch: pytest.MonkeyPatch, port: int, remedies: list[str]
) -> None:
    async def refuse(*args: Any, **kwargs: Any) -> None:
        raise ConnectionRefusedError(111, "Connect call failed")

    # whether or not one runs on this machine
    monkeypatch.setattr(asyncio, "open_connection", refuse)
    assert trouble(local(f"http://127.0.0.1:{port}/v1"))[1:] == remedies


def test_a_server_that_answers_elsewhere_is_offered(server: ScriptedServer) -> None:
    provider = local(f"http://127.0.0.1:{free_port()}/v1")
    provider.search = Discovery([(server.port, "/v1")], in_container=False)
    there = f"http://localhost:{server.port}/v1"
    assert trouble(provider)[1:] == [
        (
            f"→ Use OpenAI-compatible server, which answers at {there}: %config "
            f'LocalProvider.base_url = "{there}"'
        ),
        "→ Start the server there",
    ]
    assert server.asked(CHAT) == []


def test_inside_a_container_the_machine_around_it_is_named() -> None:
    provider = local(f"http://127.0.0.1:{free_port()}/v1")
    provider.search = Discovery([], in_container=True)
    around = '%config LocalProvider.base_url = "http://host.docker.internal:PORT/v1"'
    assert (
        trouble(provider)[-1]
        == f"→ Since localhost is a container here, use its host machine: {around}"
    )
