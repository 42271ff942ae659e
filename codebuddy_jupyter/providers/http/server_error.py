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
# The words with which servers refuse a part of a request whatever its value.
REFUSAL = re.compile(
    r"unrecogni[sz]ed|not recogni[sz]ed|unsupported|(?:not|never|cannot|n't) (?:be )?"
    r"(?:currently |yet )?(?:support|accept|allow|permit|used|us[ei]|set\b|specified"
    r"|enabled|available|implemented|applicable|compatible|expected|a valid)\w*"
    r"|no support|unknown|unexpected|no longer|deprecated|removed|obsolete|ignored"
    r"|additional propert|extra_forbidden|extra (?:inputs|fields)|unavailable|disabled"
    r"|disallowed|forbidden|incompatible|immutable|conflict"
    r"|(?:may|can) only be|only (?:the )?default|only supports|mutually exclusive"
    r"|(?:must|should) be (?:omitted|removed|unset|absent|left|null|none|empty)"
    r"|\bremove\b|without (?:it|this)"
    r"|invalid (?:argument|parameter|field|property|option|request argument)",
    re.IGNORECASE,
)
# The words with which they refuse a value, and would take another.
OUT_OF_RANGE = re.compile(
    r"between|\brange|below|above|under|\bover\b|up to|more than|less than"
    r"|greater than|at most|at least|too (?:large|small|big|high|low|long|many)"
    r"|maximum|minimum|exceed|[<>≤≥]|must be (?:an?\b|of type|positive|non-negative"
    r"|\w+ or)|invalid (?:value|type)|wrong type|expected|not of type"
    r"|valid (?:number|integer|string|list|dict)",
    re.IGNORECASE,
)
# Fields of every request that may be left out though the server does not say why.
SAMPLING_FIELDS = frozenset({"temperature", "max_tokens", "max_completion_tokens"})
# Names of fields that are words of ordinary sentences, too.
ORDINARY_WORDS = frozenset({"n", "stop", "user", "store", "tools", "functions"})
SYSTEM_ROLE = re.compile(
    r"\b(?:system|developer)[\W_]{0,3}(?:role|message|prompt|instruction)s?\b"
    r"|\broles?\b[^.\n]{0,80}\b(?:system|developer)\b",
    re.IGNORECASE,
)
# What is said of roles that a model does not take, in no other words than these.
ROLES_REFUSED = re.compile(
    r"alternat\w*[^.\n]{0,40}\b(?:user|assistant)\b|\broles?\b[^.\n]{0,30}\balternat"
    r"|\bonly\b[^.\n]{0,40}\buser\b[^.\n]{0,30}\bassistant\b"
    r"|input should be '(?:user|assistant)'"
    r"|(?:must|should|has to|needs to) (?:start|begin) with[^.\n]{0,40}\buser\b"
    r"|first message[^.\n]{0,60}\buser\b"
    r"|invalid[^.\n]{0,20}\brole\b[^.\n]{0,20}\bsystem\b",
    re.IGNORECASE,
)
STREAM = re.compile(r"\bstream(?:ing|ed)?\b", re.IGNORECASE)
# Where no key is accepted, though the status says something else.
KEY_REFUSED = re.compile(
    r"(?:api|access|auth\w*|secret|x-api)[ _-]?(?:key|token)s?\b[^.\n]{0,40}?\b(?:not "
    r"valid|invalid|incorrect|expired|missing|not found|not provided|revoked|disabled"
    r"|wrong|required|unknown|malformed)"
    r"|(?:invalid|incorrect|wrong|missing|no|expired|malformed|bad|unknown|revoked)"
    r"[\s_:]+(?:or (?:missing|expired|invalid) )?(?:\w+[ _-])?(?:api[ _-]?key|x-api-key"
    r"|(?:access|bearer|auth\w*|api)[ _-](?:token|key|header|credential)s?)"
    r"|valid api[ _-]?key|api_key_invalid|authentication_error|\bunauthenticated\b",
    re.IGNORECASE,
)
# Where nothing is left to pay with, so that waiting does not help.
NO_CREDIT = re.compile(
    r"insufficient[ _](?:\w+[ _])?(?:quota|balance|credit|fund)"
    r"|(?:credit|balance|fund)s?\b[^.\n]{0,40}?(?:too low|exhausted|insufficient|deplet"
    r"|run out|ran out|used up|exceeded|not enough|not sufficient|is zero|negative)"
    r"|(?:not enough|out of|no|run out of|ran out of)"
    r"(?: \w+)?(?: remaining)? (?:credit|balance|fund)s?\b"
    r"|(?:budget|spend\w*(?: limit)?)\b[^.\n]{0,30}exceeded|payment[ _]required"
    r"|billing[ _](?:hard[ _])?(?:limit|not[ _]active)|billing is not|overdue"
    r"|arrear|欠费|余额不足",
    re.IGNORECASE,
)
# A quota: of money, unless a time or a wait is named after which it is there again.
QUOTA = re.compile(
    r"exceeded your current quota|quota[^.\n]{0,30}(?:exhausted|exceeded|used up)"
    r"|(?:exhausted|exceeded|used up)[^.\n]{0,30}\bquota",
    re.IGNORECASE,
)
FOR_A_WHILE = re.compile(
    r"per[ _-]?(?:second|minute|hour|day)|\b[RT]P[MSD]\b|retry|try again",
    re.IGNORECASE,
)
REGION = re.compile(
    r"(?:countr(?:y|ies)|region|territor|location|geograph)\w*\b[^\n]{0,80}?(?:not "
    r"(?:\w+ )?(?:supported|available|allowed|permitted|served)|unsupported|unavailable"
    r"|restricted|blocked|prohibited|denied)"
    r"|(?:unsupported|restricted|blocked)[ _](?:country|region|location)"
    r"|(?:not |un)(?:supported|available|allowed) in (?:your|this) "
    r"(?:country|region|location|area)",
    re.IGNORECASE,
)
VERIFICATION = re.compile(
    r"must (?:first )?(?:be verified|verify)|(?:is|are) not (?:yet )?verified"
    r"|(?:complete|needs?|requires?)\b[^.\n]{0,40}\bverif\w+"
    r"|verif(?:y|ication)\b[^.\n]{0,40}\b(?:organi[sz]ation|account|identity|phone"
    r"|e-?mail)\b[^.\n]{0,40}",
    re.IGNORECASE,
)
WEB_PAGE = re.compile(
    r"\s*<(?:!doctype|html|head|body|\?xml|h\d|title)\b", re.IGNORECASE
)
PAGE_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
PAGE_MARKUP = re.compile(
    r"<(script|style|head)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL
)
# What is said of a model that cannot write what stands between two texts.
NO_INFILL = re.compile(
    r"not support insert|\binfill\b[^.\n]{0,40}not supported|\bsuffix\b", re.IGNORECASE
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
    challenge
        The header ``WWW-Authenticate``.
    """

    def __init__(
        self,
        body: object,
        status: int | None = None,
        location: str = "",
        retry_after: str = "",
        challenge: str = "",
    ) -> None:
        super().__init__(status)
        self.body = parsed(body)
        self.status = status
        self.location = location
        self.retry_after = _seconds_of(retry_after)
        self.challenge = challenge

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
        pattern = OVERFLOW
        if self.status == 500:
            pattern = CERTAIN_OVERFLOW
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
        if self.is_overflow() or not self._may_refuse_a_part():
            return None
        is_sure = self.status in (400, 422)
        named = set(re.findall(r"(?<!\\)\b\w+", self.text))
        if is_sure and named & USAGE_FIELDS and "stream_options" in fields:
            return "stream_options"
        if REFUSAL.search(self.text):
            return self._field_named(fields)
        if is_sure and not OUT_OF_RANGE.search(self.text):
            for field in SAMPLING_FIELDS.intersection(fields):
                if re.match(rf"[`'\"]?{field}\b", self.message):
                    return field
        return None

    def _field_named(self, fields: Collection[str]) -> str | None:
        """Return the field that the error is about, the surest first: by its own entry
        in the error, in quotes, or in the text.
        """
        entries = set(_values_named(self.body, ("param", "loc", "parameter", "field")))
        for field in fields:
            if field in entries:
                return field
        for text in (self.message, self.text):
            places: dict[str, int] = {}
            for field in fields:
                place = _place_of(field, text)
                if place >= 0:
                    places[field] = place
            if places:
                return min(places, key=places.__getitem__)
        return None

    def refuses_roles(self) -> bool:
        """Return whether the server refuses a system message, or the order of roles."""
        if not self._may_refuse_a_part():
            return False
        if ROLES_REFUSED.search(self.text):
            return True
        is_about_system = SYSTEM_ROLE.search(self.text) is not None
        return is_about_system and REFUSAL.search(self.text) is not None

    def refuses_infill(self) -> bool:
        """Return whether the server refuses to write what stands between two texts."""
        if self.status == 501:
            return True
        return self._may_refuse_a_part() and NO_INFILL.search(self.text) is not None

    def refuses_stream(self) -> bool:
        """Return whether the server refuses to send an answer piece by piece."""
        if not (self._may_refuse_a_part() or self.status == 403):
            return False
        if not STREAM.search(self.text):
            return False
        return bool(REFUSAL.search(self.text) or self.needs_verification())

    def _may_refuse_a_part(self) -> bool:
        # With the other statuses, a request that is sent otherwise is refused as well.
        return self.status in (None, 400, 404, 405, 422, 500, 501)

    def refuses_key(self) -> bool:
        """Return whether the key is missing or was rejected."""
        if self.status == 401:
            return True
        if self.status not in (None, 400, 403, 407, 422, 500):
            return False
        return KEY_REFUSED.search(self.text) is not None

    def lacks_credit(self) -> bool:
        """Return whether the account has nothing left to pay with."""
        if self.status == 402:
            return True
        if self.status not in (None, 400, 403, 429):
            return False
        if NO_CREDIT.search(self.text):
            return True
        is_passing = self.retry_after is not None or FOR_A_WHILE.search(self.text)
        return QUOTA.search(self.text) is not None and not is_passing

    def is_for_other_regions(self) -> bool:
        """Return whether the service is not offered where the user is."""
        is_refusal = self.status in (None, 400, 403, 404, 451)
        return is_refusal and REGION.search(self.text) is not None

    def needs_verification(self) -> bool:
        """Return whether the user must prove who they are before using the model."""
        is_refusal = self.status in (None, 400, 403, 404)
        return is_refusal and VERIFICATION.search(self.text) is not None

    def is_loading(self) -> bool:
        """Return whether the server is loading the model and will answer after that."""
        return self.status == 503 and "loading" in self.text.lower()


def parsed(body: object) -> object:
    """Return JSON as its value, other text and bytes as text, anything else as it is."""
    if isinstance(body, bytes | bytearray):
        body = body.decode("utf-8-sig", "replace")
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
    if len(text) <= MAX_QUOTE:
        return text
    return f"{text[: MAX_QUOTE - 1]}…"


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


def _place_of(field: str, text: str) -> int:
    """Return where a text names a field, or -1; in quotes if it is an ordinary word."""
    name = re.escape(field)
    pattern = rf"(?<![\w\\]){name}\b"
    if field in ORDINARY_WORDS:
        pattern = rf"[`'\"]{name}[`'\"]|\b{name}:|(?:: |field |argument |eter ){name}\b"
    match = re.search(pattern, text)
    if match is None:
        return -1
    return match.start()


def _values_named(
    value: object, names: Collection[str], depth: int = 0
) -> Iterator[str]:
    """Yield the texts under these names anywhere in a JSON value, or in lists there."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for inner in value:
            yield from _values_named(inner, names, depth + 1)
    if not isinstance(value, Mapping):
        return
    for name, inner in value.items():
        if name in names:
            texts = [inner]
            if isinstance(inner, list):
                texts = inner
            yield from [text for text in texts if isinstance(text, str)]
        else:
            yield from _values_named(inner, names, depth + 1)


def _first_message(values: Iterable[object], depth: int) -> str:
    for value in values:
        message = _message_in(value, depth)
        if message:
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
    text = PAGE_MARKUP.sub(" ", page)
    return one_line(html.unescape(text))


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
    if match is None:
        return None
    digits = match[1].replace(",", "")
    return int(digits)


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
