"""The conversation as a widget: it carries messages, and keeps none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.widgets.chat_view import ChatView
from tests.support.fakes import FakeProvider, eventually

Messages = list[Mapping[str, Any]]


@pytest.fixture
def ended() -> list[Reply]:
    """The replies that have ended."""
    return []


@pytest.fixture
def view(
    buddy: Buddy, shell: InteractiveShell, ended: list[Reply]
) -> Iterator[ChatView]:
    view = ChatView(buddy, shell, ended.append)
    yield view
    view.close()


@pytest.fixture
def sent(view: ChatView, monkeypatch: pytest.MonkeyPatch) -> Messages:
    """The messages that the widget sends."""
    sent: Messages = []
    monkeypatch.setattr(view, "send", sent.append)
    return sent


def test_nothing_of_the_conversation_is_in_the_state_that_a_notebook_keeps(
    view: ChatView, sent: Messages, fake: FakeProvider, ended: list[Reply]
) -> None:
    fake.replies = [["a secret answer"]]
    view.receive({"type": "ask", "ask": "page:1", "text": "a secret question"})
    assert eventually(lambda: any("done" in message for message in sent))
    assert "a secret answer" in str(sent)
    state = view.get_state()
    del state["_esm"], state["_css"]
    assert "secret" not in str(state)
    assert eventually(lambda: [str(reply) for reply in ended] == ["a secret answer"])


def test_the_page_knows_which_cell_runs_and_that_it_has_ended(
    view: ChatView, sent: Messages
) -> None:
    view.note_cell("c1")
    view.note_end()
    assert sent == [{"type": "cell", "cell": "c1"}, {"type": "stale"}]


def test_a_message_with_wrong_fields_is_answered_with_a_note(
    view: ChatView, sent: Messages
) -> None:
    view.receive({"type": "ask", "text": "hello"})
    (note,) = sent
    assert note["type"] == "noted"
    assert "Reload the page." in note["text"]


def test_nothing_is_sent_after_it_was_closed(
    view: ChatView, sent: Messages, buddy: Buddy
) -> None:
    view.close()
    view.receive({"type": "ready", "view": "page"})
    view.note_end()
    assert sent == []
    assert buddy.watchers == []
