"""The chat in marimo, with a stand-in for marimo: it sends from a thread of marimo's, and
ends with its cell. A real marimo shows it in ``tests/browser/test_marimo.py``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codebuddy_jupyter import api
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.widgets import marimo_chat
from codebuddy_jupyter.widgets.marimo_chat import MarimoChat
from tests.support.fakes import FakeProvider, eventually


class Thread(threading.Thread):
    """marimo's, which knows whether its cell still is as it was."""

    should_exit = False


@pytest.fixture(autouse=True)
def marimo(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the chat uses of marimo."""
    module = SimpleNamespace(Thread=Thread, running_in_notebook=lambda: True)
    monkeypatch.setitem(sys.modules, "marimo", module)
    monkeypatch.setattr(marimo_chat, "INTERVAL", 0.01)
    return module


@pytest.fixture
def chat(buddy: Buddy) -> Iterator[MarimoChat]:
    chat = MarimoChat(buddy)
    yield chat
    end(chat)


def end(chat: MarimoChat) -> None:
    """Do what marimo does when the cell runs again."""
    chat._thread.should_exit = True
    chat._thread.join(30)
    assert not chat._thread.is_alive()


def sent_by(chat: MarimoChat) -> list[tuple[str, Mapping[str, Any]]]:
    """The messages that a chat sends from now on, with the thread that sends each."""
    sent: list[tuple[str, Mapping[str, Any]]] = []
    chat.send = lambda content, buffers=None: sent.append(
        (threading.current_thread().name, content)
    )
    return sent


def test_all_messages_come_from_a_thread_that_marimo_knows(
    chat: MarimoChat, fake: FakeProvider
) -> None:
    sent = sent_by(chat)
    chat.receive({"type": "ask", "ask": "page:1", "text": "why?"})
    assert eventually(lambda: any("done" in message for _, message in sent))
    assert {thread for thread, _ in sent} == {"buddy-marimo"}
    assert "An answer." in str(sent)


def test_a_page_offers_no_cell_for_the_code(chat: MarimoChat) -> None:
    sent = sent_by(chat)
    chat.receive({"type": "ready", "view": "page"})
    assert eventually(lambda: any(message["type"] == "all" for _, message in sent))
    (everything,) = [message for _, message in sent if message["type"] == "all"]
    assert everything["languages"] == {}


def test_the_chat_ends_with_its_cell(
    buddy: Buddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(buddy, "close", lambda: closed.append("buddy"))
    chat = MarimoChat(buddy)
    end(chat)
    assert buddy.watchers == []
    assert chat.comm is None
    assert closed == ["buddy"]


def test_the_panel_of_marimo_is_the_chat_of_a_buddy_of_its_own() -> None:
    first, second = api.panel(), api.panel()
    assert isinstance(first, MarimoChat)
    assert isinstance(second, MarimoChat)
    assert first.conversation.buddy is not second.conversation.buddy
    assert first.is_alone
    end(first)
    end(second)


@pytest.mark.parametrize("has_marimo", [True, False])
def test_a_script_has_no_panel(
    marimo: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, has_marimo: bool
) -> None:
    if has_marimo:
        marimo.running_in_notebook = lambda: False
    else:
        monkeypatch.delitem(sys.modules, "marimo")
    with pytest.raises(SettingError, match="only in a cell of a notebook"):
        api.panel()


def test_a_context_that_nobody_knows_is_said_to_have_no_effect() -> None:
    api._plain_buddy.cache_clear()
    with pytest.warns(UserWarning, match="context has no effect here"):
        api.ask("why?", context="auto")
    api._plain_buddy.cache_clear()


def test_what_a_prompt_attaches_is_completed_without_cells(
    chat: MarimoChat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").touch()
    sent = sent_by(chat)
    for text in ("@", "@In[", "@file:d"):
        chat.receive({"type": "complete", "text": text})
    assert eventually(lambda: "@file:data.csv" in str(sent))
    types = [message["type"] for _, message in sent]
    assert types.count("completions") == 3
