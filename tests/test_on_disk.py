"""Which models are on this machine, in the folders of several programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from codebuddy_jupyter.providers.embedded.on_disk import (
    ModelOnDisk,
    downloaded,
    models_on_disk,
    try_named,
)
from codebuddy_jupyter.providers.embedded.store import file_of
from tests.support.recital import RecitedAnswer, write_recital

DIGEST = "a" * 64


def write(path: Path, content: bytes = b"GGUF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_manifest(home: Path, path: str, content: object) -> None:
    write(home / ".ollama/models/manifests" / path, json.dumps(content).encode())


def layers(digest: str) -> dict[str, object]:
    kinds = ("license", "model", "template")
    return {
        "layers": [
            {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest}
            for kind in kinds
        ]
    }


def names() -> list[str]:
    return [model.name for model in models_on_disk()]


def test_there_may_be_none() -> None:
    assert names() == []


def test_those_of_the_catalogue_come_first_in_its_order(home: Path) -> None:
    for name in ("another", "smollm2-135m", "qwen2.5-coder-1.5b"):
        write(file_of(name))
    write(file_of("half").parent / ".half.download" / "part.gguf")
    assert [model.name for model in downloaded()] == [
        "qwen2.5-coder-1.5b",
        "smollm2-135m",
        "another",
    ]


def test_the_cache_of_the_hub_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = "models--owner--a-repo--x/snapshots/123/sub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    path = write(tmp_path / snapshot / "small.gguf")
    write(tmp_path / snapshot / "mmproj-small.gguf")
    write(tmp_path / snapshot / "large-00001-of-00002.gguf")
    write(tmp_path / snapshot / "large-00002-of-00002.gguf")
    assert names() == [
        "hf:owner/a-repo--x/sub/large-00001-of-00002.gguf",
        "hf:owner/a-repo--x/sub/small.gguf",
    ]
    assert try_named("hf:owner/a-repo--x/sub/small.gguf") == path


def test_the_models_of_lm_studio_are_listed(home: Path) -> None:
    path = write(home / ".lmstudio/models/owner/repo/small.gguf")
    assert models_on_disk() == [ModelOnDisk("lmstudio:owner/repo/small.gguf", path)]


def test_the_models_of_ollama_are_found_by_their_manifests(home: Path) -> None:
    blob = write(home / f".ollama/models/blobs/sha256-{DIGEST}")
    write_manifest(
        home, "registry.ollama.ai/library/qwen3/8b", layers(f"sha256:{DIGEST}")
    )
    assert try_named("ollama:qwen3:8b") == blob
    # The same file under another name is listed once.
    write_manifest(home, "hf.co/owner/repo/latest", layers(f"sha256:{DIGEST}"))
    assert names() == ["ollama:hf.co/owner/repo:latest"]
    assert try_named("ollama:qwen3:8b") == blob


BAD_MANIFESTS: dict[str, object] = {
    "a list": [],
    "no layers": {},
    "layers that are no list": {"layers": 7},
    "a layer that is none": {"layers": [None]},
    "a path": layers("sha256:../../../etc/passwd"),
    "a digest that is no text": {
        "layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": 1}]
    },
    "a file that is gone": layers(f"sha256:{'b' * 64}"),
}


@pytest.mark.parametrize("content", BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
def test_a_damaged_manifest_is_left_out(home: Path, content: object) -> None:
    write_manifest(home, "registry.ollama.ai/library/bad/latest", content)
    assert names() == []


def test_size_window_and_parameters_come_from_the_header(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    write_recital(path, [RecitedAnswer("Hello.")], n_ctx=4096)
    model = ModelOnDisk("small", path).described()
    assert (model.size, model.max_window) == (path.stat().st_size, 4096)
    assert (model.parameters or 0) > 1000


DAMAGES: dict[str, Callable[[Path], object]] = {
    "damaged": lambda path: path.write_bytes(b"GGUF" + bytes(30)),
    "gone": lambda path: None,
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_cannot_be_read_is_listed_without_facts(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    damage(tmp_path / "bad.gguf")
    model = ModelOnDisk("bad", tmp_path / "bad.gguf").described()
    assert (model.name, model.max_window, model.parameters) == ("bad", None, None)
