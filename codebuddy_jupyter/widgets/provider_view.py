"""How it stands with the provider, in the page: a dot, what is known, the key's own
field, and what a test found.

A key is sent once, in a message, by a field that clears itself; it is no trait, so no
notebook can keep it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

from ..buddy import Buddy
from ..doctor.examination import examine
from ..doctor.report import MARKS, Remedy, Report
from ..errors import BuddyError
from ..messages import Model
from ..providers.base import Provider
from ..providers.http.address import host_of
from ..providers.http.probe import probing
from ..providers.http.server_error import ErrorResponse
from ..providers.openai_chat import OpenAIChatProvider
from .modules import joined_script, joined_styles
from .page import Content, PageWidget, close
from .protocol import RemedyFields, problem_of

# seconds that a quiet look may take
PATIENCE = 5.0


class Findings(PageWidget):
    """What was noted and found last, which the page shows apart: below the buttons that
    asked for it.

    Parameters
    ----------
    state
        Gives what the page is to know when it shows the widget.
    """

    _esm = joined_script("provider/findings.js")

    def __init__(self, state: Callable[[], dict[str, Any]]) -> None:
        self.state = state
        super().__init__()

    def take_ready(self, content: Content) -> None:
        """A page shows the widget."""
        self.tell("state", **self.state())


class ProviderView(PageWidget):
    """The state of the provider in use. It looks when told to, never by a clock.

    Parameters
    ----------
    buddy
        Whose provider.
    listed
        Called on the background loop with the models that were found.
    """

    _esm = joined_script("provider/view.js")
    _css = joined_styles("provider/provider.css")

    def __init__(self, buddy: Buddy, listed: Callable[[list[Model]], None]) -> None:
        self.buddy = buddy
        self.listed = listed
        self._state: dict[str, Any] = {"dot": "loading", "title": "looking…"}
        self._tasks: dict[str, concurrent.futures.Future[None]] = {}
        self.findings = Findings(lambda: self._state)
        super().__init__()

    def close(self) -> None:
        """Leave the page, and give up what it looks at."""
        for task in self._tasks.values():
            task.cancel()
        close(self.findings)
        super().close()

    def show(self, **news: Any) -> None:
        """Show something more, or something else; from any thread."""
        self._state = {**self._state, **news}
        for part in (self, self.findings):
            part.tell("state", **self._state)

    def look(self) -> None:
        """Look quietly whether the provider answers, and which models it has."""
        self._begin("look", self._look())

    def test(self) -> None:
        """Test the connection as ``/doctor`` does, and show what that found."""
        self.show(report={"verdict": "Testing…", "rows": []})
        self._begin("test", self._test())

    # What the page sends

    def take_ready(self, content: Content) -> None:
        """A page shows the widget."""
        self.tell("state", **self._state)

    def take_key(self, content: Content) -> None:
        """Somebody typed a key, or an empty one to have the stored one removed."""
        self._begin("key", self._keep(str(content["key"]).strip()))

    # On the background loop

    def _begin(self, what: str, coroutine: Coroutine[Any, Any, None]) -> None:
        if what in self._tasks:
            self._tasks[what].cancel()
        self._tasks[what] = self.buddy.loop.submit(coroutine)

    async def _look(self) -> None:
        try:
            provider = self.buddy.current()
            self.show(
                where=_where(provider), key=await asyncio.to_thread(_key, provider)
            )
            # to import what a request needs is not the server's time
            await asyncio.to_thread(provider.warm)
            began = time.monotonic()
            models = await self._models(provider)
            seconds = time.monotonic() - began
            self.listed(models)
            name = provider.model or (await provider.choose("") if models else "")
        except BuddyError as error:
            self.show(
                dot="unreachable",
                title="unreachable",
                trouble=problem_of(error),
                facts=[],
            )
        except TimeoutError:
            trouble = f"No answer within {PATIENCE:g} s."
            self.show(dot="unreachable", title="unreachable", trouble=trouble, facts=[])
        else:
            facts = _facts(provider, name, models, seconds)
            self.show(dot="reachable", title="reachable", trouble="", facts=facts)

    async def _models(self, provider: Provider) -> list[Model]:
        """The models of a server that answers soon, or that says that it is loading."""
        asking = asyncio.create_task(provider.catalogue())
        try:
            await asyncio.wait([asking], timeout=PATIENCE)
            if not asking.done():
                if not await _is_loading(provider):
                    raise TimeoutError
                self.show(
                    dot="loading",
                    title="loading",
                    trouble="The server is loading its model.",
                    facts=[],
                )
            return await asking
        finally:
            asking.cancel()

    async def _test(self) -> None:
        try:
            provider = self.buddy.current()
            report = await examine(provider, self.buddy.needed())
        except BuddyError as error:
            self.show(report={"verdict": problem_of(error), "rows": []})
        else:
            self.show(report=_rows(report))
            await self._look()

    async def _keep(self, key: str) -> None:
        try:
            provider = self.buddy.current()
            if not isinstance(provider, OpenAIChatProvider):
                return
            place = provider.name, host_of(provider.url)
            if key:
                kept = await asyncio.to_thread(provider.keys.store, *place, key)
                noted = f"The key for {place[1]} is in {kept}."
            else:
                was_there = await asyncio.to_thread(provider.keys.forget, *place)
                noted = (
                    f"The key for {place[1]} is removed."
                    if was_there
                    else f"No key was stored for {place[1]}."
                )
        except BuddyError as error:
            self.show(noted=problem_of(error))
        else:
            self.show(noted=noted)
            await self._look()


async def _is_loading(provider: Provider) -> bool:
    if not isinstance(provider, OpenAIChatProvider):
        return False
    server = await provider.server()
    async with probing(server.access, PATIENCE) as look:
        answer = await look.get(f"{server.url}/models")
    return answer is not None and ErrorResponse(answer.body, answer.status).is_loading()


def _where(provider: Provider) -> str:
    with suppress(BuddyError):
        if provider.stays_here():
            return "Requests stay on this machine."
        if isinstance(provider, OpenAIChatProvider):
            return f"Requests go to {host_of(provider.url)}."
    return f"Requests go to {provider.label or type(provider).__name__}."


def _key(provider: Provider) -> dict[str, Any] | None:
    """What to tell of the key: whether one is there, and from where; None where there
    is nothing to tell.
    """
    if not (isinstance(provider, OpenAIChatProvider) and _has_address(provider)):
        return None
    needed = not provider.stays_here()
    try:
        host, own = host_of(provider.url), provider.own_host()
        if provider.keys.find(provider.name, provider.key_variable, host, own) is None:
            return {
                "told": "no key yet"
                if needed
                else "none, and most local servers need none",
                "needed": needed,
            }
        from_environment = host == own and os.environ.get(provider.key_variable)
        source = (
            f"from the variable {provider.key_variable}"
            if from_environment
            else f"stored for {host}"
        )
        return {"told": f"a key is there ({source})", "needed": False}
    except BuddyError as error:
        return {"told": str(error), "needed": True}


def _has_address(provider: Provider) -> bool:
    """Whether it is a server that the user could name another one for."""
    return "base_url" in provider.traits(config=True)


def _facts(
    provider: Provider, name: str, models: list[Model], seconds: float
) -> list[tuple[str, str]]:
    """What is known of the model and of its server, each with its label."""
    model = next((one for one in models if one.name in (name, f"{name}:latest")), None)
    facts = [("Model", name), *(_of_model(model) if model else ())]
    if model is None and name and models:
        facts = [("Model", f"{name}, which is not in the server's list")]
    if isinstance(provider, OpenAIChatProvider) and _has_address(provider):
        facts += [
            ("Host", host_of(provider.url)),
            ("Latency", f"{1000 * seconds:,.0f} ms to list its models"),
        ]
    return [(label, text) for label, text in facts if text]


def _of_model(model: Model) -> Iterator[tuple[str, str]]:
    most = (
        f", at most {model.max_window:,}"
        if model.max_window and model.max_window != model.window
        else ""
    )
    yield "State", {True: "loaded", False: "not loaded yet", None: ""}[model.loaded]
    yield "Window", f"{model.window:,} tokens{most}" if model.window else ""
    yield "Abilities", ", ".join(model.abilities)


def _rows(report: Report) -> dict[str, Any]:
    rows = [
        {
            "mark": MARKS[check.well],
            "name": check.name,
            "found": check.found,
            "remedies": [_remedy(remedy) for remedy in check.remedies],
        }
        for check in report.checks
    ]
    return {"verdict": report.verdict(), "rows": rows}


def _remedy(remedy: Remedy) -> RemedyFields:
    return {"text": remedy.what, "command": remedy.command}
