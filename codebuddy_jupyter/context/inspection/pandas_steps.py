"""What pandas' methods need of the columns of a frame, and which columns they give.

A method that is not here gives something that is not known.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from .abstract import (
    UNNAMED_LEVELS,
    Arguments,
    Column,
    Frame,
    Grouped,
    Value,
    keys_in,
    text_of,
    texts_in,
    try_all_keys,
    try_all_texts,
    words,
)

SAME_COLUMNS = words("""abs asfreq asof at_time between_time bfill clip convert_dtypes copy cummax
    cummin cumprod cumsum diff drop_duplicates dropna explode ffill fillna filter head
    infer_objects interpolate last map mask nlargest nsmallest pct_change query rank
    replace round sample select_dtypes shift sort_index sort_values
    swaplevel tail tz_convert tz_localize truncate where applymap astype""")
"""Methods of a frame that give one with the same columns, or with some of them."""
_SAME_VALUES = words(
    """head tail sample copy sort_values sort_index query drop_duplicates nlargest
    nsmallest"""
)
# Characters of a query.
MAX_QUERY = 1_000
_VARIABLE = re.compile(r"@[\w.]+(?:\[[^\[\]]*\])*")
# What pandas calls a level without a name.
_LEVEL = re.compile(r"ilevel_\d+")
# What a rename of columns has as its axis.
AXIS_OF_COLUMNS = (1, "columns")
_QUERY_NAMES = frozenset({"index", "columns", "inf", "nan", *UNNAMED_LEVELS})
COLUMN_ARGUMENTS: Mapping[str, tuple[tuple[str, int | None, bool], ...]] = {
    "sort_values": (("by", 0, True),),
    "dropna": (("subset", None, False),),
    "drop_duplicates": (("subset", 0, False),),
    "duplicated": (("subset", 0, False),),
    "explode": (("column", 0, False),),
    "nlargest": (("columns", 1, False),),
    "nsmallest": (("columns", 1, False),),
    "value_counts": (("subset", 0, False),),
    "set_index": (("keys", 0, False),),
    "pop": (("item", 0, False),),
    "groupby": (("by", 0, True),),
    "pivot": (
        ("index", None, False),
        ("columns", None, False),
        ("values", None, False),
    ),
    "pivot_table": (
        ("values", 0, False),
        ("index", 1, True),
        ("columns", 2, True),
    ),
    "melt": (("id_vars", 0, False), ("value_vars", 1, False)),
    "boxplot": (("column", 0, False), ("by", 1, False)),
    "hist": (("column", 0, False), ("by", 1, False)),
    "plot": (("x", 0, False), ("y", 1, False)),
}
"""Arguments of methods that name columns: name, position, and whether levels of the index
count as well.
"""


class Checker(Protocol):
    """What the steps need of the one that reads the code."""

    def check(
        self, frame: Frame, names: Iterable[ast.Constant], node: ast.AST, *, index: bool
    ) -> None:
        """Report those of the names that the frame does not have."""

    def frame_in(self, node: ast.AST | None) -> Frame | None:
        """Return the frame that an expression gives; None for anything else."""

    def value_of(self, node: ast.AST | None, given: Frame) -> Value:
        """Return what an expression gives; a lambda gets the frame."""


Step = Callable[[Checker, Frame, Arguments, ast.AST], Value]


def frame_step(
    checker: Checker, frame: Frame, method: str, arguments: Arguments, node: ast.AST
) -> Value:
    """Check the arguments of a frame's method; return what it gives.

    Parameters
    ----------
    checker
        Reports what is missing.
    frame
        The frame whose method is called.
    method
        The method's name.
    arguments
        Its arguments.
    node
        The expression whose frame it is, by which lines name it.
    """
    named = COLUMN_ARGUMENTS.get(method, ())
    if arguments.get("axis") is not None:
        # They may name rows.
        named = ()
    for name, position, index in named:
        texts = texts_in(arguments.get(name, position))
        checker.check(frame, texts, node, index=index)
    step = _STEPS.get(method)
    if step is not None:
        return step(checker, frame, arguments, node)
    if method not in SAME_COLUMNS:
        return None
    result = frame.copied()
    if method not in _SAME_VALUES:
        result.kinds.clear()
    return result


def changes_in_place(arguments: Arguments) -> bool:
    """Return whether a method may change the frame itself."""
    inplace = arguments.get("inplace")
    return inplace is not None and not arguments.is_constant("inplace", False)


def _drop(checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST) -> Value:
    columns = arguments.get("columns")
    axis = arguments.get("axis", 1)
    is_by_column = isinstance(axis, ast.Constant) and axis.value in AXIS_OF_COLUMNS
    if columns is None and is_by_column:
        columns = arguments.get("labels", 0)
    if columns is None or arguments.get("errors") is not None:
        return frame.copied()
    texts = texts_in(columns)
    checker.check(frame, texts, node, index=False)
    return frame.without({text.value for text in texts})


def _rename(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    columns = arguments.get("columns")
    axis = arguments.get("axis")
    if (
        columns is None
        and isinstance(axis, ast.Constant)
        and axis.value in AXIS_OF_COLUMNS
    ):
        columns = arguments.get("mapper", 0)
    if columns is None:
        # It renames rows, or what it renames is not known.
        if arguments.get("index") is None or arguments.is_open:
            return frame.derived(None)
        return frame.copied()
    old = try_all_keys(columns)
    if old is None or not isinstance(columns, ast.Dict):
        return frame.derived(None)
    new: set[object] = set()
    for value in columns.values:
        new.add(text_of(value))
    if None in new:
        return frame.derived(None)
    return frame.without(old).plus(new)


def _astype(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    if arguments.get("errors") is None:
        dtype = arguments.get("dtype", 0)
        checker.check(frame, keys_in(dtype), node, index=False)
    result = frame.copied()
    result.kinds.clear()
    return result


def _assign(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    result = frame.copied()
    given = frame.copied()
    given.label = frame.label
    for name, value in arguments.keywords.items():
        checker.value_of(value, given)
        given.add(name)
        result.add(name)
    if arguments.is_open:
        result.columns = None
    return result


def _set_index(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    keys = try_all_texts(arguments.get("keys", 0))
    if keys is None or arguments.is_open:
        result = frame.copied()
        result.index = None
        return result
    is_kept = arguments.get("drop", 1) is not None
    is_appended = arguments.get("append", 2) is not None
    if is_kept:
        result = frame.copied()
    else:
        result = frame.without(keys)
    if not is_appended:
        result.index = set(keys)
    elif result.index is not None:
        result.index = result.index | keys
    return result


def _reset_index(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    drop = arguments.get("drop", 1)
    if drop is not None:
        if not isinstance(drop, ast.Constant) or drop.value is not True:
            return frame.derived(None)
        result = frame.copied()
        result.index = set()
        return result
    if arguments.is_open or arguments.get("names") is not None:
        return Frame(columns=None)
    names = frame.all_names
    if names is None:
        return Frame(columns=None)
    result = Frame(columns=names | UNNAMED_LEVELS)
    if arguments.get("level", 0) is not None:
        result.index = None
    return result


def _merge(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    return merged(checker, frame, node, arguments, shift=0)


def merged(
    checker: Checker,
    left: Frame | None,
    left_node: ast.AST,
    arguments: Arguments,
    *,
    shift: int,
) -> Value:
    """Check the keys of a merge; return its result.

    ``shift`` is how many arguments come before the right frame.
    """
    right_node = arguments.get("right", shift)
    right = checker.frame_in(right_node)
    on = arguments.get("on", shift + 2)
    keys_left = arguments.get("left_on", shift + 3) or on
    keys_right = arguments.get("right_on", shift + 4) or on
    if left is not None:
        checker.check(left, texts_in(keys_left), left_node, index=True)
    if right is not None and right_node is not None:
        checker.check(right, texts_in(keys_right), right_node, index=True)
    indicator = arguments.get("indicator")
    is_named = indicator is not None and not arguments.is_constant("indicator", True)
    if arguments.is_open or is_named:
        return Frame(columns=None, index=None)
    if left is None or right is None:
        return Frame(columns=None, index=None)
    keys = try_all_texts(on)
    if on is None and keys_left is not None and keys_right is not None:
        keys = _shared_keys(keys_left, keys_right)
    return _merged_columns(left, right, keys, arguments)


def _shared_keys(left: ast.AST, right: ast.AST) -> set[object] | None:
    """Return the keys that have the same name on both sides; None: not known."""
    if try_all_texts(left) is None or try_all_texts(right) is None:
        return None
    keys: set[object] = set()
    for one, other in zip(texts_in(left), texts_in(right), strict=False):
        if one.value == other.value:
            keys.add(one.value)
    return keys


def _merged_columns(
    left: Frame, right: Frame, keys: set[object] | None, arguments: Arguments
) -> Frame:
    if left.columns is None or right.columns is None:
        return Frame(columns=None, index=None)
    both = left.columns & right.columns
    suffixes = arguments.get("suffixes")
    ends: tuple[str, ...] = ("_x", "_y")
    if suffixes is not None:
        elements = getattr(suffixes, "elts", ())
        ends = tuple(text_of(element) or "" for element in elements)
        if len(ends) != 2:
            return Frame(columns=None, index=None)
    columns = left.columns | right.columns
    if keys is not None:
        # A column that both have is renamed in the result, unless it is a key.
        renamed = {name for name in both - keys if type(name) is str}
        columns = columns - renamed
    for end in ends:
        columns = columns | {f"{name}{end}" for name in both}
    index = None
    if left.index is not None and right.index is not None:
        index = left.index | right.index
    # How the index gets its names depends on how the frames are merged.
    columns = columns | {"_merge", "key_0"}
    result = Frame(columns=columns, index=index)
    for frame in (left, right):
        for name, kind in frame.kinds.items():
            if name not in both:
                result.kinds[name] = kind
    return result


def _join(checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST) -> Value:
    other_node = arguments.get("other", 0)
    other = checker.frame_in(other_node)
    on = arguments.get("on", 1)
    checker.check(frame, texts_in(on), node, index=True)
    has_suffix = "lsuffix" in arguments.keywords or "rsuffix" in arguments.keywords
    if has_suffix or arguments.is_open:
        return Frame(columns=None, index=None)
    if other is None or other.columns is None:
        return Frame(columns=None, index=None)
    result = frame.plus(other.columns)
    result.index = None
    return result


def _melt(checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST) -> Value:
    ids = arguments.get("id_vars", 0)
    columns: set[object] | None = set()
    if ids is not None:
        columns = try_all_texts(ids)
    if columns is None or arguments.is_open:
        return Frame(columns=None)
    for name, position, default in (
        ("var_name", 2, "variable"),
        ("value_name", 3, "value"),
    ):
        node_of_name = arguments.get(name, position)
        text = default if node_of_name is None else text_of(node_of_name)
        if text is None:
            return Frame(columns=None)
        columns.add(text)
    return Frame(columns={*columns, frame.axis})


def _groupby(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    if arguments.get("axis") is not None or arguments.is_open:
        return None
    as_index = arguments.get("as_index")
    is_known = as_index is None or isinstance(as_index, ast.Constant)
    keys = None
    if is_known and arguments.get("level") is None:
        by = arguments.get("by", 0)
        keys = try_all_texts(by)
    is_index = not (isinstance(as_index, ast.Constant) and as_index.value is False)
    return Grouped(frame, None if keys is None else frozenset(keys), is_index)


def _agg(checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST) -> Value:
    func = arguments.get("func", 0)
    checker.check(frame, keys_in(func), node, index=False)
    for value in arguments.keywords.values():
        if isinstance(value, ast.Tuple) and value.elts:
            column = value.elts[0]
            checker.check(frame, texts_in(column), node, index=False)
    return None


def _insert(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    name = text_of(arguments.get("column", 1))
    if name is None:
        frame.forget()
    frame.add(name)
    return None


def _pop(checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST) -> Value:
    name = text_of(arguments.get("item", 0))
    if name is not None and frame.columns is not None:
        frame.columns.discard(name)
    return Column(name)


def _update(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    return None


def _eval(checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST) -> Value:
    if changes_in_place(arguments):
        frame.forget()
    return None


def _query(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    text = text_of(arguments.get("expr", 0))
    if text is not None and "`" not in text and len(text) < MAX_QUERY:
        checker.check(frame, _query_names(text), node, index=True)
    return frame.copied()


def _query_names(text: str) -> list[ast.Constant]:
    """Return the columns that a query names, without ``@variables`` and functions."""
    expression = _VARIABLE.sub("0", text.strip())
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name) or node in called:
            continue
        if node.id not in _QUERY_NAMES and not _LEVEL.fullmatch(node.id):
            name = ast.copy_location(ast.Constant(node.id), node)
            names.append(name)
    return names


def _value_counts(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    if frame.columns is None:
        return None
    return Column("count", frozenset(frame.columns) | {"proportion"})


def _row_wise(
    checker: Checker, frame: Frame, arguments: Arguments, node: ast.AST
) -> Value:
    return Column()


_STEPS: Mapping[str, Step] = {
    "drop": _drop,
    "rename": _rename,
    "astype": _astype,
    "assign": _assign,
    "set_index": _set_index,
    "reset_index": _reset_index,
    "merge": _merge,
    "join": _join,
    "melt": _melt,
    "groupby": _groupby,
    "agg": _agg,
    "aggregate": _agg,
    "insert": _insert,
    "pop": _pop,
    "update": _update,
    "eval": _eval,
    "query": _query,
    "value_counts": _value_counts,
    "duplicated": _row_wise,
}
