"""The small real model for tests of the real engine; the set-up of the tests downloads
it by the product's own command, to the user's cache.
"""

from __future__ import annotations

from codebuddy_jupyter.providers.embedded.catalogue import (
    CatalogueModel,
    try_catalogued,
)
from codebuddy_jupyter.providers.embedded.pulling import try_find

NAME = "smollm2-135m"
# Looked up when this is imported: later, each test has an empty home of its own.
FILE = try_find(try_catalogued(NAME) or CatalogueModel("", 0, "", "", (), ""))
MISSING = f"The real model for tests is missing: .venv/bin/codebuddy pull {NAME}"
