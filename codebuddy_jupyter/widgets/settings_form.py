"""The settings in the panel: a form made from the traits, so that it fits any provider.

Like ``%config`` it changes settings of this kernel only, and it shows what ``%config``
changes. Only Save keeps them for new kernels.
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
from ..settings.configured import KERNEL, Configured
from .completion_switch import CompletionSwitch
from .field import LAYOUT, STYLE, Field, fields_of, label_of
from .page import answer_while_a_cell_runs, close, help_of
from .protocol import Problem, problem_of
from .provider_view import ProviderView, chat_models

# Providers that need no other company come first in the list.
FIRST_PROVIDERS = ("Local", "Embedded")
# The first settings under More.
COMMON_SETTINGS = ("temperature", "max_tokens")
HIDDEN = "none"
SHOWN = "flex"


class SettingsForm(ipywidgets.VBox):
    """The provider, its main settings and its state; the other settings under More.

    The page finds the settings of a class by the CSS class ``codebuddy-owner-CLASS``.

    Parameters
    ----------
    buddy
        Whose settings it shows.
    troubled
        Called on the background loop when the provider cannot be used as it is set.
    """

    def __init__(
        self, buddy: Buddy, troubled: Callable[[], None] = lambda: None
    ) -> None:
        self.buddy = buddy
        self._building = threading.RLock()
        self._fields: list[Field] = []
        self._provider: Provider | None = None
        self._observed: list[str] = []
        self._is_closed = False
        self.choice = _provider_choice(buddy)
        self.view = ProviderView(buddy, self._offer_models, troubled)
        self.completion = CompletionSwitch(buddy, self._note)
        self.main = ipywidgets.VBox()
        self.rest = ipywidgets.VBox(layout={"display": HIDDEN})
        self._make_buttons()
        # The page knows by the class which part of the view it shows there.
        self.found = ipywidgets.HBox([self.view])
        self.found.add_class("codebuddy-found")
        parts = [self.choice, self.main, self.view, self.completion, self.buttons]
        self._parts = [*parts, self.found, self.rest]
        super().__init__(layout={"display": HIDDEN})
        self.add_class("codebuddy-settings")
        self.add_class(_owner_class(buddy))
        self.choice.observe(self._on_choice, "value")
        self.more.observe(self._on_more, "value")
        buddy.observe(self._on_provider, "provider")
        self._build()

    def show(self, is_shown: bool) -> None:
        """Show or hide the form, whose parts a page draws when it is first shown.

        For the first label, JupyterLab loads what typesets formulas, for which a panel
        that only opens need not wait.
        """
        if is_shown:
            self.children = self._parts
            self.layout.display = SHOWN
        else:
            self.layout.display = HIDDEN

    def close(self) -> None:
        """Take the form out of every page; the settings stay."""
        # ipywidgets also closes what is no longer used.
        if self._is_closed:
            return
        self._is_closed = True
        self.buddy.unobserve(self._on_provider, "provider")
        self._remove_fields()
        close(self.choice, self.found, self.view, self.completion, self.main, self.rest)
        close(self.test, self.keep, self.more, self.buttons)
        super().close()

    def note_end(self, reply: Reply) -> None:
        """Update the provider's state when an answer has ended, which may show it."""
        if reply.provider != self.buddy.provider:
            return
        provider = self.buddy.provider_named(reply.provider)
        if isinstance(reply.error, BuddyError) or provider.stays_here():
            self.view.refresh()
        else:
            self.view.show(dot="reachable", title="reachable", trouble="")

    def _make_buttons(self) -> None:
        self.test = _button(
            "Test connection",
            "Request the list of models and a few tokens from the server",
            self.view.test,
        )
        self.keep = _button(
            "Save as default",
            "Use these settings in new kernels, too",
            self._save,
        )
        self.more = ipywidgets.ToggleButton(
            description="More",
            layout=LAYOUT,
            **help_of("Show all settings"),
        )
        self.more.add_class("codebuddy-more")
        answer_while_a_cell_runs(self.more)
        self.buttons = ipywidgets.HBox(
            [self.test, self.keep, self.more],
            layout={"flex_flow": "row wrap"},
        )

    # The fields of the provider in use

    def _build(self) -> None:
        """Replace the fields by those of the provider in use."""
        with self._building:
            self._remove_fields()
            provider = self._ready_provider()
            self._provider = provider
            self.add_class(_owner_class(provider))
            names, _ = _main_and_other_settings(provider)
            self._fields = self._make_fields(provider, names)
            self.main.children = [field.widget for field in self._fields]
            if self.more.value:
                self._add_rest(provider)
            self._observed = list(provider.traits(affects="target"))
            provider.observe(self._on_target, self._observed)
            self._refresh(where="", key=None)

    def _add_rest(self, provider: Provider) -> None:
        """Make the fields under More: many widgets, so only when they are shown."""
        _, names = _main_and_other_settings(provider)
        common = [name for name in COMMON_SETTINGS if name in names]
        others = [name for name in names if name not in COMMON_SETTINGS]
        own = [name for name in fields_of(self.buddy) if name != "provider"]
        fields = self._make_fields(provider, common)
        fields += self._make_fields(self.buddy, own)
        fields += self._make_fields(provider, others)
        self._fields += fields
        self.rest.children = [field.widget for field in fields]

    def _ready_provider(self) -> Provider:
        """Return the provider of the settings, with the settings of the environment
        unless they are invalid.
        """
        note: str | Problem = ""
        try:
            self.buddy.current()
        except BuddyError as error:
            note = problem_of(error)
        provider = self.buddy.provider_named(self.buddy.provider)
        lines = list(overridden(self.buddy, provider))
        self.view.show(noted=note, overridden=lines)
        return provider

    def _remove_fields(self) -> None:
        self.main.children = self.rest.children = ()
        for field in self._fields:
            field.close()
        self._fields = []
        if self._provider is not None:
            self._provider.unobserve(self._on_target, self._observed)
            self.remove_class(_owner_class(self._provider))

    def _make_fields(self, owner: Configured, names: list[str]) -> list[Field]:
        fields = []
        for name in names:
            make_widget = None
            if name == "model":
                make_widget = _model_box
            field = Field(owner, name, self._note, make_widget)
            fields.append(field)
        return fields

    def _offer_models(self, models: list[Model]) -> None:
        names = chat_models(models)
        for field in self._fields:
            if field.name == "model":
                field.widget.options = names

    # Changes by the user, here or elsewhere

    def _on_choice(self, change: Mapping[str, Any]) -> None:
        self.buddy.change({"provider": change["new"]})

    def _on_provider(self, change: Mapping[str, Any]) -> None:
        self.choice.value = self.buddy.provider
        self._build()

    def _on_target(self, change: Mapping[str, Any]) -> None:
        self._refresh()

    def _on_more(self, change: Mapping[str, Any]) -> None:
        with self._building:
            if not change["new"]:
                self.rest.layout.display = HIDDEN
                return
            if not self.rest.children and self._provider is not None:
                self._add_rest(self._provider)
            self.rest.layout.display = SHOWN

    def _refresh(self, **changes: Any) -> None:
        """Show that the state is not known yet, and check it."""
        self.view.show(
            dot="loading",
            title="checking…",
            trouble="",
            facts=[],
            report=None,
            **changes,
        )
        self.view.refresh()

    def _note(self, line: str | Problem) -> None:
        assert self._provider is not None
        lines = list(overridden(self.buddy, self._provider))
        self.view.show(noted=line, overridden=lines)

    def _save(self) -> None:
        try:
            line = f"Saved to {self.buddy.save()}."
            if self.buddy.saved.aside is not None:
                line += f" The file that was there is now {self.buddy.saved.aside}."
            self._note(line)
        except BuddyError as error:
            self._note(problem_of(error))


