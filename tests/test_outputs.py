"""Outputs in short: what a notebook file or the shell holds of them, as little text as
tells it.
"""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context.items import Output
from codebuddy_jupyter.context.outputs import (
    MAX_OUTPUTS,
    OUTPUT_CHARACTERS,
    OUTPUT_LINES,
    display_output,
    plain_text,
    saved_outputs,
    shorten,
    text_output,
)
from tests.support.saved_notebooks import ANYTHING, PNG, text64

GIF = b"GIF89a" + struct.pack("<HH", 32, 16) + bytes(20)
EXIF = b"\xff\xe1" + struct.pack(">H", 60_002) + bytes(60_000)
JPEG = (
    b"\xff\xd8" + EXIF + b"\xff\xc0" + struct.pack(">HBHH", 17, 8, 48, 64) + bytes(20)
)


def display(**data: Any) -> dict[str, Any]:
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {k.replace("_", "/"): v for k, v in data.items()},
    }


PRINTED = {
    "as it is": ("a\nb\n", "a\nb"),
    "colours": ("\x1b[1;31mred\x1b[0m", "red"),
    "link": ("\x1b]8;;http://a.b\x1b\\here\x1b]8;;\x1b\\", "here"),
    "progress bar": (
        "start\n 10%|#\r 50%|###\r100%|######\nend",
        "start\n100%|######\nend",
    ),
    "progress bar that is not yet done": ("10%\r20%\r", "20%"),
    "lines of Windows": ("a\r\nb\r\n", "a\nb"),
    "backspaces": ("12/60\x08\x08\x08\x08\x08\r60/60", "60/60"),
}


@pytest.mark.parametrize(("text", "kept"), PRINTED.values(), ids=PRINTED)
def test_a_text_is_as_the_reader_saw_it_last(text: str, kept: str) -> None:
    assert shorten(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "row\n" * 500_000,
        "1%\r" * 500_000,
        "y" * 1_900 + "\n" * 300 + "z",
    ],
)
def test_of_a_long_text_head_and_tail_stay(text: str) -> None:
    short = shorten(text)
    assert len(short) <= OUTPUT_CHARACTERS + 60
    assert short.count("\n") <= OUTPUT_LINES + 2
    assert short[:1] == plain_text(text)[:1]
    assert short[-1:] == plain_text(text).rstrip("\n")[-1:]


def test_what_is_left_out_is_counted() -> None:
    assert "\n[960 lines left out]\n" in shorten(
        "\n".join(f"row {number}" for number in range(1_000))
    )
    assert "\n[3,000 characters left out]\n" in shorten("x" * 5_000)


