"""How it stands with the provider, in the page: a dot, where requests go, the key's own field, what a test found.

A key is sent once, in a message, by a field that clears itself; it is no trait, so no notebook can keep it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from traitlets import Unicode

from ..buddy import Buddy
from ..doctor import examine
from ..errors import BuddyError
from ..messages import Model
from ..providers.address import host_of
from ..providers.base import Provider
from ..providers.complaint import Complaint
from ..providers.kinds.look import looking
from ..providers.openai_chat import OpenAIChatProvider
from ..report import MARKS, Report
from .page import Content, PageWidget

PATIENCE = 5.0  # seconds that a quiet look may take


class ProviderView(PageWidget):
    """The state of the provider in use. It looks when told to, never by a clock.

    Parameters
    ----------
    buddy
        Whose provider.
    listed
        Called on the background loop with the models that were found.
    """

    part = Unicode("provider").tag(sync=True)

    def __init__(self, buddy: Buddy, listed: Callable[[list[Model]], None]) -> None:
        self.buddy = buddy
        self.listed = listed
        self._state: dict[str, Any] = {"dot": "loading", "title": "looking…"}
        self._tasks: dict[str, concurrent.futures.Future[None]] = {}
        super().__init__()

    def close(self) -> None:
        """Leave the page, and give up what it looks at."""
        for task in self._tasks.values():
            task.cancel()
        super().close()

    def show(self, **news: Any) -> None:
        """Show something more, or something else; from any thread."""
        self._state = {**self._state, **news}
        self.tell("state", **self._state)

    def look(self) -> None:
        """Look quietly whether the provider answers, and which models it has."""
        self._begin("look", self._look())

    def test(self) -> None:
        """Test the connection as ``/doctor`` does, and show what that found."""
        self.show(report={"verdict": "Testing…", "rows": []}, testing=True)
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
            self.show(where=_where(provider), key=await asyncio.to_thread(_key, provider))
            await asyncio.to_thread(provider.warm)  # to import what a request needs is not the server's time
            models = await self._models(provider)
            self.listed(models)
            name = provider.model or (await provider.choose("") if models else "")
        except BuddyError as error:
            self.show(dot="unreachable", title="unreachable", model=str(error))
        except TimeoutError:
            self.show(dot="unreachable", title="unreachable", model=f"No answer within {PATIENCE:g} s.")
        else:
            self.show(dot="reachable", title="reachable", model=_told(name, models))

    async def _models(self, provider: Provider) -> list[Model]:
        """The models of a server that answers soon, or that says that it is loading."""
        asking = asyncio.create_task(provider.catalogue())
        try:
            await asyncio.wait([asking], timeout=PATIENCE)
            if not asking.done():
                if not await _is_loading(provider):
                    raise TimeoutError
                self.show(dot="loading", title="loading", model="The server is loading its model.")
            return await asking
        finally:
            asking.cancel()

    async def _test(self) -> None:
        try:
            provider = self.buddy.current()
            report = await examine(provider, self.buddy.needed())
        except BuddyError as error:
            self.show(report={"verdict": str(error), "rows": []}, testing=False)
        else:
            self.show(report=_rows(report), testing=False)
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
                noted = f"The key for {place[1]} is removed." if was_there else f"No key was stored for {place[1]}."
        except BuddyError as error:
            self.show(noted=str(error))
        else:
            self.show(noted=noted)
            await self._look()


async def _is_loading(provider: Provider) -> bool:
    if not isinstance(provider, OpenAIChatProvider):
        return False
    server = await provider.server()
    async with looking(server.access, PATIENCE) as look:
        answer = await look.get(f"{server.url}/models")
    return answer is not None and Complaint(answer.body, answer.status).is_loading()


def _where(provider: Provider) -> str:
    with suppress(BuddyError):
        if provider.stays_here():
            return "Requests stay on this machine."
        if isinstance(provider, OpenAIChatProvider):
            return f"Requests go to {host_of(provider.url)}."
    return f"Requests go to {provider.label or type(provider).__name__}."


def _key(provider: Provider) -> dict[str, Any] | None:
    """What to tell of the key: whether one is there, and from where; None where there is nothing to tell."""
    if not isinstance(provider, OpenAIChatProvider) or "base_url" not in provider.traits(config=True):
        return None
    needed = not provider.stays_here()
    try:
        host, own = host_of(provider.url), provider.own_host()
        if provider.keys.find(provider.name, provider.key_variable, host, own) is None:
            return {"told": "no key yet" if needed else "none, and most local servers need none", "needed": needed}
        from_environment = host == own and os.environ.get(provider.key_variable)
        source = f"from the variable {provider.key_variable}" if from_environment else f"stored for {host}"
        return {"told": f"a key is there ({source})", "needed": False}
    except BuddyError as error:
        return {"told": str(error), "needed": True}


def _told(name: str, models: list[Model]) -> str:
    """What is known of a model, in a line."""
    model = next((one for one in models if one.name in (name, f"{name}:latest")), None)
    if model is None:
        return f"{name} is not in the server's list." if name and models else name
    most = f" of {model.max_window:,}" if model.max_window and model.max_window != model.window else ""
    parts = [
        name,
        f"window {model.window:,}{most}" if model.window else "",
        ", ".join(model.abilities),
        {True: "loaded", False: "not loaded yet", None: ""}[model.loaded],
    ]
    return " · ".join(part for part in parts if part)


def _rows(report: Report) -> dict[str, Any]:
    rows = [
        {
            "mark": MARKS[check.well],
            "name": check.name,
            "found": check.found,
            "remedies": [str(remedy) for remedy in check.remedies],
        }
        for check in report.checks
    ]
    return {"verdict": report.verdict(), "rows": rows}
