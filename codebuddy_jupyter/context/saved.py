"""The notebook as its file holds it.

The file is read as JSON, with its outputs shortened, and read again only when it has
changed. A text that Jupytext opens as a notebook is read by Jupytext, if the user has
it; such a file holds no outputs.
"""

from __future__ import annotations

import importlib
import json
import os
import stat
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from .items import Output
from .outputs import saved_outputs
from .pictures import Picture, picture_in, text_in

LARGEST_FILE_BYTES = 50_000_000
# Notebooks that are kept in memory.
MAX_FILES = 2
# Notebooks that are searched for one that was renamed.
MAX_SIBLINGS = 20
LARGEST_SIBLING_BYTES = 5_000_000

# Texts that Jupytext opens as notebooks; not .qmd, for which it starts a program.
TEXT_SUFFIXES = (".py", ".md", ".markdown", ".rmd", ".myst")
NOTEBOOK_SUFFIXES = (".ipynb", *TEXT_SUFFIXES)

# How Jupyter and VS Code lay out a file: each cell begins with this line, as they sort
# its fields.
_CELL_HEAD = b'  {\n   "cell_type": '
_FIRST_CELL = b'{\n "cells": [\n' + _CELL_HEAD
_NEXT_CELL = b"\n  },\n" + _CELL_HEAD
_LAST_CELL_END = b"\n  }\n ],\n"


class Unreadable(Exception):
    """The notebook cannot be read; the text says why, for the user."""


@dataclass(frozen=True, slots=True)
class SavedCell:
    """A cell as it was saved.

    ``number`` is its execution count, of this kernel or of an earlier one.
    """

    id: str
    type: Literal["code", "markdown"]
    source: str
    number: int | None
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class SavedNotebook:
    """What a notebook held at ``saved_at`` (seconds since the epoch).

    ``picture`` is the one that was displayed last.
    """

    cells: tuple[SavedCell, ...] = ()
    saved_at: float = 0.0
    picture: Picture | None = None


def parse_notebook(data: Any, saved_at: float) -> SavedNotebook:
    """Return the notebook in JSON data of format 4.

    Parameters
    ----------
    data
        The parsed JSON. Parts of it that are malformed are ignored.
    saved_at
        When it was saved, in seconds since the epoch.

    Raises
    ------
    Unreadable
        When it is not a notebook of format 4.
    """
    raw_cells = None
    if isinstance(data, dict):
        raw_cells = data.get("cells")
    if not isinstance(raw_cells, list):
        raise Unreadable("it is not a notebook of format 4")
    parsed = [_parse_cell(raw) for raw in raw_cells]
    return _assembled(parsed, saved_at, raw_cells.__getitem__)


@dataclass(frozen=True, slots=True)
class _ParsedCell:
    """A cell by itself: its id may be another's, too."""

    cell: SavedCell
    has_picture: bool


def _assembled(
    parsed: Sequence[_ParsedCell | None],
    saved_at: float,
    raw_cell: Callable[[int], Any],
) -> SavedNotebook:
    """Put cells together, with unique ids and the picture of the one that ran last.

    ``raw_cell`` returns the JSON of a cell by its index.
    """
    cells: list[SavedCell] = []
    ids: set[str] = set()
    picture_index = None
    latest = -1
    for index, parsed_cell in enumerate(parsed):
        if parsed_cell is None:
            continue
        cell = parsed_cell.cell
        if cell.id in ids:
            cell = replace(cell, id=_unique(cell.id, ids))
        ids.add(cell.id)
        cells.append(cell)
        number = cell.number or 0
        if parsed_cell.has_picture and number >= latest:
            picture_index = index
            latest = number
    picture = None
    if picture_index is not None:
        picture = _last_picture(raw_cell(picture_index)["outputs"])
    return SavedNotebook(tuple(cells), saved_at, picture)


