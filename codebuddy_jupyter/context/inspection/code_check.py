"""Checks code against the live kernel before anybody runs it.

The code is only read: nothing of it runs, and nothing of the user's objects. Where it is
not sure that something is missing, nothing is said.
"""

from __future__ import annotations

import ast
import builtins
import importlib.machinery
import re
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..describe.types import is_exactly, is_instance, try_loaded
from .abstract import text_of, words
from .cell_code import CellCode, cell_code
from .file_check import check_files, may_write
from .finding import Finding
from .reader import Reader
from .report import Called, Report
from .stored import Stored, stored_in

# Steps of the tree of a piece of code.
MAX_NODES = 20_000
# What IPython and Python define besides the variables and the builtins.
_ALWAYS = words("""display get_ipython In Out exit quit __name__ __doc__ __file__ __builtins__
    __spec__ __loader__ __package__ __builtin__ __debug__ __class__ __annotations__
    _ __ ___ _i _ii _iii _ih _oh _dh _exit_code""")
# Without those that Python adds for people who type, such as `license`.
_BUILTINS = tuple(
    name
    for name, value in vars(builtins).items()
    if not name.startswith("_") and type(value).__module__ != "_sitebuiltins"
)
_RESULT = re.compile(r"_i?\d+")
# Commands that IPython runs by their names alone.
_COMMANDS = words("ls pwd cd cat who whos clear")
# With these, any name may be defined.
_DYNAMIC = words("exec globals locals vars eval setattr")
# Methods of the shell that run code.
_RUNNING = words("run_cell run_line_magic magic ex")
_ALIASES: Mapping[str, str] = {
    "pd": "import pandas as pd",
    "np": "import numpy as np",
    "plt": "import matplotlib.pyplot as plt",
    "sns": "import seaborn as sns",
    "pl": "import polars as pl",
    "px": "import plotly.express as px",
}
Nodes = Sequence[ast.AST]
"""All nodes of a tree."""

# Magics that may install a package, write a file or change the folder.
_ACTS = words("pip conda mamba uv cd writefile")


class CodeCheck:
    """Checks pieces of code that belong together, one after the other.

    Parameters
    ----------
    namespace
        The kernel's variables; they are only looked at.
    """

    def __init__(self, namespace: Mapping[str, object]) -> None:
        self._namespace = namespace
        self._earlier: set[str] = set()
        # Whether a piece so far may have defined any name, have installed a package, or
        # have made a file.
        self._may_define = False
        self._may_install = False
        self._may_write = False
        self._reader: Reader | None = None
        self.calls: list[Called] = []
        """The functions that were called, as far as they are known."""

    def check(self, code: str) -> tuple[Finding, ...]:
        """Return what does not fit in a piece of code; never raises for any code."""
        cell = cell_code(code)
        self._may_define |= cell.may_define
        acts = any(magic.name in _ACTS for magic in cell.magics)
        self._may_install |= cell.has_command or acts
        report = Report()
        if cell.tree is not None:
            nodes = list(ast.walk(cell.tree))
            report = Report(_guarded(nodes))
            try:
                self._check_tree(cell.tree, nodes, report)
            except RecursionError:
                # Code that is nested so deeply is not checked.
                return ()
        self._check_magics(cell, report)
        return report.findings

    def _check_tree(self, tree: ast.Module, nodes: Nodes, report: Report) -> None:
        if len(nodes) > MAX_NODES:
            return
        stored = stored_in([tree])
        self._may_define |= _is_dynamic(nodes)
        if not self._may_define:
            self._check_names(tree, stored, report)
        self._earlier |= stored.names
        self._may_install |= _changes_path(nodes)
        if not self._may_install:
            _check_imports(tree, report)
        if not (self._may_install or self._may_write):
            check_files(tree, nodes, self._namespace, report)
        self._may_write |= may_write(nodes)
        self._read(tree, stored, report)

    def _read(self, tree: ast.Module, stored: Stored, report: Report) -> None:
        if self._reader is None:
            self._reader = Reader(self._namespace, report, stored)
        else:
            self._reader.begin(report, stored)
        self._reader.read(tree.body)
        self.calls += report.calls

    def _check_names(self, tree: ast.Module, stored: Stored, report: Report) -> None:
        known = stored.names | self._earlier | self._automagics()
        for node in _names_read(tree):
            name = node.id
            if name in known or self._is_defined(name):
                continue
            if name in _ALIASES:
                _report_alias(name, report, node)
                continue
            candidates = self._names_to_compare(stored)
            report.name(name, candidates, node)

    def _is_defined(self, name: str) -> bool:
        """Return whether the kernel, Python or IPython defines a name."""
        if name in self._namespace or name in vars(builtins):
            return True
        return name in _ALWAYS or _RESULT.fullmatch(name) is not None

    def _automagics(self) -> frozenset[str]:
        """Return the magics that IPython takes without their sign, such as ``pwd``."""
        kinds = _magics(self._namespace) or {}
        names = kinds.get("line")
        if not isinstance(names, dict):
            return _COMMANDS
        return _COMMANDS | {name for name in names if type(name) is str}

    def _names_to_compare(self, stored: Stored) -> list[str]:
        names = [name for name in self._namespace if type(name) is str]
        public = [name for name in names if not name.startswith("_")]
        return [*sorted(stored.names), *reversed(public), *_BUILTINS]

    def _check_magics(self, cell: CellCode, report: Report) -> None:
        kinds = _magics(self._namespace)
        if kinds is None:
            return
        for magic in cell.magics:
            known = kinds.get(magic.kind)
            if type(known) is not dict or magic.name in known:
                continue
            if "!" in magic.name:
                continue
            # A line magic that is written with two signs, and the other way round.
            candidates = [name for name in known if type(name) is str]
            sign = "%"
            if magic.kind == "cell":
                sign = "%%"
            report.magic(sign, magic.name, candidates, magic.line)


