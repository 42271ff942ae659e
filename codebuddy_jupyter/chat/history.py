"""The conversations of this kernel's notebook: the current one, and those on disk.

They are written in the background, in order: no answer waits for a disk, and none fails
because of one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import NotKept, PromptTooLong, Remedy, SettingError
from ..loop import Loop
from ..messages import Chunk, Message
from ..worker import Worker
from .conversation import Chat, Turn
from .reply import Reply
from .store import BUSY_SECONDS, Store
from .tables import StoredChat, StoredTurn

# Characters of a question that are kept.
MAX_QUESTION = 100_000


class History:
    """The conversations of one notebook.

    A kernel continues the one that was last used, or the one that the user chooses.

    Parameters
    ----------
    loop
        The background loop, for the replies of earlier turns.
    notebook
        Gives the notebook's file; None if it is not known: nothing is kept then.
    is_wanted
        Gives whether conversations are to be kept.
    display
        Shows a reply in which a cell ends.
    changed
        Called, on any thread, when the current conversation has a new turn, lost one,
        or is another.
    path
        The file; by default ``codebuddy/chats.sqlite3`` in Jupyter's data directory.
    """

    def __init__(
        self,
        loop: Loop,
        notebook: Callable[[], Path | None],
        is_wanted: Callable[[], bool],
        display: Callable[[Reply], None] | None = None,
        changed: Callable[[], None] = lambda: None,
        path: Path | None = None,
    ) -> None:
        self._loop = loop
        self._find_notebook = notebook
        self._is_wanted = is_wanted
        self._display = display
        self._changed = changed
        self._path = path
        self._lock = threading.RLock()
        self._worker = Worker("buddy-history", 2 * BUSY_SECONDS)
        self._notebook: Path | None = None
        self._store: Store | None = None
        self._current: Chat | None = None
        self._failure = ""
        self._notes: list[str] = []

    @property
    def current(self) -> Chat:
        """The current conversation; at first the notebook's last one, read from disk."""
        with self._lock:
            if self._current is None:
                self._current = self._read_latest() or Chat()
            return self._current

    def new(self) -> Chat:
        """Begin a new conversation."""
        with self._lock:
            chat = self._current = Chat()
        self._changed()
        return chat

    def keep(self, chat: Chat, turn: Turn, question: str) -> None:
        """Keep a turn on disk: the question now, the answer when it has ended.

        Parameters
        ----------
        chat, turn
            The conversation, and its new turn.
        question
            The question as it is to be kept, without secrets.
        """
        stored = _stored(turn, question)
        self._submit(lambda store, notebook: store.begin(notebook, chat.id, stored))
        turn.reply.when_done(
            lambda: self._submit(lambda store, _: _end(store, turn, question))
        )
        self._changed()

    def take_back(self, reply: Reply) -> bool:
        """Stop a reply and remove its turn, if it is the last of the conversation.

        Returns
        -------
        bool
            Whether it was the last.
        """
        turns = self.current.turns
        if not turns or turns[-1].reply is not reply:
            return False
        reply.close()
        turn = turns.pop()
        self._submit(lambda store, _: store.drop(turn.id))
        self._changed()
        return True

    def listed(self) -> list[StoredChat]:
        """Return the conversations of this notebook on disk, the last used first.

        Raises
        ------
        NotKept
            If conversations are not kept; the error says why.
        """
        store, notebook = self._opened()
        return store.chats(notebook)

    def switch(self, number: int) -> Chat:
        """Continue another conversation of this notebook.

        Raises
        ------
        SettingError
            If there is none of this number.
        NotKept
            If conversations are not kept.
        """
        store, notebook = self._opened()
        chosen = _numbered(store.chats(notebook), number)
        with self._lock:
            if self._current is None or self._current.id != chosen.id:
                self._current = self._chat(chosen.id, store.turns(chosen.id))
            chat = self._current
        self._changed()
        return chat

    def delete(self, number: int | None = None) -> int:
        """Delete one conversation of this notebook, or all of them, for good.

        Returns
        -------
        int
            How many were deleted.

        Raises
        ------
        NotKept
            If conversations are not kept, or the file cannot be written.
        """
        store, notebook = self._opened()
        deleted = store.delete(notebook, number)
        with self._lock:
            if self._current is not None and self._current.id in deleted:
                self._current = Chat()
        self._changed()
        return len(deleted)

    def notes(self) -> list[str]:
        """Return lines for the user about what could not be read or kept, each once."""
        notes = list(self._notes)
        del self._notes[: len(notes)]
        return notes

    def stop(self) -> None:
        """Stop the answers of the current conversation."""
        if self._current is not None:
            for turn in list(self._current.turns):
                turn.reply.close()

    def close(self) -> None:
        """Write what has not been written yet."""
        self._worker.close()

    def _try_opened(self) -> tuple[Store, str] | None:
        """Return the store and this notebook's name in it; None if nothing is kept.

        Once the notebook's file is known, it stays the same.
        """
        if self._failure or not self._is_wanted():
            return None
        self._notebook = self._notebook or self._find_notebook()
        if self._notebook is None:
            return None
        if self._store is None:
            self._store = Store(self._path or _default_path(), self._notes.append)
        return self._store, str(self._notebook)

    def _opened(self) -> tuple[Store, str]:
        self._worker.wait()
        opened = self._try_opened()
        if opened is not None:
            return opened
        if self._failure:
            raise NotKept(self._failure)
        if not self._is_wanted():
            raise NotKept(
                "Conversations are not kept, since that is switched off.",
                Remedy("Switch it on", "%config Buddy.keep_chats = True"),
            )
        raise NotKept(
            "Conversations are only kept for notebooks, and this kernel was not started "
            "by one."
        )

    def _read_latest(self) -> Chat | None:
        opened = self._try_opened()
        if opened is None:
            return None
        store, notebook = opened
        try:
            latest = store.latest(notebook)
        except NotKept as error:
            self._give_up(error)
            return None
        if latest is None:
            return None
        id, turns = latest
        return self._chat(id, turns)

    def _chat(self, id: str, turns: list[StoredTurn]) -> Chat:
        return Chat([self._turn(turn) for turn in turns], id)

    def _turn(self, stored: StoredTurn) -> Turn:
        content = Chunk(
            stored.answer,
            stored.reasoning,
            usage=stored.usage,
            finish=stored.finish,
        )
        reply = Reply.ended_with(
            stored.question,
            content,
            self._loop,
            complete=stored.complete,
            display=self._display,
            format=stored.format,
        )
        reply.provider = stored.provider
        reply.model = stored.model
        return Turn(
            stored.question,
            reply,
            id=stored.id,
            asked=stored.asked,
            steps=_steps(stored.messages),
        )

    def _submit(self, job: Callable[[Store, str], None]) -> None:
        opened = self._try_opened()
        if opened is None:
            return
        store, notebook = opened
        self._worker.put(lambda: self._run(job, store, notebook))

    def _run(
        self, job: Callable[[Store, str], None], store: Store, notebook: str
    ) -> None:
        if self._failure:
            return
        try:
            job(store, notebook)
        except NotKept as error:
            self._give_up(error)

    def _give_up(self, error: NotKept) -> None:
        self._failure = str(error)
        self._notes.append(self._failure)


