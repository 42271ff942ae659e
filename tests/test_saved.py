"""SavedNotebook notebooks: read as they are on disk, whatever that is."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context.items import Output
from codebuddy_jupyter.context.saved import (
    LARGEST_FILE_BYTES,
    NotebookFiles,
    SavedNotebook,
    Unreadable,
    parse_notebook,
)
from tests.support.saved_notebooks import (
    ANYTHING,
    PNG,
    code,
    picture,
    printed,
    save,
    text64,
)


def reason(path: Path) -> str:
    with pytest.raises(Unreadable) as trouble:
        NotebookFiles().read(path)
    return str(trouble.value)


MARKDOWN = {
    "cell_type": "markdown",
    "id": "m",
    "metadata": {},
    "source": ["# Sales\n", "of the year"],
}
RAW = {"cell_type": "raw", "id": "r", "metadata": {}, "source": "raw"}


@pytest.mark.parametrize(
    "indent", [1, 2, None], ids=["as Jupyter", "as others", "in one line"]
)
def test_cells_are_read_however_the_file_is_laid_out(
    tmp_path: Path, indent: int | None
) -> None:
    path = save(
        tmp_path / "a.ipynb",
        MARKDOWN,
        RAW,
        code(["a = 1\n", "a"], "c", 3, printed("é\n")),
        indent=indent,
    )
    heading, cell = NotebookFiles().read(path).cells
    assert (heading.type, heading.source, heading.id) == (
        "markdown",
        "# Sales\nof the year",
        "m",
    )
    assert (cell.source, cell.id, cell.number, cell.outputs) == (
        "a = 1\na",
        "c",
        3,
        (Output("text", "é"),),
    )


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    files, path = (
        NotebookFiles(),
        save(tmp_path / "a.ipynb", code("a", "1"), code("b", "2"), code("c", "3")),
    )
    first = files.read(path)
    assert files.read(path) is first
    save(path, code("a", "1"), code("changed", "2"), code("c", "3"))
    again = files.read(path)
    assert [cell.source for cell in again.cells] == ["a", "changed", "c"]
    assert again.cells[2] is first.cells[2]


def test_cells_without_ids_keep_theirs_when_others_come_and_go(tmp_path: Path) -> None:
    before = parse_notebook({"cells": [code("a"), code("b"), code("b")]}, 0.0).cells
    after = parse_notebook(
        {"cells": [code("new"), code("a"), code("b"), code("b")]}, 0.0
    ).cells
    assert [cell.id for cell in before] == [cell.id for cell in after[1:]]
    assert len({cell.id for cell in after}) == 4


def test_the_picture_of_the_cell_that_ran_last_is_kept(tmp_path: Path) -> None:
    other = PNG + b"other"
    path = save(
        tmp_path / "a.ipynb",
        code("a", "1", 7, picture(PNG)),
        code("b", "2", 4, picture(other)),
        code("c", "3"),
    )
    for saved in (
        NotebookFiles().read(path),
        parse_notebook(json.loads(path.read_bytes()), 0.0),
    ):
        assert saved.picture == ("image/png", text64(PNG))


BROKEN = {
    "empty": (b"", "it is not valid JSON"),
    "half-written": (
        b'{\n "cells": [\n  {\n   "cell_type": "code",\n   "sou',
        "it is not valid JSON",
    ),
    "no notebook": (b'{"a": 1}', "it is not a notebook of format 4"),
    "format 3": (
        b'{"nbformat": 3, "worksheets": [{"cells": []}]}',
        "it is not a notebook of format 4",
    ),
    "a list": (b"[]", "it is not a notebook of format 4"),
    "deep": (b"[" * 200_000, "it is not valid JSON"),
    "bytes": (bytes(range(256)), "it is not valid JSON"),
    "torn as Jupyter writes": (
        b'{\n "cells": [\n  {\n   "source": \n  }\n ],\n "nbformat": 4}',
        "it is not valid JSON",
    ),
}


@pytest.mark.parametrize(("data", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_gives_the_reason(
    tmp_path: Path, data: bytes, expected: str
) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(data)
    assert reason(path) == expected


PERCENT = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Sales

# %%
import os
rate = 0.19

# %%
# %%time
rate
"""
LIGHT = "# # Sales\n\nimport os\nrate = 0.19\n\n# %time rate\n"
PLAIN = "# Sales\n\n```python\nimport os\nrate = 0.19\n```\n"
MYST = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  name: python3
---
# Sales

