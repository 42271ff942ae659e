"""What servers do wrong: each fault with the line that the user must see, and the text
that must be kept.

``WAIT`` and ``PAUSE`` are the timeouts, in seconds, under which they are to be tried.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.scripted_server import (
    DONE,
    Answer,
    as_json,
    delta,
    event,
    hang,
    plain,
    stream,
    usage,
)

# seconds to the first token
WAIT = 2.0
# seconds from one token to the next
PAUSE = 1.0

WINDOW = "The prompt is too long for llama3"
CUT = "The reply was cut off"
WORDS = "out of luck today"
"""What a server says when it says something; the user must see it."""


@dataclass(frozen=True)
class Fault:
    """What a server does, what the user must read in the line of the error, and what
    must be kept of the text.
    """

    answer: Answer
    says: tuple[str, ...]
    text: str = ""


def fault(answer: Answer, *says: str, text: str = "") -> Fault:
    """A fault in a few words."""
    return Fault(answer, says, text)


def after(text: str, rest: bytes, **fields: Any) -> Answer:
    """A stream that gives a text and then other bytes."""
    return Answer(pieces=[(0.0, event(delta(text))), (0.0, rest)], **fields)


def raw(*pieces: bytes, pause: float = 0.0, end: str = "whole") -> Answer:
    """Bytes that are not made into HTTP."""
    return Answer(pieces=[(pause, piece) for piece in pieces], framing="raw", end=end)


ERROR = {"error": {"message": WORDS, "type": "api_error", "code": None}}
PAGE = f"<!DOCTYPE html><html><head><title>{WORDS}</title></head><body><h1>nginx</h1></body></html>"
BODIES: dict[str, tuple[str, str]] = {
    "an object": (json.dumps(ERROR), "application/json"),
    "a text in JSON": (json.dumps({"error": WORDS}), "application/json"),
    "JSON in a string": (
        json.dumps({"error": {"message": json.dumps(ERROR)}}),
        "application/json",
    ),
    "a detail": (json.dumps({"detail": WORDS}), "application/json"),
    "a list of details": (
        json.dumps({"detail": [{"loc": ["body"], "msg": WORDS}]}),
        "application/json",
    ),
    "fields at the top": (
        json.dumps({"object": "error", "message": WORDS, "code": 7}),
        "application/json",
    ),
    "text": (WORDS, "text/plain"),
    "a page": (PAGE, "text/html"),
}


def errors_by_status() -> Iterator[tuple[str, Fault]]:
    """Each form of an error under each status that servers use; the queue that is full
    and the dead runner too.
    """
    for status in (400, 403, 422, 500, 502, 504):
        for name, (body, kind) in BODIES.items():
            yield (
                f"{status}, {name}",
                fault(plain(body, kind, status), f"({status})", WORDS),
            )
    for name, (body, kind) in list(BODIES.items())[:2]:
        yield (
            f"401, {name}",
            fault(
                plain(body, kind, 401), "requires a key", WORDS, "codebuddy key Local"
            ),
        )
        yield f"404, {name}", fault(plain(body, kind, 404), "(404)", WORDS, "base_url")
        yield (
            f"429, {name}",
            fault(plain(body, kind, 429), "(429)", WORDS, "Retry later"),
        )
    nothing = plain("", status=500)
    yield "500, nothing", fault(nothing, "(500): no message")
    dead = as_json(
        {"error": {"message": "llama runner process has terminated: exit status 2"}},
        500,
    )
    yield (
        "dead runner",
        fault(dead, "llama runner process has terminated: exit status 2"),
    )
    full = as_json(
        {
            "error": {
                "message": "server busy, please try again. maximum pending requests exceeded"
            }
        },
        503,
    )
    yield "queue full", fault(full, "(503)", "maximum pending requests exceeded")
    later = as_json(ERROR, 429, **{"Retry-After": "3600"})
    yield (
        "429, come back in an hour",
        fault(later, "(429)", WORDS, "Retry in 3,600 s"),
    )
    loading = as_json(
        {
            "error": {
                "code": 503,
                "message": "Loading model",
                "type": "unavailable_error",
            }
        },
        503,
    )
    yield "loading for ever", fault(loading, "(503)", "Loading model")


def closed_doors() -> Iterator[tuple[str, Fault]]:
    """Refusals that are about the user or the model, each by its own wording."""
    key = [{"error": {"code": 400, "message": "API key not valid."}}]
    stored = "codebuddy key Local"
    yield "a key, in a list", fault(as_json(key, 400), "requires a key", stored)
    wrong = as_json({"error": {"message": "Incorrect API key provided: x."}}, 400)
    yield "a wrong key", fault(wrong, "requires a key", stored)
    quota = {
        "message": "You exceeded your current quota.",
        "type": "insufficient_quota",
    }
    credit = "has no credit or quota left"
    yield "no quota", fault(as_json({"error": quota}, 429), credit, "/use PROVIDER")
    balance = as_json({"error": {"message": "Insufficient Balance"}}, 402)
    yield "no balance", fault(balance, credit, "Insufficient Balance")
    region = as_json({"error": {"message": "Country, region not supported"}}, 403)
    yield "a region", fault(region, "in your region", "%buddy /models")
    verify = "Your organization must be verified to stream this model."
    yield (
        "verification",
        fault(as_json({"error": {"message": verify}}, 400), "be verified", "/models"),
    )
    basic = plain("no", status=401, **{"WWW-Authenticate": "Basic"})
    yield "a password", fault(basic, "LocalProvider.headers", "NAME:PASSWORD@")
    stop = as_json({"error": {"message": "too many requests."}}, 400)
    yield "one full stop", fault(stop, "(400): too many requests. Correct")
    system = as_json({"error": {"message": "System role not supported"}}, 400)
    yield "a system role, always", fault(system, "(400): System role not supported.")


def redirects() -> Iterator[tuple[str, Fault]]:
    """Answers that point elsewhere: nothing is sent there."""
    for status in (301, 302, 307, 308):
        to = "http://127.0.0.1:9/v1/chat/completions"
        line = '%config LocalProvider.base_url = "http://127.0.0.1:9/v1"'
        yield (
            f"{status}",
            fault(plain("", status=status, Location=to), "redirects to", line),
        )
    yield "301 to nowhere", fault(plain("", status=301, Location=":::"), "127.0.0.1")
    yield (
        "302 to a login page",
        fault(plain("", status=302, Location="/login?next=%2F"), "redirects to /login"),
    )


LLAMA_CPP = {
    "code": 400,
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 9020,
    "n_ctx": 8192,
    "message": (
        "request (9020 tokens) exceeds the available context size (8192 tokens), "
        "try increasing it"
    ),
}
VLLM = (
    "This model's maximum context length is 8192 tokens. However, you requested "
    "9020 tokens (in the messages)."
)
LM_STUDIO = (
    "Trying to keep the first 9020 tokens when context the overflows. However, "
    "the model is loaded with context "
    "length of only 8192 tokens, which is not enough."
)


def overflows() -> Iterator[tuple[str, Fault]]:
    """The prompt is too long, as each server says it."""
    size = "9,020 tokens for a context window of 8,192"
    lm_studio = Answer(
        pieces=[
            (
                0.0,
                f"event: error\ndata: {json.dumps({'error': LM_STUDIO})}\n\n".encode(),
            )
        ]
    )
    for name, answer in {
        "llama.cpp": as_json({"error": LLAMA_CPP}, 400),
        "llama.cpp, in the stream": stream({"error": LLAMA_CPP}, done=False),
        "Ollama": as_json(
            {"error": {"message": json.dumps({"error": LLAMA_CPP})}}, 400
        ),
        "LM Studio": as_json({"error": LM_STUDIO}, 400),
        "LM Studio, in the stream": lm_studio,
        "vLLM": as_json(
            {"error": {"message": VLLM, "type": "BadRequestError", "code": 400}}, 400
        ),
        "vLLM, older": as_json({"object": "error", "message": VLLM, "code": 400}, 400),
    }.items():
        yield name, fault(answer, WINDOW, size)


def in_the_stream() -> Iterator[tuple[str, Fault]]:
    """Errors after a part of the reply, which is kept."""
    forms = {
        "object": event(ERROR),
        "string": event({"error": WORDS}),
        "event with text": f"event: error\ndata: {WORDS}\n\n".encode(),
        "event with JSON": b"event: error\n" + event({"message": WORDS}),
        "event with JSON and CRLF": (
            f'event: error\r\ndata: {{"error": "{WORDS}"}}\r\n\r\n'.encode()
        ),
        "junk": f'data: {{"choices": [{WORDS}\n\n'.encode(),
        "detail": event({"detail": WORDS}),
        "top level": event({"object": "error", "message": WORDS, "code": 500}),
        "JSON in a string": event({"error": {"message": json.dumps(ERROR)}}),
        "beside empty choices": event({"choices": [], **ERROR}),
        "a list": event([WORDS]),
    }
    for name, rest in forms.items():
        yield (
            name,
            fault(
                after("Half of ", rest), "answered with an error", WORDS, text="Half of"
            ),
        )
        yield (
            f"{name}, at once",
            fault(Answer(pieces=[(0.0, rest)]), "answered with an error", WORDS),
        )
        yield (
            f"{name}, then dropped",
            fault(after("Half of ", rest, end="drop"), WORDS, text="Half of"),
        )
    finish = after("Half of ", event(delta(finish="error")))
    yield (
        "a reason to finish, as KoboldCpp",
        fault(finish, "it stopped with an error", text="Half of"),
    )
    ndjson = after("Half of ", json.dumps({"error": WORDS}).encode() + b"\n")
    yield "a line of JSON, as Ollama", fault(ndjson, CUT, WORDS, text="Half of")


UNEXPECTED = "Unexpected endpoint or method. (POST /chat/completions)"


def no_streams() -> Iterator[tuple[str, Fault]]:
    """Answers with a good status that hold no reply."""
    no_reply = "answered 200, but not with a reply"
    for name, (body, kind) in BODIES.items():
        yield name, fault(plain(body, kind), no_reply, WORDS, "base_url")
    yield (
        "LM Studio's wrong path",
        fault(as_json({"error": UNEXPECTED}), no_reply, UNEXPECTED),
    )
    yield "nothing", fault(plain(""), no_reply, "nothing came")
    yield "nothing, as a stream", fault(stream(done=False), no_reply, "nothing came")
    yield "[DONE] alone", fault(stream(), no_reply, "nothing came")
    yield (
        "comments alone",
        fault(
            Answer(pieces=[(0.0, b": ping\n\n: ping\n\n")]), no_reply, "nothing came"
        ),
    )
    yield (
        "a role alone",
        fault(stream(delta(role="assistant", content=None)), no_reply, "nothing came"),
    )
    yield "usage alone", fault(stream(usage(7, 0)), no_reply)
    yield (
        "the page of another server",
        fault(plain("Ollama is running"), no_reply, "Ollama is running"),
    )
    yield "bytes", fault(Answer(pieces=[(0.0, bytes(range(256)))]), no_reply)
    yield "a number", fault(as_json(42), no_reply)
    yield "an empty list", fault(as_json([]), no_reply)


def conversations() -> dict[str, list[bytes]]:
    """The events of a good reply, as different servers write them; each has a text that
    is not ASCII.
    """
    first, last = {"role": "assistant", "content": None}, delta(finish="stop")
    return {
        "llama.cpp": [
            event(one)
            for one in (
                delta(**first),
                delta("Grüße "),
                delta("日本 "),
                delta("🙂"),
                last,
            )
        ],
        "Ollama": [
            event(one)
            for one in (
                delta("Grüße ", role="assistant"),
                delta("日本 🙂"),
                last,
                usage(7, 3),
            )
        ],
        "gpt-oss": [
            event(one)
            for one in (
                delta("", reasoning="Grüße?"),
                delta("Grüße "),
                delta("日本 🙂"),
                last,
            )
        ],
        "a think tag": [
            event(one)
            for one in (
                delta("<thi"),
                delta("nk>so</think>"),
                delta("Grüße 日本 🙂"),
                last,
            )
        ],
        "an end of thoughts": [
            event(one)
            for one in (
                delta("so"),
                delta("\n</thi"),
                delta("nk>\n\n"),
                delta("Grüße 日本 🙂"),
                last,
            )
        ],
        "CRLF": [
            b": ping\r\n\r\n",
            *(
                event(one).replace(b"\n", b"\r\n")
                for one in (delta("Grüße 日本 🙂"), last)
            ),
        ],
    }


ENDINGS: dict[str, dict[str, Any]] = {
    "the body ends": {},
    "the connection drops": {"end": "drop"},
    "a length is not kept": {"end": "drop", "framing": "length"},
    "the connection closes": {"framing": "close"},
}


def cuts() -> Iterator[tuple[str, Fault]]:
    """Good replies that are cut at several bytes: inside each event's name, JSON,
    characters, and between events.
    """
    for number, (name, events) in enumerate(conversations().items()):
        body, end = b"".join(events), b"".join(events).index(b'"finish_reason": "stop"')
        places = sorted(
            {
                1,
                4,
                *(end * part // 7 for part in range(1, 7)),
                body.index("ü".encode()) + 1,
                end,
            }
        )
        for turn, place in enumerate(places):
            ending = list(ENDINGS)[(number + turn) % len(ENDINGS)]
            answer = Answer(pieces=[(0.0, body[:place])], **ENDINGS[ending])
            yield (
                f"{name} at byte {place}, {ending}",
                fault(answer, text=_settled(events, place)),
            )


def _settled(events: list[bytes], place: int) -> str:
    """The text that is surely there when the body is cut at a byte: that of the events
    before it.
    """
    text, seen = "", 0
    for data in events:
        seen += len(data)
        if seen > place or not data.startswith(b"data:"):
            continue
        choice = json.loads(data.removeprefix(b"data:"))["choices"]
        text += (choice and choice[0]["delta"].get("content")) or ""
    text = text.rpartition("</think>")[2].removeprefix("<thi")
    return text.removesuffix("\n</thi").strip()


def not_http() -> Iterator[tuple[str, Fault]]:
    """What is on the line is no HTTP, or stops to be."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    closed = "closed the connection without an answer"
    yield "closed at once", fault(raw(), closed)
    yield "closed in the status", fault(raw(b"HTTP/1.1 20"), closed)
    yield "closed in the headers", fault(raw(head), closed)
    yield "another protocol", fault(raw(b"SSH-2.0-OpenSSH_9.6\r\n"), closed)
    yield "an endless header", fault(raw(head + b"X: " + b"x" * 200_000), closed)
    yield (
        "a length that is none",
        fault(raw(head + b"Content-Length: many\r\n\r\n"), closed),
    )
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    yield "a chunk that is none", fault(raw(chunked, b"zz\r\n"), CUT)
    part = event(delta("Half of "))
    framed = b"%x\r\n%b\r\n" % (len(part), part)
    yield (
        "a chunk that is none, later",
        fault(raw(chunked + framed, b"zz\r\n"), CUT, text="Half of"),
    )
    gzip = head + b"Content-Encoding: gzip\r\n\r\n" + part
    yield "gzip that is none", fault(raw(gzip), CUT)


