"""One JupyterLab and one browser for all tests here; each test opens notebooks of its
own in them.

Both end with the last test of this folder: while Playwright has a browser, an event
loop runs in the main thread, and no other test could use ``asyncio.run``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser

from tests.browser.recorder import Recorder
from tests.lab import Lab, Notebook, chromium, open_notebook


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab that serves ``lab.root``."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser of this machine."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, lab: Lab) -> Iterator[Callable[[str], Notebook]]:
    """Opens a notebook of ``lab.root`` in a page of its own; the pages are closed after
    the test.
    """
    with ExitStack() as pages:
        yield lambda path: pages.enter_context(open_notebook(browser, lab, path))


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A server that keeps the paths it was asked for."""
    with Recorder().running() as recorder:
        yield recorder
