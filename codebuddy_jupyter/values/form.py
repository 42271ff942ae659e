"""The form of an answer: a type as a JSON schema and in words, and the value that an
answer of this form is.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Annotated, Any, get_args, get_origin

from ..errors import Remedy, SettingError, printable
from .data import prepared
from .frames import Frame, try_frame
from .json_text import NotJSON, json_values
from .schema import NoSchema, Schema, schema_of, sent
from .short_form import record_of
from .typed_dicts import IS_NEEDED, with_known_dicts
from .wording import instruction

WRAP = "value"
"""The field in which a value stands that is no object."""
# Errors of pydantic that a reason names, and its characters.
MOST_ERRORS = 3
LONGEST_REASON = 300
# Characters of an answer without JSON that can be a value.
LONGEST_BARE = 200_000

EXAMPLE = Remedy(
    "Use plain types, a dataclass or a pydantic model, or name fields",
    'into="name, age int, tags list[str]"',
)
NO_PYDANTIC = Remedy("Install a newer one", 'pip install "pydantic>=2.10"')

# The modules in the repr of a type, but not within quotes.
_MODULES = re.compile(r"(?<!['\"\w.])(?:\w+\.)+(?=\w)")
_AROUND_BARE = "\"'`.!* \t\r\n"


class NotValid(ValueError):
    """An answer that is not of its form; the message is one line for the model."""


def form_of(into: Any) -> Form:
    """Return the form of a type.

    Parameters
    ----------
    into
        A type, ``Annotated[pandas.DataFrame, Row]``, or a short form such as
        ``"name, age int"``.

    Raises
    ------
    SettingError
        If it cannot be a JSON schema, with the reason.
    """
    if isinstance(into, Form):
        return into
    name = name_of(into)
    if isinstance(into, str):
        into = record_of(into)
    frame = try_frame(into)
    row: Any = into
    if frame is not None:
        row = frame.row
        if isinstance(row, str):
            row = record_of(row)
        name = f"{frame.name} of {name_of(row)}"
        into = types.GenericAlias(list, row)
    adapter, schema = _schema(into, name)
    columns = _fields(row)
    if frame is not None and not columns:
        raise SettingError(f"{name_of(row)} has no fields for columns.", EXAMPLE)
    is_wrapped = schema.get("type") != "object"
    return Form(
        name=name,
        fields=() if is_wrapped else columns,
        columns=columns,
        adapter=adapter,
        inner=schema,
        is_wrapped=is_wrapped,
        frame=frame,
    )


@dataclass(frozen=True, eq=False)
class Form:
    """The form of an answer.

    Parameters
    ----------
    name
        How lines for the user name the type.
    fields
        The names of a record's fields, in order; empty for anything else.
    columns
        The names of the fields of a record, or of each row of a frame.
    adapter
        The ``pydantic.TypeAdapter`` of the type.
    inner
        The schema of the value.
    is_wrapped
        Whether the value stands in the field `WRAP` of an object.
    frame
        The frame that is made of the records, if that is the type.
    """

    name: str
    fields: tuple[str, ...]
    columns: tuple[str, ...]
    adapter: Any
    inner: Schema
    is_wrapped: bool
    frame: Frame | None = None

    @cached_property
    def schema(self) -> Schema:
        """The JSON schema of the answer, which is an object."""
        return sent(self._whole)

    @cached_property
    def _whole(self) -> Schema:
        if not self.is_wrapped:
            return self.inner
        inner = dict(self.inner)
        definitions = inner.pop("$defs", None)
        whole: Schema = {
            "type": "object",
            "properties": {WRAP: inner},
            "required": [WRAP],
            "additionalProperties": False,
        }
        if definitions:
            whole["$defs"] = definitions
        return whole

    def instruction(self, with_schema: bool) -> str:
        """Return what a prompt says of the form.

        Parameters
        ----------
        with_schema
            Whether to quote the JSON schema, for a server that takes none.
        """
        if with_schema:
            return self._quoting
        return self._plain

    @cached_property
    def _plain(self) -> str:
        return instruction(self._whole, with_schema=False)

    @cached_property
    def _quoting(self) -> str:
        return instruction(self._whole, with_schema=True)

    def read(self, text: str) -> Any:
        """Return the value that an answer is.

        Raises
        ------
        NotValid
            If it is none of this form.
        """
        return self.read_with_json(text)[0]

    def read_with_json(self, text: str) -> tuple[Any, str]:
        """Return what `read` returns, and the JSON of the answer without what stands
        around it.
        """
        reason: NotValid | None = None
        try:
            for data in json_values(text):
                try:
                    value = self._value(data)
                    return value, json.dumps(data, ensure_ascii=False)
                except NotValid as error:
                    reason = reason or error
        except NotJSON as error:
            reason = NotValid(str(error))
        return self._bare(text, reason or NotValid("there is no JSON in the answer"))

    def record(self, value: Any) -> dict[str, Any]:
        """Return a record of this form, or a row of its frame, by its `columns`."""
        if isinstance(value, Mapping):
            return {name: value.get(name) for name in self.columns}
        return {name: getattr(value, name) for name in self.columns}

    def _value(self, data: Any) -> Any:
        reason: NotValid | None = None
        for candidate in self._unwrapped(data):
            try:
                return self._checked(candidate)
            except NotValid as error:
                reason = reason or error
        raise reason or NotValid(f'the answer must be {{"{WRAP}": ...}}')

    def _unwrapped(self, data: Any) -> Iterator[Any]:
        """Yield what may be the value in a JSON value: models wrap it as they like."""
        is_object = isinstance(data, dict)
        if self.is_wrapped and is_object and WRAP in data:
            yield data[WRAP]
            return
        if self.is_wrapped and is_object and len(data) == 1:
            yield from data.values()
        yield data
        if not self.is_wrapped and is_object and len(data) == 1:
            (only,) = data.values()
            if isinstance(only, dict):
                yield only

    def _checked(self, data: Any) -> Any:
        """Return the value of the type that a JSON value is."""
        try:
            definitions = self.inner.get("$defs", {})
            data = prepared(data, self.inner, definitions)
            value = self.adapter.validate_python(data)
            if self.frame is None:
                return value
            records = [self.record(row) for row in value]
            return self.frame.of(records, self.columns)
        except Exception as error:
            # The classes of the user may raise anything.
            raise NotValid(_reason(error)) from error

    def _bare(self, text: str, reason: NotValid) -> tuple[Any, str]:
        """Return a value that an answer without JSON is: a text, or one word."""
        stripped = text.strip()
        looks_like_json = stripped.startswith(("{", "[", "```"))
        is_short = 0 < len(stripped) <= LONGEST_BARE
        if not self.is_wrapped or looks_like_json or not is_short:
            raise reason
        is_text = self.inner.get("type") == "string" and "enum" not in self.inner
        bare = stripped
        if not is_text:
            bare = stripped.strip(_AROUND_BARE)
        try:
            value = self._checked(bare)
        except NotValid:
            raise reason from None
        return value, json.dumps({WRAP: bare}, ensure_ascii=False)


def name_of(into: Any) -> str:
    """Return how a line names a type, without the modules of its parts."""
    if isinstance(into, str):
        return f"record ({into})"
    if get_origin(into) is Annotated:
        return name_of(get_args(into)[0])
    if isinstance(into, type) and not get_args(into):
        return into.__name__
    if not get_args(into):
        return f"An object of type {type(into).__name__}"
    return _MODULES.sub("", repr(into))


def _schema(into: Any, name: str) -> tuple[Any, Schema]:
    """Return pydantic's adapter of a type, and its schema."""
    try:
        from pydantic import TypeAdapter
    except ImportError as error:
        raise SettingError(
            "Typed answers need pydantic 2.10 or later.", NO_PYDANTIC
        ) from error
    try:
        if IS_NEEDED:
            into = with_known_dicts(into)
        adapter = TypeAdapter(into)
        schema = schema_of(adapter)
    except Exception as error:
        # Classes can have schemas of their own, whose code may raise anything.
        what = f"{name} cannot be the form of an answer: {_reason(error)}."
        raise SettingError(what, EXAMPLE) from error
    return adapter, schema


