"""Completion by Tab in what is asked:

``@`` mentions with their paths, and ``/`` commands. Other code is left alone.

IPython 7 gives a cell's whole text to nothing that can be registered, so the
completer's ``completions`` is shadowed, which kernel and terminal both call in every
version; where a line does not ask the buddy, its own answer is given.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from .context.attached import mention_of

# suggestions
MOST = 200
# names of a folder that are looked at
MOST_SCANNED = 5_000
# characters before the cursor that are looked at
_MOST_TYPED = 1_000

_CELL = re.compile(r"\s*%%buddy(?=\s)")
_LINE = re.compile(r"\s*(?:[^\W\d][\w.]*\s*=\s*)?%buddy(?=\s)")
_COMMAND = re.compile(r"\s*(?:--?[a-z][\w-]*(?:[ \t]+[^\s/-]\S*)?\s+)*(?P<typed>/\w*)")
_MENTION = re.compile(
    r"""(?<![\w@\\.)\]])@(?:
        file:(?P<mark>["'])(?P<quoted>[^"'\n]*)
      | file:(?P<path>[^\s"'`<>|]*)
      | (?P<kind>In|Out)\[(?P<number>\d*)
      | (?P<name>\w*)
    )$""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Suggestion:
    """What IPython takes as a completion:

    ``text`` for what stands from ``start`` to ``end`` of the cell.
    """

    start: int
    end: int
    text: str
    type: str
    signature: str = ""
    _origin: str = "buddy"


@dataclass
class Offers:
    """What a prompt can be completed with.

    Parameters
    ----------
    shell
        The IPython shell, 7.34 or later.
    names
        Gives the user's variables.
    folder
        Gives the notebook's folder, from which relative paths start; None for the
        current one.
    commands
        The names of the commands, without a slash; looked through again each time.
    """

    shell: Any
    names: Callable[[], Iterable[str]]
    folder: Callable[[], Path | None]
    commands: Iterable[str]

    def find(self, typed: str) -> tuple[str, list[tuple[str, str]]]:
        """The word with which a prompt ends so far, and what can stand in its place,
        each with its kind.
        """
        if command := _COMMAND.fullmatch(typed):
            word = command["typed"]
            fitting = (
                f"/{name}" for name in self.commands if f"/{name}".startswith(word)
            )
            return word, [(name, "magic") for name in islice(fitting, MOST)]
        mention = _MENTION.search(typed.rpartition("\n")[2])
        if mention is None:
            return "", []
        return mention[0], list(islice(self._mentioned(mention), MOST))

    def _mentioned(self, mention: re.Match[str]) -> Iterator[tuple[str, str]]:
        if mention["path"] is not None or mention["quoted"] is not None:
            typed = mention["path"] if mention["mark"] is None else mention["quoted"]
            yield from (
                (found, "path")
                for found in _paths(typed, self.folder(), mention["mark"])
            )
        elif mention["kind"]:
            yield from (
                (found, "cell")
                for found in self._numbers(mention["kind"], mention["number"])
            )
        else:
            special = [("error", "keyword"), ("plot", "keyword"), ("file:", "keyword")]
            known = [*((name, "instance") for name in self.names()), *special]
            yield from (
                (f"@{name}", kind)
                for name, kind in known
                if name.startswith(mention["name"])
            )
            for kind in ("In", "Out"):
                if kind.startswith(mention["name"]):
                    yield from (
                        (found, "cell")
                        for found in islice(self._numbers(kind, ""), MOST // 10)
                    )

    def _numbers(self, kind: str, typed: str) -> Iterator[str]:
        """``In[n]`` of the cells that ran, ``Out[n]`` of those that gave a value; the
        latest first.
        """
        history = self.shell.history_manager
        inputs: list[str] = history.input_hist_parsed
        ran = (
            [number for number, code in enumerate(inputs) if code.strip()]
            if kind == "In"
            else history.output_hist
        )
        numbers = sorted((one for one in ran if type(one) is int), reverse=True)
        return (
            f"@{kind}[{number}]" for number in numbers if str(number).startswith(typed)
        )


@dataclass
class Completions:
    """Stands for the completer's own ``completions``, which answers wherever nobody
    asks the buddy.
    """

    ordinary: Callable[[str, int], Iterator[Any]]
    offers: Offers

    def __call__(self, text: str, offset: int) -> Iterator[Any]:
        """The completions of a cell's text at an offset, in characters."""
        found = self.suggestions(text, offset) if "%buddy" in text else []
        return iter(found) if found else self.ordinary(text, offset)

    def suggestions(self, text: str, offset: int) -> list[Suggestion]:
        """The buddy's own: none where the cursor does not stand in what is asked."""
        begin = _prompt_begin(text, offset)
        if begin is None:
            return []
        word, found = self.offers.find(text[max(begin, offset - _MOST_TYPED) : offset])
        return [
            Suggestion(offset - len(word), offset, name, kind) for name, kind in found
        ]


def install(
    shell: Any,
    *,
    names: Callable[[], Iterable[str]],
    folder: Callable[[], Path | None],
    commands: Iterable[str],
) -> None:
    """Complete what is asked of the buddy in this shell, with what `Offers` finds;
    twice is as once.
    """
    uninstall(shell)
    completer = shell.Completer
    completer.completions = Completions(
        completer.completions, Offers(shell, names, folder, commands)
    )


def uninstall(shell: Any) -> None:
    """Leave the shell's completion as it was."""
    if isinstance(vars(shell.Completer).get("completions"), Completions):
        del shell.Completer.completions


def _prompt_begin(text: str, offset: int) -> int | None:
    """Where the prompt begins that the cursor stands in; None where it stands in none."""
    cell = _CELL.match(text)
    line = text.rfind("\n", 0, offset) + 1
    match = cell or _LINE.match(text, line)
    return match.end() if match and match.end() < offset else None


def _paths(typed: str, folder: Path | None, mark: str | None) -> Iterator[str]:
    """The paths that go on from what was typed, as they are mentioned: quoted where
    need be, folders with a slash.
    """
    cut = max(typed.rfind("/"), typed.rfind(os.sep)) + 1
    parent, begin = typed[:cut], typed[cut:]
    try:
        root = Path(os.path.realpath(folder or Path.cwd()))
        place = root / Path(parent).expanduser()
        if not Path(parent).expanduser().is_absolute() and not Path(
            os.path.realpath(place)
        ).is_relative_to(root):
            # would be refused
            return
        with os.scandir(place) as entries:
            found = sorted(
                (entry.name, entry.is_dir()) for entry in islice(entries, MOST_SCANNED)
            )
    except (OSError, RuntimeError, ValueError):
        return
    for name, is_folder in found:
        if name.startswith(begin) and (begin or not name.startswith(".")):
            yield _going_on(parent + name, is_folder, mark)


def _going_on(path: str, is_folder: bool, mark: str | None) -> str:
    """The mention of a path; a folder's stays open for what is in it."""
    whole = mention_of(path)
    quote = mark or (whole[6] if whole[6] in "\"'" else "")
    return f"@file:{quote}{path}/" if is_folder else f"@file:{quote}{path}{quote}"
