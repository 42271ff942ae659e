"""The commands about models: list, download, load and unload."""

from __future__ import annotations

import time
from contextlib import suppress

from ..errors import BuddyError, Remedy, SettingError
from ..markdown.safe import escape
from ..messages import Model
from ..providers.base import Provider
from .command import Invocation, command
from .text_table import text_table

BYTES_PER_GB = 1e9


@command("models", "[PROVIDER]", "list the models that the provider offers")
def show_models(invocation: Invocation, provider_name: str) -> str:
    """List the models that a provider offers now."""
    buddy = invocation.buddy
    buddy.read_environment()
    name = buddy.registry.name(provider_name or buddy.provider)
    provider = buddy.ready(name)
    models = buddy.loop.run(provider.catalogue())
    if not models:
        remedies = "; or ".join(map(str, provider.without_models()))
        return f"{escape(name)} offers no models. {escape(remedies)}".rstrip()
    header = (f"{name} model", "context window", "maximum", "size", "supports", "")
    rows = map(_model_row, models)
    return text_table(header, rows, numbers=(1, 2, 3))


def _model_row(model: Model) -> list[str]:
    size = ""
    if model.size:
        size = f"{model.size / BYTES_PER_GB:,.1f} GB"
    return [
        model.name,
        _tokens(model.window),
        _tokens(model.max_window),
        size,
        ", ".join(model.abilities),
        "loaded" if model.loaded else "",
    ]


def _tokens(number: int | None) -> str:
    return f"{number:,}" if number else ""


@command("pull", "NAME", "download a model; an interrupted download resumes")
def pull(invocation: Invocation, name: str) -> str:
    """Have the server download a model."""
    provider, model = _provider_and_model(invocation, name, "pull")
    download = provider.pull(model, invocation.progress)
    invocation.buddy.loop.run(download)
    return escape(f"{model} is downloaded. To use it: %buddy /use {model}")


@command("load", "[NAME]", "load a model into the server's memory")
def load(invocation: Invocation, name: str) -> str:
    """Have the server load a model."""
    provider, model = _provider_and_model(invocation, name, "load")
    began = time.monotonic()
    invocation.buddy.loop.run(provider.load(model))
    seconds = time.monotonic() - began
    line = f"{model} is loaded; it took {seconds:.1f} s."
    # Not every server reports the window, and the model is loaded in any case.
    with suppress(BuddyError):
        window = invocation.buddy.loop.run(provider.window_now(model))
        if window:
            line += f" Its context window is {window:,} tokens."
    return escape(f"{line} {provider.window_note(model)}".rstrip())


@command("unload", "[NAME]", "free the memory that a model uses")
def unload(invocation: Invocation, name: str) -> str:
    """Have the server unload a model."""
    provider, model = _provider_and_model(invocation, name, "unload")
    invocation.buddy.loop.run(provider.unload(model))
    return f"{escape(model)} is unloaded."


def _provider_and_model(
    invocation: Invocation, name: str, command_name: str
) -> tuple[Provider, str]:
    """Return the provider in use, and the model of this name or the one in use."""
    provider = invocation.buddy.current()
    model = name or provider.model
    if not model:
        raise SettingError(
            f"/{command_name} needs the name of a model.",
            Remedy("Name it", f"%buddy /{command_name} NAME"),
            Remedy("List the models", "%buddy /models"),
        )
    return provider, model
