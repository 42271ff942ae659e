"""The examination of a provider: what could keep a question from being answered, step
by step, each problem with its remedies.

It changes nothing. Each step is bounded in time, and steps that depend on one that
failed are not tried. The provider examines its own connection; the steps here fit any
provider.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any, cast

from .. import errors
from ..errors import Remedy
from ..messages import Model, Progress
from ..providers.base import Provider
from ..providers.checks import AGAIN, Check, failed_check
from ..settings.keys import Key
from .report import Report, versions
from .sample_reply import SampleReply, sample_request

# Seconds for a detail of the server or of a model; listing the models gets twice that.
ANSWER_TIMEOUT = 3.0
# Seconds for the answer to the tiny question.
QUESTION_TIMEOUT = 20.0
# Seconds for the whole examination.
TOTAL_TIMEOUT = 40.0
# Seconds after which the user sees what is waited for.
ANNOUNCE_AFTER = 1.0
# Tokens. In so small a context window, a conversation soon loses its beginning.
SMALL_WINDOW = 4096
# Tokens. The smallest context window that is suggested.
ENOUGH_WINDOW = 16_384
# Names of models in a finding.
MOST_NAMES = 8


def _ignore(text: str, done: int, total: int) -> None:
    """Show no progress."""


async def examine(
    provider: Provider, needed: int = 0, progress: Progress = _ignore
) -> Report:
    """Examine a provider, from its address to an answer.

    Parameters
    ----------
    provider
        The provider, ready for a request.
    needed
        Tokens that the next question needs, about, with the room for its answer.
    progress
        Called with what is waited for, once for each step that takes long, and at the
        end if it was called before; the numbers are 0.
    """
    examination = Examination(provider, needed)
    try:
        # Imports take seconds that are not the server's.
        await asyncio.to_thread(provider.warm)
    except errors.BuddyError as error:
        examination.checks.append(failed_check("packages", error))
        return examination.report({})
    began = time.monotonic()
    announcing = asyncio.create_task(examination.announce_slow_steps(progress))
    try:
        async with asyncio.timeout(TOTAL_TIMEOUT):
            await examination.run()
    except TimeoutError:
        finding = f"the examination did not finish within {TOTAL_TIMEOUT:g} s"
        examination.add("time", False, finding, Remedy("Try again", AGAIN))
    finally:
        announcing.cancel()
    if examination.announced:
        progress(f"examined in {time.monotonic() - began:.0f} s", 0, 0)
    secrets = await asyncio.to_thread(provider.secrets)
    return examination.report(secrets)


class Examination:
    """The checks of one examination.

    Parameters
    ----------
    provider, needed
        As for `examine`.
    """

    def __init__(self, provider: Provider, needed: int) -> None:
        self.provider = provider
        self.needed = needed
        self.checks: list[Check] = []
        self.step = ""
        self.announced = ""

    def add(self, name: str, ok: bool | None, finding: str, *remedies: Remedy) -> None:
        """Note what a step found."""
        check = Check(name, ok, finding, remedies)
        self.checks.append(check)

    def report(self, secrets: Mapping[str, Key]) -> Report:
        """Return what was found; ``secrets`` are the values that it must not show."""
        return Report(
            self.provider.name,
            tuple(self.checks),
            versions(),
            secrets,
        )

    def announce(self, step: str) -> None:
        """Note what is waited for from now on."""
        self.step = step

    async def announce_slow_steps(self, progress: Progress) -> None:
        """Call ``progress`` once for each step that takes long."""
        while True:
            step = self.step
            await asyncio.sleep(ANNOUNCE_AFTER)
            if step == self.step != self.announced:
                self.announced = step
                progress(f"{step}…", 0, 0)

    async def run(self) -> None:
        """Run the steps, up to the first that fails."""
        if not await self._check_connection():
            return
        model = await self._check_model()
        if model is None or not await self._check_answer(model):
            return
        await self._check_window(model)
        self._check_abilities(model)

    async def _check_connection(self) -> bool:
        self.announce("checking the connection")
        works = True
        checking = self.provider.check(self.announce)
        async with aclosing(cast(Any, checking)) as checks:
            async for check in checks:
                self.checks.append(check)
                if check.ok is False:
                    works = False
        return works

    # The model

    async def _check_model(self) -> Model | None:
        """Return the model that a question would be sent to; None if that failed."""
        self.announce("listing the models")
        seconds = 2 * ANSWER_TIMEOUT
        try:
            async with asyncio.timeout(seconds):
                models = await self.provider.models()
                name = await self.provider.choose("")
        except errors.BuddyError as error:
            self.checks.append(failed_check("model", error))
            return None
        except TimeoutError:
            finding = f"the models were not listed within {seconds:g} s"
            self.add("model", False, finding, Remedy("Try again later", AGAIN))
            return None
        model = _try_find(models, name)
        self._add_model(name, models, is_listed=model is not None)
        if model is None:
            return Model(name)
        model = await self._details(model)
        self._check_loaded(model)
        return model

    def _add_model(self, name: str, models: list[Model], *, is_listed: bool) -> None:
        if models and not is_listed:
            listed = ", ".join(model.name for model in models[:MOST_NAMES])
            finding = f"{name} is not in the server's list, which has {listed}"
            self.add("model", None, finding)
            return
        finding = name
        if len(models) > 1:
            finding += f", one of {len(models)}"
        self.add("model", True, finding)

    async def _details(self, model: Model) -> Model:
        """Return the model with all details, or as it is if that takes too long."""
        with suppress(errors.BuddyError, TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT):
                models = await self.provider.catalogue()
            return _try_find(models, model.name) or model
        return model

    def _check_loaded(self, model: Model) -> None:
        if model.loaded:
            self.add("loaded", True, "yes")
        elif model.loaded is False:
            remedies = []
            command = self.provider.load_command(model.name)
            if command:
                remedies.append(Remedy("Load it now", command))
            finding = "no; the first question waits until it is"
            self.add("loaded", None, finding, *remedies)

    # A question

    async def _check_answer(self, model: Model) -> bool:
        """Ask a tiny question, and return whether an answer came."""
        self.announce(f"waiting for {model.name} to answer a tiny question")
        reply = SampleReply(model, QUESTION_TIMEOUT)
        try:
            async with asyncio.timeout(QUESTION_TIMEOUT):
                await self._ask(model, reply)
        except errors.KeyRefused as error:
            # Some servers list their models to everybody.
            self.checks = [check for check in self.checks if check.name != "key"]
            self.checks.append(failed_check("key", error))
            return False
        except errors.ModelNotFound as error:
            self.checks.append(failed_check("model", error))
            return False
        except errors.BuddyError as error:
            self.checks.append(failed_check("answer", error))
            return False
        except TimeoutError:
            reply.timed_out = True
        self.checks += reply.checks()
        return reply.first is not None

    async def _ask(self, model: Model, reply: SampleReply) -> None:
        # As before any question; this may load the model.
        await self.provider.window(model.name)
        stream = self.provider.stream(sample_request(model))
        async with aclosing(cast(Any, stream)) as chunks:
            async for chunk in chunks:
                reply.add(chunk)

    # What the model can do

    async def _check_window(self, model: Model) -> None:
        self.announce(f"asking for the context window of {model.name}")
        window = None
        with suppress(errors.BuddyError, TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT):
                window = await self.provider.window(model.name)
        if window is None:
            finding = "the server does not report it; 4,096 tokens are assumed"
            self.add("context window", None, finding)
            return
        finding = f"{window:,} tokens"
        can_grow = (model.max_window or 0) > window
        if can_grow:
            finding += f" of at most {model.max_window:,}"
        remedies = self._larger_window(model)
        if self.needed > window:
            finding += f"; the next question needs {self.needed:,}"
            restart = Remedy("Start a new conversation", "%buddy /reset")
            self.add("context window", False, finding, *remedies, restart)
        elif can_grow and window <= SMALL_WINDOW:
            self.add("context window", True, finding, *remedies)
        else:
            self.add("context window", True, finding)

    def _larger_window(self, model: Model) -> list[Remedy]:
        wanted = max(ENOUGH_WINDOW, 2 * self.needed)
        tokens = _power_of_two(wanted)
        command = self.provider.widen(model.name, tokens)
        if not command:
            return []
        return [Remedy("Enlarge it", command)]

    def _check_abilities(self, model: Model) -> None:
        for name in ("tools", "images"):
            if not model.abilities:
                finding = (
                    f"the server does not report whether this model supports {name}"
                )
                self.add(name, None, finding)
            elif name in model.abilities:
                self.add(name, True, f"this model supports {name}")
            else:
                self.add(name, None, f"this model does not support {name}")


def _try_find(models: list[Model], name: str) -> Model | None:
    """Return the model of this name, which Ollama may list with a tag."""
    return next((model for model in models if model.is_named(name)), None)


def _power_of_two(tokens: int) -> int:
    """Return the smallest power of two that is at least this large."""
    return 1 << (tokens - 1).bit_length()
