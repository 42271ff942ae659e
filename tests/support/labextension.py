"""The JupyterLab extension of this checkout where a JupyterLab finds it: an editable
install does not bring it along.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

NAME = "codebuddy-jupyter"
SOURCES = Path(__file__).parents[2] / "codebuddy_jupyter" / "labextension"


def link(share: Path) -> Path:
    """Put the extension into a folder ``share/jupyter``: as a link, so that a page
    loads what is in the checkout, or as a copy where links are not allowed.
    """
    place = share / "labextensions" / NAME
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)
    try:
        place.symlink_to(SOURCES, target_is_directory=True)
    except OSError:
        shutil.copytree(SOURCES, place)
    return place


if __name__ == "__main__":
    link(Path(sys.prefix, "share", "jupyter"))
