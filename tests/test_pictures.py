"""Pictures among the outputs: found, decoded, and measured."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context.outputs import display_output
from codebuddy_jupyter.context.pictures import (
    LARGEST_PICTURE,
    Picture,
    picture_in,
    picture_line,
    text_in,
)
from tests.support.saved_notebooks import PNG, text64

GIF = b"GIF89a" + struct.pack("<HH", 32, 16) + bytes(20)


def test_a_picture_is_found_and_decoded() -> None:
    found = picture_in({"text/plain": "x", "image/png": text64(PNG)})
    assert found is not None
    image = found.decoded()
    assert image is not None
    assert (image.data, image.media_type) == (PNG, "image/png")
    assert Picture("image/png", "abcde").decoded() is None


@given(st.binary(max_size=200))
def test_any_bytes_for_a_picture_give_a_line(data: bytes) -> None:
    for head in (b"", PNG[:16], GIF[:6], b"\xff\xd8"):
        output = display_output({"image/png": text64(head + data)}, is_result=False)
        assert output is not None
        assert output.text.startswith("image")


def test_a_picture_that_is_too_large_is_not_taken() -> None:
    assert picture_in({"image/png": b"x" * LARGEST_PICTURE}) is not None
    assert picture_in({"image/png": b"x" * (LARGEST_PICTURE + 1)}) is None


def test_only_formats_that_models_take_are_sent() -> None:
    assert picture_in({"image/gif": text64(GIF)}) is None
    assert picture_line({"image/gif": text64(GIF)}) == "image 32x16"
    assert picture_line({"text/plain": "x"}) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (["a\n", "b"], "a\nb"), (["a", 3], "a"), (None, ""), (3, "")],
)
def test_a_field_is_a_text_or_a_list_of_lines(value: object, text: str) -> None:
    assert text_in(value) == text
