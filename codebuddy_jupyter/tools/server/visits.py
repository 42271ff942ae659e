"""Who has asked what of the server, for the user to see."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import printable
from .exchange import Head, client_of, message_of, params_of

MOST_CLIENTS = 20
"""Clients that are told apart; of more, the one that was here first is forgotten."""
MOST_ASKED = 20
"""Questions that are kept, of all clients together."""
LONGEST_NAME = 60
LONGEST_QUESTION = 160
"""Characters."""
LONGEST_READ = 4_000
"""Characters of a question that are redacted, before it is cut further."""
UNNAMED = "an unnamed client"
MOST_NAMED = 3
"""Clients that the line names, those that were here last."""
# What tells what a tool or a resource is asked for.
ASKING = frozenset({"tools/call", "resources/read"})


@dataclass
class Client:
    """A program that uses the key.

    Parameters
    ----------
    name
        What it calls itself.
    requests
        How many requests it has sent.
    last
        When the last one came, in seconds since the epoch.
    """

    name: str
    requests: int = 0
    last: float = 0.0


@dataclass(frozen=True)
class Asked:
    """A call of a tool, or a resource that was read.

    Parameters
    ----------
    client
        Who asked.
    what
        The tool with its arguments, or the resource.
    when
        In seconds since the epoch.
    """

    client: str
    what: str
    when: float


class Visits:
    """Notes requests; any thread may call it.

    Parameters
    ----------
    redact
        Removes secrets from a text.
    on_visit
        Called, on any thread, after each request that was let in.
    """

    def __init__(
        self, redact: Callable[[str], str], on_visit: Callable[[], None] | None = None
    ) -> None:
        self._redact = redact
        self._on_visit = on_visit
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}
        # Names by the header that names the program: most requests have only that.
        self._names: dict[str, str] = {}
        self._asked: deque[Asked] = deque(maxlen=MOST_ASKED)
        self._refused: Counter[int] = Counter()

    def note(self, head: Head, body: bytes) -> None:
        """Note a request that was let in."""
        message = message_of(body)
        now = time.time()
        with self._lock:
            client = self._client(head, client_of(message))
            client.requests += 1
            client.last = now
            if message.get("method") in ASKING:
                what = self._question(params_of(message))
                self._asked.append(Asked(client.name, what, now))
        if self._on_visit is not None:
            self._on_visit()

    def note_refusal(self, status: int) -> None:
        """Note a request that was not let in, by its HTTP status."""
        with self._lock:
            self._refused[status] += 1

    @property
    def clients(self) -> list[Client]:
        """Those that were here, the first one first."""
        with self._lock:
            return list(self._clients.values())

    @property
    def asked(self) -> list[Asked]:
        """What was asked last, the latest last."""
        with self._lock:
            return list(self._asked)

    @property
    def line(self) -> str:
        """Who was here and what was asked last, in a line."""
        latest = sorted(self.clients, key=lambda client: client.last, reverse=True)
        if not latest:
            return "none has connected yet"
        names = ", ".join(client.name for client in latest[:MOST_NAMED])
        asked = self.asked
        if not asked:
            return names
        return f"{names}; asked last, {clock(asked[-1].when)}: {asked[-1].what}"

    @property
    def refused(self) -> int:
        """How many requests were not let in."""
        with self._lock:
            return self._refused.total()

    def _client(self, head: Head, named: str) -> Client:
        agent = head.first("user-agent")[:LONGEST_NAME]
        if named:
            self._names[agent] = _shown(named, LONGEST_NAME)
            _forget_first(self._names)
        name = self._names.get(agent) or _shown(agent, LONGEST_NAME) or UNNAMED
        if name not in self._clients:
            self._clients[name] = Client(name)
            _forget_first(self._clients)
        return self._clients[name]

    def _question(self, params: Mapping[str, Any]) -> str:
        """Return what is asked, in a line."""
        if "uri" in params:
            return self._line(str(params["uri"]))
        name = str(params.get("name", ""))
        arguments = params.get("arguments")
        if not arguments:
            return self._line(name)
        return self._line(f"{name} {json.dumps(arguments, ensure_ascii=False)}")

    def _line(self, text: str) -> str:
        # Redacted before it is cut: a part of a secret may not look like one.
        return _shown(self._redact(text[:LONGEST_READ]), LONGEST_QUESTION)


def clock(when: float) -> str:
    """Return the time of a day as people read it."""
    return time.strftime("%H:%M:%S", time.localtime(when))


def _shown(text: str, most: int) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _forget_first(entries: dict[str, Any]) -> None:
    while len(entries) > MOST_CLIENTS:
        del entries[next(iter(entries))]
