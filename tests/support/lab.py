"""A live JupyterLab and a real browser on it, for what only they can show."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    ViewportSize,
    sync_playwright,
)

from tests.support import labextension
from tests.support.install_system import BROWSERS
from tests.support.kernels import clean_environment, command_of

# bounds for what hangs, not measures of what is slow; the first page reads JupyterLab
# from the disk while kernels do the same
SECONDS = 60.0
LOADING = 180.0
# characters
LOG = 4000
# ms; to look again in each frame would have the page draw frames for nothing else
POLLING = 50
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Pages of a site share their compiled scripts.
    "--process-per-site",
]
READY = """async path => {
    const app = window.jupyterapp;
    await app.restored;
    const panel = await app.commands.execute('docmanager:open', {path, factory: 'Notebook'});
    await panel.context.ready;
    await panel.sessionContext.ready;
    window.notebook = panel;
}"""
IDLE = """() => !document.querySelector('.jp-Spinner')
    && window.notebook?.sessionContext?.session?.kernel?.status === 'idle'"""
CLEAR = """async () => {
    const app = window.jupyterapp;
    for (const widget of [...app.shell.widgets('main')]) {
        if (widget.context) widget.context.model.dirty = false;
        widget.dispose();
    }
    delete window.notebook;
}"""
# Tests of the panel alone delete the mark of the extension.
RESET = """async () => {
    const {commands, shell} = window.jupyterapp;
    shell.collapseRight();
    shell.expandLeft();
    document.body.dataset.codebuddyEditor = '';
    const theme = 'JupyterLab Light';
    if (document.body.dataset.jpThemeName !== theme) {
        await commands.execute('apputils:change-theme', {theme});
    }
}"""
IS_CLEAR = """() => !document.querySelector(
    '.jp-Notebook, .jp-Dialog, .codebuddy-panel, .codebuddy-difference')"""
# Extensions of JupyterLab, or plugins of them, for other documents than notebooks, or for
# what no test looks at.
NEEDLESS = (
    "@jupyter-notebook/lab-extension",
    "@jupyterlab/application-extension:faviconbusy",
    "@jupyterlab/application-extension:property-inspector",
    "@jupyterlab/audio-extension",
    "@jupyterlab/celltags-extension",
    "@jupyterlab/console-extension",
    "@jupyterlab/csvviewer-extension",
    "@jupyterlab/debugger-extension",
    "@jupyterlab/extensionmanager-extension",
    "@jupyterlab/fileeditor-extension",
    "@jupyterlab/help-extension",
    "@jupyterlab/htmlviewer-extension",
    "@jupyterlab/hub-extension",
    "@jupyterlab/imageviewer-extension",
    "@jupyterlab/inspector-extension",
    "@jupyterlab/logconsole-extension",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/markdownviewer-extension",
    "@jupyterlab/metadataform-extension",
    "@jupyterlab/notebook-extension:active-cell-tool",
    # For each page, the server would load all exporters of nbconvert.
    "@jupyterlab/notebook-extension:export",
    "@jupyterlab/notebook-extension:language-server",
    "@jupyterlab/notebook-extension:metadata-editor",
    "@jupyterlab/notebook-extension:toc",
    "@jupyterlab/notebook-extension:tools",
    "@jupyterlab/pdf-extension",
    "@jupyterlab/pluginmanager-extension",
    "@jupyterlab/running-extension",
    "@jupyterlab/settingeditor-extension",
    "@jupyterlab/statusbar-extension",
    "@jupyterlab/terminal-extension",
    "@jupyterlab/theme-dark-high-contrast-extension",
    "@jupyterlab/toc-extension",
    "@jupyterlab/tooltip-extension",
    "@jupyterlab/vega5-extension",
    "@jupyterlab/video-extension",
    "@jupyterlab/workspaces-extension",
    "jupyterlab-jupytext",
)
WINDOW: ViewportSize = {"width": 1280, "height": 800}
# To list files, kernels and sessions every ten seconds takes time in each page, also
# behind the others.
LIST_HOURLY = """async () => {
    const {restored, serviceManager, shell} = window.jupyterapp;
    await restored;
    const {kernels, sessions} = serviceManager;
    const files = [...shell.widgets('left')].map(({model}) => model?._poll);
    const hour = 3600 * 1000;
    for (const poll of [kernels._pollModels, sessions._pollModels, ...files]) {
        if (poll) poll.frequency = {backoff: false, interval: hour, max: hour};
    }
}"""
RUN = """async index => {
    const {content} = window.notebook;
    content.deselectAll();
    content.activeCellIndex = index;
    await window.jupyterapp.commands.execute('notebook:run-cell');
}"""


class Lab:
    """A JupyterLab server of its own: nothing of the user's, everything below ``home``.

    Parameters
    ----------
    home
        An empty folder; notebooks are in ``root`` below it.
    lean
        Whether it does without what costs time and what no notebook needs: pages have
        no plugins for other documents, and kernels are copies of a process that has
        imported their libraries, where the system can copy one.
    environment
        More environment variables for the kernels.

    Attributes
    ----------
    is_lean : bool
        Whether it does without that.
    kept : set of str
        The notebooks that stay open from test to test, which `clear` leaves alone.
    """

    def __init__(self, home: Path, lean: bool = False, **environment: str) -> None:
        self.home, self.root = home, home / "notebooks"
        self.kept: set[str] = set()
        self.is_lean = lean
        self.token = secrets.token_hex(8)
        self._environment = {
            **clean_environment(home, **environment),
            "JUPYTER_PATH": str(home / "jupyter"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        }

    def __enter__(self) -> Self:
        self.root.mkdir(parents=True)
        # That of this checkout, wherever the environment is.
        labextension.link(self.home / "jupyter")
        self.set(
            "@jupyterlab/apputils-extension",
            "notification",
            fetchNews="false",
            checkForUpdates=False,
        )
        if self.is_lean:
            self._leave_out_plugins()
            self._copy_kernels()
        self.port = free_port()
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "IdentityProvider.token": self.token,
            "ServerApp.root_dir": self.root,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            # Each page would ask for them every ten seconds.
            "ServerApp.terminals_enabled": not self.is_lean,
            "LabApp.expose_app_in_browser": True,
            "JupyterNotebookApp.expose_app_in_browser": True,
            "LabApp.news_url": None,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        }
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        self._log = (self.home / "lab.log").open("wb")
        self._process = subprocess.Popen(
            command,
            env=self._environment,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end_process(self._process)
        self._log.close()

    def write(self, name: str, cells: Sequence[str]) -> str:
        """Put a notebook of these code cells into the root; gives its path there."""
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"c{i}",
                    "metadata": {},
                    "source": s,
                    "outputs": [],
                    "execution_count": None,
                }
                for i, s in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {
                    "name": "python3",
                    "display_name": "Python 3",
                    "language": "python",
                }
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.root / name).write_text(json.dumps(notebook), encoding="utf-8")
        return name

    def set(self, extension: str, plugin: str, **values: object) -> Path:
        """Settings of JupyterLab, for the pages that are opened from now on; gives the
        file that holds them.
        """
        file = self.home / "settings" / extension / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
        return file

    def clear(self) -> None:
        """End all kernels, and delete the notebooks, all of which each page lists."""
        self.end_kernels()
        for notebook in self.root.glob("*.ipynb"):
            if notebook.name not in self.kept:
                notebook.unlink()

    def end_kernels(self) -> None:
        """End all kernels that its pages have left, each of which would hold its memory
        to the end.
        """
        with self._ask("sessions") as answer:
            sessions = json.load(answer)
        for session in sessions:
            if session["path"] not in self.kept:
                self._ask(f"sessions/{session['id']}", "DELETE").close()

    def log(self) -> str:
        """The end of what its server has written."""
        text = (self.home / "lab.log").read_text(encoding="utf-8", errors="replace")
        return text[-LOG:]

    def _leave_out_plugins(self) -> None:
        disabled = dict.fromkeys(NEEDLESS, True)
        # To check whether JupyterLab is built, the server starts Node for each page.
        config = {"buildCheck": False, "disabledExtensions": disabled}
        file = self.home / "jupyter_config_dir" / "labconfig" / "page_config.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(config), encoding="utf-8")

    def _copy_kernels(self) -> None:
        """Have its kernels copied from a process that has imported their libraries."""
        folder = self.home / "jupyter" / "kernels" / "python3"
        folder.mkdir(parents=True)
        spec = {
            "argv": command_of(Path(sys.executable), copied=True),
            "display_name": "Python 3",
            "language": "python",
        }
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    def _ask(self, path: str, method: str = "GET") -> HTTPResponse:
        address = f"http://127.0.0.1:{self.port}/api/{path}?token={self.token}"
        answer: HTTPResponse = urllib.request.urlopen(
            urllib.request.Request(address, method=method), timeout=SECONDS
        )
        return answer

    def _wait_until_up(self) -> None:
        end = time.monotonic() + LOADING
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                self._ask("status").close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
            else:
                return
        raise RuntimeError(f"JupyterLab did not start: {self.log()}")


class Notebook:
    """An open notebook in a page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def begin(self, index: int) -> None:
        """Run a cell, and go on at once."""
        self.page.evaluate(f"index => {{ ({RUN})(index); }}", index)

    def run(self, index: int) -> None:
        """Run a cell to its end."""
        self.page.evaluate(RUN, index)
        self.wait_idle()

    def wait_idle(self) -> None:
        """Wait until the kernel is there and has nothing to do."""
        self.page.wait_for_function(IDLE, polling=POLLING)

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """The outputs of a cell, as they would be saved."""
        found: list[dict[str, Any]] = self.page.evaluate(
            "index => window.notebook.content.widgets[index].model.outputs.toJSON()",
            index,
        )
        return found

    def output_html(self, index: int) -> str:
        """What the page shows as the output of a cell."""
        return str(
            self.page.evaluate(
                "index => window.notebook.content.widgets[index].outputArea.node.innerHTML",
                index,
            )
        )

    def screenshot(self, path: Path) -> None:
        """Keep a picture of the page."""
        self.page.screenshot(path=path)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of this machine."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, "There is no Chromium: make system"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


