"""The panel in the page of a notebook, as a person has it before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.support.comms import PANEL
from tests.support.kernels import ROOT
from tests.support.lab import POLLING, Lab, Notebook, SharedPage
from tests.support.scripted_server import ScriptedServer

LOAD = (
    "import os\nos.environ['CODEBUDDY_BASE_URL'] = {url!r}\n%load_ext codebuddy_jupyter"
)
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

# The notebook that tests share, but for those of the panel in a cell.
SHARED = "shared.ipynb"
# As after a restart, with nothing of codebuddy either.
FORGET = """%unload_ext codebuddy_jupyter
get_ipython().config.clear()
get_ipython().reset()"""
BEGIN = """async ([code, sources]) => {
    const {content, context, sessionContext} = window.notebook;
    const {kernel} = sessionContext.session;
    let reply;
    // After an interrupt, a kernel refuses what comes next, for a moment.
    for (let tries = 0; tries < 100 && reply?.content.status !== 'ok'; tries += 1) {
        reply = await kernel.requestExecute({code, silent: true, store_history: false}).done;
        await new Promise(resolve => setTimeout(resolve, 20));
    }
    if (reply.content.status !== 'ok') throw new Error(JSON.stringify(reply.content));
    const {sharedModel} = context.model;
    const cells = sources.map(source => ({cell_type: 'code', source}));
    sharedModel.transact(() => {
        sharedModel.deleteCellRange(0, sharedModel.cells.length);
        sharedModel.insertCells(0, cells);
    });
    sharedModel.clearUndoHistory();
    content.activeCellIndex = 0;
}"""
IS_EMPTY = """() => !document.querySelector(
    '.jp-Dialog, .cb-input, .codebuddy-difference')"""

Opens = Callable[..., Notebook]


class SharedNotebook:
    """A notebook for one test after the other, each with its own cells, a new Buddy and
    no conversations.

    To open a notebook takes three times as long. Tests that do something to the page,
    the kernel or a file have one of their own.
    """

    def __init__(self, context: BrowserContext, lab: Lab, path: str) -> None:
        lab.kept.add(path)
        self._lab = lab
        self._path = path
        self._page = SharedPage(context, lab)
        self._notebook = self._page.open(lab.write(path, [""]))

    def begin(self, cells: Sequence[str]) -> Notebook:
        """Put these cells, none of which has run, in the place of all others."""
        page = self._page.page
        page.bring_to_front()
        self._page.reset()
        page.evaluate(BEGIN, [FORGET, cells])
        page.wait_for_function(IS_EMPTY, polling=POLLING)
        chats_of(self._lab).unlink(missing_ok=True)
        return self._notebook

    def text(self) -> str:
        """What the page shows."""
        return self._page.text()

    def close(self) -> None:
        """Close the page, whose kernel then ends with the others."""
        self._lab.kept.discard(self._path)
        self._page.close()


def chats_of(lab: Lab) -> Path:
    """The file of the conversations in all notebooks."""
    return lab.home / "jupyter_data_dir" / "codebuddy" / "chats.sqlite3"


def show_panel(notebook: Notebook) -> Notebook:
    """Show the panel in the second cell, once the first has loaded the package.

    It knows nothing of the extension, which shows changes itself.
    """
    notebook.run(0)
    notebook.run(1)
    notebook.page.locator(".cb-input").wait_for()
    notebook.page.evaluate("() => delete document.body.dataset.codebuddyEditor")
    return notebook


def shown(
    lab: Lab,
    opened: Callable[[str], Notebook],
    server: ScriptedServer,
    name: str,
    cells: Sequence[str] = (),
) -> Notebook:
    """A notebook whose second cell shows the panel, which asks ``server``; more cells
    stand below.
    """
    load = LOAD.format(url=server.url)
    return show_panel(opened(lab.write(f"{name}.ipynb", [load, PANEL, *cells])))


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
