"""The panel of a real kernel in a plain page, as VS Code shows it: by the widget managers
of its Jupyter extension and a renderer like the one of its notebooks.

It is not VS Code: no editor is around it, and the test runs the cells.
"""

from __future__ import annotations

import json
import queue
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route

from tests.support.comms import PANEL
from tests.support.kernels import ROOT, SECONDS, Kernel, python_named

PACKS = ROOT / ".venv-node"
PAGE_SCRIPT = Path(__file__).with_name("vscode_page.js")
# of the environments, and of the npm packages
WIDGETS = {"newest": 8, "colab": 7}
# nobody is asked for it, the test answers
ADDRESS = "https://notebook.invalid/"
# As the Jupyter extension styles the outputs of widgets; newer versions leave out the
# white ground.
HTML = """<!doctype html>
<link rel="icon" href="data:,">
<style id="_defaultStyles"></style>
<style>
  :root {
    --vscode-editor-background: #1e1e1e;
    --vscode-editor-foreground: #d4d4d4;
    --vscode-descriptionForeground: #9d9d9d;
    --vscode-editorWidget-background: #252526;
    --vscode-panel-border: #454545;
    --vscode-button-background: #0e639c;
    --vscode-button-foreground: #ffffff;
  }
  .cell-output-ipywidget-background { background: white !important; }
</style>
<body class="vscode-dark" data-vscode-theme-kind="vscode-dark">
<script src="/markdown-it.js"></script>
<script src="/require.js"></script>
<script src="/page.js"></script>
<script type="module">
  import { activate } from "/widgets.js";
  activate();
</script>
"""


class VsCodePage(Kernel):
    """A kernel whose widgets a page shows; messages go both ways in `until` only.

    Parameters
    ----------
    python
        The name of an environment, which decides the version of ipywidgets.
    home, environment
        As for `Kernel`.
    """

    def __init__(self, python: str, home: Path, **environment: str) -> None:
        # That of this checkout, wherever the environment is.
        super().__init__(
            python_named(python),
            home,
            copied=python == "newest",
            PYTHONPATH=str(ROOT),
            **environment,
        )
        self.fetched: list[str] = []
        self._widgets = WIDGETS[python]
        self._typed: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._coming: list[Mapping[str, Any]] = []

    def show_in(self, page: Page) -> None:
        """Load the manager into a page, and open the panel there."""
        self.page = page
        self.good("%load_ext codebuddy_jupyter")
        self._files = self._files_of_page()
        page.route("**/*", self._answer)
        page.expose_function("toKernel", lambda text: self._typed.put(json.loads(text)))
        page.goto(ADDRESS)
        page.evaluate("() => window.start()")
        self._coming.clear()
        self.run_cell("panel", PANEL)
        self.until(lambda: page.locator(".cb-input").count() == 1)

    def until(self, found: Callable[[], bool]) -> None:
        """Carry messages both ways until it is so."""
        end = time.monotonic() + SECONDS
        while not found():
            failed = self.page.evaluate("() => window.failed")
            assert time.monotonic() < end, (failed, self.page.content()[-4000:])
            self._carry()

    def ask(self, question: str) -> None:
        """Type a question and send it."""
        self.page.locator(".cb-input").fill(question)
        self.page.locator(".cb-input").press("Enter")

    def answered(self, question: str) -> None:
        """Ask, and wait for the end of the answer."""
        lines = self.page.locator(".cb-foot .cb-line")
        count = lines.count()
        self.ask(question)
        self.until(lambda: lines.count() > count)

    def _carry(self) -> None:
        while not self._typed.empty():
            self._send(self._typed.get())
        try:
            # All that has come, since each call of the page takes its time.
            self._take(self.client.get_iopub_msg(timeout=0.05))
            while True:
                self._take(self.client.get_iopub_msg(timeout=0))
        except queue.Empty:
            self.page.wait_for_timeout(10)
        coming, self._coming = self._coming, []
        if coming:
            self.page.evaluate("all => all.forEach(window.fromKernel)", coming)

    def _send(self, typed: Mapping[str, Any]) -> None:
        message = self.client.session.msg(typed["type"], typed["content"])
        message["header"]["msg_id"] = message["msg_id"] = typed["id"]
        self.client.shell_channel.send(message)

    def _take(self, raw: Mapping[str, Any]) -> None:
        super()._take(raw)
        assert not raw["buffers"], raw["msg_type"]
        self._coming.append(
            {
                "header": {"msg_type": raw["msg_type"], "msg_id": raw["msg_id"]},
                "parent_header": {"msg_id": raw["parent_header"].get("msg_id", "")},
                "metadata": raw["metadata"],
                "content": raw["content"],
                "buffers": [],
            }
        )

    def _files_of_page(self) -> dict[str, bytes]:
        anywidget = Path(
            self.good("import anywidget; print(anywidget.__file__)").printed
        )
        return {
            "/": HTML.encode(),
            "/markdown-it.js": packed(
                "markdown-it", "dist/browser/markdown-it.umd.min.js"
            ),
            "/require.js": packed("requirejs", "require.js"),
            "/page.js": PAGE_SCRIPT.read_bytes(),
            "/widgets.js": packed(
                f"vscode-jupyter-ipywidgets{self._widgets}", "dist/ipywidgets.js"
            ),
            "/nbextensions/anywidget/index.js": (
                anywidget.parent / "nbextension" / "index.js"
            ).read_bytes(),
        }

    def _answer(self, route: Route) -> None:
        url = route.request.url
        body = self._files.get(urlsplit(url).path)
        if not url.startswith(ADDRESS) or body is None:
            self.fetched.append(url)
            route.abort()
            return
        is_script = url.endswith(".js")
        kind = "text/javascript" if is_script else "text/html"
        route.fulfill(body=body, content_type=f"{kind}; charset=utf-8")


def packed(package: str, file: str) -> bytes:
    """A file of an npm package, as it was downloaded."""
    packs = sorted(PACKS.glob(f"{package}-[0-9]*.tgz"))
    assert packs, f"The npm package {package} is missing: make .venv-node/.done"
    with tarfile.open(packs[-1]) as pack:
        found = pack.extractfile(f"package/{file}")
        assert found is not None, file
        return found.read()
