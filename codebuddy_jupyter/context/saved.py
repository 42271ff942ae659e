"""A notebook as its file holds it: read as JSON, outputs in short, and read again only
when the file has changed.
"""

from __future__ import annotations

import itertools
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
from .outputs import outputs_of, picture_in, text_in

# bytes
LARGEST = 50_000_000
# files, in memory
KEPT = 2
# notebooks that are looked at for one that was renamed
SIBLINGS = 20
# bytes
LARGEST_SIBLING = 5_000_000
# of each cell: the writers sort its fields
_HEAD = b'  {\n   "cell_type": '
_FIRST = b'{\n "cells": [\n' + _HEAD
_BETWEEN = b"\n  },\n" + _HEAD


class Unreadable(Exception):
    """The notebook cannot be read; the text says why, for the user."""


@dataclass(frozen=True, slots=True)
class SavedCell:
    """A cell as it was saved; ``number`` is the execution count there, of this kernel
    or of an earlier one.
    """

    id: str
    type: Literal["code", "markdown"]
    source: str
    number: int | None
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class Saved:
    """What a notebook file held at ``at`` (seconds since the epoch), with the picture
    that was displayed last.
    """

    cells: tuple[SavedCell, ...] = ()
    at: float = 0.0
    picture: tuple[str, str | bytes] | None = None


