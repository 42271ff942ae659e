"""Types as the form of an answer: schemas, and what is read as their values."""

from __future__ import annotations

import json
import math
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NotRequired,
    TypeVar,
)

import pandas
import polars
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.providers.chat_request import is_strict
from codebuddy_jupyter.values.form import Form, NotValid, form_of

T = TypeVar("T")


class Mood(StrEnum):
    """How somebody feels."""

    GOOD = "good"
    BAD = "bad"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Shape(Enum):
    ROUND = (1, 0)
    SQUARE = (0, 1)


@dataclass
class Address:
    """Where somebody lives."""

    city: str
    code: int | None = None


@dataclass
class Person:
    """Somebody who is named in the text."""

    name: Annotated[str, pydantic.Field(description="The full name.")]
    age: int
    address: Address | None = None
    tags: list[str] = field(default_factory=list)


class Point(NamedTuple):
    """A place."""

    x: float
    y: float = 0.0


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Order(pydantic.BaseModel):
    """An order."""

    number: int = pydantic.Field(ge=1, description="Its number.")
    state: Literal["open", "closed"]
    placed: date | None = None

    @pydantic.field_validator("number")
    @classmethod
    def number_is_even(cls, number: int) -> int:
        if number % 2:
            raise ValueError("the number must be even")
        return number


class Aliased(pydantic.BaseModel):
    inner: int = pydantic.Field(alias="innerValue")


class Node(pydantic.BaseModel):
    """A node of a tree."""

    name: str
    children: list[Node] = []


class Box(pydantic.BaseModel, Generic[T]):
    content: T


@dataclass
class Empty:
    """Has no fields, either."""


class Plain:
    """Has no fields."""


@dataclass
class Picky:
    """Raises what it likes."""

    text: str

    def __post_init__(self) -> None:
        if self.text == "boom":
            raise RuntimeError("no such text")


def value(inner: object) -> str:
    return json.dumps({"value": inner})


@pytest.mark.parametrize(
    ("into", "text", "expected"),
    [
        (bool, value(True), True),
        (bool, "Yes.", True),
        (bool, "false", False),
        (int, value(42), 42),
        (int, value("42"), 42),
        (int, "42", 42),
        (float, value(1.5), 1.5),
        (float, value(2), 2.0),
        (str, value("a text"), "a text"),
        (str, "just a text", "just a text"),
        (str, "as in x = [1, 2]", "as in x = [1, 2]"),
        (Literal["a", "b"], value("b"), "b"),
        (Literal["a", "b"], "`b`", "b"),
        (Literal[1, 2], value(2), 2),
        (Mood, value("bad"), Mood.BAD),
        (Level, value("HIGH"), Level.HIGH),
        (Shape, value("ROUND"), Shape.ROUND),
        (list[Level], value(["LOW", "HIGH"]), [Level.LOW, Level.HIGH]),
        (dict[str, Level], json.dumps({"a": "LOW"}), {"a": Level.LOW}),
        (date, value("2026-05-31"), date(2026, 5, 31)),
        (
            datetime,
            value("2026-05-31T12:30:00Z"),
            datetime(2026, 5, 31, 12, 30, tzinfo=UTC),
        ),
        (list[int], value([1, 2]), [1, 2]),
        (list[int], "[1, 2]", [1, 2]),
        (list, value([1, "a"]), [1, "a"]),
        (tuple[int, str], value([1, "a"]), (1, "a")),
        (set[str], value(["a", "a"]), {"a"}),
        (dict[str, int], json.dumps({"a": 1}), {"a": 1}),
        (dict, json.dumps({"a": 1}), {"a": 1}),
        (Decimal, value("1.50"), Decimal("1.50")),
        (int | None, value(None), None),
        (Level | None, value("LOW"), Level.LOW),
        (int | str, value("a"), "a"),
        (Point, json.dumps({"x": 1, "y": 2}), Point(1.0, 2.0)),
        (Point, json.dumps({"x": 1}), Point(1.0)),
        (Movie, json.dumps({"title": "M", "year": 1931}), {"title": "M", "year": 1931}),
        (
            Person,
            json.dumps({"name": "Ada", "age": 36, "address": {"city": "London"}}),
            Person("Ada", 36, Address("London")),
        ),
        (
            list[Person],
            value([{"name": "Ada", "age": 36, "address": None, "tags": ["x"]}]),
            [Person("Ada", 36, None, ["x"])],
        ),
        (
            Person | None,
            value({"name": "Ada", "age": 36}),
            Person("Ada", 36),
        ),
        (
            Order,
            json.dumps({"number": 2, "state": "open", "placed": None}),
            Order(number=2, state="open"),
        ),
        (Aliased, json.dumps({"innerValue": 1}), Aliased(innerValue=1)),
        (Box[Level], json.dumps({"content": "LOW"}), Box[Level](content=Level.LOW)),
        (
            Node,
            json.dumps({"name": "a", "children": [{"name": "b", "children": []}]}),
            Node(name="a", children=[Node(name="b")]),
        ),
    ],
    ids=lambda part: str(part)[:50],
)
def test_an_answer_becomes_a_value_of_its_type(
    into: Any, text: str, expected: object
) -> None:
    read = form_of(into).read(text)
    assert read == expected
    assert type(read) is type(expected)


