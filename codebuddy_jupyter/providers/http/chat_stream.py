"""The body of a streamed chat completion, parsed into chunks: bytes in, Chunks out.

Nothing here waits or connects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ...messages import Chunk, Reading, ToolCall, Usage
from .server_error import ErrorResponse, as_mapping, one_line, parsed
from .thinking import Thinking

# Bytes that are kept of a body that is not a stream: enough to say what it was.
MAX_OTHER = 1 << 20
# Bytes of one event; a complete reply that is not a stream fits.
MAX_EVENT = 8 << 20
# A count or a time that is larger is wrong.
LARGEST_NUMBER = 1e12
# Characters of a reason to finish.
MAX_FINISH = 40
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What servers call the end of an answer at a limit of its length.
LIMITS = frozenset(
    {
        "length",
        "max_tokens",
        "max_token",
        "model_length",
        "max_length",
        "max_output_tokens",
        "max_completion_tokens",
        "max_new_tokens",
        "length_limit",
        "token_limit",
        "limit",
        "context_length",
        "context_length_exceeded",
        "context_window_exceeded",
        "model_context_window_exceeded",
    }
)
# What they call its plain end.
PLAIN_ENDS = frozenset(
    {
        "stop",
        "stopped",
        "eos",
        "eos_token",
        "stop_sequence",
        "stop_token",
        "end",
        "end_turn",
        "end_of_turn",
        "complete",
        "completed",
        "done",
        "finished",
        "success",
    }
)
# What they write where there is none yet.
NO_END = frozenset({"", "null", "none", "unspecified"})
# The fields in which servers put reasoning.
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_text")
# The fields in which they put the text of an answer.
TEXT_FIELDS = ("content", "text", "refusal")


class Events:
    """Parses bytes into server-sent events.

    Attributes
    ----------
    other
        What is not an event, such as a web page or a JSON text.
    """

    def __init__(self) -> None:
        self.other = bytearray()
        self._head: bytes | None = b""
        self._ends_in_cr = False
        self._rest = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """Return the events (name and data) that ``data`` completes.

        Raises
        ------
        ErrorResponse
            If an event is larger than `MAX_EVENT`.
        """
        data = self._with_newlines(self._after_mark(data))
        head, newline, tail = data.rpartition(b"\n")
        if not newline:
            self._rest += data
            self._check_size(len(self._rest))
            return []
        # Split at LF only: text in JSON may contain other separators, at which
        # str.splitlines and httpx's own line decoder would split.
        self._rest += head
        lines = bytes(self._rest).split(b"\n")
        self._rest = bytearray(tail)
        events: list[tuple[str, bytes]] = []
        for line in lines:
            self._read_line(line, events)
        return events

    def flush(self) -> list[tuple[str, bytes]]:
        """Return the event that the end of the body completes, if any."""
        # What may have been the start of a byte order mark.
        head = self._head or b""
        self._head = None
        return self.feed(head + b"\n\n")

    def _after_mark(self, data: bytes) -> bytes:
        """Return the data without a byte order mark at the start of the body."""
        if self._head is None:
            return data
        data = self._head + data
        is_shorter = len(data) < len(BYTE_ORDER_MARK)
        if is_shorter and BYTE_ORDER_MARK.startswith(data):
            self._head = data
            return b""
        self._head = None
        return data.removeprefix(BYTE_ORDER_MARK)

    def _with_newlines(self, data: bytes) -> bytes:
        """Return the data with LF at the end of each line, where CR and CRLF can be."""
        if self._ends_in_cr and data:
            # The LF of a CRLF, whose CR has ended the line.
            data = data.removeprefix(b"\n")
            self._ends_in_cr = False
        if b"\r" not in data:
            return data
        self._ends_in_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _read_line(self, line: bytes, events: list[tuple[str, bytes]]) -> None:
        if line.startswith(b"data:"):
            data = line.removeprefix(b"data:")
            self._data.append(data.removeprefix(b" "))
            self._size += len(line)
            self._check_size(self._size)
        elif not line:
            self._end_event(events)
        elif line.startswith(b"event:"):
            name = line.removeprefix(b"event:").strip()
            self._name = name.decode("utf-8", "replace")
        elif not line.startswith((b":", b"id:", b"retry:")):
            self._keep_other(line)

    def _end_event(self, events: list[tuple[str, bytes]]) -> None:
        if self._data:
            data = b"\n".join(self._data)
            events.append((self._name, data))
        self._name = ""
        self._data = []
        self._size = 0

    def _keep_other(self, line: bytes) -> None:
        if len(self.other) < MAX_OTHER:
            self.other += line + b"\n"

    def _check_size(self, size: int) -> None:
        if size <= MAX_EVENT:
            return
        self._rest.clear()
        self._data.clear()
        raise ErrorResponse(f"it sent one event of more than {MAX_EVENT >> 20} MiB")


@dataclass
class _PartialCall:
    """A tool call that is being received."""

    index: Any
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def may_be_complete(self, next_name: str) -> bool:
        """Return whether a piece with this name can belong to another call."""
        arguments = "".join(self.arguments)
        if not arguments:
            return next_name != self.name
        return isinstance(parsed(arguments), Mapping)


class ToolCalls:
    """Assembles tool calls from the pieces in which they come."""

    def __init__(self) -> None:
        self._calls: list[_PartialCall] = []

    def feed(self, pieces: object) -> None:
        """Take the ``tool_calls`` of a delta."""
        if not isinstance(pieces, list):
            return
        for piece in pieces:
            if isinstance(piece, Mapping):
                self._take(piece)

    def flush(self) -> tuple[ToolCall, ...]:
        """Return the calls as far as they came; those without an id get one."""
        received = []
        for number, call in enumerate(self._calls):
            call_id = call.id or f"call_{number}"
            arguments = "".join(call.arguments)
            received.append(ToolCall(call_id, call.name, arguments))
        self._calls = []
        return tuple(received)

    def _take(self, piece: Mapping[str, Any]) -> None:
        function = as_mapping(piece.get("function"))
        call_id = piece.get("id") or ""
        name = function.get("name")
        if not isinstance(name, str):
            name = ""
        index = piece.get("index")
        call = self._continued(index, call_id, name)
        if call is None:
            call = _PartialCall(index, call_id)
            self._calls.append(call)
        if not call.id:
            call.id = call_id
        # Some servers repeat the name in each piece.
        if name != call.name:
            call.name += name
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        call.arguments.append(arguments)

    def _continued(self, index: Any, call_id: str, name: str) -> _PartialCall | None:
        """Return the call that a piece continues: by index, else the last one; None if
        the piece begins a new call.

        Some servers number every call 0, or none of them. Then a new id begins a new
        call, or without ids a name after complete arguments, or another name.
        """
        for call in reversed(self._calls):
            if index is None or call.index == index:
                is_other_id = call_id and call.id and call_id != call.id
                is_second_name = not call_id and name and call.name
                if is_other_id or (is_second_name and call.may_be_complete(name)):
                    return None
                return call
        return None


_Piece = tuple[Mapping[str, Any], Mapping[str, Any]]
"""A choice, and the payload that it came in."""


class ChatStream:
    """Parses the body of a reply.

    Parameters
    ----------
    events
        Splits the body into events; by default server-sent events.
    has_several
        Whether several answers were requested; the first is shown.

    Attributes
    ----------
    began
        Whether any part of a reply came.
    finish
        The ``finish_reason`` of the reply, ``length`` for a limit of any name and
        ``stop`` for a plain end; empty until it came.
    done
        Whether ``[DONE]`` came.
    """

    def __init__(
        self, events: Events | None = None, *, has_several: bool = False
    ) -> None:
        self.began = False
        self.has_several = has_several
        self.finish = ""
        self.done = False
        self._events = events or Events()
        self._thinking = Thinking()
        self._calls = ToolCalls()
        self._usage: Usage | None = None
        # What the server reports about reading the prompt, with its answer.
        self._timings: Mapping[str, Any] = {}
        self._index: str | None = None
        self._is_numbered = False
        self._aside: dict[str, list[_Piece]] = {}

    @property
    def is_complete(self) -> bool:
        """Whether the server marked the end of the reply, by ``finish_reason`` or by
        ``[DONE]``.
        """
        return bool(self.finish) or self.done

    @property
    def other(self) -> object:
        """What came besides the stream: parsed JSON, text, or an empty text."""
        other = bytes(self._events.other)
        return parsed(other.strip())

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Yield the chunks that these bytes complete.

        Raises
        ------
        ErrorResponse
            If the stream contains an error; the chunks before it were given.
        """
        for name, event in self._events.feed(data):
            yield from self._read_event(name, event)

    def flush(self) -> Iterator[Chunk]:
        """Yield the chunks that the end of the body completes. If the body was a
        complete reply and not a stream, give that.

        Raises
        ------
        ErrorResponse
            If there is an error at the end of the stream.
        """
        for name, event in self._events.flush():
            is_end = event.startswith(b"[DONE]")
            # Any other text that is not JSON is an event that was cut off.
            is_whole = is_end or isinstance(parsed(event), Mapping)
            if is_whole or name == "error":
                yield from self._read_event(name, event)
        if not self.began:
            other = as_mapping(self.other)
            if "choices" in other:
                yield from self._read_payload(other)
        if not self.finish:
            yield from self._read_aside()
        yield from self._release(is_complete=self.is_complete)
        if self._usage:
            yield Chunk(usage=self._with_timings(self._usage))

    def _read_event(self, name: str, event: bytes) -> Iterator[Chunk]:
        if event.startswith(b"[DONE]"):
            self.done = True
            if not self.finish:
                yield from self._read_aside()
            yield from self._release(is_complete=True)
            return
        payload = parsed(event)
        if name == "error":
            raise ErrorResponse(payload)
        if isinstance(payload, Mapping):
            yield from self._read_payload(payload)
        elif payload not in ("", None):
            raise ErrorResponse(payload)

    def _read_payload(self, payload: Mapping[str, Any]) -> Iterator[Chunk]:
        if _is_error(payload):
            raise ErrorResponse(payload)
        reading = _reading_of(as_mapping(payload.get("prompt_progress")))
        if reading is not None:
            yield Chunk(reading=reading)
        self._timings = as_mapping(payload.get("timings")) or self._timings
        self._count(as_mapping(payload.get("usage")))
        choice = _first_choice(payload.get("choices"))
        if not choice:
            return
        index = str(choice.get("index") or 0)
        if self._index is None:
            self._index = index
        if index == self._index:
            # The choices that came between belong to other answers.
            self.has_several = self.has_several or bool(self._aside)
            self._aside = {}
            yield from self._read_choice(choice, payload)
        elif self._is_numbered:
            yield from self._read_choice(choice, payload)
        elif not self.has_several:
            # Another answer, or a server that numbers the pieces of the one.
            group = self._aside.setdefault(index, [])
            group.append((choice, payload))
            if len(self._aside) > 1:
                yield from self._read_aside()

    def _read_aside(self) -> Iterator[Chunk]:
        """Read what turned out to be pieces of the one answer."""
        if not self._aside:
            return
        self._is_numbered = True
        groups = self._aside.values()
        self._aside = {}
        for group in groups:
            for choice, payload in group:
                yield from self._read_choice(choice, payload)

    def _read_choice(
        self, choice: Mapping[str, Any], payload: Mapping[str, Any]
    ) -> Iterator[Chunk]:
        yield from self._read_delta(_delta_of(choice))
        finish = _finish_of(choice.get("finish_reason"))
        if finish:
            yield from self._end(finish, payload)

    def _read_delta(self, delta: Mapping[str, Any]) -> Iterator[Chunk]:
        content = next(filter(None, map(delta.get, TEXT_FIELDS)), None)
        thoughts = next(filter(None, map(delta.get, REASONING_FIELDS)), None)
        reasoning = (
            _text_of(thoughts) or _reasoning_of(thoughts) or _reasoning_of(content)
        )
        text = _text_of(content)
        calls = delta.get("tool_calls")
        if reasoning or text or calls:
            self.began = True
        if reasoning:
            yield Chunk(reasoning=reasoning)
        if text:
            yield from self._thinking.feed(text)
        self._calls.feed(calls)

    def _end(self, finish: str, payload: Mapping[str, Any]) -> Iterator[Chunk]:
        yield from self._release(is_complete=True)
        if finish == "error":
            message = payload.get("message")
            if not message:
                message = "it stopped with an error and gave no reason"
            raise ErrorResponse(message)
        self.began = True
        self.finish = finish
        yield Chunk(finish=finish)

    def _release(self, *, is_complete: bool) -> Iterator[Chunk]:
        """Yield the text that was held back; the tool calls only if they are complete."""
        yield from self._thinking.flush()
        calls = self._calls.flush()
        if calls and is_complete:
            yield Chunk(tool_calls=calls)

    def _count(self, usage: Mapping[str, Any]) -> None:
        prompt = _whole_number(usage.get("prompt_tokens"))
        completion = _whole_number(usage.get("completion_tokens"))
        # Some servers put a usage of zeros into every chunk.
        if prompt or completion:
            details = as_mapping(usage.get("prompt_tokens_details"))
            cached = _whole_number(details.get("cached_tokens"))
            read = None
            if cached is not None and prompt is not None:
                read = max(prompt - cached, 0)
            self._usage = Usage(prompt, completion, read)

    def _with_timings(self, usage: Usage) -> Usage:
        """Return what the request cost, with how fast the prompt was read.

        llama.cpp reports that: https://github.com/ggml-org/llama.cpp/tree/master/tools/server.
        """
        read = _whole_number(self._timings.get("prompt_n"))
        milliseconds = _number(self._timings.get("prompt_ms"))
        if read is not None:
            usage = replace(usage, read_tokens=read)
        if milliseconds is not None:
            usage = replace(usage, read_seconds=milliseconds / 1000)
        return usage


