"""Conversations that outlive their kernel: restarted, killed in mid-answer, two at once
on one notebook.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from codebuddy_jupyter.chat.store import Store
from codebuddy_jupyter.chat.tables import StoredTurn
from codebuddy_jupyter.question.prompts import BROKE_OFF
from tests.support.fakes import eventually
from tests.support.kernels import SECONDS, Kernel
from tests.support.notebook_kernel import NotebookKernel
from tests.support.scripted_server import (
    Answer,
    ScriptedServer,
    begun,
    delta,
    event,
    reply,
)

HELLO = "Hello from the scripted server."


class Start(Protocol):
    def __call__(
        self, notebook: str = "analysis.ipynb", *, copied: bool = True
    ) -> Kernel: ...


@pytest.fixture
def start(tmp_path: Path, server: ScriptedServer) -> Iterator[Start]:
    """Gives a kernel of a notebook, with the buddy loaded; all of them have one home."""
    with ExitStack() as kernels:

        def start(notebook: str = "analysis.ipynb", *, copied: bool = True) -> Kernel:
            kernel = kernels.enter_context(
                NotebookKernel(
                    tmp_path / notebook, copied=copied, CODEBUDDY_BASE_URL=server.url
                )
            )
            kernel.good("%load_ext codebuddy_jupyter\n%config Buddy.context = 'none'")
            return kernel

        yield start


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "jupyter_data_dir" / "codebuddy" / "chats.sqlite3", print)


def kept(store: Store, folder: Path) -> list[tuple[str, str, bool]]:
    """The turns that are kept of the notebook's latest conversation."""
    latest = store.latest(str((folder / "analysis.ipynb").resolve()))
    return (
        [(turn.question, turn.answer, turn.complete) for turn in latest[1]]
        if latest
        else []
    )


def heard(server: ScriptedServer) -> list[str]:
    """What the server was sent last, without the system prompt."""
    return [
        message["content"] for message in server.asked()[-1]["body"]["messages"][1:]
    ]


def test_a_restarted_kernel_goes_on_where_it_was(
    start: Start, server: ScriptedServer, store: Store
) -> None:
    kernel = start()
    assert not store.path.parent.exists()
    kernel.good("%buddy first?")
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=SECONDS)
    kernel.good("%load_ext codebuddy_jupyter\n%config Buddy.context = 'none'")
    kernel.good("%buddy second?")
    assert heard(server) == ["first?", HELLO, "second?"]
    assert (
        "| 1 | first? | 2 |"
        in kernel.good("%buddy /chats").outputs[0]["data"]["text/plain"]
    )


def test_a_killed_kernel_keeps_what_came_of_the_answer_under_way(
    start: Start, server: ScriptedServer, store: Store, tmp_path: Path
) -> None:
    # Of a copy, the process that stands for it would be killed.
    kernel = start(copied=False)
    kernel.good("%buddy first?")
    server.script(begun("Once upon a time"), reply(HELLO))
    kernel.begin("%buddy second?")
    assert eventually(lambda: len(server.asked()) == 2, SECONDS)
    server.wait_for("first", seconds=30)
    half = ("second?", "Once upon a time", False)
    assert eventually(lambda: half in kept(store, tmp_path), SECONDS)
    kernel.manager.shutdown_kernel(now=True)
    again = start()
    exported = again.good("%buddy /export story.md").outputs
    assert "story.md" in exported[0]["data"]["text/plain"]
    assert "*This answer broke off.*" in (tmp_path / "story.md").read_text()
    again.good("%buddy third?")
    assert heard(server) == [
        "first?",
        HELLO,
        "second?",
        "Once upon a time",
        f"{BROKE_OFF}\n\nthird?",
    ]


def test_a_kernel_that_is_shut_down_keeps_the_part_that_came(
    start: Start, server: ScriptedServer, store: Store, tmp_path: Path
) -> None:
    kernel = start()
    server.script(Answer(pieces=[(0, event(delta("Once upon a time")))], end="hang"))
    cell = kernel.begin("%buddy first?")
    kernel.wait_for(cell, lambda message: "Once upon" in str(message.content))
    kernel.manager.shutdown_kernel()
    assert kept(store, tmp_path) == [("first?", "Once upon a time", False)]


def test_two_kernels_on_one_notebook_lose_nothing(
    start: Start, server: ScriptedServer, store: Store, tmp_path: Path
) -> None:
    one, two = start(), start()
    for kernel in (one, two):
        # neither of them finds what the other will have begun
        kernel.good("%buddy /chats")
    for number in range(4):
        cells = [
            (kernel, kernel.begin(f"%buddy {name} {number}?"))
            for kernel, name in ((one, "one"), (two, "two"))
        ]
        assert [kernel.end(cell).status for kernel, cell in cells] == ["ok", "ok"]
    one.good("%buddy -n and one more?")
    two.good("%buddy and two more?")
    assert heard(server) == [
        *(text for number in range(4) for text in (f"two {number}?", HELLO)),
        "and two more?",
    ]

    def turns() -> list[StoredTurn]:
        chats = store.chats(str((tmp_path / "analysis.ipynb").resolve()))
        return [turn for chat in chats for turn in store.turns(chat.id)]

    assert eventually(lambda: sum(turn.complete for turn in turns()) == 10)
    assert sorted(turn.question for turn in turns())[:2] == [
        "and one more?",
        "and two more?",
    ]


def test_another_notebook_begins_its_own(start: Start, server: ScriptedServer) -> None:
    start().good("%buddy first?")
    start("other.ipynb").good("%buddy second?")
    assert heard(server) == ["second?"]


def test_the_conversation_is_exported_beside_the_notebook(
    start: Start, tmp_path: Path
) -> None:
    kernel = start()
    kernel.good("%buddy first?")
    kernel.good("import os; os.mkdir('elsewhere'); os.chdir('elsewhere')")
    for name in ("analysis-chat.md", "analysis-chat-2.md"):
        told = kernel.good("%buddy /export").outputs[0]["data"]["text/plain"]
        assert str((tmp_path / name).resolve()) in told
        assert HELLO in (tmp_path / name).read_text()


def test_what_cannot_be_kept_costs_one_line_an_answer(
    start: Start, store: Store
) -> None:
    store.path.parent.parent.mkdir(exist_ok=True)
    store.path.parent.write_text("a file where the folder should be")
    kernel = start()
    # the answer may have come before the disk's
    kernel.good("%buddy first?")
    for _ in range(2):
        shown = kernel.good("%buddy and?").answer["data"]["text/plain"]
        assert shown.count("Conversations are not kept in") == 1
