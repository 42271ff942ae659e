"""A conversation as a Markdown file or a notebook.

It writes, never over what is there, and runs nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..chat.conversation import Chat, Turn
from ..errors import SettingError
from ..markdown.code_spans import parser
from ..markdown.safe import Blocks, fence, neutralise

PYTHON = ("python", "py", "python3", "ipython")
BROKEN_OFF = "*This answer broke off.*"
# of files of one name
MOST_NUMBERS = 10_000


def export(chat: Chat, path: Path, redact: Callable[[str], str]) -> Path:
    """Write a conversation to a file; gives the file, whose name has a number where
    there was one already.

    Parameters
    ----------
    chat
        The conversation.
    path
        The file: ``.md`` or ``.ipynb``.
    blank
        Blanks secrets in what was asked.

    Raises
    ------
    SettingError
        When the file is neither, or cannot be written.
    """
    kinds = {".md": as_markdown, ".ipynb": as_notebook}
    if path.suffix.lower() not in kinds:
        raise SettingError(
            f"/export writes .md or .ipynb, not {path.name}: %buddy /export notes.md"
        )
    text = kinds[path.suffix.lower()](chat, redact)
    for number in range(1, MOST_NUMBERS):
        file = (
            path
            if number == 1
            else path.with_name(f"{path.stem}-{number}{path.suffix}")
        )
        try:
            with open(
                file, "x", encoding="utf-8", errors="replace", newline="\n"
            ) as out:
                out.write(text)
        except FileExistsError:
            continue
        except (OSError, ValueError) as error:
            # the latter for a name that no file can have
            raise SettingError(
                f"{file} cannot be written: {getattr(error, 'strerror', None) or error}"
            ) from error
        return file
    raise SettingError(
        f"There are too many files of the name {path.name}: delete some."
    )


def as_markdown(chat: Chat, redact: Callable[[str], str]) -> str:
    """The conversation as Markdown, all of it neutralised."""
    turns = [
        "\n\n".join([_question(turn, redact), neutralise(_answer(turn)), _who(turn)])
        for turn in chat.turns
    ]
    # Once more as a whole: what is a lone mark in one answer can pair with one in the
    # next.
    return neutralise("\n\n---\n\n".join(turns)) + "\n"


def as_notebook(chat: Chat, redact: Callable[[str], str]) -> str:
    """The conversation as a notebook: prose neutralised in Markdown cells, Python as it
    is in code cells, not run.
    """
    cells: list[dict[str, Any]] = []
    for turn in chat.turns:
        cells.append(_cell("markdown", _question(turn, redact)))
        for kind, text in _pieces(_answer(turn)):
            cells.append(_cell(kind, text if kind == "code" else neutralise(text)))
        cells.append(_cell("markdown", _who(turn)))
    for number, cell in enumerate(cells):
        cell["id"] = f"chat-{number}"
    language = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        }
    }
    notebook = {
        "cells": cells,
        "metadata": language,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _question(turn: Turn, redact: Callable[[str], str]) -> str:
    lines = _lines(redact(turn.reply.prompt).strip())
    return neutralise("\n".join(f"> {line}".rstrip() for line in lines))


def _answer(turn: Turn) -> str:
    blocks, format = Blocks(), turn.reply.format
    # this closes a fence that is open
    text = "".join([*blocks.feed(turn.reply.text), *blocks.flush()]).strip()
    return (
        fence(text, "" if format == "text" else format)
        if format in ("text", "json", "html")
        else text
    )


def _who(turn: Turn) -> str:
    reply = turn.reply
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(turn.asked))
    named = neutralise(
        " · ".join(part for part in (reply.provider, reply.model, when) if part)
    )
    return (
        f"{named}\n\n{BROKEN_OFF}"
        if reply.error is not None or not reply.done
        else named
    )


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """The prose and the Python of an answer, in order; other code is prose."""
    lines, done = _lines(text), 0
    for token in parser(inline=False).parse(text):
        is_python = (
            token.type == "fence" and (token.info.split() or [""])[0].lower() in PYTHON
        )
        if is_python and token.level == 0 and token.map:
            begin, end = token.map
            yield from _prose("\n".join(lines[done:begin]))
            yield "code", token.content.rstrip("\n")
            done = end
    yield from _prose("\n".join(lines[done:]))


def _lines(text: str) -> list[str]:
    """The lines as the parser counts them."""
    return re.sub(r"\r\n?", "\n", text).split("\n")


def _prose(text: str) -> Iterator[tuple[str, str]]:
    if text.strip():
        yield "markdown", text.strip("\n")


def _cell(kind: str, text: str) -> dict[str, Any]:
    more: dict[str, Any] = (
        {"execution_count": None, "outputs": []} if kind == "code" else {}
    )
    source = text.encode("utf-8", "replace").decode().splitlines(keepends=True)
    return {"cell_type": kind, "id": "", "metadata": {}, **more, "source": source}
