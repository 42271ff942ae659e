"""The messages between the kernel and the JupyterLab extension, as types.

Each request has an ``id``, and is answered under it: by any number of parts, and then
by its result or by an error. A cancelled request is not answered any more. The opening of
the comm is answered as a request with the id ``0``.
``python -m tests.docs protocol`` writes ``labextension/static/protocol.d.ts`` from this
module.
"""

from typing import Any, Literal, TypedDict

from .protocol import Problem, RemedyFields

__all__ = ["Problem", "RemedyFields"]


class ErrorFields(TypedDict):
    """The error that a cell ended in."""

    name: str
    message: str


class PanelRequest(TypedDict):
    """The sidebar opened; the result is `PanelFields`."""

    type: Literal["panel"]
    id: str


class TaskRequest(TypedDict):
    """The user chose what to do about code; the result is `QuestionText`.

    ``source`` is the cell or the selection. ``error`` is the error that the cell ended
    in when it ran as number ``count``, if the task is about one.
    """

    type: Literal["task"]
    id: str
    task: Literal["ask", "fix", "explain", "refactor", "document", "test"]
    source: str
    error: ErrorFields | None
    count: int | None


class CompleteRequest(TypedDict):
    """Complete the code of a cell; each part is `CompletionText`, and the result, too.

    ``cursor`` is a number of characters. ``cell`` is the id of the cell, empty if it has
    none; ``asked`` tells whether the user asked by a key, and not by typing.
    """

    type: Literal["complete"]
    id: str
    code: str
    cursor: int
    cell: str
    asked: bool


class CancelRequest(TypedDict):
    """The page does not need the answer to request ``id`` any more."""

    type: Literal["cancel"]
    id: str


class PanelFields(TypedDict):
    """The widget to show in the sidebar."""

    model: str


class QuestionText(TypedDict):
    """What to ask in the panel, as if it was typed there."""

    text: str


class CompletionText(TypedDict):
    """All of a suggestion so far; ``off`` tells that no model is set for completion."""

    text: str
    off: bool


class PartMessage(TypedDict):
    """The next part of an answer."""

    type: Literal["part"]
    id: str
    content: dict[str, Any]


class DoneMessage(TypedDict):
    """The result of a request, with which its answer ends."""

    type: Literal["done"]
    id: str
    content: dict[str, Any]


class FailedMessage(TypedDict):
    """A request failed, with which its answer ends."""

    type: Literal["failed"]
    id: str
    error: Problem


EditorRequest = PanelRequest | TaskRequest | CompleteRequest | CancelRequest
"""From the page to the kernel."""

EditorMessage = PartMessage | DoneMessage | FailedMessage
"""From the kernel to the page."""
