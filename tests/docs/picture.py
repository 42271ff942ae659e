"""Take the pictures of the documents: JupyterLab in a browser, with answers of the
embedded engine.
"""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.support.demo_model import write_demo_model
from tests.support.kinds import OLLAMA
from tests.support.lab import Lab, Notebook, chromium, open_notebook
from tests.support.scripted_server import ScriptedServer

FOLDER = Path(__file__).parents[2] / "docs"
PICTURES = PANEL, CONTEXT, SETTINGS = [
    FOLDER / f"{name}.png" for name in ("panel", "panel_context", "panel_settings")
]
CELLS = (
    "%load_ext codebuddy_jupyter",
    (
        "import pandas as pd\n\n"
        'sales = pd.DataFrame({"shop": ["north", "south"], "amount": [3.5, 2.0]})\n'
        "sales"
    ),
    "%buddy /panel",
)
QUESTION = "How do I get the mean of a column of @sales with pandas?"
PLAIN = ".jp-cell-toolbar { display: none }"
# Puts the panel into a view of its own to the right of the notebook, as a user does by
# dragging the tab there.
BESIDE = """async () => {
    const {shell, commands} = window.jupyterapp;
    const before = new Set([...shell.widgets('main')].map(widget => widget.id));
    await commands.execute('notebook:create-output-view');
    const view = [...shell.widgets('main')].find(widget => !before.has(widget.id));
    shell.add(view, 'main', {mode: 'split-right', ref: window.notebook.id});
    view.title.label = 'codebuddy';
    await commands.execute('notebook:hide-cell-outputs');
    shell.collapseLeft();
}"""
# Pixels around what is shown.
MARGIN = 8
# The server uses Ollama's default port if it is free, so that the picture shows the
# address that readers know.
OLLAMA_PORT = 11434


def write() -> Path:
    """Take the pictures; return their folder."""
    with (
        tempfile.TemporaryDirectory() as home,
        ScriptedServer(port=_free_port()) as server,
        chromium() as browser,
    ):
        url = OLLAMA.on(server).replace(server.host, "localhost")
        pictures: dict[str, Callable[[Notebook], None]] = {
            "panel": take_panel,
            "settings": lambda notebook: take_settings(notebook, url),
        }
        with Lab(Path(home, "lab")) as lab:
            saved = lab.home / "jupyter_config_dir" / "codebuddy.json"
            saved.parent.mkdir(parents=True, exist_ok=True)
            settings = {
                "Buddy": {"provider": "Embedded"},
                "EmbeddedProvider": {"model": str(write_demo_model(Path(home)))},
            }
            saved.write_text(json.dumps(settings), encoding="utf-8")
            for name, take in pictures.items():
                with open_notebook(
                    browser, lab, lab.write(f"{name}.ipynb", CELLS)
                ) as notebook:
                    notebook.page.add_style_tag(content=PLAIN)
                    for index in range(len(CELLS)):
                        notebook.run(index)
                    take(notebook)
    return FOLDER


def take_panel(notebook: Notebook) -> None:
    """Save a picture of the panel with an answer beside the notebook, and a picture of
    what a question would send.
    """
    page = notebook.page
    page.set_viewport_size({"width": 1200, "height": 700})
    page.evaluate(BESIDE)
    panel = page.locator(".codebuddy-panel:visible")
    panel.locator(".cb-input").fill(QUESTION)
    panel.locator(".cb-input").press("Enter")
    expect(panel.locator(".cb-foot .cb-line")).to_have_count(1, timeout=60_000)
    panel.locator(".cb-input").fill("And the median of each shop?")
    expect(panel.locator(".cb-meter")).to_contain_text("tokens")
    page.screenshot(path=PANEL)
    panel.get_by_role("button", name="New conversation").click()
    panel.locator(".cb-meter").click()
    expect(panel.locator(".cb-preview table")).to_be_visible()
    page.set_viewport_size({"width": 1200, "height": 1000})
    # The meter measures again after a pause.
    page.wait_for_timeout(1500)
    save_picture(
        page, panel.locator(".cb-composer"), panel.locator(".cb-sends"), CONTEXT
    )


def take_settings(notebook: Notebook, url: str) -> None:
    """Save a picture of the settings, with the result of a connection test."""
    page = notebook.page
    page.set_viewport_size({"width": 900, "height": 1500})
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Provider").select_option(label="Local LLM (Ollama/LM Studio)")
    page.get_by_label("Base URL", exact=True).fill(url)
    page.get_by_label("Base URL", exact=True).press("Tab")
    expect(page.locator(".cb-facts")).to_contain_text("qwen3:8b")
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator(".cb-report li").first).to_be_visible()
    save_picture(
        page,
        page.get_by_role("button", name="Settings"),
        page.locator(".cb-report"),
        SETTINGS,
    )


def _free_port() -> int:
    """Return Ollama's port, or 0 for any port if it is in use."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", OLLAMA_PORT))
        except OSError:
            return 0
    return OLLAMA_PORT


def save_picture(page: Page, first: Locator, last: Locator, path: Path) -> None:
    """Save a picture of the panel in full width, from one part to another."""
    last.scroll_into_view_if_needed()
    panel, top, end = (
        box
        for part in (page.locator(".codebuddy-panel:visible"), first, last)
        if (box := part.bounding_box())
    )
    page.screenshot(
        path=path,
        clip={
            "x": panel["x"] - MARGIN,
            "y": top["y"] - MARGIN,
            "width": panel["width"] + 2 * MARGIN,
            "height": end["y"] + end["height"] - top["y"] + 2 * MARGIN,
        },
    )
