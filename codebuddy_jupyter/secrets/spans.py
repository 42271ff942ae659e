"""Stretches of a text that are to be redacted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A secret's position in a text, and the label to show in its place."""

    start: int
    end: int
    label: str


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Sort spans and join those that overlap; the first one's label is kept."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if not merged or span.start >= merged[-1].end:
            if span.start < span.end:
                merged.append(span)
            continue
        last = merged[-1]
        merged[-1] = Span(last.start, max(last.end, span.end), last.label)
    return merged
