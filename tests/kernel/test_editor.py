"""The comm of the JupyterLab extension in a real kernel, without a browser: in the newest
Jupyter, in an older kernel with subshells, and as Colab pins it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.comms import PageKernel
from tests.support.kernels import OLDER, SECONDS, older
from tests.support.scripted_server import ScriptedServer

BUSY = "import time\nprint('runs', flush=True)\nfor _ in range(600): time.sleep(0.1)"
COMM = "the-comm-of-a-page"
TASK = {"task": "fix", "source": "1 / 0", "count": 2}
ERROR = {"name": "ZeroDivisionError", "message": "division by zero"}


class EditorKernel(PageKernel):
    """A kernel and a page with the extension; requests and answers go over its comm."""

    def __init__(
        self, python: Path, home: Path, *, copied: bool = False, **environment: str
    ) -> None:
        super().__init__(python, home, copied=copied, **environment)
        self.answers: list[Mapping[str, Any]] = []
        self.is_closed = False

    def open_editor(self) -> None:
        """Open the comm, as the page does, and go on at once."""
        self._send("comm_open", target_name="codebuddy", data={})

    def wait_open(self) -> None:
        """Wait until the kernel says that it answers."""
        self._receive(lambda: bool(self.answers), SECONDS)

    def request(self, type: str, id: str, **content: Any) -> Mapping[str, Any]:
        """Send a request, and wait for the end of its answer."""
        self._send("comm_msg", data={"type": type, "id": id, **content})
        found: list[Mapping[str, Any]] = []

        def is_answered() -> bool:
            found[:] = [answer for answer in self.answers if answer["id"] == id]
            return bool(found) or self.is_closed

        self._receive(is_answered, SECONDS)
        return found[-1]

    def wait_closed(self) -> None:
        """Wait until the kernel has closed the comm."""
        self._receive(lambda: self.is_closed, SECONDS)

    def _send(self, type: str, **content: Any) -> None:
        message = self.client.session.msg(type, {"comm_id": COMM, **content})
        message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)

    def _take(self, raw: Mapping[str, Any]) -> None:
        super()._take(raw)
        if raw["content"].get("comm_id") != COMM:
            return
        if raw["msg_type"] == "comm_close":
            self.is_closed = True
        elif raw["msg_type"] == "comm_msg":
            self.answers.append(raw["content"]["data"])


@pytest.fixture
def page(
    python: Path, server: ScriptedServer, tmp_path: Path
) -> Iterator[EditorKernel]:
    """A kernel that has loaded nothing yet."""
    with EditorKernel(
        python, tmp_path, copied=True, CODEBUDDY_BASE_URL=server.url
    ) as kernel:
        yield kernel


@pytest.fixture(params=["newest", *OLDER])
def subshelled(
    request: pytest.FixtureRequest, server: ScriptedServer, tmp_path: Path
) -> Iterator[EditorKernel]:
    """A kernel with a subshell for the comm."""
    with EditorKernel(
        Path(sys.executable),
        tmp_path,
        copied=request.param not in OLDER,
        **older(request.param),
        CODEBUDDY_BASE_URL=server.url,
    ) as kernel:
        kernel.good("%load_ext codebuddy_jupyter")
        kernel.open_subshell()
        yield kernel


def test_a_kernel_that_has_not_loaded_it_closes_the_comm(page: EditorKernel) -> None:
    page.open_editor()
    page.wait_closed()


def test_the_sidebar_gets_one_panel_and_tasks_their_question(
    page: EditorKernel,
) -> None:
    page.good("%load_ext codebuddy_jupyter")
    page.open_editor()
    page.wait_open()
    model = page.request("panel", "1")["content"]["model"]
    assert page.request("panel", "2")["content"]["model"] == model
    assert page.run("1 / 0").status == "error"
    answer = page.request("task", "3", **TASK, error=ERROR)
    assert answer["content"] == {"text": "/fix"}
    answer = page.request("task", "4", **{**TASK, "count": 1}, error=ERROR)
    assert answer["content"]["text"].startswith("/fix It raised ZeroDivisionError")
    assert page.request("task", "5", **TASK)["type"] == "failed"
    # The panel of the sidebar is one for the conversation of the cells.
    page.say("chat", "ready", view="page")
    page.hear("all")
    page.good("%buddy hello")
    assert page.hear("turn")["question"] == "hello"
    page.good("%unload_ext codebuddy_jupyter")
    page.wait_closed()
    assert page.parts == {}


def test_with_a_subshell_it_opens_and_answers_while_a_cell_runs(
    subshelled: EditorKernel,
) -> None:
    page = subshelled
    cell = page.begin(BUSY)
    page.wait_for(cell, lambda message: message.type == "stream")
    page.open_editor()
    page.wait_open()
    assert page.request("panel", "1")["type"] == "done"
    page.say("chat", "ready", view="page")
    page.hear("all")
    page.ask("hello")
    assert page.hear_end()["error"] is None
    assert cell.ended is None
    page.interrupt()
    page.end(cell)
