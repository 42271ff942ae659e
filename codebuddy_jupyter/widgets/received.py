"""Messages of a page, compared with what `protocol` declares before they are used."""

import types
from collections.abc import Iterator, Mapping
from typing import (
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)


class WrongFields(ValueError):
    """A message has a known type, and fields that are missing or of another type."""


def read_message(content: object, messages: Any) -> Any | None:
    """Return a message that has arrived, or None if its type is unknown.

    Parameters
    ----------
    content
        What arrived.
    messages
        The union of the messages that may arrive, such as `ChatRequest`.

    Raises
    ------
    WrongFields
        If fields are missing or have another type than declared.
    """
    if not isinstance(content, Mapping):
        return None
    for message in get_args(messages):
        hints = get_type_hints(message)
        if matches(content.get("type"), hints["type"]):
            wrong = ", ".join(_wrong_fields(content, message))
            if wrong:
                raise WrongFields(f"{content['type']}: {wrong}")
            return content
    return None


def matches(value: object, declared: Any) -> bool:
    """Return whether a value of a message has its declared type."""
    origin, arguments = get_origin(declared), get_args(declared)
    if declared is Any:
        return True
    if is_typeddict(declared):
        return isinstance(value, Mapping) and not any(_wrong_fields(value, declared))
    if origin is Literal:
        return value in arguments
    if origin in (Union, types.UnionType):
        return any(matches(value, argument) for argument in arguments)
    if origin is list:
        return _is_list_of(value, arguments[0])
    if origin is tuple:
        return _is_tuple_of(value, arguments)
    if origin is dict:
        return isinstance(value, dict)
    if isinstance(value, bool):
        return declared is bool
    return isinstance(value, declared)


def _is_list_of(value: object, declared: Any) -> bool:
    if not isinstance(value, list):
        return False
    return all(matches(item, declared) for item in value)


def _is_tuple_of(value: Any, declared: tuple[Any, ...]) -> bool:
    # JSON knows only lists.
    if not isinstance(value, list | tuple) or len(value) != len(declared):
        return False
    pairs = zip(value, declared, strict=True)
    return all(matches(item, item_type) for item, item_type in pairs)


def _wrong_fields(message: Mapping[str, object], declared: Any) -> Iterator[str]:
    """Yield the names of fields that are missing or have another type."""
    for name, field_type in get_type_hints(declared).items():
        if name in message:
            if not matches(message[name], field_type):
                yield name
        elif name in declared.__required_keys__:
            yield name
