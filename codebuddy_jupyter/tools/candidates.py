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
from itertools import chain, islice
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
            calls += [Call(self.look.name, {name: value}) for value in values]
        return calls

    def without(self, arguments: Mapping[str, Any]) -> Candidate | None:
        """Return what is left to choose once these were looked at; None: nothing."""
        if self.look.proposes:
            # What could not be proposed may be corrected.
            return self
        left: dict[str, Sequence[Any]] = {}
        for name, values in self.values.items():
            left[name] = [value for value in values if value != arguments.get(name)]
            if not left[name]:
                return None
        return replace(self, values=left) if left else None


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
        return list(dict.fromkeys([*self.quoted, *_NAME.findall(self.question)]))

    @cached_property
    def columns(self) -> list[str]:
        """The columns of all frames."""
        return list(chain.from_iterable(columns_of_frames(self.names).values()))

    @property
    def quoted(self) -> list[str]:
        """What stands in quotation marks."""
        return [text.strip() for text in _QUOTED.findall(self.question)]


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
            question[:MAX_QUESTION],
            session.names(),
            session.notebook().cells,
            _files(session.folder()),
            session.failure() is not None,
        )
    found = []
    for look in looks:
        finder = _FINDERS.get(look.name)
        values = {} if finder is None else finder(scene)
        if values is not None:
            # The columns of a file, or its code, help with code as well.
            paths = values.get("path", ()) if look.name == "file_head" else ()
            is_sure = bool(paths) and set(paths) <= set(scene.files)
            found.append(Candidate(look, _offered(look, values), is_sure))
    return found


def _offered(look: Look, values: Values) -> Values:
    """Return the first values that hold nothing secret: a schema is sent as it is."""
    offered = {}
    for name, some in values.items():
        safe = [value for value in some if look.safe(str(value)) == str(value)]
        offered[name] = safe[:MOST_VALUES]
    return offered


def _files(folder: Path | None) -> list[str]:
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in islice(entries, MOST_FILES)]
    except OSError:
        return []
    return [name for name in names if not name.startswith(".")]


def _variable(scene: _Scene) -> Values | None:
    """Offer the variables that the question names, and frames with columns that it
    names.
    """
    words = {word.partition(".")[0] for word in scene.words}
    plain = {_singular(word) for word in words}
    named, with_column = [], []
    for name, value in scene.names.items():
        if is_instance(value, ModuleType) or is_instance(value, FunctionType):
            continue
        if name in words:
            named.append(name)
        elif _columns_in(value, plain):
            with_column.append(name)
    found = named or with_column
    return {"name": found} if found else None


def _columns_in(value: Any, words: Collection[str]) -> list[str]:
    """Return the columns of a frame that words name, whatever their number."""
    if not frame_library(value):
        return []
    columns = try_columns(value) or []
    return [one for one in columns if type(one) is str and _singular(one) in words]


def _singular(word: str) -> str:
    return word.casefold().removesuffix("s")


def _cell(scene: _Scene) -> Values | None:
    """Offer the cells whose numbers the question has."""
    numbers = [int(number) for number in _NUMBER.findall(scene.question)]
    known = {cell.number for cell in scene.cells}
    found = [number for number in dict.fromkeys(numbers) if number in known]
    return {"number": found} if found else None


def _search_cells(scene: _Scene) -> Values | None:
    """Offer names in the code that are neither variables nor columns, and quotations."""
    in_code = _names_in_code(scene.cells)
    known = {*scene.names, *scene.columns}
    code = "\n".join(cell.source for cell in scene.cells)
    # What is a part of a column's name alone is looked for there.
    found = []
    for text in scene.quoted:
        if text in code or not _has_part(scene.columns, text):
            found.append(text)
    for word in scene.words:
        last = word.rpartition(".")[2]
        if last in in_code and last not in known:
            found.append(last)
    return {"text": list(dict.fromkeys(found))} if found else None


def _names_in_code(cells: Iterable[Cell]) -> set[str]:
    """Return the variables and attributes in the code of cells, and no words of texts."""
    names: set[str] = set()
    size = 0
    for cell in cells:
        size += len(cell.source)
        tree = cell_code(cell.source).tree if cell.type == "code" else None
        if tree is None or size > MAX_CODE:
            continue
        for node in ast.walk(tree):
            name = getattr(node, "id", None) or getattr(node, "attr", None)
            if isinstance(name, str):
                names.add(name)
    return names


def _error(scene: _Scene) -> Values | None:
    return {} if scene.has_failed or _FAILURE.search(scene.question) else None


def _signature(scene: _Scene) -> Values | None:
    """Offer the members of modules and frames that the question writes as code."""
    found = []
    for word in _NAME.findall(scene.question):
        found += list(_dotted(word, scene.names))
    return {"dotted": list(dict.fromkeys(found))} if found else None


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
    found = [name for name in scene.files if "." in name and name.casefold() in folded]
    found = found or _FILE.findall(scene.question)
    return {"path": list(dict.fromkeys(found))} if found else None


def _columns_like(scene: _Scene) -> Values | None:
    """Offer words that are a part of a column's name, and quotations."""
    columns = scene.columns
    code = "\n".join(cell.source for cell in scene.cells)
    known = {_singular(one) for one in (*columns, *scene.names)}
    found = []
    for text in scene.quoted:
        # What stands in the code alone is looked for there.
        is_likely = text not in code or _has_part(columns, text)
        if is_likely and _singular(text) not in known:
            found.append(text)
    for word in _NAME.findall(_QUOTED.sub(" ", scene.question)):
        is_part = len(word) >= SHORTEST_PART and _has_part(columns, word)
        if is_part and _singular(word) not in known:
            found.append(word)
    return {"text": list(dict.fromkeys(found))} if found and columns else None


def _has_part(columns: Iterable[str], text: str) -> bool:
    """Return whether a text is a part of the name of a column."""
    folded = text.casefold()
    return any(folded in one.casefold() for one in columns)


def _propose_edit(scene: _Scene) -> Values | None:
    """Offer the cells that the question names: a small model writes a part of a cell
    where all of it is meant.
    """
    named = (_cell(scene) or {}).get("number", ())
    code = [cell.number for cell in scene.cells if cell.type == "code"]
    found = [number for number in named if number in code]
    return {"cell": found} if found else None


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
