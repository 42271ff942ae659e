"""Which looks a question has, and how each model chooses among them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from ..chat.conversation import Turn
from ..context.collector import Collector
from ..errors import BuddyError
from ..messages import Chunk, Message
from ..providers.base import Provider
from ..tools.candidates import Candidate, candidates_of
from ..tools.look import Look
from ..tools.looks import looks_of, problems, safe_text
from ..tools.proposals import Proposals
from ..tools.proposing import Proposing, proposing_tools
from ..values.asking import SchemaModes, place_of
from .draft import Draft
from .exchange import Exchange
from .looking import Looking, Mode
from .options import Options, sections_of
from .question import Question
from .settings import QuestionSettings
from .target import Target

# Parameters from which on a model calls tools well.
LARGE = 7_000_000_000

Stream = Callable[..., AsyncIterator[Chunk]]
"""Sends a draft of an exchange for a reply, with other fields of the request."""
Safe = Callable[[tuple[Message, ...]], tuple[Message, ...]]


class LookModes:
    """How each model of each server chooses its looks."""

    def __init__(self) -> None:
        self._modes: dict[tuple[str, str], Mode] = {}

    async def of(self, target: Target) -> Mode:
        """Return how a model chooses: as it did before, or as is likely to work."""
        place = place_of(target.provider, target.model)
        if place not in self._modes:
            mode = await _likely_mode(target.provider, target.model)
            self._modes.setdefault(place, mode)
        return self._modes[place]

    def note(self, target: Target, mode: Mode) -> None:
        """Note what worked."""
        self._modes[place_of(target.provider, target.model)] = mode


async def _likely_mode(provider: Provider, model: str) -> Mode:
    try:
        if provider.stays_here():
            return await _mode_by_size(provider, model)
        # The models of clouds call tools.
        return "schema" if provider.address() is None else "tools"
    except BuddyError:
        return "schema"


async def _mode_by_size(provider: Provider, model: str) -> Mode:
    for offered in await provider.catalogue():
        is_large = (offered.parameters or 0) >= LARGE
        if offered.is_named(model) and is_large and "tools" in offered.abilities:
            return "tools"
    return "schema"


class Looks:
    """Prepares the looks of questions.

    Parameters
    ----------
    settings
        The settings; they are read for each question.
    collector
        Knows the kernel, and redacts secrets.
    schemas
        What held of JSON schemas.
    proposals
        Keeps the code that is proposed.
    """

    def __init__(
        self,
        settings: QuestionSettings,
        collector: Collector,
        schemas: SchemaModes,
        proposals: Proposals,
    ) -> None:
        self._settings = settings
        self._collector = collector
        self._schemas = schemas
        self._proposals = proposals
        self._modes = LookModes()

    async def prepare(
        self,
        question: Question,
        exchange: Exchange,
        turn: Turn,
        stream: Stream,
        safe: Safe,
    ) -> Looking | None:
        """Return what looks things up and proposes code for a question; None if nothing
        is to be.

        Parameters
        ----------
        question, exchange, turn
            The question, who answers it, and its turn.
        stream
            Sends a request.
        safe
            Makes messages safe to send.
        """
        # An answer of a type is a value of its own.
        if question.form is not None or self._collector.session is None:
            return None
        # The first time, schemas are made of functions, and packages searched.
        looks = await asyncio.to_thread(self._tools, question.options)
        if not looks:
            return None

        def send(draft: Draft, fields: dict[str, Any]) -> AsyncIterator[Chunk]:
            return stream(exchange, draft, turn.reply, **fields)

        def find(text: str) -> list[Candidate]:
            try:
                return candidates_of(text, self._collector, looks)
            except Exception:  # noqa: BLE001 - the answer counts more than what is looked up
                return []

        return Looking(
            looks,
            find,
            exchange,
            turn,
            send,
            safe,
            self._modes,
            self._schemas,
            problems(),
        )

    def _tools(self, options: Options) -> list[Look]:
        """Return the looks of a question, and the tools to propose code."""
        settings, collector = self._settings, self._collector
        sections = sections_of(options.context or settings.context)
        tools: list[Look] = []
        if looks_wanted(options, settings):
            tools += looks_of(
                collector,
                share_values=settings.share_values,
                redact_secrets=settings.redact_secrets,
                sections=sections,
            )
        if proposals_wanted(options, settings):
            safe = safe_text(collector, redact_secrets=settings.redact_secrets)
            proposing = Proposing(collector, self._proposals, options.step)
            tools += proposing_tools(proposing, sections, safe)
        return tools


def looks_wanted(options: Options, settings: QuestionSettings) -> bool:
    """Return whether a question may look things up."""
    return options.look or settings.looks == "auto"


def proposals_wanted(options: Options, settings: QuestionSettings) -> bool:
    """Return whether the answer to a question may propose code: it must be shown where
    a person can decide.
    """
    is_wanted = options.propose or settings.proposals == "click"
    is_shown = options.remember and options.format == "markdown"
    return is_wanted and is_shown
