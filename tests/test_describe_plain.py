"""Descriptions of Python's own values: types, lengths, signatures, values on request."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import pathlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context.describe import Describers
from tests.support.described import Customer

if TYPE_CHECKING:
    pass

SECRET = "hunter2"


class Point(NamedTuple):
    x: int
    y: str


@dataclasses.dataclass
class Order:
    """An order of a customer's."""

    number: int
    customer: str = SECRET


class Color(enum.Enum):
    RED = SECRET


# The names that stand in the cells.
CODE_NAMES = frozenset({"id", "rate", "sizes", "k1"})

SCHEMAS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "None"),
    "a number": (3, "int"),
    "a truth": (True, "bool"),
    "a text": (SECRET, "str"),
    "lines": ("a\nb\n", "str, 3 lines"),
    "bytes": (b"x" * 24_000, "bytes, 24 kB"),
    "an empty list": ([], "list of 0"),
    "a list": ([1] * 1200, "list of 1,200: of the first 1,000: all int"),
    "a mixed list": ([1, 2, None], "list of 3: 2 int, 1 None"),
    "a list of lists": (
        [[1, 2], [3]],
        "list of 2: all list\n  the first: list of 2: all int",
    ),
    "records": (
        [{"id": 1, "name": SECRET}] * 2,
        "list of 2: all dict\n  the first: dict of 2 keys: id int, … 1 more",
    ),
    "a tuple": ((1, SECRET), "tuple of 2: 1 int, 1 str"),
    "a named tuple": (
        Point(1, SECRET),
        "tests.test_describe_plain.Point (a named tuple)\n  x int\n  y str",
    ),
    "a set": ({1, 2}, "set of 2: all int"),
    "settings": (
        {"rate": 0.1, "sizes": [1, 2]},
        "dict of 2 keys\n  rate: float\n  sizes: list of 2: all int",
    ),
    "keys that are data": ({"Bob Smith": 3}, "dict of 1 key\n  keys: str; values: int"),
    "names of people": (
        {"smith": 52000, "rate": 0.1, "jones": 48000},
        "dict of 3 keys\n  rate: float\n  … 2 other keys: all str; values: all int",
    ),
    "only names of people": (
        {"smith": 52000},
        "dict of 1 key\n  keys: str; values: int",
    ),
    "many keys": (
        {f"k{i}": i for i in range(31)},
        "dict of 31 keys\n  k1: int\n  … 30 other keys: all str; values: all int",
    ),
    "a counter": (
        collections.Counter("aab"),
        "collections.Counter of 2 keys\n  keys: all str; values: all int",
    ),
    "a queue": (collections.deque([1, 2]), "collections.deque of 2: all int"),
    "a range": (range(10), "range of 10 numbers"),
    "an endless range": (range(10**30), "range of more numbers than can be counted"),
    "a generator": ((i for i in [SECRET]), "generator, not consumed"),
    "a map": (map(str, [1]), "map, not consumed"),
    "a date": (datetime.date(2026, 1, 1), "datetime.date"),
    "a decimal": (decimal.Decimal("1.5"), "decimal.Decimal"),
    "a path": (pathlib.PurePosixPath(SECRET), "pathlib.PurePosixPath"),
    "a member": (Color.RED, "tests.test_describe_plain.Color"),
    "a record": (
        Order(1),
        "tests.test_describe_plain.Order (a dataclass)\n  number int\n  customer str",
    ),
    "an exception": (ValueError(SECRET), "ValueError (an exception)"),
    "ellipsis": (..., "ellipsis"),
}


@pytest.mark.parametrize(("value", "text"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_has_types_and_sizes_and_no_value(value: Any, text: str) -> None:
    describers = Describers()
    describers.begin(CODE_NAMES)
    assert describers.schema(value) == text
    assert SECRET not in text


VALUES: dict[str, tuple[Any, str]] = {
    "a number": (3, "int\n  = 3"),
    "a huge number": (10**5000, "int\n  = an int of 16,610 bits"),
    "a text": ("a", "str, 1 character: 'a'"),
    "lines": ("a\nb", "str, 3 characters, 2 lines:\na\nb"),
    "a list": ([1, "a", None], "list of 3: 1 int, 1 str, 1 None\n  = [1, 'a', None]"),
    "a long list": (
        list(range(20)),
        "list of 20: all int\n  = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … 10 more]",
    ),
    "a list of objects": (
        [Customer("a")],
        "list of 1: tests.support.described.Customer\n  = [<tests.support.described.Customer>]",
    ),
    "settings": ({"rate": 0.1}, "dict of 1 key\n  rate: float\n  = {'rate': 0.1}"),
    "a counter": (
        collections.Counter("aab"),
        "collections.Counter of 2 keys\n  keys: all str; values: all int\n  = {'a': 2, 'b': 1}",
    ),
    "a date": (
        datetime.datetime(2026, 1, 1),
        "datetime.datetime\n  = 2026-01-01 00:00:00",
    ),
    "a path": (pathlib.PurePosixPath("/a"), "pathlib.PurePosixPath\n  = /a"),
    "a member": (
        Color.RED,
        "tests.test_describe_plain.Color\n  = tests.test_describe_plain.Color.RED",
    ),
    "an exception": (ValueError("no"), "ValueError (an exception)\n  = 'no'"),
    "a generator": ((i for i in [1]), "generator, not consumed"),
}


@pytest.mark.parametrize(("value", "text"), VALUES.values(), ids=VALUES)
def test_values_are_shown_on_request(value: Any, text: str) -> None:
    assert Describers().values(value) == text


def test_what_gives_its_elements_once_still_has_them_afterwards() -> None:
    generator, pairs = (i for i in [1, 2]), zip([1], [2], strict=True)
    for value in (generator, pairs):
        Describers().schema(value)
        Describers().values(value)
    assert list(generator) == [1, 2]
    assert list(pairs) == [(1, 2)]


def test_a_default_dict_gets_no_new_key() -> None:
    value: collections.defaultdict[str, list[int]] = collections.defaultdict(list)
    Describers().values(value)
    assert not value


def test_what_holds_itself_is_described() -> None:
    value: list[Any] = []
    value.append(value)
    assert (
        Describers().values(value)
        == "list of 1: list\n  the first: list of 1: list\n  = [[[<list>]]]"
    )


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.dates(),
)
THINGS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner, inner)
    ),
)


@given(THINGS)
def test_any_plain_value_is_described_within_bounds(value: Any) -> None:
    schema, values = Describers().schema(value), Describers().values(value)
    assert "could not be" not in schema + values
    assert 0 < len(schema) <= 1500
    assert len(values) <= 4000


@given(st.lists(st.text(alphabet="§", min_size=1), min_size=1))
def test_a_schema_holds_no_text_of_the_data(texts: list[str]) -> None:
    for value in (
        texts,
        set(texts),
        tuple(texts),
        dict.fromkeys(texts),
        {"a": texts},
        [{"a": texts[0]}],
        texts[0],
    ):
        assert "§" not in Describers().schema(value)
