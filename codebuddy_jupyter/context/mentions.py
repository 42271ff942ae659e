"""Mentions: what a prompt attaches by name.

``@df``, ``@In[3]``, ``@Out[3]``, ``@error``, ``@plot``, ``@file:path`` and
``@pkg:pandas.merge`` are mentions.
They are looked for in the prompt as it was typed, never in what ``{name}`` put into it:
a value must not attach a file.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Literal, Protocol

from ..errors import PromptError, Remedy, did_you_mean
from ..messages import Image
from .attached import MAX_IMAGE_BYTES, Attachment, attach_file, send_as_text
from .describe.text import size
from .inspection.package_text import NotFound, package_text
from .items import Cell, Item, Notebook
from .prose import blank_code

Kind = Literal["name", "in", "out", "error", "file", "plot", "pkg"]

# Pixels of a figure that is drawn for the model.
MAX_FIGURE_WIDTH = 1024
MAX_FIGURE_HEIGHT = 2048
# Ranges of cell numbers in an error.
MAX_RANGES = 6
# Names among which the nearest is looked for.
MAX_COMPARED = 5_000


@dataclass(frozen=True)
class Mention:
    """Something that a prompt names, and where it is in the prompt.

    ``target`` is the variable, the number of the cell, or the path; it is empty for the
    error and the plot.
    """

    kind: Kind
    target: str
    start: int
    end: int


class ErrorText(Protocol):
    """What a mention needs of the last error."""

    @property
    def text(self) -> str:
        """The error as text."""


class MentionSource(Protocol):
    """What mentions need of the session."""

    def names(self) -> Mapping[str, Any]:
        """Return the user's variables."""

    def notebook(self) -> Notebook:
        """Return the notebook as it was found."""

    def failure(self) -> ErrorText | None:
        """Return the last error."""

    def input_of(self, number: int) -> str | None:
        """Return the source that was run as ``In[number]``."""

    def has_output(self, number: int) -> bool:
        """Return whether ``Out[number]`` exists."""

    def output_of(self, number: int) -> Any:
        """Return the value of ``Out[number]``."""

    def figure(self) -> Image | None:
        """Return the last picture that a cell displayed."""


class ValueDescriber(Protocol):
    """What mentions need of the describers."""

    def values(self, value: object) -> str:
        """Return a value as text, trimmed."""


_MENTION = re.compile(
    r"""(?<![\w@\\.)\]])@(?:
        (?P<kind>In|Out)\[(?P<number>\d{1,9})\]
      | pkg:(?P<package>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
      | file:(?:"(?P<double>[^"\n]+)"|'(?P<single>[^'\n]+)'|(?P<path>[^\s"'`<>|]+))
      | (?P<name>[^\W\d]\w*)
    )""",
    re.VERBOSE,
)
_ESCAPED_MENTION = re.compile(r"(?<!\\)\\(?=@[^\W\d])")
_SPECIAL_NAMES: Mapping[str, Kind] = {"error": "error", "plot": "plot"}


def find_mentions(prompt: str) -> list[Mention]:
    r"""Return the mentions of a prompt as it was typed, in its order.

    E-mail addresses, ``A @ B``, ``\@df``, decorators of pasted code, and all that is in
    backticks, in a fence or in an indented code block are not mentions. ``@df.price``
    and ``@df["price"]`` mention ``df``. ``@error``, ``@plot`` and ``@file:`` mean the
    error, the plot and a file even where variables have these names.
    """
    matches = _MENTION.finditer(_prose(prompt))
    return [_mention(match) for match in matches]


def unescaped(prompt: str) -> str:
    r"""Return the prompt as it is sent, with ``@df`` for ``\@df``.

    Mentions stay as they were typed.
    """
    pieces = []
    end = 0
    for match in _ESCAPED_MENTION.finditer(_prose(prompt)):
        pieces.append(prompt[end : match.start()])
        end = match.end()
    pieces.append(prompt[end:])
    return "".join(pieces)


def _prose(prompt: str) -> str:
    """Return the prompt with spaces for its code, every other character at its place."""
    # Most prompts have no mention, and need not be read.
    if "@" not in prompt:
        return ""
    return blank_code(prompt)


