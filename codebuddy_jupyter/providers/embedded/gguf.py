"""What the header of a GGUF file says about a model. The file may be damaged or hostile:
it is read in small pieces, within limits, and nothing in it is trusted.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"
VERSIONS = (2, 3)
# Limits of what is read, far above what models have.
MAX_ENTRIES = 10_000
MAX_TENSORS = 100_000
MAX_DIMENSIONS = 8
MAX_ITEMS = 4_000_000
MAX_TEXT = 8 << 20
# Bytes of a key, or of a text that is kept.
MAX_KEPT = 1000
# Items of a list that is kept, such as the number of heads of each layer.
MAX_KEPT_ITEMS = 1024
# Bytes of an element of the key-value cache, which the engine keeps as float16.
CACHE_ELEMENT = 2

STRING = 8
ARRAY = 9
# By the number of the type: how `struct` unpacks it.
NUMBERS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}

Value = int | float | bool | str | list[int | float | bool]


class GGUFError(ValueError):
    """The file is no GGUF file, or its header is damaged; the text says why."""


@dataclass(frozen=True)
class Header:
    """The header of a GGUF file; what it does not say is 0 or empty.

    Parameters
    ----------
    version
        The version of the format.
    values
        The small values, by name.
    parameters
        The number of parameters of the model.
    """

    version: int
    values: dict[str, Value] = field(default_factory=dict)
    parameters: int = 0

    @property
    def architecture(self) -> str:
        """The architecture, such as ``qwen2``."""
        value = self.values.get("general.architecture")
        if not isinstance(value, str):
            return ""
        return value

    @property
    def window(self) -> int:
        """The largest context window, in tokens."""
        return self._number("context_length")

    def cache_size(self, tokens: int) -> int:
        """Return the size of the key-value cache of so many tokens, in bytes."""
        heads = self._number("attention.head_count") or 1
        width = self._number("embedding_length") // heads
        key = self._number("attention.key_length") or width
        value = self._number("attention.value_length") or width
        elements = self._cached_heads(heads) * (key + value)
        return tokens * elements * CACHE_ELEMENT

    def _cached_heads(self, heads: int) -> int:
        """Return the number of heads whose keys and values are kept, of all layers."""
        kept = self.values.get(f"{self.architecture}.attention.head_count_kv", heads)
        if isinstance(kept, list):
            return sum(number for number in kept if isinstance(number, int))
        return _natural(kept) * self._number("block_count")

    def _number(self, name: str) -> int:
        return _natural(self.values.get(f"{self.architecture}.{name}", 0))


def _natural(value: Value) -> int:
    """Return a value that must be a natural number; 0 for any other."""
    if not isinstance(value, int):
        return 0
    return max(0, value)


def header_of(path: Path) -> Header:
    """Return the header of a GGUF file.

    Raises
    ------
    GGUFError
        If it is no GGUF file, or damaged.
    OSError
        If it cannot be read.
    """
    found = path.stat()
    return _cached_header(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=256)
def _cached_header(path: Path, size: int, changed: int) -> Header:
    """Return the header; a vocabulary takes a tenth of a second."""
    with path.open("rb") as file:
        try:
            return _Reader(file, size).header()
        except (struct.error, UnicodeDecodeError, OverflowError) as error:
            raise GGUFError("its header is damaged") from error


class _Reader:
    """Reads the header from an open file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def header(self) -> Header:
        if self._file.read(len(MAGIC)) != MAGIC:
            raise GGUFError("it is not a GGUF file")
        version = int(self._number("<I"))
        if version not in VERSIONS:
            raise GGUFError(f"it has version {version} of the format")
        tensors = self._count("<Q", MAX_TENSORS)
        entries = self._count("<Q", MAX_ENTRIES)
        values: dict[str, Value] = {}
        for _ in range(entries):
            name = self._text()
            value = self._value()
            if value is not None:
                values[name] = value
        parameters = 0
        for _ in range(tensors):
            parameters += self._tensor()
        return Header(version, values, parameters)

    def _tensor(self) -> int:
        """Read what the header says of a tensor; return the number of its elements."""
        self._text()
        dimensions = self._count("<I", MAX_DIMENSIONS)
        shape = [int(self._number("<Q")) for _ in range(dimensions)]
        self._number("<I")
        self._number("<Q")
        elements = prod(shape)
        # More than a byte of the file can hold is no real tensor.
        if elements > self._size * 8:
            return 0
        return elements

    def _value(self) -> Value | None:
        """Return a value; None for one that is too large to keep."""
        kind = int(self._number("<I"))
        if kind == STRING:
            return self._text()
        if kind == ARRAY:
            return self._array()
        return self._number(_format_of(kind))

    def _array(self) -> Value | None:
        kind = int(self._number("<I"))
        count = self._count("<Q", MAX_ITEMS)
        if kind == STRING:
            for _ in range(count):
                self._skip(self._count("<Q", MAX_TEXT))
            return None
        code = _format_of(kind)
        if count > MAX_KEPT_ITEMS:
            self._skip(count * struct.calcsize(code))
            return None
        return [self._number(code) for _ in range(count)]

    def _text(self) -> str:
        length = self._count("<Q", MAX_TEXT)
        kept = self._file.read(min(length, MAX_KEPT))
        self._skip(length - len(kept))
        return kept.decode(errors="replace")

    def _count(self, code: str, most: int) -> int:
        count = int(self._number(code))
        if count > most:
            raise GGUFError("its header is damaged")
        return count

    def _number(self, code: str) -> int | float | bool:
        content = self._file.read(struct.calcsize(code))
        number: int | float | bool = struct.unpack(code, content)[0]
        return number

    def _skip(self, length: int) -> None:
        if self._file.seek(length, 1) > self._size:
            raise GGUFError("its header is damaged")


def _format_of(kind: int) -> str:
    code = NUMBERS.get(kind)
    if code is None:
        raise GGUFError("its header is damaged")
    return code
