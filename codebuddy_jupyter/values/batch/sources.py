"""What a map reads its rows from, and gives its values as: lists, dicts, and any
iterable. Frames have modules of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ...errors import PromptError, Remedy
from .cell_text import cell_text
from .template import ITEM

Row = tuple[Any, Sequence[Any]]
"""The key of a row, and the values of its fields."""


class MissingField(LookupError):
    """A row has no such field; it stands for the field's value."""


class Source:
    """The rows of an input.

    Attributes
    ----------
    columns : sequence of str
        The names that the fields of a template can have; None if there is no row.
    may_append : bool
        Whether a row can stand at the end of a question.
    total : int or None
        How many rows there are; None if that is not known.
    """

    columns: Sequence[str] | None = (ITEM,)
    may_append: ClassVar[bool] = True
    total: int | None = None

    def rows(self, fields: Sequence[str]) -> Iterator[Row]:
        """Yield the key of each row, and the values of these fields."""
        raise NotImplementedError

    def output(self, answers: Answers) -> Any:
        """Return the values in the kind of the input."""
        raise NotImplementedError


class Answers:
    """The values of a map by the number of the row, as they come.

    Parameters
    ----------
    fields
        The fields of each value, if it is a record.
    """

    def __init__(self, fields: Sequence[str] = ()) -> None:
        self.fields = tuple(fields)
        self.keys: list[Any] = []
        self.values: list[Any] = []
        self.errors: dict[int, Exception] = {}

    def put(self, number: int, key: Any, value: Any) -> None:
        """Take the value of a row, or the error in its place."""
        missing = number + 1 - len(self.values)
        if missing > 0:
            self.keys += [None] * missing
            self.values += [None] * missing
        self.keys[number] = key
        if isinstance(value, Exception):
            self.errors[number] = value
            self.values[number] = None
        else:
            self.errors.pop(number, None)
            self.values[number] = value

    def filled(self, total: int) -> list[Any]:
        """Return the values of so many rows; those that did not come are None."""
        missing = total - len(self.values)
        return self.values + [None] * missing

    def columns(self, total: int) -> dict[str, list[Any]]:
        """Return the same by field, for values that are records."""
        values = self.filled(total)
        return {name: _column(values, name) for name in self.fields}

    def texts_of_errors(self, total: int) -> list[str | None]:
        """Return the error of each row in words."""
        texts: list[str | None] = [None] * total
        for number, error in self.errors.items():
            texts[number] = str(error)
        return texts


def _column(values: Iterable[Any], name: str) -> list[Any]:
    return [_field(value, name) for value in values]


def _field(value: Any, name: str) -> Any:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, name)


class _Attached:
    """What the answers of a list or a dict know besides their values."""

    errors: Mapping[Any, Exception]
    usage: Any
    retry: Callable[[], Any]
    forget: Callable[[], None]


class ListOfAnswers(list[Any], _Attached):
    """The answers about the rows of an iterable: a list.

    Attributes
    ----------
    errors
        The error of each row that has none, by its place in the list.
    usage
        What the answers cost.
    retry
        Asks again about the rows with an error.
    forget
        Deletes the answers from the disk.
    """

    def __reduce__(self) -> Any:
        return list, (list(self),)


class DictOfAnswers(dict[Any, Any], _Attached):
    """The answers about the values of a dict, by its keys; see `ListOfAnswers`."""

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class IterableSource(Source):
    """A list, or anything that can be iterated once; it may be endless.

    Parameters
    ----------
    items
        The rows: each a value, or a dict with a value for each column.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self.total = _try_length(items)
        iterator = iter(items)
        first = list(itertools.islice(iterator, 1))
        self._items = itertools.chain(first, iterator)
        self.columns = _columns_of(first)

    def rows(self, fields: Sequence[str]) -> Iterator[Row]:
        """Yield the place of each row, and the values of these fields."""
        for number, item in enumerate(self._items):
            yield number, fields_of(item, fields)

    def output(self, answers: Answers) -> Any:
        """Return the values as a list."""
        total = self.total or len(answers.values)
        return ListOfAnswers(answers.filled(total))


class DictSource(Source):
    """A dict: its values are the rows."""

    def __init__(self, items: Mapping[Any, Any]) -> None:
        self._items = dict(items)
        self.total = len(self._items)
        first = list(itertools.islice(self._items.values(), 1))
        self.columns = _columns_of(first)

    def rows(self, fields: Sequence[str]) -> Iterator[Row]:
        """Yield each key, and the values of these fields."""
        for key, item in self._items.items():
            yield key, fields_of(item, fields)

    def output(self, answers: Answers) -> Any:
        """Return the values as a dict with the same keys."""
        values = answers.filled(len(self._items))
        return DictOfAnswers(zip(self._items, values, strict=True))


def _columns_of(first: Sequence[Any]) -> Sequence[str] | None:
    """Return the names of the fields of rows of which the first is one value, or a
    dict; None if there is no row.
    """
    if not first:
        return None
    (item,) = first
    if not isinstance(item, dict):
        return (ITEM,)
    return [*map(str, item), ITEM]


def fields_of(item: Any, fields: Sequence[str]) -> list[Any]:
    """Return the values of fields of a row that is one value, or a dict."""
    by_name = {}
    if isinstance(item, dict):
        by_name = {str(key): value for key, value in item.items()}
    values = []
    for name in fields:
        if name in by_name:
            values.append(by_name[name])
        elif name == ITEM:
            values.append(item)
        else:
            values.append(MissingField(name))
    return values


def texts_of(values: Sequence[Any], fields: Sequence[str]) -> list[str] | None:
    """Return the texts of the fields of a row; None if all of them are missing.

    Raises
    ------
    PromptError
        If a value cannot be sent.
    """
    texts = []
    is_missing = True
    for name, value in zip(fields, values, strict=True):
        if isinstance(value, MissingField):
            raise PromptError(f"The row has no {name!r}.")
        try:
            text = cell_text(value)
        except ValueError as error:
            raise PromptError(f"{{{name}}} cannot be filled: {error}.") from error
        if text is not None:
            is_missing = False
        texts.append(text or "")
    if is_missing:
        return None
    return texts


def checked(items: Any) -> Any:
    """Return what can be iterated; a text is one value, and not many.

    Raises
    ------
    PromptError
        If it is a text, or cannot be iterated.
    """
    if isinstance(items, str | bytes):
        ask = Remedy("Ask about one text", 'buddy.ask("…")')
        many = Remedy("Put it into a list", "buddy.map([text], …)")
        raise PromptError("buddy.map takes many texts, and this is one.", many, ask)
    if not isinstance(items, Iterable):
        name = type(items).__name__
        raise PromptError(
            f"buddy.map takes a frame, a list, a dict or an iterable, not a {name}."
        )
    return items


def _try_length(items: Any) -> int | None:
    try:
        return len(items)
    except TypeError:
        return None
