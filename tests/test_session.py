"""The session in this process: what ran, what the notebook holds, and how the two are
matched.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import types
import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.context.items import Notebook, Output
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import PromptError
from tests.support.saved_notebooks import (
    ANYTHING,
    PNG,
    code,
    picture,
    printed,
    save,
    text64,
)
from tests.support.sessions import display, forget_outputs, run, states


@pytest.fixture(autouse=True)
def nothing_yet(shell: InteractiveShell) -> None:
    """Let no output of an earlier test be there."""
    forget_outputs(shell)


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


def test_a_cell_that_runs_now_is_running(
    session: Session, notebook_path: Path, shell: InteractiveShell
) -> None:
    save(notebook_path, code("import os\nlook()", "a"))
    found: list[Notebook] = []
    shell.user_ns["look"] = lambda: found.append(session.notebook())
    run("import os\nlook()", "a")
    assert [cell.state for cell in found[0].cells] == ["running"]
    assert [cell.state for cell in session.notebook().cells] == ["run"]


def test_blank_cells_and_the_buddys_own_are_left_out(
    session: Session, notebook_path: Path
) -> None:
    save(
        notebook_path,
        code("", "a"),
        code(" \n", "b"),
        code("%%buddy\nwhy?", "c", 1, printed("Because.")),
        code("a = 1", "d"),
    )
    assert states(session.notebook()) == [("d", None, "not run")]


def test_what_the_page_shows_holds_until_the_next_cell_runs(
    shell: InteractiveShell, notebook_path: Path
) -> None:
    save(notebook_path, code("saved = 1", "a"))
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


def test_a_text_notebook_is_read_and_has_a_path(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sales.py", "sales.md"):
        path = tmp_path / name
        path.write_text("# # Sales\n\n# %%\na = 1\n\n# %%\nb = 2\n")
        monkeypatch.setenv("JPY_SESSION_NAME", str(path))
        assert session.notebook().name == name
        assert session.notebook().origin == "file"
        assert session.path() == Path(os.path.realpath(path))
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "sales.py"))
    run("a = 1", "id-of-the-front-end")
    assert [(cell.source, cell.state) for cell in session.notebook().cells[-2:]] == [
        ("a = 1", "run"),
        ("b = 2", "not run"),
    ]


@pytest.mark.parametrize("told", ["RTC:{0}/nb.ipynb", "{0}/RTC:nb.ipynb", "RTC:nb.py"])
def test_a_notebook_that_several_people_edit_has_its_path(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nb.py").write_text("a = 1")
    save(tmp_path / "nb.ipynb", code("a = 1", "a"))
    monkeypatch.setenv("JPY_SESSION_NAME", told.format(tmp_path))
    assert session.notebook().origin == "file"
    assert [cell.source for cell in session.notebook().cells] == ["a = 1"]
    path = session.path()
    assert path is not None
    assert path.parent == Path(os.path.realpath(tmp_path))


@pytest.mark.parametrize("told", ["console-1-ab12", "RTC:", "notes.txt", "nb.qmd", "x"])
def test_other_names_are_no_notebooks(
    session: Session, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", told)
    assert session.path() is None
    assert session.notebook().troubles == ()


def test_a_renamed_notebook_is_found(session: Session, notebook_path: Path) -> None:
    save(notebook_path, code("import os", "a"), code("b = 2", "b"))
    run("import os", "a")
    run("b = 2", "b")
    notebook_path.rename(notebook_path.with_name("income.ipynb"))
    for _ in range(2):
        notebook = session.notebook()
        assert (notebook.name, notebook.origin, notebook.troubles) == (
            "income.ipynb",
            "file",
            (),
        )
    assert states(notebook) == [("a", 1, "run"), ("b", 2, "run")]


def test_a_notebook_that_is_gone_costs_a_line(
    session: Session, notebook_path: Path
) -> None:
    run("a = 1")
    notebook = session.notebook()
    assert (notebook.origin, states(notebook)) == ("history", [("In[1]", 1, "run")])
    assert len(notebook.troubles) == 1
    assert "sales.ipynb is no longer there" in notebook.troubles[0]


def test_a_broken_notebook_costs_a_line(session: Session, notebook_path: Path) -> None:
    notebook_path.write_text('{"cells": [')
    run("a = 1")
    assert session.notebook().troubles == (
        "The saved notebook could not be read: it is not valid JSON.",
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
def test_any_json_gives_a_notebook(
    session: Session, notebook_path: Path, data: Any
) -> None:
    for content in (
        data,
        {"cells": data},
        {"cells": [data, {"cell_type": "code", "source": data, "outputs": data}]},
    ):
        notebook_path.write_text(json.dumps(content))
        assert isinstance(session.notebook(), Notebook)


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
    session: Session, notebook_path: Path
) -> None:
    assert session.figure() is None
    save(notebook_path, code("plot()", "a", 1, picture(PNG)))
    figure = session.figure()
    assert figure is not None
    assert (figure.data, figure.media_type) == (PNG, "image/png")
    run("plot = 1")
    display(session, {"image/png": text64(PNG + b"live")})
    shown = session.figure()
    assert shown is not None
    assert shown.data.endswith(b"live")


def test_it_knows_which_cell_runs_and_one_run_from_another(
    shell: InteractiveShell, session: Session
) -> None:
    seen: list[Any] = []
    shell.user_ns["look"] = lambda: seen.append(session.running())
    run("look(); look()", "a")
    run("look()", "a")
    run("look()")
    names, runs = zip(*seen, strict=True)
    assert names == ("a", "a", "a", "In[3]")
    assert runs[0] == runs[1]
    assert len(set(runs)) == 3
    assert session.running() is None
