"""Notebook 7 has the sidebar as JupyterLab does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.lab import POLLING, Lab
from tests.support.scripted_server import ScriptedServer, reply

BROKEN = "first = 1 / 0"
RUN = """async index => {
    const {shell, commands} = window.jupyterapp;
    await shell.currentWidget.sessionContext.ready;
    shell.currentWidget.content.activeCellIndex = index;
    await commands.execute('notebook:run-cell');
}"""
READY = "() => window.jupyterapp?.shell.currentWidget?.content?.widgets?.length === 2"
SOURCE = """text => {
    const {content} = window.jupyterapp.shell.currentWidget;
    return content.widgets[1].model.sharedModel.source === text;
}"""


@pytest.fixture
def page(context: BrowserContext, lab: Lab, server: ScriptedServer) -> Iterator[Page]:
    """A notebook whose second cell fails, in Notebook 7."""
    url = f"import os\nos.environ['CODEBUDDY_BASE_URL'] = {server.url!r}"
    path = lab.write("sidebar_seven.ipynb", [url, BROKEN])
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"http://127.0.0.1:{lab.port}/notebooks/{path}?token={lab.token}")
    page.wait_for_function(READY, polling=POLLING)
    yield page
    page.close()
    lab.clear()


def test_an_error_is_fixed_in_the_sidebar_and_the_answer_applied(
    page: Page, server: ScriptedServer
) -> None:
    server.script(reply("So:\n\n```python\nfirst = 1 / 1\n```\n"))
    page.evaluate(RUN, 0)
    page.evaluate(RUN, 1)
    page.get_by_title("Ask codebuddy about this notebook").first.click()
    page.get_by_role("button", name="Run %load_ext").click()
    page.locator("#codebuddy-sidebar .cb-input").wait_for()
    page.locator(".codebuddy-error").get_by_role("button", name="fix").click()
    page.get_by_role("button", name="Apply the code").click()
    expect(page.locator(".codebuddy-hunk")).to_be_focused()
    page.keyboard.press("a")
    page.wait_for_function(SOURCE, arg="first = 1 / 1")
    page.keyboard.press("Control+z")
    page.wait_for_function(SOURCE, arg=BROKEN)
