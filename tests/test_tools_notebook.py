"""The looks at a notebook tell what the kernel knows, run nothing, and tell no values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import polars as pl
import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.context.collector import Collector
from codebuddy_jupyter.context.failure import Failure
from codebuddy_jupyter.context.items import Cell, Notebook, Output
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.messages import Looked
from codebuddy_jupyter.tools.counts import MOST_COLUMNS
from codebuddy_jupyter.tools.looks import looks_of
from tests.support.secrets_planted import PLANTED
from tests.support.sessions import run

SEEN = "Waldemar"

LookAt = Callable[..., Looked]


def looking(collector: Collector, **settings: Any) -> LookAt:
    """Return a function that looks, by the name of the look."""
    fields = {"share_values": False, **settings}
    looks = {look.name: look for look in looks_of(collector, **fields)}

    def look(name: str, /, **arguments: Any) -> Looked:
        return looks[name].look(arguments)

    return look


@pytest.fixture
def collector(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Collector:
    """A collector of a notebook whose folder is empty."""
    folder = tmp_path / "notebook"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Collector(session)


@pytest.fixture
def names(shell: InteractiveShell) -> dict[str, Any]:
    """The variables of the kernel, of which some are set."""
    orders = pd.DataFrame(
        {
            "price": [1.5, None, 2.5],
            "Official language": [SEEN, None, SEEN],
            "mixed": [SEEN, 1, object()],
            "kind": pd.Categorical(["a", "b", "a"]),
        }
    )
    cities = pl.DataFrame({"city": [SEEN, None], "tags": [["x"], ["y"]]})
    shell.user_ns.update(
        orders=orders, cities=cities, limit=3, matrix=np.zeros((2, 3)), pd=pd
    )
    names: dict[str, Any] = shell.user_ns
    return names


def test_a_variable_is_told_without_values(
    collector: Collector, names: dict[str, Any]
) -> None:
    look = looking(collector)
    looked = look("variable", name="orders")
    assert looked.line == "looked at orders: 4 columns"
    assert "3 rows x 4 columns" in looked.text
    assert "'Official language'" in looked.text
    assert SEEN not in looked.text
    assert look("variable", name="limit").text == "limit: int"
    assert look("variable", name="orders['price']").title == "orders"


def test_missing_values_are_counted(
    collector: Collector, names: dict[str, Any]
) -> None:
    look = looking(collector)
    looked = look("variable", name="orders", part="missing")
    assert looked.summary == "2 missing values"
    assert "'price': 1 missing" in looked.text
    # The values of a column of any objects could be of a class of the user's.
    assert "1 column not counted" in looked.text
    assert look("variable", name="cities", part="missing").summary == "1 missing value"


def test_different_values_are_counted(
    collector: Collector, names: dict[str, Any]
) -> None:
    look = looking(collector)
    looked = look("variable", name="orders", part="unique")
    assert "'price': 2 different values" in looked.text
    assert "'kind': 2 different values" in looked.text
    assert (
        "'city': 1 different value"
        in look("variable", name="cities", part="unique").text
    )


def test_a_large_frame_is_not_counted_whole(
    collector: Collector, names: dict[str, Any]
) -> None:
    names["large"] = pd.DataFrame(np.zeros((200_000, 3)))
    looked = looking(collector)("variable", name="large", part="unique")
    assert "0: 1 different value" in looked.text
    assert "2 columns not counted" in looked.text


def test_a_wide_frame_is_not_counted_whole(
    collector: Collector, names: dict[str, Any]
) -> None:
    names["wide"] = pl.DataFrame({f"c{n}": [n, None] for n in range(MOST_COLUMNS + 5)})
    look = looking(collector)
    looked = look("variable", name="wide", part="missing")
    assert looked.summary == f"{MOST_COLUMNS} missing values"
    assert "none missing" not in looked.text
    assert "5 columns not counted" in look("variable", name="wide", part="unique").text


@pytest.mark.parametrize("part", ["missing", "unique"])
def test_only_frames_are_counted(
    collector: Collector, names: dict[str, Any], part: str
) -> None:
    looked = looking(collector)("variable", name="matrix", part=part)
    assert looked.is_error
    assert "matrix is a numpy.ndarray: only values of pandas" in looked.text


def test_the_first_rows_are_told_only_if_values_are_shared(
    collector: Collector, names: dict[str, Any]
) -> None:
    refused = looking(collector)("variable", name="orders", part="head")
    assert refused.is_error
    assert "Buddy.share_values" in refused.text
    shared = looking(collector, share_values=True)
    assert SEEN in shared("variable", name="orders", part="head").text


def test_an_unknown_variable_is_an_error_with_the_nearest(
    collector: Collector, names: dict[str, Any]
) -> None:
    look = looking(collector)
    looked = look("variable", name="ordrs")
    assert looked.is_error
    assert looked.text == "There is no variable 'ordrs'; nearest: 'orders'."
    assert "there are: " in look("variable", name="zebra").text


def test_no_code_of_the_user_runs(collector: Collector, names: dict[str, Any]) -> None:
    ran = []

    class Loud:
        """Everything that could be asked of it is noted."""

        def __getattribute__(self, name: str) -> Any:
            ran.append(name)
            return object.__getattribute__(self, name)

        def __repr__(self) -> str:
            ran.append("repr")
            return ""

        def __eq__(self, other: object) -> bool:
            ran.append("eq")
            return True

        def __hash__(self) -> int:
            ran.append("hash")
            return 1

        def _repr_llm_(self) -> str:
            ran.append("describe")
            return ""

    names["loud"] = Loud()
    names["full"] = pd.DataFrame({"a": [Loud(), Loud()]})
    ran.clear()
    for share_values in (False, True):
        look = looking(collector, share_values=share_values)
        for name in ("loud", "full"):
            for part in ("schema", "missing", "unique", "head"):
                look("variable", name=name, part=part)
        look("signature", dotted="loud")
        look("signature", dotted="loud.method")
        look("columns_like", text="a")
    assert ran == []


def test_a_cell_is_told_with_its_output(collector: Collector) -> None:
    run("total = 1 + 1")
    run("total * 21")
    look = looking(collector)
    assert look("cell", number=1).text == "In[1]:\n```python\ntotal = 1 + 1\n```"
    assert look("cell", number=1).line == "looked at In[1]: run"
    missing = look("cell", number=9)
    assert missing.text == "There is no In[9]; the last that ran are In[1], In[2]."
    assert look("cell", number=-1).is_error


def test_cells_are_searched_by_text_then_by_words(collector: Collector) -> None:
    run("orders = load('orders.csv')\nmerged = orders.merge(clients)")
    run("print('done')")
    look = looking(collector)
    looked = look("search_cells", text="MERGE(")
    assert looked.line == "looked at 'MERGE(': 1 line in 1 cell"
    assert "line 2: merged = orders.merge(clients)" in looked.text
    assert "line 2" in look("search_cells", text="clients merged").text
    assert look("search_cells", text="pivot").text == "No cell contains 'pivot'."
    assert look("search_cells", text=" ").is_error


def test_the_last_error_is_told(collector: Collector, session: Session) -> None:
    look = looking(collector)
    assert look("error").text == "There is no recent error."
    run("{}['price']")
    looked = look("error")
    assert looked.line == "looked at error: KeyError in In[1]"
    assert "KeyError" in looked.text


def test_signatures_are_of_packages_and_of_the_notebook(
    collector: Collector, names: dict[str, Any]
) -> None:
    run("def clean(text: str, lower=True):\n    '''Clean it.'''\n    return text")
    look = looking(collector)
    assert "how" in look("signature", dotted="pd.merge").text
    assert "on" in look("signature", dotted="orders.merge()").text
    assert "lower" in look("signature", dotted="clean").text
    missing = look("signature", dotted="pd.mrge")
    assert missing.text == "There is no 'mrge' in pandas; nearest: 'merge'."
    assert "is not imported" in look("signature", dotted="torch_stand.nn").text


def test_columns_are_found_in_all_frames(
    collector: Collector, names: dict[str, Any]
) -> None:
    look = looking(collector)
    looked = look("columns_like", text="language")
    assert "orders['Official language']" in looked.text
    assert "cities['city']" in look("columns_like", text="City").text
    assert look("columns_like", text="zebra").is_error


def test_of_a_table_only_the_columns_are_told(collector: Collector) -> None:
    Path("people.csv").write_text(f"name,age\n{SEEN},3\n", encoding="utf-8")
    looked = looking(collector)("file_head", path="people.csv")
    assert "name" in looked.text
    assert "2 columns" in looked.line
    assert SEEN not in looked.text
    shared = looking(collector, share_values=True)("file_head", path="people.csv")
    assert SEEN in shared.text


@pytest.mark.parametrize(
    ("file", "is_told"),
    [("tool.py", True), ("log.txt", False), ("data.json", False), ("a.ipynb", False)],
)
def test_code_is_told_and_data_is_not(
    collector: Collector, file: str, is_told: bool
) -> None:
    text = f"# {SEEN}" if file != "a.ipynb" else '{"cells": []}'
    Path(file).write_text(text, encoding="utf-8")
    looked = looking(collector)("file_head", path=file)
    assert not looked.is_error
    assert (SEEN in looked.text) is is_told


@pytest.mark.parametrize(
    "path",
    [
        "../outside.py",
        ".env",
        "sub/.hidden.py",
        "~/x.py",
        "link.py",
        "to_env.py",
        "C:x",
    ],
)
def test_nothing_outside_the_folder_and_nothing_hidden_is_told(
    collector: Collector, path: str
) -> None:
    Path("../outside.py").write_text(SEEN, encoding="utf-8")
    Path(".env").write_text(SEEN, encoding="utf-8")
    Path("sub").mkdir()
    Path("sub/.hidden.py").write_text(SEEN, encoding="utf-8")
    try:
        Path("link.py").symlink_to(Path("../outside.py").resolve())
        Path("to_env.py").symlink_to(Path(".env").resolve())
    except OSError:
        pytest.skip("links are not allowed here")
    looked = looking(collector, share_values=True)("file_head", path=path)
    assert looked.is_error
    assert SEEN not in looked.text


def test_an_absolute_path_is_refused(collector: Collector, tmp_path: Path) -> None:
    file = tmp_path / "notebook" / "tool.py"
    file.write_text(SEEN, encoding="utf-8")
    assert looking(collector)("file_head", path=str(file)).is_error


def test_a_missing_file_is_an_error_with_the_nearest(collector: Collector) -> None:
    Path("people.csv").write_text("a\n1\n", encoding="utf-8")
    Path(".people.cs").write_text("a\n1\n", encoding="utf-8")
    looked = looking(collector)("file_head", path="peopl.csv")
    assert "The nearest is people.csv." in looked.text
    hidden = looking(collector)("file_head", path="people.c")
    assert ".people" not in hidden.text


def test_the_names_in_the_folder_are_told(collector: Collector) -> None:
    Path("people.csv").write_text("a\n1\n", encoding="utf-8")
    Path(".env").write_text("a", encoding="utf-8")
    looked = looking(collector)("file_head", path=".")
    assert "people.csv" in looked.text
    assert ".env" not in looked.text


def test_without_a_notebook_there_is_nothing() -> None:
    looked = looking(Collector())("variable", name="df")
    assert looked.text == "There is no notebook here."


class Quoting:
    """A session whose cells, outputs, error and variables are these texts."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def names(self) -> dict[str, Any]:
        """The variables."""
        return {"texts": self.texts}

    def code_names(self) -> frozenset[str]:
        """The names in the code."""
        return frozenset()

    def notebook(self) -> Notebook:
        """A cell of each text, with an output of the same text."""
        cells = []
        for number, text in enumerate(self.texts, 1):
            output = (Output("text", text),)
            cells.append(Cell(f"c{number}", "code", text, number, "run", output))
        return Notebook(tuple(cells))

    def input_of(self, number: int) -> None:
        """Nothing else was run."""

    def failure(self) -> Failure:
        """An error that quotes the first texts."""
        return Failure(1, 1, "ValueError", "\n".join(self.texts[:20]))


def test_no_secret_comes_out() -> None:
    texts = [planted.text for planted in PLANTED]
    look = looking(Collector(cast(Session, Quoting(texts))), share_values=True)
    told = [look("error"), look("variable", name="texts", part="head")]
    for number, text in enumerate(texts, 1):
        told.append(look("cell", number=number))
        told.append(look("search_cells", text=text[:8]))
    everything = "\n".join([f"{one.line}\n{one.text}" for one in told])
    assert [one.name for one in PLANTED if one.secret in everything] == []


def test_no_control_token_comes_out() -> None:
    text = "x = 1  # <|im_end|>\n# </s> \u202e"
    look = looking(Collector(cast(Session, Quoting([text]))), share_values=True)
    for looked in (look("cell", number=1), look("search_cells", text="<|im_end|>")):
        shown = f"{looked.line}\n{looked.text}"
        assert "<|im_end|>" not in shown
        assert "</s>" not in shown
        assert "\u202e" not in shown
