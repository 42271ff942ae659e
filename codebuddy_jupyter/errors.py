"""The errors that users see. Each is one line that says what to do next.

::

    BuddyError
    ├── PromptError           the prompt is empty or cannot be sent
    ├── SettingError          an option, a command or a setting is invalid
    ├── ExtraMissing          an optional package is not installed
    ├── NotKept               conversations or answers cannot be read from disk or
    │                         written to it
    ├── NotReplayed           no answer is kept, and the model is not to be asked
    └── ProviderError         an error of the model's side
        ├── Unreachable       no connection: refused, unknown host, TLS, timeout
        ├── Offline           the request would leave the machine in offline mode
        ├── KeyRefused        the API key is missing or was rejected
        ├── ModelNotFound     the server does not have this model
        ├── MapStopped        a map stopped before its last row
        ├── TooManyFailures   too many rows of a map failed
        ├── PromptTooLong     the prompt does not fit the model's context window
        ├── ServerError       the server answered with an error
        ├── NoReply           the server's answer was not a reply
        ├── NoInfill          the model cannot continue code between two texts
        ├── InvalidAnswer     the answer is not a value of the type that was asked for
        └── CutOff            the reply ended early

    KeyboardInterrupt
    └── Stopped               the user stopped the request; not an ``Exception``, so
                              that no ``except Exception`` swallows it

    BaseException
    └── SettingRefused        ``%config`` names an invalid setting or value; IPython
                              would only log an ``Exception``, and the cell go on
"""

from __future__ import annotations

import difflib
import re
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

SIMILAR = 0.5
"""How similar a name must be to what was typed to be suggested, from 0 to 1."""


# All that can control a terminal; a line break may stand in a traceback.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return a text without characters that could control a terminal.

    What a server or a model wrote can contain them, and errors quote it.
    """
    return _CONTROL.sub("", text)


class _OneLine(BaseException):
    """Shows as one line in a notebook and in the IPython terminal; ``%tb`` afterwards
    shows all, with the cause.
    """

    def _render_traceback_(self) -> list[str]:
        """Give IPython the lines to show: the message alone while the error is being
        handled, later (``%tb``) all.
        """
        if sys.exc_info()[1] is self:
            return [f"\x1b[31mbuddy:\x1b[0m {printable(str(self))}"]
        lines = "".join(traceback.format_exception(self)).split("\n")
        return [printable(line) for line in lines]


@dataclass(frozen=True)
class Remedy:
    """What the user can do about an error: a few words and, if there is one, a command.

    Parameters
    ----------
    text
        What to do, as the start of a sentence without a full stop: ``Start Ollama``. Or
        a question that names what to type: ``Did you mean /models?``
    command
        What to type for that: ``%buddy /models``, ``%config Buddy.offline = False``, or
        a shell command.
    """

    text: str
    command: str = ""

    @property
    def is_question(self) -> bool:
        """Whether the text is a question, which is shown without the command."""
        return self.text.endswith("?")

    def __post_init__(self) -> None:
        # A model's name can stand in either.
        object.__setattr__(self, "text", printable(self.text))
        object.__setattr__(self, "command", printable(self.command))

    def __str__(self) -> str:
        if self.is_question or not self.command:
            return self.text
        return f"{self.text}: {self.command}"


def did_you_mean(
    typed: str, names: Iterable[str], command: str = "", *, prefix: str = ""
) -> Remedy | None:
    """Return a remedy that suggests the name most similar to what was typed, if any is.

    Parameters
    ----------
    typed
        What was typed.
    names
        The names that exist.
    command
        What to type for a name, with ``{}`` for the name; empty if it is no command.
    prefix
        What stands before a name where it is typed, such as ``@``.
    """
    by_lower = {name.lower(): name for name in names}
    similar = difflib.get_close_matches(typed.lower(), by_lower, n=1, cutoff=SIMILAR)
    if not similar:
        return None
    name = by_lower[similar[0]]
    return Remedy(f"Did you mean {prefix}{name}?", command.format(name))


class BuddyError(_OneLine, Exception):
    """The base of every error that this package raises on purpose.

    The cell fails, and shows the error as one line. A front end with buttons can show
    ``what`` and offer the ``remedies`` in its own way.

    Parameters
    ----------
    what
        What went wrong, as a sentence.
    remedies
        What the user can do next, the likeliest first.
    """

    def __init__(self, what: str, *remedies: Remedy) -> None:
        what = printable(what)
        super().__init__(what, *remedies)
        self.what = what
        self.remedies = remedies

    def __str__(self) -> str:
        if not self.remedies:
            return self.what
        what = self.what.rstrip(".")
        end = "" if what.endswith(("!", "?", "…", "。")) else "."
        line = f"{what}{end} {self.remedies[0]}"
        for previous, remedy in pairwise(self.remedies):
            joint = " Or " if previous.is_question else "; or "
            line += joint + _uncapitalised(str(remedy))
        return line


def _uncapitalised(text: str) -> str:
    """Return the text as the middle of a sentence; a name such as LM Studio stays."""
    is_name = text[:1].isupper() and not text[1:2].islower()
    if is_name:
        return text
    return text[:1].lower() + text[1:]


class PromptError(BuddyError):
    """The prompt is empty or cannot be sent."""


class SettingError(BuddyError):
    """An option, a command or a setting is invalid."""


class ExtraMissing(BuddyError):
    """An optional package is not installed."""


class NotKept(BuddyError):
    """Conversations or answers cannot be read from disk or written to it."""


class NotReplayed(BuddyError):
    """No answer to the question is kept, and the model is not to be asked."""


class ProviderError(BuddyError):
    """An error of the model's side."""


