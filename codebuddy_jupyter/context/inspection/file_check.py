"""Files that code reads: those that are not there, and those that a variable holds."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from .abstract import text_of, words
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
# What may make files, or change the folder.
_WRITING = words("chdir urlretrieve extractall unpack_archive run")
# What a path has that is an address, a table itself or a pattern.
_NO_FILE = ("://", "\n", "*")
_OTHER_FOLDERS = ("~", "\\\\", "//")


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
        name = _file_name(read.path)
        holder = loaded.get(name.casefold(), "")
        shown = name[:80]
        if not _is_missing(read.path):
            if holder:
                report.add(_held(read, shown, holder))
        elif holder or any(map(frame_library, namespace.values())):
            report.add(_missing(read, shown, holder))


def _held(read: FileRead, shown: str, holder: str) -> Finding:
    """Return the finding that a variable holds a file that is read again."""
    return Finding(
        "loaded",
        f"{holder} holds {shown} already",
        shown,
        nearest=holder,
        line=read.node.lineno,
    )


def _missing(read: FileRead, shown: str, holder: str) -> Finding:
    """Return the finding that a file is missing, which a variable may hold."""
    line = f"there is no file '{read.path[:80]}'"
    fact = ""
    if holder:
        line = f"{line}; {holder} holds {shown} already"
        fact = f"Use the variable {holder}, and read no file."
    return Finding(
        "file",
        line,
        read.path,
        nearest=holder,
        fact=fact,
        line=read.node.lineno,
    )


def loaded_files(namespace: Mapping[str, object]) -> dict[str, str]:
    """Return which variable holds the table of which file, by the file's name.

    The cells that ran tell that.
    """
    sources = namespace.get("_ih")
    loaded: dict[str, str] = {}
    if not isinstance(sources, list):
        return loaded
    for source in sources[-MAX_CELLS:]:
        if type(source) is not str or len(source) > MAX_CELL:
            continue
        if "read_" not in source:
            continue
        for name, path in _assigned_reads(source):
            value = namespace.get(name)
            if frame_library(value):
                file = _file_name(path)
                loaded[file.casefold()] = name
    return loaded


def _file_name(path: str) -> str:
    """Return the name of a file without its folder, also of a path of Windows."""
    return os.path.basename(path.replace("\\", "/"))


@lru_cache(maxsize=256)
def _assigned_reads(source: str) -> tuple[tuple[str, str], ...]:
    tree = cell_code(source).tree
    if tree is None:
        return ()
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
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
    if not isinstance(node, ast.Call) or not node.args:
        return None
    func = node.func
    if not isinstance(func, ast.Attribute) or func.attr not in _READING:
        return None
    path = text_of(node.args[0])
    if not path or path.startswith(_OTHER_FOLDERS):
        return None
    if any(part in path for part in _NO_FILE):
        return None
    return path


def _may_write(nodes: Sequence[ast.AST], reads: list[FileRead]) -> bool:
    """Return whether the code itself may make one of the files, or change its folder."""
    paths = {read.path for read in reads}
    own = {id(read.node.args[0]) for read in reads}
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in _WRITING:
            return True
        if isinstance(node, ast.Name) and node.id in _WRITING:
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
