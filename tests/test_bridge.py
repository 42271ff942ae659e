"""``codebuddy mcp``: lines of an agent that reach the served notebook."""

from __future__ import annotations

import http.server
import io
import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.cli import bridge
from codebuddy_jupyter.cli.bridge import Bridge, find_server, run_bridge
from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.tools.server.address_file import (
    Address,
    addresses,
    write_address,
)
from codebuddy_jupyter.tools.server.listener import loopback_socket
from codebuddy_jupyter.tools.server.notebook_server import server_of
from tests.support.mcp_clients import address_in

INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "agent", "version": "3"},
}


def line(method: str, id: int | None = 1, **params: Any) -> bytes:
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if id is not None:
        message["id"] = id
    return json.dumps(message).encode()


def answered(*lines: bytes) -> list[Mapping[str, Any]]:
    written = io.BytesIO()
    run_bridge(Bridge(), io.BytesIO(b"\n".join(lines) + b"\n"), written)
    return [json.loads(answer) for answer in written.getvalue().splitlines()]


def test_an_agent_can_do_all_of_it(buddy: Buddy) -> None:
    running = server_of(buddy).start(share_values=False)
    first, tools, called = answered(
        line("initialize", 1, **INITIALIZE),
        line("notifications/initialized", None),
        b"",
        line("tools/list", 2),
        line("tools/call", 3, name="context", arguments={"question": "é?"}),
    )
    assert first["result"]["protocolVersion"] == "2025-06-18"
    names = [tool["name"] for tool in tools["result"]["tools"]]
    assert {"variable", "error", "context"} <= set(names)
    (content,) = called["result"]["content"]
    assert content["text"] == "There is nothing in the notebook."
    assert called["id"] == 3
    clients = [client.name for client in running.visits.clients]
    assert clients == ["agent 3"]


def test_it_finds_the_server_again_after_a_restart(buddy: Buddy) -> None:
    server = server_of(buddy)
    server.start(share_values=False)
    passing = Bridge()
    assert "result" in json.loads(passing.answer(line("tools/list")))
    server.start(share_values=False)
    assert "result" in json.loads(passing.answer(line("tools/list")))
    server.stop()
    failed = json.loads(passing.answer(line("tools/list", 5)))
    assert failed["id"] == 5
    assert failed["error"]["message"] == (
        "No notebook is served. In the notebook, type: %buddy /serve"
    )
    server.start(share_values=False)
    assert "result" in json.loads(passing.answer(line("tools/list")))


def test_what_is_no_message_is_an_error(buddy: Buddy) -> None:
    server_of(buddy).start(share_values=False)
    for bad in (b"{", b"[]", b"\xff", b"[" * 100_000, b'{"jsonrpc":"2.0","id":1}'):
        (answer,) = answered(bad)
        assert "error" in answer
    assert answered(b" ", line("notifications/cancelled", None, requestId=1)) == []


def test_a_notification_gets_no_answer_even_if_nobody_serves() -> None:
    assert answered(line("notifications/initialized", None)) == []


def test_the_file_of_a_dead_server_is_deleted() -> None:
    with loopback_socket() as listening:
        port = listening.getsockname()[1]
    write_address(Address(port, "key"))
    with pytest.raises(SettingError, match="No notebook is served"):
        find_server()
    assert list(addresses()) == []


@contextmanager
def impostor() -> Iterator[tuple[int, list[str]]]:
    """Another program at the port of a server that has died; what it was sent."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            seen.append(f"{self.command} {self.headers['authorization']}")
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, seen
        finally:
            server.shutdown()
            thread.join()


def test_another_program_at_the_port_gets_neither_key_nor_question() -> None:
    with impostor() as (port, seen):
        write_address(Address(port, "the-key"))
        (answer,) = answered(line("tools/call", name="error"))
    assert "No notebook is served" in answer["error"]["message"]
    assert len(seen) == 1
    assert "the-key" not in seen[0]


def test_a_notebook_can_be_chosen_by_its_name(buddy: Buddy) -> None:
    running = server_of(buddy).start(share_values=False)
    real = address_in(running.file)
    named = Address(real.port, real.key, "sales.ipynb", 1.0)
    write_address(named)
    assert find_server("/home/ann/sales.ipynb") == named
    assert find_server() == real
    with pytest.raises(
        SettingError,
        match=r"other.ipynb is not served, but a notebook without a file, sales.ipynb",
    ):
        find_server("other.ipynb")


def test_the_folder_can_be_named(buddy: Buddy, monkeypatch: pytest.MonkeyPatch) -> None:
    running = server_of(buddy).start(share_values=False)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(running.file.parent / "other"))
    with pytest.raises(SettingError, match="No notebook is served"):
        find_server()
    passing = Bridge(folder=running.file.parent)
    assert "result" in json.loads(passing.answer(line("tools/list")))


def test_a_request_that_is_broken_off_is_sent_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrived: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            arrived.append(self.request.recv(65_536))

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        address = Address(server.server_address[1], "key")
        monkeypatch.setattr(bridge, "find_server", lambda *place: address)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        answer = json.loads(Bridge().answer(line("tools/call", name="propose_cell")))
        server.shutdown()
        thread.join()
    assert "error" in answer
    assert len(arrived) == 1
