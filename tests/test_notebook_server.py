"""The server of a notebook: who is let in, and that nothing is left of it in the end."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from mcp import Client

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import ExtraMissing, SettingError
from codebuddy_jupyter.tools.server import notebook_server
from codebuddy_jupyter.tools.server.address_file import Address, addresses, folder
from codebuddy_jupyter.tools.server.guard import LARGEST_BODY
from codebuddy_jupyter.tools.server.listener import LARGEST_HEAD
from codebuddy_jupyter.tools.server.notebook_server import (
    NotebookServer,
    Running,
    server_of,
)
from codebuddy_jupyter.tools.server.offers import ERROR, OUTLINE
from tests.support.fakes import buddy_with_fakes, eventually
from tests.support.mcp_clients import (
    address_in,
    called,
    head,
    request,
    sent,
    with_client,
)
from tests.support.secrets_planted import PLANTED, Planted
from tests.support.sessions import forget_outputs, run

CALL = {
    "jsonrpc": "2.0",
    "id": 7,
    "method": "tools/call",
    "params": {"name": "context", "arguments": {"question": "which frames?"}},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buddy]:
    """A Buddy that is served; the attacks do not change it."""
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("JUPYTER_RUNTIME_DIR", str(folder))
        buddy = buddy_with_fakes(folder / "codebuddy.json")
        server_of(buddy).start(share_values=False)
    yield buddy
    buddy.close()


def running_of(buddy: Buddy) -> Running:
    running = server_of(buddy).running
    assert running is not None
    return running


def address_of(buddy: Buddy) -> Address:
    return address_in(running_of(buddy).file)


# --- attacks --------------------------------------------------------------------------

Attack = Callable[[Address], bytes]


def by_headers(**changed: str | None) -> Attack:
    return lambda address: request(head(address, **changed), CALL)


def by_key(key: str) -> Attack:
    return by_headers(authorization=f"Bearer {key}")


def by_body(body: bytes, **changed: str | None) -> Attack:
    return lambda address: request(head(address, **changed), body)


def by_line(method: str, target: str) -> Attack:
    return lambda address: request(head(address), CALL, method, target)


def without_last(address: Address) -> bytes:
    return request(head(replace(address, key=address.key[:-1])), CALL)


def twice(name: str, value: str) -> Attack:
    def attack(address: Address) -> bytes:
        data = request(head(address), CALL)
        line, _, rest = data.partition(b"\r\n")
        return b"\r\n".join([line, f"{name}: {value}".encode(), rest])

    return attack


def rebound(address: Address) -> bytes:
    """As a browser sends it whose page has let its own name point here."""
    host = f"evil.example:{address.port}"
    return request(head(address, host=host, origin=f"http://{host}"), CALL)


def smuggled(address: Address) -> bytes:
    """A second request in the body of one that is refused."""
    return request(head(address, authorization=None), request(head(address), CALL))


ATTACKS: dict[str, Attack] = {
    "no key": by_headers(authorization=None),
    "an empty key": by_key(""),
    "a wrong key": by_key("x" * 43),
    "a key that is too short": without_last,
    "None as the key": by_key("None"),
    "the key as a password": by_headers(authorization="Basic Og=="),
    "the key in the address": by_line("POST", "/mcp?key=x"),
    "a session without a key": by_headers(authorization=None, mcp_session_id="abc"),
    "two keys": twice("authorization", "Bearer wrong"),
    "a proof in place of a key": by_headers(authorization="Proof n:0"),
    "a page elsewhere": by_headers(origin="https://evil.example"),
    "a page of this machine": by_headers(origin="http://localhost:8888"),
    "a sandboxed page": by_headers(origin="null"),
    "a file as a page": by_headers(origin="file://"),
    "another host": by_headers(host="evil.example"),
    "rebinding": rebound,
    "a name that begins like loopback": by_headers(host="127.0.0.1.evil.example"),
    "another port": by_headers(host="127.0.0.1:1"),
    "two hosts": twice("host", "evil.example"),
    "a form, as pages send without asking": by_headers(content_type="text/plain"),
    "a preflight": by_line("OPTIONS", "/mcp"),
    "a stream": by_line("GET", "/mcp"),
    "the end of a session": by_line("DELETE", "/mcp"),
    "another path": by_line("POST", "/../mcp"),
    "a proxy's request": by_line("POST", "http://evil.example/mcp"),
    "a long body": by_body(b" " * (LARGEST_BODY + 1)),
    "a length that is a lie": by_body(b"{}", content_length=str(10**12)),
    "a long head": by_headers(x_long="x" * 3 * LARGEST_HEAD),
    "no HTTP": lambda address: b"\x00" * 100 + b"\r\n\r\n",
    "half a request": lambda address: request(head(address), CALL)[:40] + b"\r\n\r\n",
    "a request in a request": smuggled,
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_no_attack_is_let_in(shared: Buddy, attack: Attack) -> None:
    visits = running_of(shared).visits
    before = len(visits.asked)
    status, body = sent(running_of(shared).port, attack(address_of(shared)))
    assert status in (0, 400, 401, 403, 404, 405, 413, 415, 421, 431)
    assert b"result" not in body
    assert len(visits.asked) == before


MALFORMED = {
    "nothing": b"",
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "no message": b"[]",
    "nested": b"[" * 100_000,
    "a long number": b'{"jsonrpc":"2.0","id":' + b"1" * 10_000 + b',"method":"ping"}',
    "no method": b'{"jsonrpc":"2.0","id":1}',
    "another protocol": b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}',
    "a batch": json.dumps([CALL, CALL]).encode(),
    "no parameters": b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
    "parameters of another type": b'{"jsonrpc":"2.0","id":1,"method":"tools/call",'
    b'"params":{"name":{"a":1},"arguments":[1]}}',
    "an unknown method": b'{"jsonrpc":"2.0","id":1,"method":"kernel/execute"}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_with_the_key_is_an_error(
    shared: Buddy, body: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    address = address_of(shared)
    _, answer = sent(address.port, request(head(address), body))
    assert b'"result"' not in answer
    # What libraries write would stand in a cell.
    assert "".join(capfd.readouterr()) == ""
    # The server goes on.
    assert (
        called(address, "context", question="?") == "There is nothing in the notebook."
    )


@pytest.mark.parametrize("name", ["execute", "", "../error", "__class__", "x" * 10_000])
def test_a_tool_that_does_not_exist_is_an_error(shared: Buddy, name: str) -> None:
    assert "There is no tool" in called(address_of(shared), name)


# --- its life -------------------------------------------------------------------------


def answers(address: Address) -> bool:
    with socket.socket() as connection:
        if connection.connect_ex(("127.0.0.1", address.port)) != 0:
            return False
    return sent(address.port, request(head(address)))[0] == 200


def test_each_start_has_a_port_and_a_key_of_its_own(buddy: Buddy) -> None:
    server = server_of(buddy)
    first = address_in(server.start(share_values=False).file)
    assert answers(first)
    second = address_in(server.start(share_values=True).file)
    assert first.key != second.key
    assert len(first.key) >= 43
    assert not answers(first)
    assert answers(second)
    # A recorded request is worth nothing at another server.
    replayed = request(head(replace(second, key=first.key)), CALL)
    assert sent(second.port, replayed)[0] == 401
    assert len(list(addresses())) == 1


def test_nothing_is_left_of_a_stopped_server(buddy: Buddy) -> None:
    server = server_of(buddy)
    assert not server.stop()
    address = address_in(server.start(share_values=False).file)
    assert server.stop()
    assert server.running is None
    assert not answers(address)
    assert list(folder().iterdir()) == []
    assert not server.stop()


def test_it_ends_with_its_buddy(buddy: Buddy) -> None:
    server = server_of(buddy)
    address = address_in(server.start(share_values=False).file)
    buddy.close()
    assert eventually(lambda: not answers(address))
    assert server.running is None
    assert list(addresses()) == []


def test_a_start_that_fails_leaves_nothing(
    buddy: Buddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder().parent.mkdir(exist_ok=True)
    folder().write_text("a file in place of the folder")
    with pytest.raises(SettingError, match="cannot be written"):
        server_of(buddy).start(share_values=False)
    assert server_of(buddy).running is None

    def no_socket() -> socket.socket:
        raise OSError("none left")

    monkeypatch.setattr(notebook_server, "loopback_socket", no_socket)
    with pytest.raises(SettingError, match=r"No port is free.*none left"):
        server_of(buddy).start(share_values=False)


@pytest.mark.parametrize(
    ("version", "line"),
    [
        (None, "Serving needs the package mcp. Install it: "),
        ("1.28.1", "Serving needs version 2 of mcp, not 1.28.1. Install it: "),
        ("", "Serving needs version 2 of mcp, not . Install it: "),
    ],
)
def test_without_the_package_it_says_what_to_install(
    buddy: Buddy, monkeypatch: pytest.MonkeyPatch, version: str | None, line: str
) -> None:
    def installed(name: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    with pytest.raises(ExtraMissing) as error:
        server_of(buddy).start(share_values=False)
    assert str(error.value).startswith(line)
    assert list(addresses()) == []


def test_an_sdk_that_cannot_be_imported_is_told_by_the_status(
    buddy: Buddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, notebook_server.ENDPOINT, None)
    server = server_of(buddy)
    # Its file may already be gone.
    port = server.start(share_values=False).port
    assert eventually(lambda: server.running is None)
    assert server.problem.startswith("ModuleNotFoundError: ")
    with socket.socket() as connection:
        assert connection.connect_ex(("127.0.0.1", port)) != 0
    assert list(addresses()) == []


def test_nothing_of_it_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, codebuddy_jupyter.commands\n"
        "print([name for name in ('mcp', 'h11', 'starlette') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_no_server(buddy: Buddy) -> None:
    server = server_of(buddy)
    running = server.start(share_values=False)
    server._running = replace(running, process=running.process + 1)
    assert server.running is None
    server._running = running
    assert server.running is running


def test_a_buddy_has_one_server(buddy: Buddy) -> None:
    assert server_of(buddy) is server_of(buddy)
    assert isinstance(buddy.server, NotebookServer)


def message(method: str, **params: Any) -> Mapping[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def test_it_notes_who_asks_what_and_who_is_not_let_in(buddy: Buddy) -> None:
    running = server_of(buddy).start(share_values=False)
    address = address_in(running.file)
    data = request({**head(address), "user-agent": "probe"}, message("tools/list"))
    assert sent(address.port, data)[0] == 200
    called(address, "context", question="which frames?")
    sent(address.port, request(head(address, authorization=None)))
    visits = running.visits
    assert visits.clients[0].name == "probe"
    assert visits.asked[-1].what == 'context {"question": "which frames?"}'
    assert visits.refused == 1


def test_who_shows_it_is_told_who_reads_the_notebook(buddy: Buddy) -> None:
    lines: list[str] = []
    buddy.served.watchers.append(lambda: lines.append(buddy.served.line))
    running = server_of(buddy).start(share_values=False)
    assert lines == ["Agents can read this notebook: none has connected yet"]
    called(address_in(running.file), "context", question="which frames?")
    assert "asked last" in lines[-1]
    assert lines[-1].endswith(': context {"question": "which frames?"}')
    server_of(buddy).start(share_values=True)
    assert lines[-2:] == [
        "",
        "Agents can read this notebook, with values: none has connected yet",
    ]
    server_of(buddy).stop()
    assert lines[-1] == buddy.served.line == ""


# How many secrets are planted, of all formats.
MOST_PLANTED = 30


@pytest.fixture
def planted(
    shell: InteractiveShell,
    buddy: Buddy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[list[Planted]]:
    """Secrets in the variables, cells, outputs, files and the error of a notebook."""
    monkeypatch.chdir(tmp_path)
    step = len(PLANTED) // MOST_PLANTED
    chosen = PLANTED[::step][:MOST_PLANTED]
    texts = [one.text for one in chosen]
    Path("notes.md").write_text("\n\n".join(texts), encoding="utf-8")
    Path("data.csv").write_text(f"{texts[0]}\n" * 3, encoding="utf-8")
    forget_outputs(shell)
    buddy.collector.session = session = Session(shell)
    session.listen()
    run("import pandas as pd")
    for number, text in enumerate(texts):
        run(f"planted_{number} = {text!r}")
    names = ", ".join([f"planted_{number}" for number in range(len(texts))])
    run(f"print({names})")
    run(f"frame = pd.DataFrame({{'planted': [{names}]}})")
    run("raise ValueError(planted_0 + planted_1)")
    yield chosen
    session.leave()


@pytest.mark.parametrize("share_values", [False, True])
def test_of_thirty_secrets_none_goes_over_the_wire(
    buddy: Buddy, planted: list[Planted], share_values: bool
) -> None:
    """Not by any tool or resource, and not by the line that the panel shows."""
    assert len(planted) == MOST_PLANTED
    # For agents, secrets are redacted whatever the settings say.
    buddy.redact_secrets = False
    running = server_of(buddy).start(share_values=share_values)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("error", {}),
        ("search_cells", {"text": "planted"}),
        ("columns_like", {"text": "planted"}),
        ("file_head", {"path": "notes.md"}),
        ("file_head", {"path": "data.csv"}),
        ("variable", {"name": "frame"}),
    ]
    for number, one in enumerate(planted):
        name = f"planted_{number}"
        calls += [
            ("variable", {"name": name}),
            ("cell", {"number": number + 2}),
            ("context", {"question": f"what is {name}?", "tokens": 8_000}),
            ("search_cells", {"text": one.text[:12]}),
        ]
        if share_values:
            calls.append(("variable", {"name": name, "part": "head"}))
    lines: list[str] = []
    buddy.served.watchers.append(lambda: lines.append(buddy.served.line))

    async def use(client: Client) -> str:
        told = []
        for tool, arguments in calls:
            result = await client.call_tool(tool, arguments)
            told += [part.text for part in result.content if part.type == "text"]
        for uri in (OUTLINE, ERROR):
            read = await client.read_resource(uri)
            told += [str(content) for content in read.contents]
        return "\n".join(told)

    told = with_client(address_in(running.file), use)
    # Something was told, and of all of it.
    assert "planted_29" in told
    assert len(told) > 5_000
    everything = "\n".join([told, *lines])
    assert [one.name for one in planted if one.secret in everything] == []
