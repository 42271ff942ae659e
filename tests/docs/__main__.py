"""Write what is generated: message types, tables of settings and pictures."""

from __future__ import annotations

import argparse
import sys

from . import editor_picture, picture, protocol, settings

PARTS = {
    "protocol": protocol.write,
    "settings": settings.write,
    "pictures": picture.write,
    "editor_pictures": editor_picture.write,
}


def main() -> None:
    """Write the parts named on the command line, or all of them."""
    parser = argparse.ArgumentParser("python -m tests.docs", description=__doc__)
    parser.add_argument(
        "part", nargs="*", help=f"any of {', '.join(PARTS)}; default: all"
    )
    names = parser.parse_args().part or PARTS
    if unknown := set(names) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    for name in names:
        sys.stdout.write(f"{PARTS[name]()}\n")


if __name__ == "__main__":
    main()
