"""``%%buddy`` below other lines, and without lines below it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from codebuddy_jupyter.ipython.cell_magic import find_cell_magic


def transformed(cell: str, *transforms: Callable[[list[str]], list[str]]) -> str:
    """Return what IPython makes of a cell, with these transforms before its own."""
    manager = TransformerManager()  # type: ignore[no-untyped-call]
    manager.line_transforms[:0] = transforms
    return manager.transform_cell(cell)


def call(line: str, body: str) -> str:
    return f"get_ipython().run_cell_magic('buddy', {line!r}, {body!r})\n"


QUESTION = 'why isn\'t it {empty}?\n  """ ( indented\n'
ABOVE = {
    "nothing": "",
    "comment": "# a comment\n",
    "comments and blank lines": "\n# one\n\n# two: 'quoted\n\n",
    "import": "import os\n",
    "blank line": "import os\n\n",
    "block": "for i in range(3):\n    print(i)\n\n",
    "text": 'text = """\n%%buddy\n(\n"""\n',
    "open lines": "x = [\n    1,\n]\n",
}


@pytest.mark.parametrize("options", ["", "-t 0", "why?"])
@pytest.mark.parametrize("above", ABOVE.values(), ids=ABOVE)
def test_the_rest_of_the_cell_is_the_question(above: str, options: str) -> None:
    magic = f"%%buddy {options}".strip()
    code = transformed(f"{above}{magic}\n{QUESTION}", find_cell_magic)
    assert code == above.lstrip("\n") + call(options, QUESTION)


def test_other_magics_above_are_transformed_as_ever() -> None:
    code = transformed(f"%matplotlib inline\n%%buddy\n{QUESTION}", find_cell_magic)
    line = "get_ipython().run_line_magic('matplotlib', 'inline')\n"
    assert code == line + call("", QUESTION)


@pytest.mark.parametrize("line", ["why is it empty?", "--help", "/version", ""])
@pytest.mark.parametrize("above", ["", "# a comment\n"])
def test_without_lines_below_it_is_the_line_magic(above: str, line: str) -> None:
    code = transformed(f"{above}%%buddy {line}", find_cell_magic)
    assert code == f"{above}get_ipython().run_line_magic('buddy', {line!r})\n"


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "%%time\n%%buddy\nwhy?",
        "%%bash\necho 1",
        "%%buddy?",
        "%%buddys\nwhy?",
        "# c\n%%buddys\nwhy",
        "if x:\n    %%buddy\n",
        'text = """\n%%buddy\nwhy?\n"""',
        "# %%buddy\n1",
    ],
)
def test_other_cells_are_read_as_before(cell: str) -> None:
    assert transformed(cell, find_cell_magic) == transformed(cell)
