"""How busy the page's main thread is while an answer comes, in a live JupyterLab."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, CDPSession

from tests.support.lab import Lab, Notebook, chromium, open_notebook

# seconds in which page and kernel come to rest
REST = 3.0
NOW = "() => performance.now() / 1000"


@dataclass(frozen=True)
class Busy:
    """Seconds that the main thread was in tasks, that it really had a processor for
    them, and that the work lasted.
    """

    busy: float
    worked: float
    lasted: float

    def __str__(self) -> str:
        return f"{self.busy:.2f} s ({self.worked:.2f}) of {self.lasted:.1f}"


def page_busy(url: str, cells: Sequence[tuple[str, str]]) -> list[Busy]:
    """Run each pair of cells in a notebook of its own, and measure the second one."""
    with (
        tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as home,
        chromium() as browser,
    ):
        measured = []
        with Lab(Path(home), CODEBUDDY_BASE_URL=url) as lab:
            for number, (load, ask) in enumerate(cells):
                path = lab.write(f"bench{number}.ipynb", [load, ask])
                with open_notebook(browser, lab, path, seconds=180) as notebook:
                    notebook.run(0)
                    measured.append(busy_during(notebook, partial(notebook.run, 1)))
        return measured


def busy_during(notebook: Notebook, work: Callable[[], None]) -> Busy:
    """Let the page rest, and measure its main thread while something is done."""
    time.sleep(REST)
    devtools = notebook.page.context.new_cdp_session(notebook.page)
    devtools.send("Performance.enable")
    before, began = _metrics(devtools), time.monotonic()
    work()
    after, lasted = _metrics(devtools), time.monotonic() - began
    devtools.detach()
    busy, worked = (
        after[name] - before[name] for name in ("TaskDuration", "ThreadTime")
    )
    return Busy(busy, worked, lasted)


def _metrics(devtools: CDPSession) -> dict[str, float]:
    return {
        metric["name"]: metric["value"]
        for metric in devtools.send("Performance.getMetrics")["metrics"]
    }


@contextmanager
def live_lab(url: str) -> Iterator[tuple[Browser, Lab]]:
    """A browser, and a JupyterLab whose kernels ask the server at this base URL."""
    with (
        tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as home,
        chromium() as browser,
        Lab(Path(home), CODEBUDDY_BASE_URL=url) as lab,
    ):
        yield browser, lab


@contextmanager
def notebooks(url: str) -> Iterator[Callable[..., AbstractContextManager[Notebook]]]:
    """Opens notebooks of some name and cells, each in a fresh page with a fresh kernel."""
    with live_lab(url) as (browser, lab):
        yield lambda name, *code: open_notebook(
            browser, lab, lab.write(f"{name}.ipynb", code), seconds=180
        )


def seconds_ahead(notebook: Notebook) -> float:
    """Seconds by which ``time.monotonic()`` is ahead of the clock of the page."""
    asked = []
    for _ in range(20):
        before, there, after = (
            time.monotonic(),
            float(notebook.page.evaluate(NOW)),
            time.monotonic(),
        )
        asked.append((after - before, (before + after) / 2 - there))
    return min(asked)[1]
