"""What is drawn in figures, in a plain form that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .forms import are_near, in_order

PROPERTIES = (
    "kind",
    "values",
    "boxes",
    "panels",
    "title",
    "x label",
    "y label",
    "legend",
)
# The relative error of what is drawn.
NEAR = 1e-6


def drawn(figures: Iterable[Figure]) -> dict[str, tuple[Any, ...]]:
    """Return what is drawn, by `PROPERTIES`."""
    panels = [axes for figure in figures for axes in figure.axes if axes.has_data()]
    artists = [artist for axes in panels for artist in _artists(axes)]
    lines = [line for axes in panels for line in axes.lines]
    return {
        "kind": tuple(sorted({kind for kind, _ in artists})),
        "values": tuple(in_order(values for _, values in artists)),
        "boxes": tuple(in_order(_heights_of_boxes(lines))),
        "panels": (float(len(panels)),),
        "title": _texts(_title(axes) for axes in panels),
        "x label": _texts(axes.get_xlabel() for axes in panels),
        "y label": _texts(axes.get_ylabel() for axes in panels),
        "legend": _texts(text for axes in panels for text in _legend(axes)),
    }


def is_same_figure(
    got: Mapping[str, tuple[Any, ...]],
    wanted: Mapping[str, tuple[Any, ...]],
    properties: Iterable[str],
) -> bool:
    """Return whether these properties are the same."""
    return all(are_near(got[name], wanted[name], NEAR) for name in properties)


def _artists(axes: Axes) -> Iterable[tuple[str, tuple[float, ...]]]:
    """Yield what is drawn in a panel: the kind, and its values in order."""
    for container in axes.containers:
        if isinstance(container, BarContainer):
            is_flat = container.orientation == "horizontal"
            sizes = [
                bar.get_width() if is_flat else bar.get_height() for bar in container
            ]
            yield "flat bars" if is_flat else "bars", _numbers(sizes)
    for line in axes.lines:
        yield "line", _numbers(line.get_ydata())
    for collection in axes.collections:
        points: Any = collection.get_offsets()
        yield "points", _numbers(points.ravel())


def _heights_of_boxes(lines: Iterable[Line2D]) -> list[float]:
    """Return the heights of the level strokes: of each box, two ends and the median."""
    heights = []
    for line in lines:
        across: Any = line.get_xdata()
        height: Any = line.get_ydata()
        if len(height) == 2 and height[0] == height[1] and across[0] != across[1]:
            heights.append(float(height[0]))
    return heights


def _title(axes: Axes) -> str:
    figure = axes.figure
    above = figure.get_suptitle() if isinstance(figure, Figure) else ""
    return axes.get_title() or above


def _legend(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    if legend is None:
        return []
    return [text.get_text() for text in legend.get_texts()]


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(text.strip().casefold() for text in texts if text.strip()))


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(in_order(float(value) for value in values))
