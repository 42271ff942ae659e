"""``/serve``: the notebook for agents on this machine, by MCP."""

from __future__ import annotations

from ..buddy import Buddy
from ..errors import Remedy, SettingError
from ..markdown.safe import escape, fence
from ..tools.server.agents import ways
from ..tools.server.notebook_server import Running, server_of
from ..tools.server.visits import clock
from .command import Invocation, command
from .text_table import text_table

VALUES, PROPOSE = "--values", "--propose"
STOPPED = "The notebook is no longer served, and its key is no longer valid."
NOT_SERVED = "The notebook is not served."
OFFLINE = (
    "Buddy.offline does not hold for agents: what one reads here, it may send to other "
    "machines."
)


@command(
    "serve",
    "[--values] [--propose]",
    "let agents such as Claude Code read this notebook by MCP, without values unless "
    "you type --values; with --propose they may show you code in the panel, which a "
    "click accepts; /serve status shows who asked what, /serve off stops it",
)
def serve(invocation: Invocation, arguments: str) -> str:
    """Start, show or stop the server."""
    server = server_of(invocation.buddy)
    words = arguments.lower().split()
    if words == ["off"]:
        return STOPPED if server.stop() else NOT_SERVED
    if words == ["status"]:
        running = server.running
        if running is None:
            return escape(f"{NOT_SERVED} {server.problem}")
        return _status(running)
    if len(set(words)) < len(words) or not {*words} <= {VALUES, PROPOSE}:
        raise SettingError(
            f"/serve takes --values, --propose, status or off, not {arguments}.",
            Remedy("Serve without values", "%buddy /serve"),
        )
    running = server.start(share_values=VALUES in words, proposes=PROPOSE in words)
    return _started(invocation.buddy, running)


def _started(buddy: Buddy, running: Running) -> str:
    """Return how agents connect. The key is not in it: notebooks keep their outputs."""
    paragraphs = [
        f"Agents on this machine can read this notebook now, {_what(running)}. They can "
        f"change and run nothing{_proposing(running)}. Who asks what: `%buddy /serve "
        "status`; stop: `%buddy /serve off`.",
    ]
    if buddy.offline:
        paragraphs.append(escape(OFFLINE))
    paragraphs.append(
        "Tell an agent once; it finds the notebook again after a restart:"
    )
    for way in ways():
        paragraphs.append(f"{way.agent}, in {way.where}:\n\n{fence(way.line)}")
    paragraphs.append(
        f"Others connect by HTTP to `{running.url}`, with the key in "
        f"{escape(str(running.file))}, which only you can read."
    )
    return "\n\n".join(paragraphs)


def _what(running: Running) -> str:
    if running.shares_values:
        return "with the values of its variables and its outputs"
    return "without the values of its variables and without its outputs"


def _proposing(running: Running) -> str:
    if running.proposes:
        return "; code that they propose waits in the panel for your click"
    return ""


def _status(running: Running) -> str:
    visits = running.visits
    paragraphs = [f"Served at `{running.url}`, {_what(running)}{_proposing(running)}."]
    rows = []
    for client in visits.clients:
        rows.append((client.name, f"{client.requests:,}", clock(client.last)))
    if rows:
        paragraphs.append(text_table(("agent", "requests", "last one"), rows, [1]))
    else:
        paragraphs.append("No agent has connected yet.")
    if visits.refused:
        paragraphs.append(f"Requests that were not let in: {visits.refused:,}.")
    asked = [
        f"{clock(visit.when)} {visit.client}: {visit.what}" for visit in visits.asked
    ]
    if asked:
        paragraphs.append(fence("\n".join(asked)))
    return "\n\n".join(paragraphs)
