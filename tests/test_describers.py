"""Describers of the user's: which one is used, and what happens if it fails or is slow."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from codebuddy_jupyter.context.describe import BUILT_IN, Describers


class Base:
    pass


class Middle(Base):
    pass


class Leaf(Middle):
    pass


@pytest.fixture
def describers() -> Describers:
    return Describers()


def test_a_class_is_described_by_the_function_registered_for_it(
    describers: Describers,
) -> None:
    describers.register(Leaf, lambda value: f"a leaf, {type(value).__name__}")
    assert describers.schema(Leaf()) == describers.values(Leaf()) == "a leaf, Leaf"


def test_the_nearest_of_the_bases_counts(describers: Describers) -> None:
    describers.register(Base, lambda value: "base")
    describers.register(Middle, lambda value: "middle")
    assert [describers.schema(kind()) for kind in (Base, Middle, Leaf)] == [
        "base",
        "middle",
        "middle",
    ]


def test_a_registered_describer_goes_before_a_built_in_one(
    describers: Describers,
) -> None:
    assert describers.schema(1) == "int"
    describers.register(dict, lambda value: "mine")
    describers.register(int, lambda value: "my number")
    assert describers.schema({}) == "mine"
    assert (describers.schema(1), describers.schema(True)) == ("my number", "bool")
    assert describers.schema([]) == "list of 0"


def test_a_nearer_type_of_pythons_goes_before_a_base_of_the_users(
    describers: Describers,
) -> None:
    describers.register(object, lambda value: "mine")
    assert describers.schema(3) == "int"
    assert describers.schema(Leaf()) == "mine"


def test_only_a_class_can_be_registered(describers: Describers) -> None:
    wrong: Any = Leaf()
    with pytest.raises(TypeError, match="for a class, not for an instance"):
        describers.register(wrong, lambda value: "")


def test_an_object_may_describe_itself(describers: Describers) -> None:
    class Order:
        def _repr_llm_(self) -> str:
            return "an order of 3 items"

    class Special(Order):
        pass

    assert (
        describers.schema(Order())
        == describers.schema(Special())
        == "an order of 3 items"
    )


def test_an_instance_cannot_pretend_to_describe_itself(describers: Describers) -> None:
    class Mock:
        def __getattr__(self, name: str) -> Any:
            raise KeyboardInterrupt

    mock = Mock()
    mock.__dict__["_repr_llm_"] = lambda: "pretended"
    assert describers.schema(mock).endswith("Mock")


ERRORS = {
    "an error": ValueError("no"),
    "an exit": SystemExit(1),
    "a cancellation": asyncio.CancelledError(),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_describer_that_raises_costs_one_line(
    describers: Describers, error: BaseException
) -> None:
    def describe(value: Any) -> str:
        raise error

    describers.register(Leaf, describe)
    assert (
        describers.schema(Leaf())
        == "tests.test_describers.Leaf, could not be described"
    )


def test_an_interrupt_is_not_swallowed(describers: Describers) -> None:
    def describe(value: Any) -> str:
        raise KeyboardInterrupt

    describers.register(Leaf, describe)
    with pytest.raises(KeyboardInterrupt):
        describers.schema(Leaf())


@pytest.mark.parametrize("result", [None, 3, b"text", ["text"]], ids=str)
def test_a_result_that_is_not_a_text_costs_one_line(
    describers: Describers, result: Any
) -> None:
    describers.register(Leaf, lambda value: result)
    assert (
        describers.schema(Leaf())
        == "tests.test_describers.Leaf, could not be described: no text came"
    )


def test_a_long_description_is_cut(describers: Describers) -> None:
    describers.register(Leaf, lambda value: "a line of text\n" * 10_000)
    text = describers.schema(Leaf())
    assert len(text) <= 1500
    assert text.endswith("a line of text\n…")


def test_no_library_is_imported_to_describe() -> None:
    code = (
        "import sys; before = set(sys.modules); from "
        "codebuddy_jupyter.context.describe import Describers\n"
        "d = Describers(); [d.values(x) for x in (1, 'a', [1], {'a': 1}, d, sys, len, print)]\n"
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    heavy = {describer.library for describer in BUILT_IN} - set(
        sys.stdlib_module_names
    ) | {
        "IPython",
        "nest_asyncio2",
    }
    assert not heavy & set(done.stdout.split())


def test_a_library_is_recognised_from_when_it_is_loaded() -> None:
    code = (
        "from codebuddy_jupyter.context.describe import Describers\n"
        "d = Describers(); d.schema(1)\nimport numpy\nprint(d.schema(numpy.zeros(3)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "numpy.ndarray (3,) float64\n"
