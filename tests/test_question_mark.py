"""Questions that end in a question mark, as IPython reads them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from codebuddy_jupyter.ipython.question_mark import (
    QuestionMarkTransform,
    has_question,
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
    ],
)
def test_a_question_goes_to_the_magic(cell: str, code: str) -> None:
    assert transformed(cell, QuestionMarkTransform) == code


@pytest.mark.parametrize(
    "cell", ["%buddy?", "%buddy??", "?%buddy", "%%buddy?", "%time?", "df?", "1 % buddy"]
)
def test_other_code_is_read_as_before(cell: str) -> None:
    assert transformed(cell, QuestionMarkTransform) == transformed(cell)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("%load_ext codebuddy_jupyter\n%buddy why?", True),
        ("%load_ext codebuddy_jupyter\nx = %buddy why?", True),
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
