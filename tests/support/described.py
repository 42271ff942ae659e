"""A class of the user's, to be described."""

from __future__ import annotations


class Customer:
    """A customer of ours.

    More about it.
    """

    def __init__(self, name: str, limit: float = 5.0) -> None:
        self.name = name
        self.limit = limit
        self._hidden = 1
