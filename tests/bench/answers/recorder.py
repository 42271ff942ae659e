"""A server between the buddy and a real engine that remembers answers on the disk.

A request that was answered before is not asked again, so that a run that was stopped
goes on where it was, and answers can be judged anew.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

# Seconds that the engine may be silent while it reads a long prompt on a busy machine.
PATIENCE = 900.0
# Each of the two connections has its own.
_DROPPED = {"connection", "content-length", "transfer-encoding"}
# What an answer depends on.
_ASKED = ("messages", "temperature", "max_tokens")
SCHEMA = "response_format"


@dataclass(frozen=True)
class Exchange:
    """A request to the model, and its answer.

    Parameters
    ----------
    key
        The digest of what was asked, and of which model.
    question
        The last message.
    answer
        The text of the answer.
    finish
        Why it ended: ``stop`` or ``length``.
    prompt_tokens, tokens
        The tokens of the whole prompt, and of the answer.
    seconds
        How long it took when it was asked.
    is_choice
        Whether a look was chosen: the request had a schema.
    """

    key: str
    question: str
    answer: str
    finish: str
    prompt_tokens: int
    tokens: int
    seconds: float
    is_choice: bool = False


class Record:
    """The exchanges in a file of JSON lines.

    Parameters
    ----------
    path
        The file; a line that was cut by the end of an earlier run is not counted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, Exchange] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._read(line)

    def _read(self, line: str) -> None:
        try:
            exchange = Exchange(**json.loads(line))
        except ValueError:
            return
        self._known[exchange.key] = exchange

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: str) -> Exchange | None:
        """Return what was answered before, if it was."""
        return self._known.get(key)

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange."""
        with self._lock:
            self._known[exchange.key] = exchange
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8", newline="\n") as file:
                # A cut line of an earlier run must not swallow this one.
                separator = "\n" if file.tell() else ""
                file.write(f"{separator}{json.dumps(asdict(exchange))}")


class Recorder(ThreadingHTTPServer):
    """A server on loopback in front of an engine; use it as a context manager.

    Parameters
    ----------
    engine
        The engine's address, such as ``http://127.0.0.1:40001/v1``.
    engine_key
        The key that the engine wants.
    model
        What tells the model's answers from those of another.
    record
        Where answers are kept.
    """

    daemon_threads = True

    def __init__(
        self, engine: str, engine_key: str, model: str, record: Record
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.engine = urlsplit(engine).netloc
        self.engine_key = engine_key
        self.model = model
        self.record = record
        self.exchanges: list[Exchange] = []
        """The exchanges of this run, in the order in which they ended."""
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()

    def ask(self, messages: list[dict[str, str]], max_tokens: int) -> Exchange:
        """Ask the model as a client would, and return the exchange."""
        body = {
            "messages": messages,
            "temperature": 0.0,
            "max_tokens": max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        client = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)
        try:
            client.request("POST", "/v1/chat/completions", json.dumps(body))
            response = client.getresponse()
            said = response.read()
        finally:
            client.close()
        if response.status != 200:
            raise OSError(f"the engine answered {response.status}: {said[:300]!r}")
        if b"data: [DONE]" not in said:
            raise OSError("the answer broke off")
        return self.exchanges[-1]

    def key(self, body: Mapping[str, Any]) -> str:
        """Return the digest of a request."""
        asked = [self.model, *(body.get(name) for name in _ASKED)]
        # Answers that were kept before there were choices are still found.
        asked += [body[SCHEMA]] if SCHEMA in body else []
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:24]


class _Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_GET(self) -> None:
        self._pass(None)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not self.path.endswith("/chat/completions"):
            self._pass(content)
            return
        body = json.loads(content)
        known = self.server.record.find(self.server.key(body))
        if known is None:
            self._pass(content, body)
            return
        self.server.exchanges.append(known)
        self._head(200, [("Content-Type", "text/event-stream")])
        for event in _events(known):
            self.wfile.write(event)

    def _pass(
        self, content: bytes | None, body: Mapping[str, Any] | None = None
    ) -> None:
        """Hand a request on, and the answer as it comes."""
        began = time.monotonic()
        engine = http.client.HTTPConnection(self.server.engine, timeout=PATIENCE)
        try:
            headers = {
                "Authorization": f"Bearer {self.server.engine_key}",
                "Content-Type": "application/json",
            }
            engine.request(self.command, self.path, content, headers)
            response = engine.getresponse()
            self._head(response.status, response.getheaders())
            lines: list[bytes] = []
            for line in response:
                # The end comes when the answer is kept, so that who has it finds it.
                if line.startswith(b"data: [DONE]") and body is not None:
                    seconds = time.monotonic() - began
                    self._keep(body, lines, seconds)
                self.wfile.write(line)
                lines.append(line)
        finally:
            engine.close()

    def _head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _DROPPED:
                self.send_header(name, value)
        self.end_headers()

    def _keep(
        self, body: Mapping[str, Any], lines: list[bytes], seconds: float
    ) -> None:
        # Reading ahead asks for one token; that is no answer.
        if body.get("max_tokens") == 1:
            return
        exchange = _exchange(self.server.key(body), body, lines, seconds)
        self.server.record.add(exchange)
        self.server.exchanges.append(exchange)

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


def _exchange(
    key: str, body: Mapping[str, Any], lines: list[bytes], seconds: float
) -> Exchange:
    chunks = [
        json.loads(line.removeprefix(b"data: "))
        for line in lines
        if line.startswith(b"data: {")
    ]
    choices = [choice for chunk in chunks for choice in chunk.get("choices") or ()]
    texts = [choice.get("delta", {}).get("content") or "" for choice in choices]
    ends = [choice.get("finish_reason") or "" for choice in choices]
    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    usage = usages[-1] if usages else {}
    return Exchange(
        key=key,
        question=_text(body["messages"][-1]["content"]),
        answer="".join(texts),
        finish="".join(ends),
        prompt_tokens=int(usage.get("prompt_tokens", 0)),
        tokens=int(usage.get("completion_tokens", 0)),
        seconds=round(seconds, 2),
        is_choice=SCHEMA in body,
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _events(known: Exchange) -> Iterator[bytes]:
    """Yield an answer that was remembered as a server sends one."""
    usage = {
        "prompt_tokens": known.prompt_tokens,
        "completion_tokens": known.tokens,
        "total_tokens": known.prompt_tokens + known.tokens,
    }
    yield _event({"choices": [{"index": 0, "delta": {"content": known.answer}}]})
    end = {"index": 0, "delta": {}, "finish_reason": known.finish or "stop"}
    yield _event({"choices": [end]})
    yield _event({"choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _event(chunk: Mapping[str, Any]) -> bytes:
    common = {
        "id": "kept",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "",
    }
    return b"data: " + json.dumps({**common, **chunk}).encode() + b"\n\n"
