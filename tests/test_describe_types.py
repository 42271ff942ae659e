"""Types and attributes are read without running any code of an object's."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from codebuddy_jupyter.context.describe import Describers
from codebuddy_jupyter.context.describe.types import (
    instance_dict,
    is_exactly,
    is_instance,
    name_of,
    try_loaded,
)


def test_a_class_that_claims_a_library_is_not_trusted() -> None:
    class Timestamp:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    Timestamp.__module__, Timestamp.__qualname__ = "pandas", "Timestamp"
    assert Describers().values([Timestamp()]).endswith("[<pandas.Timestamp>]")


def test_an_object_in_place_of_a_module_is_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Liar:
        def __getattribute__(self, name: str) -> Any:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "pyspark.sql.dataframe", Liar())
    assert Describers().schema(3) == "int"


class Answers(type):
    """A metaclass that says yes to everything."""

    def __eq__(cls, other: object) -> bool:
        return True

    def __hash__(cls) -> int:
        return 0

    def __instancecheck__(cls, value: object) -> bool:
        return True


class Yes(metaclass=Answers):
    """What claims to be everything."""

    __slots__ = ("x",)


def test_classes_are_compared_by_identity() -> None:
    assert not is_exactly(3, Yes)
    assert not is_instance(3, Yes)
    assert is_instance(True, int)
    assert not is_exactly(True, int)


def test_a_name_is_as_a_user_writes_it() -> None:
    class Inner:
        pass

    test = "test_a_name_is_as_a_user_writes_it"
    assert name_of(Inner) == f"tests.test_describe_types.{test}.Inner"
    assert name_of(int) == "int"
    assert name_of(type(None)) == "None"
    assert name_of(type("x" * 100, (), {"__module__": "a._b.c"})) == f"a.c.{'x' * 80}"


def test_attributes_are_empty_where_the_class_has_replaced_them() -> None:
    class Trap:
        @property
        def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
            raise KeyboardInterrupt

    assert instance_dict(Trap()) == {}
    assert instance_dict(Yes()) == {}


def test_what_is_not_loaded_is_none() -> None:
    assert try_loaded("sys", "path") is sys.path
    assert try_loaded("sys", "no_such_name") is None
    assert try_loaded("no_such_module", "x") is None