def _parse_cell(raw: Any) -> _ParsedCell | None:
    if not isinstance(raw, dict):
        return None
    cell_type = raw.get("cell_type")
    if cell_type not in ("code", "markdown"):
        return None
    source = text_in(raw.get("source"))
    id = _cell_id(raw, source)
    if cell_type == "markdown":
        text_cell = SavedCell(
            id=id,
            type="markdown",
            source=source,
            number=None,
            outputs=(),
        )
        return _ParsedCell(text_cell, has_picture=False)
    number = raw.get("execution_count")
    if type(number) is not int:
        number = None
    outputs = saved_outputs(raw.get("outputs"))
    has_image = any(output.kind == "image" for output in outputs)
    has_picture = has_image and _last_picture(raw["outputs"]) is not None
    code_cell = SavedCell(
        id=id,
        type="code",
        source=source,
        number=number,
        outputs=outputs,
    )
    return _ParsedCell(code_cell, has_picture)


def _cell_id(raw: Mapping[str, Any], source: str) -> str:
    """Return the cell's id, or one that stays the same until the cell is edited.

    Format 4 has ids only from 4.5 on.
    """
    metadata = raw.get("metadata")
    id = raw.get("id")
    if not id and isinstance(metadata, dict):
        id = metadata.get("id")
    if isinstance(id, str):
        return id
    checksum = zlib.crc32(source.encode("utf-8", "replace"))
    return f"{checksum:08x}"


def _unique(id: str, ids: set[str]) -> str:
    count = 2
    while f"{id}-{count}" in ids:
        count += 1
    return f"{id}-{count}"


def _last_picture(raw_outputs: Any) -> Picture | None:
    for raw in reversed(raw_outputs):
        if not isinstance(raw, dict):
            continue
        data = raw.get("data")
        if not isinstance(data, dict):
            continue
        picture = picture_in(data)
        if picture is not None:
            return picture
    return None


