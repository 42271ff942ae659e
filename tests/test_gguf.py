"""The header of a GGUF file, also of one that is damaged or hostile."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.providers.embedded.gguf import (
    GGUFError,
    Header,
    Value,
    header_of,
)
from tests.support.recital import RecitedAnswer, write_recital

START = struct.pack("<4sI", b"GGUF", 3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "small.gguf"
    write_recital(path, [RecitedAnswer("Hello.")], n_ctx=4096, layers=2)
    return path.read_bytes()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gguf") / "model.gguf"


def test_a_header_tells_window_architecture_and_parameters(
    whole: bytes, tmp_path: Path
) -> None:
    (tmp_path / "model.gguf").write_bytes(whole)
    header = header_of(tmp_path / "model.gguf")
    assert (header.version, header.architecture, header.window) == (3, "deci", 4096)
    assert header.parameters > 10_000
    # One layer with one head of 8 elements, for keys and for values, of two bytes each.
    assert header.cache_size(1) == (8 + 8) * 2 * 1


def test_the_cache_of_a_model_with_grouped_heads_is_computed_from_them() -> None:
    qwen: dict[str, Value] = {
        "general.architecture": "qwen2",
        "qwen2.block_count": 28,
        "qwen2.embedding_length": 1536,
        "qwen2.attention.head_count": 12,
        "qwen2.attention.head_count_kv": 2,
    }
    assert Header(3, qwen).cache_size(8192) == 8192 * 28 * 2 * 256 * 2


def test_a_file_that_was_cut_at_any_byte_is_refused(whole: bytes, file: Path) -> None:
    end = whole.rindex(b"output_norm.weight")
    for length in range(0, end, 997):
        file.write_bytes(whole[:length])
        with pytest.raises(GGUFError):
            header_of(file)


HOSTILE = {
    "nothing": b"",
    "no GGUF": b"PK\x03\x04",
    "an old version": struct.pack("<4sI", b"GGUF", 1),
    "endless entries": START + struct.pack("<QQ", 0, 1 << 62),
    "endless tensors": START + struct.pack("<QQ", 1 << 62, 0),
    "an endless name": START + struct.pack("<QQQ", 0, 1, 1 << 62),
    "an unknown type": START + struct.pack("<QQQ1sI", 0, 1, 1, b"a", 99),
    "an endless list": START + struct.pack("<QQQ1sIIQ", 0, 1, 1, b"a", 9, 8, 1 << 62),
    "a list of lists": START + struct.pack("<QQQ1sIIQ", 0, 1, 1, b"a", 9, 9, 1),
    "a list beyond the end": START
    + struct.pack("<QQQ1sIIQ", 0, 1, 1, b"a", 9, 4, 4_000_000),
    "endless dimensions": START + struct.pack("<QQQ1sI", 1, 0, 1, b"a", 1 << 31),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(GGUFError):
        header_of(file)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_header_or_the_error(file: Path, content: bytes) -> None:
    file.write_bytes(START + content)
    try:
        header = header_of(file)
    except GGUFError:
        return
    assert header.window >= 0
    assert header.cache_size(1) >= 0


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -1, "many", [1, "x"], True]
)
def test_values_of_another_type_are_not_trusted(value: object) -> None:
    values = {"general.architecture": "a"}
    for name in ("context_length", "block_count", "attention.head_count_kv"):
        values[f"a.{name}"] = value  # type: ignore[assignment]
    header = Header(3, {**values})
    assert header.window in (0, 1)
    assert header.cache_size(100) >= 0
