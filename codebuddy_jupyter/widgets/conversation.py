"""The Buddy's conversation as pages show it, and what users do there.

It knows the messages of `protocol` and a function that sends them, but no widgets, so
that a panel and any other front end can use it.

Messages of a page arrive on a thread that must not wait, so a `Worker` does what they
request and follows the answers.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, cast

from .. import commands
from ..background.worker import Worker
from ..buddy import Buddy
from ..chat.conversation import titled
from ..chat.reply import Reply
from ..chat.tables import StoredChat
from ..commands import Call, Invocation
from ..commands.completion import Offers
from ..commands.new_cell import cell_languages
from ..context.revised import asked_about
from ..errors import BuddyError, Stopped
from ..markdown.difference import diff_rows
from ..question.options import Options
from .cards import Cards
from .meter import Meter
from .protocol import (
    AllMessage,
    AnswerMessage,
    AskRequest,
    ChatFields,
    ChatMessage,
    ChatRequest,
    ChatsMessage,
    CompleteRequest,
    CompletionsMessage,
    DecideRequest,
    DeleteRequest,
    DiffRequest,
    InsertRequest,
    MeasureRequest,
    OutdatedRequest,
    ReadyRequest,
    RenameRequest,
    SearchRequest,
    SectionsRequest,
    SwitchRequest,
    TurnFields,
    TurnMessage,
    UndoRequest,
    WantRequest,
    problem_of,
)
from .received import WrongFields, read_message
from .transcript import STOPPED, AgentProposal, AnswerEntry, CommandOutput

# A page that opens gets so many of the last turns in full. It requests the others when
# they come into view.
TURNS_IN_FULL = 20
MOST_COMPLETIONS = 12
# Seconds between two lines about the agents that read the notebook.
SERVED_INTERVAL = 0.25

NO_BRANCH = (
    "Conversations are not kept, so the question was asked as a new one at the end."
)
NEVER = float("inf")
Entry = AnswerEntry | CommandOutput | AgentProposal


@dataclass(frozen=True)
class _Typed:
    """A question that was typed here: the page's identifier for it, and its text."""

    ask: str
    text: str


NOT_TYPED = _Typed("", "")


