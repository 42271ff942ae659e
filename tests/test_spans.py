"""Spans of secrets: in their order, and joined where they overlap."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.spans import Span, merge_spans

CASES = {
    "in order": (
        [Span(5, 7, "b"), Span(0, 2, "a")],
        [Span(0, 2, "a"), Span(5, 7, "b")],
    ),
    "side by side": (
        [Span(0, 2, "a"), Span(2, 4, "b")],
        [Span(0, 2, "a"), Span(2, 4, "b")],
    ),
    "overlapping": ([Span(3, 9, "b"), Span(0, 5, "a")], [Span(0, 9, "a")]),
    "one inside another": ([Span(0, 9, "a"), Span(2, 4, "b")], [Span(0, 9, "a")]),
    "the same twice": ([Span(0, 2, "a"), Span(0, 2, "b")], [Span(0, 2, "a")]),
    "a chain": ([Span(0, 3, "a"), Span(2, 6, "b"), Span(5, 8, "c")], [Span(0, 8, "a")]),
    "an empty one": ([Span(3, 3, "a"), Span(4, 5, "b")], [Span(4, 5, "b")]),
    "none": ([], []),
}


@pytest.mark.parametrize(("spans", "merged"), CASES.values(), ids=CASES)
def test_spans_are_sorted_and_joined(spans: list[Span], merged: list[Span]) -> None:
    assert merge_spans(spans) == merged
