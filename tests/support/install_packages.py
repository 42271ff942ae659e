"""Installs packages: ``python install_packages.py PYTHON ARGUMENT…``, the arguments as
for ``pip install``.

``PYTHON`` is that of the environment, which needs no pip of its own: to install one takes
longer than all its other packages.

uv takes a tenth of pip's time. It does not read what is configured for pip, so where
that names another index, pip installs; and also where uv fails.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

PIP = [sys.executable, "-m", "pip"]
UV = [sys.executable, "-m", "uv", "pip"]
# Nothing is compiled: most of what is installed is never imported.
INSTALL = ["install", "--quiet", "--no-compile"]


def ways(configured: str, python: str) -> list[list[str]]:
    """Return the commands to try, best first, given what ``pip config list`` prints."""
    elsewhere = re.search(r"\.(index-url|no-index|proxy)=", configured)
    pip = [*PIP, "--python", python, *INSTALL]
    return [pip] if elsewhere else [[*UV, *INSTALL, "--python", python], pip]


def main(python: str, *arguments: str) -> int:
    """Install; return the exit code of the last command."""
    listing = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True)
    commands = ways(listing.stdout, python)
    if len(commands) > 1 and importlib.util.find_spec("uv") is None:
        subprocess.run([*PIP, *INSTALL, "uv"])
    code = 1
    for command in commands:
        code = subprocess.run([*command, *arguments]).returncode
        if not code:
            break
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
