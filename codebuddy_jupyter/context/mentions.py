"""Mentions:

``@df``, ``@In[3]``, ``@Out[3]``, ``@error``, ``@plot`` and ``@file:path`` in a prompt
name what to attach.

They are looked for in the prompt as it was typed, never in what ``{name}`` put into it:
a value must not attach a file.
"""

from __future__ import annotations

import difflib
import io
import re
import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Literal, Protocol

from ..errors import PromptError
from ..messages import Image
from .attached import LARGEST_IMAGE, attach_file
from .describe.text import size
from .items import Cell, Item, Notebook

Kind = Literal["name", "in", "out", "error", "file", "plot"]

# pixels of a figure that is drawn for the model
WIDEST, HIGHEST = 1024, 2048
# of cell numbers, in a message
MOST_RANGES = 6
# names, when the nearest is looked for
MOST_COMPARED = 5_000


@dataclass(frozen=True)
class Mention:
    """Something that a prompt names: its kind, which one, and where it stands in the
    prompt.

    ``target`` is the variable, the number of the cell, or the path; empty for the error
    and the plot.
    """

    kind: Kind
    target: str
    start: int
    end: int


class Failed(Protocol):
    """What is asked of the last error."""

    @property
    def text(self) -> str:
        """The error as text."""


class Known(Protocol):
    """What is asked of the session."""

    def names(self) -> Mapping[str, Any]:
        """The user's variables."""

    def notebook(self) -> Notebook:
        """The notebook as it was found."""

    def failure(self) -> Failed | None:
        """The last error."""

    def input_of(self, number: int) -> str | None:
        """The source that was run as ``In[number]``."""

    def has_output(self, number: int) -> bool:
        """Whether ``Out[number]`` is there."""

    def output_of(self, number: int) -> Any:
        """The value of ``Out[number]``."""

    def figure(self) -> Image | None:
        """The last picture that a cell displayed."""


class Describing(Protocol):
    """What is asked of the describers."""

    def values(self, thing: object) -> str:
        """A value as text, trimmed."""


