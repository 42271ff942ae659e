"""What a question names that can be looked at: a small model chooses among that alone.

A look whose subject the question does not name is not offered, so that it is not chosen
by mistake, and most questions need no choice at all. Nothing of the notebook runs.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from ..context.collector import Collector
from ..context.describe.types import instance_dict, is_instance, try_loaded
from ..context.inspection.cell_code import cell_code
from ..context.inspection.columns import frame_library, try_columns
from ..context.inspection.installed import class_has, is_installed_module
from ..context.items import Cell
from .calls import Call
from .look import Look
from .search import columns_of_frames

Values = Mapping[str, Sequence[Any]]
"""The values that a parameter of a look can have; one that is not there takes any."""

# Characters of a question, files of a folder, and values that are offered.
MAX_QUESTION = 4_000
MOST_FILES = 500
MOST_VALUES = 12
# Characters of code that is searched.
MAX_CODE = 200_000
# Characters of the shortest word that can be a part of a column's name.
SHORTEST_PART = 4

_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_NUMBER = re.compile(r"(?<![\w.])\d{1,6}(?![\w.])|(?<=\[)\d{1,6}(?=\])")
# An apostrophe within a word quotes nothing.
_QUOTED = re.compile(r"(?<!\w)['\"`“]([^'\"`”\n]{1,60})['\"`”](?!\w)")
_FILE = re.compile(
    r"[\w./-]*\w\.(?:csv|tsv|tab|json|jsonl|parquet|xlsx?|ods|txt|md|rst"
    r"|py|r|sql|ya?ml|toml|ini|cfg|log|ipynb|db|sqlite3?)\b",
    re.IGNORECASE,
)
# Where a model looks for the last error although none is known.
_FAILURE = re.compile(
    r"\b(?:error|exception|traceback|fail|crash|broke|wrong)", re.IGNORECASE
)


@dataclass(frozen=True)
class Candidate:
    """A look that a question can need, and the values that it names.

    Parameters
    ----------
    look
        The look.
    values
        The values by the name of the parameter.
    is_sure
        Whether it helps with any question that names these values, so that no model
        need be asked.
    """

    look: Look
    values: Values
    is_sure: bool = False

    @property
    def calls(self) -> list[Call]:
        """A call for each value."""
        calls = []
        for name, values in self.values.items():
            for value in values:
                call = Call(self.look.name, {name: value})
                calls.append(call)
        return calls

    def without(self, arguments: Mapping[str, Any]) -> Candidate | None:
        """Return what is left to choose once these were looked at; None: nothing."""
        if self.look.proposes:
            # What could not be proposed may be corrected.
            return self
        left: dict[str, Sequence[Any]] = {}
        for name, values in self.values.items():
            argument = arguments.get(name)
            left[name] = [value for value in values if value != argument]
            if not left[name]:
                return None
        if not left:
            return None
        return replace(self, values=left)


@dataclass(frozen=True)
class _Scene:
    """What there is to look at, and the words of a question."""

    question: str
    names: Mapping[str, Any]
    cells: Sequence[Cell]
    files: Collection[str]
    has_failed: bool

    @property
    def words(self) -> list[str]:
        """The names in the question, with what stands in quotation marks."""
        names = _NAME.findall(self.question)
        words = dict.fromkeys([*self.quoted, *names])
        return list(words)

    @cached_property
    def columns(self) -> list[str]:
        """The columns of all frames."""
        columns_of_all: list[str] = []
        for columns in columns_of_frames(self.names).values():
            columns_of_all += columns
        return columns_of_all

    @property
    def quoted(self) -> list[str]:
        """What stands in quotation marks."""
        quoted = _QUOTED.findall(self.question)
        return [text.strip() for text in quoted]

    @property
    def code(self) -> str:
        """The code of all cells."""
        sources = [cell.source for cell in self.cells]
        return "\n".join(sources)


def candidates_of(
    question: str, collector: Collector, looks: Iterable[Look]
) -> list[Candidate]:
    """Return the looks that a question can need.

    Those of other packages always are among them.

    Parameters
    ----------
    question
        The question.
    collector
        Knows the kernel.
    looks
        The looks that are allowed.
    """
    with collector.reading() as session:
        if session is None:
            return []
        scene = _Scene(
            question=question[:MAX_QUESTION],
            names=session.names(),
            cells=session.notebook().cells,
            files=_files(session.folder()),
            has_failed=session.failure() is not None,
        )
    candidates = []
    for look in looks:
        candidate = _candidate(look, scene)
        if candidate is not None:
            candidates.append(candidate)
    return candidates


def _candidate(look: Look, scene: _Scene) -> Candidate | None:
    """Return a look that the question can need, with the values; None for others."""
    finder = _FINDERS.get(look.name)
    if finder is None:
        return Candidate(look, {})
    values = finder(scene)
    if values is None:
        return None
    is_sure = False
    if look.name == "file_head":
        # The columns of a file, or its code, help with code as well.
        paths = set(values["path"])
        is_sure = paths <= set(scene.files)
    return Candidate(look, _offered(look, values), is_sure)


def _offered(look: Look, values: Values) -> Values:
    """Return the first values that hold nothing secret: a schema is sent as it is."""
    offered = {}
    for name, some in values.items():
        safe = []
        for value in some:
            text = str(value)
            if look.safe(text) == text:
                safe.append(value)
        offered[name] = safe[:MOST_VALUES]
    return offered


def _values_for(parameter: str, found: Iterable[Any]) -> Values | None:
    """Return what was found for a parameter, each once; None if there is nothing."""
    values = list(dict.fromkeys(found))
    if not values:
        return None
    return {parameter: values}


def _files(folder: Path | None) -> list[str]:
    try:
        with os.scandir(folder or ".") as entries:
            first_entries = islice(entries, MOST_FILES)
            names = [entry.name for entry in first_entries]
    except OSError:
        return []
    return [name for name in names if not name.startswith(".")]


def _variable(scene: _Scene) -> Values | None:
    """Offer the variables that the question names, and frames with columns that it
    names.
    """
    words = {word.partition(".")[0] for word in scene.words}
    plain = {_singular(word) for word in words}
    named = []
    with_column = []
    for name, value in scene.names.items():
        if is_instance(value, ModuleType) or is_instance(value, FunctionType):
            continue
        if name in words:
            named.append(name)
        elif _columns_in(value, plain):
            with_column.append(name)
    return _values_for("name", named or with_column)


def _columns_in(value: Any, words: Collection[str]) -> list[str]:
    """Return the columns of a frame that words name, whatever their number."""
    if not frame_library(value):
        return []
    found = []
    for name in try_columns(value) or []:
        if type(name) is str and _singular(name) in words:
            found.append(name)
    return found


def _singular(word: str) -> str:
    return word.casefold().removesuffix("s")


def _cell(scene: _Scene) -> Values | None:
    """Offer the cells whose numbers the question has."""
    known = {cell.number for cell in scene.cells}
    found = []
    for digits in _NUMBER.findall(scene.question):
        number = int(digits)
        if number in known:
            found.append(number)
    return _values_for("number", found)


def _search_cells(scene: _Scene) -> Values | None:
    """Offer names in the code that are neither variables nor columns, and quotations."""
    in_code = _names_in_code(scene.cells)
    known = {*scene.names, *scene.columns}
    code = scene.code
    # What is a part of a column's name alone is looked for there.
    found = []
    for text in scene.quoted:
        if text in code or not _has_part(scene.columns, text):
            found.append(text)
    for word in scene.words:
        last = word.rpartition(".")[2]
        if last in in_code and last not in known:
            found.append(last)
    return _values_for("text", found)


def _names_in_code(cells: Iterable[Cell]) -> set[str]:
    """Return the variables and attributes in the code of cells, and no words of texts."""
    names: set[str] = set()
    size = 0
    for cell in cells:
        size += len(cell.source)
        if cell.type != "code":
            continue
        tree = cell_code(cell.source).tree
        if tree is None or size > MAX_CODE:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
    return names


def _error(scene: _Scene) -> Values | None:
    if scene.has_failed or _FAILURE.search(scene.question):
        return {}
    return None


def _signature(scene: _Scene) -> Values | None:
    """Offer the members of modules and frames that the question writes as code."""
    found = []
    for word in _NAME.findall(scene.question):
        found += list(_dotted(word, scene.names))
    return _values_for("dotted", found)


def _dotted(word: str, names: Mapping[str, Any]) -> Iterator[str]:
    """Yield the dotted names that a word means, if it is one of code."""
    first, _, rest = word.partition(".")
    if rest:
        owner = names.get(first, sys.modules.get(first))
        if is_installed_module(owner) or frame_library(owner):
            yield word
        return
    # In a sentence, such as merge in "merge these", a word is no function.
    if "_" not in word.strip("_") or word in names:
        return
    for library in ("pandas", "polars"):
        frame = try_loaded(library, "DataFrame")
        if frame is not None and class_has(frame, word):
            yield f"{library}.DataFrame.{word}"
    for name, value in names.items():
        if is_installed_module(value) and word in instance_dict(value):
            yield f"{name}.{word}"


def _file_head(scene: _Scene) -> Values | None:
    """Offer the files of the folder that the question names, or what is written as one."""
    folded = scene.question.casefold()
    named = []
    for name in scene.files:
        if "." in name and name.casefold() in folded:
            named.append(name)
    return _values_for("path", named or _FILE.findall(scene.question))


def _columns_like(scene: _Scene) -> Values | None:
    """Offer words that are a part of a column's name, and quotations."""
    columns = scene.columns
    if not columns:
        return None
    code = scene.code
    known = {_singular(name) for name in (*columns, *scene.names)}
    found = []
    for text in scene.quoted:
        # What stands in the code alone is looked for there.
        is_likely = text not in code or _has_part(columns, text)
        if is_likely and _singular(text) not in known:
            found.append(text)
    unquoted = _QUOTED.sub(" ", scene.question)
    for word in _NAME.findall(unquoted):
        is_part = len(word) >= SHORTEST_PART and _has_part(columns, word)
        if is_part and _singular(word) not in known:
            found.append(word)
    return _values_for("text", found)


def _has_part(columns: Iterable[str], text: str) -> bool:
    """Return whether a text is a part of the name of a column."""
    folded = text.casefold()
    return any(folded in column.casefold() for column in columns)


def _propose_edit(scene: _Scene) -> Values | None:
    """Offer the cells that the question names: a small model writes a part of a cell
    where all of it is meant.
    """
    named = _cell(scene)
    if named is None:
        return None
    code = {cell.number for cell in scene.cells if cell.type == "code"}
    found = [number for number in named["number"] if number in code]
    return _values_for("cell", found)


_FINDERS = {
    "variable": _variable,
    "cell": _cell,
    "search_cells": _search_cells,
    "error": _error,
    "signature": _signature,
    "file_head": _file_head,
    "columns_like": _columns_like,
    "propose_edit": _propose_edit,
}
