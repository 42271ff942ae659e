"""Which run belongs to which cell: by its id, else by its source."""

from __future__ import annotations

from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.context.items import Cell, Notebook, Output
from codebuddy_jupyter.context.session import Session
from tests.support.saved_notebooks import code, printed, save
from tests.support.sessions import FUTURE, PAST, at, run, states


def test_each_cell_has_the_state_of_its_last_run(
    session: Session, notebook_path: Path
) -> None:
    for source, id in (("a = 1", "a"), ("1 / 0", "b"), ("c = 1", "c"), ("a = 1", "a")):
        run(source, id)
    heading = {"cell_type": "markdown", "id": "m", "source": "# Sales"}
    save(
        notebook_path,
        heading,
        code("a = 1", "a"),
        code("1 / 0", "b"),
        code("c = 2", "c"),
        code("d = 1", "d", 1),
    )
    at(notebook_path, FUTURE)
    notebook = session.notebook()
    assert (notebook.origin, notebook.name, notebook.folder) == (
        "file",
        "sales.ipynb",
        notebook_path.parent,
    )
    assert states(notebook) == [
        ("m", None, "not run"),
        ("a", 4, "run"),
        ("b", 2, "failed"),
        ("c", 3, "changed"),
        ("d", None, "not run"),
    ]
    assert (notebook.cells[3].source, notebook.cells[3].run_source) == (
        "c = 2",
        "c = 1",
    )


def test_a_cell_that_was_edited_and_run_since_it_was_saved_is_as_it_was_run(
    session: Session, notebook_path: Path
) -> None:
    save(notebook_path, code("a = 1\na", "a", 1, printed("old")))
    at(notebook_path, PAST)
    run("a = 2\na", "a")
    (cell,) = session.notebook().cells
    assert cell == Cell("a", "code", "a = 2\na", 1, "run", (Output("result", "2"),))


def test_outputs_are_the_files_where_it_is_newer(
    session: Session, notebook_path: Path
) -> None:
    run("a = 2\na", "a")
    save(notebook_path, code("a = 2\na", "a", 1, printed("saved")))
    at(notebook_path, FUTURE)
    assert session.notebook().cells[0].outputs == (Output("text", "saved"),)


def test_numbers_of_an_earlier_kernel_do_not_count(
    session: Session, notebook_path: Path
) -> None:
    save(notebook_path, code("a = 1", "a", 1), code("b = 1", "b", 2))
    run("x = 1")
    assert states(session.notebook()) == [
        ("a", None, "not run"),
        ("b", None, "not run"),
        ("In[1]", 1, "run"),
    ]


def test_cells_whose_ids_the_kernel_is_not_told_are_known_by_their_source(
    session: Session, notebook_path: Path
) -> None:
    for source in ("a = 1", "print(a)", "print(a)", "b = 2"):
        run(source)
    save(
        notebook_path,
        code("print(a)", "x", 3),
        code("a = 1\n", "y", 99),
        code("print(a)", "z", 2),
        code("print(a)", "w"),
    )
    assert states(session.notebook()) == [
        ("x", 3, "run"),
        ("y", 1, "run"),
        ("z", 2, "run"),
        ("w", None, "not run"),
        ("In[4]", 4, "run"),
    ]


def test_a_cell_that_has_not_changed_is_the_same_object_at_the_next_look(
    session: Session, notebook_path: Path
) -> None:
    save(
        notebook_path,
        code("a = 1", "a"),
        code("b = 1", "b"),
        {"cell_type": "markdown", "id": "m", "source": "# Sales"},
    )
    run("a = 1", "a")
    run("c = 1")
    first = session.notebook().cells
    run("b = 2", "b")
    second = session.notebook().cells
    assert [was is now for was, now in zip(first, second, strict=True)] == [
        True,
        False,
        True,
        True,
    ]


def test_a_cell_is_looked_at_again_when_its_run_has_ended(
    session: Session, notebook_path: Path, shell: InteractiveShell
) -> None:
    save(notebook_path, code("look()", "a"))
    seen: list[Notebook] = []
    shell.user_ns["look"] = lambda: seen.append(session.notebook())
    run("look()", "a")
    assert states(seen[0]) == [("a", 1, "running")]
    assert states(session.notebook()) == [("a", 1, "run")]


def test_a_cell_is_looked_at_again_when_its_file_is_newer(
    session: Session, notebook_path: Path
) -> None:
    save(notebook_path, code("a = 2\na", "a", 1, printed("old")))
    at(notebook_path, PAST)
    run("a = 2\na", "a")
    assert session.notebook().cells[0].outputs == (Output("result", "2"),)
    save(notebook_path, code("a = 2\na", "a", 1, printed("newer")))
    at(notebook_path, FUTURE)
    assert session.notebook().cells[0].outputs == (Output("text", "newer"),)
