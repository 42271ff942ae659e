"""A check: one step in the examination of a provider, with what it found.

Providers check their own connection; ``/doctor`` adds steps that fit any provider.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BuddyError, Remedy

Announce = Callable[[str], None]
"""Called with what is waited for from now on: ``waiting for a connection to …``."""

AGAIN = "%buddy /doctor"
"""The command that repeats an examination."""


@dataclass(frozen=True)
class Check:
    """One thing that was examined.

    Parameters
    ----------
    name
        What was examined, in a word or two.
    ok
        Whether it works; None where that is not known, or where either is fine.
    finding
        What the examination found, as part of a sentence without its full stop.
    remedies
        What the user can do about it.
    """

    name: str
    ok: bool | None
    finding: str
    remedies: tuple[Remedy, ...] = ()


def failed_check(name: str, error: BuddyError) -> Check:
    """Return the check that failed with an error, with the error's remedies."""
    return Check(name, False, error.what.rstrip("."), error.remedies)
