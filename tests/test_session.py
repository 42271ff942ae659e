"""The session in this process: what ran, what the notebook holds, and how the two are
matched.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import types
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.context.buddy_cells import is_buddy_cell
from codebuddy_jupyter.context.items import Cell, Notebook, Output
from codebuddy_jupyter.context.runs import MAX_RUNS
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import PromptError
from tests.test_outputs import ANYTHING, PNG, text64
from tests.test_saved import code, picture, printed, save

# seconds, more than a run of all tests takes
DAY = 86_400.0
FUTURE = time.time() + DAY
PAST = time.time() - DAY


@pytest.fixture(autouse=True)
def nothing_yet(shell: InteractiveShell) -> None:
    """No output of an earlier test: IPython keeps them for the whole process."""
    for kept in ("outputs", "exceptions"):
        getattr(shell.history_manager, kept, {}).clear()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the notebook is saved, as Jupyter tells the kernel."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "sales.ipynb"))
    return tmp_path / "sales.ipynb"


@pytest.fixture
def session(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    """A session that listens; nothing has been run."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    session = Session(shell)
    session.listen()
    yield session
    session.leave()


def run(source: str, id: str | None = None) -> None:
    shell: Any = InteractiveShell.instance()
    shell.run_cell(source, store_history=True, cell_id=id)


def at(path: Path, seconds: float) -> None:
    os.utime(path, (seconds, seconds))


def states(notebook: Notebook) -> list[tuple[str, int | None, str]]:
    return [(cell.id, cell.number, cell.state) for cell in notebook.cells]


