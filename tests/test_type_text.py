"""Types that are typed as text."""

from __future__ import annotations

import datetime
import types
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest

from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.values.type_text import LONGEST, check_name, resolve

T = TypeVar("T")


class Person:
    """Somebody."""

    class Address:
        """Where."""


class Box(Generic[T]):
    """A box of something."""


class Trap:
    """Raises when anything of it is looked up."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError("looked up")


class Refusing:
    """Takes no arguments."""

    def __class_getitem__(cls, item: Any) -> Any:
        raise RuntimeError("not me")


NAMES = {
    "Person": Person,
    "Box": Box,
    "datetime": datetime,
    "trap": Trap(),
    "Refusing": Refusing,
    "number": 5,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bool", bool),
        ("Person", Person),
        ("Person.Address", Person.Address),
        ("datetime.date", datetime.date),
        ("list[Person]", list[Person]),
        ("dict[str, list[int]]", dict[str, list[int]]),
        ("tuple[int, ...]", tuple[int, ...]),
        ("tuple[()]", tuple[()]),
        ("Box[int]", Box[int]),
        ("int | None", int | None),
        ("int | str | None", int | str | None),
        ("Optional[Person]", Person | None),
        ("Literal['a', 'b', 3, True, None]", Literal["a", "b", 3, True, None]),
        ("Literal[-1, 0]", Literal[-1, 0]),
        ("Annotated[Person, 'name, age int']", Annotated[Person, "name, age int"]),
        ("'name, age int'", "name, age int"),
        (" \n list[str] ", list[str]),
    ],
)
def test_a_type_is_what_python_would_make_of_it(text: str, expected: object) -> None:
    assert resolve(text, NAMES) == expected


def test_the_notebook_s_own_names_come_first() -> None:
    assert resolve("date", {"date": Person}) is Person
    assert resolve("date", {}) is datetime.date


@pytest.mark.parametrize(
    "text",
    [
        "",
        "list[",
        "print('x')",
        "open('file').read()",
        "[int]",
        "lambda: int",
        "int if True else str",
        "5",
        "1 + 2",
        "int + str",
        "list[1]",
        "Box[()]",
        "Literal[int]",
        "Literal[1.5]",
        "trap.anything",
        "Person.nothing",
        "Refusing[int]",
        "Person[int]",
        "f'{x}'",
        "a" * (LONGEST + 1),
        "[" * 500,
        "x\x00y",
    ],
)
def test_what_is_no_type_is_refused_and_nothing_runs(text: str) -> None:
    with pytest.raises(SettingError):
        resolve(text, NAMES)


def test_a_property_of_an_instance_is_not_read() -> None:
    module = types.ModuleType("lazy")
    module.__getattr__ = Trap().__getattr__  # type: ignore[method-assign]
    with pytest.raises(SettingError, match=r"There is no type lazy\.Row"):
        resolve("lazy.Row", {"lazy": module})


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"no type Persn.*Did you mean Person\?"):
        resolve("list[Persn]", NAMES)


@pytest.mark.parametrize("name", ["people", "größe", "_x1"])
def test_a_name_of_a_variable_is_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "1st", "a b", "class", "df.x", "x=1", "--new"])
def test_what_cannot_be_a_variable_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match="cannot be the name of a variable"):
        check_name(name)
