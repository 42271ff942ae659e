"""Completion while typing in a real JupyterLab, by a scripted server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.panels import FORGET, LOAD, Opens
from tests.browser.test_sidebar import BUSY, HAS_SUBSHELLS, RESTART, RUNS
from tests.support.fakes import eventually
from tests.support.infill import INFILL, LLAMA_CPP
from tests.support.lab import POLLING, Lab, Notebook
from tests.support.scripted_server import ScriptedServer, stream

MODEL = "%config Buddy.completion_model = 'Local/coder'"
SOURCE = "index => window.notebook.content.widgets[index].model.sharedModel.source"
EDIT = """index => {
    const {content} = window.notebook;
    content.activeCellIndex = index;
    content.mode = 'edit';
    content.activeCell.editor.focus();
}"""
RUN_UNSEEN = """code => window.notebook.sessionContext.session.kernel
    .requestExecute({code, silent: true, store_history: false}).done.then(() => null)"""
# As with a kernel that answers nothing while a cell runs; counts the comms that are opened.
NO_SUBSHELLS = """() => {
    const {kernel} = window.notebook.sessionContext.session;
    Object.defineProperty(kernel, 'supportsSubshells', {get: () => false});
    window.opened = 0;
    kernel.anyMessage.connect((_, {msg, direction}) => {
        if (direction === 'send' && msg.header.msg_type === 'comm_open') window.opened += 1;
    });
}"""
# ms, longer than the pause in typing after which the kernel is asked
PAUSE = 500
GHOST = ".jp-GhostText"
HANGING = stream({"content": "ead()", "stop": False}, done=False, end="hang")


@pytest.fixture
def typing(shared: Opens, server: ScriptedServer) -> Opens:
    """Gives a notebook with codebuddy loaded, and the cursor in its last cell."""

    def open(*cells: str, model: str = MODEL) -> Notebook:
        LLAMA_CPP.on(server)
        notebook = shared(f"{LOAD.format(url=server.url)}\n{model}", *cells, "")
        notebook.run(0)
        notebook.page.evaluate(EDIT, len(cells) + 1)
        return notebook

    return open


def answers(server: ScriptedServer, *replies: str) -> None:
    """Let the server write these between two texts, one after the other."""
    written = [
        stream({"content": text, "stop": True, "stop_type": "eos"}, done=False)
        for text in replies
    ]
    server.script(LLAMA_CPP.probe, *written, path=INFILL)


def asked(server: ScriptedServer) -> list[dict[str, Any]]:
    """The requests for a suggestion; a probe is none."""
    return [one for one in server.asked(INFILL) if one["body"]["stream"]]


def type_keys(page: Page, text: str) -> None:
    page.keyboard.type(text, delay=5)


def test_a_suggestion_is_shown_and_accepted_by_tab(
    typing: Opens, server: ScriptedServer
) -> None:
    notebook = typing()
    answers(server, "rted(y)")
    type_keys(notebook.page, "x = so")
    expect(notebook.page.locator(GHOST)).to_have_text("rted(y)")
    # A suggestion is no part of the cell until it is accepted.
    assert notebook.page.evaluate(SOURCE, 1) == "x = so"
    notebook.page.keyboard.press("Tab")
    notebook.page.wait_for_function(f"() => ({SOURCE})(1) === 'x = sorted(y)'")
    # JupyterLab asks what comes next.
    assert eventually(lambda: len(asked(server)) == 2)


def test_it_is_shown_while_a_cell_runs(
    typing: Opens, lab: Lab, server: ScriptedServer
) -> None:
    notebook = typing(BUSY.format("go_on_completing"))
    notebook.begin(1)
    notebook.page.wait_for_function(RUNS, arg=1)
    notebook.page.wait_for_function(HAS_SUBSHELLS, polling=POLLING)
    notebook.page.evaluate(EDIT, 2)
    answers(server, "rted(y)")
    try:
        type_keys(notebook.page, "x = so")
        expect(notebook.page.locator(GHOST)).to_have_text("rted(y)")
        assert notebook.page.evaluate(RUNS, 1)
    finally:
        (lab.root / "go_on_completing").touch()
    notebook.wait_idle()


def test_the_next_key_ends_the_request_at_the_server(
    typing: Opens, server: ScriptedServer
) -> None:
    notebook = typing()
    server.script(LLAMA_CPP.probe, HANGING, path=INFILL)
    type_keys(notebook.page, "df.h")
    expect(notebook.page.locator(GHOST).first).to_be_visible()
    (first,) = asked(server)
    type_keys(notebook.page, "i")
    assert eventually(lambda: first["closed"] is not None)
    assert eventually(lambda: len(asked(server)) == 2)


def test_it_is_shown_again_once_a_kernel_that_began_anew_has_loaded_codebuddy(
    typing: Opens, server: ScriptedServer
) -> None:
    notebook = typing()
    # The cell that loads it gets the same number again.
    notebook.page.evaluate(RUN_UNSEEN, FORGET)
    type_keys(notebook.page, "x = so")
    notebook.page.wait_for_timeout(PAUSE)
    notebook.run(0)
    answers(server, "rted(y)")
    notebook.page.evaluate(EDIT, 1)
    type_keys(notebook.page, "r")
    expect(notebook.page.locator(GHOST)).to_have_text("rted(y)")


def test_it_is_shown_after_a_restart_while_its_comm_was_opening(
    lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer
) -> None:
    LLAMA_CPP.on(server)
    load = f"{LOAD.format(url=server.url)}\n{MODEL}"
    cells = [load, "import time\ntime.sleep(600)", ""]
    notebook = opened(lab.write("complete_restart.ipynb", cells))
    page = notebook.page
    page.evaluate(NO_SUBSHELLS)
    notebook.run(0)
    notebook.begin(1)
    page.wait_for_function(RUNS, arg=1)
    page.evaluate(EDIT, 2)
    type_keys(page, "x = s")
    page.wait_for_function("() => window.opened === 1")
    page.evaluate(RESTART)
    notebook.run(0)
    answers(server, "rted(y)")
    page.evaluate(EDIT, 2)
    type_keys(page, "o")
    expect(page.locator(GHOST)).to_have_text("rted(y)")


def test_without_a_model_no_server_is_asked(
    typing: Opens, server: ScriptedServer
) -> None:
    notebook = typing(model="")
    before = len(server.requests)
    type_keys(notebook.page, "x = so")
    notebook.page.wait_for_timeout(PAUSE)
    notebook.run(0)
    assert notebook.page.locator(GHOST).count() == 0
    assert INFILL not in [record["path"] for record in server.requests[before:]]