def waits() -> Iterator[tuple[str, Fault]]:
    """Servers that keep one waiting."""
    silent, longer = (
        f"sent nothing for {WAIT:g} s",
        f"%config LocalProvider.first_token_timeout = {2 * WAIT:g}",
    )
    head = [bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 200]
    pings = [(0.2, b": ping\n\n")] * 100
    part = event(delta("Half of "))
    fell = (
        f"paused for {PAUSE:g} s",
        f"%config LocalProvider.next_token_timeout = {2 * PAUSE:g}",
    )
    yield "no headers", fault(hang(), silent, longer)
    yield "headers that trickle", fault(raw(*head, pause=0.1), silent, longer)
    yield "headers and no more", fault(Answer(end="hang"), silent, longer)
    yield (
        "a role and no more",
        fault(stream(delta(role="assistant"), done=False, end="hang"), silent, longer),
    )
    yield "comments and no more", fault(Answer(pieces=pings), silent, longer)
    yield (
        "an answer that stops",
        fault(Answer(pieces=[(0.0, part)], end="hang"), *fell, text="Half of"),
    )
    yield (
        "an answer, then comments",
        fault(Answer(pieces=[(0.0, part), *pings]), *fell, text="Half of"),
    )
    yield (
        "an answer, then trickled bytes",
        fault(
            Answer(pieces=[(0.0, part), *((0.2, bytes([byte])) for byte in part)]),
            *fell,
            text="Half of",
        ),
    )


