"""A coding buddy for notebooks: ``%load_ext codebuddy_jupyter``, then ``%%buddy``.

In Python: ``import codebuddy_jupyter as buddy``; ``buddy.ask("…")`` and
``await buddy.aask("…")`` return a Reply; ``buddy.panel()`` returns the panel with chat
and settings.

A provider for another server is a subclass of ``Provider``: its ``stream`` takes a
``Request`` and yields ``Chunk``s, or raises a ``ProviderError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import aask, ask, describe, map, panel, save
    from .chat.reply import Reply
    from .errors import (
        BuddyError,
        CutOff,
        InvalidAnswer,
        KeyRefused,
        MapStopped,
        ModelNotFound,
        NoReply,
        PromptTooLong,
        ProviderError,
        Remedy,
        ServerError,
        SettingError,
        Unreachable,
    )
    from .messages import Chunk, Image, Message, Model, Request, ToolCall, Usage
    from .providers.base import Provider

__version__ = "0.1.0"
__all__ = [
    "BuddyError",
    "Chunk",
    "CutOff",
    "Image",
    "InvalidAnswer",
    "KeyRefused",
    "MapStopped",
    "Message",
    "Model",
    "ModelNotFound",
    "NoReply",
    "PromptTooLong",
    "Provider",
    "ProviderError",
    "Remedy",
    "Reply",
    "Request",
    "ServerError",
    "SettingError",
    "ToolCall",
    "Unreachable",
    "Usage",
    "aask",
    "ask",
    "describe",
    "load_ipython_extension",
    "map",
    "panel",
    "save",
    "unload_ipython_extension",
]

_HOMES = {
    "BuddyError": "errors",
    "Chunk": "messages",
    "CutOff": "errors",
    "Image": "messages",
    "InvalidAnswer": "errors",
    "KeyRefused": "errors",
    "MapStopped": "errors",
    "Message": "messages",
    "Model": "messages",
    "ModelNotFound": "errors",
    "NoReply": "errors",
    "PromptTooLong": "errors",
    "Provider": "providers.base",
    "ProviderError": "errors",
    "Remedy": "errors",
    "Reply": "chat.reply",
    "Request": "messages",
    "ServerError": "errors",
    "SettingError": "errors",
    "ToolCall": "messages",
    "Unreachable": "errors",
    "Usage": "messages",
    "aask": "api",
    "ask": "api",
    "describe": "api",
    "map": "api",
    "panel": "api",
    "save": "api",
}
"""The module of each name that is imported when it is first used."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``%load_ext`` is instant."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    """Return all public names, imported or not, for completion."""
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to a shell: ``%load_ext codebuddy_jupyter``."""
    from .ipython.extension import Extension

    shell.codebuddy = Extension(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Remove the magics and stop all requests: ``%unload_ext codebuddy_jupyter``."""
    shell.codebuddy.unload()
    del shell.codebuddy
