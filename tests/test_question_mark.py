"""Questions that end in a question mark, as IPython reads them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from codebuddy_jupyter.ipython.question_mark import (
    QuestionMarkTransform,
    has_question,
    refusal,
)


def transformed(cell: str, *transformers: type[QuestionMarkTransform]) -> str:
    """Return what IPython makes of a cell, with these transformers added."""
    manager = TransformerManager()  # type: ignore[no-untyped-call]
    manager.token_transformers.extend(transformers)
    return manager.transform_cell(cell)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (
            "%buddy why is df empty?",
            "get_ipython().run_line_magic('buddy', 'why is df empty?')\n",
        ),
        (
            "x = %buddy why?",
            "x = get_ipython().run_line_magic('buddy', 'why?')\n",
        ),
        (
            "import os\n%buddy is {os} a module?",
            "import os\nget_ipython().run_line_magic('buddy', 'is {os} a module?')\n",
        ),
        (
            "buddy why is df empty?",
            "get_ipython().run_line_magic('buddy', 'why is df empty?')\n",
        ),
        (
            "d['a'] = %buddy why?",
            "d['a'] = get_ipython().run_line_magic('buddy', 'why?')\n",
        ),
        (
            "a = b = %buddy why",
            "a = b = get_ipython().run_line_magic('buddy', 'why')\n",
        ),
    ],
)
def test_a_question_goes_to_the_magic(cell: str, code: str) -> None:
    assert transformed(cell, QuestionMarkTransform) == code


@pytest.mark.parametrize(
    ("cell", "magic", "line"),
    [
        ("%time %buddy why is it empty?", "time", "%buddy why is it empty?"),
        ("%time %buddy why isn't it?", "time", "%buddy why isn't it?"),
        ("%timeit -n 1 %buddy why?", "timeit", "-n 1 %buddy why?"),
        ("%prun -q %buddy why?", "prun", "-q %buddy why?"),
        ("%time x = %buddy why?", "time", "x = %buddy why?"),
        ("%xyz %buddy why ?", "xyz", "%buddy why ?"),
    ],
)
def test_a_question_in_another_magic_goes_to_that(
    cell: str, magic: str, line: str
) -> None:
    call = f"get_ipython().run_line_magic({magic!r}, {line!r})\n"
    assert transformed(cell, QuestionMarkTransform) == call
    in_block = f"for i in x:\n    {cell}\n    i"
    code = f"for i in x:\n    {call}    i\n"
    assert transformed(in_block, QuestionMarkTransform) == code
    assigned = transformed(f"y = {cell}", QuestionMarkTransform)
    assert assigned == f"y = {call}"


@pytest.mark.parametrize(
    ("cell", "question", "is_shell"),
    [
        ("!%buddy why is it empty?", "%buddy why is it empty?", True),
        ("!%buddy why", "%buddy why", True),
        ("!!%buddy why?", "%buddy why?", True),
        ("%sx %buddy why?", "%buddy why?", True),
        ("%system %buddy why?", "%buddy why?", True),
        ("x = !%buddy why?", "%buddy why?", True),
        ("if x: %buddy why?", "%buddy why?", False),
        ("if x: %buddy why", "%buddy why", False),
        ("print(%buddy why?)", "%buddy why?", False),
        ("f(a=%buddy why?)", "%buddy why?", False),
        ("return %buddy why?", "%buddy why?", False),
    ],
)
def test_where_no_magic_can_stand_the_user_is_told_what_to_type(
    cell: str, question: str, is_shell: bool
) -> None:
    code = transformed(f"a\n{cell}\nb", QuestionMarkTransform).splitlines()
    arguments = f"{question!r}, is_shell={is_shell}"
    assert code[:2] == ["a", f"get_ipython().codebuddy.refuse({arguments})"]
    error = str(refusal(question, is_shell=is_shell))
    assert error.endswith(f": {question}")
    assert "\n" not in error


@pytest.mark.parametrize(
    "cell",
    [
        "%buddy?",
        "%buddy??",
        "?%buddy",
        "%%buddy?",
        "%time?",
        "df?",
        "1 % buddy",
        "x %buddy",
        "print(f(x) %buddy)",
        "print('a' %buddy)",
        "y = x %buddy if x else 1",
        "# if x: %buddy why?",
        "s = 'if x: %buddy why?'",
        's = """\nif x: %buddy why?\n"""',
        "buddy?",
        "buddy.ask?",
        "buddy is x",
        "%time %buddy why",
        "!ls",
        "%time x?",
    ],
)
def test_other_code_is_read_as_before(cell: str) -> None:
    assert transformed(cell, QuestionMarkTransform) == transformed(cell)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("%load_ext codebuddy_jupyter\n%buddy why?", True),
        ("%load_ext codebuddy_jupyter\nx = %buddy why?", True),
        ("%load_ext codebuddy_jupyter\n%time %buddy why?", True),
        ("%load_ext codebuddy_jupyter\n%buddy?", False),
        ("%load_ext codebuddy_jupyter\n%buddy why", False),
        (None, False),
    ],
)
def test_a_question_in_the_loading_cell_is_noticed(
    cell: str | None, expected: bool
) -> None:
    result = SimpleNamespace(info=SimpleNamespace(raw_cell=cell))
    assert has_question(result) is expected
    assert not has_question(None)
