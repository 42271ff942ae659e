"""Whatever bytes follow a good status: text or one of our own errors, the same however
they are cut into packets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codebuddy_jupyter import errors
from codebuddy_jupyter.messages import Chunk, Message, Request
from codebuddy_jupyter.providers.http.chat_stream import ChatStream
from codebuddy_jupyter.providers.http.server_error import ErrorResponse
from codebuddy_jupyter.providers.http.thinking import Thinking
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.faults import FAULTS, conversations
from tests.support.scripted_server import (
    DONE,
    Answer,
    ScriptedServer,
    delta,
    event,
    usage,
)

HELLO = Request((Message("user", "hello"),), "llama3")

TOOLS = [
    {"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"city": '}},
    {"index": 0, "function": {"arguments": '"Tromsø"}'}},
]
VALID = [
    *[b"".join(events) + DONE for events in conversations().values()],
    b"".join(event(delta(tool_calls=[piece])) for piece in TOOLS)
    + event(delta(finish="tool_calls"))
    + DONE,
    event(delta("a\u2028b\x0bc"))
    + b"data:"
    + event(usage(3, 4))[6:]
    + event(delta(finish="length")),
]
PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"data: ",
            b"data:",
            b"event: error\n",
            b"\n\n",
            b"\r\n\r\n",
            b": ping\n\n",
            b"[DONE]",
            b"null",
        ]
    ),
    st.sampled_from(
        [event(delta("x")), event(delta(finish="stop")), event(delta("<think>")), DONE]
    ),
    st.sampled_from(
        [
            data
            for fault in FAULTS.values()
            for _, data in fault.answer.pieces
            if len(data) < 1000
        ]
    ),
)


def read(body: bytes, cuts: list[int]) -> tuple[list[Chunk], object]:
    """The chunks of a body that comes in packets, and the complaint in which it ends,
    if any.
    """
    reading, places = (
        ChatStream(),
        sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)}),
    )
    chunks: list[Chunk] = []
    try:
        for start, end in pairwise(places):
            chunks.extend(reading.feed(body[start:end]))
        chunks.extend(reading.flush())
    except ErrorResponse as complaint:
        return chunks, complaint.body
    return chunks, reading.is_complete


@given(st.sampled_from(VALID), st.lists(st.integers(min_value=0), max_size=12))
def test_a_good_stream_gives_the_same_chunks_however_it_is_cut(
    body: bytes, cuts: list[int]
) -> None:
    assert read(body, cuts) == read(body, [])
    assert read(body, cuts)[1] is True


@pytest.mark.parametrize("body", VALID)
def test_a_good_stream_gives_the_same_chunks_byte_by_byte(body: bytes) -> None:
    assert read(body, list(range(len(body)))) == read(body, [])


@given(st.lists(PIECES, max_size=8), st.lists(st.integers(min_value=0), max_size=8))
def test_any_bytes_give_the_same_chunks_however_they_are_cut(
    pieces: list[bytes], cuts: list[int]
) -> None:
    body = b"".join(pieces)
    assert read(body, cuts) == read(body, [])


@given(
    st.lists(
        st.sampled_from(
            ["<think>", "</think>", "<th", "ink>", " ", "\n", "a<", "b>", "é"]
        )
    ),
    st.data(),
)
def test_reasoning_is_the_same_wherever_its_tags_are_split(
    parts: list[str], data: st.DataObject
) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    places = [0, *cuts, len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert _read(pieces) == _read([text])


def _read(pieces: list[str]) -> tuple[str, str]:
    thinking = Thinking()
    chunks = [chunk for piece in pieces for chunk in thinking.feed(piece)]
    chunks += thinking.flush()
    reasoning = text = ""
    for chunk in chunks:
        if chunk.answer_begins:
            reasoning, text = reasoning + text, ""
        reasoning += chunk.reasoning
        text += chunk.text
    return reasoning, text


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@settings(max_examples=150)
@given(
    pieces=st.lists(PIECES, max_size=6),
    end=st.sampled_from(["whole", "drop"]),
    framing=st.sampled_from(["chunked", "length", "close"]),
)
def test_any_bytes_after_a_good_status_give_text_or_one_of_our_errors(
    server: ScriptedServer, pieces: list[bytes], end: str, framing: str
) -> None:
    server.script(
        Answer(
            pieces=[(0.0, piece) for piece in pieces if piece], end=end, framing=framing
        )
    )
    provider = LocalProvider(base_url=server.url)

    async def ask() -> list[Chunk] | errors.ProviderError:
        try:
            return [chunk async for chunk in provider.stream(HELLO)]
        except errors.ProviderError as error:
            return error
        finally:
            await provider.close()

    assert asyncio.run(ask())


def test_what_is_held_back_is_given_when_the_connection_breaks_after_the_end(
    server: ScriptedServer,
) -> None:
    body = DONE + event(delta("<think>"))
    server.script(Answer(pieces=[(0.0, body)], end="drop", framing="length"))
    provider = LocalProvider(base_url=server.url)

    async def ask() -> str:
        try:
            return "".join([chunk.text async for chunk in provider.stream(HELLO)])
        finally:
            await provider.close()

    assert asyncio.run(ask()) == "<think>"
