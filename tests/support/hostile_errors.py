"""Exceptions and objects that record and fail whatever is done with them."""

from __future__ import annotations

from typing import ClassVar, NoReturn


class Hostile:
    """Whatever is asked of it goes wrong, and is remembered."""

    touched: ClassVar[list[str]] = []

    def _touch(self, *args: object) -> NoReturn:
        Hostile.touched.append("touched")
        raise RuntimeError("touched")

    __repr__ = __str__ = __len__ = __bool__ = __eq__ = __hash__ = __format__ = (
        __iter__
    ) = _touch


class Trap(Exception):
    """An exception that is hostile itself."""

    def _touch(self, *args: object) -> NoReturn:
        Hostile.touched.append("touched")
        raise RuntimeError("touched")

    __str__ = __repr__ = __len__ = __bool__ = __eq__ = __hash__ = _touch
    args = __traceback__ = __cause__ = __context__ = __notes__ = __class__ = (
        __dict__
    ) = property(_touch)
