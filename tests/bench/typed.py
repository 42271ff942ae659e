"""The rows about typed answers: of a real model, and of scripted servers that do not do
what a schema says.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple

from typing_extensions import TypedDict

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import BuddyError, InvalidAnswer
from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.values.asking import SchemaModes, answer
from codebuddy_jupyter.values.form import form_of
from tests.support.schema_servers import INTO, INVALID, VALID
from tests.support.scripted_server import Answer

from .in_process import MODEL_VARIABLE
from .server import Server
from .table import Row

# The longest answer, in tokens.
MAX_TOKENS = 200
QUESTIONS = 20


class Mood(Enum):
    """How a guest felt."""

    ANGRY = 1
    CALM = 2
    HAPPY = 3


@dataclass
class Review:
    """A review of a hotel."""

    label: Literal["positive", "negative", "mixed"]
    stars: int
    problem: str | None


class Price(NamedTuple):
    """An amount of money."""

    amount: float
    currency: str


class Stay(TypedDict):
    """A stay in a hotel."""

    city: str
    nights: int


TYPES: dict[str, tuple[Any, str]] = {
    "bool": (bool, "Is this a complaint?"),
    "int": (int, "How many nights did the guest stay?"),
    "float": (float, "What did it cost for each night?"),
    "Literal": (Literal["positive", "negative", "mixed"], "What is the review like?"),
    "Enum": (Mood, "How did the guest feel?"),
    "date": (date, "On which day did the guest arrive?"),
    "list": (list[str], "What did the guest mention?"),
    "dataclass": (Review, "Read the review."),
    "NamedTuple": (Price, "What did it cost?"),
    "TypedDict": (Stay, "Where was it, and for how long?"),
}
CITIES = ("Bern", "Lyon", "Turin", "Graz", "Porto")
WORDS = (
    "the room was loud",
    "breakfast was late, and nobody cared",
    "we loved the view",
    "the bed was too short, but the staff was kind",
)


def review(number: int) -> str:
    """Return a review."""
    city = CITIES[number % len(CITIES)]
    words = WORDS[number % len(WORDS)]
    nights, cost = number % 6 + 1, 80 + 7 * number
    day = f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}"
    return f"{city}, arrived {day}, {nights} nights for {cost} euros each: {words}."


def valid_answers(server: Server, quick: bool) -> Iterator[Row]:
    """A real model (a GGUF file named by CODEBUDDY_BENCH_MODEL, else the model that the
    engine uses by default) is asked 20 questions about short reviews for each of ten
    types: bool, int, float, Literal, Enum, date, list, dataclass, NamedTuple, TypedDict,
    each answer of at most 200 tokens. Valid is an answer that is a value of its type,
    right or not. Then scripted servers that take a schema, refuse it in several ways,
    ignore it or do not keep to it are asked for a record, as are four that never give
    one, which must end in one error.
    """
    yield _real(1 if quick else QUESTIONS)
    yield _scripted(server)


@dataclass
class Tally:
    """What came of typed questions to a real model."""

    model: str = ""
    asked: int = 0
    requests: int = 0
    failures: list[str] = field(default_factory=list)


def _real(count: int) -> Row:
    began = time.monotonic()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        buddy = Buddy(settings_path=Path(folder, "codebuddy.json"))
        try:
            _ask_all(buddy, count, tally)
        finally:
            buddy.close()
    seconds = time.monotonic() - began
    valid = tally.asked - len(tally.failures)
    again = tally.requests - tally.asked
    print(*tally.failures, sep="\n", flush=True)
    return Row(
        f"{tally.asked} typed questions of {len(TYPES)} types, {tally.model}",
        f"{tally.asked} valid",
        f"{valid} valid, {again} asked again, {seconds:.0f} s",
        "",
        not tally.failures,
    )


def _ask_all(buddy: Buddy, count: int, tally: Tally) -> None:
    provider: Any = buddy.provider_named("Embedded")
    provider.model = os.environ.get(MODEL_VARIABLE, "")
    buddy.provider = "Embedded"
    body = provider.body

    def counted(request: Request) -> Any:
        tally.requests += 1
        return body(request)

    provider.body = counted
    for name, (into, question) in TYPES.items():
        options = Options(
            into=into, remember=False, context="none", max_tokens=MAX_TOKENS
        )
        for number in range(count):
            reply = buddy.ask(f"{question}\n\n{review(number)}", options)
            tally.asked += 1
            try:
                reply.result()
            except BuddyError as error:
                tally.failures.append(f"{name}: {error}")
            tally.model = reply.model
        told = f"{name}: {tally.asked} asked, {len(tally.failures)} not valid"
        print(told, file=sys.stderr, flush=True)


def _scripted(server: Server) -> Row:
    valid = [asyncio.run(_ends(server, *answers)) for answers in VALID.values()]
    errors = [asyncio.run(_ends(server, answer)) for answer in INVALID.values()]
    met = all(end == "value" for end in valid) and all(end == "error" for end in errors)
    return Row(
        f"{len(VALID)} scripted servers that take, refuse, ignore or mangle a schema, "
        f"{len(INVALID)} that never give a value",
        f"{len(VALID)} valid, {len(INVALID)} errors of one line",
        f"{valid.count('value')} valid, {errors.count('error')} errors",
        "",
        met,
    )


async def _ends(server: Server, *answers: Answer) -> str:
    """Return what a typed question ends in: a value, one error, or something else."""
    server.script(*answers)
    provider = LocalProvider(base_url=server.url)
    request = Request((Message("user", "Who is it?"),), "llama3")
    try:
        answered = await answer(provider, request, form_of(INTO), SchemaModes())
    except InvalidAnswer as error:
        return "error" if "\n" not in str(error) else "several lines"
    except BuddyError as error:
        return f"another error: {error}"
    finally:
        await provider.close()
    value = answered.value
    return "value" if (value.name, value.age) == ("Ada", 36) else "another value"