def _fields(into: Any) -> tuple[str, ...]:
    """Return the names of the fields of a class of records; none of anything else."""
    if get_origin(into) is Annotated:
        into = get_args(into)[0]
    cls = get_origin(into) or into
    if not isinstance(cls, type):
        return ()
    if is_dataclass(cls):
        return tuple([field.name for field in fields(cls) if field.init])
    # A TypedDict, of typing or typing_extensions.
    if issubclass(cls, dict) and hasattr(cls, "__total__"):
        return tuple(cls.__annotations__)
    if issubclass(cls, tuple):
        return tuple(getattr(cls, "_fields", ()))
    return tuple(getattr(cls, "__pydantic_fields__", ()))


def _reason(error: Exception) -> str:
    """Return why a value or a type is refused, as one line."""
    details = getattr(error, "errors", None)
    if type(error).__name__ == "ValidationError" and details is not None:
        first = details(include_url=False, include_input=False)[:MOST_ERRORS]
        text = "; ".join([_detail(detail) for detail in first])
    elif isinstance(error, NoSchema | ValueError):
        text = str(error)
    else:
        # The advice that pydantic adds is for the authors of libraries.
        sentence, _, _ = str(error).partition(". ")
        text, _, _ = sentence.partition("\n")
        text = text.replace("Unable to generate pydantic-core", "there is no")
    text = re.sub(r"\s+", " ", text)
    line = printable(text).strip().rstrip(".")
    return line[:LONGEST_REASON] or type(error).__name__


def _detail(detail: Mapping[str, Any]) -> str:
    """Return one error of pydantic, after the place where it is."""
    place = ".".join([str(part) for part in detail["loc"]])
    message = str(detail["msg"])
    if not place:
        return message
    return f"{place}: {message}"
