"""One JupyterLab and one browser for all tests here; each test opens notebooks of its
own in them.

Both end with the last test of this folder: while Playwright has a browser, an event
loop runs in the main thread, and no other test could use ``asyncio.run``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.panels import Opens, shown
from tests.browser.recorder import Recorder
from tests.support.lab import Lab, Notebook, SharedPage, chromium, open_notebook
from tests.support.scripted_server import ScriptedServer

# ms: a bound for what hangs, not a measure of what is slow
expect.set_options(timeout=20_000)


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab that serves ``lab.root``."""
    with Lab(tmp_path_factory.mktemp("lab"), lean=True) as lab:
        yield lab


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser of this machine."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def pages(browser: Browser, lab: Lab) -> Iterator[list[SharedPage]]:
    """The page that tests share, once a test has needed it."""
    pages: list[SharedPage] = []
    yield pages
    for page in pages:
        page.close()


@pytest.fixture
def opened(
    request: pytest.FixtureRequest,
    browser: Browser,
    lab: Lab,
    pages: list[SharedPage],
) -> Iterator[Callable[[str], Notebook]]:
    """Open notebooks of ``lab.root``, the first one in the page that tests share.

    After a failed test nobody knows in which state the page is, so the next test gets
    a new one. A module with ``FRESH_PAGES = True`` leaves the shared page alone.
    """
    shared: list[SharedPage] = []
    failures = request.session.testsfailed
    with ExitStack() as own:

        def open(path: str) -> Notebook:
            if shared or getattr(request.module, "FRESH_PAGES", False):
                return own.enter_context(open_notebook(browser, lab, path))
            if not pages:
                pages.append(SharedPage(browser, lab))
            shared.append(pages[0])
            return pages[0].open(path)

        yield open
    if shared and request.session.testsfailed > failures:
        pages.pop().close()
    elif shared:
        shared[0].clear()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A server that keeps the paths it was asked for."""
    with Recorder().running() as recorder:
        yield recorder


@pytest.fixture
def panel(lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer) -> Opens:
    """Opens a notebook whose second cell shows the panel; more cells stand below."""

    def open(name: str, *cells: str) -> Notebook:
        return shown(lab, opened, server, name, cells)

    return open