```{code-cell} ipython3
import os
rate = 0.19
```
"""
TEXTS = {
    "percent": ("nb.py", PERCENT),
    "light": ("nb.py", LIGHT),
    "Markdown": ("nb.md", PLAIN),
    "MyST": ("nb.md", MYST),
    "R Markdown": ("nb.Rmd", PLAIN.replace("```python", "```{python}")),
}


@pytest.mark.parametrize(("name", "text"), TEXTS.values(), ids=TEXTS)
def test_a_text_is_read_as_jupytext_opens_it(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    heading, first, *others = NotebookFiles().read(tmp_path / name).cells
    assert (heading.type, heading.source) == ("markdown", "# Sales")
    assert (first.type, first.source) == ("code", "import os\nrate = 0.19")
    assert {other.source for other in others} <= {"%%time\nrate", "%time rate"}
    # A cell keeps its id until it is edited.
    (tmp_path / name).write_text(f"{text}\n\n")
    assert NotebookFiles().read(tmp_path / name).cells[1].id == first.id


def test_a_text_that_jupytext_cannot_read_costs_a_line(tmp_path: Path) -> None:
    (tmp_path / "nb.md").write_text("---\n: [\n---\nx")
    assert reason(tmp_path / "nb.md") == "Jupytext failed with ParserError"
    (tmp_path / "nb.py").write_bytes(b"\xff\xfe\x00")
    assert reason(tmp_path / "nb.py") == "Jupytext failed with UnicodeDecodeError"


def test_without_jupytext_a_text_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    (tmp_path / "nb.py").write_text(PERCENT)
    assert "%pip install jupytext" in reason(tmp_path / "nb.py")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE_BYTES + 1_000_000)
    assert reason(path) == "it has 51 MB, and at most 50 are read"


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").mkdir()
    assert reason(tmp_path / "a.ipynb") in ("it is not a file", os.strerror(13))
    assert reason(tmp_path / "b.ipynb") == os.strerror(2)
    assert reason(Path("a\0.ipynb"))


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    """A symbolic link that leads to itself; a file that is not there where links cannot
    be made.
    """
    path = tmp_path / "loop.ipynb"
    if hasattr(os, "symlink") and os.name != "nt":
        path.symlink_to(path)
    return path


def test_a_link_that_leads_to_itself_is_not_read(loop: Path) -> None:
    assert reason(loop)


def test_a_renamed_notebook_is_known_by_what_was_run(tmp_path: Path) -> None:
    path = save(
        tmp_path / "new name.ipynb", code("import os"), code("a = 1\n"), code("b = 2")
    )
    save(tmp_path / "other.ipynb", code("import os"), code("z = 1"))
    (tmp_path / "broken.ipynb").write_text("{")
    assert (
        NotebookFiles().try_renamed(
            tmp_path / "old.ipynb", ["import os", "a = 1", "b = 2", "c = 3"]
        )
        == path
    )


def test_a_notebook_that_is_like_none_beside_it_is_not_guessed(tmp_path: Path) -> None:
    files = NotebookFiles()
    save(tmp_path / "other.ipynb", code("import os"), code("z = 1"))
    assert (
        files.try_renamed(tmp_path / "old.ipynb", ["import os", "a = 1", "b = 2"])
        is None
    )
    assert files.try_renamed(tmp_path / "old.ipynb", ["import os"]) is None
    assert files.try_renamed(tmp_path / "no folder" / "old.ipynb", ["a", "b"]) is None


@given(ANYTHING)
def test_any_json_gives_a_notebook_or_the_reason_why_not(data: Any) -> None:
    with contextlib.suppress(Unreadable):
        assert isinstance(parse_notebook(data, 0.0), SavedNotebook)


FIELDS = st.sampled_from(
    ["cell_type", "source", "id", "execution_count", "metadata", "outputs"]
)


@given(
    st.lists(
        st.dictionaries(FIELDS, ANYTHING | st.sampled_from(["code", "markdown"]))
        | ANYTHING,
        max_size=6,
    )
)
def test_any_cells_give_a_notebook_with_ids_that_differ(cells: Any) -> None:
    saved = parse_notebook({"cells": cells}, 0.0)
    assert len({cell.id for cell in saved.cells}) == len(saved.cells)


@given(st.lists(st.text(max_size=40), max_size=5), st.sampled_from([1, None]))
def test_a_file_gives_the_same_whichever_way_it_is_read(
    sources: list[str], indent: int | None
) -> None:
    cells = [
        code(source, str(place), place, printed(source))
        for place, source in enumerate(sources)
    ]
    data = json.dumps(
        {"cells": cells, "metadata": {"a": [{}, {}]}, "nbformat": 4}, indent=indent
    ).encode()
    assert NotebookFiles()._parsed(data, 1.0) == parse_notebook(json.loads(data), 1.0)


def test_cells_that_only_look_like_jupyters_are_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    cell = '  {\n   "cell_type": "markdown",\n   "source": "a"\n  }'
    path.write_text(
        f'{{\n "cells": [\n{cell},\n{cell}\n ],\n "more": [\n{cell},\n{cell}\n'
        f' ],\n "nbformat": 4\n}}'
    )
    assert [read.source for read in NotebookFiles().read(path).cells] == ["a", "a"]
