"""Error responses of servers: the server's own message, wherever it was put, and what
kind of error it is.

Nothing is sent or shown here.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from ...secrets.redactor import Redactor

# Characters of a server's message that are shown.
MAX_QUOTE = 300
# Characters in which a message is looked for; a page or a log can have millions.
MAX_TEXT = 10_000
# Levels of nested JSON in which a message is looked for.
MAX_DEPTH = 6
# The fields of JSON that hold a message, the likeliest first.
MESSAGE_FIELDS = ("error", "message", "detail", "msg", "title", "errors")

OVERFLOW = re.compile(
    r"exceed_context_size_error|context_length_exceeded|context "
    r"(?:size|length|window)|n_ctx|tokens to keep"
    r"|prompt is too long|input token count",
    re.IGNORECASE,
)
# What is said of a prompt that is too long and of nothing else: the log of a server
# that crashed names its context size, too.
CERTAIN_OVERFLOW = re.compile(
    r"exceed_context_size_error|context_length_exceeded|prompt is too long|input token count"
    r"|exceed\w*[^.\n]{0,40}\bcontext|context (?:size|length|window)[^.\n]{0,40}\bexceed",
    re.IGNORECASE,
)
WINDOW = re.compile(
    r"(?:context (?:size|length|window)|n_ctx|maximum|allowed)[^\d{}]{0,40}?(\d[\d,]*)",
    re.IGNORECASE,
)
TOKENS = re.compile(
    r"(?:request(?:ed| has)?|resulted in|the first|too long:|token "
    r"count|prompt has)\W{0,3}(\d[\d,]*)",
    re.IGNORECASE,
)
NO_MODEL = re.compile(
    r"model_not_found|\bmodels?\b.{0,120}?(?:not found|not exist|n't "
    r"exist|unknown|not available|not a valid)"
    r"|(?:no such|unknown|invalid) model|no models? loaded|^model: ",
    re.IGNORECASE | re.DOTALL,
)
FIELD_REFUSED = re.compile(
    r"unrecogni[sz]ed|unsupported|not supported|n't support|not "
    r"support\b|unknown|unexpected|not permitted|not allowed"
    r"|no longer accept|additional propert|extra_forbidden|extra "
    r"inputs|invalid (?:argument|parameter|field)",
    re.IGNORECASE,
)
WEB_PAGE = re.compile(
    r"\s*<(?:!doctype|html|head|body|\?xml|h\d|title)\b", re.IGNORECASE
)
PAGE_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
PAGE_MARKUP = re.compile(
    r"<(script|style|head)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL
)
# Names under which servers refuse ``stream_options``.
USAGE_FIELDS = {"stream_options", "include_usage"}


class ErrorResponse(Exception):
    """An HTTP error as the server sent it, before it becomes a line for the user.

    Parameters
    ----------
    body
        The body: bytes, text, or parsed JSON.
    status
        The HTTP status; None if the error was part of a stream.
    location
        The target of a redirect.
    retry_after
        The header ``Retry-After``.
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
        self.retry_after = _seconds_of(retry_after)

    @property
    def message(self) -> str:
        """The server's own message; empty if there is none."""
        return message_in(self.body)

    @property
    def text(self) -> str:
        """The whole body as text, in which the kind of error is looked for."""
        if isinstance(self.body, str):
            return self.body
        return _as_json(self.body)

    def is_overflow(self) -> bool:
        """Return whether the prompt did not fit the context window."""
        if self.status not in (None, 400, 413, 422, 500):
            return False
        pattern = CERTAIN_OVERFLOW if self.status == 500 else OVERFLOW
        return pattern.search(self.text) is not None

    def tokens_and_window(self) -> tuple[int | None, int | None]:
        """Return the length of the prompt and the context window, in tokens, if the
        server reported them.
        """
        numbers = dict(_numbers_in(self.body))
        tokens = numbers.get("n_prompt_tokens") or _number(TOKENS, self.message)
        window = numbers.get("n_ctx") or _number(WINDOW, self.message)
        return tokens, window

    def is_missing_model(self) -> bool:
        """Return whether the server does not have the requested model."""
        if self.status not in (400, 404):
            return False
        return NO_MODEL.search(self.text) is not None

    def refused_field(self, fields: Collection[str]) -> str | None:
        """Return the field of the request that the server refuses, if that is the error.

        Parameters
        ----------
        fields
            The names of the fields that were sent.
        """
        if self.status not in (400, 422) or self.is_overflow():
            return None
        named = set(re.findall(r"(?<!\\)\b\w+", self.text))
        if named & USAGE_FIELDS and "stream_options" in fields:
            return "stream_options"
        if not FIELD_REFUSED.search(self.text):
            return None
        return next((field for field in fields if field in named), None)

    def is_loading(self) -> bool:
        """Return whether the server is loading the model and will answer after that."""
        return self.status == 503 and "loading" in self.text.lower()


