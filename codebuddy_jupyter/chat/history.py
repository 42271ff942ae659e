"""The conversations of this kernel's notebook: the current one, and those on disk.

They are written in the background: no answer waits for a disk, and none fails because of
one. Where somebody waits for what is read, the wait has an end.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..background.loop import Loop
from ..background.worker import Worker, settle
from ..context.fit import Redact
from ..errors import NotKept, Remedy, SettingError
from ..messages import Chunk, Message
from .conversation import Chat, Turn
from .keeping import Keeping
from .looks import is_of_look, looks_in
from .reply import Reply
from .sqlite_file import SHORT_BUSY_SECONDS
from .store import Store
from .tables import StoredChat, StoredTurn

T = TypeVar("T")

# Characters of a question that are kept.
MAX_QUESTION = 100_000
# Characters after those that are redacted as well: a secret at the end is seen whole.
BEYOND_QUESTION = 10_000
# Characters of a name that the user gives to a conversation.
MAX_NAME = 100
# Seconds to wait for the disk where somebody waits for the conversations.
PATIENCE = SHORT_BUSY_SECONDS


def question_to_keep(text: str, redact: Redact) -> str:
    """Return the text of a question as it is kept: without secrets, and not too long."""
    return redact(text[: MAX_QUESTION + BEYOND_QUESTION]).text[:MAX_QUESTION]


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
        self._store_lock = threading.Lock()
        self._keeping = Keeping(self._try_opened)
        self._reader = Worker("buddy-history-reader")
        self._notebook: Path | None = None
        self._store: Store | None = None
        self._current: Chat | None = None
        self._lists_queued = 0
        self._listeners: set[Callable[[list[StoredChat]], None]] = set()

    @property
    def is_read(self) -> bool:
        """Whether `current` reads nothing from disk any more."""
        return self._current is not None

    @property
    def current(self) -> Chat:
        """The current conversation; at first the notebook's last one, read from disk.

        Where it cannot be read in time, a new one begins.
        """
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
        """Keep a turn on disk: its question, and its answer while it comes.

        Parameters
        ----------
        chat, turn
            The conversation, and its new turn.
        question
            The question as it is to be kept, without secrets.
        """
        if self._try_opened() is None:
            self._keeping.forget(self._keeping.chats())
        else:
            turn.kept_question = question
            self._keeping.keep(chat.id, turn)
        self._changed()

    def take_back(self, reply: Reply) -> bool:
        """Stop a reply and remove its turn, if it is the last of the conversation.

        Returns
        -------
        bool
            Whether it was the last.
        """
        chat = self.current
        if not chat.turns or chat.turns[-1].reply is not reply:
            return False
        reply.close()
        turn = chat.turns.pop()
        if self._try_opened() is not None:
            self._keeping.drop(chat.id, turn)
        self._changed()
        return True

    def branch(self, reply: Reply, name: str) -> bool:
        """Begin a new conversation with the turns before a reply.

        The present conversation stays on disk as it is.

        Parameters
        ----------
        reply
            The reply of the first turn that the new conversation does not have.
        name
            The name of the new conversation.

        Returns
        -------
        bool
            Whether that was done: not if nothing is kept, since the turns from the
            reply on would be lost, or if the reply is of another conversation.
        """
        chat = self.current
        replies = [turn.reply for turn in chat.turns]
        opened = self._try_opened()
        if opened is None or reply not in replies:
            return False
        earlier = chat.turns[: replies.index(reply)]
        turns = [replace(turn, id=uuid.uuid4().hex) for turn in earlier]
        branch = Chat(turns)
        with self._lock:
            self._current = branch
        for turn in branch.turns:
            if turn.kept_question:
                self._keeping.keep(branch.id, turn)
        store, _ = opened
        if branch.turns:
            self._keeping.after(lambda: _try_name(store, branch.id, name))
        self._changed()
        return True

    def rename(self, number: int, name: str) -> str:
        """Name a conversation of this notebook; an empty name takes its name away.

        Returns
        -------
        str
            The name as it is kept, on one line and not too long.

        Raises
        ------
        SettingError
            If there is none of this number.
        NotKept
            If conversations are not kept, or the file cannot be written.
        """
        store, notebook = self._opened()
        chats = self._answer(lambda: store.chats(notebook))
        chosen = _numbered(chats, number)
        line = " ".join(name.split())[:MAX_NAME]
        self._answer(lambda: store.name(chosen.id, line))
        self._changed()
        return line

    def search(self, words: str) -> list[int]:
        """Return the numbers of this notebook's conversations that contain these words.

        Raises
        ------
        NotKept
            If conversations are not kept.
        """
        store, notebook = self._opened()
        return self._answer(lambda: store.chats_with(notebook, words))

    def listed(self) -> list[StoredChat]:
        """Return the conversations of this notebook on disk, the last used first.

        Raises
        ------
        NotKept
            If conversations are not kept; the error says why.
        """
        store, notebook = self._opened()
        chats = self._answer(lambda: store.chats(notebook))
        if self.trouble is not None and not chats:
            raise self.trouble
        return chats

    def list_later(self, show: Callable[[list[StoredChat]], None]) -> None:
        """Call a function, perhaps on another thread, with what `listed` returns then.

        Nobody waits, not even for what is to be written first. The list is empty where
        conversations are not kept.
        """

        if self._try_opened() is None:
            show([])
            return
        with self._store_lock:
            self._lists_queued += 1
            self._listeners.add(show)
        self._keeping.after(self._list)

    def _list(self) -> None:
        with self._store_lock:
            self._lists_queued -= 1
            if self._lists_queued:
                # The last one comes after all that is to be written.
                return
            listeners, self._listeners = self._listeners, set()
        chats: list[StoredChat] = []
        # Whoever asks for the list is told why there is none.
        with suppress(NotKept):
            opened = self._try_opened()
            if opened is not None:
                store, notebook = opened
                chats = store.chats(notebook)
        for show in listeners:
            show(chats)

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
        chats = self._answer(lambda: store.chats(notebook))
        chosen = _numbered(chats, number)
        if self._current is None or self._current.id != chosen.id:
            turns = self._answer(lambda: store.turns(chosen.id))
            chat = self._chat(chosen.id, turns)
            with self._lock:
                self._current = chat
        self._changed()
        return self.current

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
        deleted = self._answer(lambda: store.delete(notebook, number))
        gone = set(deleted)
        if number is None:
            gone |= self._keeping.chats()
        self._keeping.forget(gone)
        with self._lock:
            if self._current is not None and self._current.id in gone:
                self._current = Chat()
        self._changed()
        return len(deleted)

    def notes(self) -> list[str]:
        """Return lines for the user about what could not be read or kept.

        Each comes once, and that conversations cannot be kept as long as it lasts.
        """
        return self._keeping.notes()

    @property
    def trouble(self) -> NotKept | None:
        """Why turns cannot be written; None where nothing failed last."""
        return self._keeping.trouble

    def stop(self) -> None:
        """Stop the answers of the current conversation."""
        if self._current is not None:
            for turn in list(self._current.turns):
                turn.reply.close()

    def close(self) -> None:
        """Write what has not been written yet."""
        self._keeping.close()

    def wait(self) -> None:
        """Wait until everything is written that can be written now."""
        self._keeping.wait()

    def _try_opened(self) -> tuple[Store, str] | None:
        """Return the store and this notebook's name in it; None if nothing is kept.

        Once the notebook's file is known, it stays the same.
        """
        if not self._is_wanted():
            return None
        self._notebook = self._notebook or self._find_notebook()
        if self._notebook is None:
            return None
        with self._store_lock:
            if self._store is None:
                self._store = Store(self._path or _default_path(), self._note_set_aside)
        return self._store, _name(self._notebook)

    def _opened(self) -> tuple[Store, str]:
        self._keeping.wait(PATIENCE)
        opened = self._try_opened()
        if opened is not None:
            return opened
        if not self._is_wanted():
            raise NotKept(
                "Conversations are not kept, since that is switched off.",
                Remedy("Switch it on", "%config Buddy.keep_chats = True"),
            )
        raise NotKept(
            "Conversations are only kept for notebooks, and this kernel was not started "
            "by one."
        )

    def _answer(self, question: Callable[[], T]) -> T:
        """Return what the store answers, on another thread: a disk can hang."""
        answer: Future[T] = Future()
        self._reader.put(lambda: settle(answer, question))
        try:
            return answer.result(2 * PATIENCE)
        except TimeoutError as error:
            answer.cancel()
            raise NotKept(
                "The disk with the conversations does not respond."
            ) from error

    def _note_set_aside(self, line: str) -> None:
        self._keeping.tell(line)
        if self._current is not None:
            self._keeping.restore(self._current)

    def _read_latest(self) -> Chat | None:
        opened = self._try_opened()
        if opened is None:
            return None
        store, notebook = opened
        try:
            latest = self._answer(lambda: store.latest(notebook))
        except NotKept as error:
            later = Remedy("Continue an earlier conversation later", "%buddy /chats")
            self._keeping.tell(str(NotKept(error.what, later)))
            return None
        if latest is None:
            return None
        id, turns = latest
        return self._chat(id, turns)

    def _chat(self, id: str, stored: list[StoredTurn]) -> Chat:
        """Return a conversation that was read, with what is not written of it yet."""
        waiting = {turn.id: turn for turn in self._keeping.turns(id)}
        turns = []
        for turn in stored:
            if turn.id in waiting:
                turns.append(waiting.pop(turn.id))
            else:
                turns.append(self._turn(turn))
        return Chat([*turns, *waiting.values()], id)

    def _turn(self, stored: StoredTurn) -> Turn:
        steps = _steps(stored.messages)
        looks = tuple(filter(is_of_look, steps))
        content = Chunk(
            stored.answer,
            stored.reasoning,
            usage=stored.usage,
            finish=stored.finish,
            looked=tuple(looks_in(looks)),
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
            steps=tuple([step for step in steps if not is_of_look(step)]),
            kept_question=stored.question,
            looks=looks,
        )


def _try_name(store: Store, chat: str, name: str) -> None:
    # Without a name, the list shows its first question.
    with suppress(NotKept):
        store.name(chat, name)


def _numbered(chats: list[StoredChat], number: int) -> StoredChat:
    for chat in chats:
        if chat.number == number:
            return chat
    raise SettingError(
        f"There is no conversation {number}.", Remedy("List them", "%buddy /chats")
    )


def _name(notebook: Path) -> str:
    """Return the path as a text that can be stored; not every name is UTF-8."""
    return str(notebook).encode("utf-8", "backslashreplace").decode()


def _steps(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return what is between the question and the final answer."""
    steps = messages[1:]
    if not steps:
        return ()
    last = steps[-1]
    if last.role == "assistant" and not last.tool_calls:
        return steps[:-1]
    return steps


def _default_path() -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir(), "codebuddy", "chats.sqlite3")
