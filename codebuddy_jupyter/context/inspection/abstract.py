"""What is known of a value in code that is read and not run.

A frame has the columns that it can have at most: one that is not among them is surely
missing. What is not known at all is None.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_LEVELS = 4
# The names that `reset_index` gives to levels without a name.
_NUMBERED_LEVELS = [f"level_{number}" for number in range(MAX_LEVELS)]
UNNAMED_LEVELS = frozenset({"index", *_NUMBERED_LEVELS})


@dataclass(eq=False)
class Frame:
    """A frame: ``columns`` and ``index`` are the names that it can have at most.

    None: any. ``label`` is the variable that holds it, empty where none does yet.
    """

    label: str = ""
    columns: set[object] | None = None
    index: set[object] | None = field(default_factory=set)
    library: str = "pandas"
    # The name of the columns as an axis, which `melt` gives to a column.
    axis: object = None
    # The kinds of columns that are as the live frame has them.
    kinds: dict[object, str] = field(default_factory=dict)

    def forget(self) -> None:
        """Let it have any column: something unknown may have changed it."""
        self.columns = None
        self.index = None
        self.kinds.clear()

    def add(self, *names: object) -> None:
        """Let it have these columns as well."""
        if self.columns is not None:
            self.columns.update(names)
        for name in names:
            self.kinds.pop(name, None)

    def become(self, other: Frame) -> None:
        """Take the columns and the index of another frame: it was changed in place."""
        self.columns = other.columns
        self.index = other.index
        self.kinds = other.kinds

    def derived(self, columns: set[object] | None) -> Frame:
        """Return a frame with other columns and the same index."""
        index = None
        if self.index is not None:
            index = set(self.index)
        return Frame(
            columns=columns,
            index=index,
            library=self.library,
            axis=self.axis,
            kinds=dict(self.kinds),
        )

    def copied(self) -> Frame:
        """Return a frame with the same columns."""
        if self.columns is None:
            return self.derived(None)
        return self.derived(set(self.columns))

    def without(self, names: set[object]) -> Frame:
        """Return a frame without these columns."""
        if self.columns is None:
            return self.derived(None)
        return self.derived(self.columns - names)

    def plus(self, names: set[object]) -> Frame:
        """Return a frame with these columns as well."""
        result = self.copied()
        result.add(*names)
        return result

    def column(self, name: object) -> Column:
        """Return one of its columns."""
        index = None
        if self.index is not None:
            index = frozenset(self.index)
        kind = self.kinds.get(name, "")
        return Column(name, index, kind)

    @property
    def all_names(self) -> set[object] | None:
        """The names of columns and of levels of the index; None where not known."""
        if self.columns is None or self.index is None:
            return None
        return self.columns | self.index


@dataclass(frozen=True)
class Column:
    """A column of a frame, or what is computed from columns, row by row."""

    name: object = None
    index: frozenset[object] | None = None
    # See `columns.kind_of`; empty where it is not known.
    kind: str = ""


@dataclass(frozen=True)
class Grouped:
    """A frame that is grouped by columns.

    ``keys`` are None where they are not known; ``selected`` are the columns that were
    selected from it, of which there is a ``single`` one or a list.
    """

    frame: Frame
    keys: frozenset[object] | None
    as_index: bool = True
    selected: tuple[object, ...] | None = None
    single: bool = False


@dataclass(frozen=True)
class Located:
    """``df.loc`` or ``df.at``."""

    frame: Frame


@dataclass(frozen=True)
class Row:
    """A row of a frame, as ``iterrows`` gives it."""

    frame: Frame


@dataclass(frozen=True)
class Live:
    """A module, class or function that the kernel has."""

    value: Any


@dataclass(frozen=True)
class Instance:
    """An object of exactly this class, with attributes of its own besides.

    Where it ``may_gain`` some, a method may give it any that is not called.
    """

    cls: type
    own: frozenset[str] = frozenset()
    may_gain: bool = False


@dataclass(frozen=True)
class Plotted:
    """``df.plot``."""

    frame: Frame


Value = Frame | Column | Grouped | Located | Plotted | Row | Live | Instance | None


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call, as they are written."""

    call: ast.Call

    @property
    def is_open(self) -> bool:
        """Whether more is passed than is written, by ``*`` or ``**``."""
        starred = any(isinstance(node, ast.Starred) for node in self.call.args)
        return starred or any(word.arg is None for word in self.call.keywords)

    def get(self, name: str, position: int | None = None) -> ast.expr | None:
        """Return an argument by its keyword, or at its position."""
        for word in self.call.keywords:
            if word.arg == name:
                return word.value
        if position is None or self.is_open:
            return None
        if position >= len(self.call.args):
            return None
        return self.call.args[position]

    def is_constant(self, name: str, value: object) -> bool:
        """Return whether a keyword is passed with this constant."""
        node = self.get(name)
        return isinstance(node, ast.Constant) and node.value is value

    @property
    def keywords(self) -> dict[str, ast.expr]:
        """The arguments that are passed by keyword."""
        keywords = {}
        for word in self.call.keywords:
            if word.arg:
                keywords[word.arg] = word.value
        return keywords


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set of names."""
    return frozenset(text.split())


def text_of(node: ast.AST | None) -> str | None:
    """Return a constant text; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def texts_in(node: ast.AST | None) -> list[ast.Constant]:
    """Return the constant texts that a node is, or that a list in it has."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        elements: list[ast.expr] = node.elts
    elif isinstance(node, ast.Constant):
        elements = [node]
    else:
        return []
    return list(_only_texts(elements))


def _only_texts(nodes: Iterable[ast.expr | None]) -> Iterator[ast.Constant]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node


def try_all_texts(node: ast.AST | None) -> set[object] | None:
    """Return the texts that a node consists of; None where it has anything else."""
    texts = texts_in(node)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        if len(texts) != len(node.elts):
            return None
    elif not texts:
        return None
    return {text.value for text in texts}


def keys_in(node: ast.AST | None) -> list[ast.Constant]:
    """Return the constant texts among the keys of a dict that is written out."""
    if not isinstance(node, ast.Dict):
        return []
    return list(_only_texts(node.keys))


def try_all_keys(node: ast.AST | None) -> set[object] | None:
    """Return the keys of a dict that is written out, if all are texts."""
    if not isinstance(node, ast.Dict):
        return None
    keys = keys_in(node)
    if len(keys) < len(node.keys):
        return None
    return {key.value for key in keys}
