"""Undo gives back the identical objects, and says what it cannot undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pandas
import pytest

from codebuddy_jupyter.tools.effects import CALLS
from codebuddy_jupyter.tools.undo import MOST_ITEMS, Undo, Undone, copyable


class Thing:
    """An object of a class of the user's, whose code must not run."""

    value = 1

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    __hash__ = None  # type: ignore[assignment]


def variables() -> dict[str, Any]:
    """The variables of a notebook."""
    inner = [1, 2]
    return {
        "number": 41,
        "text": "text",
        "rows": [3, 1, 2],
        "table": {"a": 1, "b": inner},
        "inner": inner,
        "alias": inner,
        "names": {"x", "y"},
        "data": bytearray(b"abc"),
        "things": [Thing(), Thing()],
        "thing": Thing(),
        "df": pandas.DataFrame({"a": [1, 2]}),
        "pandas": pandas,
        "f": len,
    }


# Each case is a cell that changes variables.
CASES = [
    "number = 42",
    "number += 1",
    "number = text = None",
    "number, (text, *rows) = 1, 'abc'",
    "number: float = 1.5",
    "del number",
    "del number, text, rows",
    "new = 1",
    "new = other = rows",
    "import math",
    "import os.path as number",
    "from math import *",
    "def f(x):\n    return x",
    "async def f(x):\n    return x",
    "class f:\n    pass",
    "for number in range(3):\n    text = number",
    "while number < 50:\n    number += 1\nelse:\n    text = ''",
    "with __import__('contextlib').nullcontext(5) as number:\n    pass",
    "try:\n    1 / 0\nexcept ZeroDivisionError as number:\n    text = 'failed'",
    "if (number := 5) > 3:\n    text = 'more'",
    "squares = [last := i * i for i in range(4)]",
    "def change():\n    global number\n    number = 1\nchange()",
    "match rows:\n    case [number, *text]:\n        pass",
    "globals()['number'] = 7",
    "exec('number = 8')",
    "rows = sorted(rows)",
    "rows.append(4)",
    "rows.sort()",
    "rows += [9]",
    "rows[:] = []",
    "del rows[0]",
    "table['a'] = 5",
    "table['b'].append(3)",
    "table.clear()",
    "table |= {'c': 3}",
    "names.add('z')",
    "names.discard('x')",
    "data.extend(b'd')",
    "things.reverse()",
    "df = df.assign(b=1)\nnumber = 1 / 0",
]


def ids_of(container: Any) -> list[Any]:
    """The items of a plain container, by identity."""
    if type(container) is dict:
        return [(key, id(value)) for key, value in container.items()]
    if type(container) is set:
        return sorted(container)
    return [id(item) for item in container]


CONTAINERS = ("rows", "table", "inner", "names", "data", "things")


def test_there_are_forty_cases() -> None:
    assert len(set(CASES)) == len(CASES) == 40


@pytest.mark.parametrize("code", CASES)
def test_undo_gives_back_the_identical_objects(
    code: str, run: Callable[..., Undone]
) -> None:
    names = variables()
    before = dict(names)
    contents = {name: ids_of(names[name]) for name in CONTAINERS}
    undone = run(code, names)
    assert names.keys() == before.keys()
    assert all(names[name] is value for name, value in before.items())
    assert {name: ids_of(names[name]) for name in CONTAINERS} == contents
    assert undone.restored or undone.removed or undone.refilled
    assert undone.left == []


def ran(code: str, names: dict[str, Any], *copies: str) -> Undo:
    """Run code as a cell, whatever it raises."""
    undo = Undo(code, names, copies)
    builtins = names.pop("__builtins__", None)
    try:
        exec(code, names)
    except ZeroDivisionError:
        pass
    finally:
        names.pop("__builtins__", None)
        if builtins is not None:
            names["__builtins__"] = builtins
    undo.end(names)
    return undo


@pytest.fixture
def run() -> Callable[..., Undone]:
    """Runs code, and undoes it."""

    def run(code: str, names: dict[str, Any], *copies: str) -> Undone:
        return ran(code, names, *copies).undo(names)

    return run


