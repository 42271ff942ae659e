"""The outputs of a cell as short text.

Only what the front end was sent is read, never the objects themselves.
"""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .items import Output
from .pictures import picture_line, text_in

# Of one output.
OUTPUT_CHARACTERS = 2_000
OUTPUT_LINES = 40
# Of one cell.
MAX_OUTPUTS = 8
# Of all outputs of a cell together.
CELL_CHARACTERS = 2 * OUTPUT_CHARACTERS
# Characters that are read at each end of a text.
END_CHARACTERS = 65_536
# Pieces of a text that was written piece by piece, at each end of it.
END_PIECES = 10_000
MARKED_LINE_CHARACTERS = 200

_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])|\x08"
)
# As in <IPython.core.display.HTML object>: other forms of the output say more.
_BARE_OBJECT = re.compile(r"\s*<[^<>\n]*>\s*\Z")
_MARKED_LINE = re.compile(r"-+> ?\d+ .*")
_FIGURES = {
    "application/vnd.jupyter.widget-view+json": "widget",
    "application/vnd.plotly.v1+json": "image (plotly)",
    "application/vnd.bokehjs_exec.v0+json": "image (bokeh)",
    "image/svg+xml": "image (svg)",
}
_SCRIPT_OR_STYLE = re.compile(r"<(?=/?(?:style|script)\b)", re.IGNORECASE)
_CELL_BORDER = re.compile(r"</t[dh]>(?=\s*<t[dh])", re.IGNORECASE)
_LINE_END = re.compile(r"<br\s*/?>|</(?:tr|p|div|li|h\d)>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
# A warning about a line of a cell, below which that line stands again.
_WARNING = re.compile(
    r"^(?:.*ipykernel_\d+[/\\]\d+\.py|<ipython-input-.*>):(\d+): (\w*Warning: .*\n)"
    r"(?:  \S.*\n?)?",
    re.MULTILINE,
)


def plain_text(text: str) -> str:
    """Return the text as a reader saw it last.

    Colours are removed, and a line that a progress bar wrote over has its last state.
    """
    if "\x1b" in text or "\x08" in text:
        text = _CONTROL.sub("", text)
    if "\r" in text:
        lines = map(_last_state, text.split("\n"))
        text = "\n".join(lines)
    return text


def _last_state(line: str) -> str:
    _, _, last_state = line.rstrip("\r").rpartition("\r")
    return last_state


def shorten(
    text: str, characters: int = OUTPUT_CHARACTERS, lines: int = OUTPUT_LINES
) -> str:
    """Return the text as `plain_text` gives it; of a long one, its head and its tail.

    Parameters
    ----------
    text
        As it was printed.
    characters, lines
        How much may stay, besides the line that says what is left out.
    """
    text = text.rstrip("\n")
    if len(text) > 2 * END_CHARACTERS:
        ends = text[:END_CHARACTERS] + text[-END_CHARACTERS:]
        readable = plain_text(ends)
        line_breaks = text.count("\n")
    else:
        readable = plain_text(text)
        line_breaks = readable.count("\n")
        if len(readable) <= characters and line_breaks < lines:
            return readable
    half = characters // 2
    head = _first_lines(readable[:half], lines // 2)
    tail = _last_lines(readable[-half:], lines // 2)
    kept_breaks = head.count("\n") + tail.count("\n")
    lines_left_out = line_breaks - kept_breaks - 1
    kept_characters = len(head) + len(tail)
    characters_left_out = max(len(text) - kept_characters, 0)
    left_out = f"{characters_left_out:,} characters"
    if lines_left_out > 1:
        left_out = f"{lines_left_out:,} lines"
    return f"{head}\n[{left_out} left out]\n{tail}"


def _first_lines(text: str, number: int) -> str:
    lines = text.split("\n", number)
    return "\n".join(lines[:number])


def _last_lines(text: str, number: int) -> str:
    lines = text.rsplit("\n", number)
    return "\n".join(lines[-number:])


def saved_outputs(saved: Any) -> tuple[Output, ...]:
    """Return the outputs of a cell in a notebook file, shortened.

    Parameters
    ----------
    saved
        The cell's ``outputs``; what is malformed in it is ignored.
    """
    if not isinstance(saved, list):
        return ()
    raw_outputs = [raw for raw in saved if isinstance(raw, dict)]
    left_out = max(len(raw_outputs) - 4 * MAX_OUTPUTS, 0)
    if left_out:
        half = 2 * MAX_OUTPUTS
        raw_outputs = raw_outputs[:half] + raw_outputs[-half:]
    outputs = [_saved_output(raw) for raw in raw_outputs]
    return shortened(filter(None, outputs), left_out)


def shortened(outputs: Iterable[Output], left_out: int = 0) -> tuple[Output, ...]:
    """Return the first and the last of many outputs, without immediate repetitions.

    Parameters
    ----------
    outputs
        In their order.
    left_out
        How many were left out before; a line reports these, too.
    """
    given = tuple(outputs)
    if len(given) < 2 and not left_out:
        return given
    without_repetitions = [output for output, _ in itertools.groupby(given)]
    kept = _joined_texts(without_repetitions)
    if len(kept) > MAX_OUTPUTS or left_out:
        half = MAX_OUTPUTS // 2
        left_out += max(len(kept) - MAX_OUTPUTS, 0)
        line = Output("text", f"[{left_out:,} outputs left out]")
        first = kept[:half]
        others = kept[half:]
        kept = [*first, line, *others[-half:]]
    if len(kept) <= 2:
        return tuple(kept)
    characters = CELL_CHARACTERS // len(kept)
    shorter = []
    for output in kept:
        text = shorten(output.text, characters)
        shorter.append(Output(output.kind, text))
    return tuple(shorter)


def _joined_texts(outputs: Iterable[Output]) -> list[Output]:
    """Join texts that follow each other: standard output and error take turns."""
    joined: list[Output] = []
    runs = itertools.groupby(outputs, key=lambda output: output.kind)
    for kind, run in runs:
        same_kind = list(run)
        if kind == "text" and len(same_kind) > 1:
            text = "\n".join(output.text for output in same_kind)
            same_kind = [Output("text", shorten(text))]
        joined += same_kind
    return joined


def _saved_output(raw: Mapping[str, Any]) -> Output | None:
    output_type = raw.get("output_type")
    if output_type == "stream":
        return text_output(text_in(raw.get("text")))
    if output_type == "error":
        name = text_in(raw.get("ename"))
        message = text_in(raw.get("evalue"))
        traceback = raw.get("traceback")
        return error_output(name, message, traceback)
    data = raw.get("data")
    if not isinstance(data, dict):
        return None
    if is_answer(raw.get("metadata")):
        return None
    is_result = output_type == "execute_result"
    return display_output(data, is_result=is_result)


def is_answer(metadata: Any) -> bool:
    """Return whether an output is an answer of the buddy's.

    These are not outputs of the notebook's: the conversation holds them.
    """
    return isinstance(metadata, dict) and "codebuddy" in metadata


def text_output(text: str) -> Output | None:
    """Return what a cell printed, shortened; None where that is blank.

    Warnings have the number of their line in the cell, and not the line itself, which
    is sent as code, and the name of a temporary file.
    """
    if "Warning: " in text:
        text = _WARNING.sub(r"line \1: \2", text)
    text = shorten(text)
    if not text.strip():
        return None
    return Output("text", text)


def error_output(name: str, message: str, traceback: Any = None) -> Output:
    """Return an error as a line, under the line of the cell that raised it.

    Parameters
    ----------
    name
        The name of the exception's class.
    message
        What the exception says.
    traceback
        The frames as the shell rendered them, a list of texts; an arrow marks the line
        that raised the error.
    """
    text = name
    if message:
        text = f"{name}: {message}"
    text = shorten(text, OUTPUT_CHARACTERS // 2)
    line = _marked_line(traceback)
    if line:
        text = f"{line}\n{text}"
    return Output("error", text)


def _marked_line(traceback: Any) -> str:
    """Return the first line that is marked by an arrow; empty if there is none."""
    if not isinstance(traceback, list):
        return ""
    texts = [frame for frame in traceback if isinstance(frame, str)]
    frames = "\n".join(texts)
    readable = plain_text(frames[:END_CHARACTERS])
    marked = _MARKED_LINE.search(readable)
    if not marked:
        return ""
    return marked[0][:MARKED_LINE_CHARACTERS].rstrip()


def display_output(data: Mapping[str, Any], *, is_result: bool) -> Output | None:
    """Return what was displayed, shortened; None where that is blank.

    Parameters
    ----------
    data
        The forms of the output, by media type.
    is_result
        Whether it is the value of the cell, and not something displayed on the way.
    """
    figure = _figure(data)
    if figure == "widget":
        return Output("text", figure)
    if figure is not None:
        return Output("image", figure)
    text = text_in(data.get("text/plain"))
    markup = text_in(data.get("text/html"))[:END_CHARACTERS]
    if not text or _BARE_OBJECT.match(text):
        text = _other_form(data, markup) or text
    text = shorten(text)
    if not text.strip():
        return None
    if "<table" in markup:
        return Output("table", text)
    if is_result:
        return Output("result", text)
    return Output("text", text)


def _figure(data: Mapping[str, Any]) -> str | None:
    for media_type, line in _FIGURES.items():
        if media_type in data:
            return line
    return picture_line(data)


def _other_form(data: Mapping[str, Any], markup: str) -> str:
    """Return the best form that is not plain text, as text; empty if there is none."""
    for media_type in ("text/markdown", "text/latex"):
        text = text_in(data.get(media_type))
        if text:
            return text
    if "application/json" in data:
        text = _json(data["application/json"])
        if text:
            return text
    return _without_tags(markup)


def _json(value: Any) -> str:
    encoder = json.JSONEncoder(ensure_ascii=False)
    try:
        pieces = encoder.iterencode(value)
        return "".join(itertools.islice(pieces, OUTPUT_CHARACTERS))
    except (TypeError, ValueError, RecursionError):
        return ""


def _without_tags(markup: str) -> str:
    """Return the text of HTML: a line for each row, with bars between cells."""
    first, *parts = _SCRIPT_OR_STYLE.split(markup)
    # What follows an opening tag is code; what follows a closing one is text again.
    texts = [f"<{part}" for part in parts if part.startswith("/")]
    markup = "".join([first, *texts])
    markup = _CELL_BORDER.sub(" | ", markup)
    markup = re.sub(r"\s+", " ", markup)
    markup = _LINE_END.sub("\n", markup)
    text = html.unescape(_TAG.sub("", markup))
    lines = []
    for line in text.split("\n"):
        words = line.split()
        if words:
            lines.append(" ".join(words))
    return "\n".join(lines)


def joined_ends(pieces: Sequence[Any]) -> str:
    """Return a text that was written piece by piece; of very many, head and tail."""
    if len(pieces) > 2 * END_PIECES:
        pieces = [*pieces[:END_PIECES], *pieces[-END_PIECES:]]
    texts = [piece for piece in pieces if isinstance(piece, str)]
    return "".join(texts)
