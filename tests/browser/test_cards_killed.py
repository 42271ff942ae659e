"""A kernel that is killed in the middle of a step of a proposal: each cell has its old
text or its new one, whole, and nothing runs by itself afterwards.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from playwright.sync_api import Locator, TimeoutError, expect

from tests.browser.panels import LOAD
from tests.browser.test_cards import (
    CELLS,
    CHANGE,
    CLICK,
    NEW,
    NOTHING,
    OLD,
    SECOND,
    button,
    proposed,
)
from tests.browser.test_sidebar import RESTART, answered, asked, show, sidebar
from tests.support.fakes import eventually
from tests.support.lab import IDLE, POLLING, Lab, Notebook
from tests.support.scripted_server import Answer, ScriptedServer, begun, hang

INSERTED = "print('second')"
ENDLESS = f"{OLD}\nimport time\nwhile True: time.sleep(0.1)"
IS_BUSY = "() => window.notebook.sessionContext.session.kernel.status === 'busy'"
COUNTS = """() => window.notebook.content.widgets
    .map(cell => cell.model.sharedModel.execution_count)"""
AS_BEFORE = """text => {
    const { sharedModel } = window.notebook.context.model;
    while (sharedModel.cells.length > 2) sharedModel.deleteCell(2);
    sharedModel.cells[1].setSource(text);
}"""
PRINT_ID = "\nprint(os.getpid())"
# ms until somebody restarts a kernel by hand
PATIENCE = 20_000


class Killed:
    """A notebook with the sidebar open, and the kernel to kill."""

    def __init__(self, notebook: Notebook, server: ScriptedServer) -> None:
        self.notebook, self.page, self.server = notebook, notebook.page, server

    def prepare(self) -> None:
        """Have the cells as they were, and an empty conversation."""
        self.page.evaluate(AS_BEFORE, OLD)
        self.notebook.run(1)
        sidebar(self.page).get_by_role("button", name="New conversation").click()
        expect(sidebar(self.page).locator(".cb-turn")).to_have_count(0)

    def kill(self) -> None:
        """Kill the kernel, as a system does that has no memory left."""
        os.kill(int(self.notebook.outputs(0)[-1]["text"]), signal.SIGKILL)

    def wait_for_restart(self) -> None:
        """Wait until the kernel was started anew."""
        dialog = self.page.locator(".jp-Dialog", has_text="It will restart")
        dialog.get_by_role("button").last.click()
        expect(sidebar(self.page)).to_contain_text("The kernel was restarted.")
        try:
            self.page.wait_for_function(IDLE, polling=POLLING, timeout=PATIENCE)
        except TimeoutError:
            # JupyterLab 4.6 can stop reading what a kernel says that was killed while it
            # ran a cell, with or without codebuddy; then only a restart helps.
            self.page.evaluate(f"() => {{ ({RESTART})(); }}")
            self.notebook.wait_idle()

    def load_again(self) -> None:
        """Have the new kernel load the extension."""
        self.notebook.run(0)
        # The sidebar may have looked before.
        field = sidebar(self.page).locator(".cb-input")
        load = sidebar(self.page).get_by_role("button", name="Run %load_ext")
        field.or_(load).wait_for()
        if load.is_visible():
            load.click()
        field.wait_for()

    def ask(self, *answers: Answer) -> None:
        """Ask for a change, which is answered so."""
        self.server.script(*answers)
        field = sidebar(self.page).locator(".cb-input").last
        field.fill("do it in In[2]")
        field.press("Enter")

    def propose(self, *choices: dict[str, Any]) -> Locator:
        """Have the model propose something; gives the card."""
        return proposed(self.page, self.server, *choices)

    def run(self, *choices: dict[str, Any]) -> Locator:
        """Have a change proposed and run; gives the card."""
        card = self.propose(CHANGE, *choices)
        button(card, "Run").click()
        expect(card).to_contain_text("It has run.")
        return card


def while_proposing(step: Killed) -> None:
    """The model is writing the proposal."""
    step.ask(begun(json.dumps(CHANGE)[:-4]))
    assert eventually(lambda: any(request["first"] for request in step.server.asked()))
    step.kill()


def while_waiting(step: Killed) -> None:
    """The card waits for a decision."""
    step.propose(CHANGE, NOTHING)
    step.kill()


def while_replacing(step: Killed) -> None:
    """The change was accepted just now."""
    card = step.propose(CHANGE, NOTHING)
    button(card, "Replace").click()
    step.kill()


def while_inserting(step: Killed) -> None:
    """A new cell was accepted just now."""
    card = step.propose(SECOND, NOTHING)
    button(card, "Insert").click()
    step.kill()


def while_running(step: Killed) -> None:
    """The changed cell runs."""
    card = step.propose({**CHANGE, "code": ENDLESS}, NOTHING)
    button(card, "Run").click()
    assert eventually(lambda: step.page.evaluate(CELLS)[1] == ENDLESS)
    assert eventually(lambda: step.page.evaluate(IS_BUSY))
    step.kill()


def while_telling(step: Killed) -> None:
    """The model is told what the run gave."""
    card = step.propose(CHANGE)
    answered(step.page, 1)
    step.server.script(hang())
    button(card, "Run").click()
    assert eventually(lambda: "has run" in asked(step.server))
    step.kill()


def while_the_next_step_waits(step: Killed) -> None:
    """The next proposal waits for a decision."""
    step.run(SECOND)
    expect(sidebar(step.page).locator(".cb-card")).to_have_count(2)
    step.kill()


def while_undoing(step: Killed) -> None:
    """The run is to be undone."""
    card = step.run(NOTHING)
    button(card, "Undo").click()
    step.kill()


LEFT: dict[Callable[[Killed], None], list[list[str]]] = {
    while_proposing: [[OLD]],
    while_waiting: [[OLD]],
    while_replacing: [[OLD], [NEW]],
    while_inserting: [[OLD], [OLD, INSERTED]],
    while_running: [[ENDLESS]],
    while_telling: [[NEW]],
    while_the_next_step_waits: [[NEW]],
    while_undoing: [[NEW]],
}
STEPS = {"before the run": list(LEFT)[:4], "from the run on": list(LEFT)[4:]}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_a_killed_kernel_leaves_whole_cells_and_nothing_to_accept(
    lab: Lab,
    opened: Callable[[str], Notebook],
    server: ScriptedServer,
    steps: Sequence[Callable[[Killed], None]],
) -> None:
    load = LOAD.format(url=server.url) + CLICK + PRINT_ID
    notebook = opened(lab.write("killed.ipynb", [load, OLD]))
    notebook.run(0)
    page = notebook.page
    show(page)
    step = Killed(notebook, server)
    for kill in steps:
        step.prepare()
        kill(step)
        step.wait_for_restart()
        cells, counts = page.evaluate(CELLS)[1:], page.evaluate(COUNTS)[1:]
        assert cells in LEFT[kill], kill.__doc__
        step.load_again()
        # What an earlier kernel proposed cannot be decided any more.
        card = sidebar(page).locator(".cb-card")
        for name in ("Run", "Replace", "Insert", "Undo"):
            expect(button(card, name)).to_have_count(0)
        notebook.wait_idle()
        after = page.evaluate(CELLS)[1:], page.evaluate(COUNTS)[1:]
        assert after == (cells, counts), kill.__doc__
