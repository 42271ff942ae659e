"""Nearest names."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.context.inspection.names import try_nearest


@pytest.mark.parametrize(
    ("name", "candidates", "nearest"),
    [
        ("Region", ["n", "region"], "region"),
        ("growth_rate", ["Growth Rate", "growth"], "Growth Rate"),
        ("Language", ["Official language", "id"], "Official language"),
        ("revenues", ["revenue", "region"], "revenue"),
        ("cliens", ["orders", "clients"], "clients"),
        ("capitalise", ["capitalize", "center"], "capitalize"),
        ("region", ["region_x", "region_y"], "region_x"),
        ("salary", ["id", "region"], None),
        ("id", ["order_id", "client_id"], None),
        ("x", ["y", "z"], None),
        ("", ["a"], None),
        ("region", ["region"], None),
        ("größe", ["Größe", "name"], "Größe"),
        ("*", ["+", "-"], None),
    ],
)
def test_the_nearest_name_is_found(
    name: str, candidates: list[str], nearest: str | None
) -> None:
    assert try_nearest(name, candidates) == nearest


def test_very_many_and_very_long_names_are_bounded() -> None:
    many = [f"column {number}" for number in range(1_000_000)]
    assert try_nearest("column_7", many) == "column 7"
    assert try_nearest("x" * 100_000, ["x" * 100_001]) is None
