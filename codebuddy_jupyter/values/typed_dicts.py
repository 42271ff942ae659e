"""``typing.TypedDict`` on Python 3.11, where pydantic takes that of ``typing_extensions``
only (https://docs.pydantic.dev/latest/errors/usage_errors/#typed-dict-version).
"""

from __future__ import annotations

import functools
import operator
import sys
import types
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

IS_NEEDED = sys.version_info < (3, 12)


def with_known_dicts(into: Any, within: tuple[Any, ...] = ()) -> Any:
    """Return a type in which pydantic knows each ``TypedDict``, also within lists, unions
    and other such classes; those in fields of other classes stay as they are.

    Parameters
    ----------
    into
        The type.
    within
        The classes around it.
    """
    if is_typeddict(into) and type(into).__module__ == "typing":
        if into in within:
            # One that contains itself is left to pydantic, which says what to do.
            return into
        return _known_dict(into, (*within, into))
    arguments = get_args(into)
    origin = get_origin(into)
    if origin is Annotated:
        first, *others = arguments
        return Annotated[(with_known_dicts(first, within), *others)]
    if not arguments or origin is Literal:
        return into
    known = tuple([with_known_dicts(argument, within) for argument in arguments])
    if known == arguments:
        return into
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, known)
    generic: Any = origin
    return generic[known]


def _known_dict(cls: Any, within: tuple[Any, ...]) -> Any:
    from typing_extensions import TypedDict

    fields = {}
    for name, hint in get_type_hints(cls, include_extras=True).items():
        is_optional = name in cls.__optional_keys__
        mark = get_origin(hint)
        if mark in (Required, NotRequired):
            # In annotations that were text, the class itself has not seen them.
            is_optional = mark is NotRequired
            (hint,) = get_args(hint)
        hint = with_known_dicts(hint, within)
        fields[name] = NotRequired[hint] if is_optional else hint
    make: Any = TypedDict
    known = make(cls.__name__, fields)
    known.__doc__ = cls.__doc__
    return known
