"""What servers say instead of a reply: their own words, found wherever they put them.

Nothing is sent or shown here.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

# characters of a server's words that are shown
LONGEST = 300
# characters in which they are looked for, where a page or a text has millions
MOST_WORDS = 10_000
OVERFLOW = re.compile(
    r"exceed_context_size_error|context_length_exceeded|context "
    r"(?:size|length|window)|n_ctx|tokens to keep"
    r"|prompt is too long|input token count",
    re.IGNORECASE,
)
SURE_OVERFLOW = re.compile(
    r"exceed_context_size_error|context_length_exceeded|prompt is too long|input token count"
    r"|exceed\w*[^.\n]{0,40}\bcontext|context (?:size|length|window)[^.\n]{0,40}\bexceed",
    re.IGNORECASE,
)
"""What is said of a prompt that is too long and of nothing else; the log of a server
that died tells its window too.
"""
WINDOW = re.compile(
    r"(?:context (?:size|length|window)|n_ctx|maximum|allowed)[^\d{}]{0,40}?(\d[\d,]*)",
    re.IGNORECASE,
)
TOKENS = re.compile(
    (
        r"(?:request(?:ed| has)?|resulted in|the first|too long:|token "
        r"count|prompt has)\W{0,3}(\d[\d,]*)"
    ),
    re.IGNORECASE,
)
NO_MODEL = re.compile(
    r"model_not_found|\bmodels?\b.{0,120}?(?:not found|not exist|n't "
    r"exist|unknown|not available|not a valid)"
    r"|(?:no such|unknown|invalid) model|no models? loaded|^model: ",
    re.IGNORECASE | re.DOTALL,
)
REFUSAL = re.compile(
    r"unrecogni[sz]ed|unsupported|not supported|n't support|not "
    r"support\b|unknown|unexpected|not permitted|not allowed"
    r"|no longer accept|additional propert|extra_forbidden|extra "
    r"inputs|invalid (?:argument|parameter|field)",
    re.IGNORECASE,
)
USAGE = {"stream_options", "include_usage"}


class ErrorResponse(Exception):
    """A server's error, before it is made into a line for the user.

    Parameters
    ----------
    body
        What came: bytes, text, or parsed JSON.
    status
        The HTTP status; None where the error stood inside a stream.
    location
        Where a redirect points to.
    retry_after
        The header of that name, which says when to come back.
    """

    def __init__(
        self,
        body: object,
        status: int | None = None,
        location: str = "",
        retry_after: str = "",
    ) -> None:
        super().__init__(status)
        self.body = parsed(body)
        self.status = status
        self.location = location
        self.retry_after = _seconds(retry_after)

    @property
    def words(self) -> str:
        """The server's own words; empty where it had none."""
        return words(self.body)

    @property
    def text(self) -> str:
        """All that came, for recognising what it is."""
        return (
            self.body
            if isinstance(self.body, str)
            else json.dumps(self.body, ensure_ascii=False, default=str)
        )

    def is_overflow(self) -> bool:
        """Whether the prompt did not fit the window."""
        pattern = SURE_OVERFLOW if self.status == 500 else OVERFLOW
        return (
            self.status in (None, 400, 413, 422, 500)
            and pattern.search(self.text) is not None
        )

    def tokens_and_window(self) -> tuple[int | None, int | None]:
        """How long the prompt was and how large the window is, in tokens, where the
        server told.
        """
        said = dict(_numbers(self.body))
        return said.get("n_prompt_tokens") or _number(TOKENS, self.words), said.get(
            "n_ctx"
        ) or _number(WINDOW, self.words)

    def is_missing_model(self) -> bool:
        """Whether the server does not have the model that was asked for."""
        return self.status in (400, 404) and NO_MODEL.search(self.text) is not None

    def refused_field(self, fields: Collection[str]) -> str | None:
        """The one of these fields of a request that the server does not take, if that
        is its complaint.
        """
        if self.status not in (400, 422) or self.is_overflow():
            return None
        named = set(re.findall(r"(?<!\\)\b\w+", self.text))
        if named & USAGE and "stream_options" in fields:
            return "stream_options"
        return (
            next((field for field in fields if field in named), None)
            if REFUSAL.search(self.text)
            else None
        )

    def is_loading(self) -> bool:
        """Whether the server will answer once it has loaded the model."""
        return self.status == 503 and "loading" in self.text.lower()


def parsed(body: object) -> object:
    """JSON as its value, other text and bytes as text, anything else as it is."""
    if isinstance(body, bytes | bytearray):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            return body
    return body


def words(body: object) -> str:
    """What a server says in whatever it sent, as one line of plain text; empty where it
    says nothing.
    """
    found = _words(body, depth=0)
    if not found and isinstance(body, Mapping | list) and body:
        found = json.dumps(body, ensure_ascii=False, default=str)
    return found


def shortened(text: str) -> str:
    """At most `LONGEST` characters."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _words(value: object, depth: int) -> str:
    if depth > 6:
        return ""
    if isinstance(value, Mapping):
        named = (
            value.get(name)
            for name in ("error", "message", "detail", "msg", "title", "errors")
        )
        return next(filter(None, (_words(inner, depth + 1) for inner in named)), "")
    if isinstance(value, list):
        return next(filter(None, (_words(inner, depth + 1) for inner in value)), "")
    if isinstance(value, str):
        return _text_words(value, depth)
    return ""


def _text_words(text: str, depth: int) -> str:
    inner = parsed(text) if text.lstrip()[:1] in ("{", "[") else text
    if not isinstance(inner, str):
        return _words(inner, depth + 1) or one_line(text)
    if re.match(
        r"\s*<(?:!doctype|html|head|body|\?xml|h\d|title)\b", text, re.IGNORECASE
    ):
        return _page_words(text)
    return one_line(text)


def _page_words(page: str) -> str:
    # much of it can be scripts
    page = page[: 10 * MOST_WORDS]
    title = re.search(r"<title[^>]*>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    if title and title[1].strip():
        return one_line(html.unescape(title[1]))
    page = re.sub(
        r"<(script|style|head)\b.*?</\1>|<[^>]*>",
        " ",
        page,
        flags=re.IGNORECASE | re.DOTALL,
    )
    return one_line(html.unescape(page))


def one_line(text: str) -> str:
    """The text without line breaks and control characters, which could steer a
    terminal.
    """
    return " ".join(
        "".join(c if c.isprintable() else " " for c in text[:MOST_WORDS]).split()
    )


def _numbers(value: object, depth: int = 0) -> Iterator[tuple[str, int]]:
    """The whole numbers that stand anywhere in a JSON value, with their names; also in
    JSON inside a string.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = parsed(value)
    if isinstance(value, Mapping) and depth < 6:
        for name, inner in value.items():
            if isinstance(inner, int) and not isinstance(inner, bool):
                yield str(name), inner
            else:
                yield from _numbers(inner, depth + 1)


def _seconds(after: str) -> float | None:
    """The seconds that a ``Retry-After`` means: a number of them, or a date."""
    if re.fullmatch(r"\s*\d{1,9}(?:\.\d*)?\s*", after):
        return float(after)
    try:
        date = parsedate_to_datetime(after)
    except ValueError:
        return None
    # a zone that is called -0000
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - time.time())


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return int(match[1].replace(",", "")) if match else None


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}
