"""Files that code reads: those that are not there, and those that a variable holds."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from .abstract import words
from .cell_code import cell_code
from .columns import frame_library
from .finding import Finding
from .report import Report

# Cells that are looked at for where frames came from, and characters of each.
MAX_CELLS = 300
MAX_CELL = 5_000
# Files of a folder among which the nearest is looked for.
MAX_FILES = 1_000
_READING = words("""read_csv read_excel read_parquet read_json read_table read_feather read_pickle
    read_stata read_spss read_sas read_hdf read_fwf read_orc read_xml read_ndjson
    scan_csv scan_parquet""")


class FileRead:
    """A call that reads a table from a file."""

    def __init__(self, node: ast.Call, path: str) -> None:
        self.node = node
        self.path = path


def check_files(
    nodes: Sequence[ast.AST], namespace: Mapping[str, object], report: Report
) -> None:
    """Report tables that are read again, or from a file that does not exist."""
    reads = list(_reads(nodes))
    if not reads or _may_write(nodes, reads):
        return
    loaded = loaded_files(namespace)
    for read in reads:
        name = os.path.basename(read.path.replace("\\", "/"))
        holder = loaded.get(name.casefold(), "")
        shown = name[:80]
        if not _is_missing(read.path):
            if holder:
                line = f"{holder} holds {shown} already"
                finding = Finding(
                    "loaded", line, shown, holder, "", "", read.node.lineno
                )
                report.add(finding)
            continue
        line = f"there is no file '{read.path[:80]}'"
        fact = ""
        if holder:
            line = f"{line}; {holder} holds {shown} already"
            fact = f"Use the variable {holder}, and read no file."
        elif not any(map(frame_library, namespace.values())):
            continue
        report.add(Finding("file", line, read.path, holder, "", fact, read.node.lineno))


def loaded_files(namespace: Mapping[str, object]) -> dict[str, str]:
    """Return which variable holds the table of which file, by the file's name.

    The cells that ran tell that.
    """
    sources = namespace.get("_ih")
    loaded: dict[str, str] = {}
    if not isinstance(sources, list):
        return loaded
    for source in sources[-MAX_CELLS:]:
        if type(source) is not str or len(source) > MAX_CELL or "read_" not in source:
            continue
        for name, path in _assigned_reads(source):
            if frame_library(namespace.get(name)):
                file = os.path.basename(path.replace("\\", "/"))
                loaded[file.casefold()] = name
    return loaded


@lru_cache(maxsize=256)
def _assigned_reads(source: str) -> tuple[tuple[str, str], ...]:
    tree = cell_code(source).tree
    found = []
    for node in ast.walk(tree) if tree is not None else ():
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        target = node.targets[0]
        path = _path_read(node.value)
        if path is not None and isinstance(target, ast.Name):
            found.append((target.id, path))
    return tuple(found)


def _reads(nodes: Sequence[ast.AST]) -> Iterator[FileRead]:
    for node in nodes:
        path = _path_read(node)
        if path is not None and isinstance(node, ast.Call):
            yield FileRead(node, path)


def _path_read(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    if node.func.attr not in _READING or not node.args:
        return None
    first = node.args[0]
    if not isinstance(first, ast.Constant) or type(first.value) is not str:
        return None
    path = first.value
    is_plain = path and "://" not in path and "\n" not in path and "*" not in path
    return path if is_plain and not path.startswith(("~", "\\\\", "//")) else None


def _may_write(nodes: Sequence[ast.AST], reads: list[FileRead]) -> bool:
    """Return whether the code itself may make one of the files, or change its folder."""
    paths = {read.path for read in reads}
    own = {id(read.node.args[0]) for read in reads}
    for node in nodes:
        if isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            if name in ("chdir", "urlretrieve", "extractall", "unpack_archive", "run"):
                return True
        is_path = isinstance(node, ast.Constant) and node.value in paths
        if is_path and id(node) not in own:
            return True
    return False


def _is_missing(path: str) -> bool:
    try:
        return not os.path.lexists(path)
    except (OSError, ValueError):
        return False
