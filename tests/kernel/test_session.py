"""The session in real kernels: cells as a front end sends them, in the newest Jupyter
and in one as Colab pins it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.kernels import Cell, Kernel
from tests.support.saved_notebooks import PNG, code, picture, save, text64
from tests.support.scripted_server import ScriptedServer

LISTEN = """
from codebuddy_jupyter.context.session import Session
session = Session(get_ipython())
session.listen()
"""
LOOK = """
import json
book, failure = session.notebook(), session.failure()
print(json.dumps([
    [
        [cell.id, cell.number, cell.state, [output.text for output in cell.outputs]]
        for cell in book.cells
    ],
    failure and [
        failure.cell, failure.line, failure.text, failure.names, list(failure.locals)
    ],
    [book.origin, book.name, list(book.troubles), session.figure() is not None],
]))
"""


@pytest.fixture
def notebook(copy: Kernel, tmp_path: Path) -> Path:
    """The notebook of a kernel in which a session listens."""
    path = tmp_path / "sales.ipynb"
    copy.good(f"import os\nos.environ['JPY_SESSION_NAME'] = {str(path)!r}")
    copy.good(LISTEN)
    return path


def run(kernel: Kernel, id: str, source: str) -> Cell:
    """Run a cell as a front end does, under its id."""
    content = {
        "code": source,
        "silent": False,
        "store_history": True,
        "allow_stdin": False,
        "stop_on_error": False,
    }
    message = kernel.client.session.msg(
        "execute_request", content, metadata={"cellId": id}
    )
    kernel.client.shell_channel.send(message)
    key = str(message["header"]["msg_id"])
    return kernel.end(kernel._cells.setdefault(key, Cell(key)))


def look(kernel: Kernel) -> tuple[dict[str, list[object]], list[object], list[object]]:
    cells, failure, rest = json.loads(run(kernel, "look", LOOK).printed)
    return {cell[0]: cell[1:] for cell in cells}, failure, rest


def test_cells_are_matched_with_what_was_run(copy: Kernel, notebook: Path) -> None:
    run(copy, "a", "def f(x):\n    y = [x]\n    return y[1]")
    run(copy, "b", "value = 3\nf(\n  value\n)")
    run(copy, "c", "print('done')\n41 + 1")
    save(
        notebook,
        code("def f(x):\n    y = [x]\n    return y[1]", "a"),
        code("value = 3\nf(\n  value\n)", "b"),
        code("print('changed')", "c"),
        code("never", "d", 3),
    )
    cells, failure, rest = look(copy)
    assert [cells[id][1] for id in "abcd"] == ["run", "failed", "changed", "not run"]
    assert rest[:3] == ["file", "sales.ipynb", []]
    cell, line, text, names, variables = failure
    assert (cell, line, variables) == (cells["b"][0], 2, ["x", "y"])
    assert "-->    2 f(" in str(text)
    assert "-->    3     return y[1]" in str(text)
    assert str(text).endswith("IndexError: list index out of range")
    assert isinstance(names, list)
    assert {"f", "value", "y"} <= set(names)


def test_an_unsaved_run_has_its_outputs(copy: Kernel, notebook: Path) -> None:
    save(notebook, code("print('old')", "a", 1))
    run(
        copy,
        "a",
        "from IPython.display import display, Markdown\ndisplay(Markdown('**shown**'))\n'result'",
    )
    cells, failure, _ = look(copy)
    texts = cells["a"][2]
    assert texts == ["**shown**", "'result'"]
    assert failure is None


def test_a_picture_is_known_before_the_notebook_is_saved(
    copy: Kernel, notebook: Path, server: ScriptedServer
) -> None:
    save(notebook, code("show()", "a"))
    assert look(copy)[2][3] is False
    data = json.dumps({"image/png": text64(PNG)})
    run(copy, "a", f"from IPython.display import display\ndisplay({data}, raw=True)")
    cells, _, rest = look(copy)
    assert rest[3] is True
    assert cells["a"][2] == ["image 640x480"]


def test_a_saved_picture_is_known(copy: Kernel, notebook: Path) -> None:
    save(notebook, code("show()", "a", 1, picture(PNG)))
    assert look(copy)[2][3] is True


def test_an_error_under_a_cell_magic_is_known(copy: Kernel, notebook: Path) -> None:
    save(notebook, code("%%time\nn = 1\nnope(n)", "a"))
    run(copy, "a", "%%time\nn = 1\nnope(n)")
    cells, failure, _ = look(copy)
    assert cells["a"][1] == "failed"
    assert failure[:2] == [cells["a"][0], 3]
    assert "NameError: name 'nope' is not defined" in str(failure[2])


def test_a_cell_that_cannot_be_compiled_is_known(copy: Kernel, notebook: Path) -> None:
    save(notebook, code("for x in y\n    pass", "a"))
    run(copy, "a", "for x in y\n    pass")
    cells, failure, _ = look(copy)
    assert cells["a"][1] == "failed"
    assert failure[:2] == [cells["a"][0], 1]
    assert str(failure[2]).endswith("SyntaxError: expected ':'")


def test_an_error_is_over_once_its_cell_runs_well(copy: Kernel, notebook: Path) -> None:
    run(copy, "a", "1 / 0")
    assert look(copy)[1] is not None
    run(copy, "a", "1 / 1")
    assert look(copy)[1] is None
