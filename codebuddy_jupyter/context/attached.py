"""Files that a prompt names: found, read within limits, and turned into text.

A large file is never read whole.
"""

from __future__ import annotations

import codecs
import difflib
import os
import stat
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ..errors import PromptError, Remedy
from ..messages import Image
from . import tables
from .describe.text import count, size
from .outputs import shorten
from .saved import NotebookFiles, Unreadable

# Of a file's text in the prompt.
FILE_CHARACTERS = 8_000
FILE_LINES = 1_000
# Of a longer text only the ends are read, of a longer table the beginning.
MAX_READ_BYTES = 1_000_000
# Of a table whose rows are counted.
MAX_COUNTED_BYTES = 5_000_000
MAX_IMAGE_BYTES = 5_000_000
# Names of a folder in the prompt.
MAX_LISTED = 100
# Names of a folder that are read.
MAX_SCANNED = 10_000
# Read at each end of a long text.
END_BYTES = 64_000
# How alike a name must be to be suggested, from 0 to 1.
LIKENESS = 0.5

_SEPARATORS: Mapping[str, str] = {".csv": "", ".tsv": "\t", ".tab": "\t"}
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_IMAGE_SIGNATURES: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
_WORKBOOK_SUFFIXES = (".xlsx", ".xls", ".xlsm", ".ods")
# Files of code and prose, which hold no data.
_CODE_SUFFIXES = (".py", ".pyi", ".md", ".rst", ".sql", ".r", ".jl", ".js", ".ts")
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# The bytes within a character of UTF-8.
_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))
_TEXT_BYTES = bytes([8, 9, 10, 12, 13, 27, *range(32, 256)])
# A mention without quotes ends before these.
_QUOTED_CHARACTERS = "\"'`<>|"
_SENTENCE_ENDS = tuple(".,;:!?)]}")
# A device or a pipe that takes the place of a file must not block the kernel.
_NON_BLOCKING = getattr(os, "O_NONBLOCK", 0)


class Attachment(NamedTuple):
    """What a mention adds to a message."""

    text: str
    images: tuple[Image, ...] = ()


def send_as_text(name: str) -> Remedy:
    """Return the remedy for a word with an @ that is not meant as a mention."""
    return Remedy(f"Write \\@{name} to send it as text")


def attach_file(target: str, folder: Path | None = None) -> Attachment:
    """Return what is sent of a file.

    That is a text as it is, a table's schema and first rows, a folder's names, or a
    picture.

    Parameters
    ----------
    target
        The path as it was typed. A relative one must stay within the folder, symbolic
        links followed.
    folder
        The notebook's folder; by default the current one.

    Returns
    -------
    Attachment
        The text, of at most about `FILE_CHARACTERS`, and the images.

    Raises
    ------
    PromptError
        When there is no such file (the error names the nearest), or when it cannot or
        must not be attached.
    """
    path = find_file(target, folder)
    try:
        return _attachment(path, target)
    except OSError as error:
        raise _unreadable(target, error) from error


def outline_file(target: str, folder: Path | None = None) -> str:
    """Return what is told of a file where values are not shared.

    That is the text of code, the columns of a table, the sources of a notebook, a
    folder's names; of any other file only its size. Parameters and errors are as for
    `attach_file`.
    """
    path = find_file(target, folder)
    try:
        return _outline(path, target)
    except OSError as error:
        raise _unreadable(target, error) from error


def _unreadable(target: str, error: OSError) -> PromptError:
    reason = error.strerror or type(error).__name__
    return PromptError(f"{target} cannot be read: {reason}.")


def find_file(target: str, folder: Path | None = None) -> Path:
    """Return the file or folder that a path names, symbolic links followed.

    The parameters are as for `attach_file`.

    Raises
    ------
    PromptError
        When there is none, or when a relative path leads out of the notebook's folder.
    """
    try:
        typed = Path(target)
        if target.startswith("~"):
            typed = typed.expanduser()
        root = Path(os.path.realpath(folder or Path.cwd()))
        path = Path(os.path.realpath(root / typed))
        if not typed.is_absolute() and not path.is_relative_to(root):
            mention = mention_of(str(path))
            raise PromptError(
                f"{target} is outside the notebook's folder.",
                Remedy(f"Write its full path to send it anyway: {mention}"),
            )
        path.stat()
    except FileNotFoundError as error:
        raise _missing(target, folder) from error
    except OSError as error:
        raise _unreadable(target, error) from error
    except (RuntimeError, ValueError) as error:
        # There is no such home, or a path cannot have such a character.
        raise PromptError(f"{target!r} is not a path.", send_as_text("file")) from error
    return path


