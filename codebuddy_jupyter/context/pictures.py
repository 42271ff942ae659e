"""Pictures among the outputs of a cell: their size, and their bytes to send.

Only PNG and JPEG are sent; of other formats the size is read.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..messages import Image

SENT_FORMATS = ("image/png", "image/jpeg")
# Characters of base64, or bytes.
LARGEST_PICTURE = 8_000_000

# Bytes, or characters of base64, in which the size is looked for. A JPEG has its size
# behind thumbnail and colour profiles.
_HEAD_LENGTH = 64
_JPEG_HEAD_LENGTH = 400_000
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GIF_SIGNATURE = b"GIF8"
_JPEG_SIGNATURE = b"\xff\xd8"
# The markers from 0xC0 to 0xCF begin a frame, which has the size, except for these.
_JPEG_FRAMES = range(0xC0, 0xD0)
_NOT_JPEG_FRAMES = (0xC4, 0xC8, 0xCC)


class Picture(NamedTuple):
    """A picture as it came: its bytes, or these as base64."""

    media_type: str
    data: str | bytes

    def decoded(self) -> Image | None:
        """Return the picture as it can be sent; None where its base64 is broken."""
        if isinstance(self.data, bytes):
            return Image(self.data, self.media_type)
        try:
            data = binascii.a2b_base64(self.data)
        except ValueError:
            return None
        return Image(data, self.media_type)


def picture_in(data: Mapping[str, Any]) -> Picture | None:
    """Return the picture in an output's data, if there is one that can be sent."""
    for media_type in SENT_FORMATS:
        value = data.get(media_type)
        if not isinstance(value, bytes):
            value = text_in(value)
        if not value:
            continue
        if len(value) > LARGEST_PICTURE:
            return None
        return Picture(media_type, value)
    return None


def picture_line(data: Mapping[str, Any]) -> str | None:
    """Return a line such as ``image 640x480`` for an output that is a picture."""
    for media_type, value in data.items():
        if isinstance(media_type, str) and media_type.startswith("image/"):
            size = _size(media_type, value)
            if size is None:
                return "image"
            width, height = size
            return f"image {width}x{height}"
    return None


def text_in(value: Any) -> str:
    """Return the text of a field that holds a string or a list of lines.

    Anything else gives an empty text.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    try:
        return "".join(value)
    except TypeError:
        return "".join(line for line in value if isinstance(line, str))


def _size(media_type: str, value: Any) -> tuple[int, int] | None:
    """Return width and height in pixels, as far as the head of the picture says."""
    is_jpeg = media_type == "image/jpeg"
    length = _JPEG_HEAD_LENGTH if is_jpeg else _HEAD_LENGTH
    try:
        head = _head(value, length)
    except ValueError:
        return None
    if head.startswith(_PNG_SIGNATURE) and len(head) >= 24:
        width = int.from_bytes(head[16:20], "big")
        height = int.from_bytes(head[20:24], "big")
        return width, height
    if head.startswith(_GIF_SIGNATURE) and len(head) >= 10:
        width = int.from_bytes(head[6:8], "little")
        height = int.from_bytes(head[8:10], "little")
        return width, height
    if head.startswith(_JPEG_SIGNATURE):
        return _jpeg_size(head)
    return None


def _head(value: Any, length: int) -> bytes:
    if isinstance(value, bytes):
        return value[:length]
    start = text_in(value)[:length]
    text = "".join(start.split())
    whole_groups = len(text) // 4 * 4
    return binascii.a2b_base64(text[:whole_groups])


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    at = len(_JPEG_SIGNATURE)
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker in _JPEG_FRAMES and marker not in _NOT_JPEG_FRAMES:
            height = int.from_bytes(head[at + 5 : at + 7], "big")
            width = int.from_bytes(head[at + 7 : at + 9], "big")
            return width, height
        segment_length = int.from_bytes(head[at + 2 : at + 4], "big")
        at += 2 + segment_length
    return None
