"""The body of a streamed chat completion, parsed into chunks: bytes in, Chunks out.

Nothing here waits or connects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...messages import Chunk, ToolCall, Usage
from .server_error import ErrorResponse, as_mapping, parsed

THINK_START = "<think>"
THINK_END = "</think>"
# Bytes that are kept of a body that is not a stream: enough to say what it was.
MAX_OTHER = 1 << 20
# Bytes of one event; a complete reply that is not a stream fits.
MAX_EVENT = 8 << 20


class Events:
    """Parses bytes into server-sent events.

    Attributes
    ----------
    other
        What is not an event, such as a web page or a JSON text.
    """

    def __init__(self) -> None:
        self.other = bytearray()
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
            self._read_line(line.removesuffix(b"\r"), events)
        return events

    def flush(self) -> list[tuple[str, bytes]]:
        """Return the event that the end of the body completes, if any."""
        return self.feed(b"\n\n")

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


class Thinking:
    """Splits the text of a reply into reasoning and answer.

    Reasoning is the text in ``<think>…</think>`` at the very start; a tag anywhere else
    is ordinary text.
    """

    def __init__(self) -> None:
        self._held = ""
        self._read = self._at_start

    def feed(self, text: str) -> tuple[str, str]:
        """Return the reasoning and the answer that are certain now; what may be part of
        a tag is held back.
        """
        return self._read(text)

    def flush(self) -> tuple[str, str]:
        """Return what was held back, at the end of the text."""
        held = self._held
        self._held = ""
        if self._read == self._at_start:
            return "", held
        return held, ""

    def _at_start(self, text: str) -> tuple[str, str]:
        self._held += text
        seen = self._held.lstrip()
        if THINK_START.startswith(seen):
            return "", ""
        held = self._held
        self._held = ""
        if not seen.startswith(THINK_START):
            self._read = self._in_answer
            return "", held
        self._read = self._before_reasoning
        return self._read(seen.removeprefix(THINK_START))

    def _before_reasoning(self, text: str) -> tuple[str, str]:
        text = text.lstrip()
        if not text:
            return "", ""
        self._read = self._in_reasoning
        return self._read(text)

    def _in_reasoning(self, text: str) -> tuple[str, str]:
        text = self._held + text
        self._held = ""
        reasoning, tag, rest = text.partition(THINK_END)
        if not tag:
            self._held = _partial_tag(THINK_END, reasoning)
            return reasoning.removesuffix(self._held), ""
        self._read = self._before_answer
        _, answer = self._read(rest)
        return reasoning, answer

    def _before_answer(self, text: str) -> tuple[str, str]:
        text = text.lstrip("\r\n")
        if text:
            self._read = self._in_answer
        return "", text

    def _in_answer(self, text: str) -> tuple[str, str]:
        return "", text


def _partial_tag(tag: str, text: str) -> str:
    """Return the longest end of ``text`` with which ``tag`` begins."""
    part = tag[:-1]
    while not text.endswith(part):
        part = part[:-1]
    return part


@dataclass
class _PartialCall:
    """A tool call that is being received."""

    index: Any
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)


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
        """Return the complete calls; those without an id get one."""
        complete = []
        for number, call in enumerate(self._calls):
            call_id = call.id or f"call_{number}"
            arguments = "".join(call.arguments)
            complete.append(ToolCall(call_id, call.name, arguments))
        self._calls = []
        return tuple(complete)

    def _take(self, piece: Mapping[str, Any]) -> None:
        function = as_mapping(piece.get("function"))
        call_id = piece.get("id") or ""
        name = function.get("name") or ""
        index = piece.get("index")
        call = self._continued(index, call_id, name)
        if call is None:
            call = _PartialCall(index, call_id)
            self._calls.append(call)
        if not call.id:
            call.id = call_id
        call.name += name
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        call.arguments.append(arguments)

    def _continued(self, index: Any, call_id: str, name: str) -> _PartialCall | None:
        """Return the call that a piece continues: by index, else the last one; None if
        the piece begins a new call.

        Some servers number every call 0, or none of them. Then a new id, or without ids
        a second name, begins a new call.
        """
        for call in reversed(self._calls):
            if index is None or call.index == index:
                is_other_id = call_id and call.id and call_id != call.id
                is_second_name = not call_id and name and call.name
                return None if is_other_id or is_second_name else call
        return None


class ChatStream:
    """Parses the body of a reply.

    Parameters
    ----------
    events
        Splits the body into events; by default server-sent events.

    Attributes
    ----------
    began
        Whether any part of a reply came.
    finish
        The ``finish_reason`` of the reply; empty until it came.
    done
        Whether ``[DONE]`` came.
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
            # Anything else is an event that was cut off.
            if is_end or isinstance(parsed(event), Mapping):
                yield from self._read_event(name, event)
        if not self.began:
            other = as_mapping(self.other)
            if "choices" in other:
                yield from self._read_payload(other)
        yield from self._release(is_complete=self.is_complete)
        if self._usage:
            yield Chunk(usage=self._usage)

    def _read_event(self, name: str, event: bytes) -> Iterator[Chunk]:
        if event.startswith(b"[DONE]"):
            self.done = True
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
        self._count(as_mapping(payload.get("usage")))
        choices = payload.get("choices")
        if not isinstance(choices, list) or not choices:
            return
        choice = as_mapping(choices[0])
        # If several answers were requested, the first is shown.
        if not choice or choice.get("index"):
            return
        delta = choice.get("delta") or choice.get("message")
        yield from self._read_delta(as_mapping(delta))
        finish = choice.get("finish_reason")
        if finish:
            yield from self._end(str(finish), payload)

    def _read_delta(self, delta: Mapping[str, Any]) -> Iterator[Chunk]:
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if not isinstance(reasoning, str):
            reasoning = ""
        text = _text_of(delta.get("content") or delta.get("refusal"))
        calls = delta.get("tool_calls")
        if reasoning or text or calls:
            self.began = True
        if reasoning:
            yield Chunk(reasoning=reasoning)
        if text:
            thought, answer = self._thinking.feed(text)
            if thought or answer:
                yield Chunk(answer, thought)
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
        thought, answer = self._thinking.flush()
        calls = self._calls.flush()
        if not is_complete:
            calls = ()
        if thought or answer or calls:
            yield Chunk(answer, thought, calls)

    def _count(self, usage: Mapping[str, Any]) -> None:
        prompt = usage.get("prompt_tokens")
        completion = usage.get("completion_tokens")
        # Some servers put a usage of zeros into every chunk.
        if prompt or completion:
            self._usage = Usage(prompt, completion)


def _is_error(payload: Mapping[str, Any]) -> bool:
    if payload.get("error"):
        return True
    if payload.get("choices") is not None:
        return False
    if payload.get("object") == "error":
        return True
    return bool(payload.get("detail"))


def _text_of(content: object) -> str:
    """Return the text of a ``content``: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = []
    for part in content:
        text = as_mapping(part).get("text")
        if isinstance(text, str):
            texts.append(text)
    return "".join(texts)