def test_a_short_form_is_a_record() -> None:
    form = form_of("name, age int, tags list[str]")
    read = form.read('{"name": "Ada", "age": 36, "tags": []}')
    assert (read.name, read.age, read.tags) == ("Ada", 36, [])
    assert form.fields == ("name", "age", "tags")


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"name": "Ada", "age": 36}\n```',
        'Here is the JSON: {"name": "Ada", "age": 36}. I hope it helps!',
        '{"person": {"name": "Ada", "age": 36}}',
        '{"name": "Ada", "age": 36, "mood": "good"}',
        '{"name": "Ada", "age": 36, "age": 36}',
        'First {"name": "Ada"}, no: {"name": "Ada", "age": 36}',
    ],
)
def test_what_stands_around_it_does_no_harm(text: str) -> None:
    assert form_of(Person).read(text) == Person("Ada", 36)


def test_models_wrap_lists_under_names_of_their_own() -> None:
    people = form_of(list[Person]).read('{"people": [{"name": "Ada", "age": 36}]}')
    assert people == [Person("Ada", 36)]


@pytest.mark.parametrize(
    ("into", "text", "words"),
    [
        (bool, value("perhaps"), "valid boolean"),
        (bool, "I cannot say.", "there is no JSON in the answer"),
        (bool, "", "there is no JSON in the answer"),
        (int, value(True), "true and false are no numbers"),
        (int, value(1.5), "valid integer"),
        (int, '{"value": 1e400}', "too large"),
        (int, '{"value": NaN}', "NaN is not a number"),
        (float, value("nan"), "nan is not a number"),
        (float, value("-Infinity"), "-Infinity is not a number"),
        (float, '{"value": %s}' % ("9" * 400), "."),
        (str, value(5), "it must be a text"),
        (str, '{"value": "cut', "there is no JSON in the answer"),
        (Literal["a", "b"], value("c"), "'a' or 'b'"),
        (Level, value(2), "one of LOW, HIGH"),
        (Level, value("MIDDLE"), "one of LOW, HIGH"),
        (date, value(5), "it must be a text"),
        (date, value("0"), "is not a date"),
        (date, value("2026-02-31"), "valid date"),
        (datetime, value("2026"), "is not a time"),
        (date | None, value(5), "it must be a text"),
        (list[int], value([1, "x"]), "1: Input should be a valid integer"),
        (tuple[int, str], value([1]), "required"),
        (Person, '{"name": "Ada"}', "age: Field required"),
        (Person, "[]", "."),
        (Person, '{"name": "Ada", "age": 1, "age": 2}', "stands twice"),
        (Order, '{"number": 3, "state": "open"}', "the number must be even"),
        (Order, '{"number": 0, "state": "open"}', "greater than or equal to 1"),
        (Picky, '{"text": "boom"}', "no such text"),
        (Node, '{"name": "a", "children": [{"name": 1}]}', "it must be a text"),
    ],
    ids=lambda part: str(part)[:40],
)
def test_what_is_of_another_type_is_refused_with_one_line(
    into: Any, text: str, words: str
) -> None:
    with pytest.raises(NotValid, match=words) as raised:
        form_of(into).read(text)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) <= 300


@pytest.mark.parametrize(
    ("into", "words"),
    [
        (Any, "says nothing about the form"),
        (object, "cannot be the form"),
        (5, "object of type int cannot be the form"),
        (print, "cannot be the form"),
        (value, "a function is not a type"),
        (lambda text: text, "a function is not a type"),
        (list[value], "a function is not a type"),  # type: ignore[valid-type]
        (Empty, "Empty cannot be the form of an answer: it has no fields"),
        (Callable[[int], int], "cannot be the form"),
        (Plain, "Plain cannot be the form of an answer: there is no schema for"),
        (list[Plain], "cannot be the form"),
        ("name, age integer", "no type integer"),
        ("", "not a name with a type"),
        (pandas.DataFrame, "says nothing about its rows"),
        (polars.DataFrame, "says nothing about its rows"),
        (Annotated[pandas.DataFrame, int], "int has no fields"),
        (Annotated[pandas.DataFrame, Person, 5], "says nothing about its rows"),
    ],
    ids=lambda part: str(part)[:40],
)
def test_a_type_without_a_schema_is_refused_with_the_reason(
    into: Any, words: str
) -> None:
    with pytest.raises(SettingError, match=words) as raised:
        form_of(into)
    assert raised.value.remedies
    assert "\n" not in str(raised.value)


def test_a_class_that_names_what_is_not_there_is_refused() -> None:
    unfinished: Any = dataclass(
        type("Unfinished", (), {"__annotations__": {"x": "Nowhere"}})
    )
    with pytest.raises(SettingError, match="Unfinished cannot be the form"):
        form_of(unfinished)


@pytest.mark.parametrize(
    "into",
    [bool, list[int], Person, list[Person], Level, Node, dict[str, int], Order, Point],
    ids=lambda into: str(into)[:40],
)
def test_the_top_of_a_schema_is_an_object(into: Any) -> None:
    schema = form_of(into).schema
    assert schema["type"] == "object"
    json.dumps(schema)


def test_a_scalar_is_wrapped_and_a_record_is_not() -> None:
    assert form_of(bool).schema == {
        "type": "object",
        "properties": {"value": {"type": "boolean"}},
        "required": ["value"],
        "additionalProperties": False,
    }
    assert list(form_of(Person).schema["properties"]) == [
        "name",
        "age",
        "address",
        "tags",
    ]


def test_a_schema_has_descriptions_and_no_references() -> None:
    form = form_of(list[Person])
    person = form.schema["properties"]["value"]["items"]
    assert person["description"] == "Somebody who is named in the text."
    assert person["properties"]["name"]["description"] == "The full name."
    address, _ = person["properties"]["address"]["anyOf"]
    assert address["description"] == "Where somebody lives."
    assert "$ref" not in json.dumps(form.schema)
    assert "title" not in json.dumps(form.schema)


def test_only_what_contains_itself_is_referred_to() -> None:
    schema = form_of(Node).schema
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert list(schema["$defs"]) == ["Node"]
    wrapped = form_of(list[Node]).schema
    assert list(wrapped) == [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "$defs",
    ]


@pytest.mark.parametrize(
    ("into", "expected"),
    [
        (bool, True),
        (Person, True),
        (list[Person], True),
        (Node, True),
        (Point, True),
        (Level, True),
        (dict[str, int], False),
        (tuple[int, str], False),
        (list, False),
    ],
    ids=lambda into: str(into)[:40],
)
def test_a_strict_schema_is_one_that_clouds_enforce(into: Any, expected: bool) -> None:
    assert is_strict(form_of(into).schema) is expected


@pytest.mark.parametrize(
    ("into", "fields"),
    [
        (Person, ("name", "age", "address", "tags")),
        (Point, ("x", "y")),
        (Movie, ("title", "year")),
        (Order, ("number", "state", "placed")),
        (Box[int], ("content",)),
        (bool, ()),
        (list[Person], ()),
        (Person | None, ()),
        (dict[str, int], ()),
        (namedtuple("Bare", "a b"), ("a", "b")),
        (Annotated[pandas.DataFrame, Person], ()),
    ],
    ids=lambda part: str(part)[:40],
)
def test_the_fields_of_a_record_are_known(into: Any, fields: tuple[str, ...]) -> None:
    assert form_of(into).fields == fields


@pytest.mark.parametrize(
    ("into", "name"),
    [
        (bool, "bool"),
        (list[Person], "list[Person]"),
        (Person, "Person"),
        (int | None, "int | None"),
        (Literal["a.b", "c"], "Literal['a.b', 'c']"),
        ("name, age int", "record (name, age int)"),
        (Annotated[pandas.DataFrame, Point], "pandas.DataFrame of Point"),
    ],
    ids=str,
)
def test_a_line_names_the_type_as_it_was_written(into: Any, name: str) -> None:
    assert form_of(into).name == name


def test_a_form_is_its_own_form() -> None:
    form = form_of(bool)
    assert form_of(form) is form


def test_rows_become_a_frame_of_pandas() -> None:
    form = form_of(Annotated[pandas.DataFrame, Point])
    frame = form.read('{"value": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}')
    assert frame.to_dict("list") == {"x": [1.0, 3.0], "y": [2.0, 4.0]}
    empty = form.read('{"value": []}')
    assert list(empty.columns) == ["x", "y"]
    assert len(empty) == 0


def test_rows_become_a_frame_of_polars() -> None:
    form = form_of(Annotated[polars.DataFrame, "name, age int"])
    frame = form.read('{"value": [{"name": "Ada", "age": 36}]}')
    assert frame.to_dicts() == [{"name": "Ada", "age": 36}]
    assert form.read('{"value": []}').columns == ["name", "age"]
    optional = form_of(Annotated[polars.DataFrame, "age int | None"])
    rows = [{"age": None}] * 150 + [{"age": 36}]
    assert optional.read(json.dumps({"value": rows}))["age"].to_list()[-1] == 36


@pytest.mark.parametrize(
    ("into", "text"),
    [
        (Person, '{"name": "Ada", "age": 36}'),
        (Movie, '{"title": "M", "year": 1931}'),
        (Order, '{"number": 2, "state": "open"}'),
        (Point, '{"x": 1.0, "y": 2.0}'),
    ],
    ids=["dataclass", "dict", "model", "tuple"],
)
def test_a_record_is_a_row(into: Any, text: str) -> None:
    form = form_of(into)
    row = form.record(form.read(text))
    assert tuple(row) == form.fields
    assert row.items() >= json.loads(text).items()


def test_a_description_is_sent_without_secrets_and_control_tokens() -> None:
    secret = "sk-proj-" + "Ab3" * 16
    told: Any = dataclass(
        type(
            "Told",
            (),
            {"__annotations__": {"x": int}, "__doc__": f"<|im_end|> key {secret}"},
        )
    )
    sent = json.dumps(form_of(told).schema) + form_of(told).instruction(True)
    assert secret not in sent
    assert "<|im_end|>" not in sent


def test_a_default_is_not_sent() -> None:
    @dataclass
    class Login:
        password: str = "hunter2"

    assert "hunter2" not in json.dumps(form_of(Login).schema)


def test_a_very_large_type_is_refused() -> None:
    inner: Any = int
    make: Any = TypedDict
    for number in range(12):
        name, fields = f"Level{number}", {f"a{number}": inner, f"b{number}": inner}
        inner = make(name, fields)
    with pytest.raises(SettingError, match="more than 2,000 parts"):
        form_of(inner)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    reasons = {"a reason"}
    for form in FORMS:
        try:
            read = form.read(text)
        except NotValid as error:
            reasons.add(str(error))
        else:
            assert isinstance(read, bool | Person | list | float | Level)
            assert not isinstance(read, float) or math.isfinite(read)
    assert "" not in reasons


FORMS: tuple[Form, ...] = tuple(
    map(form_of, (bool, Person, list[Person], float, Level))
)
