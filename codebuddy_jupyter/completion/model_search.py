"""Which model on this machine completes code: found out by asking those that are here.

Nothing of the notebook is sent for that, and no other machine is asked.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, cast

from ..buddy import Buddy
from ..errors import BuddyError, NoInfill, Remedy
from ..messages import Infill, Model
from ..providers.base import Provider

# The providers of this machine, beside the one in use.
PROVIDERS = ("Local", "Embedded")
# Models that were trained to write in the middle of a text, by their names.
CODERS = re.compile(
    r"coder|codegemma|codestral|codellama|granite.*code|stable-?code|refact",
    re.IGNORECASE,
)
# Models that are tried for each provider.
MOST_TRIED = 4
# Seconds for a list of models, and for a model to load and to write a few tokens.
LIST_SECONDS = 5.0
TRIAL_SECONDS = 40.0
BEFORE = "def add(a, b):\n    return "
AFTER = "\n"
TRIAL_TOKENS = 4
DOWNLOAD = (
    Remedy("Download one", "%buddy /pull qwen2.5-coder-1.5b"),
    Remedy("With Ollama", "ollama pull qwen2.5-coder:1.5b"),
)


@dataclass(frozen=True)
class Found:
    """A model that completes code.

    Parameters
    ----------
    setting
        What ``Buddy.completion_model`` is set to for it.
    provider, model
        The names of the provider and of the model.
    """

    setting: str
    provider: str
    model: str


async def find_model(buddy: Buddy) -> Found:
    """Return a model that completes code: the one in use if it can, else another one of
    this machine.

    Raises
    ------
    NoInfill
        If there is none; it says what was tried.
    """
    reasons: list[str] = []
    for name in dict.fromkeys((buddy.provider, *PROVIDERS)):
        with suppress(_NotHere):
            provider = _of_this_machine(buddy, name)
            for model in await _candidates(buddy, name, provider, reasons):
                reason = await _why_not(provider, model)
                if not reason:
                    return Found(_setting(buddy, name, model), name, model)
                reasons.append(reason)
    tried = f" ({'; '.join(reasons)})" if reasons else ""
    raise NoInfill(f"No model on this machine completes code{tried}.", *DOWNLOAD)


class _NotHere(Exception):
    """A provider is not installed, or asks another machine."""


def _of_this_machine(buddy: Buddy, name: str) -> Provider:
    try:
        provider = buddy.ready(name)
        stays_here = provider.stays_here()
    except BuddyError as error:
        raise _NotHere from error
    if not stays_here:
        raise _NotHere
    return provider


async def _candidates(
    buddy: Buddy, name: str, provider: Provider, reasons: list[str]
) -> list[str]:
    """Return the names of the models to try: the one in use, then those that are loaded
    and the small ones before others.
    """
    is_in_use = name == buddy.provider
    # Imports take seconds that are not the server's.
    await asyncio.to_thread(provider.warm)
    try:
        async with asyncio.timeout(LIST_SECONDS):
            models = await provider.models()
            in_use = [await provider.choose("")] if is_in_use else []
    except (BuddyError, TimeoutError) as error:
        # Why another provider does not answer is of no interest.
        if is_in_use:
            reasons.append(f"{name} {_failure(error)}")
        return []
    # An engine runs one model at a time, which questions need.
    if in_use and provider.address() is None:
        return in_use
    coders = [model for model in models if CODERS.search(model.name)]
    coders.sort(key=_rank)
    names = [*in_use, *(model.name for model in coders)]
    return list(dict.fromkeys(names))[:MOST_TRIED]


def _rank(model: Model) -> tuple[bool, int]:
    return (not model.loaded, model.size or model.parameters or 0)


async def _why_not(provider: Provider, model: str) -> str:
    """Return why a model does not complete code; empty if it does."""
    request = Infill(BEFORE, AFTER, model, TRIAL_TOKENS)
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            reply = cast(Any, provider.infill(request))
            async with aclosing(reply) as chunks:
                async for _ in chunks:
                    pass
    except NoInfill:
        return f"{model} cannot write in the middle of a text"
    except (BuddyError, TimeoutError) as error:
        return f"{model} {_failure(error)}"
    return ""


def _failure(error: BaseException) -> str:
    if isinstance(error, BuddyError):
        return f"failed: {error.what.rstrip('.')}"
    return "did not answer in time"


def _setting(buddy: Buddy, name: str, model: str) -> str:
    """Return how the setting names a model.

    A bare name is never asked on another machine, also if the address of the provider
    is changed to one later.
    """
    has_address = buddy.provider_named(name).address() is not None
    is_bare = name == buddy.provider and has_address
    return model if is_bare else f"{name}/{model}"
