"""Installs packages for the Python that runs this, whose environment is the
checkout's: ``python install_packages.py ARGUMENT…``, the arguments as for ``pip install``.

uv takes a tenth of pip's time. It does not read what is configured for pip, so where
that names another index, pip installs; and also where uv fails.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

PIP = [sys.executable, "-m", "pip"]
# Nothing is compiled: most of what is installed is never imported.
INSTALL = [*PIP, "install", "--quiet", "--no-compile"]
UV = [sys.executable, "-m", "uv", "pip", "install", "--quiet"]


def ways(configured: str) -> list[list[str]]:
    """Return the commands to try, best first, given what ``pip config list`` prints."""
    elsewhere = re.search(r"\.(index-url|no-index|proxy)=", configured)
    return [INSTALL] if elsewhere else [[*UV, "--python", sys.executable], INSTALL]


def main(arguments: list[str]) -> int:
    """Install; return the exit code of the last command."""
    listing = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True)
    commands = ways(listing.stdout)
    if len(commands) > 1 and importlib.util.find_spec("uv") is None:
        subprocess.run([*INSTALL, "uv"])
    code = 1
    for command in commands:
        code = subprocess.run([*command, *arguments]).returncode
        if not code:
            break
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
