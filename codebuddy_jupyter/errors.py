"""What can go wrong, as the user meets it: one readable line that says what to do next.

::

    BuddyError
    ├── PromptError           there is nothing to ask, or it cannot be asked
    ├── SettingError          an option, a command or a setting is not right
    ├── ExtraMissing          an optional package is not installed
    ├── NotKept               conversations cannot be read from disk, or kept there
    └── ProviderError         the model's side
        ├── Unreachable       no connection: nothing listens, no such host, no route, TLS, time ran out
        ├── Offline           the request would leave the machine, and that is switched off
        ├── KeyRefused        the key is missing, or the server does not take it
        ├── ModelNotFound     the server does not have this model
        ├── PromptTooLong     the prompt does not fit the model's window
        ├── ServerError       the server answered with an error
        ├── NoReply           the server answered, but not with a reply
        └── CutOff            the reply broke off before its end

    KeyboardInterrupt
    └── Stopped               the user stopped the request: no ``except Exception`` shall swallow that
"""

from __future__ import annotations

import sys
import traceback


class _OneLine(BaseException):
    """Shows as one line in a notebook and in the IPython terminal; ``%tb`` afterwards
    shows all, with the cause.
    """

    def _render_traceback_(self) -> list[str]:
        """Give IPython the lines to show: the message alone while the error is being
        handled, later (``%tb``) all.
        """
        if sys.exc_info()[1] is self:
            return [f"\x1b[31mbuddy:\x1b[0m {self}"]
        return "".join(traceback.format_exception(self)).splitlines()


class BuddyError(_OneLine, Exception):
    """The base of every error that this package raises on purpose; the cell fails with
    its message as one line.
    """


class PromptError(BuddyError):
    """There is nothing to ask, or it cannot be asked."""


class SettingError(BuddyError):
    """An option, a command or a setting is not right."""


class ExtraMissing(BuddyError):
    """An optional package is not installed."""


class NotKept(BuddyError):
    """Conversations cannot be read from disk, or kept there."""


class ProviderError(BuddyError):
    """Something went wrong on the model's side."""


class Unreachable(ProviderError):
    """No connection: nothing listens, no such host, no route, TLS, or time ran out.

    Parameters
    ----------
    message
        The line for the user.
    passing
        Whether that may be over in a moment, as when a server is being started again.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class Offline(ProviderError):
    """The request would leave the machine, and ``Buddy.offline`` is on."""


class KeyRefused(ProviderError):
    """The key is missing, or the server does not take it."""


class ModelNotFound(ProviderError):
    """The server does not have this model."""


class PromptTooLong(ProviderError):
    """The prompt does not fit the model's window.

    Parameters
    ----------
    message
        The line for the user.
    tokens
        How long the prompt is, in tokens, where the server told.
    window
        How many tokens the model can see, where the server told.
    """

    def __init__(
        self, message: str, *, tokens: int | None = None, window: int | None = None
    ) -> None:
        super().__init__(message)
        self.tokens = tokens
        self.window = window


class ServerError(ProviderError):
    """The server answered with an error.

    Parameters
    ----------
    message
        The line for the user, with the server's own words.
    status
        The HTTP status, or None where the error came inside a stream.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NoReply(ProviderError):
    """The server answered, but not with a reply: nothing, a page, a JSON text that is
    no stream.
    """


class CutOff(ProviderError):
    """The reply broke off before its end; what had come is kept."""


class Stopped(_OneLine, KeyboardInterrupt):
    """The user stopped the request; what had come is kept."""
