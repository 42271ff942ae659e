"""One JupyterLab and one browser for all tests here; each test opens notebooks of its
own in them.

Both end with the last test of this folder: while Playwright has a browser, an event
loop runs in the main thread, and no other test could use ``asyncio.run``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.panels import LOAD, SHARED, Opens, SharedNotebook, show_panel, shown
from tests.browser.recorder import Recorder
from tests.support.comms import PANEL
from tests.support.lab import WINDOW, Lab, Notebook, SharedPage, chromium
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
def context(browser: Browser) -> Iterator[BrowserContext]:
    """What the pages with JupyterLab have in common: files, and their compiled scripts."""
    context = browser.new_context(viewport=WINDOW)
    yield context
    context.close()


@pytest.fixture(scope="package")
def pages() -> list[SharedPage]:
    """The pages that tests share, once a test has needed them."""
    return []


@pytest.fixture(scope="package")
def pages_with_settings() -> list[SharedPage]:
    """The same for pages with settings."""
    return []


@pytest.fixture
def has_failed(request: pytest.FixtureRequest) -> Callable[[], bool]:
    """Tells whether the test has failed: then nobody knows in which state a page is, and
    the next test gets a new one.
    """
    failures = request.session.testsfailed
    return lambda: request.session.testsfailed > failures


Openings = Iterator[Callable[[str], Notebook]]


@pytest.fixture
def opening(
    has_failed: Callable[[], bool], context: BrowserContext, lab: Lab
) -> Callable[[list[SharedPage]], Openings]:
    """Opens notebooks of ``lab.root``, each in one of the pages that tests share."""

    def opening(pages: list[SharedPage]) -> Openings:
        count = 0

        def open(path: str) -> Notebook:
            nonlocal count
            count += 1
            if count > len(pages):
                pages.append(SharedPage(context, lab))
            return pages[count - 1].open(path)

        yield open
        used = pages[:count]
        del pages[:count]
        if has_failed():
            print(f"JupyterLab's log ends:\n{lab.log()}")
            for number, page in enumerate(used, start=1):
                print(f"Page {number} shows:\n{page.text()}")
                page.close()
        else:
            for page in used:
                page.clear()
            pages[:0] = used
        lab.clear()

    return opening


@pytest.fixture
def opened(
    opening: Callable[[list[SharedPage]], Openings], pages: list[SharedPage]
) -> Openings:
    """Open notebooks of ``lab.root``, each in a page that tests share."""
    yield from opening(pages)


@pytest.fixture
def opened_with_settings(
    opening: Callable[[list[SharedPage]], Openings],
    lab: Lab,
    pages_with_settings: list[SharedPage],
) -> Openings:
    """As ``opened``, in a page where notebooks keep the state of their widgets, and
    answers about errors come in cells.
    """
    # JupyterLab reads them when a page is loaded.
    files = [
        lab.set("@jupyter-widgets/jupyterlab-manager", "plugin", saveState=True),
        lab.set("codebuddy-jupyter", "plugin", errorAnswers="output"),
    ]
    try:
        yield from opening(pages_with_settings)
    finally:
        for file in files:
            file.unlink()


@pytest.fixture(scope="module")
def new_page(context: BrowserContext, lab: Lab) -> Iterator[SharedPage]:
    """A page of this module alone, for tests that need a new one or leave something in it."""
    page = SharedPage(context, lab)
    yield page
    page.close()


@pytest.fixture
def opened_in_new_page(
    lab: Lab, new_page: SharedPage
) -> Iterator[Callable[[str], Notebook]]:
    """Open notebooks of ``lab.root`` in the page that this module has alone."""
    yield new_page.open
    new_page.clear()
    lab.clear()


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


@pytest.fixture(scope="package")
def shared_notebooks() -> dict[str, SharedNotebook]:
    """The notebooks that tests share, once a test has needed them; to path."""
    return {}


@pytest.fixture
def shared_at(
    has_failed: Callable[[], bool],
    context: BrowserContext,
    lab: Lab,
    shared_notebooks: dict[str, SharedNotebook],
) -> Iterator[Opens]:
    """Gives a notebook that tests share, by its path, with the cells of this test."""
    used: set[str] = set()

    def begin(path: str, *cells: str) -> Notebook:
        if path not in shared_notebooks:
            shared_notebooks[path] = SharedNotebook(context, lab, path)
        used.add(path)
        return shared_notebooks[path].begin(cells)

    yield begin
    if has_failed():
        for path in used:
            broken = shared_notebooks.pop(path)
            print(f"The page of {path} shows:\n{broken.text()}")
            broken.close()


@pytest.fixture
def shared(shared_at: Opens) -> Opens:
    """Gives the notebook that most tests share, with the cells of this test."""
    return partial(shared_at, SHARED)


@pytest.fixture
def shared_loaded(shared: Opens, server: ScriptedServer) -> Opens:
    """The same below a cell that loads the extension, and has run."""

    def load(*cells: str) -> Notebook:
        notebook = shared(LOAD.format(url=server.url), *cells)
        notebook.run(0)
        return notebook

    return load


@pytest.fixture
def shared_panel(shared_at: Opens, server: ScriptedServer) -> Opens:
    """Shows the panel in a cell of a notebook that tests share, whose sidebar they leave
    alone; more cells stand below.
    """

    def show(*cells: str) -> Notebook:
        load = LOAD.format(url=server.url)
        return show_panel(shared_at("panel.ipynb", load, PANEL, *cells))

    return show
