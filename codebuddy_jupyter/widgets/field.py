"""One setting and the widget that shows it, in step both ways: the widget is made from
the trait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
from traitlets import Bool, Enum, Float, Int, List, TraitError, TraitType, Unicode

from ..settings import Configured
from .page import answer_while_a_cell_runs, close, help_of

# characters of a default from which on a text gets more than one line
LONG = 60
# where a number has no bound of its own
FARTHEST = 2**31 - 1
STYLE = {"description_width": "9em"}
LAYOUT = {"width": "auto"}


class Field:
    """A setting in the form.

    Parameters
    ----------
    owner, name
        Whose setting, and which.
    complain
        Called with a line when something was typed that cannot be, and with an empty
        one when it is right again.
    make
        Makes the widget, where the trait alone does not tell which is best.
    """

    def __init__(
        self,
        owner: Configured,
        name: str,
        complain: Callable[[str], None],
        make: Callable[..., Any] | None = None,
    ) -> None:
        self.owner = owner
        self.name = name
        self.trait: TraitType[Any, Any] = owner.traits()[name]
        self.complain = complain
        kind, more = (make, {}) if make else _widget_for(self.trait)
        arguments = {
            "description": label_of(name, self.trait),
            "style": STYLE,
            "layout": LAYOUT,
            **more,
        }
        self.widget = kind(value=self._shown(), **arguments, **help_of(self.trait.help))
        self.widget.add_class(f"codebuddy-{name.replace('_', '-')}")
        answer_while_a_cell_runs(self.widget)
        self.widget.observe(self._typed, "value")
        owner.observe(self._changed, name)

    def close(self) -> None:
        """Take it out of the form; the setting stays."""
        self.owner.unobserve(self._changed, self.name)
        close(self.widget)

    def _shown(self) -> Any:
        value = getattr(self.owner, self.name)
        if isinstance(self.trait, List):
            return ", ".join(map(str, value))
        if (
            isinstance(value, bool | str)
            or _is_bounded(self.trait)
            or isinstance(self.trait, Enum)
        ):
            return value
        return "" if value is None else str(value)

    def _meant(self, shown: Any) -> Any:
        if not isinstance(shown, str) or isinstance(self.trait, Unicode | Enum):
            return shown
        if isinstance(self.trait, List):
            return [part.strip() for part in shown.split(",") if part.strip()]
        if not shown.strip() and self.trait.allow_none:
            return None
        return self.trait.from_string(shown)

    def _typed(self, change: Mapping[str, Any]) -> None:
        try:
            value = self._meant(change["new"])
            if value != getattr(self.owner, self.name):
                self.owner.change({self.name: value})
        except (TraitError, ValueError) as error:
            self.complain(f"{self.widget.description}: {error}")
        else:
            self.complain("")

    def _changed(self, change: Mapping[str, Any]) -> None:
        self.widget.value = self._shown()


def fields_of(owner: Configured) -> list[str]:
    """The settings of an owner in the order of their ``order`` tags, or else as its
    classes declare them.

    Those that hold secrets are not among them.
    """
    traits = owner.traits(config=True)
    declared = [
        name
        for kind in reversed(type(owner).__mro__)
        for name in vars(kind)
        if name in traits
    ]
    shown = [
        name
        for name in dict.fromkeys(declared)
        if not traits[name].metadata.get("secret")
    ]
    return sorted(shown, key=lambda name: traits[name].metadata.get("order", 0))


def label_of(name: str, trait: TraitType[Any, Any]) -> str:
    """What a person calls a setting."""
    words = name.replace("_", " ").replace("url", "URL")
    return str(trait.metadata.get("label") or words[0].upper() + words[1:])


def _widget_for(
    trait: TraitType[Any, Any],
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The kind of widget for a trait, with what it takes besides the value."""
    if isinstance(trait, Bool):
        return ipywidgets.Checkbox, {"indent": True}
    if isinstance(trait, Enum):
        return ipywidgets.Dropdown, {"options": list(trait.values or ())}
    if _is_bounded(trait):
        kind = (
            ipywidgets.BoundedFloatText
            if isinstance(trait, Float)
            else ipywidgets.BoundedIntText
        )
        least, most = (
            bound if bound is not None else limit for bound, limit in _bounds(trait)
        )
        return kind, {"min": least, "max": most}
    if isinstance(trait, Unicode) and len(str(trait.default_value)) > LONG:
        return ipywidgets.Textarea, {"continuous_update": False, "rows": 4}
    return ipywidgets.Text, {
        "continuous_update": False,
        "placeholder": "default" if trait.allow_none else "",
    }


def _is_bounded(trait: TraitType[Any, Any]) -> bool:
    """Whether a setting is a number that is always there; one that may be empty is
    typed as text.
    """
    return (
        isinstance(trait, Int | Float)
        and not isinstance(trait, Bool)
        and not trait.allow_none
    )


def _bounds(trait: Any) -> list[tuple[float | None, int]]:
    """Least and most, each with what stands for none."""
    finite = [
        None if bound in (None, float("inf"), float("-inf")) else bound
        for bound in (trait.min, trait.max)
    ]
    return list(zip(finite, (-FARTHEST, FARTHEST), strict=True))
