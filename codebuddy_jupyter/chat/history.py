"""The conversations of this kernel's notebook: the one that goes on, and those that are
kept.

What is kept is written in the background, in order: no answer waits for a disk, and
none fails because of one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import NotKept, PromptTooLong, SettingError
from ..loop import Loop
from ..messages import Chunk
from ..worker import Worker
from .reply import Chat, Reply, Turn
from .store import BUSY, Store, StoredChat, StoredTurn

# characters of a question that are kept
MOST_ASKED = 100_000


class History:
    """The conversations of one notebook.

    A kernel goes on with the one that was last used, or with what it is told.

    Parameters
    ----------
    loop
        The background loop, for the replies of earlier turns.
    notebook
        Gives the notebook's file; None where it is not known: then nothing is kept.
    wanted
        Tells whether conversations shall be kept.
    display
        What shows a reply in which a cell ends.
    changed
        Called, on any thread, when the conversation that goes on has a new turn, lost
        one, or is another.
    path
        The file; by default ``codebuddy/chats.sqlite3`` in Jupyter's data directory.
    """

    def __init__(
        self,
        loop: Loop,
        notebook: Callable[[], Path | None],
        wanted: Callable[[], bool],
        display: Callable[[Reply], None] | None = None,
        changed: Callable[[], None] = lambda: None,
        path: Path | None = None,
    ) -> None:
        self._loop = loop
        self._find_notebook = notebook
        self._wanted = wanted
        self._display = display
        self._changed = changed
        self._path = path
        self._lock = threading.RLock()
        self._worker = Worker("buddy-history", 2 * BUSY)
        self._notebook: Path | None = None
        self._store: Store | None = None
        self._current: Chat | None = None
        self._trouble = ""
        self._notes: list[str] = []

    @property
    def current(self) -> Chat:
        """The conversation that goes on; the first look reads what the notebook's last
        one was.
        """
        with self._lock:
            if self._current is None:
                self._current = self._last() or Chat()
            return self._current

    def new(self) -> Chat:
        """Begin a new conversation."""
        with self._lock:
            chat = self._current = Chat()
        self._changed()
        return chat

    def keep(self, chat: Chat, turn: Turn, question: str) -> None:
        """Keep a turn from now on: its question as it is given here, and the answer
        when that has ended.
        """
        kept = StoredTurn(turn.id, turn.asked, question, turn.reply.format)
        self._soon(lambda store, notebook: store.begin(notebook, chat.id, kept))
        turn.reply.when_done(
            lambda: self._soon(lambda store, _: _end(store, turn, kept))
        )
        self._changed()

    def forget(self, turn: Turn) -> None:
        """Keep a turn no more, which is taken out of its conversation."""
        self._soon(lambda store, _: store.drop(turn.id))
        self._changed()

    def listed(self) -> list[StoredChat]:
        """The conversations that are kept of this notebook, the one last used first.

        Raises
        ------
        NotKept
            When none are kept; it says why.
        """
        store, notebook = self._kept()
        return store.chats(notebook)

    def switch(self, number: int) -> Chat:
        """Go on with another conversation of this notebook.

        Raises
        ------
        SettingError
            When there is none of this number.
        NotKept
            When none are kept.
        """
        store, notebook = self._kept()
        chosen = next(
            (chat for chat in store.chats(notebook) if chat.number == number), None
        )
        if chosen is None:
            raise SettingError(f"There is no conversation {number}: see %buddy /chats")
        with self._lock:
            if self._current is None or self._current.id != chosen.id:
                self._current = self._loaded(chosen.id, store.turns(chosen.id))
            chat = self._current
        self._changed()
        return chat

    def delete(self, number: int | None = None) -> int:
        """Delete a conversation of this notebook, or all, for good; gives how many
        there were.

        Raises
        ------
        NotKept
            When none are kept, or the file cannot be written.
        """
        store, notebook = self._kept()
        deleted = store.delete(notebook, number)
        with self._lock:
            if self._current is not None and self._current.id in deleted:
                self._current = Chat()
        self._changed()
        return len(deleted)

    def notes(self) -> list[str]:
        """Lines for the user that have not been told yet, about what could not be read
        or kept.
        """
        notes = list(self._notes)
        del self._notes[: len(notes)]
        return notes

    def stop(self) -> None:
        """Stop the answers of the conversation that goes on."""
        for turn in list(self._current.turns) if self._current else ():
            turn.reply.close()

    def close(self) -> None:
        """Write what is left."""
        self._worker.close()

    def _place(self) -> tuple[Store, str] | None:
        """Where this notebook's conversations are kept; once its file is known, it
        stays the same.
        """
        if self._trouble or not self._wanted():
            return None
        self._notebook = self._notebook or self._find_notebook()
        if self._notebook is None:
            return None
        self._store = self._store or Store(
            self._path or _default_path(), self._notes.append
        )
        return self._store, str(self._notebook)

    def _kept(self) -> tuple[Store, str]:
        self._worker.wait()
        place = self._place()
        if place is not None:
            return place
        if self._trouble:
            raise NotKept(self._trouble)
        if not self._wanted():
            raise NotKept(
                "Conversations are not kept: that is switched off. %config Buddy.keep_chats = True"
            )
        raise NotKept(
            "Conversations are kept for notebooks only, and this kernel was not told of one."
        )

    def _last(self) -> Chat | None:
        place = self._place()
        if place is None:
            return None
        try:
            latest = place[0].latest(place[1])
        except NotKept as error:
            self._give_up(error)
            return None
        return self._loaded(*latest) if latest else None

    def _loaded(self, id: str, turns: list[StoredTurn]) -> Chat:
        return Chat([self._turn(turn) for turn in turns], id)

    def _turn(self, kept: StoredTurn) -> Turn:
        reply = Reply.ended_as(
            kept.question,
            Chunk(kept.answer, kept.reasoning, usage=kept.usage, finish=kept.finish),
            self._loop,
            whole=kept.whole,
            display=self._display,
            format=kept.format,
        )
        reply.provider, reply.model = kept.provider, kept.model
        return Turn(kept.question, reply, id=kept.id, asked=kept.asked)

    def _soon(self, errand: Callable[[Store, str], None]) -> None:
        place = self._place()
        if place is not None:
            self._worker.put(lambda: self._try(errand, *place))

    def _try(
        self, errand: Callable[[Store, str], None], store: Store, notebook: str
    ) -> None:
        if self._trouble:
            return
        try:
            errand(store, notebook)
        except NotKept as error:
            self._give_up(error)

    def _give_up(self, error: NotKept) -> None:
        self._trouble = str(error)
        self._notes.append(self._trouble)


def _end(store: Store, turn: Turn, kept: StoredTurn) -> None:
    """Write how a turn ended; a question that did not fit is no part of its
    conversation.
    """
    reply = turn.reply
    if isinstance(reply.error, PromptTooLong):
        store.drop(turn.id)
        return
    ended = StoredTurn(
        kept.id,
        kept.asked,
        kept.question,
        kept.format,
        reply.text,
        reply.reasoning,
        reply.provider,
        reply.model,
        reply.usage,
        reply.finish,
        whole=reply.error is None,
    )
    store.end(ended)


def _default_path() -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir(), "codebuddy", "chats.sqlite3")