def findings(code: str, namespace: Mapping[str, object]) -> tuple[Finding, ...]:
    """Return what in a piece of code does not fit the live kernel.

    Parameters
    ----------
    code
        Python as it is typed in a cell.
    namespace
        The kernel's variables; they are only looked at.
    """
    return CodeCheck(namespace).check(code)


def _report_alias(name: str, report: Report, node: ast.AST) -> None:
    statement = _ALIASES[name]
    finding = Finding(
        "name",
        f"'{name}' is not defined; missing: {statement}",
        name,
        fact=f"Begin with: {statement}",
        line=getattr(node, "lineno", 0),
    )
    report.add(finding)


def _names_read(tree: ast.Module) -> Iterator[ast.Name]:
    """Yield the names that are read, but not those of annotations."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                yield node
            continue
        if isinstance(node, ast.Try) and _catches_names(node):
            pending += [*node.handlers, *node.orelse, *node.finalbody]
            continue
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns"):
                continue
            children = [value]
            if isinstance(value, list):
                children = value
            pending += [child for child in children if isinstance(child, ast.AST)]


def _catches_names(node: ast.Try) -> bool:
    for handler in node.handlers:
        if handler.type is None:
            return True
        text = ast.unparse(handler.type)
        if "NameError" in text or "Exception" in text:
            return True
    return False


def _is_dynamic(nodes: Nodes) -> bool:
    """Return whether the code may define names that are not written in it."""
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in _DYNAMIC:
            return True
        if isinstance(node, ast.alias) and node.name == "*":
            return True
        if isinstance(node, ast.Attribute) and node.attr in _RUNNING:
            return True
    return False


def _changes_path(nodes: Nodes) -> bool:
    """Return whether the code may change where modules are found."""
    for node in nodes:
        if isinstance(node, ast.Attribute):
            is_path = node.attr == "path" and ast.unparse(node.value) == "sys"
            if is_path or node.attr == "addsitedir":
                return True
    return False


def _guarded(nodes: Nodes) -> Iterator[str]:
    """Yield the names that the code itself looks for, and the attributes that it sets."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        for looked_for in _looked_for(node):
            text = text_of(looked_for)
            if text is not None:
                yield text


def _looked_for(node: ast.AST) -> list[ast.expr]:
    """Return what an expression looks for: ``"x" in y``, ``hasattr(y, "x")``."""
    if isinstance(node, ast.Compare):
        for operator in node.ops:
            if isinstance(operator, ast.In | ast.NotIn):
                return [node.left]
        return []
    if not isinstance(node, ast.Call):
        return []
    function = node.func
    if isinstance(function, ast.Name) and function.id in ("hasattr", "getattr"):
        return node.args[1:2]
    if isinstance(function, ast.Attribute) and function.attr == "get":
        return node.args[:1]
    return []


def _check_imports(tree: ast.Module, report: Report) -> None:
    """Report imports of packages that are not installed."""
    for node in _imports(tree.body):
        for module in _modules_of(node):
            package = module.partition(".")[0]
            if _may_be_installed(package):
                continue
            text = f"{package} is not installed"
            finding = Finding(
                "module",
                text,
                package,
                line=node.lineno,
            )
            report.add(finding)


def _imports(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that surely run, and whose failure nobody catches."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def _modules_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the modules that a statement imports, but not relative ones."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level or not node.module:
        return []
    return [node.module]


def _may_be_installed(package: str) -> bool:
    if package in sys.modules or package in sys.stdlib_module_names:
        return True
    if package in sys.builtin_module_names:
        return True
    for finder in sys.meta_path:
        # Such as that of a package that is installed from its sources.
        module = getattr(finder, "__module__", "")
        if "editable" in str(module):
            return True
    try:
        return importlib.machinery.PathFinder.find_spec(package) is not None
    except (ImportError, OSError, ValueError, AttributeError, TypeError):
        return True


def _magics(namespace: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the magics of the shell that the namespace belongs to, by their kind."""
    getter = namespace.get("get_ipython")
    if type(getter) is not types.MethodType:
        return None
    shell: Any = getter.__self__
    shell_class = try_loaded("IPython.core.interactiveshell", "InteractiveShell")
    if shell_class is None or not is_instance(shell, shell_class):
        return None
    kinds: Mapping[str, object] = shell.magics_manager.magics
    if not is_exactly(kinds, dict):
        return None
    return kinds