def _number(value: object) -> float | None:
    """Return a number that is not negative; None for anything else."""
    # True is an int, too; NaN is not equal to itself.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= cast(float, value) < LARGEST_NUMBER:
        return None
    return cast(float, value)


def _whole_number(value: object) -> int | None:
    """Return a count; None for anything else."""
    number = _number(value)
    if number is None:
        return None
    return int(number)


def _reading_of(progress: Mapping[str, Any]) -> Reading | None:
    """Return how far the prompt is read; None if that is not reported."""
    done = _number(progress.get("processed"))
    total = _number(progress.get("total"))
    if done is None or not total:
        return None
    cached = _number(progress.get("cache")) or 0
    milliseconds = _number(progress.get("time_ms")) or 0.0
    done = min(done, total)
    return Reading(
        int(done),
        int(total),
        min(int(cached), int(done)),
        milliseconds / 1000,
    )


def _is_error(payload: Mapping[str, Any]) -> bool:
    if payload.get("error"):
        return True
    if payload.get("choices") is not None:
        return False
    if payload.get("object") == "error":
        return True
    return bool(payload.get("detail"))


def _first_choice(choices: object) -> Mapping[str, Any]:
    """Return the first of the choices in a payload; empty if there is none."""
    if not isinstance(choices, list) or not choices:
        return {}
    objects = [as_mapping(choice) for choice in choices]
    for choice in objects:
        if str(choice.get("index") or 0) == "0":
            return choice
    return objects[0]