def parsed(body: object) -> object:
    """Return JSON as its value, other text and bytes as text, anything else as it is."""
    if isinstance(body, bytes | bytearray):
        body = body.decode("utf-8", "replace")
    if not isinstance(body, str):
        return body
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def message_in(body: object) -> str:
    """Return the server's message in a body as one line of plain text; empty if there
    is none.
    """
    message = _message_in(body, depth=0)
    if message or not body or not isinstance(body, Mapping | list):
        return message
    return _as_json(body)


def quote(text: str, secrets: Mapping[str, str] | None = None) -> str:
    """Return a server's words for an error line: redacted, on one line, shortened.

    Parameters
    ----------
    text
        What the server said.
    secrets
        Known secrets that it may repeat, by the name that is shown instead.
    """
    redactor = Redactor()
    redactor.know(secrets or {})
    return shortened(one_line(redactor.redact(text).text))


def shortened(text: str) -> str:
    """Return at most `MAX_QUOTE` characters of the text."""
    return text if len(text) <= MAX_QUOTE else f"{text[: MAX_QUOTE - 1]}…"


def one_line(text: str) -> str:
    """Return the text without line breaks and control characters, which could control a
    terminal.
    """
    printable = ""
    for character in text[:MAX_TEXT]:
        printable += character if character.isprintable() else " "
    return " ".join(printable.split())


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def _message_in(value: object, depth: int) -> str:
    if depth > MAX_DEPTH:
        return ""
    if isinstance(value, Mapping):
        fields = [value.get(name) for name in MESSAGE_FIELDS]
        return _first_message(fields, depth + 1)
    if isinstance(value, list):
        return _first_message(value, depth + 1)
    if isinstance(value, str):
        return _message_in_text(value, depth)
    return ""


def _first_message(values: Iterable[object], depth: int) -> str:
    for value in values:
        if message := _message_in(value, depth):
            return message
    return ""


def _message_in_text(text: str, depth: int) -> str:
    if text.lstrip().startswith(("{", "[")):
        inner = parsed(text)
        if not isinstance(inner, str):
            return _message_in(inner, depth + 1) or one_line(text)
    if WEB_PAGE.match(text):
        return _message_in_page(text)
    return one_line(text)


def _message_in_page(page: str) -> str:
    # The scripts of a page can be long.
    page = page[: 10 * MAX_TEXT]
    title = PAGE_TITLE.search(page)
    if title and title[1].strip():
        return one_line(html.unescape(title[1]))
    return one_line(html.unescape(PAGE_MARKUP.sub(" ", page)))


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _numbers_in(value: object, depth: int = 0) -> Iterator[tuple[str, int]]:
    """Yield the whole numbers anywhere in a JSON value, with their names; also in JSON
    inside a string.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = parsed(value)
    if not isinstance(value, Mapping) or depth >= MAX_DEPTH:
        return
    for name, inner in value.items():
        if isinstance(inner, int) and not isinstance(inner, bool):
            yield str(name), inner
        else:
            yield from _numbers_in(inner, depth + 1)


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return int(match[1].replace(",", "")) if match else None


def _seconds_of(retry_after: str) -> float | None:
    """Return the seconds that a ``Retry-After`` means: a number, or a date."""
    if re.fullmatch(r"\s*\d{1,9}(?:\.\d*)?\s*", retry_after):
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    # A time zone that is written -0000.
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - time.time())
