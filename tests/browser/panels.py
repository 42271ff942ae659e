"""The panel in the page of a notebook, as a person has it before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.browser.test_streaming import LOAD
from tests.support.comms import PANEL
from tests.support.kernels import ROOT
from tests.support.lab import Lab, Notebook
from tests.support.scripted_server import ScriptedServer

STILL = """() => {
    const [before, now] = [window.seen, document.querySelector('.cb-log').innerHTML];
    window.seen = now;
    return now === before;
}"""
# ms
PAUSE = 1000
PICTURES = ROOT / "build" / "screenshots"
CONTENTS = "**/api/contents/*.ipynb*"
TO_MARKDOWN = """index => {
    window.notebook.content.activeCellIndex = index;
    return window.jupyterapp.commands.execute('notebook:change-cell-to-markdown');
}"""
NOT_EDITABLE = """index => window.notebook.content.widgets[index].model.sharedModel
    .setMetadata('editable', false)"""


Opens = Callable[..., Notebook]


def shown(
    lab: Lab,
    opened: Callable[[str], Notebook],
    server: ScriptedServer,
    name: str,
    cells: Sequence[str] = (),
) -> Notebook:
    """A notebook whose second cell shows the panel, which asks ``server``; more cells
    stand below. The panel knows nothing of the extension, which shows changes itself.
    """
    notebook = opened(
        lab.write(f"{name}.ipynb", [LOAD.format(url=server.url), PANEL, *cells])
    )
    notebook.run(0)
    notebook.run(1)
    notebook.page.locator(".cb-input").wait_for()
    notebook.page.evaluate("() => delete document.body.dataset.codebuddyEditor")
    return notebook


# The state of the provider, in the line above the conversation.
STATE = ".cb-summary [role=status]"


def unfold_settings(page: Page) -> None:
    """Show the settings, which are folded as long as all is well."""
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_role("button", name="Test connection").wait_for()


def show_key_field(page: Page) -> None:
    """Show the field for a key; trouble has unfolded the settings, or they are folded."""
    state = page.locator(STATE)
    expect(state).not_to_have_text("checking…")
    if state.text_content() == "reachable":
        unfold_settings(page)
    page.locator(".cb-provider summary").click()


def settle(page: Page) -> None:
    """Wait until the conversation is drawn as far as it is going to be."""
    page.wait_for_function(STILL, polling=PAUSE)


def picture(name: str) -> Path:
    """Where a picture is kept for somebody to look at; each run writes it anew."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES / f"{name}.png"


def make_read_only(page: Page) -> None:
    """Have the page learn that the notebook's file cannot be written, which it can."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "writable": False})

    page.route(CONTENTS, answer)
    page.evaluate("() => window.notebook.context.save()")
    page.unroute(CONTENTS)
    page.wait_for_function(
        "() => window.notebook.context.contentsModel.writable === false"
    )
