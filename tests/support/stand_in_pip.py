"""Stands in for pip where what it downloads matters, not how: pip itself takes a second
to start. It understands ``download … --dest FOLDER NAME==VERSION``.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit


def main() -> None:
    """Download the wheel of a package from the index of the environment."""
    *_, folder, requirement = sys.argv
    name, _, version = requirement.partition("==")
    file = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    connection = HTTPConnection(urlsplit(os.environ["PIP_INDEX_URL"]).netloc)
    connection.request("GET", f"/files/{file}")
    response = connection.getresponse()
    if response.status != 200:
        sys.exit(f"ERROR: No matching distribution found for {requirement}")
    with open(os.path.join(folder, file), "wb") as wheel:
        while piece := response.read(10_000):
            wheel.write(piece)


if __name__ == "__main__":
    main()