def resolve(
    mentions: Iterable[Mention], session: MentionSource, describers: ValueDescriber
) -> list[Item]:
    """Return what the mentions attach, in the order in which they were typed.

    What is mentioned twice is attached once.

    Raises
    ------
    PromptError
        When something does not exist (the error names the nearest), or when it cannot
        be attached.
    """
    sources = _Sources(session, describers)
    first: dict[tuple[Kind, str], Mention] = {}
    for mention in mentions:
        key = (mention.kind, mention.target)
        first.setdefault(key, mention)
    wanted = sorted(first.values(), key=lambda mention: mention.start)
    return [_item(mention, sources, index) for index, mention in enumerate(wanted)]


def _mention(match: re.Match[str]) -> Mention:
    start, end = match.span()
    if match["kind"]:
        kind: Kind = "in" if match["kind"] == "In" else "out"
        return Mention(kind, str(int(match["number"])), start, end)
    if match["package"]:
        return Mention("pkg", match["package"], start, end)
    if match["path"]:
        path = _without_punctuation(match["path"])
        punctuation = len(match["path"]) - len(path)
        return Mention("file", path, start, end - punctuation)
    quoted = match["double"] or match["single"]
    if quoted:
        return Mention("file", quoted, start, end)
    name = match["name"]
    if name in _SPECIAL_NAMES:
        return Mention(_SPECIAL_NAMES[name], "", start, end)
    return Mention("name", name, start, end)


_BRACKETS = {")": "(", "]": "[", "}": "{"}


def _without_punctuation(path: str) -> str:
    """Return a path without what ends the sentence around it."""
    # A path of dots and slashes alone, such as "..", is a folder.
    while path[-1] in ".,;:!?)]}" and path.strip("./\\"):
        last = path[-1]
        if last in _BRACKETS and path.count(_BRACKETS[last]) >= path.count(last):
            break
        path = path[:-1]
    return path


@dataclass
class _Sources:
    """Where the values of mentions come from."""

    session: MentionSource
    describers: ValueDescriber

    @cached_property
    def notebook(self) -> Notebook:
        """The notebook, read when a mention first needs it."""
        return self.session.notebook()

    @cached_property
    def run_cells(self) -> Mapping[int, Cell]:
        """The cells that have run, by their numbers."""
        cells = self.notebook.cells
        return {cell.number: cell for cell in cells if cell.number is not None}


def _item(mention: Mention, sources: _Sources, index: int) -> Item:
    find = _FINDERS[mention.kind]
    attachment = find(mention.target, sources)
    name = _name(mention)
    return Item(
        f"mention:{name}",
        "mentions",
        f"@{name}",
        attachment.text,
        position=(index,),
        images=attachment.images,
    )


def _name(mention: Mention) -> str:
    if mention.kind in ("in", "out"):
        return f"{mention.kind.title()}[{mention.target}]"
    if mention.kind in ("file", "pkg"):
        return f"{mention.kind}:{mention.target}"
    return mention.target or mention.kind


_INCOMPLETE = {
    "In": "@In[3]",
    "Out": "@Out[3]",
    "file": "@file:data.csv",
    "pkg": "@pkg:pandas.merge",
}


def _variable(name: str, sources: _Sources) -> Attachment:
    names = sources.session.names()
    if name in names:
        return Attachment(sources.describers.values(names[name]))
    if name in _INCOMPLETE:
        raise PromptError(
            f"@{name} is incomplete.",
            Remedy(f"Say which one, as in {_INCOMPLETE[name]}"),
            send_as_text(name),
        )
    candidates = [*_SPECIAL_NAMES, *islice(names, MAX_COMPARED)]
    suggestion = did_you_mean(name, candidates, prefix="@")
    remedies = [suggestion] if suggestion else []
    raise PromptError(f"There is no {name} to attach.", *remedies, send_as_text(name))


def _input(number: str, sources: _Sources) -> Attachment:
    cell = sources.run_cells.get(int(number))
    if cell is None:
        source = sources.session.input_of(int(number))
    elif cell.run_source is None:
        source = cell.source
    else:
        source = cell.run_source
    if source is None:
        numbers = list(sources.run_cells)
        reason = "no cell of yours has run in this kernel yet"
        if numbers:
            reason = _existing("In", numbers)
        raise PromptError(f"There is no In[{number}] to attach: {reason}.")
    return Attachment(source)