class SharedPage:
    """A page with JupyterLab in it, for one notebook after the other.

    To load JupyterLab takes ten times as long as to open a notebook in it, and half as
    long where another page of the context has its scripts.
    """

    def __init__(
        self, context: BrowserContext, lab: Lab, seconds: float = SECONDS
    ) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(1000 * seconds)
        # Pages that share a workspace would each restore what another shows.
        workspace = f"lab/workspaces/{secrets.token_hex(4)}"
        address = f"http://127.0.0.1:{lab.port}/{workspace}"
        self.page.goto(f"{address}?token={lab.token}&reset", timeout=1000 * LOADING)
        self.page.wait_for_function(
            "() => window.jupyterapp !== undefined",
            polling=POLLING,
            timeout=1000 * LOADING,
        )
        if lab.is_lean:
            self.page.evaluate(LIST_HOURLY)

    def open(self, path: str) -> Notebook:
        """Open a notebook, and wait until its kernel is ready."""
        # A page behind another is not drawn.
        self.page.bring_to_front()
        self.page.evaluate(READY, path)
        notebook = Notebook(self.page)
        notebook.wait_idle()
        return notebook

    def clear(self) -> None:
        """Close what is open without saving it, reset the window, and check that
        nothing is left.
        """
        self.page.evaluate(CLEAR)
        self.reset()
        self.page.wait_for_function(IS_CLEAR, polling=POLLING)

    def reset(self) -> None:
        """Give the window its size, its theme and its sidebars, and no routes."""
        self.page.unroute_all()
        self.page.evaluate(RESET)
        self.page.set_viewport_size(WINDOW)

    def text(self) -> str:
        """What it shows, and whether it is drawn at all."""
        state, text = self.page.evaluate(
            "() => [document.visibilityState, document.body.innerText]"
        )
        return f"({state})\n{text}"

    def close(self) -> None:
        """Close the page."""
        self.page.close()


@contextmanager
def open_notebook(
    browser: Browser, lab: Lab, path: str, seconds: float = SECONDS
) -> Iterator[Notebook]:
    """Open a notebook in a page of its own; ``seconds`` bounds each wait."""
    context = browser.new_context(viewport=WINDOW)
    yield SharedPage(context, lab, seconds).open(path)
    context.close()
    lab.end_kernels()


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End a server, which has a while to end its kernels."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def free_port() -> int:
    """A port at which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
