"""Write a conversation to a Markdown file or a notebook.

No existing file is overwritten, and no code is run.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from ..chat.conversation import Chat, Turn
from ..errors import Remedy, SettingError
from ..markdown.blocks import blocks_of
from ..markdown.characters import name_invisible
from ..markdown.code_spans import parser
from ..markdown.safe import escape, fence, neutralise
from ..settings.files import replacing
from ..tools.proposing import as_text

PYTHON = ("python", "py", "python3", "ipython")
BROKEN_OFF = "*This answer broke off.*"
# files of the same name
MOST_FILES = 10_000

CellType = Literal["markdown", "code"]

Redact = Callable[[str], str]
"""Returns a text without its secrets."""


def export(chat: Chat, path: Path, redact: Redact) -> Path:
    """Write a conversation to a file.

    Parameters
    ----------
    chat
        The conversation.
    path
        The file: ``.md`` or ``.ipynb``.
    redact
        Applied to the questions.

    Returns
    -------
    Path
        The file that was written. Its name has a number if `path` exists.

    Raises
    ------
    SettingError
        When the file is neither, or cannot be written.
    """
    writers = {".md": as_markdown, ".ipynb": as_notebook}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise SettingError(
            f"/export writes .md and .ipynb files, not {path.name}.",
            Remedy("Choose a name such as", "%buddy /export notes.md"),
        )
    content = writer(chat, redact).encode("utf-8", "replace")
    try:
        return _write_new(path, content)
    except OSError as error:
        reason = error.strerror or error
        raise SettingError(f"{path} cannot be written: {reason}") from error
    except ValueError as error:
        # No file can have such a name.
        raise SettingError(f"{path} cannot be written: {error}") from error


def _write_new(path: Path, content: bytes) -> Path:
    """Write a new file, complete or not at all, and return it."""
    file = _claim(path)
    try:
        with replacing(file) as stream:
            stream.write(content)
    except BaseException:
        # An interrupt, too, must leave nothing behind.
        file.unlink(missing_ok=True)
        raise
    return file


def _claim(path: Path) -> Path:
    """Make an empty file of this name, or with a number if that exists."""
    for number in range(1, MOST_FILES):
        file = path
        if number > 1:
            file = path.with_name(f"{path.stem}-{number}{path.suffix}")
        with suppress(FileExistsError), open(file, "xb"):
            return file
    raise SettingError(
        f"There are too many files of the name {path.name}.",
        Remedy("Delete some, or choose another name"),
    )


def as_markdown(chat: Chat, redact: Redact) -> str:
    """Return the conversation as safe Markdown."""
    turns = []
    for turn in chat.turns:
        parts = [
            _question(turn, redact),
            neutralise(_answer(turn)),
            _source(turn),
        ]
        if turn.reply.looked:
            parts.insert(1, _looks(turn))
        if turn.reply.proposed:
            parts.insert(-1, _proposed(turn))
        turns.append("\n\n".join(parts))
    # All of it is made safe again: a single mark in one answer can form a pair with one
    # in the next.
    return neutralise("\n\n---\n\n".join(turns)) + "\n"


def as_notebook(chat: Chat, redact: Redact) -> str:
    """Return the conversation as the JSON of a notebook.

    Prose is in Markdown cells and made safe; Python is in code cells, which are not run,
    and unchanged except that invisible characters are named.
    """
    cells: list[dict[str, Any]] = []
    for turn in chat.turns:
        cells.append(_cell("markdown", _question(turn, redact)))
        if turn.reply.looked:
            cells.append(_cell("markdown", _looks(turn)))
        for type, text in _parts(_answer(turn)):
            if type == "code":
                safe = name_invisible(text)
            else:
                safe = neutralise(text)
            cells.append(_cell(type, safe))
        if turn.reply.proposed:
            cells.append(_cell("markdown", _proposed(turn)))
        cells.append(_cell("markdown", _source(turn)))
    for number, cell in enumerate(cells):
        cell["id"] = f"chat-{number}"
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            }
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _question(turn: Turn, redact: Redact) -> str:
    """Return the question as a safe quotation."""
    prompt = redact(turn.reply.prompt).strip()
    lines = _lines(prompt)
    quoted = [f"> {line}".rstrip() for line in lines]
    return neutralise("\n".join(quoted))


def _looks(turn: Turn) -> str:
    """Return a line for each look before the answer; what it showed is in the chat."""
    return "\n".join([f"- {escape(look.line)}" for look in turn.reply.looked])


def _proposed(turn: Turn) -> str:
    """Return the code that the answer proposed, as text."""
    return neutralise(as_text(turn.reply.proposed))


def _answer(turn: Turn) -> str:
    """Return the text of the answer, in a fence if it is not Markdown."""
    blocks = blocks_of(turn.reply.text)
    text = "".join(blocks).strip()
    format = turn.reply.format
    if format == "text":
        return fence(text)
    if format in ("json", "html"):
        return fence(text, format)
    return text


def _source(turn: Turn) -> str:
    """Return a line with provider, model and time, and whether the answer broke off."""
    reply = turn.reply
    local_time = time.localtime(turn.asked)
    when = time.strftime("%Y-%m-%d %H:%M", local_time)
    parts = [part for part in (reply.provider, reply.model, when) if part]
    line = neutralise(" · ".join(parts))
    for finding in reversed(reply.findings):
        line = f"{escape(finding)}\n\n{line}"
    if reply.error is None and reply.done:
        return line
    return f"{line}\n\n{BROKEN_OFF}"


def _parts(text: str) -> Iterator[tuple[CellType, str]]:
    """Yield the prose and the Python of an answer in order; other code is prose."""
    lines = _lines(text)
    done = 0
    for token in parser(inline=False).parse(text):
        if token.type != "fence" or token.level > 0 or not token.map:
            continue
        if not _is_python(token.info):
            continue
        first, after = token.map
        yield from _prose(lines[done:first])
        yield "code", token.content.rstrip("\n")
        done = after
    yield from _prose(lines[done:])


def _is_python(info: str) -> bool:
    """Return whether the words after a fence name Python."""
    words = info.lower().split()
    return bool(words) and words[0] in PYTHON


def _lines(text: str) -> list[str]:
    """Return the lines as the parser counts them."""
    return re.sub(r"\r\n?", "\n", text).split("\n")


def _prose(lines: list[str]) -> Iterator[tuple[CellType, str]]:
    text = "\n".join(lines)
    if text.strip():
        yield "markdown", text.strip("\n")


def _cell(type: CellType, text: str) -> dict[str, Any]:
    """Return a cell without an id; lone surrogates are replaced."""
    without_surrogates = text.encode("utf-8", "replace").decode()
    cell: dict[str, Any] = {
        "cell_type": type,
        "id": "",
        "metadata": {},
        "source": without_surrogates.splitlines(keepends=True),
    }
    if type == "code":
        cell["execution_count"] = None
        cell["outputs"] = []
    return cell
