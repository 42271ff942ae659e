"""Collects findings: each once, and none of what the code itself looks for."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .abstract import Frame
from .columns import quoted_names
from .finding import Finding, Kind
from .installed import try_replacement, versioned
from .names import try_nearest

# Findings of one piece of code.
MAX_FINDINGS = 5
# Characters of an expression that is named in a line.
MAX_OWNER = 40
# Characters of a name that does not exist.
MAX_NAME = 80


@dataclass(frozen=True)
class Called:
    """A function that the code calls.

    ``owner`` is how the code names it, ``name`` its own, and ``skip`` how many of its
    first parameters are bound.
    """

    owner: str
    name: str
    function: Any
    skip: int


class Report:
    """The findings of one piece of code.

    Parameters
    ----------
    guarded
        Names that the code itself tests for, of which nothing is said.
    """

    def __init__(self, guarded: Iterable[str] = ()) -> None:
        self._guarded = frozenset(guarded)
        self._findings: dict[tuple[Kind, str, str], Finding] = {}
        self.calls: list[Called] = []
        # While positive, nothing is reported.
        self.silent = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, in the order of the lines."""
        findings = self._findings.values()
        by_line = sorted(findings, key=lambda finding: finding.line)
        return tuple(by_line[:MAX_FINDINGS])

    def add(self, finding: Finding) -> None:
        """Add a finding, unless the code tests for what it names."""
        if self.silent or finding.name in self._guarded:
            return
        if len(finding.name) > MAX_NAME or not finding.text.isprintable():
            return
        key = finding.kind, finding.owner, finding.name
        self._findings.setdefault(key, finding)

    def column(
        self, owner: str, frame: Frame, name: str, node: ast.AST, *, index: bool
    ) -> None:
        """Report a column that a frame does not have."""
        names = frame.all_names if index else frame.columns
        texts = [column for column in names or () if type(column) is str]
        nearest = try_nearest(name, sorted(texts)) or ""
        line = f"{owner} has no column '{name}'"
        if nearest:
            line = f"{line}; nearest: '{nearest}'"
        fact = ""
        if texts:
            fact = f"The columns of {owner} are {quoted_names(texts)}."
        self.add(Finding("column", line, name, nearest, owner, fact, _line(node)))

    def attribute(
        self,
        owner: str,
        name: str,
        candidates: Iterable[str],
        node: ast.AST,
        *,
        word: str = "attribute",
        instead: str = "",
    ) -> None:
        """Report an attribute that a module, class or object does not have."""
        line = f"{owner} has no {word} '{name}'"
        nearest = instead or try_replacement(owner, name)
        if nearest:
            line = f"{line}; instead: {nearest}"
        else:
            nearest = try_nearest(name, candidates) or ""
            if nearest:
                line = f"{line}; nearest: '{nearest}'"
        version = versioned(owner)
        fact = ""
        if version != owner:
            fact = f"This is {version}."
        self.add(Finding("attribute", line, name, nearest, owner, fact, _line(node)))

    def accessor(
        self,
        owner: str,
        name: str,
        kind: str,
        needed: str,
        instead: str,
        node: ast.AST,
    ) -> None:
        """Report ``.dt`` or ``.str`` of a column of another kind."""
        line = f"{owner} has {kind}, and .{name} needs {needed}; convert it: {instead}"
        self.add(Finding("attribute", line, name, instead, owner, line=_line(node)))

    def keyword(
        self,
        owner: str,
        name: str,
        candidates: Iterable[str],
        signature: str,
        node: ast.AST,
    ) -> None:
        """Report a keyword that a function does not take."""
        nearest = try_nearest(name, candidates) or ""
        line = f"{owner} takes no argument '{name}'"
        if nearest:
            line = f"{line}; nearest: '{nearest}'"
        fact = f"The signature is {owner}{signature}." if signature else ""
        self.add(Finding("keyword", line, name, nearest, owner, fact, _line(node)))

    def positions(
        self, owner: str, most: int, given: int, signature: str, node: ast.AST
    ) -> None:
        """Report more values than a function takes without names."""
        values = "1 value" if most == 1 else f"{most} values"
        line = f"{owner} takes at most {values} without a name, not {given}"
        fact = f"The signature is {owner}{signature}." if signature else ""
        self.add(Finding("keyword", line, str(given), "", owner, fact, _line(node)))

    def name(self, name: str, candidates: Iterable[str], node: ast.AST) -> None:
        """Report a name that nothing defines."""
        nearest = try_nearest(name, candidates) or ""
        line = f"'{name}' is not defined"
        if nearest:
            line = f"{line}; nearest: '{nearest}'"
        self.add(Finding("name", line, name, nearest, line=_line(node)))

    def magic(self, sign: str, name: str, candidates: Iterable[str], line: int) -> None:
        """Report a magic that does not exist."""
        nearest = try_nearest(name, candidates) or ""
        text = f"there is no magic {sign}{name}"
        if nearest:
            text = f"{text}; nearest: {sign}{nearest}"
        self.add(Finding("magic", text, name, nearest, line=line))


def owner_text(node: ast.AST, frame: Frame | None = None) -> str:
    """Return how a line names what an expression gives."""
    if frame is not None and frame.label:
        return frame.label
    if isinstance(node, ast.Name):
        return node.id
    text = ast.unparse(node)
    if len(text) <= MAX_OWNER and "\n" not in text:
        return text
    return "the result"


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)
