"""The kinds of local servers, and how they are recognised.

To add a kind, see `Kind` in ``base.py``, and list it in `KINDS`.
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

# Many servers imitate parts of Ollama or llama.cpp, so those that answer what no other
# does come first.
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


async def recognise(probe: Probe, kinds: Sequence[Kind] = KINDS) -> FoundServer:
    """Return the server at the base URL of a probe, of the first kind that recognises
    it.
    """
    versions = await asyncio.gather(*(kind.recognise(probe) for kind in kinds))
    for kind, version in zip(kinds, versions, strict=True):
        if version is not None:
            return FoundServer(kind, probe.url, version)
    return FoundServer(UNKNOWN, probe.url)
