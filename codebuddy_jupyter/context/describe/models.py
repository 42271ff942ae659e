"""Describe models and figures: scikit-learn estimators, torch modules, matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import count, format_value, label, listed, tally
from .types import Describer, instance_dict, is_of_library, name_of, try_loaded

# Steps of a pipeline and layers of a module that are listed.
_MAX_PARTS = 20
# Modules whose parameters are counted.
_MAX_MODULES = 500
_MAX_AXES = 12
# Fitted attributes, and names of features, that are listed.
_MAX_FITTED = 15
# The parameters of estimators that hold other estimators.
_STEPS = ("steps", "transformers", "estimators", "transformer_list")
# Fitted attributes that are sizes, so their value is not data.
_SIZES = ("n_features_in_", "n_features_", "n_outputs_")


# scikit-learn


def describe_estimator(estimator: Any, with_values: bool) -> str:
    """Describe an estimator: its steps and its fitted attributes, with values its
    parameters.

    Everything is read from ``__dict__``, as parameters may be properties of the user's.
    """
    fitted = {}
    parameters = {}
    steps = {}
    for name, value in instance_dict(estimator).items():
        if type(name) is not str or name.startswith("_"):
            continue
        if name.endswith("_"):
            fitted[name] = value
        elif name in _STEPS:
            steps[name] = value
        else:
            parameters[name] = value
    state = "fitted" if fitted else "not fitted"
    lines = [f"{name_of(type(estimator))} (an estimator), {state}"]
    lines += _steps(steps)
    if parameters and with_values:
        lines.append(f"  parameters: {_parameters(parameters)}")
    shown = list(fitted.items())[:_MAX_FITTED]
    for name, value in shown:
        lines.append(f"  {name} {_fitted_attribute(name, value)}")
    return "\n".join(lines)


def _parameters(parameters: Mapping[str, Any]) -> str:
    words = []
    for name, value in parameters.items():
        words.append(f"{name}={format_value(value, 80)}")
    return listed(words)


def _steps(steps: Mapping[str, Any]) -> list[str]:
    """Return a line for each named part of a pipeline or an ensemble."""
    lines = []
    for word in _STEPS:
        parts = steps.get(word)
        if type(parts) is not list:
            continue
        for part in parts[:_MAX_PARTS]:
            if type(part) is tuple and len(part) > 1:
                title = f"{word.rstrip('s')} {label(part[0])}"
                lines.append(f"  {title}: {_step_type(part[1])}")
    return lines


def _step_type(step: Any) -> str:
    if type(step) is str and step in ("passthrough", "drop"):
        return f"'{step}'"
    return name_of(type(step))


def _fitted_attribute(name: str, value: Any) -> str:
    """Return the type and shape of a fitted attribute."""
    if name in _SIZES and type(value) is int:
        return f"{value:,}"
    array_type = try_loaded("numpy", "ndarray")
    if array_type is None or type(value) is not array_type:
        return name_of(type(value))
    if name == "feature_names_in_":
        features = value[:_MAX_FITTED].tolist()
        names = [label(feature) for feature in features]
        if len(value) > _MAX_FITTED:
            names.append("…")
        return listed(names)
    shape = "x".join(f"{length:,}" for length in value.shape)
    return f"ndarray {shape} {value.dtype}"


# torch


def describe_torch_module(module: Any, with_values: bool) -> str:
    """Describe a torch module: its layers and the number of its parameters.

    Runs no code of a module of the user's.
    """
    layers = instance_dict(module).get("_modules")
    if type(layers) is not dict:
        layers = {}
    lines = [f"{name_of(type(module))} (a torch.nn.Module), {_parameter_count(module)}"]
    shown = list(layers.items())[:_MAX_PARTS]
    for name, layer in shown:
        lines.append(f"  {label(name)} {name_of(type(layer))}")
    if len(layers) > _MAX_PARTS:
        lines.append(f"  … {len(layers) - _MAX_PARTS:,} more")
    return "\n".join(lines)


def _parameter_count(module: Any) -> str:
    total = 0
    seen = 0
    waiting = [module]
    while waiting and seen < _MAX_MODULES:
        attributes = instance_dict(waiting.pop())
        seen += 1
        modules = attributes.get("_modules")
        if type(modules) is dict:
            waiting += modules.values()
        tensors = attributes.get("_parameters")
        if type(tensors) is dict:
            sizes = map(_size_of_tensor, tensors.values())
            total += sum(sizes)
    text = count(total, "parameter")
    if waiting:
        return f"at least {text}"
    return text


def _size_of_tensor(tensor: Any) -> int:
    if not is_of_library(type(tensor), "torch"):
        return 0
    elements: int = tensor.numel()
    return elements


# matplotlib


def describe_figure(figure: Any, with_values: bool) -> str:
    """Describe a matplotlib figure: its size in pixels, and its axes."""
    width, height = figure.get_size_inches() * figure.dpi
    how_many = count(len(figure.axes), "axes", "axes")
    lines = [f"matplotlib.figure.Figure {width:.0f}x{height:.0f}, {how_many}"]
    own = []
    for axes in figure.axes:
        if is_of_library(type(axes), "matplotlib"):
            own.append(axes)
    for axes in own[:_MAX_AXES]:
        lines.append(f"  {describe_axes(axes, with_values)}")
    return "\n".join(lines)


def describe_axes(axes: Any, with_values: bool) -> str:
    """Describe matplotlib axes: how many lines and bars, and the labels if asked for."""
    artists = tally(type(artist).__name__ for artist in axes._children)
    text = f"matplotlib.axes.{type(axes).__name__}: {artists or 'empty'}"
    if not with_values:
        return text
    labels = {"title": axes.get_title(), "x": axes.get_xlabel(), "y": axes.get_ylabel()}
    for name, words in labels.items():
        if words:
            text = f"{text} {name}={label(words)!r}"
    return text


DESCRIBERS = (
    Describer("sklearn.base:BaseEstimator", describe_estimator, subclasses=True),
    Describer("torch.nn:Module", describe_torch_module, subclasses=True),
    Describer("matplotlib.figure:Figure", describe_figure),
    Describer("matplotlib.axes:Axes", describe_axes),
)
