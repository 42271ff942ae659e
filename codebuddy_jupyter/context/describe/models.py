"""What learns and what is drawn, described: scikit-learn estimators, torch modules,
matplotlib figures and axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import count, label, listed, tally, written
from .types import Known, attributes, is_of_library, loaded, name_of

_MOST_LAYERS = 20
# of which the parameters are counted
_MOST_MODULES = 500
_MOST_AXES = 12
_STEPS = ("steps", "transformers", "estimators", "transformer_list")


def describe_estimator(estimator: Any, values: bool) -> str:
    """A scikit-learn estimator or one of the user's: its parameters' names, its steps,
    and what fitting has left.

    Everything is read from what the instance keeps, as parameters may be properties of
    the user's.
    """
    kept = attributes(estimator)
    public = {
        name: value
        for name, value in kept.items()
        if type(name) is str and not name.startswith("_")
    }
    learned = {name: value for name, value in public.items() if name.endswith("_")}
    parameters = {
        name: value
        for name, value in public.items()
        if name not in learned and name not in _STEPS
    }
    lines = [
        f"{name_of(type(estimator))} (an estimator), {'fitted' if learned else 'not fitted'}"
    ]
    lines += _steps(public)
    if parameters and values:
        lines.append(
            "  parameters: "
            f"{listed([f'{name}={written(value, 80)}' for name, value in parameters.items()])}"
        )
    elif parameters:
        lines.append(f"  parameters: {listed(list(parameters))}")
    return "\n".join(
        lines
        + [
            f"  {name} {_learned(name, value)}"
            for name, value in list(learned.items())[:15]
        ]
    )


def _steps(public: Mapping[str, Any]) -> list[str]:
    """The named parts of a pipeline or an ensemble."""
    lines = []
    for word in _STEPS:
        parts = public.get(word)
        for part in parts[:_MOST_LAYERS] if type(parts) is list else ():
            if type(part) is tuple and len(part) > 1:
                lines.append(f"  {word.rstrip('s')} {label(part[0])}: {_kind(part[1])}")
    return lines


def _kind(part: Any) -> str:
    return f"'{part}'" if type(part) is str else name_of(type(part))


def _learned(name: str, value: Any) -> str:
    """The type and shape of a fitted attribute; numbers of features are sizes, so they
    are told.
    """
    if name in ("n_features_in_", "n_features_", "n_outputs_") and type(value) is int:
        return f"{value:,}"
    array = loaded("numpy", "ndarray")
    if type(value) is not array or array is None:
        return name_of(type(value))
    if name == "feature_names_in_":
        return listed(
            [label(one) for one in value[:15].tolist()] + ["…"] * (len(value) > 15)
        )
    return f"ndarray {'x'.join(f'{length:,}' for length in value.shape)} {value.dtype}"


def describe_torch_module(module: Any, values: bool) -> str:
    """A torch module: its layers, and how many numbers it has learned; a module of the
    user's is not asked.
    """
    layers = attributes(module).get("_modules")
    layers = layers if type(layers) is dict else {}
    lines = [f"{name_of(type(module))} (a torch.nn.Module), {_parameters(module)}"]
    lines += [
        f"  {label(name)} {name_of(type(layer))}"
        for name, layer in list(layers.items())[:_MOST_LAYERS]
    ]
    return "\n".join(
        lines
        + (
            [f"  … {len(layers) - _MOST_LAYERS:,} more"]
            if len(layers) > _MOST_LAYERS
            else []
        )
    )


def _parameters(module: Any) -> str:
    total, waiting, seen = 0, [module], 0
    while waiting and seen < _MOST_MODULES:
        kept, seen = attributes(waiting.pop()), seen + 1
        modules, own = kept.get("_modules"), kept.get("_parameters")
        waiting += modules.values() if type(modules) is dict else ()
        tensors = own.values() if type(own) is dict else ()
        total += sum(
            tensor.numel() for tensor in tensors if is_of_library(type(tensor), "torch")
        )
    return f"{'at least ' if waiting else ''}{count(total, 'parameter')}"


def describe_figure(figure: Any, values: bool) -> str:
    """A matplotlib figure: its size, and what is in its axes."""
    width, height = figure.get_size_inches() * figure.dpi
    axes = figure.axes
    lines = [
        f"matplotlib.figure.Figure {width:.0f}x{height:.0f}, {count(len(axes), 'axes', 'axes')}"
    ]
    own = [one for one in axes if is_of_library(type(one), "matplotlib")]
    return "\n".join(
        lines + [f"  {describe_axes(one, values)}" for one in own[:_MOST_AXES]]
    )


def describe_axes(axes: Any, values: bool) -> str:
    """Axes of matplotlib: how many lines, bars and the like; their labels where values
    are told.
    """
    drawn = tally(type(one).__name__ for one in axes._children)
    text = f"matplotlib.axes.{type(axes).__name__}: {drawn or 'empty'}"
    if not values:
        return text
    words = {"title": axes.get_title(), "x": axes.get_xlabel(), "y": axes.get_ylabel()}
    return (
        f"{text} "
        f"{' '.join(f'{name}={label(word)!r}' for name, word in words.items() if word)}"
    ).rstrip()


KINDS = (
    Known("sklearn.base:BaseEstimator", describe_estimator, subclasses=True),
    Known("torch.nn:Module", describe_torch_module, subclasses=True),
    Known("matplotlib.figure:Figure", describe_figure),
    Known("matplotlib.axes:Axes", describe_axes),
)