def mention_of(path: str) -> str:
    """Return the mention of a file, in quotes if it would end early without them."""
    if not _needs_quotes(path):
        return f"@file:{path}"
    quote = "'" if '"' in path else '"'
    return f"@file:{quote}{path}{quote}"


def _needs_quotes(path: str) -> bool:
    if path.endswith(_SENTENCE_ENDS):
        return True
    return any(
        character.isspace() or character in _QUOTED_CHARACTERS for character in path
    )


def _missing(target: str, folder: Path | None) -> PromptError:
    """Return the error for a file that does not exist; it names the nearest."""
    try:
        typed = Path(target).expanduser()
        root = folder or Path.cwd()
        names = _names(root / typed.parent)
    except (OSError, RuntimeError):
        return PromptError(
            f"There is no file {target}: its folder does not exist either.",
            send_as_text("file"),
        )
    nearest = difflib.get_close_matches(typed.name, names, n=1, cutoff=LIKENESS)
    remedies = [send_as_text("file")]
    if nearest:
        existing = typed.with_name(nearest[0])
        mention = mention_of(str(existing))
        remedies.insert(0, Remedy(f"Did you mean {mention}?"))
    return PromptError(f"There is no file {target} to attach.", *remedies)


def _names(folder: Path) -> list[str]:
    """Return the names in a folder, those of folders with a slash at their end."""
    names = []
    with os.scandir(folder) as entries:
        for entry in islice(entries, MAX_SCANNED):
            name = entry.name
            if entry.is_dir():
                name = f"{name}/"
            names.append(name)
    return names


def _attachment(path: Path, target: str) -> Attachment:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return Attachment(_listing(path, target))
    if not stat.S_ISREG(status.st_mode):
        raise _not_regular(target)
    suffix = path.suffix.lower()
    title = f"{target}: {size(status.st_size)}"
    if suffix in _IMAGE_SUFFIXES:
        return _image(path, target, title)
    if suffix in _WORKBOOK_SUFFIXES:
        raise PromptError(
            f"{target} is a workbook, which cannot be attached.",
            Remedy(
                f"Load a sheet in a cell, df = pandas.read_excel({target!r}), "
                "and mention @df"
            ),
        )
    if suffix == ".ipynb":
        return Attachment(_notebook(path, target, title))
    table = _table(path, target, suffix, status.st_size)
    if table is not None:
        text = table.text(title)
        return Attachment(_shortened(text))
    return Attachment(f"{title}\n{_text(path, target, status.st_size)}")


def _outline(path: Path, target: str) -> str:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return _listing(path, target)
    if not stat.S_ISREG(status.st_mode):
        raise _not_regular(target)
    suffix = path.suffix.lower()
    title = f"{target}: {size(status.st_size)}"
    if suffix in _CODE_SUFFIXES:
        return f"{title}\n{_text(path, target, status.st_size)}"
    if suffix == ".ipynb":
        return _notebook(path, target, title, with_outputs=False)
    table = _table(path, target, suffix, status.st_size)
    if table is not None:
        text = table.text(title, with_rows=False)
        return _shortened(text)
    return f"{title}, whose content is told only if Buddy.share_values is on"


def _not_regular(target: str) -> PromptError:
    return PromptError(
        f"{target} is not a regular file, so it is not attached: reading it might "
        "never end."
    )


def _shortened(text: str) -> str:
    return shorten(text, FILE_CHARACTERS, FILE_LINES)


def _read(path: Path, limit: int, skip: int = 0) -> bytes:
    """Return at most so many bytes of a file, after those to skip."""

    def open_without_blocking(name: str, flags: int) -> int:
        return os.open(name, flags | _NON_BLOCKING)

    with open(path, "rb", opener=open_without_blocking) as file:
        file.seek(skip)
        return file.read(limit) or b""


