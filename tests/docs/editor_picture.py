"""Take the pictures of the JupyterLab extension, with a scripted server."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.infill import INFILL, LLAMA_CPP
from tests.support.lab import Lab, Notebook, chromium, open_notebook
from tests.support.scripted_server import (
    CHAT,
    MODELS,
    ScriptedServer,
    as_json,
    reply,
    stream,
)

FOLDER = Path(__file__).parents[2] / "docs"
PICTURES = SIDEBAR, DIFFERENCE, COMPLETION, CARD = [
    FOLDER / f"{name}.png"
    for name in (
        "editor_sidebar",
        "editor_difference",
        "editor_completion",
        "agents_card",
    )
]
MODEL = "qwen2.5-coder-7b"
BROKEN = """\
def mean_amount(shop):
    rows = sales[sales["shop"] == shop]
    amounts = list(rows["amount"])
    return sum(amounts) / len(amount)

mean_amount("north")"""
MENDED = BROKEN.replace("len(amount)", "len(amounts)")
CELLS = (
    f"%load_ext codebuddy_jupyter\n%config Buddy.completion_model = '{MODEL}'",
    (
        "import pandas as pd\n\n"
        'sales = pd.DataFrame({"shop": ["north", "south"], "amount": [3.5, 2.0]})'
    ),
    BROKEN,
    "",
)
ANSWER = (
    "`amount` is not defined: the list is called `amounts`.\n\n"
    f"```python\n{MENDED}\n```\n"
)
TOTAL = 'total = sales.groupby("shop")["amount"].sum()'
CARD_CELLS = (
    "%load_ext codebuddy_jupyter\n%config Buddy.proposals = 'click'",
    (
        "import pandas as pd\n\n"
        'sales = pd.DataFrame({"shop": ["north", "south"], "amount": [3.5, 2.0]})'
    ),
    f"{TOTAL}\ntotal",
)
TASK = "Show the shares in percent in In[3]."
SHARES = f"{TOTAL}\nshares = 100 * total / total.sum()\nshares.round(1)"
PROPOSED = {"look": "propose_edit", "cell": 3, "code": SHARES}
SAID = "The shares of the shops, rounded to one decimal."
TYPED = "best = sales.nl"
SUGGESTED = 'argest(1, "amount")'
PLAIN = ".jp-cell-toolbar { display: none }"
ACTIVATE = """index => {
    const {content} = window.notebook;
    content.activeCellIndex = index;
    content.mode = 'edit';
    content.activeCell.editor.focus();
}"""
# Pixels below what is shown.
MARGIN = 8


def write() -> Path:
    """Take the pictures; return their folder."""
    with (
        tempfile.TemporaryDirectory() as home,
        ScriptedServer() as server,
        chromium() as browser,
        Lab(Path(home, "lab"), CODEBUDDY_BASE_URL=server.url) as lab,
        open_notebook(browser, lab, lab.write("sales.ipynb", CELLS)) as notebook,
    ):
        script(server)
        notebook.page.add_style_tag(content=PLAIN)
        notebook.page.set_viewport_size({"width": 1200, "height": 700})
        notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        for index in range(3):
            notebook.run(index)
        takes: tuple[Callable[[Notebook], None], ...] = (
            take_sidebar,
            take_difference,
            take_completion,
        )
        for take in takes:
            take(notebook)
        take_card(browser, lab, server)
    return FOLDER


def script(server: ScriptedServer) -> None:
    """Let the server answer as a llama.cpp with a model for code."""
    LLAMA_CPP.on(server)
    listed = {"data": [{"id": MODEL}]}
    server.script(as_json(listed, Server="llama.cpp"), path=MODELS)
    server.script(reply(ANSWER), path=CHAT)
    written = {"content": SUGGESTED, "stop": True, "stop_type": "eos"}
    server.script(LLAMA_CPP.probe, stream(written, done=False), path=INFILL)


def open_sidebar(page: Page) -> Locator:
    """Open the sidebar, and wait until its panel can be used."""
    page.evaluate(
        "command => window.jupyterapp.commands.execute(command)", "codebuddy:open"
    )
    sidebar = page.locator("#codebuddy-sidebar")
    sidebar.locator(".cb-input").wait_for()
    return sidebar


def take_sidebar(notebook: Notebook) -> None:
    """Save a picture of an error, and of its answer in the sidebar."""
    page = notebook.page
    sidebar = open_sidebar(page)
    page.locator(".codebuddy-error").get_by_role("button", name="fix").click()
    expect(sidebar.locator(".cb-foot .cb-line")).to_have_count(1)
    page.locator(".codebuddy-error").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    page.screenshot(path=SIDEBAR)


def take_difference(notebook: Notebook) -> None:
    """Save a picture of the changes that the answer makes."""
    page = notebook.page
    page.get_by_role("button", name="Apply the code").click()
    difference = page.locator(".codebuddy-difference")
    expect(difference.locator(".codebuddy-hunk")).to_be_focused()
    save_cell(page, 2, until=".codebuddy-difference", path=DIFFERENCE)
    difference.get_by_role("button", name="Accept all changes").click()


def take_completion(notebook: Notebook) -> None:
    """Save a picture of a suggestion behind the cursor."""
    page = notebook.page
    page.evaluate(ACTIVATE, 3)
    page.keyboard.type(TYPED, delay=5)
    expect(page.locator(".jp-GhostText")).to_have_text(SUGGESTED)
    # Nor the list of names that JupyterLab may have opened.
    page.wait_for_timeout(500)
    save_cell(page, 3, until=".jp-Cell-inputWrapper", path=COMPLETION)


def take_card(browser: Browser, lab: Lab, server: ScriptedServer) -> None:
    """Save a picture of a proposed change: its card, and the change in its cell."""
    server.script(reply(json.dumps(PROPOSED)), reply(SAID), path=CHAT)
    path = lab.write("shares.ipynb", CARD_CELLS)
    with open_notebook(browser, lab, path) as notebook:
        page = notebook.page
        page.add_style_tag(content=PLAIN)
        page.set_viewport_size({"width": 1200, "height": 700})
        page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        for index in range(len(CARD_CELLS)):
            notebook.run(index)
        sidebar = open_sidebar(page)
        sidebar.locator(".cb-input").fill(TASK)
        sidebar.locator(".cb-input").press("Enter")
        expect(sidebar.locator(".cb-foot .cb-line")).to_have_count(1)
        sidebar.get_by_role("button", name="Show the change").click()
        expect(page.locator(".codebuddy-hunk")).to_be_focused()
        # No button is shown as the one below the pointer.
        page.mouse.move(0, 0)
        page.wait_for_timeout(1500)
        page.screenshot(path=CARD)


def save_cell(page: Page, index: int, *, until: str, path: Path) -> None:
    """Save a picture of a cell, from its top to the end of a part of it."""
    cell = page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')
    end = cell.locator(until)
    end.scroll_into_view_if_needed()
    whole, part = cell.bounding_box(), end.bounding_box()
    assert whole
    assert part
    page.screenshot(
        path=path,
        clip={
            "x": whole["x"],
            "y": whole["y"],
            "width": whole["width"],
            "height": part["y"] + part["height"] - whole["y"] + MARGIN,
        },
    )