OURS = {
    "cell magic": ("%%buddy -t 0\nwhy?", True),
    "after blank lines": ("\n\n%%buddy\nwhy?", True),
    "line magic": ("%buddy why is df empty?", True),
    "its value kept": ("x = %buddy why?", True),
    "set up": (
        (
            "# the model\n%load_ext codebuddy_jupyter\n"
            "%config LocalProvider.model = 'a'\n%config Buddy.offline=1"
        ),
        True,
    ),
    "loaded again": ("%reload_ext codebuddy_jupyter", True),
    "mixed": ("import os\n%buddy why?", False),
    "other magic": ("%%time\n1", False),
    "other that begins alike": ("%%buddys\n1", False),
    "other setting": ("%config InlineBackend.figure_format = 'svg'", False),
    "python": ("buddy = 1", False),
    "a remainder": ("a %buddy", False),
    "comment": ("# %buddy", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("source", "ours"), OURS.values(), ids=OURS)
def test_a_cell_that_only_talks_to_the_buddy_is_known(source: str, ours: bool) -> None:
    assert is_buddy_cell(source) is ours


def test_without_a_notebook_the_history_is_the_notebook(session: Session) -> None:
    run("a = 1\na")
    run("1 / 0")
    run("%load_ext codebuddy_jupyter", "ours")
    notebook = session.notebook()
    assert (notebook.origin, notebook.troubles) == ("history", ())
    assert states(notebook) == [("In[1]", 1, "run"), ("In[2]", 2, "failed")]
    first, failed = notebook.cells
    assert first.outputs == (Output("result", "1"),)
    assert failed.outputs == (
        Output("error", "--> 1 1 / 0\nZeroDivisionError: division by zero"),
    )


def test_what_ran_before_anybody_listened_is_known_from_the_history(
    shell: InteractiveShell,
) -> None:
    run("a = 1\na")
    run("b = 2")
    run("a = 1\na")
    session = Session(shell)
    assert states(session.notebook()) == [("In[2]", 2, "run"), ("In[3]", 3, "run")]
    session.listen()
    run("c = 3", "c")
    assert states(session.notebook())[1:] == [("In[3]", 3, "run"), ("c", 4, "run")]
    session.leave()


def test_each_cell_has_the_state_of_its_last_run(session: Session, path: Path) -> None:
    for source, id in (("a = 1", "a"), ("1 / 0", "b"), ("c = 1", "c"), ("a = 1", "a")):
        run(source, id)
    heading = {"cell_type": "markdown", "id": "m", "source": "# Sales"}
    save(
        path,
        heading,
        code("a = 1", "a"),
        code("1 / 0", "b"),
        code("c = 2", "c"),
        code("d = 1", "d", 1),
    )
    at(path, FUTURE)
    notebook = session.notebook()
    assert (notebook.origin, notebook.name, notebook.folder) == (
        "file",
        "sales.ipynb",
        path.parent,
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
    session: Session, path: Path
) -> None:
    save(path, code("a = 1\na", "a", 1, printed("old")))
    at(path, PAST)
    run("a = 2\na", "a")
    (cell,) = session.notebook().cells
    assert cell == Cell("a", "code", "a = 2\na", 1, "run", (Output("result", "2"),))


def test_outputs_are_the_files_where_it_is_newer(session: Session, path: Path) -> None:
    run("a = 2\na", "a")
    save(path, code("a = 2\na", "a", 1, printed("saved")))
    at(path, FUTURE)
    assert session.notebook().cells[0].outputs == (Output("text", "saved"),)


def test_numbers_of_an_earlier_kernel_do_not_count(
    session: Session, path: Path
) -> None:
    save(path, code("a = 1", "a", 1), code("b = 1", "b", 2))
    run("x = 1")
    assert states(session.notebook()) == [
        ("a", None, "not run"),
        ("b", None, "not run"),
        ("In[1]", 1, "run"),
    ]


def test_cells_whose_ids_the_kernel_is_not_told_are_known_by_their_source(
    session: Session, path: Path
) -> None:
    for source in ("a = 1", "print(a)", "print(a)", "b = 2"):
        run(source)
    save(
        path,
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


def test_a_cell_that_runs_now_is_running(
    session: Session, path: Path, shell: InteractiveShell
) -> None:
    save(path, code("import os\nlook()", "a"))
    found: list[Notebook] = []
    shell.user_ns["look"] = lambda: found.append(session.notebook())
    run("import os\nlook()", "a")
    assert [cell.state for cell in found[0].cells] == ["running"]
    assert [cell.state for cell in session.notebook().cells] == ["run"]


def test_what_a_cell_runs_by_itself_is_not_that_cell(session: Session) -> None:
    run(
        (
            "get_ipython().run_cell('inner = 1', store_history=True)\n"
            "get_ipython().run_cell('hidden = 1')"
        ),
        "outer",
    )
    sources = {cell.id: cell.source for cell in session.notebook().cells}
    assert sources["outer"].startswith("get_ipython()")
    assert "hidden = 1" not in sources.values()


def test_blank_cells_and_the_buddys_own_are_left_out(
    session: Session, path: Path
) -> None:
    save(
        path,
        code("", "a"),
        code(" \n", "b"),
        code("%%buddy\nwhy?", "c", 1, printed("Because.")),
        code("a = 1", "d"),
    )
    assert states(session.notebook()) == [("d", None, "not run")]


def test_what_the_page_shows_holds_until_the_next_cell_runs(
    shell: InteractiveShell, path: Path
) -> None:
    save(path, code("saved = 1", "a"))
    session = Session(shell)
    session.listen()
    session.set_open_cells([code("shown = 1", "a")])
    assert [cell.source for cell in session.notebook().cells] == ["shown = 1"]
    assert (session.notebook().origin, session.notebook().name) == (
        "live",
        "sales.ipynb",
    )
    shell.run_cell("x = 1")  # type: ignore[no-untyped-call]
    assert session.notebook().cells[0].source == "saved = 1"
    session.leave()


def test_colab_is_asked(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, float]] = []

    def blocking_request(
        what: str, request: str = "", timeout_sec: float = 5
    ) -> dict[str, Any]:
        asked.append((what, timeout_sec))
        return {"ipynb": {"cells": [{**code("a = 1"), "metadata": {"id": "colab1"}}]}}

    message = types.ModuleType("google.colab._message")
    message.blocking_request = blocking_request  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setitem(sys.modules, "google.colab._message", message)
    assert (session.notebook().origin, states(session.notebook())) == (
        "live",
        [("colab1", None, "not run")],
    )
    assert asked[0] == ("get_ipynb", 5)
    message.blocking_request = lambda *args, **options: None  # type: ignore[attr-defined]
    assert session.notebook().troubles == (
        "Colab's notebook could not be read: it is not a notebook of format 4.",
    )
    del message.blocking_request
    assert session.notebook().troubles == (
        "Colab's notebook could not be read: AttributeError.",
    )


def test_vs_code_tells_the_file_in_a_variable(
    session: Session, tmp_path: Path, shell: InteractiveShell
) -> None:
    shell.user_ns["__vsc_ipynb_file__"] = str(
        save(tmp_path / "code.ipynb", code("a = 1", "a"))
    )
    assert session.notebook().name == "code.ipynb"


def test_a_renamed_notebook_is_found(session: Session, path: Path) -> None:
    save(path, code("import os", "a"), code("b = 2", "b"))
    run("import os", "a")
    run("b = 2", "b")
    path.rename(path.with_name("income.ipynb"))
    for _ in range(2):
        notebook = session.notebook()
        assert (notebook.name, notebook.origin, notebook.troubles) == (
            "income.ipynb",
            "file",
            (),
        )
    assert states(notebook) == [("a", 1, "run"), ("b", 2, "run")]


def test_a_notebook_that_is_gone_costs_a_line(session: Session, path: Path) -> None:
    run("a = 1")
    notebook = session.notebook()
    assert (notebook.origin, states(notebook)) == ("history", [("In[1]", 1, "run")])
    assert len(notebook.troubles) == 1
    assert "sales.ipynb is no longer there" in notebook.troubles[0]


def test_a_broken_notebook_costs_a_line(session: Session, path: Path) -> None:
    path.write_text('{"cells": [')
    run("a = 1")
    assert session.notebook().troubles == (
        "The saved notebook could not be read: it is not whole JSON.",
    )
    assert states(session.notebook()) == [("In[1]", 1, "run")]


@pytest.fixture
def no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder has been deleted."""

    def cwd() -> Path:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "cwd", cwd)


@pytest.mark.usefixtures("no_folder")
def test_a_folder_that_is_gone_costs_a_line(session: Session) -> None:
    run("1 / 0")
    notebook = session.notebook()
    assert (notebook.folder, notebook.troubles) == (
        None,
        ("The kernel's working folder is no longer there.",),
    )
    assert session.failure()


@pytest.mark.parametrize(
    "told", ["\0.ipynb", "", "Console 1", "no/such/nb.ipynb", "x" * 5_000 + ".ipynb"]
)
def test_any_name_of_a_notebook_gives_a_notebook(
    session: Session, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    session._shell.user_ns["__vsc_ipynb_file__"] = told
    run("a = 1")
    assert states(session.notebook()) == [("In[1]", 1, "run")]


@given(data=ANYTHING)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_gives_a_notebook(session: Session, path: Path, data: Any) -> None:
    for content in (
        data,
        {"cells": data},
        {"cells": [data, {"cell_type": "code", "source": data, "outputs": data}]},
    ):
        path.write_text(json.dumps(content))
        assert isinstance(session.notebook(), Notebook)


def test_a_history_of_100_000_cells_is_kept_small(
    session: Session, shell: InteractiveShell
) -> None:
    manager: Any = shell.history_manager
    manager.input_hist_raw.extend(f"a = {number}" for number in range(100_000))
    shell.execution_count = 100_001
    assert len(session.notebook().cells) == 1_000
    assert session.notebook().cells[-1].source == "a = 99999"


def test_the_record_of_runs_is_bounded(shell: InteractiveShell) -> None:
    session = Session(shell)
    for number in range(MAX_RUNS + 10):
        info = types.SimpleNamespace(
            raw_cell=f"a = {number}", cell_id=str(number), store_history=True
        )
        session.on_start(info)
        session.on_end(
            types.SimpleNamespace(info=info, execution_count=number, error_in_exec=None)
        )
    assert len(session._runs.recorded()) == MAX_RUNS


def test_old_shells_and_odd_ones_are_no_trouble() -> None:
    session = Session(types.SimpleNamespace())
    for info in (None, types.SimpleNamespace(), types.SimpleNamespace(raw_cell=None)):
        session.on_start(info)
        session.on_end(types.SimpleNamespace(info=info))
        session.on_end(None)
    session.on_start(types.SimpleNamespace(raw_cell="a = 1"))
    assert [cell.state for cell in session.notebook().cells] == ["running"]
    assert (
        session.names(),
        session.failure(),
        session.figure(),
        session.has_output(1),
    ) == ({}, None, None, False)


def test_an_old_kernel_tells_the_cells_id_in_its_message() -> None:
    shell = types.SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": "abc"}})
    session = Session(shell)
    session.on_start(types.SimpleNamespace(raw_cell="a = 1"))
    assert session.notebook().cells[0].id == "abc"


def test_the_last_error_stays_until_its_cell_runs_well(session: Session) -> None:
    run("def f(x):\n    return 1 / x")
    run("f(0)", "a")
    run("other = 1", "b")
    failure = session.failure()
    assert failure is not None
    assert (failure.cell, failure.line, failure.name, failure.locals) == (
        2,
        1,
        "ZeroDivisionError",
        {"x": 0},
    )
    run("f(1)", "a")
    assert session.failure() is None


def test_the_same_source_that_runs_well_ends_an_error_where_cells_have_no_ids(
    session: Session,
) -> None:
    run("print(later)")
    assert session.failure()
    run("later = 1")
    assert session.failure()
    run("print(later)")
    assert session.failure() is None


def test_an_error_from_before_anybody_listened_is_the_last_one(
    shell: InteractiveShell,
) -> None:
    run("def f(x):\n    return 1 / x\nf(0)")
    failure = Session(shell).failure()
    assert failure is not None
    assert (failure.cell, failure.line, failure.locals) == (1, 3, {"x": 0})


def test_an_error_from_before_outlives_other_cells(shell: InteractiveShell) -> None:
    run("print(later)")
    session = Session(shell)
    session.listen()
    run("later = 1")
    assert session.failure()
    run("print(later)")
    assert session.failure() is None
    session.leave()


def test_nothing_is_noted_once_nobody_listens(
    session: Session, shell: InteractiveShell
) -> None:
    session.leave()
    run("1 / 0", "a")
    assert session._runs.recorded() == []
    session.listen()


def test_an_error_whose_cell_ran_again_before_anybody_listened_is_over(
    shell: InteractiveShell,
) -> None:
    run("print(later)")
    run("later = 1")
    run("print(later)")
    assert Session(shell).failure() is None


def test_errors_of_the_buddys_own_change_nothing(
    session: Session, shell: InteractiveShell
) -> None:
    def refuse() -> None:
        raise PromptError("nothing to ask")

    shell.user_ns["refuse"] = refuse
    run("1 / 0", "a")
    run("refuse()", "b")
    failure = session.failure()
    assert failure is not None
    assert failure.name == "ZeroDivisionError"


def test_an_error_that_a_magic_showed_counts(
    session: Session, shell: InteractiveShell
) -> None:
    run("%%time\nq = 1\nnope(q)", "a")
    failure = session.failure()
    assert failure is not None
    assert (failure.cell, failure.line, failure.name) == (1, 3, "NameError")
    assert set(failure.names) >= {"nope", "q"}
    assert session.notebook().cells[0].state == "failed"


def test_no_frame_is_kept(session: Session, shell: InteractiveShell) -> None:
    run("class Big: pass\ndef f():\n    big = Big()\n    keep(big)\n    1 / 0\nf()")
    kept: list[Any] = []
    shell.user_ns["keep"] = lambda big: kept.append(weakref.ref(big))
    run("f()", "a")
    failure = session.failure()
    assert failure is not None
    assert "big" in failure.locals
    del failure
    run("2 / 0", "b")
    shell.last_execution_result = None
    gc.collect()
    assert kept[0]() is None


def test_the_variables_are_the_users_the_latest_first(session: Session) -> None:
    run("import math\nx = 1\n_hidden = 2\ndef f(): pass\nx\n'a result'")
    assert list(session.names()) == ["f", "x", "math"]


def test_a_variable_that_hides_one_of_the_shells_is_the_users(
    session: Session, shell: InteractiveShell
) -> None:
    shell.user_ns_hidden["given"] = shell.user_ns["given"] = object()
    assert "given" not in session.names()
    run("given = 1")
    assert session.names()["given"] == 1


def test_results_are_there_by_number(session: Session) -> None:
    run("[1, 2]")
    assert session.has_output(1)
    assert session.output_of(1) == [1, 2]
    assert not session.has_output(2)


def test_the_figure_is_the_one_that_was_displayed_last(
    session: Session, path: Path
) -> None:
    assert session.figure() is None
    save(path, code("plot()", "a", 1, picture(PNG)))
    figure = session.figure()
    assert figure is not None
    assert (figure.data, figure.media_type) == (PNG, "image/png")
    run("plot = 1")
    display(session, {"image/png": text64(PNG + b"live")})
    shown = session.figure()
    assert shown is not None
    assert shown.data.endswith(b"live")


def display(
    session: Session, data: dict[str, Any], kind: str = "display_data", **transient: str
) -> None:
    """What ipykernel's publisher does when a running cell displays something."""
    session.on_start(
        types.SimpleNamespace(raw_cell="plot()", cell_id="plot", store_history=True)
    )
    message = {
        "header": {"msg_type": kind},
        "content": {"data": data, "metadata": {}, "transient": transient},
    }
    assert session.on_display(message) is message


def test_outputs_that_only_the_kernel_has_are_told(session: Session) -> None:
    run(
        (
            "import sys\nfor n in range(2000):\n    print('row', n)\n"
            "print('oh', file=sys.stderr)\n{'a': 1}"
        ),
        "a",
    )
    kept = session.notebook().cells[0].outputs
    assert kept[-1] == Output("result", "{'a': 1}")
    if hasattr(session._shell.history_manager, "outputs"):
        assert kept[0].text.startswith("row 0\nrow 1\n")
        assert "oh" in kept[0].text


def test_what_a_cell_displays_is_an_output_of_its_and_an_update_takes_its_place(
    session: Session,
) -> None:
    display(session, {"text/plain": "10%"}, display_id="bar")
    for text in ("50%", "100%"):
        content = {
            "data": {"text/plain": text},
            "metadata": {},
            "transient": {"display_id": "bar"},
        }
        session.on_display(
            {"header": {"msg_type": "update_display_data"}, "content": content}
        )
    assert session.notebook().cells[0].outputs == (Output("text", "100%"),)


@pytest.mark.parametrize(
    "message", [None, {}, {"content": 1}, {"content": {"data": {}}, "header": []}]
)
def test_any_message_passes(session: Session, message: Any) -> None:
    session.on_start(
        types.SimpleNamespace(raw_cell="a", cell_id="a", store_history=True)
    )
    assert session.on_display(message) is message


def test_a_reset_that_begins_to_count_anew_is_a_new_beginning(
    session: Session, path: Path, shell: InteractiveShell
) -> None:
    save(
        path,
        code("1 + 1", "a"),
        code("1 / 0", "b"),
        code("c = 3", "c"),
        code("4 + 4", "d"),
    )
    at(path, PAST)
    for source, id in (("1 + 1", "a"), ("1 / 0", "b"), ("c = 3", "c")):
        run(source, id)
    shell.reset()  # type: ignore[no-untyped-call]
    run("c = 3", "c")
    assert states(session.notebook()) == [
        ("a", None, "not run"),
        ("b", None, "not run"),
        ("c", 1, "run"),
        ("d", None, "not run"),
    ]
    assert session.failure() is None


KEPT_OUTPUTS = {
    "all": ("outputs", "exceptions", "output_hist_reprs"),
    "only the texts": ("output_hist_reprs",),
}


@pytest.mark.parametrize("kept", KEPT_OUTPUTS.values(), ids=KEPT_OUTPUTS)
def test_outputs_that_a_reset_leaves_behind_are_not_those_of_the_new_cells(
    session: Session, shell: InteractiveShell, kept: tuple[str, ...]
) -> None:
    run("print('old')\n'old'", "a")
    run("1 / 0", "b")
    left = {name: dict(getattr(shell.history_manager, name, {})) for name in kept}
    shell.reset()  # type: ignore[no-untyped-call]
    for name, outputs in left.items():
        getattr(shell.history_manager, name, {}).update(outputs)
    for source, id in (("x = 1", "c"), ("y = 2", "d"), ("'new'", "e")):
        run(source, id)
    assert [(cell.id, cell.outputs) for cell in session.notebook().cells] == [
        ("c", ()),
        ("d", ()),
        ("e", (Output("result", "'new'"),)),
    ]


def test_a_cell_that_has_not_changed_is_the_same_object_at_the_next_look(
    session: Session, path: Path
) -> None:
    save(
        path,
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