def _listing(path: Path, target: str) -> str:
    visible = [name for name in _names(path) if not name.startswith(".")]
    names = sorted(visible, key=str.lower)
    number = count(len(names), "name")
    if len(names) >= MAX_SCANNED:
        number = f"more than {number}"
    lines = [f"{target}: a folder, {number}", *names[:MAX_LISTED]]
    if len(names) > MAX_LISTED:
        lines.append(f"… {len(names) - MAX_LISTED:,} more")
    return "\n".join(lines)


def _image(path: Path, target: str, title: str) -> Attachment:
    data = _read(path, MAX_IMAGE_BYTES + 1)
    if len(data) > MAX_IMAGE_BYTES:
        limit = size(MAX_IMAGE_BYTES)
        raise PromptError(f"{title}, which is too large: an image may have {limit}.")
    for signature, media_type in _IMAGE_SIGNATURES.items():
        if data.startswith(signature):
            image = Image(data, media_type)
            return Attachment(f"{title}, an image ({media_type})", (image,))
    raise PromptError(
        f"{target} is not an image, despite its name, so it is not attached."
    )


def _notebook(path: Path, target: str, title: str, *, with_outputs: bool = True) -> str:
    try:
        cells = NotebookFiles().read(path).cells
    except Unreadable as error:
        raise PromptError(f"{target} cannot be read: {error}.") from error
    lines = [f"{title}, a notebook of {count(len(cells), 'cell')}"]
    for number, cell in enumerate(cells, 1):
        lines.append(f"--- {cell.type} cell {number}")
        lines.append(shorten(cell.source))
        if with_outputs:
            lines += [f"output: {output.text}" for output in cell.outputs]
    return _shortened("\n".join(lines))


def _table(
    path: Path, target: str, suffix: str, file_bytes: int
) -> tables.Table | None:
    """Return the table in a file; None if the file does not hold one."""
    if suffix in tables.COLUMNAR_SUFFIXES:
        return tables.read_columnar(path, target)
    if suffix in _SEPARATORS:
        return _separated(path, _SEPARATORS[suffix], file_bytes)
    return None


def _separated(path: Path, separator: str, file_bytes: int) -> tables.Table | None:
    """Return a table of separated values.

    If the file is small, all of its rows are counted, else only its beginning is read.
    """
    limit = MAX_READ_BYTES
    if file_bytes < MAX_COUNTED_BYTES:
        limit = MAX_COUNTED_BYTES
    data = _read(path, limit)
    size_if_cut = None
    if len(data) < file_bytes:
        size_if_cut = file_bytes
        last_line_end = data.rfind(b"\n")
        data = data[: last_line_end + 1]
    text = _decoded(data)
    if text is None:
        return None
    return tables.read_separated(text, separator, size_if_cut)


def _text(path: Path, target: str, file_bytes: int) -> str:
    data = _read(path, MAX_READ_BYTES + 1)
    is_whole = len(data) <= MAX_READ_BYTES
    if is_whole:
        head = _decoded(data)
    else:
        head = _decoded(data[:END_BYTES], is_cut=True)
    if head is None:
        raise PromptError(
            f"{target} is not text, so it is not attached.",
            Remedy("Load it in a cell and mention the variable that holds it"),
        )
    if is_whole:
        return _shortened(head)
    end_start = max(0, file_bytes - END_BYTES)
    end = _read(path, END_BYTES, skip=end_start)
    tail = _decoded(end, is_cut=True) or ""
    half = FILE_CHARACTERS // 2
    length = max(file_bytes, len(data))
    left_out = size(length - FILE_CHARACTERS)
    return f"{head[:half]}\n[about {left_out} left out]\n{tail[-half:]}"


def _decoded(data: bytes, is_cut: bool = False) -> str | None:
    """Return the text of these bytes, or None if they are not text.

    Parameters
    ----------
    data
        The bytes.
    is_cut
        Whether they are a piece that may begin and end within a character.
    """
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            text = data.decode(encoding, "replace")
            return _with_newlines(text)
    beginning = data[:END_BYTES]
    strange_bytes = len(beginning.translate(None, _TEXT_BYTES))
    if b"\0" in data or strange_bytes > len(beginning) // 50:
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    complete = data
    if is_cut:
        start = data[:4].lstrip(_CONTINUATION_BYTES)
        complete = start + data[4:]
    try:
        text = decoder.decode(complete, final=not is_cut)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return _with_newlines(text)


def _with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
