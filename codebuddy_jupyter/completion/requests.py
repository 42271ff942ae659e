"""Requests of a page for completion, answered as a comm hands them over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

from .completer import Completer, Place


class Call(Protocol):
    """A request of a page, until it is answered or cancelled; for use on any thread."""

    @property
    def request(self) -> Mapping[str, Any]:
        """Its fields: the ``code`` of the cell, the ``cursor`` in characters, the id of
        the ``cell``, and whether the completion was ``asked`` for by a key.
        """

    def part(self, content: Mapping[str, Any]) -> None:
        """Send all of the suggestion so far, as ``text``."""

    def done(self, content: Mapping[str, Any]) -> None:
        """Send the suggestion as ``text``, and whether completion is ``off``."""

    def failed(self, error: BaseException) -> None:
        """Send an error."""

    def on_cancel(self, stop: Callable[[], object]) -> None:
        """Call ``stop`` when the page does not need the answer any more."""


def completion_handler(completer: Completer) -> Callable[[Call], None]:
    """Return what answers requests for completion; it returns at once."""

    def complete(call: Call) -> None:
        if not completer.is_on:
            call.done({"text": "", "off": True})
            return
        request = call.request
        place = Place(
            request["code"],
            request["cursor"],
            request["cell"],
            request["asked"],
        )
        future = completer.begin(place, partial(_show, call))
        call.on_cancel(future.cancel)
        future.add_done_callback(partial(_end, call))

    return complete


def _show(call: Call, text: str) -> None:
    call.part({"text": text, "off": False})


def _end(call: Call, future: Future[str]) -> None:
    # A later request, of this page or another, has ended it.
    if future.cancelled():
        call.done({"text": "", "off": False})
        return
    error = future.exception()
    if error is not None:
        call.failed(error)
    else:
        call.done({"text": future.result(), "off": False})
