"""What the JupyterLab extension requests from the kernel, over a comm of its own.

It holds no state of the conversation: a table of handlers, one for each type of request,
says who answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from ..background.worker import Worker
from ..buddy import Buddy
from ..errors import BuddyError
from ..question.prompts import literal
from .editor_protocol import EditorMessage, EditorRequest, TaskRequest
from .protocol import problem_of
from .received import WrongFields, read_message
from .subshell import answer_on_subshell

# The opening of the comm is answered as a request with this id.
OPENING = "0"
# Characters of an error's message that are put into a question.
MAX_MESSAGE = 300
WRONG = "The page sent an invalid message ({}). Reload the page."


class EditorCall:
    """A request of the page, until it is answered or cancelled.

    Its methods may be called on any thread. What comes after the end is dropped.

    Parameters
    ----------
    request
        The request, one of `EditorRequest`.
    send
        Sends a message to the page.
    """

    def __init__(
        self, request: Mapping[str, Any], send: Callable[[EditorMessage], None]
    ) -> None:
        self.request = request
        self._send = send
        self._lock = threading.Lock()
        self._has_ended = False
        self._is_cancelled = False
        self._stops: list[Callable[[], object]] = []

    @property
    def has_ended(self) -> bool:
        """Whether it was answered or cancelled."""
        return self._has_ended

    def part(self, content: Mapping[str, Any]) -> None:
        """Send the next part of the answer."""
        with self._lock:
            if not self._has_ended:
                id = self.request["id"]
                self._send({"type": "part", "id": id, "content": dict(content)})

    def done(self, content: Mapping[str, Any]) -> None:
        """Send the result, with which the answer ends."""
        id = self.request["id"]
        self._end({"type": "done", "id": id, "content": dict(content)})

    def failed(self, error: BaseException) -> None:
        """Send an error, with which the answer ends."""
        id = self.request["id"]
        self._end({"type": "failed", "id": id, "error": problem_of(error)})

    def cancel(self) -> None:
        """Drop the answer, and stop what works on it."""
        with self._lock:
            if self._has_ended:
                return
            self._has_ended = self._is_cancelled = True
            stops = list(self._stops)
        for stop in stops:
            stop()

    def on_cancel(self, stop: Callable[[], object]) -> None:
        """Call ``stop`` when the request is cancelled; at once if it was already.

        It must return at once, since all messages of the page wait for it.
        """
        with self._lock:
            if not self._is_cancelled:
                self._stops.append(stop)
                return
        stop()

    def _end(self, message: EditorMessage) -> None:
        with self._lock:
            if self._has_ended:
                return
            self._has_ended = True
            self._send(message)


Handler = Callable[[EditorCall], None]
"""Answers a request, then or later. It runs on a thread where it may take a moment, and
what it raises is sent to the page."""


class EditorComm:
    """The comm of one page.

    Parameters
    ----------
    comm
        The comm that the page opened.
    handlers
        Who answers each type of request.
    """

    def __init__(self, comm: Any, handlers: Mapping[str, Handler]) -> None:
        self._comm = comm
        self._handlers = handlers
        self._calls: dict[str, EditorCall] = {}
        self._is_closed = False
        self._worker = Worker("buddy-editor")
        answer_on_subshell(comm)
        comm.on_msg(lambda message: self.receive(message["content"]["data"]))
        comm.on_close(lambda message: self._leave())
        self._send({"type": "done", "id": OPENING, "content": {}})

    @property
    def is_closed(self) -> bool:
        """Whether the page or the kernel has closed it."""
        return self._is_closed

    def receive(self, content: object) -> None:
        """Handle a message of the page, and return at once."""
        try:
            request = read_message(content, EditorRequest)
        except WrongFields as error:
            self._refuse(content, error)
            return
        if request is None or self._is_closed:
            return
        if request["type"] == "cancel":
            call = self._calls.pop(request["id"], None)
            if call is not None:
                call.cancel()
            return
        self._forget_ended()
        call = EditorCall(request, self._send)
        self._calls[request["id"]] = call
        self._worker.put(partial(self._answer, call))

    def close(self) -> None:
        """Close the comm, by which the page learns that nobody answers any more."""
        if not self._is_closed:
            self._leave()
            self._comm.close()

    def _leave(self) -> None:
        self._is_closed = True
        self._worker.cancel()
        for call in list(self._calls.values()):
            call.cancel()

    def _forget_ended(self) -> None:
        for id, call in list(self._calls.items()):
            if call.has_ended:
                self._calls.pop(id, None)

    def _answer(self, call: EditorCall) -> None:
        if call.has_ended:
            return
        try:
            self._handlers[call.request["type"]](call)
        except BuddyError as error:
            call.failed(error)
        except BaseException as error:
            # The page would wait for a request without an end.
            call.failed(error)
            raise

    def _refuse(self, content: Any, error: WrongFields) -> None:
        id = str(content.get("id", ""))
        call = EditorCall({"id": id}, self._send)
        call.failed(BuddyError(WRONG.format(error)))

    def _send(self, message: EditorMessage) -> None:
        if not self._is_closed:
            self._comm.send(message)


def editor_handlers(
    buddy: Buddy, sidebar_model: Callable[[], str]
) -> dict[str, Handler]:
    """Return who answers each type of request of `EditorRequest`.

    Parameters
    ----------
    buddy
        Whose conversation and notebook the requests are about.
    sidebar_model
        Returns the identifier of the widget to show in the sidebar.
    """
    return {
        "panel": lambda call: call.done({"model": sidebar_model()}),
        "task": lambda call: call.done({"text": question_for(buddy, call.request)}),
    }


def question_for(buddy: Buddy, request: Mapping[str, Any]) -> str:
    """Return what a `TaskRequest` asks, as a user would type it.

    Braces of the code are not taken for values to put in.
    """
    task = request["task"]
    error = request["error"]
    code = literal(request["source"].strip("\n"))
    if task == "ask":
        return f"\n\n```python\n{code}\n```"
    if error is None:
        return f"/{task}\n{code}"
    if _is_last_error(buddy, cast(TaskRequest, request)):
        return "/fix" if task == "fix" else "Explain @error"
    first_line = error["message"].partition("\n")[0]
    raised = literal(f"{error['name']}: {first_line[:MAX_MESSAGE]}")
    return f"/{task} It raised {raised}\n{code}"


def _is_last_error(buddy: Buddy, request: TaskRequest) -> bool:
    """Return whether the kernel still knows the error with its traceback."""
    session = buddy.collector.session
    if session is None:
        return False
    failure = session.failure()
    if failure is None or request["error"] is None:
        return False
    if failure.cell != request["count"]:
        return False
    return failure.name == request["error"]["name"]
