"""Who has asked what, as the user sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codebuddy_jupyter.tools.server.exchange import (
    CLIENT_INFO,
    Head,
    client_of,
    message_of,
)
from codebuddy_jupyter.tools.server.visits import (
    LONGEST_NAME,
    LONGEST_QUESTION,
    LONGEST_READ,
    MOST_ASKED,
    MOST_CLIENTS,
    UNNAMED,
    Visits,
)


def noted(visits: Visits, method: str, agent: str = "", **params: Any) -> None:
    """Note a request of a program that calls itself this in its headers."""
    headers = (("user-agent", agent),) if agent else ()
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    visits.note(Head("POST", "/mcp", headers), body.encode())


def kept(text: str) -> str:
    return text


def test_a_client_is_called_as_it_calls_itself() -> None:
    visits = Visits(kept)
    noted(visits, "initialize", "node", clientInfo={"name": "claude", "version": "2.1"})
    noted(visits, "tools/list", "node")
    noted(visits, "tools/list", "python-httpx2/2")
    meta = {CLIENT_INFO: {"name": "gemini"}}
    noted(visits, "tools/list", "undici", _meta=meta)
    noted(visits, "ping")
    clients = [(client.name, client.requests) for client in visits.clients]
    expected = [("claude 2.1", 2), ("python-httpx2/2", 1), ("gemini", 1), (UNNAMED, 1)]
    assert clients == expected


def test_calls_and_resources_are_told_with_what_they_ask_for() -> None:
    visits = Visits(lambda text: text.replace("hunter2", "[redacted]"))
    noted(visits, "tools/call", "a", name="variable", arguments={"name": "df"})
    noted(visits, "tools/call", "a", name="error")
    noted(visits, "resources/read", "a", uri="notebook://outline")
    noted(visits, "tools/call", "a", name="search_cells", arguments={"text": "hunter2"})
    noted(visits, "ping", "a")
    assert [asked.what for asked in visits.asked] == [
        'variable {"name": "df"}',
        "error",
        "notebook://outline",
        'search_cells {"text": "[redacted]"}',
    ]


def test_what_is_kept_is_bounded_and_shows_no_control_characters() -> None:
    visits = Visits(kept)
    for number in range(100):
        noted(visits, "tools/call", f"agent {number}", name="x" * 1_000)
    noted(visits, "tools/call", "\x1b[31mred\r\n" + "y" * 1_000, name="\x1b[2J\nerror")
    assert len(visits.clients) == MOST_CLIENTS
    assert len(visits.asked) == MOST_ASKED
    assert visits.asked[-1].what == "[2J error"
    assert visits.clients[-1].name.startswith("[31mred y")
    longest = max(len(asked.what) for asked in visits.asked)
    assert longest == LONGEST_QUESTION
    assert max(len(client.name) for client in visits.clients) <= LONGEST_NAME


def test_only_so_many_programs_that_call_themselves_the_same_are_known() -> None:
    visits = Visits(kept)
    for number in range(MOST_CLIENTS + 1):
        noted(
            visits, "tools/list", f"agent {number}", _meta={CLIENT_INFO: {"name": "x"}}
        )
    noted(visits, "ping", f"agent {MOST_CLIENTS}")
    noted(visits, "ping", "agent 0")
    assert [client.name for client in visits.clients] == ["x", "agent 0"]


def test_only_so_much_of_a_question_is_redacted_for_the_user() -> None:
    lengths: list[int] = []

    def measured(text: str) -> str:
        lengths.append(len(text))
        return text

    noted(Visits(measured), "tools/call", name="x", arguments={"text": "y" * 100_000})
    assert lengths == [LONGEST_READ]


def test_the_line_tells_who_was_here_last_and_what_was_asked_last() -> None:
    told: list[str] = []
    visits = Visits(kept, lambda: told.append(visits.line))
    assert visits.line == "none has connected yet"
    for agent in ("a", "b", "c", "d"):
        noted(visits, "tools/list", agent)
    assert sorted(told[-1].split(", ")) == ["b", "c", "d"]
    noted(visits, "tools/call", "a", name="error")
    names, _, asked = told[-1].partition("; ")
    assert names.startswith("a, ")
    assert asked.startswith("asked last, ")
    assert asked.endswith(": error")
    assert len(told) == 5


def test_refusals_are_counted() -> None:
    visits = Visits(kept)
    for status in (401, 401, 403):
        visits.note_refusal(status)
    assert visits.refused == 3
    assert visits.clients == []


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"\xff\xfe", b"{", b"[" * 100_000, b"1" * 5_000],
    ids=["nothing", "null", "a list", "no text", "cut", "nested", "a long number"],
)
def test_what_is_no_message_is_noted_as_well(body: bytes) -> None:
    visits = Visits(kept)
    visits.note(Head("POST", "/mcp"), body)
    assert [client.name for client in visits.clients] == [UNNAMED]
    assert message_of(body) == {}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"method": "initialize"},
        {"method": "initialize", "params": []},
        {"method": "initialize", "params": {"clientInfo": "claude"}},
        {"method": "initialize", "params": {"clientInfo": {"name": ""}}},
        {"method": "tools/list", "params": {"_meta": None}},
        {"method": "tools/list", "params": {"clientInfo": {"name": "claude"}}},
    ],
)
def test_a_message_without_a_name_has_no_client(message: dict[str, Any]) -> None:
    assert client_of(message) == ""
