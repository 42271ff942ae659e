"""What the code of an answer misses, looked up where it may be instead: in other frames,
in the modules that are imported, in the cells of the notebook.

No model is asked, and none of the notebook's code runs.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AnySet
from dataclasses import replace
from types import ModuleType

from ..context.collector import Collector
from ..context.describe.text import column
from ..context.describe.types import instance_dict, is_instance
from ..context.inspection.cell_code import cell_code
from ..context.inspection.columns import frame_library
from ..context.inspection.finding import Finding
from ..context.inspection.installed import is_installed_module
from ..context.inspection.names import is_same_name
from ..context.inspection.package_text import NotFound, package_text
from ..context.inspection.stored import stored_in
from ..context.items import Cell, Section
from .search import columns_of_frames

# Places that one line tells.
MOST_PLACES = 3
# Variables that may be modules, and cells that are read, the last ones.
MOST_NAMES = 500
MOST_CELLS = 200
# Characters of a cell that is read, and of a signature.
MAX_CELL = 20_000
MAX_SIGNATURE = 300


def with_places(
    findings: Sequence[Finding], collector: Collector, sections: AnySet[Section]
) -> tuple[Finding, ...]:
    """Return findings that tell, too, where what is missing can be found.

    Parameters
    ----------
    findings
        What in the code of an answer does not exist.
    collector
        Knows the kernel.
    sections
        The sections of the context that may be told.
    """
    if not any(finding.fails for finding in findings):
        return tuple(findings)
    with collector.reading() as session:
        if session is None:
            return tuple(findings)
        names: Mapping[str, object] = {}
        cells: Sequence[Cell] = ()
        if "variables" in sections:
            names = session.names()
        kinds = {finding.kind for finding in findings}
        if "cells" in sections and "name" in kinds:
            cells = session.notebook().cells
    placed = [_with_place(finding, names, cells) for finding in findings]
    return tuple(placed)


def _with_place(
    finding: Finding, names: Mapping[str, object], cells: Iterable[Cell]
) -> Finding:
    places = _places(finding, names)[:MOST_PLACES]
    hint = ""
    if places:
        hint = f"there is {', '.join(places)}"
    elif finding.kind == "name":
        hint = next(_defining(finding.name, cells), "")
    if hint:
        finding = replace(finding, text=f"{finding.text}; {hint}")
    signature = _signature(finding, names)
    facts = filter(None, (finding.fact, signature))
    return replace(finding, fact="\n".join(facts))


def _places(finding: Finding, names: Mapping[str, object]) -> list[str]:
    """Return expressions that give what is missing."""
    owner = names.get(finding.owner)
    if is_same_name(finding.name, finding.nearest):
        # It is there, and only written otherwise.
        return []
    if finding.kind == "column":
        return _columns(finding, names)
    if finding.kind == "name":
        return [*_columns(finding, names), *_members(finding.name, names)]
    if finding.kind != "attribute":
        return []
    # Only of a frame is an attribute a column.
    if frame_library(owner):
        return _columns(finding, names)
    if _is_module(finding.owner, names) and not finding.nearest:
        return _members(finding.name, names)
    return []


def _is_module(name: str, names: Mapping[str, object]) -> bool:
    """Return whether a name is that of an installed module, here or everywhere."""
    module = names.get(name, sys.modules.get(name))
    return is_installed_module(module)


def _columns(finding: Finding, names: Mapping[str, object]) -> list[str]:
    """Return the columns of this name, of the frames in which it was not looked for."""
    found = []
    for frame, columns in columns_of_frames(names).items():
        if frame == finding.owner:
            continue
        for name in columns:
            if is_same_name(name, finding.name):
                found.append(f"{frame}[{column(name)}]")
    return found


def _members(name: str, names: Mapping[str, object]) -> list[str]:
    """Return the modules among the variables that have a member of this name."""
    found: dict[int, str] = {}
    variables = list(names.items())
    for alias, value in variables[:MOST_NAMES]:
        if not is_installed_module(value):
            continue
        member = instance_dict(value).get(name)
        if member is not None and not is_instance(member, ModuleType):
            found.setdefault(id(member), f"{alias}.{name}")
    return list(found.values())


def _defining(name: str, cells: Iterable[Cell]) -> Iterator[str]:
    """Yield which cells define a name, of those that have not run as they are now."""
    numbered = list(enumerate(cells, 1))
    for place, cell in numbered[-MOST_CELLS:]:
        if cell.type != "code" or cell.state == "run":
            continue
        if len(cell.source) > MAX_CELL or name not in cell.source:
            continue
        tree = cell_code(cell.source).tree
        if tree is not None and name in _bound(tree):
            yield f"cell {place} of the notebook ({cell.state}) defines it"


def _bound(tree: ast.Module) -> set[str]:
    """Return the names that a cell defines, without those of its functions' bodies."""
    bound: set[str] = set()
    for statement in tree.body:
        name = getattr(statement, "name", None)
        if name is None:
            bound |= stored_in([statement]).names
        else:
            bound.add(name)
    return bound


def _signature(finding: Finding, names: Mapping[str, object]) -> str:
    """Return the signature of the member of a module that is meant, for the model."""
    if finding.kind != "attribute" or not _is_module(finding.owner, names):
        return ""
    if not finding.nearest.isidentifier():
        return ""
    try:
        text = package_text(f"{finding.owner}.{finding.nearest}", names)
    except NotFound:
        return ""
    lines = text.splitlines()
    if len(lines) < 2:
        return ""
    signature = lines[1]
    if not signature.startswith(f"{finding.nearest}("):
        return ""
    return f"The signature is {signature[:MAX_SIGNATURE]}."
