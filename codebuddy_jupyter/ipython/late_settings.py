"""The settings that ``%config`` knows, added when it is first used.

``%config`` reads the list ``shell.configurables``. The Buddy and its providers belong
there, but importing them takes too long for ``%load_ext``. So loading adds a
placeholder: ``%config`` calls ``class_traits`` of each entry while it goes through the
list, the placeholder then appends the real entries, and the loop reaches those, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def placeholder(add_settings: Callable[[], None]) -> Any:
    """Return an entry for ``shell.configurables`` that has no settings of its own.

    Parameters
    ----------
    add_settings
        Appends the real entries to the list; called each time ``%config`` is used.
    """

    # ``class_traits`` is a class method, so each shell needs a class of its own.
    class LateSettings:
        @classmethod
        def class_traits(cls, **metadata: Any) -> Mapping[str, Any]:
            add_settings()
            return {}

    return LateSettings()
