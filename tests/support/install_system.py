"""Installs what the tests need beyond Python packages, where it may (Debian, as root),
and names it where not.
"""

import ctypes.util
import os
import shutil
import subprocess
import sys

# The first has no windows, nor what only they need, and takes a tenth less of the time.
BROWSERS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chrome",
    "msedge",
)
APT = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}


def missing(wanted: list[str]) -> dict[str, str]:
    """Debian package to what it is for; of the wanted ones, where any are named."""
    needed = {}
    if not any(map(shutil.which, BROWSERS)):
        needed["chromium-headless-shell"] = (
            "a Chromium browser (on Ubuntu: chromium-browser), for the tests in a real "
            "JupyterLab"
        )
    if sys.platform == "linux" and ctypes.util.find_library("gomp") is None:
        needed["libgomp1"] = "libgomp, for the embedded engine"
    return {
        package: use
        for package, use in needed.items()
        if not wanted or package in wanted
    }


def main(wanted: list[str]) -> None:
    """Install or name what is missing; the tests that need it fail with the same words."""
    needed = missing(wanted)
    may = shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0
    if needed and may:
        subprocess.run(["apt-get", "update", "-qq"], env=APT, check=False)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *needed],
            env=APT,
            check=False,
        )
    for package, use in missing(wanted).items():
        print(f"Missing: {use}. On Debian or Ubuntu: sudo apt-get install {package}")


if __name__ == "__main__":
    main(sys.argv[1:])