class Conversation:
    """Keeps pages in step with the Buddy's conversation, and does what they request.

    Parameters
    ----------
    buddy
        Whose conversation it is.
    shell
        IPython's shell, or an object with its ``user_ns`` and ``history_manager``, and
        with its ``set_next_input`` where cells can be added.
    send
        Called, on any thread, with a message for all pages.
    on_end
        Called on the worker's thread when an answer has ended.
    """

    def __init__(
        self,
        buddy: Buddy,
        shell: Any,
        send: Callable[[ChatMessage], None],
        on_end: Callable[[Reply], None] | None = None,
    ) -> None:
        self.buddy = buddy
        self.shell = shell
        self.send = send
        self.on_end = on_end
        self.cell = ""
        self._is_closed = False
        self.meter = Meter(buddy, shell.user_ns, self._send)
        self.cards = Cards(buddy, self._send, self._on_turns_changed)
        self._chat = buddy.chat
        # The proposals of agents that have been shown.
        self._proposed: set[str] = set()
        self._entries: dict[int, Entry] = {}
        self._numbers = count(1)
        self._typed: weakref.WeakKeyDictionary[Reply, _Typed] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()
        # How often something was stopped.
        self._stops = 0
        self._serves_soon = False
        self._worker = Worker("buddy-panel")
        self._offers = _offers(buddy, shell)
        self._handlers: Mapping[str, Callable[[Any], None]] = {
            "ready": self._on_ready,
            "want": self._on_want,
            "ask": self._on_ask,
            "stop": self._on_stop,
            "reset": self._on_reset,
            "switch": self._on_switch,
            "delete": self._on_delete,
            "rename": self._on_rename,
            "search": self._on_search,
            "measure": self._on_measure,
            "sections": self._on_sections,
            "complete": self._on_complete,
            "insert": self._on_insert,
            "diff": self._on_diff,
            "showed": self.cards.on_showed,
            "decide": self._on_decide,
            "outdated": self._on_outdated,
            "undo": self._on_undo,
        }
        buddy.watchers.append(self._on_turns_changed)
        buddy.ahead.watchers.append(self._send_ahead)
        buddy.served.watchers.append(self._on_served)
        buddy.observe(self._on_keeping_changed, "keep_chats")

    def close(self) -> None:
        """Leave the pages. Answers to questions typed here are stopped, others go on."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._worker.cancel()
        self.buddy.watchers.remove(self._on_turns_changed)
        self.buddy.ahead.watchers.remove(self._send_ahead)
        self.buddy.served.watchers.remove(self._on_served)
        self.buddy.unobserve(self._on_keeping_changed, "keep_chats")
        self.meter.close()
        self.cards.close()
        self._stop_own()
        for entry in list(self._entries.values()):
            if isinstance(entry, CommandOutput):
                entry.close()

    def note_cell(self, cell: str) -> None:
        """Note which cell runs: new code is inserted below it."""
        self.cell = cell
        self._send({"type": "cell", "cell": cell})

    def note_end(self) -> None:
        """Note that a cell has run, which may change what the next question sends."""
        self._send({"type": "stale"})

    def receive(self, content: object) -> None:
        """Handle a message of a page, and return at once.

        Messages of unknown types are ignored.
        """
        try:
            message = read_message(content, ChatRequest)
        except WrongFields as error:
            line = f"The page sent an invalid message ({error}). Reload the page."
            self._send({"type": "noted", "text": line})
            return
        if message is not None and not self._is_closed:
            self._handlers[message["type"]](message)

    # Requests of the page

    def _on_ready(self, request: ReadyRequest) -> None:
        self._worker.put(self._sync)
        self._worker.put(partial(self._send_all, request["view"]))
        self._worker.put(self._send_chats)
        self._worker.put(self._send_ahead)
        self._worker.put(self._send_served)
        # From now on a question is likely.
        self.buddy.quiet.begin()

    def _on_want(self, request: WantRequest) -> None:
        self._worker.put(partial(self._send_turn, request["turn"]))

    def _on_ask(self, request: AskRequest) -> None:
        self._send({"type": "taken", "ask": request["ask"]})
        self._note_notebook(request)
        self._worker.put(partial(self._ask, request, self._stops))

    def _on_stop(self, request: object) -> None:
        """Stop the answer, also one that a cell asked for, and running commands."""
        self._stop_own()
        for entry in list(self._entries.values()):
            if isinstance(entry, AnswerEntry):
                entry.reply.close()
            else:
                entry.close()
        self._worker.put(self._sync)

    def _on_reset(self, request: object) -> None:
        self._stop_own()
        self._worker.put(self._reset)

    def _on_switch(self, request: SwitchRequest) -> None:
        switch = partial(self.buddy.history.switch, request["number"])
        self._stop_own()
        self._worker.put(partial(self._change_history, switch))

    def _on_delete(self, request: DeleteRequest) -> None:
        delete = partial(self.buddy.history.delete, request["number"])
        self._stop_own()
        self._worker.put(partial(self._change_history, delete))

    def _on_rename(self, request: RenameRequest) -> None:
        rename = self.buddy.history.rename
        number, name = request["number"], request["name"]
        self._worker.put(partial(self._change_history, partial(rename, number, name)))

    def _on_search(self, request: SearchRequest) -> None:
        self._worker.put(partial(self._search, request["text"]))

    def _on_measure(self, request: MeasureRequest) -> None:
        self._note_notebook(request)
        text, full = request["text"], request["full"]
        self._worker.put(partial(self.meter.measure, text, full=full))

    def _on_sections(self, request: SectionsRequest) -> None:
        self.meter.choose(request["sections"])

    def _on_complete(self, request: CompleteRequest) -> None:
        self._worker.put(partial(self._complete, request["text"]))

    def _on_insert(self, request: InsertRequest) -> None:
        self.shell.set_next_input(request["code"])
        line = "The code comes below the next cell that you run."
        self._send({"type": "noted", "text": line})

    def _on_diff(self, request: DiffRequest) -> None:
        self._worker.put(partial(self._diff, request))

    def _on_decide(self, request: DecideRequest) -> None:
        self._worker.put(partial(self.cards.on_decide, request))

    def _on_outdated(self, request: OutdatedRequest) -> None:
        self.buddy.proposed.note_stale(request["id"], request["view"])

    def _on_undo(self, request: UndoRequest) -> None:
        self._worker.put(partial(self.cards.on_undo, request))

    def _note_notebook(self, request: AskRequest | MeasureRequest) -> None:
        """Let the session know the cells in the page, unsaved ones, too."""
        session = self.buddy.collector.session
        cells = request.get("cells")
        if session is None or cells is None:
            return
        session.set_open_cells([dict(cell) for cell in cells])

    def _stop_own(self) -> None:
        with self._lock:
            self._stops += 1
            own = list(self._typed)
        for reply in own:
            reply.close()

    # Changes of the Buddy

    def _on_turns_changed(self) -> None:
        self._worker.put(self._sync)
        self._worker.put(self._send_chats)

    def _on_keeping_changed(self, change: object) -> None:
        self._worker.put(self._send_chats)

    def _on_served(self) -> None:
        # An agent can ask many times a second.
        if not self._serves_soon:
            self._serves_soon = True
            self._worker.put(self._send_served, time.monotonic() + SERVED_INTERVAL)

    # All below runs on the worker's thread

    def _send(self, message: ChatMessage) -> None:
        if not self._is_closed:
            self.send(message)

    def _send_ahead(self) -> None:
        """Send how much is read ahead; the background loop calls this, too."""
        self._send({"type": "ahead", "tokens": self.buddy.ahead.tokens})

    def _send_served(self) -> None:
        """Send which agents read the notebook."""
        self._serves_soon = False
        self._send({"type": "served", "line": self.buddy.served.line})

    def _sync(self) -> None:
        """Bring the entries in line with the conversation, and send what is new."""
        chat = self.buddy.chat
        is_other_chat = chat is not self._chat
        self._chat = chat
        replies = [turn.reply for turn in list(chat.turns)]
        self._remove_entries(replies, is_other_chat=is_other_chat)
        self._add_entries(replies)
        self._add_proposals()
        for entry in self._entries.values():
            if entry.due < NEVER:
                entry.due = 0.0
                self._send_changes(entry)

    def _remove_entries(self, replies: list[Reply], *, is_other_chat: bool) -> None:
        """Remove answers that are not among the replies.

        Commands that have ended stay until another conversation is shown.
        """
        kept = {id(reply) for reply in replies}
        gone = []
        for number, entry in self._entries.items():
            if isinstance(entry, AnswerEntry):
                is_gone = id(entry.reply) not in kept
            else:
                is_gone = is_other_chat and entry.ended
            if is_gone:
                gone.append(number)
        for number in gone:
            del self._entries[number]
        if gone:
            self._send({"type": "gone", "turns": gone})

    def _add_entries(self, replies: list[Reply]) -> None:
        """Add an answer for each reply that has none."""
        shown = set()
        for entry in self._entries.values():
            if isinstance(entry, AnswerEntry):
                shown.add(id(entry.reply))
        for reply in replies:
            if id(reply) in shown:
                continue
            number = next(self._numbers)
            typed = self._typed.get(reply, NOT_TYPED)
            about, card = self._about(reply), self.cards.fields
            answer = AnswerEntry(number, reply, typed.text, about, card)
            self._add(answer, typed.ask)

    def _add_proposals(self) -> None:
        """Add what agents propose, unless it was shown."""
        for proposal in self.buddy.proposed.waiting_of_agents():
            if proposal.id not in self._proposed:
                self._proposed.add(proposal.id)
                number = next(self._numbers)
                self._add(AgentProposal(number, proposal, self.cards.fields), "")

    def _about(self, reply: Reply) -> int | None:
        """Return the number of the cell that a question is about, if it names one."""
        session = self.buddy.collector.session
        # An earlier kernel has numbered its cells otherwise.
        if session is None or reply.is_restored:
            return None
        return asked_about(reply.prompt, session)

    def _add(self, entry: Entry, ask: str) -> None:
        self._entries[entry.number] = entry
        self._send(_turn_message(entry.head(), ask))
        self._follow(entry)

    def _follow(self, entry: Entry) -> None:
        """Send what is new of an entry, and do so again when that is due."""
        if self._entries.get(entry.number) is not entry:
            return
        if entry.due <= time.monotonic():
            self._send_changes(entry)
        if entry.due < NEVER:
            self._worker.put(partial(self._follow, entry), entry.due)

    def _send_changes(self, entry: Entry) -> None:
        changes = entry.changes()
        if changes is None:
            return
        if isinstance(entry, AnswerEntry) and entry.begins_anew:
            self._send({"type": "gone", "turns": [entry.number]})
            self._send(_turn_message(entry.head(), ""))
        message = {"type": "answer", **changes}
        self._send(cast(AnswerMessage, message))
        if "done" not in changes or not isinstance(entry, AnswerEntry):
            return
        if self.on_end is not None:
            self.on_end(entry.reply)

    def _ask(self, request: AskRequest, stops: int) -> None:
        """Ask a question, unless something was stopped since there were so many stops."""
        text = request["text"]
        ask = request["ask"]
        prompt = text
        try:
            self._check_stops(stops)
            if request.get("after"):
                self._ask_on(request)
                return
            call = commands.read(text)
            if call is not None:
                call_prompt = call.prompt(self.buddy)
                if call_prompt is None:
                    self._begin_command(call, text, ask)
                    return
                prompt = call_prompt
            options = Options(in_cell=False)
            reply = self.buddy.ask(prompt, options, self.shell.user_ns)
            self._check_stops(stops)
        except BuddyError as error:
            problem = problem_of(error)
            self._send({"type": "refused", "ask": ask, "error": problem})
            return
        replaced = self._entries.get(request.get("replaces") or 0)
        if isinstance(replaced, AnswerEntry):
            self._replace(replaced.reply, text)
        with self._lock:
            if self._is_closed:
                return
            self._typed[reply] = _Typed(ask, text)
        reply.start()

    def _check_stops(self, before: int) -> None:
        if self._stops != before:
            raise BuddyError("It was stopped before it was asked.")

    def _ask_on(self, request: AskRequest) -> None:
        """Tell the model what came of its proposal, which may propose the next step."""
        prompt, step = self.cards.next_prompt(request.get("after", ""))
        options = Options(in_cell=False, propose=True, step=step)
        # What a cell has printed is never read as a template.
        reply = self.buddy.ask(prompt, options)
        with self._lock:
            if self._is_closed:
                return
            self._typed[reply] = _Typed(request["ask"], request["text"])
        reply.start()

    def _replace(self, reply: Reply, text: str) -> None:
        """Go back before a reply: the text is asked in place of its question.

        The last question is taken back. An earlier one begins another conversation, so
        that nothing is lost.
        """
        history = self.buddy.history
        if not history.take_back(reply) and not history.branch(reply, titled(text)):
            self._send({"type": "noted", "text": NO_BRANCH})

    def _begin_command(self, call: Call, line: str, ask: str) -> None:
        """Run a command on a thread of its own, so that one can ask meanwhile."""
        output = CommandOutput(next(self._numbers), line)
        self._add(output, ask)
        threading.Thread(
            target=self._run_command,
            args=[call, output],
            name="buddy-command",
            daemon=True,
        ).start()

    def _run_command(self, call: Call, output: CommandOutput) -> None:
        magics = commands.cell_magics(self.shell)
        invocation = Invocation(self.buddy, output.progress, magics=magics)
        run = partial(commands.run, invocation, call)
        try:
            output.end(self.buddy.loop.stoppable(run, output.stop))
        except CancelledError:
            output.end(error=Stopped(STOPPED))
        except BuddyError as error:
            output.end(error=error)
        except BaseException as error:
            # The page would wait for a command without an end.
            output.end(error=error)
            raise
        finally:
            self._worker.put(self._sync)

    def _reset(self) -> None:
        self.buddy.reset()
        self._sync()

    def _change_history(self, change: Callable[[], object]) -> None:
        try:
            change()
        except BuddyError as error:
            self._send({"type": "noted", "text": problem_of(error)})
        self._sync()
        self._send_chats()

    def _send_all(self, view: str) -> None:
        """Send the whole conversation to a page: the last turns with their answers."""
        entries = list(self._entries.values())
        turns = [entry.head() for entry in entries[:-TURNS_IN_FULL]]
        turns += [entry.full() for entry in entries[-TURNS_IN_FULL:]]
        message: AllMessage = {
            "type": "all",
            "view": view,
            "turns": cast(list[TurnFields], turns),
            "cell": self.cell,
            "languages": self._languages(),
        }
        self._send(message)

    def _languages(self) -> dict[str, str]:
        """Return the languages whose code can become a cell, if any cell can be added."""
        if not hasattr(self.shell, "set_next_input"):
            return {}
        return cell_languages(commands.cell_magics(self.shell))

    def _send_turn(self, number: int) -> None:
        entry = self._entries.get(number)
        if entry is not None:
            self._send(_turn_message(entry.full()))

    def _send_chats(self) -> None:
        """Send the conversations that are kept, once they are read.

        That is another thread's work: a disk must not hold up the answers.
        """
        self.buddy.history.list_later(self._send_list)

    def _send_list(self, kept: list[StoredChat]) -> None:
        """Send the conversations that are kept, and which of them is the current one."""
        message: ChatsMessage = {"type": "chats", "chats": [], "current": None}
        for chat in kept:
            fields: ChatFields = {
                "number": chat.number,
                "title": chat.name or titled(chat.question),
                "turns": chat.turns,
            }
            message["chats"].append(fields)
            if chat.id == self.buddy.chat.id:
                message["current"] = chat.number
        self._send(message)

    def _complete(self, text: str) -> None:
        word, offers = self._offers.find(text)
        message: CompletionsMessage = {
            "type": "completions",
            "text": text,
            "word": word,
            "offers": [],
        }
        for offer in offers[:MOST_COMPLETIONS]:
            about = self._offers.description(offer)
            message["offers"].append({"name": offer[0], "about": about})
        self._send(message)

    def _search(self, text: str) -> None:
        try:
            numbers = self.buddy.history.search(text)
        except BuddyError as error:
            self._send({"type": "noted", "text": problem_of(error)})
            return
        self._send({"type": "found", "text": text, "numbers": numbers})

    def _diff(self, request: DiffRequest) -> None:
        rows = diff_rows(request["old"], request["new"])
        self._send({"type": "diff", "id": request["id"], "rows": rows})


def _turn_message(fields: Mapping[str, Any], ask: str = "") -> TurnMessage:
    return cast(TurnMessage, {"type": "turn", "ask": ask, **fields})


def _offers(buddy: Buddy, shell: Any) -> Offers:
    """Return what completes a prompt: the session's names, or else the shell's."""
    session = buddy.collector.session
    if session is None:
        return Offers(shell, lambda: shell.user_ns, lambda: None)
    return Offers(shell, session.names, session.folder)
