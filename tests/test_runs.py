"""What this kernel has run: the last run of each cell, and what the shell keeps of it."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.context.items import Output
from codebuddy_jupyter.context.runs import MAX_RUNS
from codebuddy_jupyter.context.session import Session
from tests.support.saved_notebooks import code, save
from tests.support.sessions import PAST, at, display, run, states


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


def test_an_old_kernel_tells_the_cells_id_in_its_message() -> None:
    shell = types.SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": "abc"}})
    session = Session(shell)
    session.on_start(types.SimpleNamespace(raw_cell="a = 1"))
    assert session.notebook().cells[0].id == "abc"


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
    session: Session, notebook_path: Path, shell: InteractiveShell
) -> None:
    save(
        notebook_path,
        code("1 + 1", "a"),
        code("1 / 0", "b"),
        code("c = 3", "c"),
        code("4 + 4", "d"),
    )
    at(notebook_path, PAST)
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