class NotebookFiles:
    """Reads notebook files, each again only when its time or size has changed.

    Threads that call `read` at the same time wait for each other.
    """

    def __init__(self) -> None:
        self._reading = threading.Lock()
        # By path, time of the last change in nanoseconds, and size in bytes.
        self._notebooks: OrderedDict[tuple[str, int, int], SavedNotebook]
        self._notebooks = OrderedDict()
        # The cells of the file that was read last, by the hash of their JSON.
        self._parsed_cells: dict[int, _ParsedCell | None] = {}
        # The folder's state at the last search for a renamed notebook without success.
        self._searched: tuple[object, ...] | None = None

    def read(self, path: Path) -> SavedNotebook:
        """Return the notebook at this path, of at most `LARGEST_FILE_BYTES`.

        Raises
        ------
        Unreadable
            When it does not exist, is too large, or is not a notebook.
        """
        try:
            with self._reading:
                return self._up_to_date(path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise Unreadable(reason) from error
        except (ValueError, RecursionError) as error:
            raise Unreadable("it is not valid JSON") from error

    def _up_to_date(self, path: Path) -> SavedNotebook:
        status = path.stat()
        key = str(path), status.st_mtime_ns, status.st_size
        if key in self._notebooks:
            self._notebooks.move_to_end(key)
            return self._notebooks[key]
        _check(status)
        data = path.read_bytes()
        if path.suffix.lower() in TEXT_SUFFIXES:
            notebook = _parse_text(data, path, status.st_mtime)
        else:
            notebook = self._parsed(data, status.st_mtime)
        for old_key in list(self._notebooks):
            if old_key[0] == key[0]:
                del self._notebooks[old_key]
        self._notebooks[key] = notebook
        while len(self._notebooks) > MAX_FILES:
            self._notebooks.popitem(last=False)
        return notebook

    def _parsed(self, data: bytes, saved_at: float) -> SavedNotebook:
        """Return the notebook in a file, parsing only cells that have changed."""
        pieces = _split_cells(data)
        hashes = [hash(piece) for piece in pieces]
        try:
            self._parsed_cells = self._parse_new(pieces, hashes)
        except ValueError:
            # The file only looks as if Jupyter had laid it out.
            pieces = []
        if not pieces:
            return parse_notebook(json.loads(data), saved_at)

        def raw_cell(index: int) -> Any:
            return _load_cell(pieces[index])

        cells = [self._parsed_cells[key] for key in hashes]
        return _assembled(cells, saved_at, raw_cell)

    def _parse_new(
        self, pieces: Sequence[memoryview], hashes: Sequence[int]
    ) -> dict[int, _ParsedCell | None]:
        known = self._parsed_cells
        parsed: dict[int, _ParsedCell | None] = {}
        for key, piece in zip(hashes, pieces, strict=True):
            if key in known:
                parsed[key] = known[key]
            else:
                parsed[key] = _parse_cell(_load_cell(piece))
        return parsed

    def try_renamed(self, path: Path, sources: Iterable[str]) -> Path | None:
        """Return the notebook beside ``path`` that holds most of the sources.

        Parameters
        ----------
        path
            Where the notebook was.
        sources
            The sources that were run. The notebook must hold at least half of them, and
            more than one.
        """
        siblings = _notebooks_in(path.parent)
        wanted = set(sources)
        # A new search is worth its time once twice as much has been run.
        state = (*siblings, len(wanted).bit_length())
        if state == self._searched or not wanted:
            return None
        best = None
        most = max((len(wanted) - 1) // 2, 1)
        for sibling, _ in siblings:
            held = len(wanted & _code_sources(sibling))
            if held > most:
                best = sibling
                most = held
        self._searched = None if best else state
        return best


def _parse_text(data: bytes, path: Path, saved_at: float) -> SavedNotebook:
    """Return the notebook in a text, as Jupytext reads it; no code is run."""
    try:
        jupytext = importlib.import_module("jupytext")
    except ImportError as error:
        raise Unreadable(
            f"{path.name} is read by Jupytext, which this kernel's environment does "
            "not have; %pip install jupytext"
        ) from error
    text_format = path.suffix.removeprefix(".")
    try:
        notebook = jupytext.reads(data.decode(), fmt=text_format)
    except Exception as error:
        # It raises errors of its own, of YAML's parser and of the JSON schema's.
        raise Unreadable(f"Jupytext failed with {type(error).__name__}") from error
    cells = []
    for cell in notebook.cells:
        # The ids are others at each reading.
        cells.append({"cell_type": cell.cell_type, "source": cell.source})
    return parse_notebook({"cells": cells}, saved_at)


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("it is not a file")
    if status.st_size > LARGEST_FILE_BYTES:
        size = status.st_size // 1_000_000
        limit = LARGEST_FILE_BYTES // 1_000_000
        raise Unreadable(f"it has {size:,} MB, and at most {limit} are read")


def _split_cells(data: bytes) -> list[memoryview]:
    """Return the JSON of each cell, without its head; empty for another layout.

    A line break is never inside a JSON text, so these lines can only be what they look
    like. Nothing is copied: small pieces of a large file would fragment the memory.
    """
    if not data.startswith(_FIRST_CELL):
        return []
    view = memoryview(data)
    pieces = []
    start = len(_FIRST_CELL)
    while True:
        end = data.find(_NEXT_CELL, start)
        if end < 0:
            break
        pieces.append(view[start:end])
        start = end + len(_NEXT_CELL)
    end = data.find(_LAST_CELL_END, start)
    if end < 0:
        return []
    pieces.append(view[start:end])
    return pieces


def _load_cell(piece: memoryview) -> Any:
    cell = b"".join((_CELL_HEAD, piece, b"}"))
    return json.loads(cell)


def _notebooks_in(folder: Path) -> list[tuple[Path, int]]:
    """Return the small notebooks of a folder that were changed last.

    Each is paired with the time of its last change, in nanoseconds.
    """
    notebooks = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.endswith(".ipynb") or not entry.is_file():
                    continue
                status = entry.stat()
                if status.st_size <= LARGEST_SIBLING_BYTES:
                    notebooks.append((Path(entry.path), status.st_mtime_ns))
    except (OSError, ValueError):
        return []
    notebooks.sort(key=lambda notebook: notebook[1], reverse=True)
    return notebooks[:MAX_SIBLINGS]


def _code_sources(path: Path) -> set[str]:
    sources = set()
    try:
        notebook = json.loads(path.read_bytes())
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                source = text_in(cell["source"])
                sources.add(source.strip())
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return set()
    return sources
