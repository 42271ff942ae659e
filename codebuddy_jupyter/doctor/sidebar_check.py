"""Whether JupyterLab shows the panel in its sidebar: its extension is where JupyterLab of
this environment looks.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import Remedy
from ..providers.checks import Check

EXTENSION = "codebuddy-jupyter"
NAME = "JupyterLab extension"
INSTALL = Remedy(
    "If JupyterLab has no codebuddy in its sidebar, run where it is installed",
    "pip install codebuddy-jupyter",
)


def check_sidebar(version: str) -> Check:
    """Check whether the extension is installed; without it all else works.

    Parameters
    ----------
    version
        The version of this package, which the extension should have as well.
    """
    found = _try_version()
    if found is None:
        finding = "not in this environment, so the panel opens in cells alone"
        return Check(NAME, None, finding, (INSTALL,))
    if found != version:
        finding = f"version {found} is installed, and this package is {version}"
        return Check(NAME, None, finding, (INSTALL,))
    return Check(NAME, True, "installed; reload pages that were open before")


def _try_version() -> str | None:
    """Return the version of the extension that JupyterLab loads; None if there is none."""
    # Not imported before it is needed: `%load_ext` is instant.
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("labextensions"):
        file = Path(folder, EXTENSION, "package.json")
        try:
            return str(json.loads(file.read_text(encoding="utf-8"))["version"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
