"""The state of the provider in the page: a dot, facts, the field for the key, and the
result of a test.

A key is sent once, in a message, by a field that clears itself. It is not a trait, so
no notebook can save it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from ..buddy import Buddy
from ..doctor.examination import examine
from ..doctor.report import MARKS, Report
from ..errors import BuddyError
from ..messages import Model
from ..providers.base import Address, Provider
from .modules import joined_styles, packed_script
from .page import Content, PageWidget
from .protocol import (
    CheckFields,
    KeyFields,
    Problem,
    ReportFields,
    problem_of,
    remedy_fields,
)

# Seconds to wait for the list of models.
LIST_TIMEOUT = 5.0
STATES = {True: "loaded", False: "not loaded yet", None: ""}

Fact = tuple[str, str]
"""A fact that the page shows: its label and its text."""


class ProviderView(PageWidget):
    """The state of the provider in use, refreshed on request and never by a clock.

    A panel shows it in three places, and each shows another part: one line in the bar;
    facts and the field for the key; and below the buttons what they found.

    Parameters
    ----------
    buddy
        The owner of the provider.
    listed
        Called on the background loop with the models that the provider lists.
    troubled
        Called on the background loop when the provider cannot be used as it is set.
    """

    _esm = packed_script("provider/view.js")
    _css = joined_styles("provider/provider.css")

    def __init__(
        self,
        buddy: Buddy,
        listed: Callable[[list[Model]], None],
        troubled: Callable[[], None],
    ) -> None:
        self.buddy = buddy
        self.listed = listed
        self.troubled = troubled
        self._state: dict[str, Any] = {"dot": "loading", "title": "checking…"}
        self._tasks: dict[str, concurrent.futures.Future[None]] = {}
        super().__init__()

    def close(self) -> None:
        """Remove the widget from every page, and stop its requests."""
        for task in self._tasks.values():
            task.cancel()
        super().close()

    def show(self, **changes: Any) -> None:
        """Change what the page shows; from any thread."""
        self._state = {**self._state, **changes}
        self.post({"type": "state", **self._state})

    def refresh(self) -> None:
        """Check whether the provider answers, and which models it lists."""
        self._begin("refresh", self._refresh())

    def test(self) -> None:
        """Test the connection as ``/doctor`` does, and show the report."""
        self.show(report={"verdict": "Testing…", "rows": []})
        self._begin("test", self._test())

    # What the page sends

    def take_ready(self, content: Content) -> None:
        """Send the state to a page that shows the widget."""
        self.post({"type": "state", **self._state})

    def take_use(self, content: Content) -> None:
        """Use the model that was chosen, in this kernel."""
        model = str(content["model"])
        provider = self.buddy.provider_named(self.buddy.provider)
        if provider.has_trait("model") and model != provider.model:
            provider.change({"model": model})

    def take_key(self, content: Content) -> None:
        """Store the key that was typed; delete the stored one if it is empty."""
        key = str(content["key"]).strip()
        self._begin("key", self._change_key(key))

    # On the background loop

    def _begin(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        if name in self._tasks:
            self._tasks[name].cancel()
        self._tasks[name] = self.buddy.loop.submit(coroutine)

    async def _refresh(self) -> None:
        try:
            provider = self.buddy.current()
            key = await asyncio.to_thread(key_state, provider)
            self.show(
                where=destination(provider),
                key=key,
                name=self.buddy.provider,
                **_line_of(provider),
            )
            if key is not None and key["needed"]:
                self.troubled()
            # Imports take seconds that are not the server's.
            await asyncio.to_thread(provider.warm)
            began = time.monotonic()
            models = await self._models(provider)
            seconds = time.monotonic() - began
            self.listed(models)
            name = provider.model
            if not name and models:
                name = await provider.choose("")
            facts = _model_facts(name, models)
            facts += _server_facts(provider, seconds)
        except BuddyError as error:
            self._show_unreachable(problem_of(error))
        except TimeoutError:
            self._show_unreachable(f"No answer within {LIST_TIMEOUT:g} s.")
        else:
            names = chat_models(models)
            self.show(
                dot="reachable",
                title="reachable",
                trouble="",
                facts=facts,
                model=name,
                models=names,
            )

    def _show_unreachable(self, trouble: str | Problem) -> None:
        self.show(dot="unreachable", title="unreachable", trouble=trouble, facts=[])
        self.troubled()

    async def _models(self, provider: Provider) -> list[Model]:
        """Return the models, after a longer wait if the server is loading its model.

        Raises
        ------
        TimeoutError
            When the server neither answers in time nor reports that it is loading.
        """
        listing = asyncio.create_task(provider.catalogue())
        try:
            await asyncio.wait([listing], timeout=LIST_TIMEOUT)
            if not listing.done():
                if not await provider.is_loading():
                    raise TimeoutError
                trouble = "The server is loading its model."
                self.show(dot="loading", title="loading", trouble=trouble, facts=[])
            return await listing
        finally:
            listing.cancel()

    async def _test(self) -> None:
        try:
            provider = self.buddy.current()
            report = await examine(provider, self.buddy.needed())
        except BuddyError as error:
            self.show(report={"verdict": problem_of(error), "rows": []})
        else:
            self.show(report=_table(report))
            await self._refresh()

    async def _change_key(self, key: str) -> None:
        try:
            provider = self.buddy.current()
            note = await asyncio.to_thread(_store_or_forget, provider, key)
        except BuddyError as error:
            self.show(noted=problem_of(error))
        else:
            self.show(noted=note)
            await self._refresh()


def destination(provider: Provider) -> str:
    """Return where requests go, as a sentence."""
    # Without an address, the error of the next request says what to set.
    with suppress(BuddyError):
        if provider.stays_here():
            return "Requests stay on this machine."
        address = provider.address()
        if address is not None:
            return f"Requests go to {address.host}."
    return f"Requests go to {provider.label or type(provider).__name__}."


def _line_of(provider: Provider) -> dict[str, Any]:
    """Return what the line about a provider says before its server has answered."""
    brief = ""
    with suppress(BuddyError):
        address = provider.address()
        if provider.stays_here():
            brief = "stays on this machine"
        elif address is not None:
            brief = f"goes to {address.host}"
    return {"model": provider.model, "models": [], "brief": brief}


def chat_models(models: list[Model]) -> list[str]:
    """Return the names of models that can chat.

    A server that does not say what its models can do may mean any of them.
    """
    names = []
    for model in models:
        if not model.abilities or "chat" in model.abilities:
            names.append(model.name)
    return names


def key_state(provider: Provider) -> KeyFields | None:
    """Return whether there is a key, and from where; None if the provider uses none."""
    try:
        address = provider.address()
        if address is None or not address.key_variable:
            return None
        if provider.try_key() is not None:
            source = _key_source(provider, address)
            return {"text": f"set ({source})", "needed": False}
        if provider.stays_here():
            text = "not set; most local servers need no key"
            return {"text": text, "needed": False}
        return {"text": "not set", "needed": True}
    except BuddyError as error:
        return {"text": str(error), "needed": True}


def _key_source(provider: Provider, address: Address) -> str:
    is_own_host = address.host == provider.own_host()
    if is_own_host and os.environ.get(address.key_variable):
        return f"from the variable {address.key_variable}"
    return f"stored for {address.host}"


def _store_or_forget(provider: Provider, key: str) -> str:
    """Store the key, or delete the stored one if it is empty; return a note."""
    address = provider.address()
    host = provider.where()
    if address is not None:
        host = address.host
    if key:
        store = provider.store_key(key)
        return f"The key for {host} is stored in {store}."
    if provider.forget_key():
        return f"The key for {host} was deleted."
    return f"There was no stored key for {host}."


def _model_facts(name: str, models: list[Model]) -> list[Fact]:
    """Return what the list of models says of the model with this name."""
    if not name:
        return []
    for model in models:
        if model.name in (name, f"{name}:latest"):
            facts = [
                ("Model", name),
                ("State", STATES[model.loaded]),
                ("Context window", _context_window(model)),
                ("Abilities", ", ".join(model.abilities)),
            ]
            return [fact for fact in facts if fact[1]]
    if models:
        return [("Model", f"{name}, which is not in the server's list")]
    return [("Model", name)]


def _server_facts(provider: Provider, seconds: float) -> list[Fact]:
    """Return the host and its latency, if the provider declares an address."""
    address = provider.address()
    if address is None:
        return []
    latency = f"{1000 * seconds:,.0f} ms to list the models"
    return [("Host", address.host), ("Latency", latency)]


def _context_window(model: Model) -> str:
    if not model.window:
        return ""
    text = f"{model.window:,} tokens"
    if model.max_window and model.max_window != model.window:
        text += f", at most {model.max_window:,}"
    return text


def _table(report: Report) -> ReportFields:
    rows: list[CheckFields] = []
    for check in report.checks:
        row: CheckFields = {
            "mark": MARKS[check.ok],
            "name": check.name,
            "finding": check.finding,
            "remedies": remedy_fields(check.remedies),
        }
        rows.append(row)
    return {"verdict": report.verdict(), "rows": rows}
