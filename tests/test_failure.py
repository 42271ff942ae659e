"""Errors as text: the user's frames whole, the libraries' in a line, and nothing of the
user's is run for it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.context.error_message import rendered_message
from codebuddy_jupyter.context.failure import (
    CAUSED,
    DURING,
    Failure,
    failure_of,
    locals_of,
)
from codebuddy_jupyter.context.traceback_frames import Source
from tests.support.hostile_errors import Hostile, Trap

NUMBERS = itertools.count(1)


def run(*cells: str) -> tuple[BaseException, Callable[[str], Source | None]]:
    """Run cells, of which the last one fails: the error, and what knows their sources."""
    space: dict[str, Any] = {"__name__": "__main__"}
    sources = {
        f"<ipython-input-{number}-{next(NUMBERS)}>": cell
        for number, cell in enumerate(cells, 1)
    }
    found = {
        name: Source(number, cell.splitlines())
        for number, (name, cell) in enumerate(sources.items(), 1)
    }
    with pytest.raises(Exception) as failed:  # noqa: PT011 - each test looks at its own
        execute(sources, space)
    return failed.value, found.get


def execute(sources: dict[str, str], space: dict[str, Any]) -> None:
    for name, cell in sources.items():
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
        exec(compile(cell, name, "exec"), space)


def failed(*cells: str, folder: Path | None = None) -> Failure:
    error, sources = run(*cells)
    return failure_of(error, sources, folder)


def test_the_cell_and_the_function_that_failed_are_told_whole() -> None:
    failure = failed(
        "def f(x):\n    y = x\n    return y / 0\n", "z = 3\n\nf(\n  z,\n)\nafter = 1"
    )
    assert failure.text == (
        "Cell In[2], line 3\n"
        "       1 z = 3\n"
        "       2 \n"
        "-->    3 f(\n"
        "-->    4   z,\n"
        "-->    5 )\n"
        "       6 after = 1\n"
        "Cell In[1], line 3, in f\n"
        "       1 def f(x):\n"
        "       2     y = x\n"
        "-->    3     return y / 0\n"
        "ZeroDivisionError: division by zero"
    )
    assert (failure.cell, failure.line, failure.name) == (2, 3, "ZeroDivisionError")
    assert failure.message == "division by zero"
    assert failure.names == ("y", "f", "z")


def test_the_locals_are_those_of_the_innermost_function_of_the_users() -> None:
    error, sources = run(
        "import json\ndef f(text):\n    more = 1\n    return json.loads(text)", "f('{')"
    )
    assert locals_of(error, sources) == {"text": "{", "more": 1}


def test_a_cell_by_itself_has_no_locals() -> None:
    error, sources = run("a = 1\nb")
    assert locals_of(error, sources) == {}


def test_frames_of_a_library_are_a_line_each() -> None:
    failure = failed("import json\njson.loads('{')")
    lines = failure.text.splitlines()
    assert lines[2].startswith("-->    2 json.loads(")
    assert [line.split(":")[0] for line in lines[3:5]] == [
        "json/__init__.py",
        "json/decoder.py",
    ]
    assert lines[-1].startswith(
        "JSONDecodeError: Expecting property name enclosed in double quotes"
    )
    assert str(Path(json.__file__).parent) not in failure.text


def test_a_long_run_of_a_library_is_folded() -> None:
    failure = failed("import re\nre.compile('(' * 3 + '*')")
    assert "… " in failure.text
    assert " more\n" in failure.text
    assert len(failure.text.splitlines()) < 10


def test_a_recursion_is_told_once() -> None:
    failure = failed("def a(n):\n    return b(n)\ndef b(n):\n    return a(n + 1)\na(0)")
    assert failure.text.count("in a (") == 1
    assert failure.text.count("in b (") == 1
    assert " times)" in failure.text
    assert len(failure.text) < 1_000


def test_errors_that_led_to_it_stand_before_it() -> None:
    failure = failed(
        (
            "def a():\n    try:\n        {}['k']\n    except KeyError as error:\n"
            "        raise ValueError('v') from error"
        ),
        "try:\n    a()\nexcept ValueError:\n    1 / 0",
    )
    places = [
        failure.text.index(text)
        for text in ("KeyError: 'k'", CAUSED, "ValueError: v", DURING, "ZeroDivision")
    ]
    assert places == sorted(places)
    assert failure.name == "ZeroDivisionError"


def test_an_error_that_is_raised_from_none_hides_the_one_before() -> None:
    failure = failed(
        "try:\n    {}['k']\nexcept KeyError:\n    raise ValueError('v') from None"
    )
    assert "KeyError: 'k'" not in failure.text


def test_a_chain_that_bites_its_tail_has_an_end() -> None:
    failure = failed(
        "a, b = ValueError('a'), ValueError('b')\na.__cause__, b.__cause__ = b, a\nraise a"
    )
    assert failure.text.count("ValueError: b") == 1


def test_a_syntax_error_has_its_caret() -> None:
    failure = failed("a = 1\nfor x in y\n    pass")
    assert failure.text == (
        "Cell In[1], line 2\n"
        "       1 a = 1\n"
        "-->    2 for x in y\n"
        "                   ^\n"
        "       3     pass\n"
        "SyntaxError: expected ':'"
    )
    assert (failure.cell, failure.line) == (1, 2)


def test_the_members_of_a_group_are_told() -> None:
    members = ", ".join(f"ValueError({number})" for number in range(5))
    failure = failed(
        f"raise ExceptionGroup('many', [{members}, ExceptionGroup('in', [KeyError('k')])])"
    )
    assert (
        "ExceptionGroup: many (6 sub-exceptions)\n  1 of 6:\n    ValueError: 0"
        in failure.text
    )
    assert "  … 3 more" in failure.text


def test_files_beside_the_notebook_are_the_users_own(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text("def load(path):\n    return path.nope\n")
    library = tmp_path / "site-packages" / "theirs.py"
    library.parent.mkdir()
    library.write_text("def load(path):\n    return path.nope\n")
    for file in (module, library):
        call = (
            f"exec(compile(open({str(file)!r}).read(), {str(file)!r}, 'exec'))\nload(1)"
        )
        text = failed(call, folder=tmp_path).text
        assert ("-->    2     return path.nope" in text) is (file is module)
        assert ("theirs.py:2 in load" in text) is (file is library)


def test_notes_are_told() -> None:
    failure = failed(
        "error = ValueError('v')\nerror.add_note('while reading a.csv')\nraise error"
    )
    assert failure.text.endswith("ValueError: v\nwhile reading a.csv")


def test_what_the_shell_has_rendered_is_taken() -> None:
    error, sources = run("raise ValueError(object())")
    assert failure_of(error, sources, rendered="as rendered").message == "as rendered"
    assert (
        rendered_message("KeyError", "\x1b[31mKeyError\x1b[39m: 'k'\nmore")
        == "'k'\nmore"
    )
    assert rendered_message("KeyError", "ValueError: v") is None


def hostile(error: BaseException) -> BaseException:
    """The exception as it is once it has been raised, without a look at it."""
    with contextlib.suppress(RuntimeError):
        raised(error)
    return error


def raised(error: BaseException) -> None:
    try:
        raise error
    finally:
        raise RuntimeError("another")


HOSTILE: dict[str, Callable[[], BaseException]] = {
    "object as argument": lambda: KeyError(Hostile()),
    "object among texts": lambda: ValueError("cannot take", Hostile()),
    "object as file name": lambda: OSError(2, "no such", Hostile()),
    "object as syntax error": lambda: SyntaxError(Hostile()),
    "group": lambda: ExceptionGroup("g", [KeyError(Hostile())]),
    "exception itself": lambda: Trap("said", 1),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_nothing_of_the_users_is_run(make: Callable[[], BaseException]) -> None:
    Hostile.touched.clear()
    error = hostile(make())
    failure = failure_of(error, lambda file: None, Path(__file__).parent)
    locals_of(error, lambda file: None, Path(__file__).parent)
    assert Hostile.touched == []
    assert failure.name == type(error).__name__
    assert failure.text
