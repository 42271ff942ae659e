"""Find private keys: blocks of base64 lines between BEGIN and END, whole or cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .spans import Span

_LABEL = "private key"
# Characters that are read backwards from an END line.
_MAX_BLOCK = 20_000
# Base64 characters of the shortest body that counts.
_MIN_BODY = 16
_NAME = r"(?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?"
_HEAD = re.compile(rf"-----? ?BEGIN {_NAME} ?-----?|Private-Lines: \d+")
_TAIL = re.compile(rf"-----? ?END {_NAME} ?-----?")
# What may stand between the lines of a block: white space, escaped line breaks, the
# line numbers and arrows of a traceback, quotes of concatenated strings.
_BETWEEN = r"(?> (?: \\+[nr] | \s\d{1,5}(?=\s) | -+> | [\s\"',+()|>\\] )* )"
_BETWEEN_LINES = re.compile(_BETWEEN, re.VERBOSE)
_BODY = re.compile(
    rf"""
    (?> (?:
        {_BETWEEN}
        (?:
            [A-Za-z0-9+/]{{16,}}+ =*+
          | (?:Proc-Type|DEK-Info|Version|Comment|Charset): [^\n\\]*+
        )
    )* )
    # The last line, which may be short, and the checksum.
    (?: {_BETWEEN} [A-Za-z0-9+/=]{{1,80}}+ (?={_BETWEEN}-----) )?
    (?: {_BETWEEN} = [A-Za-z0-9+/]{{4}} )?
    """,
    re.VERBOSE,
)
# Matches the reversed text, from the END line upwards.
_REVERSED_BODY = re.compile(
    r"""
    [\s\"',+\\n]*+ [A-Za-z0-9+/=]{1,80}+
    (?> (?:
        [\s\"',+|>]*+ [A-Za-z0-9+/=\\]{16,}+ (?: [\s\"',+]*+ (?<=\s) \d{1,5} (?=\s) )?
    )* )
    """,
    re.VERBOSE,
)
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


def find_private_keys(text: str) -> Iterator[Span]:
    """Find private keys, also those whose first or last lines were cut off."""
    if "PRIVATE KEY" not in text and "Private-Lines" not in text:
        return
    end = 0
    for head in _HEAD.finditer(text):
        if head.start() < end:
            continue
        block_end = _try_end_of_block(text, head.end())
        if block_end is not None:
            end = block_end
            yield Span(head.start(), end, _LABEL)
    for tail in _TAIL.finditer(text):
        if tail.start() < end:
            continue
        end = tail.end()
        start = _start_of_body(text, tail.start())
        if start < tail.start():
            yield Span(start, end, _LABEL)


def _try_end_of_block(text: str, body_start: int) -> int | None:
    """Return where the block ends; None where no body follows the BEGIN line."""
    body = _BODY.match(text, body_start)
    if body is None or not _is_long_enough(body[0]):
        return None
    between = _BETWEEN_LINES.match(text, body.end())
    tail = _TAIL.match(text, between.end() if between else body.end())
    return tail.end() if tail else body.end()


def _start_of_body(text: str, end: int) -> int:
    """Return where the body starts whose BEGIN line was cut off; ``end`` if none."""
    reversed_text = text[max(0, end - _MAX_BLOCK) : end][::-1]
    body = _REVERSED_BODY.match(reversed_text)
    if body is None or not _is_long_enough(body[0]):
        return end
    return end - len(body[0].rstrip())


def _is_long_enough(body: str) -> bool:
    return len(_NOT_BASE64.sub("", body)) >= _MIN_BODY