def overridden(*owners: Configured) -> Iterator[str]:
    """Yield a line for each setting that the environment or ``ipython_config.py`` sets,
    now or in new kernels.
    """
    for owner in owners:
        for name, source in _sources(owner).items():
            trait = owner.traits().get(name)
            label = name
            if trait is not None:
                label = label_of(name, trait)
            if owner.origin(name) == KERNEL:
                yield f"{label}: in new kernels {source} overrides the saved value."
            else:
                yield f"{label} is set by {source}."


def _sources(owner: Configured) -> dict[str, str]:
    """Return the settings that files and variables decide, each with its source."""
    configured = owner.config.get(type(owner).__name__, {})
    sources = dict.fromkeys(configured, "ipython_config.py")
    for name, variable in owner.environment.items():
        if os.environ.get(variable):
            sources[name] = variable
    return sources


def _provider_choice(buddy: Buddy) -> ipywidgets.Dropdown:
    choice = ipywidgets.Dropdown(
        options=_offered_providers(buddy),
        value=buddy.provider,
        description="Provider",
        style=STYLE,
        layout=LAYOUT,
        **help_of(buddy.traits()["provider"].help),
    )
    choice.add_class("codebuddy-setting-Buddy-provider")
    answer_while_a_cell_runs(choice)
    return choice


def _offered_providers(buddy: Buddy) -> list[tuple[str, str]]:
    """Return the providers that can be chosen, as labels and names.

    A provider that cannot be loaded is offered only if it is in use.
    """
    names = list(buddy.registry.names())
    first = [name for name in FIRST_PROVIDERS if name in names]
    others = [name for name in names if name not in FIRST_PROVIDERS]
    offered = []
    for name in [*first, *others]:
        loaded = buddy.providers_named([name])
        if loaded:
            offered.append((loaded[0].label or name, name))
        elif name == buddy.provider:
            offered.append((name, name))
    return offered


def _main_and_other_settings(provider: Provider) -> tuple[list[str], list[str]]:
    """Return the settings that are always shown, and those under More.

    A base URL is always shown if it is empty or on this machine by default, since the
    user may have to set it.
    """
    names = fields_of(provider)
    main = []
    if "base_url" in names:
        default = str(provider.traits()["base_url"].default_value)
        if not default or is_loopback(default):
            main.append("base_url")
    if "model" in names:
        main.append("model")
    return main, [name for name in names if name not in main]


def _owner_class(owner: Configured) -> str:
    return f"codebuddy-owner-{type(owner).__name__}"


def _model_box(**arguments: Any) -> ipywidgets.Combobox:
    return ipywidgets.Combobox(
        options=(),
        ensure_option=False,
        continuous_update=False,
        placeholder="chosen automatically",
        **arguments,
    )


def _button(text: str, help: str, act: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=text, tooltip=help, layout=LAYOUT)
    answer_while_a_cell_runs(button)
    button.on_click(lambda _: act())
    return button