def _numbered(chats: list[StoredChat], number: int) -> StoredChat:
    for chat in chats:
        if chat.number == number:
            return chat
    raise SettingError(
        f"There is no conversation {number}.", Remedy("List them", "%buddy /chats")
    )


def _steps(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return what is between the question and the final answer."""
    steps = messages[1:]
    if not steps:
        return ()
    last = steps[-1]
    is_answer = last.role == "assistant" and not last.tool_calls
    return steps[:-1] if is_answer else steps


def _stored(turn: Turn, question: str) -> StoredTurn:
    """Return a turn as it is now, with the question as it is to be kept."""
    _, *others = turn.messages_as_typed
    reply = turn.reply
    return StoredTurn(
        id=turn.id,
        asked=turn.asked,
        messages=(Message("user", question), *others),
        format=reply.format,
        reasoning=reply.reasoning,
        provider=reply.provider,
        model=reply.model,
        usage=reply.usage,
        finish=reply.finish,
        complete=reply.done and reply.error is None,
    )


def _end(store: Store, turn: Turn, question: str) -> None:
    """Write how a turn ended.

    A question that did not fit the context window is no part of its conversation.
    """
    if isinstance(turn.reply.error, PromptTooLong):
        store.drop(turn.id)
    else:
        store.end(_stored(turn, question))


def _default_path() -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir(), "codebuddy", "chats.sqlite3")
