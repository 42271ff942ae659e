"""Real engines for the tests, and a plain way to ask them."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codebuddy_jupyter.providers.embedded.engine import (
    Engine,
    EngineConfig,
    start_engine,
)
from tests.support.recital import RecitedAnswer, write_recital

# seconds that anything here may take on a busy machine
PATIENCE = 20.0


@contextmanager
def engine_with(
    folder: Path,
    answers: Sequence[RecitedAnswer],
    *,
    n_ctx: int = 8192,
    window: int = 0,
    layers: int = 1,
    control: Sequence[str] = (),
) -> Iterator[Engine]:
    """An engine that recites the answers, for as long as the block runs; ``window`` 0:
    all of ``n_ctx``; ``control`` are further control tokens.
    """
    file = folder / "recital.gguf"
    write_recital(file, answers, n_ctx=n_ctx, layers=layers, control=control)
    engine = asyncio.run(start_engine(EngineConfig(file, "recital", window, threads=1)))
    try:
        yield engine
    finally:
        asyncio.run(engine.close())


def fetch(engine: Engine, path: str, body: Any = None, **headers: str) -> Any:
    """The JSON that an engine has at a path."""
    request = urllib.request.Request(
        engine.url + path, method="GET" if body is None else "POST"
    )
    request.data = None if body is None else json.dumps(body).encode()
    for name, value in (
        {"Authorization": f"Bearer {engine.key}", "Content-Type": "application/json"}
        | headers
    ).items():
        request.add_header(name, value)
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.load(response)


def answer(engine: Engine, question: str, **body: Any) -> dict[str, Any]:
    """The message with which an engine answers a question."""
    body |= {"messages": [{"role": "user", "content": question}]}
    message: dict[str, Any] = fetch(engine, "/v1/chat/completions", body)["choices"][0][
        "message"
    ]
    return message


def eventually(happens: Callable[[], bool]) -> bool:
    """Whether something happens before patience is at its end."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if happens():
            return True
        time.sleep(0.02)
    return happens()
