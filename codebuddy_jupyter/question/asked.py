"""What a question is asked of, as digests: the question and who answers it, the notebook
and the conversation.

They are made of what is known before any server is, and do not change when a notebook is
run again: neither the numbers of its cells nor what had no room in the prompt count.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..chat.answer_file import Asked
from ..chat.conversation import Place, Turn
from ..context.fit import Redact
from ..context.items import Item, Snapshot, cell_name
from ..context.session import Session

# Bytes of a digest.
DIGEST_BYTES = 16

# What another run of the same notebook changes in a text.
_NUMBER = re.compile(r"\b(In|Out) ?\[\d+\]")
_CHANGES = re.compile(
    r"\b(?P<name>In|Out) ?\[\d+\]"
    r"|(?P<address>\bat 0x)[0-9a-fA-F]+"
    r"|(?P<folder>\bipykernel_)\d+[/\\]\d+"
)

Json = dict[str, Any]


def digests(
    question: str,
    request: Mapping[str, Any],
    snapshot: Snapshot,
    earlier: Iterable[Turn],
    redact: Redact,
) -> tuple[str, str]:
    """Return the digest of all that a question is asked of, and the one without the
    notebook and the conversation.

    Parameters
    ----------
    question
        The question as the model reads it.
    request
        Who answers it, and how; values that JSON has.
    snapshot
        What could be sent of the notebook.
    earlier
        The turns of the conversation that count.
    redact
        Redacts secrets: a digest must not depend on them.
    """
    cells = [item for item in snapshot.items if _is_cell(item)]
    prompt: Json = {
        **request,
        "question": _without_numbers(redact(question).text),
        # Its number does not tell which cell is meant.
        "cells": [redact(cell.text).text for cell in cells],
    }
    everything = {
        **prompt,
        "context": _context(snapshot, redact),
        "earlier": [_texts_of(turn, redact) for turn in earlier],
    }
    return _digest(everything), _digest(prompt)


def _is_cell(item: Item) -> bool:
    return item.section == "mentions" and item.title.startswith("@In[")


def _is_unrun(item: Item) -> bool:
    if item.section not in ("cells", "outputs"):
        return False
    name, _, _ = item.title.partition(", ")
    return name.endswith(cell_name(None))


def _without_numbers(text: str) -> str:
    return _NUMBER.sub(r"\1", text)


def _texts_of(turn: Turn, redact: Redact) -> list[str]:
    question = redact(turn.question).text
    answer = redact(turn.reply.text).text
    return [_without_numbers(question), answer.strip()]


def _context(snapshot: Snapshot, redact: Redact) -> list[list[str]]:
    """Return what a model could be told of the notebook now.

    Cells that have not run do not count: they are below when all cells run again, and
    what is saved of their outputs is of an earlier run.
    """
    items = []
    variables = []
    for item in snapshot.items:
        if not item.wanted or _is_unrun(item):
            continue
        if item.section == "variables":
            variables.append(item)
        else:
            items.append(item)
    # Variables come in the order in which they were last set.
    variables.sort(key=lambda item: item.title)
    return [_content(item, redact) for item in (*items, *variables)]


def _content(item: Item, redact: Redact) -> list[str]:
    text = redact(item.text).text
    if item.section not in ("cells", "variables"):
        text = _CHANGES.sub(_lasting, text)
    _, _, state = item.title.partition(", ")
    content = [item.section, state, text]
    for image in item.images:
        digest = hashlib.sha256(image.data)
        content.append(digest.hexdigest())
    return content


def _lasting(match: re.Match[str]) -> str:
    """Return what stays of a text that another run changes."""
    return match["name"] or match["address"] or match["folder"]


def _digest(values: Json) -> str:
    text = json.dumps(values, default=_type_name)
    digest = hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES)
    return digest.hexdigest()


def _type_name(value: object) -> str:
    return type(value).__name__


class Places:
    """Tells which question of which run of a cell is asked now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run: object = None
        self._count = 0
        self._outside = 0

    def next(self, session: Session | None) -> Place:
        """Return the place of a question; outside of cells, each has one of its own."""
        run = None
        if session is not None:
            run = session.running()
        with self._lock:
            if run is None:
                self._outside += 1
                return Place("", self._outside)
            if run != self._run:
                self._run = run
                self._count = 0
            self._count += 1
            return Place(run[0], self._count)


class Occurrences:
    """Counts equal questions in the order of their places.

    A cell that runs again asks the same ones again, and no further ones.
    """

    def __init__(self) -> None:
        self._places: dict[str, dict[Place, int]] = {}

    def asked(self, digests: Sequence[str], place: Place) -> Asked:
        """Return what a question at this place is asked of."""
        first, second = digests
        return Asked(
            digest=first,
            occurrence=self._number(first, place),
            prompt_digest=second,
            prompt_occurrence=self._number(second, place),
        )

    def forget(self, asked: Asked, place: Place) -> None:
        """Note that a question has no answer: an equal one that is asked next gets its
        number.
        """
        numbers = (
            (asked.digest, asked.occurrence),
            (asked.prompt_digest, asked.prompt_occurrence),
        )
        for digest, number in numbers:
            places = self._places.get(digest, {})
            if places.get(place) == number == len(places):
                del places[place]

    def _number(self, digest: str, place: Place) -> int:
        places = self._places.setdefault(digest, {})
        return places.setdefault(place, len(places) + 1)
