"""The columns that plots are asked to show: `df.plot`, seaborn and Plotly Express."""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping
from typing import Any

from ..describe.types import try_loaded
from .abstract import Arguments, Frame, texts_in, words
from .installed import class_lacks, class_names, is_plain_class
from .pandas_steps import Checker
from .report import Report

_X_AND_Y = (("x", 0), ("y", 1))
_OF_KINDS: Mapping[str, tuple[tuple[str, int | None], ...]] = {
    "area": _X_AND_Y,
    "bar": _X_AND_Y,
    "barh": _X_AND_Y,
    "box": (("by", 0), ("column", None)),
    "hexbin": _X_AND_Y,
    "hist": (("by", 0), ("column", None)),
    "line": _X_AND_Y,
    "pie": (("y", None),),
    "scatter": _X_AND_Y,
}
"""Arguments of ``df.plot.KIND`` that name columns, and their positions."""

_OF_LIBRARIES: Mapping[str, tuple[str, frozenset[str]]] = {
    "seaborn": ("data", words("x y hue style size col row units weights")),
    "plotly": (
        "data_frame",
        words("x y z color symbol size facet_row facet_col text hover_name line_group"),
    ),
}
"""By the name of a library: the argument that is the frame, and those that name columns
or levels of its index.
"""


def check_frame_plot(
    checker: Checker,
    report: Report,
    frame: Frame,
    func: ast.Attribute,
    arguments: Arguments,
) -> None:
    """Check a call of ``df.plot.KIND``."""
    plots = try_loaded("pandas.plotting", "PlotAccessor")
    if plots is not None and is_plain_class(plots) and class_lacks(plots, func.attr):
        owner = "pandas.DataFrame.plot"
        report.attribute(owner, func.attr, class_names(plots), func)
    for name, position in _OF_KINDS.get(func.attr, ()):
        texts = texts_in(arguments.get(name, position))
        checker.check(frame, texts, func.value, index=False)


def check_library_plot(checker: Checker, called: Any, arguments: Arguments) -> None:
    """Check a call of a function that plots columns of a frame that it is given."""
    if type(called) is not types.FunctionType:
        return
    library = called.__module__.partition(".")[0]
    if library not in _OF_LIBRARIES:
        return
    data_name, names = _OF_LIBRARIES[library]
    data = arguments.get(data_name, 0)
    frame = checker.frame_in(data)
    if frame is None or data is None:
        return
    for name, value in arguments.keywords.items():
        if name in names:
            checker.check(frame, texts_in(value), data, index=True)
