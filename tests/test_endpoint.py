"""The protocol, spoken by the client of the official SDK in both of its revisions."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from mcp import Client, MCPError

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.messages import Looked
from codebuddy_jupyter.tools.server import notebook_server
from codebuddy_jupyter.tools.server.notebook_server import server_of
from codebuddy_jupyter.tools.server.offers import Offers, Resource
from tests.support.mcp_clients import address_in, called, with_client

MODES = ["auto", "legacy"]


class Scripted:
    """A tool that does what the test says."""

    description = "For tests."
    parameters: dict[str, Any] = {"type": "object", "properties": {}}  # noqa: RUF012

    def __init__(
        self, name: str, outcome: Looked | BaseException, *, proposes: bool = False
    ) -> None:
        self.name = name
        self.proposes = proposes
        self._outcome = outcome

    def look(self, arguments: Any) -> Looked:
        """Return or raise it."""
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


def broken() -> str:
    raise ValueError("a secret")


@pytest.fixture
def offers(monkeypatch: pytest.MonkeyPatch) -> Offers:
    """What is offered in place of the notebook."""
    tools = [
        Scripted("good", Looked("a", "b", "found ⟦1⟧")),
        Scripted("wrong", Looked("a", "b", "not found", is_error=True)),
        Scripted("broken", ValueError("a secret")),
    ]
    resources = [
        Resource("notebook://outline", "outline", "Cells.", lambda: "In[1]"),
        Resource("notebook://broken", "broken", "Fails.", broken),
    ]
    offers = Offers(tools, resources)
    monkeypatch.setattr(notebook_server, "offers_of", lambda *_, **__: offers)
    return offers


@pytest.mark.parametrize("mode", MODES)
def test_tools_are_listed_and_called(buddy: Buddy, offers: Offers, mode: str) -> None:
    address = address_in(server_of(buddy).start(share_values=False).file)

    async def use(client: Client) -> list[Any]:
        listed = await client.list_tools()
        results = [await client.call_tool(name, {}) for name in ("good", "wrong")]
        return [listed.tools, *results]

    tools, good, wrong = with_client(address, use, mode)
    assert [tool.name for tool in tools] == ["good", "wrong", "broken"]
    assert all(tool.annotations.read_only_hint for tool in tools)
    assert (good.content[0].text, good.is_error) == ("found ⟦1⟧", False)
    assert (wrong.content[0].text, wrong.is_error) == ("not found", True)


@pytest.mark.parametrize("mode", MODES)
def test_resources_are_listed_and_read(buddy: Buddy, offers: Offers, mode: str) -> None:
    address = address_in(server_of(buddy).start(share_values=False).file)

    async def use(client: Client) -> list[Any]:
        listed = await client.list_resources()
        with pytest.raises(MCPError, match="There is nothing at notebook://no, but"):
            await client.read_resource("notebook://no")
        uris = [resource.uri for resource in listed.resources]
        return [await client.read_resource(uri) for uri in uris]

    texts = [result.contents[0].text for result in with_client(address, use, mode)]
    assert texts == [
        "In[1]",
        "broken could not be read: ValueError.",
    ]


def test_a_failure_is_told_without_its_text(
    buddy: Buddy, offers: Offers, capfd: pytest.CaptureFixture[str]
) -> None:
    address = address_in(server_of(buddy).start(share_values=False).file)
    assert called(address, "broken") == "broken failed: ValueError."
    assert "".join(capfd.readouterr()) == ""


def test_many_ask_at_once(buddy: Buddy, offers: Offers) -> None:
    address = address_in(server_of(buddy).start(share_values=False).file)
    texts: list[str] = []

    def ask() -> None:
        texts.append(called(address, "good"))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["found ⟦1⟧"] * 6


def test_tools_that_propose_are_said_to_be_no_reading(
    buddy: Buddy, offers: Offers, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = Scripted("propose_cell", Looked("a", "b", "shown"), proposes=True)
    proposing = Offers([tool], [])
    monkeypatch.setattr(notebook_server, "offers_of", lambda *_, **__: proposing)
    running = server_of(buddy).start(share_values=False, proposes=True)
    assert running.proposes

    async def use(client: Client) -> Any:
        return (await client.list_tools()).tools

    (listed,) = with_client(address_in(running.file), use, MODES[0])
    hints = listed.annotations
    assert (hints.read_only_hint, hints.destructive_hint) == (False, False)
