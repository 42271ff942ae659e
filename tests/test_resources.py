"""What a model needs of the machine, and what there is."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.providers.embedded.gguf import Header
from codebuddy_jupyter.providers.embedded.resources import (
    OVERHEAD,
    RESERVE,
    Need,
    available_memory,
    physical_cores,
)

SIZE = 1_000_000_000
HEADER = Header(
    3,
    {
        "general.architecture": "a",
        "a.context_length": 32768,
        "a.block_count": 28,
        "a.embedding_length": 1536,
        "a.attention.head_count": 12,
        "a.attention.head_count_kv": 2,
    },
)
# Bytes of a token: 28 layers, 2 heads of 128 for keys and for values, 2 bytes each.
TOKEN = 28 * 2 * 256 * 2
BASE = SIZE + OVERHEAD + RESERVE


@pytest.mark.parametrize(
    ("memory", "wanted", "window"),
    [
        (BASE + 8192 * TOKEN, 8192, 8192),
        (BASE + 8191 * TOKEN, 8192, 7936),
        (BASE + 2048 * TOKEN, 8192, 2048),
        (BASE + 2047 * TOKEN, 8192, 0),
        (BASE + 512 * TOKEN, 512, 512),
        (1 << 40, 0, 32768),
        (1 << 40, 100_000, 32768),
        (SIZE, 8192, 0),
        (0, 8192, 0),
    ],
)
def test_the_window_is_fitted_to_the_memory(
    memory: int, wanted: int, window: int
) -> None:
    assert Need(SIZE, HEADER).window_within(memory, wanted) == window


def test_a_header_without_facts_limits_nothing() -> None:
    need = Need(SIZE, Header(3))
    assert need.window_within(BASE, 4096) == 4096
    assert need.window_within(BASE, 0) == 8192
    assert need.window_within(BASE - 1, 4096) == 0


def test_the_machine_has_memory_and_cores() -> None:
    assert (available_memory() or 0) > 0
    assert physical_cores() >= 1
