"""The chat in the page: it shows the Buddy's conversation, whoever asked, and sends
what is typed there.

Messages of the page are taken on a thread that must not wait, so a thread of its own
works them off and follows the answers. It is there while there is something to do.
"""

from __future__ import annotations

import difflib
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from itertools import count
from typing import Any

from traitlets import Unicode

from ..buddy import Buddy
from ..chat.conversation import titled
from ..chat.reply import Reply
from ..commands import Call, read, run
from ..commands.completion import Offers
from ..errors import BuddyError, NotKept, Stopped
from .meter import Meter
from .page import Content, PageWidget
from .transcript import STOPPED, Answer, CommandOutput

# so many of the last turns are told to a page that opens; it asks for others when they
# come into view
AT_ONCE = 20
# completions at most
OFFERED = 12


class ChatView(PageWidget):
    """Transcript and composer.

    Parameters
    ----------
    buddy
        Whose conversation it shows.
    shell
        The shell of the notebook, which holds the user's variables.
    after
        Called after each answer, with the reply.
    """

    part = Unicode("chat").tag(sync=True)

    def __init__(
        self,
        buddy: Buddy,
        shell: Any,
        after: Callable[[Reply], None],
    ) -> None:
        self.buddy = buddy
        self.shell = shell
        self.after = after
        self.cell = ""
        self._chat = buddy.chat
        self._entries: list[Answer | CommandOutput] = []
        self._numbers = count(1)
        self._asked: weakref.WeakKeyDictionary[Reply, tuple[str, str]] = (
            weakref.WeakKeyDictionary()
        )
        self._jobs: list[Callable[[], None]] = []
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        super().__init__()
        self.meter = Meter(buddy, shell.user_ns, self.tell)
        self._offers = _offers(buddy, shell)
        buddy.watchers.append(self._turns_changed)
        buddy.observe(self._keeping_changed, "keep_chats")

    def close(self) -> None:
        """Leave the page; what was asked here is stopped, what a cell asked goes on."""
        with self._news:
            self._closed = True
            self._news.notify()
        if self._turns_changed in self.buddy.watchers:
            self.buddy.watchers.remove(self._turns_changed)
            self.buddy.unobserve(self._keeping_changed, "keep_chats")
        self.meter.close()
        self._stop_own()
        for entry in list(self._entries):
            if isinstance(entry, CommandOutput):
                entry.close()
        super().close()

    def note_cell(self, cell: str) -> None:
        """Note which cell runs: new code is put below it."""
        self.cell = cell
        self.tell("cell", cell=cell)

    def note_end(self) -> None:
        """Note that a cell has run: what the next question sends may be other than what
        the page shows.
        """
        self.tell("stale")

    # What the page sends

    def take_ready(self, content: Content) -> None:
        """A page shows the widget, and has nothing yet."""
        self._do(self._sync)
        self._do(partial(self._tell_all, str(content["view"])))
        self._do(self._tell_chats)

    def take_want(self, content: Content) -> None:
        """A turn came into view of which the page has the question alone."""
        self._do(partial(self._tell_whole, content["turn"]))

    def take_ask(self, content: Content) -> None:
        """Somebody pressed Send; ``instead`` names the turn whose place the question
        takes.
        """
        self.tell("taken", ask=content["ask"])
        self._see(content)
        self._do(
            partial(
                self._ask, str(content["text"]), content["ask"], content.get("instead")
            )
        )

    def _see(self, content: Content) -> None:
        """Let the kernel know the notebook as it stands in the page, unsaved cells and
        all, where the page knows it.
        """
        session, cells = self.buddy.collector.session, content.get("cells")
        if session is not None and isinstance(cells, list):
            session.set_open_cells(cells)

    def take_stop(self, content: Content) -> None:
        """Stop what comes, whoever asked it, and the commands that still work."""
        for entry in list(self._entries):
            (entry.reply if isinstance(entry, Answer) else entry).close()
        self._do(self._sync)

    def take_reset(self, content: Content) -> None:
        """Begin a new conversation."""
        self._stop_own()
        self._do(self._reset)

    def take_switch(self, content: Content) -> None:
        """Go on with another conversation."""
        self._stop_own()
        self._do(
            partial(
                self._with_chats,
                partial(self.buddy.history.switch, int(content["number"])),
            )
        )

    def take_delete(self, content: Content) -> None:
        """Delete a conversation for good."""
        self._stop_own()
        self._do(
            partial(
                self._with_chats,
                partial(self.buddy.history.delete, int(content["number"])),
            )
        )

    def take_measure(self, content: Content) -> None:
        """Somebody stopped typing, or wants to see what would be sent."""
        self._see(content)
        self._do(
            partial(self.meter.look, str(content["text"]), whole=bool(content["whole"]))
        )

    def take_sections(self, content: Content) -> None:
        """Somebody chose what of the notebook is told."""
        self.meter.choose(content["sections"])

    def take_complete(self, content: Content) -> None:
        """Somebody types a word after ``/`` or ``@``."""
        self._do(partial(self._complete, str(content["text"])))

    def take_insert(self, content: Content) -> None:
        """Code shall become a cell, and the page cannot reach the notebook."""
        self.shell.set_next_input(str(content["code"]))
        self.tell("noted", text="The code comes below the next cell that you run.")

    def take_diff(self, content: Content) -> None:
        """Somebody wants to see what code changes of a cell's."""
        self._do(partial(self._diff, content))

    def _stop_own(self) -> None:
        with self._news:
            own = list(self._asked)
        for reply in own:
            reply.close()

    # Work, on a thread of its own

    def _turns_changed(self) -> None:
        self._do(self._sync)
        self._do(self._tell_chats)

    def _keeping_changed(self, change: object) -> None:
        self._do(self._tell_chats)

    def _do(self, job: Callable[[], None]) -> None:
        with self._news:
            if self._closed:
                return
            self._jobs.append(job)
            self._news.notify()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="buddy-panel", daemon=True
                )
                self._thread.start()

    def _work(self) -> None:
        ended = False
        try:
            while not ended:
                for job in self._next_jobs():
                    job()
                for entry in self._coming():
                    self._tell_news(entry)
                ended = self._end_if_idle()
        finally:
            # something went wrong that must not keep later work from being done
            if not ended:
                with self._news:
                    self._thread = None

    def _next_jobs(self) -> list[Callable[[], None]]:
        with self._news:
            if not (self._jobs or self._closed):
                due = min((entry.due for entry in self._coming()), default=0.0)
                self._news.wait(max(0.0, due - time.monotonic()))
            jobs, self._jobs = self._jobs, []
            return jobs

    def _end_if_idle(self) -> bool:
        with self._news:
            if self._closed or not (self._jobs or self._coming()):
                self._thread = None
                return True
            return False

    def _coming(self) -> list[Answer | CommandOutput]:
        return [entry for entry in self._entries if entry.due < float("inf")]

    def _tell_news(self, entry: Answer | CommandOutput) -> None:
        if entry.due > time.monotonic():
            return
        if news := entry.news():
            self.tell("answer", **news)
            if "done" in news and isinstance(entry, Answer):
                self.after(entry.reply)

    # Each of these is done there

    def _sync(self) -> None:
        """Bring the entries in line with the conversation: forget turns that it lost,
        take in those that it won.
        """
        chat = self.buddy.chat
        replies = [turn.reply for turn in list(chat.turns)]
        anew, self._chat = chat is not self._chat, chat
        left = {id(reply) for reply in replies}
        gone = [
            entry
            for entry in self._entries
            if (
                id(entry.reply) not in left
                if isinstance(entry, Answer)
                else anew and entry.ended
            )
        ]
        if gone:
            self._entries = [entry for entry in self._entries if entry not in gone]
            self.tell("gone", turns=[entry.number for entry in gone])
        known = {
            id(entry.reply) for entry in self._entries if isinstance(entry, Answer)
        }
        for reply in replies:
            if id(reply) not in known:
                ask, asked = self._asked.get(reply, ("", ""))
                self._add(Answer(next(self._numbers), reply, asked), ask)
        for entry in self._coming():
            entry.due = 0.0

    def _add(self, entry: Answer | CommandOutput, ask: str) -> None:
        self._entries.append(entry)
        self.tell("turn", ask=ask, **entry.head())

    def _ask(self, text: str, ask: str, instead: int | None) -> None:
        try:
            call = read(text)
            prompt = text if call is None else call.prompt(self.buddy)
            if call is not None and prompt is None:
                self._start_command(call, text, ask)
                return
            reply = self.buddy.ask(prompt or "", names=self.shell.user_ns)
        except BuddyError as error:
            self.tell("refused", ask=ask, text=str(error))
            return
        for entry in self._entries:
            if entry.number == instead and isinstance(entry, Answer):
                self.buddy.take_back(entry.reply)
        with self._news:
            if self._closed:
                return
            self._asked[reply] = ask, text
        reply.start()

    def _start_command(self, call: Call, text: str, ask: str) -> None:
        told = CommandOutput(next(self._numbers), text)
        self._add(told, ask)
        threading.Thread(
            target=self._run_command,
            args=(told, call),
            name="buddy-command",
            daemon=True,
        ).start()

    def _run_command(self, told: CommandOutput, call: Call) -> None:
        work = partial(run, self.buddy, call, told.progress)
        try:
            told.end(self.buddy.loop.stoppable(work, told.stop))
        except CancelledError:
            told.end(error=Stopped(STOPPED))
        except BuddyError as error:
            told.end(error=error)
        except BaseException as error:
            # a command without an end would be waited for in the page
            told.end(error=error)
            raise
        finally:
            self._do(self._sync)

    def _reset(self) -> None:
        self.buddy.reset()
        self._sync()

    def _tell_all(self, view: str) -> None:
        far = len(self._entries) - AT_ONCE
        turns = [
            entry.head() if index < far else entry.whole()
            for index, entry in enumerate(self._entries)
        ]
        self.tell("all", view=view, turns=turns, cell=self.cell)

    def _tell_whole(self, number: int) -> None:
        for entry in self._entries:
            if entry.number == number:
                self.tell("turn", **entry.whole())

    def _with_chats(self, change: Callable[[], object]) -> None:
        try:
            change()
        except BuddyError as error:
            self.tell("noted", text=str(error))
        self._sync()
        self._tell_chats()

    def _tell_chats(self) -> None:
        """The conversations that there are to choose from, and which goes on; where
        none are kept, none.
        """
        try:
            kept = self.buddy.history.listed()
        except NotKept:
            kept = []
        now = self.buddy.chat.id
        chats = [
            {"number": chat.number, "title": titled(chat.question), "turns": chat.turns}
            for chat in kept
        ]
        self.tell(
            "chats",
            chats=chats,
            now=next((chat.number for chat in kept if chat.id == now), None),
        )

    def _complete(self, text: str) -> None:
        word, found = self._offers.find(text)
        self.tell(
            "completions",
            text=text,
            word=word,
            found=[name for name, _ in found[:OFFERED]],
        )

    def _diff(self, content: Content) -> None:
        old, new = (str(content[name]).splitlines() for name in ("old", "new"))
        lines = list(difflib.unified_diff(old, new, lineterm="", n=3))[2:]
        rows = [
            ("…", "") if line.startswith("@") else (line[0], line[1:]) for line in lines
        ]
        self.tell("diff", id=content["id"], rows=rows)


def _offers(buddy: Buddy, shell: Any) -> Offers:
    session = buddy.collector.session
    names = session.names if session is not None else lambda: shell.user_ns
    folder = session.folder if session is not None else lambda: None
    return Offers(shell, names, folder)
