"""Search a text for secrets that are recognised by their format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .spans import Span
from .words import is_placeholder

# Parts of patterns that several formats share.
# Not inside a longer word.
START = r"(?<![A-Za-z0-9_-])"
# A key that was cut off, as in a listing.
CUT = r"(?=\.\.\.|…|\Z)"
# A character of most keys.
CHAR = r"[A-Za-z0-9_-]"

_PLACEHOLDER_START = re.compile(r"your|example[-_]|[-_]*x{4}", re.IGNORECASE)
# Prefixes that are part of a key, not a name or a sign before it.
_KEY_PREFIX = re.compile(r"[A-Za-z0-9_.-]*[_-]|AIza|dapi|dkea|dose")
_PORT = re.compile(r"\d{2,5}")
_HOST = re.compile(r"\.|^localhost$|^host")


def _accept_any(secret: str) -> bool:
    return True


@dataclass(frozen=True)
class SecretFormat:
    """A format of secrets.

    Parameters
    ----------
    label
        What to show in place of the secret.
    anchors
        Fixed texts, one of which each match contains. Searching for them first is much
        faster than trying the pattern everywhere. None at all: it is tried everywhere.
    pattern
        A regular expression. The group ``secret``, if any, is what is redacted.
    source
        Where the format is documented.
    accepts
        Whether the matched secret is really one.
    anchor_offset
        How many characters before the anchor a match starts.
    """

    label: str
    anchors: tuple[str, ...]
    pattern: str
    source: str
    accepts: Callable[[str], bool] = _accept_any
    anchor_offset: int = 0


def find_formats(text: str, formats: Iterable[SecretFormat]) -> Iterator[Span]:
    """Find secrets in any of the formats."""
    for secret_format in formats:
        # Of most formats, no anchor is in the text.
        if not _may_be_in(secret_format.anchors, text):
            continue
        for match in _matches(secret_format, text):
            group = "secret" if match.groupdict().get("secret") else 0
            secret = match[group]
            if _is_placeholder(secret) or _is_port(match):
                continue
            if secret_format.accepts(secret):
                yield Span(_start_of(match), match.end(group), secret_format.label)


def _may_be_in(anchors: tuple[str, ...], text: str) -> bool:
    # A loop takes a third of the time of `any`; a notebook has thousands of short texts.
    for anchor in anchors:
        if anchor in text:
            return True
    return not anchors


def _matches(secret_format: SecretFormat, text: str) -> Iterator[re.Match[str]]:
    if not secret_format.anchors:
        yield from re.finditer(secret_format.pattern, text)
    for anchor in secret_format.anchors:
        if anchor in text:
            yield from _matches_at(secret_format, anchor, text)


def _matches_at(
    secret_format: SecretFormat, anchor: str, text: str
) -> Iterator[re.Match[str]]:
    # Compiled on first use and cached by `re`: most sessions meet few of the formats.
    pattern = re.compile(secret_format.pattern)
    position = text.find(anchor)
    while position >= 0:
        start = position - secret_format.anchor_offset
        position += len(anchor)
        match = pattern.match(text, start) if start >= 0 else None
        if match:
            yield match
            position = max(position, match.end())
        position = text.find(anchor, position)


def _start_of(match: re.Match[str]) -> int:
    """Return where the redacted part starts.

    The prefix of a key is redacted with it; a name or a sign before it is not.
    """
    if not match.groupdict().get("secret"):
        return match.start()
    head = match.string[match.start() : match.start("secret")]
    return match.start() if _KEY_PREFIX.fullmatch(head) else match.start("secret")


def _is_placeholder(secret: str) -> bool:
    return is_placeholder(secret) or bool(_PLACEHOLDER_START.match(secret))


def _is_port(match: re.Match[str]) -> bool:
    """Return whether the password is a port, as in ``http://host.name:8080@path``."""
    user = match.groupdict().get("user")
    if not user or not _PORT.fullmatch(match["secret"]):
        return False
    return _HOST.search(user) is not None
