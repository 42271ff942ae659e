"""Files that a prompt names: found, read within bounds, and put as text.

It never reads a large file whole.
"""

from __future__ import annotations

import codecs
import difflib
import os
import stat
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from ..errors import PromptError
from ..messages import Image
from . import tables
from .describe.text import count, size
from .outputs import shorten
from .saved import NotebookFiles, Unreadable

# of a file's text in the prompt
MOST_CHARACTERS = 8_000
MOST_LINES = 1_000
# bytes; of a longer text only the ends are read, of a longer table the beginning
MOST_READ = 1_000_000
# bytes of a table whose rows are counted
MOST_COUNTED = 5_000_000
# bytes
LARGEST_IMAGE = 5_000_000
# names of a folder in the prompt
MOST_LISTED = 100
# names of a folder that are looked at
MOST_SCANNED = 10_000

# bytes read at each end of a long text
_END = 64_000
_Attached = tuple[str, tuple[Image, ...]]
_SEPARATORS: Mapping[str, str] = {".csv": "", ".tsv": "\t", ".tab": "\t"}
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_STARTS: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods")
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# within a character of UTF-8
_CONTINUED = bytes(range(0x80, 0xC0))
_IN_TEXT = bytes([8, 9, 10, 12, 13, 27, *range(32, 256)])
# A device or a pipe that takes a file's place must not hold the kernel.
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)


def attach_file(target: str, folder: Path | None = None) -> _Attached:
    """What is told of a file: text as it is, a table's schema and head, a folder's
    names; a picture as an image.

    Parameters
    ----------
    target
        The path as it was typed. A relative one must stay within the folder, symbolic
        links followed.
    folder
        The notebook's folder; by default the current one.

    Returns
    -------
    tuple
        The text, of at most about ``MOST_CHARACTERS`` characters, and the images.

    Raises
    ------
    PromptError
        When there is no such file (it names the nearest), or it cannot or must not be
        attached.
    """
    path = find_file(target, folder)
    try:
        return _attached(path, target)
    except OSError as error:
        raise PromptError(
            f"{target} cannot be read: {error.strerror or type(error).__name__}."
        ) from error


def find_file(target: str, folder: Path | None = None) -> Path:
    """The file or folder that a path names, symbolic links followed.

    Raises
    ------
    PromptError
        When there is none, or a relative path leads out of the notebook's folder.
    """
    try:
        typed = Path(target).expanduser() if target.startswith("~") else Path(target)
        root = Path(os.path.realpath(folder or Path.cwd()))
        path = Path(os.path.realpath(root / typed))
        if not typed.is_absolute() and not path.is_relative_to(root):
            raise PromptError(
                f"{target} is outside the notebook's folder. To send it all "
                "the same, spell out where it is: "
                f"{mention_of(str(path))}"
            )
        path.stat()
    except FileNotFoundError as error:
        raise PromptError(_missing(target, folder)) from error
    except OSError as error:
        raise PromptError(
            f"{target} cannot be read: {error.strerror or type(error).__name__}."
        ) from error
    except (RuntimeError, ValueError) as error:
        # no such home, or a character that no path has
        raise PromptError(
            f"{target!r} is not a path. Write \\@file to send it as it stands."
        ) from error
    return path


def mention_of(path: str) -> str:
    """How a file is mentioned: in quotes where its path holds what would end it."""
    plain = not any(character.isspace() or character in "\"'`<>|" for character in path)
    if plain and path[-1:] not in (*".,;:!?)]}",):
        return f"@file:{path}"
    mark = "'" if '"' in path else '"'
    return f"@file:{mark}{path}{mark}"


def _missing(target: str, folder: Path | None) -> str:
    try:
        typed = Path(target).expanduser()
        parent = (folder or Path.cwd()) / typed.parent
        near = difflib.get_close_matches(
            typed.name, islice(_names(parent), MOST_SCANNED), n=1, cutoff=0.5
        )
    except (OSError, RuntimeError):
        return (
            f"There is no file {target}: its folder is not there either. Write "
            "\\@file to send it as it stands."
        )
    hint = (
        f": did you mean {mention_of(str(typed.with_name(near[0])))}?" if near else "."
    )
    return f"There is no file {target} to attach{hint} Write \\@file to send it as it stands."


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [
            entry.name + "/" * entry.is_dir() for entry in islice(entries, MOST_SCANNED)
        ]


