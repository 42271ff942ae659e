"""How the panel looks: pictures in ``build/screenshots``, for somebody to look at after
each run.
"""

from __future__ import annotations

from itertools import product

import pytest
from playwright.sync_api import Page, expect

from tests.browser.panels import Opens, picture, unfold_settings
from tests.browser.test_panel import CELL, CODE, ask, ended
from tests.support.scripted_server import (
    MARKDOWN,
    ScriptedServer,
    as_json,
    delta,
    stream,
)

THOUGHTS = "The question is about a merge. The keys may differ in type."
# pixels of the window; JupyterLab leaves the panel 280 of the latter
WIDTHS = {"wide": 1280, "narrow": 396}
FITS = """() => [...document.querySelectorAll('.codebuddy-panel, .cb-log, .cb-composer, .cb-bar')]
    .every(element => element.scrollWidth <= element.clientWidth + 1)"""


@pytest.fixture
def talked(shared_panel: Opens, server: ScriptedServer) -> Page:
    """The page of a panel with an answer that has everything, one that failed, and a
    revised cell.
    """
    server.script(
        stream(
            delta(reasoning_content=THOUGHTS), delta(MARKDOWN), delta(finish="stop")
        ),
        as_json({"error": {"message": "the model is not loaded"}}, 400),
        stream(delta(CODE), delta(finish="stop")),
    )
    page = shared_panel(CELL).page
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    for number, question in enumerate(
        ["why is df empty after the merge?", "and now?", "drop the gaps"], 1
    ):
        ask(page, question)
        ended(page, number)
    page.get_by_role("button", name="Show what the code changes").last.click()
    expect(page.locator(".cb-diff")).to_be_visible()
    return page


def test_it_fits_and_is_kept_as_pictures(talked: Page) -> None:
    for width, pixels in WIDTHS.items():
        take(talked, f"{width}-folded", pixels)
    unfold_settings(talked)
    talked.get_by_role("button", name="Test connection").click()
    expect(talked.locator(".cb-report li").last).to_be_visible()
    expect(
        talked.get_by_role("status").filter(has_text="The provider is reachable")
    ).to_have_count(1)
    labels = talked.locator(".cb-facts dt").all_inner_texts()
    assert labels == ["Model", "Host", "Latency"]
    button, report = (
        talked.locator(css).bounding_box()
        for css in (".jupyter-button:text('More')", ".cb-report")
    )
    assert button
    assert report
    assert report["y"] >= button["y"] + button["height"]
    for (width, pixels), theme in product(WIDTHS.items(), ("Light", "Dark")):
        talked.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {theme}",
        )
        take(talked, f"{width}-{theme.lower()}", pixels)
    talked.get_by_role("button", name="More", exact=True).click()
    for width, pixels in WIDTHS.items():
        take(talked, f"{width}-settings", pixels)


def take(page: Page, name: str, width: int) -> None:
    """Pictures of the window as it is, and of the whole panel in a window that is tall
    enough.
    """
    panel = page.locator(".codebuddy-panel")
    for kind, height in (("window", 900), ("panel", 3000)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(1000)
        assert page.evaluate(FITS)
        panel.evaluate("panel => panel.scrollIntoView({block: 'start'})")
        (page if kind == "window" else panel).screenshot(path=picture(f"{kind}-{name}"))
