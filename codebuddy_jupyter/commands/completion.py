"""Completion by Tab in what is typed for the buddy: commands and mentions.

Other code is completed as before. No hook of IPython 7 gets the full text of a cell,
so `install` replaces the completer's ``completions``, which kernel and terminal call in
every version, and calls the original wherever the buddy has nothing to suggest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ..context.attached import mention_of
from ..context.buddy_cells import is_buddy_cell
from ..context.inspection.package_text import completions_of
from .likeliest import kind_of, likeliest_first
from .table import COMMANDS

MOST_SUGGESTIONS = 200
"""Suggestions for one word, at most."""
MOST_CELLS = 20
"""Cells that are suggested while no number is typed, at most."""
MOST_SCANNED = 5_000
"""Entries of a folder that are read, at most."""
MOST_TYPED = 1_000
"""Characters before the cursor that are read, at most."""

LONGEST_LINE = 60
"""Characters of a cell that say what is in it."""
KEYWORDS: Mapping[str, str] = {
    "error": "the last error",
    "plot": "the last figure",
    "file:": "a file of the notebook's folder",
    "pkg:": "the documentation of a function",
}
"""What can be attached besides variables and cells."""

Completion = tuple[str, str]
"""A replacement for a word, and its type, such as ``instance`` or ``path``."""

_CELL = re.compile(r"\s*%%buddy(?=\s)")
_LINE = re.compile(r"\s*(?:[^\W\d][\w.]*\s*=\s*)?%buddy(?=\s)")
_COMMAND = re.compile(
    r"""\s*
    (?: --?[a-z][\w-]* (?:[ \t]+[^\s/-]\S*)? \s+ )*   # options, with a value or without
    (?P<typed>/\w*)
    """,
    re.VERBOSE,
)
_MENTION = re.compile(
    r"""(?<![\w@\\.)\]])@(?:
        file:(?P<quote>["'])(?P<quoted>[^"'\n]*)
      | file:(?P<path>[^\s"'`<>|]*)
      | pkg:(?P<package>[\w.]*)
      | (?P<history>In|Out)\[(?P<number>\d*)
      | (?P<name>\w*)
    )$""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Suggestion:
    """A completion as IPython expects it.

    Parameters
    ----------
    start, end
        The part of the cell that ``text`` replaces, in characters.
    text
        The replacement.
    type
        What it is, such as ``instance`` or ``path``; front ends show it.
    signature, _origin
        Read by IPython.
    """

    start: int
    end: int
    text: str
    type: str
    signature: str = ""
    _origin: str = "buddy"


@dataclass
class Offers:
    """What the end of a prompt can be completed with.

    Parameters
    ----------
    shell
        The IPython shell, 7.34 or later.
    names
        Returns the names of the user's variables.
    folder
        Returns the folder from which relative paths start; None for the current one.
    commands
        The names of the commands, without a slash.
    """

    shell: Any
    names: Callable[[], Iterable[str]]
    folder: Callable[[], Path | None]
    commands: Iterable[str] = tuple(COMMANDS)

    def find(self, typed: str) -> tuple[str, list[Completion]]:
        """Return the word at the end of a prompt, and its completions with their types.

        Parameters
        ----------
        typed
            The prompt up to the cursor.
        """
        command = _COMMAND.fullmatch(typed)
        if command is not None:
            word = command["typed"]
            completions = self._commands(word)
            return word, list(islice(completions, MOST_SUGGESTIONS))
        last_line = typed.rpartition("\n")[2]
        mention = _MENTION.search(last_line)
        if mention is None:
            return "", []
        completions = self._mentions(mention)
        return mention[0], list(islice(completions, MOST_SUGGESTIONS))

    def description(self, completion: Completion) -> str:
        """Return what a completion is, in a few words; no code of a variable runs."""
        name, type = completion
        if type == "magic":
            return COMMANDS[name.removeprefix("/")].description
        if type == "keyword":
            return KEYWORDS[name.removeprefix("@")]
        if type == "instance":
            value = self._modules().get(name.removeprefix("@"))
            return kind_of(value)
        if type == "cell":
            return self._first_line(name)
        return ""

    def _first_line(self, mention: str) -> str:
        """Return the first line of the cell that a mention names."""
        digits = "".join(filter(str.isdecimal, mention))
        number = int(digits)
        inputs: list[str] = self.shell.history_manager.input_hist_parsed
        if number >= len(inputs):
            return ""
        line, _, _ = inputs[number].strip().partition("\n")
        return line[:LONGEST_LINE]

    def _commands(self, word: str) -> Iterator[Completion]:
        for name in self.commands:
            if f"/{name}".startswith(word):
                yield f"/{name}", "magic"

    def _mentions(self, mention: re.Match[str]) -> Iterator[Completion]:
        if mention["quote"] is not None:
            return self._files(mention["quoted"], mention["quote"])
        if mention["path"] is not None:
            return self._files(mention["path"], None)
        if mention["package"] is not None:
            return self._packages(mention["package"])
        if mention["history"] is not None:
            return self._cells(mention["history"], mention["number"])
        return self._names(mention["name"])

    def _names(self, typed: str) -> Iterator[Completion]:
        names = likeliest_first(self.names(), self._modules(), self._last_cell())
        for name in names:
            if name.startswith(typed):
                yield f"@{name}", "instance"
        for keyword in KEYWORDS:
            if keyword.startswith(typed):
                yield f"@{keyword}", "keyword"
        for history in ("In", "Out"):
            if history.startswith(typed):
                yield from islice(self._cells(history, ""), MOST_CELLS)

    def _last_cell(self) -> str:
        """Return the source of the last cell that is not the buddy's."""
        inputs: list[str] = self.shell.history_manager.input_hist_parsed
        for source in inputs[: -MOST_CELLS - 1 : -1]:
            if source.strip() and not is_buddy_cell(source):
                return source
        return ""

    def _packages(self, typed: str) -> Iterator[Completion]:
        for name in completions_of(typed, self._modules()):
            yield f"@pkg:{name}", "module"

    def _modules(self) -> Mapping[str, object]:
        """Return the variables, among which modules have shorter names."""
        namespace = getattr(self.shell, "user_ns", None)
        return namespace if isinstance(namespace, dict) else {}

    def _cells(self, history: str, typed: str) -> Iterator[Completion]:
        """Complete the number of a cell, the latest first.

        Parameters
        ----------
        history
            ``In`` for the cells that ran, ``Out`` for those that returned a value.
        typed
            The digits that are typed so far.
        """
        numbers = self._inputs() if history == "In" else self._outputs()
        for number in sorted(numbers, reverse=True):
            if str(number).startswith(typed):
                yield f"@{history}[{number}]", "cell"

    def _inputs(self) -> list[int]:
        inputs: list[str] = self.shell.history_manager.input_hist_parsed
        return [number for number, code in enumerate(inputs) if code.strip()]

    def _outputs(self) -> list[int]:
        # The user can put keys of any type into Out.
        keys = self.shell.history_manager.output_hist
        return [key for key in keys if type(key) is int]

    def _files(self, typed: str, quote: str | None) -> Iterator[Completion]:
        for mention in _paths(typed, self.folder(), quote):
            yield mention, "path"


@dataclass
class Completions:
    """Replaces the completer's ``completions``.

    Parameters
    ----------
    original
        The completer's own method.
    offers
        What a prompt can be completed with.
    """

    original: Callable[[str, int], Iterator[Any]]
    offers: Offers

    def __call__(self, text: str, offset: int) -> Iterator[Any]:
        """Return the completions of a cell's text at an offset, in characters."""
        if "%buddy" in text:
            suggestions = self.suggestions(text, offset)
            if suggestions:
                return iter(suggestions)
        return self.original(text, offset)

    def suggestions(self, text: str, offset: int) -> list[Suggestion]:
        """Return the buddy's suggestions; none when the cursor is outside a prompt."""
        begin = _prompt_begin(text, offset)
        if begin is None:
            return []
        typed = text[max(begin, offset - MOST_TYPED) : offset]
        word, completions = self.offers.find(typed)
        start = offset - len(word)
        suggestions = []
        for replacement, type in completions:
            suggestion = Suggestion(start, offset, replacement, type)
            suggestions.append(suggestion)
        return suggestions


def install(
    shell: Any,
    *,
    names: Callable[[], Iterable[str]],
    folder: Callable[[], Path | None],
    commands: Iterable[str] = tuple(COMMANDS),
) -> None:
    """Complete prompts in this shell; the parameters are those of `Offers`.

    Installing twice is the same as installing once.
    """
    uninstall(shell)
    completer = shell.Completer
    offers = Offers(shell, names, folder, commands)
    completer.completions = Completions(completer.completions, offers)


def uninstall(shell: Any) -> None:
    """Restore the shell's own completion."""
    completer = shell.Completer
    installed = vars(completer).get("completions")
    if isinstance(installed, Completions):
        del completer.completions


def _prompt_begin(text: str, offset: int) -> int | None:
    """Return where the prompt around the cursor begins; None outside a prompt."""
    line_begin = text.rfind("\n", 0, offset) + 1
    match = _CELL.match(text) or _LINE.match(text, line_begin)
    if match is None:
        return None
    begin = match.end()
    if begin >= offset:
        return None
    return begin


def _paths(typed: str, folder: Path | None, quote: str | None) -> Iterator[str]:
    """Complete a path.

    Parameters
    ----------
    typed
        The path that is typed so far.
    folder
        The folder from which a relative path starts; None for the current one.
    quote
        The quotation mark before the path, if one is typed.

    Yields
    ------
    str
        A mention of a path: quoted where that is necessary, a folder with a slash.
    """
    last_slash = max(typed.rfind("/"), typed.rfind(os.sep))
    name_start = last_slash + 1
    parent = typed[:name_start]
    begin = typed[name_start:]
    for name, is_folder in _entries(parent, folder):
        # Hidden files are suggested once the dot of their name is typed.
        is_hidden = name.startswith(".") and not begin
        if name.startswith(begin) and not is_hidden:
            yield _file_mention(parent + name, is_folder, quote)


def _entries(parent: str, folder: Path | None) -> list[tuple[str, bool]]:
    """Return the names in a folder, in order, and whether each is a folder.

    Nothing is returned for a folder that cannot be read or may not be mentioned: a
    relative path must stay inside the notebook's folder.
    """
    try:
        root = os.path.realpath(folder or Path.cwd())
        expanded = Path(parent).expanduser()
        if not expanded.is_absolute():
            expanded = root / expanded
            target = Path(os.path.realpath(expanded))
            if not target.is_relative_to(root):
                return []
        return _scan(expanded)
    except (OSError, RuntimeError, ValueError):
        return []


def _scan(folder: Path) -> list[tuple[str, bool]]:
    names = []
    with os.scandir(folder) as entries:
        for entry in islice(entries, MOST_SCANNED):
            names.append((entry.name, entry.is_dir()))
    return sorted(names)


def _file_mention(path: str, is_folder: bool, quote: str | None) -> str:
    """Return the mention of a path; a folder's has no closing quotation mark."""
    if quote is None:
        written = mention_of(path).removeprefix("@file:")
        quote = written[0] if written[0] in "\"'" else ""
    if is_folder:
        return f"@file:{quote}{path}/"
    return f"@file:{quote}{path}{quote}"
