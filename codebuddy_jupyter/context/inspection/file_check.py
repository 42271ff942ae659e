"""Files that code reads: those that are not there, and those that a variable holds."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
_WRITING = words("""chdir urlretrieve extractall unpack_archive run system Popen check_call
    download""")
# What makes the file that it names.
_MAKING = words("""to_csv to_excel to_parquet to_json to_feather to_pickle to_stata to_hdf to_orc
    to_xml write_csv write_excel write_ipc write_json write_ndjson write_parquet sink_csv
    sink_parquet write_text write_bytes open save dump""")
# What may not run, or whose failure may be caught.
_UNSURE = (
    ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.If | ast.IfExp | ast.Try
)
# What a path has that is an address, a table itself or a pattern.
_NO_FILE = ("://", "\n", "*")
_OTHER_FOLDERS = ("~", "\\\\", "//")


class FileRead:
    """A call that reads a table from a file."""

    def __init__(self, node: ast.Call, path: str) -> None:
        self.node = node
        self.path = path


def check_files(
    tree: ast.Module,
    nodes: Sequence[ast.AST],
    namespace: Mapping[str, object],
    report: Report,
) -> None:
    """Report tables that are read again, or from a file that does not exist; but only
    where they are surely read. ``nodes`` are all nodes of the tree.
    """
    reads = sorted(_reads(_sure_nodes(tree)), key=lambda read: read.node.lineno)
    if not reads or _may_make(nodes, reads):
        return
    loaded = loaded_files(namespace)
    for read in reads:
        name = _file_name(read.path)
        holder, path = loaded.get(name.casefold(), ("", ""))
        if not _may_be_same(read.path, path):
            holder = ""
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


def loaded_files(namespace: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Return which variable holds the table of which file, and the file's path, by its
    name.

    The cells that ran tell that.
    """
    sources = namespace.get("_ih")
    loaded: dict[str, tuple[str, str]] = {}
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
                loaded[file.casefold()] = name, path
    return loaded


def _may_be_same(one: str, other: str) -> bool:
    """Return whether two paths of files of one name can mean the same file."""
    paths = []
    for path in (one, other):
        paths.append(os.path.normpath(path.replace("\\", "/")).casefold())
    has_folder = all(_file_name(path) != path for path in paths)
    return not has_folder or paths[0] == paths[1]


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


def _sure_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that surely run, and whose failure nobody catches."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, _UNSURE):
            continue
        yield node
        pending += ast.iter_child_nodes(node)


def _reads(nodes: Iterable[ast.AST]) -> Iterator[FileRead]:
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


def may_write(nodes: Iterable[ast.AST]) -> bool:
    """Return whether code may make any file, or change the folder."""
    return any(_name_of(node) in _WRITING | _MAKING for node in nodes)


def _may_make(nodes: Sequence[ast.AST], reads: list[FileRead]) -> bool:
    """Return whether the code itself may make one of the files, or change its folder."""
    paths = {read.path for read in reads}
    own = {id(read.node.args[0]) for read in reads}
    for node in nodes:
        if _name_of(node) in _WRITING or _makes_any(node):
            return True
        is_path = isinstance(node, ast.Constant) and node.value in paths
        if is_path and id(node) not in own:
            return True
    return False


def _makes_any(node: ast.AST) -> bool:
    """Return whether a call makes a file whose path is not written in the code."""
    if not isinstance(node, ast.Call) or _name_of(node.func) not in _MAKING:
        return False
    return not node.args or text_of(node.args[0]) is None


def _name_of(node: ast.AST) -> str:
    """Return the name of an attribute or a name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    return ""


def _is_missing(path: str) -> bool:
    try:
        return not os.path.lexists(path)
    except (OSError, ValueError):
        return False
