"""A page without a browser: it shows the panel of a real kernel, and speaks to it by
comm messages as front ends do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.kernels import SECONDS, Kernel

PANEL = "%buddy /panel"
Content = Mapping[str, Any]
# The parts of a panel, by the class of the widget that shows them.
PARTS = {"ChatView": "chat", "ProviderView": "provider"}


class PageKernel(Kernel):
    """A kernel and the page that shows its widgets; it speaks over the main shell until
    it has made a subshell.

    Parameters
    ----------
    python, home, copied, environment
        As for `Kernel`.
    """

    def __init__(
        self, python: Path, home: Path, *, copied: bool = False, **environment: str
    ) -> None:
        super().__init__(python, home, copied=copied, **environment)
        self.parts: dict[str, str] = {}
        self.heard: list[Content] = []
        self.subshell: str | None = None

    def open_panel(self) -> None:
        """Run a cell that opens the panel, and show it."""
        self.good(PANEL)
        self.say("chat", "ready", view="page")
        self.hear("all")

    def open_subshell(self) -> None:
        """Have a subshell made, and speak over it from now on, as JupyterLab does for
        widgets.
        """
        self.client.control_channel.send(
            self.client.session.msg("create_subshell_request")
        )
        self.subshell = self.client.get_control_msg(timeout=SECONDS)["content"][
            "subshell_id"
        ]

    def say(self, part: str, kind: str, **content: Any) -> None:
        """Send a message to the newest open ``chat`` or ``provider``, and go on at
        once.
        """
        comm = [comm for comm, name in self.parts.items() if name == part][-1]
        data = {"method": "custom", "content": {"type": kind, **content}}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)

    def ask(self, text: str, **more: Any) -> None:
        """Ask as somebody who presses Send."""
        self.say("chat", "ask", ask=f"page:{text}", text=text, **more)

    def told(self, kind: str) -> list[Content]:
        """The messages of a kind that the panel has sent since `forget`, as far as they
        are read.
        """
        return [message for message in self.heard if message.get("type") == kind]

    def hear(
        self, kind: str, found: Callable[[Content], bool] = lambda message: True
    ) -> Content:
        """Wait for a message of a kind."""
        self._receive(lambda: any(map(found, self.told(kind))), SECONDS)
        return next(filter(found, self.told(kind)))

    def hear_end(self) -> Content:
        """Wait until an answer has ended, and give the message that says so."""
        return self.hear("answer", lambda message: bool(message.get("done")))

    def forget(self) -> None:
        """Forget what the panel has sent."""
        self.heard.clear()

    def _take(self, raw: Mapping[str, Any]) -> None:
        super()._take(raw)
        content = raw["content"]
        if raw["msg_type"] == "comm_open":
            state = content["data"].get("state", {})
            widget_class = state.get("_anywidget_id", "").rpartition(".")[2]
            if widget_class in PARTS:
                self.parts[content["comm_id"]] = PARTS[widget_class]
        elif raw["msg_type"] == "comm_close":
            self.parts.pop(content["comm_id"], None)
        elif (
            raw["msg_type"] == "comm_msg" and content["data"].get("method") == "custom"
        ):
            self.heard.append(content["data"]["content"])
