"""Completion of code while it is typed: one request at a time, which the next one ends.

It sends what a question may send: redacted, inert, and only to where the settings allow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from ..buddy import Buddy
from ..context.buddy_cells import is_buddy_cell
from ..context.inert import inert
from ..errors import Remedy, SettingError
from ..messages import Infill
from ..providers.base import Provider
from ..question.options import Options, sections_of
from .prompt import CodeAround, build_prompt, names_to_describe
from .suggestion import Suggestion, can_complete

# Tokens of a suggestion that came by typing, and of one that was asked for.
MOST_TOKENS = 48
MOST_TOKENS_ASKED = 160
# Seconds that one may take; nobody waits longer for it.
MOST_SECONDS = 15.0
MOST_SECONDS_ASKED = 40.0
# Characters of a cell around the cursor that are read.
MOST_CODE = 20_000
# Seconds for which a model counts as loaded; Ollama unloads one after five minutes.
PREPARED_SECONDS = 240.0
# Seconds that a request which was ended gets to close its connection.
CLOSING_SECONDS = 1.0


# The name of a provider, its address, and the name of a model.
_Key = tuple[str, str, str]


@dataclass(frozen=True)
class Place:
    """Where code is to be completed.

    Parameters
    ----------
    code
        The code of the cell.
    cursor
        Where the cursor is, in characters.
    cell
        The id of the cell; empty if it has none.
    is_asked
        Whether the suggestion was asked for by a key, and not by typing.
    """

    code: str
    cursor: int
    cell: str = ""
    is_asked: bool = False

    @property
    def before(self) -> str:
        """The code before the cursor."""
        return self.code[: self.cursor]

    @property
    def after(self) -> str:
        """The code after the cursor."""
        return self.code[self.cursor :]


class Completer:
    """Completes the code of cells by a model.

    Parameters
    ----------
    buddy
        Has the settings, the providers and what is known of the notebook.
    """

    def __init__(self, buddy: Buddy) -> None:
        self._buddy = buddy
        self._future: Future[str] | None = None
        self._task: asyncio.Task[None] | None = None
        # The requests that are being answered.
        self._requests = 0
        # The provider and the model that a setting means, with the provider in use.
        self._resolved: dict[tuple[str, str], tuple[str, str]] = {}
        # When a model was last known to be loaded, and what loads it.
        self._prepared: dict[_Key, float] = {}
        self._preparing: dict[_Key, asyncio.Task[None]] = {}

    @property
    def is_on(self) -> bool:
        """Whether a model is set that completes code, and may be asked."""
        return bool(self._buddy.completion_model) and self._buddy.replay != "only"

    def begin(self, place: Place, show: Callable[[str], None]) -> Future[str]:
        """Begin to complete, in place of what is being completed; on any thread.

        Parameters
        ----------
        place
            Where.
        show
            Called on the background loop with all of the suggestion so far, each time
            that it changes; it may become shorter.

        Returns
        -------
        Future
            Gets the suggestion, empty if there is none, or the error; cancelling it
            ends the request.
        """
        self.cancel()
        loop = self._buddy.loop
        self._future = loop.submit(self._show(place, show))
        return self._future

    def cancel(self) -> None:
        """End what is being completed, on any thread; the server sees the connection
        close.
        """
        future = self._future
        self._future = None
        if future is not None:
            future.cancel()

    async def _show(self, place: Place, show: Callable[[str], None]) -> str:
        text = ""
        async with aclosing(self.complete(place)) as texts:
            async for text in texts:
                show(text)
        return text

    async def complete(self, place: Place) -> AsyncGenerator[str, None]:
        """Yield the suggestion as it grows, on the background loop: each time all of
        it. An earlier call that is not at its end yields nothing more.

        Raises
        ------
        BuddyError
            If the model cannot be asked, or cannot complete code.
        """
        if not self.is_on or not _is_place(place):
            return
        # While an answer comes, typing does not slow it down.
        is_answering = self._buddy.quiet.questions > self._requests
        if is_answering and not place.is_asked:
            return
        texts: asyncio.Queue[str | None] = asyncio.Queue()
        earlier = self._task
        task = asyncio.create_task(self._fill(place, texts, earlier))
        # Even if it is cancelled before it begins.
        task.add_done_callback(lambda _: texts.put_nowait(None))
        self._task = task
        if earlier is not None:
            earlier.cancel()
        try:
            text = await texts.get()
            while text is not None:
                yield text
                text = await texts.get()
            if not task.cancelled():
                task.result()
        finally:
            task.cancel()

    async def _fill(
        self,
        place: Place,
        texts: asyncio.Queue[str | None],
        earlier: asyncio.Task[None] | None,
    ) -> None:
        limit = MOST_SECONDS
        if place.is_asked:
            limit = MOST_SECONDS_ASKED
        if earlier is not None:
            await asyncio.wait([earlier], timeout=CLOSING_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._write(place, texts)

    async def _write(self, place: Place, texts: asyncio.Queue[str | None]) -> None:
        name, provider, model = await self._target()
        await self._prepare(name, provider, model)
        prompt = await asyncio.to_thread(self.prompt, place)
        if prompt is None:
            return
        before, after = prompt
        tokens = MOST_TOKENS
        if place.is_asked:
            tokens = MOST_TOKENS_ASKED
        request = Infill(before, after, model, tokens)
        quiet = self._buddy.quiet
        self._requests += 1
        try:
            with quiet.asking():
                # What reads ahead would be in the way.
                await quiet.stopped()
                await _suggest(provider, request, place, texts)
        finally:
            self._requests -= 1

    async def _target(self) -> tuple[str, Provider, str]:
        """Return the provider's name, the provider and the model that complete code.

        Raises
        ------
        SettingError
            If that is on another machine, and the setting does not name its provider.
        """
        buddy = self._buddy
        setting = buddy.completion_model
        key = setting, buddy.provider
        if key not in self._resolved:
            options = Options(model=setting)
            name, _, model = await buddy.resolve(options)
            self._resolved[key] = name, model
        name, model = self._resolved[key]
        provider = buddy.ready(name)
        head = setting.partition("/")[0]
        head = head.partition(":")[0]
        is_named = buddy.registry.try_name(head) == name
        if not is_named and not provider.stays_here():
            raise SettingError(
                f"{setting} would be asked on another machine ({name}), which the "
                "setting must name.",
                Remedy(
                    "If you want that, name it",
                    f'%config Buddy.completion_model = "{name}/{setting}"',
                ),
            )
        model = await provider.choose(model)
        return name, provider, model

    async def _prepare(self, name: str, provider: Provider, model: str) -> None:
        """Load the model if need be; that goes on though the next key is pressed."""
        key = name, provider.where(), model
        loaded = self._prepared.get(key)
        now = time.monotonic()
        if loaded is not None and now - loaded < PREPARED_SECONDS:
            self._prepared[key] = now
            return
        task = self._preparing.get(key)
        if task is None:
            task = asyncio.create_task(_load(provider, model))
            self._preparing[key] = task
            note_prepared = partial(self._note_prepared, key)
            task.add_done_callback(note_prepared)
        await asyncio.shield(task)

    def _note_prepared(self, key: _Key, task: asyncio.Task[None]) -> None:
        del self._preparing[key]
        if task.cancelled():
            return
        # The error is also taken here, since everybody may have typed on.
        if task.exception() is None:
            self._prepared[key] = time.monotonic()

    def prompt(self, place: Place) -> tuple[str, str] | None:
        """Return the texts before and after the gap; None where a secret stands at the
        cursor.
        """
        buddy = self._buddy
        collector = buddy.collector
        before = place.before[-MOST_CODE:]
        after = place.after[:MOST_CODE]
        names = names_to_describe(before)
        sections = sections_of(buddy.context)
        earlier, schemas = collector.code_context(names, sections, place.cell)
        redact = collector.redaction(enabled=buddy.redact_secrets)

        def sendable(text: str) -> str:
            return inert(redact(text).text)

        redacted_before = redact(before).text
        redacted_after = redact(after).text
        redacted = redact(before + after).text
        if redacted_before + redacted_after != redacted:
            return None
        around = CodeAround(
            inert(redacted_before),
            inert(redacted_after),
            [sendable(source) for source in earlier],
            {key: sendable(schema) for key, schema in schemas.items()},
        )
        return build_prompt(around)


async def _suggest(
    provider: Provider,
    request: Infill,
    place: Place,
    texts: asyncio.Queue[str | None],
) -> None:
    """Ask, and put the suggestion into the queue each time that it changes."""
    before = place.before[-MOST_CODE:]
    suggestion = Suggestion(before, place.after, is_asked=place.is_asked)
    shown = ""
    is_cut = False
    reply = cast(Any, provider.infill(request))
    async with aclosing(reply) as chunks:
        async for chunk in chunks:
            suggestion.feed(chunk.text)
            is_cut = is_cut or chunk.finish == "length"
            if suggestion.is_complete:
                break
            if suggestion.text != shown:
                shown = suggestion.text
                texts.put_nowait(shown)
    suggestion.finish(is_cut=is_cut)
    if suggestion.text != shown:
        texts.put_nowait(suggestion.text)


async def _load(provider: Provider, model: str) -> None:
    """Load a model as the first question would."""
    await provider.window(model)
    if await provider.is_model_loading(model):
        # A server that cannot be told to loads it with the request.
        with suppress(SettingError):
            await provider.load(model)


def _is_place(place: Place) -> bool:
    """Return whether code can be completed here."""
    if not 0 <= place.cursor <= len(place.code):
        return False
    if is_buddy_cell(place.code):
        return False
    return place.is_asked or can_complete(place.before, place.after)
