"""One setting and the widget that shows it; each follows the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import ipywidgets
from traitlets import Bool, Enum, Float, Int, List, TraitError, TraitType, Unicode

from ..settings.configured import Configured
from .page import answer_while_a_cell_runs, close, help_of

# A text whose default is longer, in characters, gets several lines.
LONG_TEXT = 60
# The bound of a number that has none of its own.
LARGEST_NUMBER = 2**31 - 1
STYLE = {"description_width": "9em"}
LAYOUT = {"width": "auto"}


class Field:
    """A setting in the form.

    The page finds its widget by the CSS class ``codebuddy-setting-CLASS-NAME``.

    Parameters
    ----------
    owner, name
        The setting, by the object that has it and its name.
    report
        Called with a line if the typed value is invalid, and with an empty one when it
        is valid again.
    make_widget
        Makes the widget if the type of the setting does not decide which is best.
    """

    def __init__(
        self,
        owner: Configured,
        name: str,
        report: Callable[[str], None],
        make_widget: Callable[..., Any] | None = None,
    ) -> None:
        self.owner = owner
        self.name = name
        self.trait: TraitType[Any, Any] = owner.traits()[name]
        self.report = report
        self.widget = self._make(make_widget)
        self.widget.add_class(f"codebuddy-setting-{type(owner).__name__}-{name}")
        answer_while_a_cell_runs(self.widget)
        self.widget.observe(self._on_typed, "value")
        owner.observe(self._on_changed, name)

    def close(self) -> None:
        """Close the widget; the setting stays."""
        self.owner.unobserve(self._on_changed, self.name)
        close(self.widget)

    def _make(self, make_widget: Callable[..., Any] | None) -> Any:
        if make_widget is None:
            make_widget = _widget_for(self.trait)
        return make_widget(
            value=self._shown_value(),
            description=label_of(self.name, self.trait),
            style=STYLE,
            layout=LAYOUT,
            **help_of(self.trait.help),
        )

    def _shown_value(self) -> Any:
        """Return the setting's value as its widget takes it."""
        value = getattr(self.owner, self.name)
        if isinstance(self.trait, List):
            return ", ".join(map(str, value))
        if isinstance(self.trait, Enum) or _is_bounded(self.trait):
            return value
        if isinstance(value, bool):
            return value
        if value is None:
            return ""
        return str(value)

    def _setting_value(self, shown: Any) -> Any:
        """Return what the widget's value means for the setting."""
        if not isinstance(shown, str) or isinstance(self.trait, Unicode | Enum):
            return shown
        if isinstance(self.trait, List):
            parts = [part.strip() for part in shown.split(",")]
            return [part for part in parts if part]
        is_blank = not shown.strip()
        if is_blank and self.trait.allow_none:
            return None
        return self.trait.from_string(shown)

    def _on_typed(self, change: Mapping[str, Any]) -> None:
        try:
            value = self._setting_value(change["new"])
            if value != getattr(self.owner, self.name):
                self.owner.change({self.name: value})
        except (TraitError, ValueError) as error:
            self.report(f"{self.widget.description}: {error}")
        else:
            self.report("")

    def _on_changed(self, change: Mapping[str, Any]) -> None:
        self.widget.value = self._shown_value()


def fields_of(owner: Configured) -> list[str]:
    """Return the names of an owner's settings, without those that hold secrets.

    They are in the order of their ``order`` tags, and else as the classes declare them.
    """
    traits = owner.traits(config=True)
    declared: list[str] = []
    for owner_type in reversed(type(owner).__mro__):
        declared += [name for name in vars(owner_type) if name in traits]
    shown = []
    # Without names that a subclass declares again.
    for name in dict.fromkeys(declared):
        if not traits[name].metadata.get("secret"):
            shown.append(name)
    return sorted(shown, key=lambda name: traits[name].metadata.get("order", 0))


def label_of(name: str, trait: TraitType[Any, Any]) -> str:
    """Return the name of a setting in the form."""
    label = trait.metadata.get("label")
    if label:
        return str(label)
    words = name.replace("_", " ").replace("url", "URL")
    return words[0].upper() + words[1:]


def _widget_for(trait: TraitType[Any, Any]) -> Callable[..., Any]:
    """Return what makes the widget for a trait, given the common arguments."""
    if isinstance(trait, Bool):
        return partial(ipywidgets.Checkbox, indent=True)
    if isinstance(trait, Enum):
        options = list(trait.values or ())
        return partial(ipywidgets.Dropdown, options=options)
    if _is_bounded(trait):
        return _number_widget(trait)
    default = str(trait.default_value)
    if isinstance(trait, Unicode) and len(default) > LONG_TEXT:
        return partial(ipywidgets.Textarea, continuous_update=False, rows=4)
    placeholder = "default" if trait.allow_none else ""
    return partial(
        ipywidgets.Text,
        continuous_update=False,
        placeholder=placeholder,
    )


def _number_widget(trait: Any) -> Callable[..., Any]:
    make_widget = ipywidgets.BoundedIntText
    if isinstance(trait, Float):
        make_widget = ipywidgets.BoundedFloatText
    return partial(
        make_widget,
        min=_finite(trait.min, -LARGEST_NUMBER),
        max=_finite(trait.max, LARGEST_NUMBER),
    )


def _is_bounded(trait: TraitType[Any, Any]) -> bool:
    """Return whether a setting is a number that is never empty.

    A number that may be empty is typed as text.
    """
    if isinstance(trait, Bool) or not isinstance(trait, Int | Float):
        return False
    return not trait.allow_none


def _finite(bound: float | None, otherwise: int) -> float:
    if bound is None or math.isinf(bound):
        return otherwise
    return bound
