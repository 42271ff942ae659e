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
    """Import what is asked for when it is asked for: ``%load_ext`` shall be instant."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    """Tab offers what is here, imported or not."""
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """Put the magics into a shell: ``%load_ext codebuddy_jupyter``."""
    from .ipython.extension import Extension

    shell.codebuddy = Extension(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take out again what loading put in, and end what runs:

    ``%unload_ext codebuddy_jupyter``.
    """
    shell.codebuddy.unload()
    del shell.codebuddy
