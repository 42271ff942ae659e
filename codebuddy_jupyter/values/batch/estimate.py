"""What a map would cost: a look at its rows that asks no model."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from ...errors import PromptError
from ...messages import Message
from ...question.tokens import Tokens
from .keeper import Keeper
from .question import RowQuestion, digest_of
from .sources import Source, texts_of

# Rows that are looked at; of more, the others are taken to be like them.
MOST_ROWS = 10_000


@dataclass(frozen=True)
class Estimate:
    """What a map would cost.

    Parameters
    ----------
    rows
        How many rows there are; None if that is not known.
    requests
        How many of them would be asked about: equal rows once, and none that has an
        answer on disk.
    prompt_tokens, completion_tokens
        About how many tokens all requests and their answers have; None: not known.
    seconds
        About how long that takes; None: not known.
    where
        Where the requests would go.
    """

    rows: int | None
    requests: int
    prompt_tokens: int
    completion_tokens: int | None
    seconds: float | None
    where: str

    def __repr__(self) -> str:
        rows = "an unknown number of rows"
        if self.rows is not None:
            rows = f"{self.rows:,} rows"
        tokens = f"about {self.prompt_tokens:,} tokens of prompts"
        if self.completion_tokens is not None:
            tokens += f" and {self.completion_tokens:,} of answers"
        length = "its time is not known yet: ask about a sample first (sample=20)"
        if self.seconds is not None:
            length = f"about {duration(self.seconds)}"
        return f"{rows}, {self.requests:,} requests to {self.where}, {tokens}; {length}"


def estimate(
    question: RowQuestion,
    source: Source,
    keeper: Keeper,
    *,
    tokens: Tokens,
    where: str,
    at_once: int,
) -> Estimate:
    """Estimate what the rows of a source cost.

    Parameters
    ----------
    question
        The question about each.
    source
        The rows.
    keeper
        Finds the answers that there are.
    tokens
        Estimates tokens.
    where
        Where the requests would go.
    at_once
        How many requests the servers take at a time.
    """
    shared = tokens.total(question.messages(""))
    if question.form is not None:
        shared += tokens.count(question.form.instruction(with_schema=False))
    count, texts = _texts(source, question.template.fields)
    requests = prompt = 0
    kept = keeper.find(list(texts))
    for digest, fields in texts.items():
        if digest not in kept:
            requests += 1
            filled = Message("user", question.template.fill(fields))
            prompt += shared + tokens.total([filled])
    # Of more rows, those that follow are taken to be like these.
    scale = 1.0
    if count:
        scale = (source.total or count) / count
    requests = round(requests * scale)
    known = keeper.averages()
    answers, seconds = known.completion_tokens, known.seconds
    return Estimate(
        rows=source.total,
        requests=requests,
        prompt_tokens=round(prompt * scale),
        completion_tokens=None if answers is None else round(requests * answers),
        seconds=None if seconds is None else requests * seconds / at_once,
        where=where,
    )


def _texts(source: Source, fields: Sequence[str]) -> tuple[int, dict[bytes, list[str]]]:
    """Return how many rows were looked at, and the different ones by their digests."""
    count = 0
    different: dict[bytes, list[str]] = {}
    for _, values in islice(source.rows(fields), MOST_ROWS):
        count += 1
        # A row that cannot be sent costs nothing.
        with suppress(PromptError):
            texts = texts_of(values, fields)
            if texts is not None:
                different[digest_of(texts)] = texts
    return count, different


def duration(seconds: float) -> str:
    """Return a time in words, such as ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min"
