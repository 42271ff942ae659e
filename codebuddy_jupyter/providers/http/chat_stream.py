"""The body of a streamed chat completion, read into chunks: bytes in, Chunks out.

Nothing here waits or connects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...messages import Chunk, ToolCall, Usage
from .server_error import ErrorResponse, as_mapping, parsed

OPEN, CLOSE = "<think>", "</think>"
# bytes of a body that is no stream, of which are kept enough to say what came
MOST_OTHER = 1 << 20
# bytes of one event; a whole reply that is no stream has room in it
MOST_LINE = 8 << 20


class Events:
    """Server-sent events out of bytes; ``other`` is what came besides, such as a page
    or a JSON text.
    """

    def __init__(self) -> None:
        self.other = bytearray()
        self._rest = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The events (name and data) that ``data`` completes.

        Raises
        ------
        ErrorResponse
            When one grows beyond what can be an event.
        """
        head, newline, tail = data.rpartition(b"\n")
        if not newline:
            self._rest += data
            self._check_size(len(self._rest))
            return []
        # Only at LF: text in JSON may hold other separators, which str.splitlines and
        # httpx's own lines would cut at.
        lines = (bytes(self._rest) + head).split(b"\n")
        self._rest = bytearray(tail)
        events: list[tuple[str, bytes]] = []
        for line in lines:
            self._take(line.removesuffix(b"\r"), events)
        return events

    def flush(self) -> list[tuple[str, bytes]]:
        """The event that the end of the body completes, if any."""
        return self.feed(b"\n\n")

    def _take(self, line: bytes, events: list[tuple[str, bytes]]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
            self._size += len(line)
            self._check_size(self._size)
        elif not line:
            if self._data:
                events.append((self._name, b"\n".join(self._data)))
            self._name, self._data, self._size = "", [], 0
        elif line.startswith(b"event:"):
            self._name = line[6:].strip().decode("utf-8", "replace")
        elif (
            not line.startswith((b":", b"id:", b"retry:"))
            and len(self.other) < MOST_OTHER
        ):
            self.other += line + b"\n"

    def _check_size(self, size: int) -> None:
        if size > MOST_LINE:
            self._rest.clear()
            self._data.clear()
            raise ErrorResponse(f"it sent one event of more than {MOST_LINE >> 20} MiB")


class Thinking:
    """Parts the text of a reply into reasoning and answer.

    Reasoning is what stands in ``<think>…</think>`` at the very start; a tag anywhere
    else is text like any other.
    """

    def __init__(self) -> None:
        self._held = ""
        self._read = self._at_start

    def feed(self, text: str) -> tuple[str, str]:
        """The reasoning and the answer that are certain now; what may be a piece of a
        tag is held back.
        """
        return self._read(text)

    def flush(self) -> tuple[str, str]:
        """What was held back, when nothing more comes."""
        held, self._held = self._held, ""
        return ("", held) if self._read == self._at_start else (held, "")

    def _at_start(self, text: str) -> tuple[str, str]:
        self._held += text
        seen = self._held.lstrip()
        if OPEN.startswith(seen):
            return "", ""
        held, self._held = self._held, ""
        if not seen.startswith(OPEN):
            self._read = self._in_answer
            return "", held
        self._read = self._before_reasoning
        return self._read(seen.removeprefix(OPEN))

    def _before_reasoning(self, text: str) -> tuple[str, str]:
        text = text.lstrip()
        if not text:
            return "", ""
        self._read = self._in_reasoning
        return self._read(text)

    def _in_reasoning(self, text: str) -> tuple[str, str]:
        reasoning, tag, answer = (self._held + text).partition(CLOSE)
        self._held = ""
        if not tag:
            self._held = _start_of(CLOSE, reasoning)
            return reasoning.removesuffix(self._held), ""
        self._read = self._before_answer
        return reasoning, self._read(answer)[1]

    def _before_answer(self, text: str) -> tuple[str, str]:
        text = text.lstrip("\r\n")
        if text:
            self._read = self._in_answer
        return "", text

    def _in_answer(self, text: str) -> tuple[str, str]:
        return "", text


def _start_of(tag: str, text: str) -> str:
    """The longest end of ``text`` with which ``tag`` begins."""
    return next(
        (tag[:n] for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), ""
    )


@dataclass
class _Call:
    index: Any
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ToolCalls:
    """Puts tool calls together from the pieces in which they come: by index, else by
    order.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def feed(self, pieces: object) -> None:
        """Take the ``tool_calls`` of a delta."""
        for piece in pieces if isinstance(pieces, list) else []:
            if isinstance(piece, Mapping):
                self._take(piece)

    def flush(self) -> tuple[ToolCall, ...]:
        """The calls, whole; those without an id get one."""
        calls, self._calls = self._calls, []
        return tuple(
            ToolCall(call.id or f"call_{i}", call.name, "".join(call.arguments))
            for i, call in enumerate(calls)
        )

    def _take(self, piece: Mapping[str, Any]) -> None:
        function = as_mapping(piece.get("function"))
        index, key, name = (
            piece.get("index"),
            piece.get("id") or "",
            function.get("name") or "",
        )
        call = next(
            (c for c in reversed(self._calls) if index is None or c.index == index),
            None,
        )
        # Some servers number every call 0, or none of them: a new id, or without one a
        # second name, is a new call.
        if (
            call is None
            or (key and call.id and key != call.id)
            or (not key and name and call.name)
        ):
            call = _Call(index, key)
            self._calls.append(call)
        call.id = call.id or key
        call.name += name
        arguments = function.get("arguments") or ""
        call.arguments.append(
            arguments
            if isinstance(arguments, str)
            else json.dumps(arguments, ensure_ascii=False)
        )


class ChatStream:
    """Reads the body of a reply.

    ``began`` tells whether anything of a reply came, ``whole`` whether its end did.

    Parameters
    ----------
    events
        What takes the body apart; by default server-sent events.
    """

    def __init__(self, events: Events | None = None) -> None:
        self.began = False
        self.finish = ""
        self.done = False
        self._events = events or Events()
        self._thinking = Thinking()
        self._calls = ToolCalls()
        self._usage: Usage | None = None

    @property
    def whole(self) -> bool:
        """Whether the server said that the reply is at its end: by a reason, or by
        ``[DONE]``.
        """
        return bool(self.finish) or self.done

    @property
    def other(self) -> object:
        """What came besides the stream: parsed JSON, text, or an empty text."""
        return parsed(bytes(self._events.other).strip())

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """The chunks that these bytes complete.

        Raises
        ------
        ErrorResponse
            Where an error stands in the stream; chunks before it were given.
        """
        for name, event in self._events.feed(data):
            yield from self._read_event(name, event)

    def flush(self) -> Iterator[Chunk]:
        """The chunks that the end of the body completes; where the body was no stream
        but a whole reply, that.

        Raises
        ------
        ErrorResponse
            Where an error stands at the end of the stream.
        """
        for name, event in self._events.flush():
            # else it was cut in its midst
            if event.startswith(b"[DONE]") or isinstance(parsed(event), Mapping):
                yield from self._read_event(name, event)
        if not self.began and "choices" in (other := as_mapping(self.other)):
            yield from self._read(other)
        yield from self._settle(whole=self.whole)
        if self._usage:
            yield Chunk(usage=self._usage)

    def _read_event(self, name: str, event: bytes) -> Iterator[Chunk]:
        if event.startswith(b"[DONE]"):
            self.done = True
            yield from self._settle(whole=True)
            return
        payload = parsed(event)
        if name == "error" or not (
            isinstance(payload, Mapping) or payload in ("", None)
        ):
            raise ErrorResponse(payload)
        if isinstance(payload, Mapping):
            yield from self._read(payload)

    def _read(self, payload: Mapping[str, Any]) -> Iterator[Chunk]:
        choices = payload.get("choices")
        if payload.get("error") or (
            choices is None
            and (payload.get("detail") or payload.get("object") == "error")
        ):
            raise ErrorResponse(payload)
        self._count(as_mapping(payload.get("usage")))
        choice = as_mapping(choices[0]) if isinstance(choices, list) and choices else {}
        # more than one answer was asked for: the first is shown
        if not choice or choice.get("index"):
            return
        yield from self._read_delta(
            as_mapping(choice.get("delta") or choice.get("message"))
        )
        if finish := choice.get("finish_reason"):
            yield from self._end(str(finish), payload)

    def _read_delta(self, delta: Mapping[str, Any]) -> Iterator[Chunk]:
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        text, pieces = (
            _text(delta.get("content") or delta.get("refusal")),
            delta.get("tool_calls"),
        )
        if not isinstance(reasoning, str):
            reasoning = ""
        self.began = self.began or bool(reasoning or text or pieces)
        if reasoning:
            yield Chunk(reasoning=reasoning)
        if text:
            thought, answer = self._thinking.feed(text)
            if thought or answer:
                yield Chunk(answer, thought)
        self._calls.feed(pieces)

    def _end(self, finish: str, payload: Mapping[str, Any]) -> Iterator[Chunk]:
        yield from self._settle(whole=True)
        if finish == "error":
            raise ErrorResponse(
                payload.get("message")
                or "it broke off with an error and did not say which"
            )
        self.began, self.finish = True, finish
        yield Chunk(finish=finish)

    def _settle(self, *, whole: bool) -> Iterator[Chunk]:
        thought, answer = self._thinking.flush()
        calls = self._calls.flush()
        if thought or answer or (whole and calls):
            yield Chunk(answer, thought, calls if whole else ())

    def _count(self, usage: Mapping[str, Any]) -> None:
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        # some servers put a usage of zeros into every chunk
        if prompt or completion:
            self._usage = Usage(prompt, completion)


def _text(content: object) -> str:
    """The text of a ``content``: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(
        part["text"]
        for part in map(as_mapping, parts)
        if isinstance(part.get("text"), str)
    )