def notebook_in(data: Any, at: float) -> Saved:
    """The notebook in JSON data of format 4.

    Raises
    ------
    Unreadable
        When that is no such notebook. Parts of it that are malformed are passed over.
    """
    cells = data.get("cells") if isinstance(data, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("it is not a notebook of format 4")
    return _assembled([_read(raw) for raw in cells], at, lambda place: cells[place])


@dataclass(frozen=True, slots=True)
class _Read:
    """A cell as it stands by itself, and whether it displays a picture."""

    cell: SavedCell
    is_picture: bool


def _assembled(
    reads: Sequence[_Read | None], at: float, raw: Callable[[int], Any]
) -> Saved:
    """The cells with ids that are unique, and the picture of the one that ran last;
    ``raw`` gives a cell again.
    """
    cells: list[SavedCell] = []
    ids: set[str] = set()
    drawn, latest = None, -1
    for place, read in enumerate(reads):
        if read is None:
            continue
        cell = (
            read.cell
            if read.cell.id not in ids
            else replace(read.cell, id=_unique(read.cell.id, ids))
        )
        ids.add(cell.id)
        cells.append(cell)
        if read.is_picture and (cell.number or 0) >= latest:
            drawn, latest = place, cell.number or 0
    return Saved(
        tuple(cells),
        at,
        _last_picture(raw(drawn)["outputs"]) if drawn is not None else None,
    )


def _read(raw: Any) -> _Read | None:
    if not isinstance(raw, dict) or raw.get("cell_type") not in ("code", "markdown"):
        return None
    source = text_in(raw.get("source"))
    if raw["cell_type"] == "markdown":
        return _Read(SavedCell(_id(raw, source), "markdown", source, None, ()), False)
    number, outputs = raw.get("execution_count"), outputs_of(raw.get("outputs"))
    cell = SavedCell(
        _id(raw, source),
        "code",
        source,
        number if type(number) is int else None,
        outputs,
    )
    is_picture = (
        any(one.kind == "image" for one in outputs)
        and _last_picture(raw["outputs"]) is not None
    )
    return _Read(cell, is_picture)


def _id(raw: Mapping[str, Any], source: str) -> str:
    """Its own id; before format 4.5 there is none, then one that is the same as long as
    the cell is not edited.
    """
    metadata = raw.get("metadata")
    own = raw.get("id") or (metadata.get("id") if isinstance(metadata, dict) else None)
    return (
        own
        if isinstance(own, str)
        else f"{zlib.crc32(source.encode('utf-8', 'replace')):08x}"
    )


def _unique(id: str, ids: set[str]) -> str:
    return next(
        unique for count in itertools.count(2) if (unique := f"{id}-{count}") not in ids
    )


def _last_picture(outputs: Any) -> tuple[str, str | bytes] | None:
    for one in reversed(outputs):
        data = one.get("data") if isinstance(one, dict) else None
        if isinstance(data, dict) and (picture := picture_in(data)):
            return picture
    return None


class Files:
    """Reads notebooks, each again only when its time or size has changed; one that is
    being read is waited for.
    """

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._read: OrderedDict[tuple[str, int, int], Saved] = OrderedDict()
        self._known: dict[int, _Read | None] = {}
        self._in_vain: tuple[object, ...] | None = None

    def read(self, path: Path) -> Saved:
        """The notebook at this path, of at most 50 MB.

        Raises
        ------
        Unreadable
            When it is not there, too large, or no notebook.
        """
        try:
            with self._reading:
                return self._up_to_date(path)
        except OSError as error:
            raise Unreadable(error.strerror or type(error).__name__) from error
        except (ValueError, RecursionError) as error:
            raise Unreadable("it is not whole JSON") from error

    def _up_to_date(self, path: Path) -> Saved:
        status = path.stat()
        key = str(path), status.st_mtime_ns, status.st_size
        if key in self._read:
            self._read.move_to_end(key)
            return self._read[key]
        self._check(status)
        saved = self._parsed(path.read_bytes(), status.st_mtime)
        for old in [old for old in self._read if old[0] == key[0]]:
            del self._read[old]
        self._read[key] = saved
        while len(self._read) > KEPT:
            self._read.popitem(last=False)
        return saved

    def _parsed(self, data: bytes, at: float) -> Saved:
        """The notebook in a file; of one that was read before, only the cells that have
        changed are read again.
        """
        pieces, known = _pieces(data), self._known
        keys = [hash(piece) for piece in pieces]
        try:
            self._known = {
                key: known[key] if key in known else _read(_cell_in(piece))
                for key, piece in zip(keys, pieces, strict=True)
            }
        except ValueError:
            # laid out otherwise
            pieces = []
        if not pieces:
            return notebook_in(json.loads(data), at)
        return _assembled(
            [self._known[key] for key in keys],
            at,
            lambda place: _cell_in(pieces[place]),
        )

    @staticmethod
    def _check(status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("it is not a file")
        if status.st_size > LARGEST:
            raise Unreadable(
                f"it has {status.st_size // 1_000_000:,} MB, and at most "
                f"{LARGEST // 1_000_000} are read"
            )

    def try_renamed(self, path: Path, ran: Iterable[str]) -> Path | None:
        """The notebook beside ``path`` that holds most of the sources that were run,
        and at least half of them.
        """
        siblings = _notebooks_in(path.parent)
        wanted = set(ran)
        # once more has been run, a look may be worth it
        case = (*siblings, len(wanted).bit_length())
        if case == self._in_vain or not wanted:
            return None
        # one source alone proves nothing
        best, most = None, max((len(wanted) - 1) // 2, 1)
        for one, _ in siblings:
            held = len(wanted & _sources(one))
            if held > most:
                best, most = one, held
        self._in_vain = None if best else case
        return best


def _pieces(data: bytes) -> list[memoryview]:
    """The cells of a file that is laid out as Jupyter and VS Code do it, each without
    its head; else none.

    A line break never stands inside a JSON text, so these lines can only be what they
    look like. Nothing is copied: small pieces of a large file would leave holes in the
    memory.
    """
    if not data.startswith(_FIRST):
        return []
    view, pieces, start = memoryview(data), [], len(_FIRST)
    while (end := data.find(_BETWEEN, start)) >= 0:
        pieces.append(view[start:end])
        start = end + len(_BETWEEN)
    last = data.find(b"\n  }\n ],\n", start)
    return [*pieces, view[start:last]] if last >= 0 else []


def _cell_in(piece: memoryview) -> Any:
    return json.loads(b"".join((_HEAD, piece, b"}")))


def _notebooks_in(folder: Path) -> list[tuple[Path, int]]:
    """The latest small notebooks of a folder, with the times at which they were changed
    (nanoseconds).
    """
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".ipynb") and entry.is_file():
                    status = entry.stat()
                    if status.st_size <= LARGEST_SIBLING:
                        found.append((Path(entry.path), status.st_mtime_ns))
    except (OSError, ValueError):
        return []
    return sorted(found, key=lambda one: -one[1])[:SIBLINGS]


def _sources(path: Path) -> set[str]:
    try:
        cells = json.loads(path.read_bytes())["cells"]
        return {
            text_in(cell["source"]).strip()
            for cell in cells
            if cell["cell_type"] == "code"
        }
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return set()
