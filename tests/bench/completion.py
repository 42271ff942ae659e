"""The rows about completion while typing: how soon a suggestion is on its way to the page,
how soon a request is ended, and what a real model reads anew after each key.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.completion.completer import Completer, Place
from codebuddy_jupyter.messages import Infill
from codebuddy_jupyter.providers.base import Provider
from tests.support.infill import INFILL, LLAMA_CPP
from tests.support.scripted_server import FOREVER, Answer, event

from .ahead import cells, notebook
from .in_process import MODEL_VARIABLE
from .server import Server
from .table import Row, median, milliseconds

# Seconds that anything here may take.
PATIENCE = 30.0
TYPED = """\
by_city = defaultdict(list)
for order in orders:
    by_city[order["city"]].append(order["amount"])
largest = max(by_city, key=lambda city: len(by_city[city]))
print(largest, statistics.median(by_city[largest]))"""


@contextmanager
def completing(server: Server, answer: Answer) -> Iterator[Completer]:
    """A completer that asks the scripted server as a llama.cpp."""
    server.fill(LLAMA_CPP, answer)
    with tempfile.TemporaryDirectory() as folder:
        buddy = Buddy(settings_path=Path(folder, "codebuddy.json"))
        provider: Any = buddy.provider_named("Local")
        provider.base_url = server.url
        buddy.completion_model = "Local/coder"
        try:
            yield Completer(buddy)
        finally:
            buddy.close()


def completions(server: Server, quick: bool) -> Iterator[Row]:
    """From the moment at which the server writes its first token to the moment at which
    the kernel has the suggestion to send, and from the next key to the moment at which
    the server sees the connection of the earlier request close; one clock, one machine,
    20 times each. Then a cell of five lines is typed below a notebook of 30 cells, and
    after each word the prompt of a completion is sent to a real model in the built-in
    engine (a GGUF file named by CODEBUDDY_BENCH_MODEL): the tokens that it reads, less
    those of the word.
    """
    rounds = 5 if quick else 20
    first = event({"content": "head()", "stop": False})
    with completing(
        server, Answer(pieces=[(0.02, first), (FOREVER, b"")])
    ) as completer:
        shown = [_shown_after(completer, server, number) for number in range(rounds)]
        closed = [_closed_after(completer, server, number) for number in range(rounds)]
    yield Row(
        "completion: server's first token to the suggestion in the kernel",
        "20 ms",
        milliseconds(shown),
        "",
        median(shown) <= 0.02,
    )
    yield Row(
        "completion: next key to the earlier request closed at the server",
        "0.2 s",
        milliseconds(closed),
        "",
        median(closed) <= 0.2,
    )
    if os.environ.get(MODEL_VARIABLE):
        yield _read_while_typing()


def _shown_after(completer: Completer, server: Server, number: int) -> float:
    """Return the seconds from the server's first token to the suggestion."""
    moments: list[float] = []
    is_shown = threading.Event()

    def show(text: str) -> None:
        moments.append(time.monotonic())
        is_shown.set()

    asked = server.count(INFILL)
    completer.begin(_place(number), show)
    assert is_shown.wait(PATIENCE)
    # The first of all requests follows a probe.
    index = max(asked, 1)
    seconds = moments[0] - server.wait_for("first", path=INFILL, number=index)
    completer.cancel()
    server.wait_for("closed", path=INFILL, number=index)
    return seconds


def _closed_after(completer: Completer, server: Server, number: int) -> float:
    """Return the seconds from the next key to the close of a request."""
    is_shown = threading.Event()
    index = server.count(INFILL)
    completer.begin(_place(number), lambda text: is_shown.set())
    assert is_shown.wait(PATIENCE)
    key = time.monotonic()
    completer.begin(_place(number + 1), lambda text: None)
    seconds = server.wait_for("closed", path=INFILL, number=index) - key
    server.wait_for("first", path=INFILL, number=index + 1)
    completer.cancel()
    server.wait_for("closed", path=INFILL, number=index + 1)
    return seconds


def _place(number: int) -> Place:
    code = "x = df" + "." * number
    return Place(code, len(code))


def _read_while_typing() -> Row:
    with notebook() as opened:
        buddy = opened.buddy
        completer = Completer(buddy)
        provider = buddy.current()
        words = list(_typed_words())
        reads = buddy.loop.run(_reads(completer, provider, words))
    more = [read - new for read, new in reads]
    told = f"{median(more):.0f} ({min(more)} to {max(more)}) tokens"
    return Row(
        "completion while typing: tokens read besides the new ones, real model",
        "64 tokens",
        told,
        f"{len(cells())} cells, {len(more)} completions",
        median(more) <= 64,
    )


def _typed_words() -> Iterator[tuple[str, str]]:
    """Yield the code after each word, and the word."""
    typed = ""
    for word in TYPED.replace(" ", " \0").replace(".", ".\0").split("\0"):
        typed += word
        yield typed, word


async def _reads(
    completer: Completer, provider: Provider, words: list[tuple[str, str]]
) -> list[tuple[int, int]]:
    """Return for each word but the first how many tokens were read, and how many the
    word has.
    """
    model = await provider.choose("")
    found = []
    for typed, word in words:
        place = Place(typed, len(typed))
        prompt = await asyncio.to_thread(completer.prompt, place)
        assert prompt is not None
        read = None
        async for chunk in provider.infill(Infill(*prompt, model, 4)):
            if chunk.usage is not None:
                read = chunk.usage.read_tokens
        assert read is not None
        new = await provider.count(model, word) or 0
        found.append((read, new))
    return found[1:]
