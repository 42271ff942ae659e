"""Writes turns to the store, in the background and in order, until that succeeds.

An answer is written while it comes, so that a kernel that is killed loses no more than
the last second of it.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..background.worker import Worker
from ..errors import NotKept, PromptTooLong, Remedy
from ..messages import Message
from .conversation import Chat, Turn
from .sqlite_file import BUSY_SECONDS
from .store import Store
from .tables import StoredTurn

# Seconds between two writes of an answer that comes.
INTERVAL = 1.0
# A slow disk gets a pause of so many times what the last writes took.
PAUSE_RATIO = 5.0
# Seconds until what could not be written is tried again, unless a new turn comes first.
RETRY_SECONDS = 3.0
# Turns that wait at most; of more the oldest are lost.
MAX_WAITING = 1_000

NOT_WANTED = Remedy("Keep none", "%config Buddy.keep_chats = False")
KEPT_AGAIN = "Conversations are kept again, and the waiting turns are written."


@dataclass(eq=False)
class _Waiting:
    """A turn of which something is to be written.

    Parameters
    ----------
    chat
        The id of its conversation.
    turn
        The turn.
    file
        In which of the store's files it is; None: in none yet.
    chunks
        How much of its reply was written.
    is_dropped
        Whether it is to be deleted.
    """

    chat: str
    turn: Turn
    file: int | None = None
    chunks: int = -1
    is_dropped: bool = False

    @property
    def has_news(self) -> bool:
        """Whether there is anything to write now."""
        reply = self.turn.reply
        return self.is_dropped or reply.done or len(reply.chunks) > self.chunks

    def write(self, store: Store, notebook: str) -> bool:
        """Write what is new; return whether that was all.

        A question that did not fit the context window is no part of its conversation.
        """
        reply = self.turn.reply
        has_ended = reply.done
        is_refused = has_ended and isinstance(reply.error, PromptTooLong)
        if self.is_dropped or is_refused:
            if self.file is not None:
                store.drop(self.turn.id)
            return True
        chunks = len(reply.chunks)
        stored = _stored(self.turn, has_ended=has_ended)
        if self.file == store.files:
            store.end(stored)
        # The file may have been deleted, which only writing to it reveals.
        if self.file != store.files:
            store.begin(notebook, self.chat, stored)
        self.file = store.files
        self.chunks = chunks
        return has_ended


class Keeping:
    """Keeps turns on disk; no method waits for the disk, except where it says so.

    Parameters
    ----------
    find_store
        Gives the store and the notebook's name in it; None: nothing is kept now.
    """

    def __init__(self, find_store: Callable[[], tuple[Store, str] | None]) -> None:
        self._find_store = find_store
        self._worker = Worker("buddy-history", 2 * BUSY_SECONDS)
        self._reset()
        atexit.register(self.close)

    def _reset(self) -> None:
        # A forked child leaves to its parent what waits there.
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}
        self._is_queued = False
        self._due: float | None = None
        self._to_restore: Chat | None = None
        self._trouble: NotKept | None = None
        self._is_told = False
        self._lost = 0
        self._notes: list[str] = []

    @property
    def trouble(self) -> NotKept | None:
        """Why turns cannot be written; None where nothing failed last."""
        return self._trouble

    def keep(self, chat: str, turn: Turn) -> None:
        """Write a turn: now, while its answer comes, and when that has ended."""
        self._check_process()
        with self._lock:
            self._waiting[turn.id] = _Waiting(chat, turn)
            if len(self._waiting) > MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
                self._lost += 1
        self._queue()
        turn.reply.when_done(self._queue)

    def drop(self, chat: str, turn: Turn) -> None:
        """Delete a turn."""
        self._check_process()
        with self._lock:
            in_file = _Waiting(chat, turn, file=0)
            self._waiting.setdefault(turn.id, in_file).is_dropped = True
        self._queue()

    def chats(self) -> set[str]:
        """Return the ids of the conversations of which something is to be written."""
        with self._lock:
            return {waiting.chat for waiting in self._waiting.values()}

    def forget(self, chats: Collection[str]) -> None:
        """Write nothing more of conversations that were deleted."""
        with self._lock:
            for id, waiting in list(self._waiting.items()):
                if waiting.chat in chats:
                    del self._waiting[id]

    def restore(self, chat: Chat) -> None:
        """Write a conversation anew, whose file was set aside."""
        self._to_restore = chat

    def turns(self, chat: str) -> list[Turn]:
        """Return the turns of a conversation of which something is to be written."""
        with self._lock:
            return [
                waiting.turn
                for waiting in self._waiting.values()
                if waiting.chat == chat and not waiting.is_dropped
            ]

    def tell(self, note: str) -> None:
        """Add a line for the user."""
        with self._lock:
            self._notes.append(note)

    def notes(self) -> list[str]:
        """Return lines for the user: each once, and the present trouble each time."""
        is_wanted = self._find_store() is not None
        with self._lock:
            notes, self._notes = self._notes, []
            if self._trouble is not None and is_wanted:
                self._is_told = True
                notes.append(_line(self._trouble))
        return notes

    def after(self, job: Callable[[], None]) -> None:
        """Run a job after what is to be written now."""
        self._worker.put(job)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for what is to be written now, as `Worker.wait`."""
        return self._worker.wait(timeout)

    def close(self) -> None:
        """Write what has not been written yet; that takes ten seconds at most."""
        atexit.unregister(self.close)
        if self._process == os.getpid() and self._waiting:
            self._queue()
        self._worker.close()

    def _check_process(self) -> None:
        if self._process != os.getpid():
            self._reset()

    def _queue(self) -> None:
        """Have everything written soon; once is enough, however often it is asked."""
        with self._lock:
            if self._is_queued:
                return
            self._is_queued = True
        self._worker.put(self._flush)

    # All below runs on the worker's thread

    def _flush(self) -> None:
        with self._lock:
            self._is_queued = False
            self._due = None
        opened = self._find_store()
        if opened is None:
            with self._lock:
                self._waiting.clear()
            self._trouble = self._to_restore = None
            return
        began = time.monotonic()
        try:
            has_written = self._write_all(*opened)
        except NotKept as error:
            self._trouble = error
            self._plan(RETRY_SECONDS)
        else:
            if has_written:
                self._note_success()
            took = time.monotonic() - began
            self._plan(max(INTERVAL, PAUSE_RATIO * took))

    def _write_all(self, store: Store, notebook: str) -> bool:
        """Write what is new; return whether anything was."""
        with self._lock:
            with_news = [
                waiting for waiting in self._waiting.values() if waiting.has_news
            ]
        for waiting in with_news:
            self._write(waiting, store, notebook)
        chat = self._to_restore
        if chat is not None:
            store.restore(notebook, chat.id, _stored_turns(chat))
            self._to_restore = None
        return bool(with_news)

    def _write(self, waiting: _Waiting, store: Store, notebook: str) -> None:
        is_dropped = waiting.is_dropped
        is_all = waiting.write(store, notebook)
        id = waiting.turn.id
        with self._lock:
            # It may have been dropped or forgotten meanwhile.
            is_unchanged = waiting.is_dropped == is_dropped
            if is_all and is_unchanged and self._waiting.get(id) is waiting:
                del self._waiting[id]

    def _note_success(self) -> None:
        with self._lock:
            if self._lost:
                lost = f"The {self._lost:,} turns before that were lost."
                self._notes.append(f"{KEPT_AGAIN} {lost}")
            elif self._is_told:
                self._notes.append(KEPT_AGAIN)
            self._trouble = None
            self._is_told = False
            self._lost = 0

    def _plan(self, seconds: float) -> None:
        """Write again after a while, if anything is left to write then."""
        if not self._waiting:
            return
        due = time.monotonic() + seconds
        self._due = due
        self._worker.put(lambda: self._flush_planned(due), due)

    def _flush_planned(self, due: float) -> None:
        if self._due == due:
            self._flush()


def _line(trouble: NotKept) -> str:
    """Return the line about trouble that lasts."""
    what = f"{trouble.what} This will be tried again."
    return str(NotKept(what, *trouble.remedies, NOT_WANTED))


def _stored_turns(chat: Chat) -> list[StoredTurn]:
    """Return those turns of a conversation that are kept."""
    stored = []
    for turn in list(chat.turns):
        has_ended = turn.reply.done
        if turn.kept_question and not isinstance(turn.reply.error, PromptTooLong):
            stored.append(_stored(turn, has_ended=has_ended))
    return stored


def _stored(turn: Turn, *, has_ended: bool) -> StoredTurn:
    """Return a turn as it is now, with the question as it is to be kept."""
    _, *others = turn.messages_so_far
    reply = turn.reply
    return StoredTurn(
        id=turn.id,
        asked=turn.asked,
        messages=(Message("user", turn.kept_question), *others),
        format=reply.format,
        reasoning=reply.reasoning,
        provider=reply.provider,
        model=reply.model,
        usage=reply.usage,
        finish=reply.finish,
        complete=has_ended and reply.error is None,
    )
