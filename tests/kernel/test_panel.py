"""The panel in a real kernel without a browser, in the newest Jupyter and as Colab pins
it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from tests.support.comms import PANEL, PageKernel
from tests.support.kernels import OLDER, SECONDS, clean_environment, older
from tests.support.run_all import use_copy
from tests.support.scripted_server import Answer, ScriptedServer, begun, reply

ASKS = 200
# questions after which all that stays has come
WARM = 100
# questions before a new one is begun
CONVERSATION = 50
# bytes that the allocator may keep
MEMORY = 30e6
# that may have come with 100 questions, some with a cell that counts them: two for
# each
OBJECTS = 200
BUSY = "import time\nprint('runs', flush=True)\nfor _ in range({}): time.sleep(0.1)"
COMMS = "len(get_ipython().kernel.comm_manager.comms)"
THREADS = "len(__import__('threading').enumerate())"
ALIVE = "len(gc.get_objects())"
KEY = "sk-a-key-of-nobody-1234567890"
QUESTION = "what does the zebra eat"
ANSWER = "Grass and bark at the waterhole."
TYPE = """
import os, time
import codebuddy_jupyter as buddy

def type_into(widget, **content):
    data = {"method": "custom", "content": content}
    widget._handle_msg({"content": {"data": data}, "buffers": []})

def until(is_so):
    for _ in range(300):
        if is_so():
            return
        time.sleep(0.1)
    raise TimeoutError