SHOWN = {
    "result": ({"text/plain": "42"}, "result", "42"),
    "table": (
        {"text/plain": "   a\n0  1", "text/html": ["<div>", "<table>…"]},
        "table",
        "   a\n0  1",
    ),
    "png": (
        {"image/png": text64(PNG), "text/plain": "<Figure>"},
        "image",
        "image 640x480",
    ),
    "png as bytes": ({"image/png": PNG}, "image", "image 640x480"),
    "gif": ({"image/gif": text64(GIF)}, "image", "image 32x16"),
    "jpeg behind a large head": ({"image/jpeg": text64(JPEG)}, "image", "image 64x48"),
    "broken image": ({"image/png": "iVBOR not base64 ä"}, "image", "image"),
    "svg": ({"image/svg+xml": "<svg/>"}, "image", "image (svg)"),
    "plotly": ({"application/vnd.plotly.v1+json": {}}, "image", "image (plotly)"),
    "widget": (
        {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntSlider()"},
        "text",
        "widget",
    ),
    "markdown": (
        {
            "text/markdown": "**b**",
            "text/plain": "<IPython.core.display.Markdown object>",
        },
        "result",
        "**b**",
    ),
    "json": (
        {
            "application/json": {"a": [1]},
            "text/plain": "<IPython.core.display.JSON object>",
        },
        "result",
        '{"a": [1]}',
    ),
    "styled table": (
        {
            "text/plain": "<pandas.io.formats.style.Styler at 0x7f>",
            "text/html": (
                "<style>td</style><table><tr><th>a</th><th>b</th></tr><tr><td>1</td> "
                "<td>&lt;2</td></table>"
            ),
        },
        "table",
        "a | b\n1 | <2",
    ),
    "object that says nothing": (
        {"text/plain": "<object object at 0x7f>"},
        "result",
        "<object object at 0x7f>",
    ),
}


@pytest.mark.parametrize(("data", "kind", "text"), SHOWN.values(), ids=SHOWN)
def test_what_was_displayed_becomes_a_text(
    data: dict[str, Any], kind: Any, text: str
) -> None:
    assert display_output(data, is_result=True) == Output(kind, text)


def test_an_error_is_its_marked_line_and_its_message() -> None:
    frames = [
        "\x1b[31m----\x1b[0m\nKeyError   Traceback",
        "\x1b[32m----> 2\x1b[0m df['x']\n",
        "> 3800 lib()",
        "KeyError: 'x'",
    ]
    error = {
        "output_type": "error",
        "ename": "KeyError",
        "evalue": "'x'",
        "traceback": frames,
    }
    assert saved_outputs([error]) == (
        Output("error", "----> 2 df['x']\nKeyError: 'x'"),
    )


def test_standard_output_and_error_that_take_turns_are_one_text() -> None:
    turns = [
        {"output_type": "stream", "name": name, "text": [f"{name}\n"]}
        for name in ("stdout", "stderr")
    ]
    assert saved_outputs(turns) == (Output("text", "stdout\nstderr"),)


def test_of_many_outputs_the_first_and_the_last_stay_and_together_they_are_small() -> (
    None
):
    many = saved_outputs(
        [
            display(text_plain=f"{number} " + "x" * 5_000, text_html="<table")
            for number in range(500)
        ]
    )
    assert len(many) == MAX_OUTPUTS + 1
    assert Output("text", f"[{500 - MAX_OUTPUTS} outputs left out]") in many
    assert many[0].text.startswith("0 ")
    assert many[-1].text.startswith("499 ")
    assert (
        sum(len(one.text) for one in many) <= 2 * OUTPUT_CHARACTERS + 60 * MAX_OUTPUTS
    )


def test_the_same_output_again_and_again_is_told_once() -> None:
    assert saved_outputs([display(image_png=text64(PNG))] * 30)[0] == Output(
        "image", "image 640x480"
    )


def test_an_answer_of_the_buddys_is_no_output() -> None:
    assert (
        saved_outputs(
            [display(text_plain="An answer.") | {"metadata": {"codebuddy": {}}}]
        )
        == ()
    )


@given(ANYTHING)
def test_any_json_for_outputs_gives_outputs(saved: Any) -> None:
    for one in saved_outputs(saved):
        assert isinstance(one, Output)


@given(
    st.dictionaries(
        st.sampled_from(
            ["output_type", "text", "data", "ename", "evalue", "traceback", "metadata"]
        ),
        ANYTHING,
    )
)
def test_any_output_gives_at_most_one(saved: dict[str, Any]) -> None:
    for kind in ("stream", "error", "display_data", "execute_result"):
        assert len(saved_outputs([saved | {"output_type": kind}])) <= 1


@pytest.mark.parametrize(
    "place",
    [
        "/tmp/ipykernel_4242/69621986.py",
        r"C:\Users\J Doe\AppData\Local\Temp\ipykernel_8\7.py",
        "<ipython-input-3-1f0c>",
    ],
)
def test_a_warning_is_told_by_its_line_without_repeating_it(place: str) -> None:
    printed = (
        f"before\n{place}:3: FutureWarning: x is deprecated: use y.\n"
        "  season = days.x\n"
        f"{place}:12: UserWarning: odd\n"
        "  after\nkept\n"
    )
    output = text_output(printed)
    assert output is not None
    assert output.text == (
        "before\nline 3: FutureWarning: x is deprecated: use y.\n"
        "line 12: UserWarning: odd\nkept"
    )


def test_a_warning_of_a_module_keeps_its_file() -> None:
    text = "/home/jo/lib.py:3: UserWarning: odd\n  x = 1"
    output = text_output(text)
    assert output is not None
    assert output.text == text
