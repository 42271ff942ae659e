"""The kinds of local servers, and how one is told from another.

A new kind is one class, and one line in `KINDS`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..http.probe import Probe
from .base import FoundServer, Kind
from .docker import DockerModelRunner
from .jan import Jan
from .koboldcpp import KoboldCpp
from .llama_cpp import LlamaCpp
from .lm_studio import LMStudio
from .local_ai import LocalAI
from .ollama import Ollama
from .vllm import VLLM
from .webui import TextGenerationWebUI

__all__ = ["KINDS", "UNKNOWN", "FoundServer", "Kind", "Probe", "recognise"]

# Many answer some of Ollama's or llama.cpp's requests as well, so those who answer what
# nobody else does come first.
KINDS: tuple[Kind, ...] = (
    DockerModelRunner(),
    KoboldCpp(),
    TextGenerationWebUI(),
    LMStudio(),
    LocalAI(),
    VLLM(),
    Jan(),
    LlamaCpp(),
    Ollama(),
)

UNKNOWN = Kind()


async def recognise(
    probe: Probe, url: str, kinds: Sequence[Kind] = KINDS
) -> FoundServer:
    """The kind of server at a base URL, by what it answers; all are asked side by side."""
    versions = await asyncio.gather(*(kind.recognise(probe, url) for kind in kinds))
    for kind, version in zip(kinds, versions, strict=True):
        if version is not None:
            return FoundServer(kind, url, version)
    return FoundServer(UNKNOWN, url)