def _attached(path: Path, target: str) -> _Attached:
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        return _listing(path, target), ()
    if not stat.S_ISREG(found.st_mode):
        raise PromptError(
            f"{target} is not a regular file, and reading it could wait "
            "forever: it is not attached."
        )
    ending, title = path.suffix.lower(), f"{target}: {size(found.st_size)}"
    if ending in _IMAGES:
        return _image(path, target, title)
    if ending in _WORKBOOKS:
        raise PromptError(
            f"{target} is a workbook, which is not read here. Load a sheet in a cell, "
            f"df = pandas.read_excel({target!r}), and mention @df."
        )
    if ending in tables.COLUMNAR:
        return shorten(
            tables.read_columnar(path, target).text(title), MOST_CHARACTERS, MOST_LINES
        ), ()
    if ending == ".ipynb":
        return _notebook(path, target, title), ()
    if (
        ending in _SEPARATORS
        and (table := _separated(path, _SEPARATORS[ending], found.st_size)) is not None
    ):
        return shorten(table.text(title), MOST_CHARACTERS, MOST_LINES), ()
    return f"{title}\n{_text(path, target, found.st_size)}", ()


def _read(path: Path, most: int, skip: int = 0) -> bytes:
    with open(
        path, "rb", opener=lambda name, flags: os.open(name, flags | _WITHOUT_WAITING)
    ) as file:
        file.seek(skip)
        return file.read(most) or b""


def _listing(path: Path, target: str) -> str:
    names = sorted(
        (name for name in _names(path) if not name.startswith(".")),
        key=lambda name: name.lower(),
    )
    many = f"{'more than ' * (len(names) >= MOST_SCANNED)}{count(len(names), 'name')}"
    more = [f"… {len(names) - MOST_LISTED:,} more"] if len(names) > MOST_LISTED else []
    return "\n".join([f"{target}: a folder, {many}", *names[:MOST_LISTED], *more])


def _image(path: Path, target: str, title: str) -> _Attached:
    data = _read(path, LARGEST_IMAGE + 1)
    if len(data) > LARGEST_IMAGE:
        raise PromptError(
            f"{title}, which is too large: an image may have {size(LARGEST_IMAGE)}."
        )
    for start, kind in _STARTS.items():
        if data.startswith(start):
            return f"{title}, an image ({kind})", (Image(data, kind),)
    raise PromptError(
        f"{target} is not an image, whatever its name says: it is not attached."
    )


def _notebook(path: Path, target: str, title: str) -> str:
    try:
        cells = NotebookFiles().read(path).cells
    except Unreadable as error:
        raise PromptError(f"{target} cannot be read: {error}.") from error
    texts = [f"{title}, a notebook of {count(len(cells), 'cell')}"]
    for number, cell in enumerate(cells, 1):
        outputs = [f"output: {output.text}" for output in cell.outputs]
        texts.append(
            "\n".join(
                [f"--- {cell.type} cell {number}", shorten(cell.source), *outputs]
            )
        )
    return shorten("\n".join(texts), MOST_CHARACTERS, MOST_LINES)


def _separated(path: Path, separator: str, whole: int) -> tables.Table | None:
    """A table of separated values: all of its rows counted where it is small, else its
    beginning looked at.
    """
    data = _read(path, MOST_COUNTED if whole < MOST_COUNTED else MOST_READ)
    begins = len(data) < whole
    text = _decoded(data[: data.rfind(b"\n") + 1] if begins else data)
    return (
        None
        if text is None
        else tables.read_separated(text, separator, whole if begins else None)
    )


def _text(path: Path, target: str, whole: int) -> str:
    data = _read(path, MOST_READ + 1)
    is_whole = len(data) <= MOST_READ
    head = _decoded(data) if is_whole else _decoded(data[:_END], cut=True)
    if head is None:
        raise PromptError(
            f"{target} is not text, so it is not attached. Load it in a cell, "
            "and mention the variable that holds it."
        )
    if is_whole:
        return shorten(head, MOST_CHARACTERS, MOST_LINES)
    tail = _decoded(_read(path, _END, max(0, whole - _END)), cut=True) or ""
    half = MOST_CHARACTERS // 2
    left_out = f"[about {size(max(whole, len(data)) - MOST_CHARACTERS)} left out]"
    return f"{head[:half]}\n{left_out}\n{tail[-half:]}"


def _decoded(data: bytes, cut: bool = False) -> str | None:
    """The text that these bytes are, where ``cut`` a piece from some place in it; None
    where they are no text.
    """
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return _with_newlines(data.decode(encoding, "replace"))
    strange = len(data[:_END].translate(None, _IN_TEXT))
    if b"\0" in data or strange > len(data[:_END]) // 50:
        return None
    try:
        whole = data[:4].lstrip(_CONTINUED) + data[4:] if cut else data
        return _with_newlines(
            codecs.getincrementaldecoder("utf-8")().decode(whole, final=not cut)
        )
    except UnicodeDecodeError:
        return _with_newlines(data.decode("latin-1"))


def _with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
