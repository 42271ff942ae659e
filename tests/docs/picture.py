"""The picture of the README: a live JupyterLab in a real browser, with an answer of the embedded engine."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.lab import Lab, Notebook, chromium, open_notebook

PICTURE = Path(__file__).parents[2] / "docs" / "answer.png"
CELLS = (
    "%load_ext codebuddy_jupyter",
    "scores = [3, 1, 4, 1, 5]",
    "%%buddy -t 0\nMy scores are {scores}. How do I get the mean of a column like that with pandas?",
)
PLAIN = ".jp-cell-toolbar { display: none }"
MARGIN = 8  # pixels around the cells


def write() -> Path:
    """Take the picture; gives its file."""
    with (
        tempfile.TemporaryDirectory() as home,
        Lab(Path(home), CODEBUDDY_PROVIDER="Embedded") as lab,
        chromium() as browser,
        open_notebook(browser, lab, lab.write("answer.ipynb", CELLS)) as notebook,
    ):
        take(notebook, PICTURE)
    return PICTURE


def take(notebook: Notebook, path: Path) -> None:
    """Run the cells of a notebook, and keep a picture of them with what they show."""
    page = notebook.page
    page.set_viewport_size({"width": 900, "height": 900})
    page.evaluate("window.jupyterapp.shell.collapseLeft()")
    page.add_style_tag(content=PLAIN)
    for index in range(len(CELLS)):
        notebook.run(index)
    cells = [cell.bounding_box() for cell in page.locator(".jp-CodeCell").all()]
    boxes = [box for box in cells if box is not None]
    left, top = boxes[0]["x"] - MARGIN, boxes[0]["y"] - MARGIN
    width, height = boxes[0]["width"] + 2 * MARGIN, boxes[-1]["y"] + boxes[-1]["height"] + MARGIN - top
    page.screenshot(path=path, clip={"x": left, "y": top, "width": width, "height": height})
