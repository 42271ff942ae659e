"""What a cell gave, as short text.

It looks at what the front end was sent and never at the objects themselves.
"""

from __future__ import annotations

import binascii
import html
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..messages import Image
from .items import Output

# of one text
CHARACTERS = 2_000
LINES = 40
# of one cell; together they have twice the room of one
OUTPUTS = 8
# characters at each end of a text; what stands between is counted only
LOOKED_AT = 65_536
# characters of base64
LARGEST_IMAGE = 8_000_000

_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])|\x08"
)
# <IPython.core.display.HTML object>: the other forms say more
_BARE = re.compile(r"\s*<[^<>\n]*>\s*\Z")
_ARROW = re.compile(r"-+> ?\d+ .*")
_FIGURES = {
    "application/vnd.jupyter.widget-view+json": "widget",
    "application/vnd.plotly.v1+json": "image (plotly)",
    "application/vnd.bokehjs_exec.v0+json": "image (bokeh)",
    "image/svg+xml": "image (svg)",
}
PICTURES = ("image/png", "image/jpeg")


def text_in(value: Any) -> str:
    """The text of a field that may be a string or a list of lines; of anything else
    there is none.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    try:
        return "".join(value)
    except TypeError:
        return "".join(one for one in value if isinstance(one, str))


def plain(text: str) -> str:
    """The text without colours, each line in its last state where a progress bar wrote
    over it.
    """
    if "\x1b" in text or "\x08" in text:
        text = _CONTROL.sub("", text)
    if "\r" in text:
        text = "\n".join(
            row.rstrip("\r").rpartition("\r")[2] for row in text.split("\n")
        )
    return text


def shorten(text: str, characters: int = CHARACTERS, lines: int = LINES) -> str:
    """The text as :func:`plain` gives it; of one that is too long, its head and its
    tail.

    Parameters
    ----------
    text
        As it was printed.
    characters, lines
        How much may stay, besides the line that tells what is left out.
    """
    whole = text.rstrip("\n")
    near = (
        whole if len(whole) <= 2 * LOOKED_AT else whole[:LOOKED_AT] + whole[-LOOKED_AT:]
    )
    is_all = near is whole
    near = plain(near)
    breaks = (near if is_all else whole).count("\n")
    if is_all and len(near) <= characters and breaks < lines:
        return near
    half = lines // 2
    head = "\n".join(near[: characters // 2].split("\n", half)[:half])
    tail = "\n".join(near[-(characters // 2) :].rsplit("\n", half)[-half:])
    gone = breaks - head.count("\n") - tail.count("\n") - 1
    told = (
        f"{gone:,} lines"
        if gone > 1
        else f"{max(len(whole) - len(head) - len(tail), 0):,} characters"
    )
    return f"{head}\n[{told} left out]\n{tail}"


def outputs_of(saved: Any) -> tuple[Output, ...]:
    """The outputs of a cell as a notebook file holds them, in short; what is malformed
    is passed over.
    """
    found = (
        [one for one in saved if isinstance(one, dict)]
        if isinstance(saved, list)
        else []
    )
    kept = (
        found
        if len(found) <= 4 * OUTPUTS
        else found[: 2 * OUTPUTS] + found[-2 * OUTPUTS :]
    )
    return in_short(
        (one for one in map(_output, kept) if one is not None), len(found) - len(kept)
    )


def in_short(outputs: Iterable[Output], more: int = 0) -> tuple[Output, ...]:
    """The first and the last of many outputs, none twice in a row, with a line for the
    ``more`` that are left out.
    """
    found = tuple(outputs)
    if len(found) < 2 and not more:
        return found
    once = _joined(one for one, _ in itertools.groupby(found))
    if len(once) > OUTPUTS or more:
        half = OUTPUTS // 2
        more += max(len(once) - OUTPUTS, 0)
        once = [
            *once[:half],
            Output("text", f"[{more:,} outputs left out]"),
            *once[half:][-half:],
        ]
    if len(once) <= 2:
        return tuple(once)
    room = 2 * CHARACTERS // len(once)
    return tuple(Output(one.kind, shorten(one.text, room)) for one in once)


def _joined(outputs: Iterable[Output]) -> list[Output]:
    """Texts that follow each other as one: standard output and error take turns."""
    joined: list[Output] = []
    for kind, run in itertools.groupby(outputs, key=lambda one: one.kind):
        same = list(run)
        if kind == "text" and len(same) > 1:
            same = [Output("text", shorten("\n".join(one.text for one in same)))]
        joined += same
    return joined


def _output(saved: Mapping[str, Any]) -> Output | None:
    kind = saved.get("output_type")
    if kind == "stream":
        return printed(text_in(saved.get("text")))
    if kind == "error":
        traceback = saved.get("traceback")
        return failed(
            text_in(saved.get("ename")), text_in(saved.get("evalue")), traceback
        )
    metadata, data = saved.get("metadata"), saved.get("data")
    if not isinstance(data, dict) or (
        isinstance(metadata, dict) and "codebuddy" in metadata
    ):
        # an answer of the buddy's is in the conversation
        return None
    return shown(data, result=kind == "execute_result")


def printed(text: str) -> Output | None:
    """What a cell wrote, in short."""
    text = shorten(text)
    return Output("text", text) if text.strip() else None


def failed(name: str, value: str, traceback: Any = None) -> Output:
    """An error in a line, under the line of the cell that raised it where the traceback
    marks one.
    """
    frames = (
        "\n".join(one for one in traceback if isinstance(one, str))
        if isinstance(traceback, list)
        else ""
    )
    marked = _ARROW.search(plain(frames[:LOOKED_AT]))
    line = shorten(f"{name}: {value}" if value else name, CHARACTERS // 2)
    return Output("error", f"{marked[0][:200].rstrip()}\n{line}" if marked else line)


def shown(data: Mapping[str, Any], *, result: bool) -> Output | None:
    """What was displayed, in short.

    Parameters
    ----------
    data
        Its forms, by media type.
    result
        Whether it is the value of the cell, and not what the cell displayed on the way.
    """
    figure = next(
        (line for kind, line in _FIGURES.items() if kind in data), None
    ) or _picture(data)
    if figure is not None:
        return Output("text" if figure == "widget" else "image", figure)
    text, markup = text_in(data.get("text/plain")), text_in(data.get("text/html"))
    table = "<table" in markup[:LOOKED_AT]
    if _BARE.match(text) or not text:
        text = next(filter(None, _other_forms(data, markup)), text)
    text = shorten(text)
    if not text.strip():
        return None
    return Output("table" if table else "result" if result else "text", text)


def _other_forms(data: Mapping[str, Any], markup: str) -> Iterator[str]:
    yield text_in(data.get("text/markdown"))
    yield text_in(data.get("text/latex"))
    yield _json(data["application/json"]) if "application/json" in data else ""
    yield _without_tags(markup[:LOOKED_AT])


def _json(value: Any) -> str:
    try:
        pieces = itertools.islice(
            json.JSONEncoder(ensure_ascii=False).iterencode(value), CHARACTERS
        )
        return "".join(pieces)
    except (TypeError, ValueError, RecursionError):
        return ""


def _without_tags(markup: str) -> str:
    first, *parts = re.split(r"(?i)<(?=/?(?:style|script)\b)", markup)
    markup = first + "".join(f"<{part}" for part in parts if part.startswith("/"))
    markup = re.sub(r"(?i)</t[dh]>(?=\s*<t[dh])", " | ", markup)
    markup = re.sub(
        r"(?i)<br\s*/?>|</(?:tr|p|div|li|h\d)>", "\n", re.sub(r"\s+", " ", markup)
    )
    rows = html.unescape(re.sub(r"<[^<>]*>", "", markup)).split("\n")
    return "\n".join(" ".join(row.split()) for row in rows if row.strip())


def _picture(data: Mapping[str, Any]) -> str | None:
    for kind in data:
        if isinstance(kind, str) and kind.startswith("image/"):
            size = _size(kind, data[kind])
            return f"image {size[0]}x{size[1]}" if size else "image"
    return None


def picture_in(data: Mapping[str, Any]) -> tuple[str, str | bytes] | None:
    """The picture of an output: its media type, and its bytes or their base64 text as
    they came.
    """
    for kind in PICTURES:
        value = data.get(kind)
        if isinstance(value, bytes) or (value := text_in(value)):
            return (kind, value) if len(value) <= LARGEST_IMAGE else None
    return None


def decoded(picture: tuple[str, str | bytes]) -> Image | None:
    """The picture as it can be sent; None where its base64 is broken."""
    kind, value = picture
    try:
        data = value if isinstance(value, bytes) else binascii.a2b_base64(value)
    except ValueError:
        return None
    return Image(data, kind)


def _size(kind: str, value: Any) -> tuple[int, int] | None:
    """The size of a picture in pixels, from its head; None where that does not tell."""
    # a JPEG has its size behind thumbnail and profiles
    needed = 400_000 if kind == "image/jpeg" else 64
    try:
        head = (
            value[:needed]
            if isinstance(value, bytes)
            else _decoded_head(text_in(value)[:needed])
        )
    except ValueError:
        return None
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head[:4] == b"GIF8" and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    return _jpeg_size(head) if head[:2] == b"\xff\xd8" else None


def _decoded_head(text: str) -> bytes:
    text = "".join(text.split())
    return binascii.a2b_base64(text[: len(text) // 4 * 4])


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(head[at + 7 : at + 9], "big"), int.from_bytes(
                head[at + 5 : at + 7], "big"
            )
        at += 2 + length
    return None


def ends_of(pieces: Sequence[Any]) -> str:
    """What was written piece by piece; of a great many pieces, the head and the tail."""
    if len(pieces) > 20_000:
        pieces = [*pieces[:10_000], *pieces[-10_000:]]
    return "".join(one for one in pieces if isinstance(one, str))
