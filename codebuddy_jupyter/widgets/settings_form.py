"""The settings in the panel: a form that is made from the traits, so that it fits any
provider.

It changes settings of this kernel alone, as ``%config`` does, and shows what
``%config`` changes. Only Save keeps them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ipywidgets

from ..buddy import Buddy
from ..chat.reply import Reply
from ..errors import BuddyError
from ..messages import Model
from ..providers.base import Provider
from ..providers.http.address import is_loopback
from ..settings import KERNEL, Configured
from .field import LAYOUT, STYLE, Field, fields_of, label_of
from .page import answer_while_a_cell_runs, close, help_of
from .provider_view import ProviderView

# the settings on which it depends who is asked
PLACE = ("base_url", "model")
# what needs nobody else comes first in the list
FIRST = ("Local", "Embedded")
# the first under More
COMMON = ("temperature", "max_tokens")


class SettingsForm(ipywidgets.VBox):
    """Provider, its fields, how it stands with it, and the rest under More.

    Parameters
    ----------
    buddy
        Whose settings.
    """

    def __init__(self, buddy: Buddy) -> None:
        self.buddy = buddy
        self._building = threading.RLock()
        self._fields: list[Field] = []
        self._provider: Provider | None = None
        self.choice = ipywidgets.Dropdown(
            options=_offered(buddy),
            value=buddy.provider,
            description="Provider",
            style=STYLE,
            layout=LAYOUT,
            **help_of(buddy.traits()["provider"].help),
        )
        self.view = ProviderView(buddy, self._offer_models)
        self.main, self.rest = (
            ipywidgets.VBox(),
            ipywidgets.VBox(layout={"display": "none"}),
        )
        self.test = _button(
            "Test connection",
            "Ask the server for its models and for a few tokens",
            self.view.test,
        )
        self.keep = _button(
            "Save as default", "Keep these settings for new kernels", self._save
        )
        self.more = ipywidgets.ToggleButton(
            description="More", layout={"width": "auto"}, **help_of("All settings")
        )
        self.buttons = ipywidgets.HBox(
            [self.test, self.keep, self.more], layout={"flex_flow": "row wrap"}
        )
        super().__init__(
            [
                self.choice,
                self.main,
                self.view,
                self.buttons,
                self.view.findings,
                self.rest,
            ]
        )
        for widget in (self.choice, self.more):
            answer_while_a_cell_runs(widget)
        self.choice.observe(self._choose, "value")
        self.more.observe(self._unfold, "value")
        buddy.observe(self._provider_changed, "provider")
        self._build()

    def close(self) -> None:
        """Take the form out of every page; the settings stay."""
        self.buddy.unobserve(self._provider_changed, "provider")
        self._take_down()
        close(
            self.choice,
            self.view,
            self.main,
            self.rest,
            self.test,
            self.keep,
            self.more,
            self.buttons,
        )
        super().close()

    def after(self, reply: Reply) -> None:
        """An answer has ended, which tells how it stands with its provider."""
        if reply.provider != self.buddy.provider:
            return
        if (
            isinstance(reply.error, BuddyError)
            or self.buddy.provider_named(reply.provider).stays_here()
        ):
            self.view.look()
        else:
            self.view.show(dot="reachable", title="reachable", trouble="")

    # The fields of the provider in use

    def _build(self) -> None:
        with self._building:
            self._take_down()
            self._provider = provider = self._ready()
            self._fields = [
                self._field(provider, name) for name in _parted(provider)[0]
            ]
            self.main.children = [field.widget for field in self._fields]
            if self.more.value:
                self._add_rest(provider)
            provider.observe(self._place_changed, PLACE)
            self.view.show(
                dot="loading",
                title="looking…",
                where="",
                trouble="",
                facts=[],
                key=None,
                report=None,
            )
            self.view.look()

    def _add_rest(self, provider: Provider) -> None:
        """Make what stands under More; many widgets, so not before somebody looks."""
        later = _parted(provider)[1]
        rest = [self._field(provider, name) for name in COMMON if name in later]
        rest += [
            self._field(self.buddy, name)
            for name in fields_of(self.buddy)
            if name != "provider"
        ]
        rest += [self._field(provider, name) for name in later if name not in COMMON]
        self._fields += rest
        self.rest.children = [field.widget for field in rest]

    def _ready(self) -> Provider:
        """The provider of the settings, with what the environment says; where that
        cannot be, without.
        """
        noted = ""
        try:
            self.buddy.current()
        except BuddyError as error:
            noted = str(error)
        provider = self.buddy.provider_named(self.buddy.provider)
        self.view.show(noted=noted, overridden=list(overridden(self.buddy, provider)))
        return provider

    def _take_down(self) -> None:
        self.main.children = self.rest.children = ()
        for field in self._fields:
            field.close()
        self._fields = []
        if self._provider is not None:
            self._provider.unobserve(self._place_changed, PLACE)

    def _field(self, owner: Configured, name: str) -> Field:
        return Field(owner, name, self._typed, _model_box if name == "model" else None)

    def _offer_models(self, models: list[Model]) -> None:
        names = [
            model.name
            for model in models
            if not model.abilities or "chat" in model.abilities
        ]
        for field in self._fields:
            if field.name == "model":
                field.widget.options = names

    # What happens

    def _choose(self, change: Mapping[str, Any]) -> None:
        self.buddy.change({"provider": change["new"]})

    def _provider_changed(self, change: Mapping[str, Any]) -> None:
        self.choice.value = self.buddy.provider
        self._build()

    def _place_changed(self, change: Mapping[str, Any]) -> None:
        self.view.show(
            dot="loading", title="looking…", trouble="", facts=[], report=None
        )
        self.view.look()

    def _typed(self, complaint: str) -> None:
        assert self._provider is not None
        self.view.show(
            noted=complaint, overridden=list(overridden(self.buddy, self._provider))
        )

    def _unfold(self, change: Mapping[str, Any]) -> None:
        with self._building:
            if change["new"] and not self.rest.children and self._provider is not None:
                self._add_rest(self._provider)
            self.rest.layout.display = "flex" if change["new"] else "none"

    def _save(self) -> None:
        try:
            self._typed(f"Saved to {self.buddy.save()}.")
        except BuddyError as error:
            self._typed(str(error))


def overridden(*owners: Configured) -> Iterator[str]:
    """A line for each setting that the environment or ``ipython_config.py`` decides,
    now or in new kernels.
    """
    for owner in owners:
        sources = dict.fromkeys(
            owner.config.get(type(owner).__name__, {}), "ipython_config.py"
        )
        sources |= {
            name: variable
            for name, variable in owner.environment.items()
            if os.environ.get(variable)
        }
        for name, source in sources.items():
            label = (
                label_of(name, owner.traits()[name]) if name in owner.traits() else name
            )
            here = owner.origin(name) == KERNEL
            yield (
                f"{label}: {source} decides in new kernels, not what is saved."
                if here
                else f"{label} is set by {source}."
            )


def _offered(buddy: Buddy) -> list[tuple[str, str]]:
    """The providers that can be chosen, as labels and names; one that cannot be loaded
    only where it is in use.
    """
    found = []
    for name in sorted(
        buddy.registry.names(),
        key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST),
    ):
        labels = [provider.label or name for provider in buddy.providers_named([name])]
        found += [
            (label, name)
            for label in labels or ([name] if name == buddy.provider else [])
        ]
    return found


def _parted(provider: Provider) -> tuple[list[str], list[str]]:
    """The settings that are always shown, and those under More.

    A base URL is always shown where the user has to say it: where it is empty or on
    this machine by default.
    """
    names = fields_of(provider)
    default = (
        provider.traits()["base_url"].default_value
        if "base_url" in names
        else "elsewhere"
    )
    first = ["base_url"] if not default or is_loopback(str(default)) else []
    first = [name for name in [*first, "model"] if name in names]
    return first, [name for name in names if name not in first]


def _model_box(**arguments: Any) -> ipywidgets.Combobox:
    return ipywidgets.Combobox(
        options=(),
        ensure_option=False,
        continuous_update=False,
        placeholder="the provider's choice",
        **arguments,
    )


def _button(description: str, help: str, act: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(
        description=description, tooltip=help, layout={"width": "auto"}
    )
    answer_while_a_cell_runs(button)
    button.on_click(lambda _: act())
    return button
