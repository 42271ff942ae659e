"""Secrets of Kubernetes: all values under ``data`` in a document of that kind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .spans import Span
from .words import is_placeholder

_KIND = re.compile(r"^[ \t]*kind:[ \t]*[\"']?Secret\b", re.MULTILINE)
_KIND_IN_JSON = re.compile(r"\"kind\":\s{0,4}\"Secret\"")
_DOCUMENT_BORDER = re.compile(r"^(?:---|[ \t]*kind:)", re.MULTILINE)
_DATA = re.compile(
    r"^(?P<indent>[ \t]*)(?:data|stringData):[ \t]*\n"
    r"(?P<lines>(?:(?P=indent)[ \t]+\S[^\n]*(?:\n|\Z)|[ \t]*\n)+)",
    re.MULTILINE,
)
_DATA_IN_JSON = re.compile(
    r"\"(?:data|stringData)\":\s{0,8}\{(?P<lines>[^{}]{1,20000})\}"
)
_VALUE = re.compile(
    r"^[ \t]*[\w.-]+:[ \t]+[\"']?(?P<value>[^\s\"'|>{][^\n\"']{3,})", re.M
)
_VALUE_IN_JSON = re.compile(r"\"[\w.-]+\":\s{0,4}\"(?P<value>[^\"\n]{4,})\"")
# Characters before and after the kind in which its data can be.
_MAX_DOCUMENT = 20_000


def find_secrets_of_kubernetes(text: str) -> Iterator[Span]:
    """Find the values in the data of secrets, whatever their names are."""
    if "Secret" not in text:
        return
    yield from _values(text, _KIND, _DATA, _VALUE)
    yield from _values(text, _KIND_IN_JSON, _DATA_IN_JSON, _VALUE_IN_JSON)


def _values(
    text: str,
    kind: re.Pattern[str],
    data: re.Pattern[str],
    value: re.Pattern[str],
) -> Iterator[Span]:
    done = 0
    for match in kind.finditer(text):
        if match.start() < done:
            continue
        start, end = _document(text, match, done)
        for block in data.finditer(text, start, end):
            for found in value.finditer(text, *block.span("lines")):
                if not is_placeholder(found["value"].strip()):
                    stop = found.start("value") + len(found["value"].rstrip())
                    yield Span(found.start("value"), stop, "secret")
        done = max(done, end)


def _document(text: str, kind: re.Match[str], done: int) -> tuple[int, int]:
    """Return where the document of a kind starts and ends, without what was read."""
    start = max(done, kind.start() - _MAX_DOCUMENT)
    for border in _DOCUMENT_BORDER.finditer(text, start, max(start, kind.start())):
        start = border.end()
    end = min(len(text), kind.end() + _MAX_DOCUMENT)
    next_border = _DOCUMENT_BORDER.search(text, kind.end(), end)
    return start, next_border.start() if next_border else end