def test_what_was_changed_again_is_left_alone() -> None:
    names = variables()
    undo = ran("number = 1\ntext = 'b'\nrows.append(4)", names)
    names["number"] = 2
    names["rows"].append(5)
    undone = undo.undo(names)
    assert (undone.left, undone.restored) == (["number", "rows"], ["text"])
    assert (names["number"], names["rows"]) == (2, [3, 1, 2, 4, 5])


def test_a_new_name_is_deleted_unless_it_is_gone(run: Callable[..., Undone]) -> None:
    names = variables()
    assert run("new = 1\nnewer = 2", names).removed == ["new", "newer"]
    undo = ran("new = 1", names)
    del names["new"]
    assert undo.undo(names).left == ["new"]


def test_what_is_ipython_s_own_is_not_touched(run: Callable[..., Undone]) -> None:
    names = {**variables(), "_": 1, "_i": "a", "Out": {}, "_5": 2}
    undone = run("_ = 3\n_i = 'b'\n_5 = 4\n_own = 5\nOut = 1", names)
    assert undone.removed == ["_own"]
    assert names["_"] == 3


def test_a_frame_is_given_back_from_a_copy_that_was_wanted(
    run: Callable[..., Undone],
) -> None:
    code = "df['b'] = 0\nnumber = 1"
    names = variables()
    assert list(copyable(code, names)) == ["df"]
    without = run(code, dict(variables()))
    assert without.copied == []
    assert "changes inside df" in without.not_undone
    undone = run(code, names, "df")
    assert (undone.copied, undone.not_undone) == (["df"], [])
    assert list(names["df"].columns) == ["a"]


def test_an_array_can_be_copied_and_other_objects_cannot() -> None:
    names: dict[str, Any] = {
        "a": numpy.zeros(3),
        "thing": Thing(),
        "big": numpy.zeros(20_000_000),
    }
    code = "a[0] = 1\nthing.value = 2\nbig[0] = 1\nmissing[0] = 1"
    assert copyable(code, names) == {"a": 24}
    undo = ran("a[0] = 1\nthing.value = 2", names, "a", "thing", "other")
    undone = undo.undo(names)
    assert names["a"][0] == 0
    assert undone.copied == ["a"]
    assert undone.not_undone == ["changes inside thing"]


def test_what_is_inside_a_container_and_is_none_is_said(
    run: Callable[..., Undone],
) -> None:
    names = variables()
    undone = run("things[0].value = 5", names)
    assert undone.not_undone == ["changes inside things"]


def test_a_change_through_another_name_is_said(run: Callable[..., Undone]) -> None:
    undone = run("other = df\nother['b'] = 1", variables())
    assert undone.removed == ["other"]
    assert "changes inside other" in undone.not_undone
    looped = run("for part in [df]:\n    part['b'] = 1", variables())
    assert "changes inside part" in looped.not_undone
    # The list is filled again, and what is new is gone.
    for code in ("other = rows\nother.append(4)", "other = Thing()\nother.value = 1"):
        undone = run(code, {**variables(), "Thing": Thing})
        assert undone.not_undone == [CALLS]


def test_files_are_said_where_something_is_called(run: Callable[..., Undone]) -> None:
    assert run("number = len(text)", variables()).not_undone == [CALLS]
    assert run("number = 5", variables()).not_undone == []


def test_very_large_containers_are_not_copied(run: Callable[..., Undone]) -> None:
    names: dict[str, Any] = {"rows": [0] * (MOST_ITEMS + 1)}
    undone = run("rows.append(1)", names)
    assert undone.refilled == []
    assert "changes inside rows" in undone.not_undone


def test_a_container_that_contains_itself_is_copied_once(
    run: Callable[..., Undone],
) -> None:
    rows: list[Any] = [1]
    rows.append(rows)
    names: dict[str, Any] = {"rows": rows}
    assert run("rows.append(rows)", names).refilled == ["rows"]
    assert len(rows) == 2
