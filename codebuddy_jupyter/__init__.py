"""A coding buddy for notebooks: ``%load_ext codebuddy_jupyter``, then ``%%buddy``.

In Python: ``import codebuddy_jupyter as buddy``; ``buddy.ask("…")`` gives a Reply,
``await buddy.aask("…")`` too; ``buddy.panel()`` is the panel with chat and settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import aask, ask, describe, panel, save
    from .chat.reply import Reply
    from .errors import BuddyError

__version__ = "0.1.0"
__all__ = [
    "BuddyError",
    "Reply",
    "aask",
    "ask",
    "describe",
    "load_ipython_extension",
    "panel",
    "save",
    "unload_ipython_extension",
]

_HOMES = {
    "BuddyError": "errors",
    "Reply": "chat.reply",
    "aask": "api",
    "ask": "api",
    "describe": "api",
    "panel": "api",
    "save": "api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, since ``%load_ext`` must be instant."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    """Return all names for completion, whether they are imported yet or not."""
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to a shell: ``%load_ext codebuddy_jupyter``."""
    from .ipython.extension import Extension

    shell.codebuddy = Extension(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Remove what loading added, and stop requests: ``%unload_ext codebuddy_jupyter``."""
    shell.codebuddy.unload()
    del shell.codebuddy
