"""``/serve``: what it shows, and what it never shows."""

from __future__ import annotations

import html

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands.serve import NOT_SERVED, OFFLINE, STOPPED
from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.tools.server.notebook_server import Running, server_of
from tests.support.command_line import run_line
from tests.support.fakes import eventually
from tests.support.mcp_clients import address_in, called, head, request, sent
from tests.support.watched import Watched


def running_of(buddy: Buddy) -> Running:
    running = server_of(buddy).running
    assert running is not None
    return running


def shown(buddy: Buddy, line: str) -> str:
    return html.unescape(run_line(buddy, line))


def test_it_tells_how_each_agent_connects(buddy: Buddy) -> None:
    told = shown(buddy, "/serve")
    running = running_of(buddy)
    for agent in ("Claude Code", "Cursor", "VS Code", "Gemini CLI"):
        assert f"{agent}, in " in told
    assert "claude mcp add notebook -- " in told
    assert running.url in told
    assert str(running.file) in told
    assert "without the values" in told
    assert OFFLINE not in told


def test_the_key_is_shown_nowhere(buddy: Buddy) -> None:
    told = shown(buddy, "/serve")
    running = running_of(buddy)
    key = address_in(running.file).key
    told += shown(buddy, "/serve status") + repr(running) + repr(server_of(buddy))
    assert key not in told


def test_values_are_shared_if_the_user_says_so(buddy: Buddy) -> None:
    assert "with the values" in shown(buddy, "/serve --values")
    assert running_of(buddy).shares_values
    shown(buddy, "/serve")
    assert not running_of(buddy).shares_values


def test_offline_does_not_hold_for_agents(buddy: Buddy) -> None:
    buddy.offline = True
    assert OFFLINE in shown(buddy, "/serve")


def test_the_status_tells_who_asked_what(buddy: Buddy) -> None:
    shown(buddy, "/serve")
    assert "No agent has connected yet." in shown(buddy, "/serve status")
    address = address_in(running_of(buddy).file)
    called(address, "context", question="**bold** <b>which</b>?")
    sent(address.port, request(head(address, authorization="Bearer wrong")))
    told = run_line(buddy, "/serve status")
    assert "| agent | requests | last one |" in told
    assert 'context {"question": "**bold** <b>which</b>?"}\n```' in told
    assert "Requests that were not let in: 1." in told


def test_it_can_be_stopped(buddy: Buddy) -> None:
    for line in ("/serve off", "/serve status"):
        assert run_line(buddy, line) == NOT_SERVED
    run_line(buddy, "/serve")
    assert run_line(buddy, "/serve off") == STOPPED
    assert run_line(buddy, "/serve status") == NOT_SERVED


@pytest.mark.parametrize(
    "line",
    ["/serve on", "/serve --value", "/serve --values off", "/serve --values --values"],
)
def test_anything_else_is_an_error_and_starts_nothing(buddy: Buddy, line: str) -> None:
    with pytest.raises(SettingError, match="/serve takes --values, --propose, status"):
        run_line(buddy, line)
    assert server_of(buddy).running is None


def test_a_page_shows_who_reads_the_notebook_and_stops_that(buddy: Buddy) -> None:
    chat = Watched(buddy, {})
    server = server_of(buddy)
    server.start(share_values=False)
    assert eventually(lambda: chat.told("served"))
    assert chat.told("served")[-1]["line"].endswith(": none has connected yet")
    # A page that opens later is told as well.
    before = len(chat.told("served"))
    chat.page("ready", view="page")
    assert eventually(lambda: len(chat.told("served")) > before)
    assert chat.told("served")[-1]["line"] == buddy.served.line != ""
    chat.ask("/serve off")
    assert eventually(lambda: chat.told("served")[-1]["line"] == "")
    assert server.running is None
    chat.close()
    assert buddy.served.watchers == []


def test_agents_propose_only_if_that_is_typed(buddy: Buddy) -> None:
    told = shown(buddy, "/serve --propose")
    assert "code that they propose waits in the panel for your click" in told
    assert "without the values" in told
    running = server_of(buddy).running
    assert running is not None
    assert running.proposes
    told = shown(buddy, "/serve --propose --values")
    assert "with the values" in told
    assert "propose" not in shown(buddy, "/serve")