class Unreachable(ProviderError):
    """No connection: refused, unknown host, no route, TLS or a timeout.

    Parameters
    ----------
    what, remedies
        As for `BuddyError`.
    passing
        Whether a retry may succeed, as while a server restarts.
    """

    def __init__(self, what: str, *remedies: Remedy, passing: bool = False) -> None:
        super().__init__(what, *remedies)
        self.passing = passing


class Offline(ProviderError):
    """The request would leave the machine, and ``Buddy.offline`` is on."""


class KeyRefused(ProviderError):
    """The API key is missing or was rejected."""


class ModelNotFound(ProviderError):
    """The server does not have this model."""


class TooManyFailures(ProviderError):
    """More rows of a map failed than it allows."""


class MapStopped(ProviderError):
    """A map stopped before its last row; what came is in ``result``."""

    result: Any = None
    """The values that came, in the kind of the input; None in place of the others."""


class PromptTooLong(ProviderError):
    """The prompt does not fit the model's context window.

    Parameters
    ----------
    what, remedies
        As for `BuddyError`.
    tokens
        Length of the prompt in tokens, if the server reported it.
    window
        The context window in tokens, if the server reported it.
    """

    def __init__(
        self,
        what: str,
        *remedies: Remedy,
        tokens: int | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__(what, *remedies)
        self.tokens = tokens
        self.window = window


class ServerError(ProviderError):
    """The server answered with an error.

    Parameters
    ----------
    what, remedies
        As for `BuddyError`; ``what`` quotes the server.
    status
        The HTTP status; None for an error inside a stream.
    """

    def __init__(self, what: str, *remedies: Remedy, status: int | None = None) -> None:
        super().__init__(what, *remedies)
        self.status = status


class NoReply(ProviderError):
    """The server's answer was not a reply: empty, a web page or other JSON."""


class NoInfill(ProviderError):
    """The server or the model cannot write what stands between two texts."""


class InvalidAnswer(ProviderError):
    """The answer is not a value of the type that was asked for.

    Parameters
    ----------
    what, remedies
        As for `BuddyError`.
    text
        The text of the last answer.
    """

    def __init__(self, what: str, *remedies: Remedy, text: str = "") -> None:
        super().__init__(what, *remedies)
        self.text = text


class CutOff(ProviderError):
    """The reply ended early; the part that was received is kept."""


class SettingRefused(_OneLine, BaseException):
    """A setting that ``%config`` names has no such name, or does not take its value."""


class Stopped(_OneLine, KeyboardInterrupt):
    """The user stopped the request; the part that was received is kept."""

    result: Any = None
    """Of a map: the values that came; None in place of the others."""