_MENTION = re.compile(
    r"""(?<![\w@\\.)\]])@(?:
        (?P<kind>In|Out)\[(?P<number>\d{1,9})\]
      | file:(?:"(?P<double>[^"\n]+)"|'(?P<single>[^'\n]+)'|(?P<path>[^\s"'`<>|]+))
      | (?P<name>[^\W\d]\w*)
    )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"(?<!\\)\\(?=@[^\W\d])")
_SPECIAL: Mapping[str, Kind] = {"error": "error", "plot": "plot"}


def find_mentions(prompt: str) -> list[Mention]:
    r"""The mentions of a prompt as it was typed, in its order.

    No mentions are e-mail addresses, ``A @ B``, ``\@df``, decorators of pasted code,
    and whatever stands in backticks, in a fence or in an indented code block.
    ``@df.price`` and ``@df["price"]`` mention ``df``. ``@error``, ``@plot`` and
    ``@file:`` mean the error, the plot and a file even where variables have these
    names.
    """
    return [_mention(match) for match in _MENTION.finditer(_prose(prompt))]


def unescaped(prompt: str) -> str:
    r"""The prompt as it is sent:

    ``\@df`` becomes ``@df``; mentions stay as they were typed.
    """
    pieces, end = [], 0
    for match in _ESCAPED.finditer(_prose(prompt)):
        pieces.append(prompt[end : match.start()])
        end = match.end()
    return "".join([*pieces, prompt[end:]])


def resolve(
    mentions: Iterable[Mention], session: Known, describers: Describing
) -> list[Item]:
    """What the mentions name, one item for each thing, in the order in which they were
    typed.

    Raises
    ------
    PromptError
        When there is no such thing, or it cannot be attached; the line names the
        nearest.
    """
    sources = _Sources(session, describers)
    once = {
        (mention.kind, mention.target): mention for mention in reversed(list(mentions))
    }
    wanted = sorted(once.values(), key=lambda mention: mention.start)
    return [_item(mention, sources, place) for place, mention in enumerate(wanted)]


def _mention(match: re.Match[str]) -> Mention:
    start, end = match.span()
    if match["kind"]:
        return Mention(
            "in" if match["kind"] == "In" else "out",
            str(int(match["number"])),
            start,
            end,
        )
    if match["path"]:
        path = _without_punctuation(match["path"])
        return Mention("file", path, start, end - len(match["path"]) + len(path))
    if quoted := match["double"] or match["single"]:
        return Mention("file", quoted, start, end)
    kind = _SPECIAL.get(match["name"], "name")
    return Mention(kind, match["name"] if kind == "name" else "", start, end)


def _without_punctuation(path: str) -> str:
    """A path without what ends the sentence around it; ``.`` and ``..`` are folders."""
    while path[-1] in ".,;:!?)]}" and path.strip("./\\"):
        if path[-1] in ")]}" and path.count("([{"[")]}".index(path[-1])]) >= path.count(
            path[-1]
        ):
            break
        path = path[:-1]
    return path


_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE = re.compile(
    r"[ \t]*(?P<mark>`{3,}(?=[^`\n]*$)|~{3,})(?P<info>[^\n]*)$", re.MULTILINE
)
_INDENTED = re.compile(r" {0,3}\t| {4}")
_LISTED = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])\s")
# Bounded repeats keep this linear; a longer decorator can be put into a fence.
_DECORATOR = r"""@[\w.]{1,200}+(?:\((?:[^()]|\([^()]{0,200}\)){0,400}+\))?[ \t]*(?:\#[^\n]{0,200})?\n"""
_DECORATED = re.compile(
    rf"""^[ \t]*{_DECORATOR}(?:[ \t]*(?:{_DECORATOR}|\#[^\n]{{0,200}}\n)){{0,20}}+"""
    r"""[ \t]*(?:async[ \t]+def|def|class)\b""",
    re.MULTILINE,
)


def _prose(prompt: str) -> str:
    """The prompt with code blanked out, every character at its place."""
    if "@" not in prompt:
        return ""
    code = [*_code(prompt), *(match.span() for match in _DECORATED.finditer(prompt))]
    pieces, end = [], 0
    for start, stop in sorted(code):
        start, stop = max(start, end), max(stop, end)
        pieces += [prompt[end:start], " " * (stop - start)]
        end = stop
    return "".join([*pieces, prompt[end:]])


def _code(prompt: str) -> Iterator[tuple[int, int]]:
    """Where code stands, as Markdown reads it: fences, indented blocks, and backticks
    within a paragraph.
    """
    fence, paragraph, after_gap, in_list = "", 0, True, False
    for line in _LINE.finditer(prompt):
        (start, end), text = line.span(), line[0]
        mark = _FENCE.match(text)
        if fence:
            yield start, end
            if mark and mark["mark"].startswith(fence) and not mark["info"].strip():
                fence = ""
            paragraph, after_gap = end, True
        elif mark:
            yield from _backticked(prompt, paragraph, start)
            yield start, end
            fence, paragraph = mark["mark"], end
        elif not text.strip():
            yield from _backticked(prompt, paragraph, start)
            paragraph, after_gap = end, True
        elif _INDENTED.match(text) and after_gap and not in_list:
            yield start, end
            paragraph = end
        else:
            if not _INDENTED.match(text):
                in_list = bool(_LISTED.match(text))
            after_gap = False
    yield from _backticked(prompt, paragraph, len(prompt))


def _backticked(prompt: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    runs = list(re.compile("`+").finditer(prompt, start, end))
    places = defaultdict(list)
    for place, run in enumerate(runs):
        places[len(run[0])].append(place)
    at = 0
    while at < len(runs):
        same = places[len(runs[at][0])]
        following = bisect_right(same, at)
        if following == len(same):
            at += 1
            continue
        yield runs[at].start(), runs[same[following]].end()
        at = same[following] + 1


@dataclass
class _Sources:
    session: Known
    describers: Describing

    @cached_property
    def notebook(self) -> Notebook:
        """The notebook, found when a mention first needs it."""
        return self.session.notebook()

    @cached_property
    def ran(self) -> Mapping[int, Cell]:
        """The cells that ran, by their numbers."""
        return {
            cell.number: cell for cell in self.notebook.cells if cell.number is not None
        }


_Found = tuple[str, tuple[Image, ...]]


def _item(mention: Mention, sources: _Sources, place: int) -> Item:
    text, images = _FINDERS[mention.kind](mention.target, sources)
    title = _as_typed(mention)
    return Item(
        f"mention:{title[1:]}",
        "mentions",
        title,
        text,
        position=(place,),
        images=images,
    )


def _as_typed(mention: Mention) -> str:
    if mention.kind in ("in", "out"):
        return f"@{mention.kind.title()}[{mention.target}]"
    return (
        f"@file:{mention.target}"
        if mention.kind == "file"
        else f"@{mention.target or mention.kind}"
    )


def _variable(name: str, sources: _Sources) -> _Found:
    names = sources.session.names()
    if name in names:
        return sources.describers.values(names[name]), ()
    if name in _INCOMPLETE:
        raise PromptError(
            f"@{name} needs to know which: {_INCOMPLETE[name]}. Write "
            f"\\@{name} to send it as it stands."
        )
    near = difflib.get_close_matches(
        name, [*_SPECIAL, *islice(names, MOST_COMPARED)], n=1, cutoff=0.5
    )
    hint = f": did you mean @{near[0]}?" if near else "."
    raise PromptError(
        f"There is no {name} to attach{hint} Write \\@{name} to send it as it stands."
    )


_INCOMPLETE = {"In": "@In[3]", "Out": "@Out[3]", "file": "@file:data.csv"}


def _input(number: str, sources: _Sources) -> _Found:
    cell = sources.ran.get(int(number))
    source = (
        sources.session.input_of(int(number))
        if cell is None
        else cell.source
        if cell.run_source is None
        else cell.run_source
    )
    if source is None:
        raise PromptError(
            f"There is no In[{number}] to attach: {_which('In', sources.ran)}."
        )
    return source, ()


def _output(number: str, sources: _Sources) -> _Found:
    if sources.session.has_output(int(number)):
        return sources.describers.values(sources.session.output_of(int(number))), ()
    cell = sources.ran.get(int(number))
    if cell is not None and cell.outputs:
        return "\n".join(output.text for output in cell.outputs), ()
    there = [
        one
        for one, cell in sources.ran.items()
        if cell.outputs or sources.session.has_output(one)
    ]
    raise PromptError(f"There is no Out[{number}] to attach: {_which('Out', there)}.")


def _which(kind: str, numbers: Iterable[int]) -> str:
    """The numbers that there are, as ranges, the latest last."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    if not ranges:
        return (
            "no cell of yours has run in this kernel yet"
            if kind == "In"
            else "no cell has an output yet"
        )
    shown = [
        f"{kind}[{a}]" if a == b else f"{kind}[{a}] to {kind}[{b}]"
        for a, b in ranges[-MOST_RANGES:]
    ]
    earlier = ["…"] if len(ranges) > MOST_RANGES else []
    return (
        f"there {'is' if ranges == [[number, number]] else 'are'} "
        f"{', '.join([*earlier, *shown])}"
    )


def _error(target: str, sources: _Sources) -> _Found:
    failure = sources.session.failure()
    if failure is None:
        raise PromptError(
            "There is no error to attach: nothing has failed since the last success. "
            "Write \\@error to send it as it stands."
        )
    return failure.text, ()


def _file(path: str, sources: _Sources) -> _Found:
    return attach_file(path, sources.notebook.folder)


def _plot(target: str, sources: _Sources) -> _Found:
    image = sources.session.figure() or _open_figure()
    if image is None:
        raise PromptError(
            "There is no figure to attach: no cell has displayed a picture, "
            "and no matplotlib figure is open. "
            "Write \\@plot to send it as it stands."
        )
    if len(image.data) > LARGEST_IMAGE:
        raise PromptError(
            f"The figure is too large to attach: {size(len(image.data))}, of "
            f"at most {size(LARGEST_IMAGE)}."
        )
    return (
        f"The last figure, as an image ({image.media_type}, {size(len(image.data))}).",
        (image,),
    )


def _open_figure() -> Image | None:
    """The matplotlib figure that is open, drawn; the user named it, so drawing is what
    they ask for.
    """
    open_ones: Any = getattr(sys.modules.get("matplotlib._pylab_helpers"), "Gcf", None)
    active = open_ones.get_active() if open_ones is not None else None
    if active is None:
        return None
    figure, buffer = active.canvas.figure, io.BytesIO()
    try:
        width, height = figure.get_size_inches()
        figure.savefig(
            buffer, format="png", dpi=min(figure.dpi, WIDEST / width, HIGHEST / height)
        )
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise PromptError(
            f"The figure cannot be drawn: {type(error).__name__}. Show it in a cell first."
        ) from error
    return Image(buffer.getvalue(), "image/png")


_FINDERS: Mapping[Kind, Callable[[str, _Sources], _Found]] = {
    "name": _variable,
    "in": _input,
    "out": _output,
    "error": _error,
    "file": _file,
    "plot": _plot,
}
