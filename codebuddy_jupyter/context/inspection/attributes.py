"""Attributes in code: those that a module, a class or a frame surely lacks."""

from __future__ import annotations

import ast
import types
from typing import Any

from ..describe.types import (
    class_body,
    instance_dict,
    is_instance,
    module_of,
    mro,
    name_of,
    try_class_attribute,
    try_loaded,
)
from .abstract import Column, Frame, Grouped, Instance, Live, Value, words
from .installed import (
    class_has,
    class_lacks,
    class_names,
    is_installed_module,
    is_plain_class,
    lacks_attribute,
    module_name,
    nested_attribute,
    public_names,
    takes_attributes,
    try_replacement,
)
from .report import Report

_BUILT_IN = (
    str,
    int,
    float,
    complex,
    bool,
    bytes,
    list,
    tuple,
    dict,
    set,
    frozenset,
    range,
    BaseException,
)
# Modules whose classes in C look up attributes in the usual way.
_C_MODULES = words("collections datetime decimal numpy re")
# What pandas' own accessors, such as `Series.str`, are objects of.
_ACCESSOR = "_accessor"


def attribute_of(
    report: Report,
    base: Value,
    name: str,
    node: ast.AST,
    *,
    owner: str = "",
    is_called: bool = False,
) -> Value:
    """Check an attribute; return what is known of it.

    Parameters
    ----------
    report
        Gets the finding if the attribute is surely missing.
    base
        What has the attribute.
    name
        The attribute.
    node
        Where it stands.
    owner
        How the line names what has the attribute.
    is_called
        Whether it is called as a function.
    """
    if isinstance(base, Live):
        return _of_live(report, base.value, name, node)
    if isinstance(base, Frame):
        return _of_frame(report, base, name, node, owner)
    if isinstance(base, Column):
        return _of_column(report, base, name, node, owner, is_called=is_called)
    if isinstance(base, Grouped):
        return _of_groups(report, base, name, node, owner)
    if isinstance(base, Instance):
        return _of_instance(report, base, name, node, is_called=is_called)
    return None


def live_instance(value: object) -> Instance | None:
    """Return what is known of a live object whose class is an installed one."""
    cls = type(value)
    if not is_plain_class(cls):
        return None
    if not all(_is_looked_up(base) for base in mro(cls)):
        return None
    own = [name for name in instance_dict(value) if type(name) is str]
    return Instance(cls, frozenset(own), takes_attributes(cls))


def _is_looked_up(cls: type) -> bool:
    """Return whether attributes are looked up in the usual way.

    A class in C can do otherwise, as a weak reference's proxy does, without showing it.
    """
    if "__getattribute__" not in class_body(cls) or cls is object:
        return True
    return any(cls is known for known in _BUILT_IN) or module_of(cls) in _C_MODULES


def _of_live(report: Report, value: Any, name: str, node: ast.AST) -> Value:
    if is_instance(value, types.ModuleType):
        if not is_installed_module(value):
            return None
        if lacks_attribute(value, name):
            instead = next(nested_attribute(value, name), "")
            names = public_names(value)
            report.attribute(module_name(value), name, names, node, instead=instead)
            return None
        return _as_live(instance_dict(value).get(name))
    if is_instance(value, type):
        return _of_class(report, value, name, node)
    return None


def _as_live(value: Any) -> Value:
    """Return what is known of a value that an installed module has."""
    if is_instance(value, types.ModuleType) or is_instance(value, type):
        return Live(value)
    is_function = type(value) is types.FunctionType
    if is_function or type(value) is types.BuiltinFunctionType:
        return Live(value)
    wrapped = instance_dict(value).get("__wrapped__")
    return Live(value) if type(wrapped) is types.FunctionType else None


def _of_class(report: Report, cls: type, name: str, node: ast.AST) -> Value:
    if not is_plain_class(cls):
        return None
    metaclass = type(cls)
    if class_has(cls, name) or class_has(metaclass, name):
        attribute = try_class_attribute(cls, name)
        is_bound = type(attribute) in (staticmethod, classmethod)
        return Live(attribute) if is_bound else None
    report.attribute(name_of(cls), name, class_names(cls), node)
    return None


def _of_instance(
    report: Report, instance: Instance, name: str, node: ast.AST, *, is_called: bool
) -> Value:
    cls = instance.cls
    if name in instance.own:
        return None
    is_sure = is_called or not instance.may_gain
    if is_sure and is_plain_class(cls) and class_lacks(cls, name):
        report.attribute(name_of(cls), name, class_names(cls), node)
        return None
    method = try_class_attribute(cls, name)
    return Live(method) if type(method) is types.FunctionType else None


def _of_frame(
    report: Report, frame: Frame, name: str, node: ast.AST, owner: str
) -> Value:
    cls = try_loaded(frame.library, "DataFrame")
    if cls is None:
        return None
    if class_has(cls, name):
        method = try_class_attribute(cls, name)
        return _as_live(method)
    if frame.library == "polars":
        report.attribute("polars.DataFrame", name, class_names(cls), node)
        return None
    if frame.columns is None:
        return None
    if name in frame.columns:
        return frame.column(name)
    columns = [column for column in frame.columns if type(column) is str]
    candidates = [*sorted(columns), *class_names(cls)]
    _report_frame_attribute(report, frame, name, node, owner, candidates, cls)
    return None


def _report_frame_attribute(
    report: Report,
    frame: Frame,
    name: str,
    node: ast.AST,
    owner: str,
    candidates: list[str],
    cls: type,
) -> None:
    replacement = try_replacement(name_of(cls), name)
    if replacement:
        report.attribute(name_of(cls), name, candidates, node)
    else:
        word = "column or attribute"
        report.attribute(owner, name, candidates, node, word=word)


# The accessors of a column, what they need, and the kinds that surely are something else.
_NEEDS = {
    "dt": ("dates", frozenset({"numbers", "text", "objects"}), "pandas.to_datetime"),
    "str": ("text", frozenset({"numbers", "dates"}), "astype(str)"),
}


def _of_column(
    report: Report,
    column: Column,
    name: str,
    node: ast.AST,
    owner: str,
    *,
    is_called: bool,
) -> Value:
    cls = try_loaded("pandas", "Series")
    if cls is None:
        return None
    needed, others, instead = _NEEDS.get(name, ("", frozenset(), ""))
    if column.kind in others:
        report.accessor(owner, name, column.kind, needed, instead, node)
        return None
    if class_has(cls, name):
        attribute = try_class_attribute(cls, name)
        accessor = instance_dict(attribute).get(_ACCESSOR)
        if accessor is not None and is_plain_class(accessor):
            return Instance(accessor)
        return _as_live(attribute)
    # A label of the index can be read as an attribute, but not be called.
    if is_called:
        report.attribute(name_of(cls), name, class_names(cls), node)
    return None


def _of_groups(
    report: Report, groups: Grouped, name: str, node: ast.AST, owner: str
) -> Value:
    kind = "SeriesGroupBy" if groups.single else "DataFrameGroupBy"
    cls = try_loaded("pandas.core.groupby.generic", kind)
    if cls is None:
        cls = try_loaded("pandas.api.typing", kind)
    columns = groups.frame.columns
    if cls is None or columns is None or class_has(cls, name):
        return None
    if name in columns:
        keys = groups.keys
        return Grouped(groups.frame, keys, groups.as_index, (name,), single=True)
    if not groups.single and not name.startswith("_"):
        texts = [column for column in columns if type(column) is str]
        candidates = [*sorted(texts), *class_names(cls)]
        report.attribute(kind, name, candidates, node)
    return None
