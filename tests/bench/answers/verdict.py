"""What became of an answer."""

from __future__ import annotations

from dataclasses import dataclass

RIGHT, LOOSE, WRONG = "right", "right in another form", "wrong"


@dataclass(frozen=True)
class Verdict:
    """What became of the code of an answer.

    Parameters
    ----------
    verdict
        `RIGHT`, `LOOSE` or `WRONG`.
    error
        The name of the exception's class where the code failed, or what else is wrong.
    message
        What the exception says.
    """

    verdict: str
    error: str = ""
    message: str = ""