def floods() -> Iterator[tuple[str, Fault]]:
    """Servers that send more than can be an answer."""
    million = b"x" * (1 << 20)
    line = [
        (0.0, b'data: {"choices":[{"delta":{"content":"'),
        *((0.0, million) for _ in range(100)),
    ]
    yield "a line of 100 MB", fault(Answer(pieces=line), "one event of more than 8 MiB")
    yield (
        "an error of 100 MB",
        fault(Answer(status=500, pieces=[(0.0, million)] * 100), "(500)", "xxxx"),
    )
    yield (
        "a page of 100 MB",
        fault(
            Answer(pieces=[(0.0, (b"x" * 999 + b"\n") * 1000)] * 100),
            "sent more than 64 MiB",
        ),
    )


GROUPS = {
    "status": errors_by_status,
    "closed": closed_doors,
    "redirect": redirects,
    "window": overflows,
    "in the stream": in_the_stream,
    "no stream": no_streams,
    "cut": cuts,
    "no HTTP": not_http,
    "wait": waits,
    "flood": floods,
}
FAULTS: dict[str, Fault] = {
    f"{group}: {name}": one for group, cases in GROUPS.items() for name, one in cases()
}
"""All of them, by name."""

GOOD = Answer(pieces=[(0.0, event(delta("Well again.", finish="stop")) + DONE)])
"""What the server answers when it is well."""