def _output(number: str, sources: _Sources) -> Attachment:
    session = sources.session
    if session.has_output(int(number)):
        value = session.output_of(int(number))
        return Attachment(sources.describers.values(value))
    cell = sources.run_cells.get(int(number))
    if cell is not None and cell.outputs:
        texts = [output.text for output in cell.outputs]
        return Attachment("\n".join(texts))
    numbers = []
    for other, cell in sources.run_cells.items():
        if cell.outputs or session.has_output(other):
            numbers.append(other)
    reason = "no cell has an output yet"
    if numbers:
        reason = _existing("Out", numbers)
    raise PromptError(f"There is no Out[{number}] to attach: {reason}.")


def _existing(kind: str, numbers: Iterable[int]) -> str:
    """Return which numbers there are: ``there are In[1] to In[3], In[5]``."""
    ranges: list[list[int]] = []
    ordered = sorted(numbers)
    for number in ordered:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    parts = []
    if len(ranges) > MAX_RANGES:
        parts.append("…")
    for first, last in ranges[-MAX_RANGES:]:
        part = f"{kind}[{first}]"
        if first != last:
            part = f"{part} to {kind}[{last}]"
        parts.append(part)
    verb = "is" if len(ordered) == 1 else "are"
    return f"there {verb} {', '.join(parts)}"


def _error(target: str, sources: _Sources) -> Attachment:
    failure = sources.session.failure()
    if failure is None:
        raise PromptError(
            "There is no recent error to attach.",
            send_as_text("error"),
        )
    return Attachment(failure.text)


def _file(path: str, sources: _Sources) -> Attachment:
    return attach_file(path, sources.notebook.folder)


def _package(target: str, sources: _Sources) -> Attachment:
    try:
        return Attachment(package_text(target, sources.session.names()))
    except NotFound as missing:
        raise _not_found(target, missing) from missing


def _not_found(target: str, missing: NotFound) -> PromptError:
    """Return the error for a dotted name that leads to nothing; it names the nearest."""
    candidates = islice(missing.candidates, MAX_COMPARED)
    owner = f"{missing.owner}." if missing.owner else ""
    suggestion = did_you_mean(missing.name, candidates, prefix=f"@pkg:{owner}")
    remedies = [suggestion] if suggestion else []
    if missing.owner:
        what = f"There is no {missing.name} in {missing.owner} to attach."
    else:
        what = f"{missing.name} is not imported in this kernel, so it is not looked at."
        remedies.append(Remedy("Import it in a cell first", f"import {missing.name}"))
    return PromptError(what, *remedies, send_as_text("pkg"))


def _plot(target: str, sources: _Sources) -> Attachment:
    image = sources.session.figure() or _open_figure()
    if image is None:
        raise PromptError(
            "There is no figure to attach: no cell has displayed a picture, "
            "and no matplotlib figure is open.",
            send_as_text("plot"),
        )
    image_size = size(len(image.data))
    if len(image.data) > MAX_IMAGE_BYTES:
        limit = size(MAX_IMAGE_BYTES)
        raise PromptError(
            f"The figure is too large to attach: {image_size}, of at most {limit}."
        )
    text = f"The last figure, as an image ({image.media_type}, {image_size})."
    return Attachment(text, (image,))


def _open_figure() -> Image | None:
    """Draw the matplotlib figure that is open, if there is one.

    Drawing runs code of the user's figure; they named the figure to have it drawn.
    """
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    managers: Any = getattr(helpers, "Gcf", None)
    if managers is None:
        return None
    active = managers.get_active()
    if active is None:
        return None
    figure = active.canvas.figure
    buffer = io.BytesIO()
    try:
        width, height = figure.get_size_inches()
        dpi = min(figure.dpi, MAX_FIGURE_WIDTH / width, MAX_FIGURE_HEIGHT / height)
        figure.savefig(buffer, format="png", dpi=dpi)
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
            f"The figure cannot be drawn: {type(error).__name__}.",
            Remedy("Show it in a cell first"),
        ) from error
    return Image(buffer.getvalue(), "image/png")


_FINDERS: Mapping[Kind, Callable[[str, _Sources], Attachment]] = {
    "name": _variable,
    "in": _input,
    "out": _output,
    "error": _error,
    "file": _file,
    "plot": _plot,
    "pkg": _package,
}
