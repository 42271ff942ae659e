"""Code as it is typed in a cell, made into Python that can be parsed.

Magics and shell commands are no Python: they are replaced, line by line, so that line
numbers stay.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from dataclasses import dataclass
from typing import NamedTuple

# Characters: parsing more takes too long.
MAX_CODE = 20_000
# Levels of brackets; Python's own parser allows 200.
MAX_BRACKETS = 100
# Magics that run the Python after them.
RUN_PYTHON = frozenset({"time", "timeit", "capture", "prun", "memit", "mprun"})
# Magics that define names, or change what names are there.
DEFINE_NAMES = frozenset(
    {
        "run",
        "pylab",
        "load_ext",
        "reload_ext",
        "load",
        "store",
        "sql",
        "R",
        "rpull",
        "capture",
    }
)
_MAGIC = re.compile(r"^(?P<indent>\s*)%(?P<name>[A-Za-z_]\w*)(?P<rest>.*)$")
_COMMAND = re.compile(r"^(?P<indent>\s*)(?:!|\?)")
_HELP = re.compile(r"^(?P<indent>\s*)[\w.*%]+\?{1,2}\s*$")
_ASSIGNED = re.compile(r"^(?P<before>\s*[\w, ]+=\s*)(?:(?P<shell>!)|%(?P<name>\w+))")
_CELL_MAGIC = re.compile(r"^%%(?P<name>[A-Za-z_!]\w*)")
_LISTING = re.compile(r"^(?:ls|cat|rm|cp|mv|mkdir|who) -[A-Za-z]+(?: |$)")
_OPENING = "([{"
_CLOSING = ")]}"


class Magic(NamedTuple):
    """A magic that the code uses."""

    name: str
    kind: str
    line: int


@dataclass(frozen=True)
class CellCode:
    """Code that was parsed.

    ``tree`` is None for what cannot be parsed, or is not Python. ``has_command`` is
    whether it runs a command of the operating system, and ``may_define`` whether a
    magic may define any name.
    """

    tree: ast.Module | None
    magics: tuple[Magic, ...] = ()
    has_command: bool = False
    may_define: bool = False


def cell_code(code: str) -> CellCode:
    """Return the code of a cell, parsed; never raises."""
    if len(code) > MAX_CODE or "\0" in code:
        return CellCode(None)
    # As IPython does with code that is indented as a whole.
    lines = textwrap.dedent(code).splitlines()
    filled = (number for number, line in enumerate(lines) if line.strip())
    first = next(filled, None)
    if first is None:
        return CellCode(None)
    magics: list[Magic] = []
    match = _CELL_MAGIC.match(lines[first])
    if match:
        name = match["name"]
        magics.append(Magic(name, "cell", first + 1))
        if name not in RUN_PYTHON:
            return CellCode(None, tuple(magics), has_command=True, may_define=True)
        lines[first] = ""
    has_command = _replace_commands(lines)
    if "%" in code or "!" in code or "?" in code:
        has_command = _replace_magics(lines, magics) or has_command
    may_define = any(magic.name in DEFINE_NAMES for magic in magics)
    tree = _try_parse("\n".join(lines))
    return CellCode(tree, tuple(magics), has_command, may_define)


def _replace_commands(lines: list[str]) -> bool:
    """Replace commands such as ``ls -l``, which Python would take for a subtraction."""
    has_command = False
    for index, line in enumerate(lines):
        if _LISTING.match(line):
            lines[index] = "pass"
            has_command = True
    return has_command


def _replace_magics(lines: list[str], magics: list[Magic]) -> bool:
    """Replace what is no Python; return whether there was a shell command."""
    has_command = False
    # A line within brackets or within a text in triple quotes goes on with the last.
    if _parses(lines):
        return False
    for index, line in enumerate(lines):
        magic = _MAGIC.match(line)
        assigned = _ASSIGNED.match(line)
        other = _COMMAND.match(line) or _HELP.match(line)
        if magic:
            magics.append(Magic(magic["name"], "line", index + 1))
            lines[index] = _python_in(magic)
        elif assigned:
            if assigned["name"]:
                magics.append(Magic(assigned["name"], "line", index + 1))
            has_command = has_command or bool(assigned["shell"])
            lines[index] = f"{assigned['before']}..."
        elif other:
            has_command = True
            lines[index] = f"{other['indent']}pass"
    return has_command


def _python_in(magic: re.Match[str]) -> str:
    """Return the Python that a line magic runs, or ``pass``."""
    rest = magic["rest"].strip()
    if magic["name"] in RUN_PYTHON and rest and not rest.startswith("-"):
        return f"{magic['indent']}{rest}"
    return f"{magic['indent']}pass"


def _parses(lines: list[str]) -> bool:
    return _try_parse("\n".join(lines)) is not None


def _try_parse(source: str) -> ast.Module | None:
    if _depth(source) > MAX_BRACKETS:
        return None
    try:
        if "\\" not in source:
            return ast.parse(source)
        # Python warns of an unknown escape sequence. Filters of warnings belong to all
        # threads, so they are changed only for the code that needs it.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _depth(source: str) -> int:
    """Return how deep brackets are nested at most, those in texts included."""
    depth = 0
    deepest = 0
    for character in source:
        if character in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif character in _CLOSING:
            depth -= 1
    return deepest
