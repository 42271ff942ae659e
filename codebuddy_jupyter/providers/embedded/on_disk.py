"""The GGUF files on this machine: those that were downloaded, and those of the Hugging
Face cache, LM Studio and Ollama.

Nothing is downloaded, and no file is changed.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ...messages import Model
from .catalogue import CATALOGUE
from .gguf import GGUFError, Header, header_of
from .hub import cache_folder
from .pulling import try_find
from .store import SUFFIX, models_folder

LM_STUDIO = "lmstudio:"
OLLAMA = "ollama:"
# Files that are looked at in each place.
MAX_FILES = 500
# Bytes of a manifest of Ollama.
MAX_MANIFEST = 1 << 20
OLLAMA_MODEL = "application/vnd.ollama.image.model"
# How Ollama's own registry and its folder are named; they are left out of names.
OLLAMA_DEFAULTS = ("registry.ollama.ai", "library")
# The files of a model beside its weights, and all but the first file of a split one.
NO_MODEL = re.compile(r"mmproj|-(?!0*1-of)\d+-of-\d+\.gguf$", re.IGNORECASE)


@dataclass(frozen=True)
class ModelOnDisk:
    """A GGUF file on this machine.

    Parameters
    ----------
    name
        What is typed after ``/use embedded/``.
    path
        The file.
    """

    name: str
    path: Path

    def described(self) -> Model:
        """Return what its header says; nothing for a header that is damaged."""
        size: int | None = None
        header = Header(0)
        with suppress(OSError, GGUFError):
            size = self.path.stat().st_size
            header = header_of(self.path)
        return Model(
            self.name,
            size=size,
            max_window=header.window or None,
            parameters=header.parameters or None,
        )


def models_on_disk() -> list[ModelOnDisk]:
    """Return the models on this machine, those of the catalogue first."""
    found: dict[Path, ModelOnDisk] = {}
    for model in _all():
        # A file of the hub may be one of the catalogue.
        found.setdefault(model.path.resolve(), model)
    return list(found.values())


def downloaded() -> Iterator[ModelOnDisk]:
    """Yield the models that were downloaded by ``/pull``: those of the catalogue, in its
    order, then the others.
    """
    names = set()
    for model in CATALOGUE:
        path = try_find(model)
        if path is not None:
            names.add(model.name)
            yield ModelOnDisk(model.name, path)
    for path in _gguf_files(models_folder()):
        if path.stem not in names:
            yield ModelOnDisk(path.stem, path)


def try_named(name: str) -> Path | None:
    """Return the file of a model by the name that `models_on_disk` gives it, or None."""
    for model in _all():
        if model.name == name:
            return model.path
    return None


def _all() -> Iterator[ModelOnDisk]:
    yield from downloaded()
    yield from _of_hugging_face()
    yield from _of_lm_studio()
    yield from _of_ollama()


def _of_hugging_face() -> Iterator[ModelOnDisk]:
    for path in _gguf_files(cache_folder()):
        match = re.search(
            r"models--(.+?)--(.+?)/snapshots/[^/]+/(.+)$", path.as_posix()
        )
        if match:
            yield ModelOnDisk(f"hf:{match[1]}/{match[2]}/{match[3]}", path)


def _of_lm_studio() -> Iterator[ModelOnDisk]:
    for place in ("~/.lmstudio/models", "~/.cache/lm-studio/models"):
        folder = Path(place).expanduser()
        for path in _gguf_files(folder):
            name = path.relative_to(folder).as_posix()
            yield ModelOnDisk(f"{LM_STUDIO}{name}", path)


def _of_ollama() -> Iterator[ModelOnDisk]:
    for folder in _ollama_folders():
        manifests = folder / "manifests"
        for path in islice(_files(manifests), MAX_FILES):
            parts = path.relative_to(manifests).parts
            blob = _try_blob(folder, path)
            if blob is not None and len(parts) >= 2:
                kept = [part for part in parts[:-1] if part not in OLLAMA_DEFAULTS]
                name = "/".join(kept)
                yield ModelOnDisk(f"{OLLAMA}{name}:{parts[-1]}", blob)


def _ollama_folders() -> list[Path]:
    named = os.environ.get("OLLAMA_MODELS")
    if named:
        return [Path(named).expanduser()]
    folders = [Path("~/.ollama/models").expanduser()]
    if sys.platform == "linux":
        # Where its service keeps them.
        folders.append(Path("/usr/share/ollama/.ollama/models"))
    return folders


def _try_blob(folder: Path, manifest: Path) -> Path | None:
    """Return the file of the weights that a manifest names, or None."""
    try:
        if manifest.stat().st_size > MAX_MANIFEST:
            return None
        layers = json.loads(manifest.read_bytes())["layers"]
        digests = [_digest(layer) for layer in layers]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    for digest in digests:
        path = folder / "blobs" / f"sha256-{digest}"
        if digest and path.is_file():
            return path
    return None


def _digest(layer: Any) -> str:
    """Return the digest of a layer that is a model; empty for any other."""
    if layer["mediaType"] != OLLAMA_MODEL:
        return ""
    match = re.fullmatch(r"sha256:([0-9a-f]{64})", layer["digest"])
    return match[1] if match else ""


def _gguf_files(folder: Path) -> Iterator[Path]:
    """Yield the models below a folder."""
    for path in islice(_files(folder), MAX_FILES):
        if path.suffix == SUFFIX and not NO_MODEL.search(path.name):
            yield path


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, in order; folders of downloads are left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            yield Path(parent, name)
