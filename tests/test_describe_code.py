"""Descriptions of code and of objects: signatures, documentation, attributes."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import enum
import functools
import pathlib
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Optional

import pytest

from codebuddy_jupyter.context.describe import Describers
from tests.support.described import Customer

if TYPE_CHECKING:
    import pandas as pd

SECRET = "hunter2"


def clean(
    df: pd.DataFrame, by: str = SECRET, *cols: str, n: int | None = 3, **more: list[int]
) -> dict[str, int]:
    """Take out what is empty.

    More about it.
    """
    return {}


@functools.wraps(clean)
def wrapped(*args: Any, **kwargs: Any) -> Any:
    return None


async def fetch(
    url: Optional[str] = None,  # noqa: UP045 - the older way to write it is described, too
    when: datetime.date = datetime.date(2026, 1, 1),
) -> None:
    pass


SCHEMAS: dict[str, tuple[Any, str]] = {
    "an object": (
        Customer(SECRET),
        "tests.support.described.Customer\n  A customer of ours.\n  .name str\n  .limit float",
    ),
    "a class": (
        Customer,
        "class tests.support.described.Customer\n  A customer of ours.\n"
        "  __init__(self, name: str, limit: float = …) -> None",
    ),
    "a function": (
        clean,
        "def clean(df: pd.DataFrame, by: str = …, *cols: str, n: int | None = "
        "…, **more: list[int]) -> dict[str, int]\n"
        "  Take out what is empty.",
    ),
    "a coroutine function": (
        fetch,
        "async def fetch(url: Optional[str] = None, when: datetime.date = …) -> None",
    ),
    "a lambda": (lambda x, y=SECRET: x, "def <lambda>(x, y=…)"),
    "a built-in": (
        abs,
        "built-in function abs\n  Return the absolute value of the argument.",
    ),
    "a module": (pathlib, "module pathlib"),
}


@pytest.mark.parametrize(("value", "text"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_has_signatures_and_no_value(value: Any, text: str) -> None:
    assert Describers().schema(value) == text
    assert SECRET not in text


def test_a_function_that_is_wrapped_is_described_as_what_it_wraps() -> None:
    assert Describers().schema(wrapped) == Describers().schema(clean)


def test_a_method_has_its_owners_type() -> None:
    method = types.MethodType(clean, Customer("a"))
    assert (
        Describers()
        .schema(method)
        .startswith(
            "method of tests.support.described.Customer: clean(df: pd.DataFrame"
        )
    )


def test_a_module_has_its_version_where_that_is_a_text() -> None:
    module = types.ModuleType("shop")
    module.__dict__["__version__"] = "1.2"
    assert Describers().schema(module) == "module shop 1.2"


def test_of_many_attributes_the_first_are_listed() -> None:
    customer = Customer("a")
    vars(customer).update({f"a{i}": i for i in range(97)})
    text = Describers().schema(customer)
    assert text.count("\n  .") == 20
    assert text.endswith("  of 100 attributes")


class Level(enum.Enum):
    HIGH = SECRET


@dataclasses.dataclass
class Employee:
    name: str = SECRET
    level: Level = Level.HIGH


class Point(NamedTuple):
    name: str = SECRET


def of_values(
    a: Literal["hunter2", "other"],
    b: Annotated[str, "hunter2"],
    c: float = 52000.25,
    *,
    d: Level = Level.HIGH,
    e: Literal["hunter2"] | None = None,
) -> Literal["hunter2"]:
    raise NotImplementedError


def of_objects(a: Any, b: Any, c: Any = None) -> Any:
    raise NotImplementedError


# Annotations that are objects, as in a module without the import from `__future__`.
of_objects.__annotations__ = {
    "a": Literal["hunter2"],
    "b": list[Literal["hunter2", "b"]] | None,
    "c": "hunter2, of course",
    "return": Annotated[str, SECRET],
}


@pytest.mark.parametrize(
    "value",
    [
        *(
            Employee,
            Employee(),
            Level,
            Level.HIGH,
            Point,
            Point(),
            of_values,
            of_objects,
        ),
        functools.partial(of_objects, SECRET),
        types.SimpleNamespace(hunter2=52000),
        argparse.Namespace(hunter2=52000),
        Literal["hunter2"],
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_default_and_no_member_of_an_enumeration_is_told(value: Any) -> None:
    text = Describers().schema(value)
    assert SECRET not in text
    assert "52000" not in text


def test_a_docstring_of_the_user_s_is_told() -> None:
    assert "A customer of ours." in Describers().schema(Customer)


def test_an_attribute_of_a_namespace_is_told_where_code_names_it() -> None:
    describers = Describers()
    describers.begin(frozenset({"rate"}))
    text = describers.schema(types.SimpleNamespace(rate=1, smith=52000))
    assert "  .rate int" in text
    assert "smith" not in text
    assert text.endswith("  of 2 attributes")