def _delta_of(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the new part of the answer, under any of the names that it has."""
    for name in ("delta", "message"):
        delta = choice.get(name)
        if delta and isinstance(delta, Mapping):
            # Some put the text beside a delta that has the role alone.
            return {**choice, **delta}
        if delta and isinstance(delta, str):
            return {"content": delta}
    return choice


def _finish_of(reason: object) -> str:
    """Return why an answer ended, by the name that is used here; empty if it did not."""
    if isinstance(reason, Mapping):
        reason = reason.get("type") or reason.get("reason")
    if not reason:
        return ""
    name = one_line(str(reason))[:MAX_FINISH]
    lower = name.lower().removeprefix("finish_reason_")
    if lower in NO_END:
        return ""
    if lower in LIMITS:
        return "length"
    if lower in PLAIN_ENDS:
        return "stop"
    return lower


def _text_of(content: object) -> str:
    """Return the text of a ``content``: a string, an object that has it, or a list of
    such parts, without those that hold reasoning.
    """
    if isinstance(content, str):
        return content
    if _holds_reasoning(content):
        return ""
    if isinstance(content, Mapping):
        text = content.get("text") or content.get("content")
        if isinstance(text, str):
            return text
        return ""
    if not isinstance(content, list):
        return ""
    return "".join(map(_text_of, content))


def _reasoning_of(content: object) -> str:
    """Return the reasoning of a ``content``: an object that holds it, or those among the
    parts, as Mistral sends them.
    """
    parts = content if isinstance(content, list) else [content]
    texts = []
    for part in filter(_holds_reasoning, parts):
        inner = part.get("thinking") or part.get("reasoning") or part.get("text")
        texts.append(_text_of(inner))
    return "".join(texts)


def _holds_reasoning(part: object) -> bool:
    kind = as_mapping(part).get("type")
    return isinstance(kind, str) and kind.startswith(("thinking", "reasoning"))