panel = buddy.panel()
type_into(panel.form.view, type="key", key=os.environ["TYPED_KEY"])
until(lambda: "The key for" in panel.form.view._state.get("noted", ""))
type_into(panel.chat, type="ask", ask="page:1", text=os.environ["TYPED_QUESTION"])
chat = panel.chat.conversation.buddy.chat
until(lambda: chat.turns and chat.turns[-1].reply.done)
panel
"""


@dataclass(frozen=True)
class Holdings:
    """What a kernel holds: threads, comms, objects, and bytes of memory."""

    threads: int
    comms: int
    objects: int
    memory: int

    @classmethod
    def of(cls, kernel: PageKernel) -> Holdings:
        """Count, once what is ending has ended."""
        printed = kernel.good(
            "import gc, os, time; time.sleep(1.5); gc.collect(); "
            f"print({THREADS}, {COMMS}, {ALIVE}, os.getpid())"
        ).printed
        threads, comms, objects, process = map(int, printed.split())
        return cls(threads, comms, objects, psutil.Process(process).memory_info().rss)


@pytest.fixture
def page(python: Path, server: ScriptedServer, tmp_path: Path) -> Iterator[PageKernel]:
    """A kernel with an open panel, and the page that shows it."""
    with PageKernel(
        python, tmp_path, copied=True, CODEBUDDY_BASE_URL=server.url
    ) as kernel:
        kernel.good("%load_ext codebuddy_jupyter")
        kernel.open_panel()
        yield kernel


@pytest.fixture(params=["newest", *OLDER])
def subshelled(
    request: pytest.FixtureRequest, server: ScriptedServer, tmp_path: Path
) -> Iterator[PageKernel]:
    """As ``page``, with a subshell for the widgets, in the kernels that have them."""
    with PageKernel(
        Path(sys.executable),
        tmp_path,
        copied=request.param not in OLDER,
        **older(request.param),
        CODEBUDDY_BASE_URL=server.url,
    ) as kernel:
        kernel.good("%load_ext codebuddy_jupyter")
        kernel.open_subshell()
        kernel.open_panel()
        yield kernel


def test_a_question_is_answered_and_the_next_cell_knows_it(
    page: PageKernel, server: ScriptedServer
) -> None:
    page.good("day = 'Sunday'")
    page.ask("what of {day}?")
    assert page.hear("taken")["ask"] == "page:what of {day}?"
    assert page.hear("turn")["question"] == "what of {day}?"
    assert page.hear_end()["error"] is None
    assert "".join(
        block for told in page.told("answer") for block in told["blocks"]
    ) == ("Hello from the scripted server.")
    page.good("%buddy and now?")
    roles = [message["role"] for message in server.asked()[-1]["body"]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert "what of Sunday?" in server.asked()[-1]["body"]["messages"][1]["content"]


def test_stop_ends_the_answer_at_the_server(
    page: PageKernel, server: ScriptedServer
) -> None:
    server.script(begun("Once upon a time"))
    page.ask("a story")
    page.hear("answer", lambda told: "Once upon" in told["tail"])
    page.say("chat", "stop")
    server.wait_for("closed")
    assert "stopped before its end" in page.hear_end()["line"]


def test_without_subshells_a_question_waits_for_the_running_cell(
    page: PageKernel, server: ScriptedServer
) -> None:
    cell = page.begin(BUSY.format(10))
    page.wait_for(cell, lambda message: message.type == "stream")
    page.ask("hello")
    page.end(cell)
    assert page.told("taken") == []
    assert page.hear_end()["error"] is None


def test_with_a_subshell_questions_are_answered_and_stopped_while_a_cell_runs(
    subshelled: PageKernel, server: ScriptedServer
) -> None:
    server.script(reply("Grass."), begun("Once upon a time"), reply("Herbs."))
    page = subshelled
    cell = page.begin(BUSY.format(600))
    page.wait_for(cell, lambda message: message.type == "stream")
    page.ask("hello")
    assert page.hear_end()["error"] is None
    page.forget()
    page.ask("a story")
    page.hear("answer", lambda told: "Once upon" in told["tail"])
    page.say("chat", "stop")
    server.wait_for("closed")
    assert "stopped before its end" in page.hear_end()["line"]
    page.say("chat", "measure", text="and now?", full=False)
    assert page.hear("measured")["tokens"] > 0
    page.say("provider", "ready")
    page.hear("state")
    assert cell.ended is None
    page.interrupt()
    page.end(cell)
    page.good("%buddy and after it?")


def test_an_answer_that_comes_goes_on_while_a_cell_runs(
    page: PageKernel, server: ScriptedServer
) -> None:
    server.script(Answer(tokens=40, per_second=40))
    page.ask("hello")
    page.hear("answer", lambda told: bool(told["blocks"]))
    cell = page.begin(BUSY.format(600))
    page.wait_for(cell, lambda message: message.type == "stream")
    assert "40 tokens" in page.hear_end()["line"]
    assert cell.ended is None
    page.interrupt()
    page.end(cell)


# ipykernel drops the sockets of ended threads every 10 seconds; what is not dropped
# yet shall not be counted
DROP_SOONER = "get_ipython().kernel.iopub_thread._event_pipe_gc_seconds = 0.1"


def begin_conversation(page: PageKernel) -> None:
    """Begin a new conversation, and wait until the turns of the old one are gone."""
    page.forget()
    page.say("chat", "reset")
    page.hear("gone")


def test_hundreds_of_questions_leave_nothing_behind(
    page: PageKernel, server: ScriptedServer
) -> None:
    early = None
    page.good(DROP_SOONER)
    for number in range(ASKS):
        if number and number % CONVERSATION == 0:
            begin_conversation(page)
        if number == WARM:
            early = Holdings.of(page)
        page.forget()
        page.ask(f"question {number}")
        assert page.hear_end()["error"] is None
    begin_conversation(page)
    late = Holdings.of(page)
    assert early is not None
    assert late.threads <= early.threads
    assert late.comms == early.comms
    assert late.objects <= early.objects + OBJECTS
    assert late.memory <= early.memory + MEMORY


def test_panels_that_are_closed_leave_nothing_behind(page: PageKernel) -> None:
    page.good(
        "import codebuddy_jupyter as buddy\nfor _ in range(3): buddy.panel().close()"
    )
    early = Holdings.of(page)
    page.good(
        "for _ in range(10):\n    one = buddy.panel()\n"
        "    one.form.more.value = True\n    one.close()"
    )
    late = Holdings.of(page)
    assert late.threads <= early.threads
    assert late.comms == early.comms


def test_a_notebook_that_nbclient_saves_with_its_widgets_has_neither_key_nor_conversation(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(reply(ANSWER))
    typed = {
        "CODEBUDDY_BASE_URL": server.url,
        "TYPED_KEY": KEY,
        "TYPED_QUESTION": QUESTION,
    }
    code: dict[str, object] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    cells = [
        {**code, "source": source}
        for source in ("%load_ext codebuddy_jupyter", TYPE, PANEL)
    ]
    whole = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    notebook = nbformat.from_dict(whole)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, timeout=SECONDS, resources={"metadata": {"path": str(tmp_path)}}
    )
    use_copy(client, tmp_path)
    client.execute(env=clean_environment(tmp_path, **typed))
    assert server.asked()[-1]["headers"]["authorization"] == f"Bearer {KEY}"
    assert QUESTION in str(server.asked()[-1]["body"])
    saved = json.dumps(notebook)
    assert ".ChatView" in saved
    assert [word for word in (KEY, QUESTION, ANSWER) if word in saved] == []
