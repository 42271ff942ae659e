"""What was looked up before an answer, and who reads the notebook, in a live JupyterLab:
a line that unfolds in the cell and in the panel, and one with Stop.
"""

from __future__ import annotations

import json

from playwright.sync_api import Locator, expect

from codebuddy_jupyter.tools.server.address_file import PREFIX
from tests.browser.panels import Opens, picture
from tests.browser.test_panel import ask, ended
from tests.support.lab import Lab
from tests.support.mcp_clients import address_in, head, request, sent
from tests.support.scripted_server import ScriptedServer, reply

LINE = "looked at orders: "
# What a hostile name of a key is told as.
SETUP = "orders, limits = {'price': 1, '<img src=x onerror=alert(1)>': 2}, [3]"
CHOSEN = json.dumps({"look": "variable", "name": "orders", "part": "schema"})
ASK = "%%buddy --look\nWhat is in orders, and what in limits?"


def script(server: ScriptedServer) -> None:
    server.script(
        reply(CHOSEN), reply(json.dumps({"look": "explain"})), reply("Two **keys**.")
    )


def unfolds(line: Locator, text: Locator) -> None:
    """A folded line shows what was told once it is clicked, and hides it again."""
    expect(line).to_be_visible()
    expect(text).to_be_hidden()
    line.click()
    expect(text).to_be_visible()
    expect(text).to_contain_text("dict")
    line.click()
    expect(text).to_be_hidden()


def test_the_line_of_a_look_unfolds_in_the_cell_and_in_the_panel(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    notebook = shared_panel(SETUP, ASK)
    page = notebook.page
    script(server)
    notebook.run(2)
    notebook.run(3)
    output = page.locator(".jp-CodeCell").nth(3).locator(".jp-OutputArea-output")
    expect(output).to_contain_text("Two keys.")
    folded = output.locator("details").first
    unfolds(folded.locator("summary", has_text=LINE), folded.locator("pre"))
    # The panel follows what a cell asks.
    ended(page)
    look = page.locator(".cb-look")
    expect(look).to_have_count(1)
    unfolds(look.locator("summary", has_text=LINE), look.locator(":scope > *").nth(1))
    assert page.locator("img[src='x']").count() == 0


def test_the_panel_shows_who_reads_the_notebook_with_stop(
    lab: Lab, shared_panel: Opens
) -> None:
    page = shared_panel().page
    served = page.locator(".cb-served")
    expect(served).to_be_empty()
    ask(page, "/serve")
    expect(served).to_contain_text("none has connected yet")
    (file,) = lab.home.rglob(f"{PREFIX}*.json")
    address = address_in(file)
    data = request({**head(address), "user-agent": "<b>Probe</b>"})
    assert sent(address.port, data)[0] == 200
    expect(served).to_contain_text("<b>Probe</b>")
    assert page.locator(".cb-served b").count() == 0
    page.locator(".codebuddy-panel").screenshot(path=picture("panel-served"))
    page.get_by_role("button", name="Stop serving the notebook").click()
    expect(served).to_be_empty()
    assert not file.exists()
