"""Notebooks as Jupyter saves them, with their outputs and pictures."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    + struct.pack(">II", 640, 480)
    + b"\x08\x06\0\0\0"
    + bytes(100)
)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=15,
)


def text64(data: bytes) -> str:
    return base64.encodebytes(data).decode()


def code(
    source: str | list[str],
    id: str | None = None,
    number: int | None = None,
    *outputs: Any,
) -> dict[str, Any]:
    named = {} if id is None else {"id": id}
    return {
        "cell_type": "code",
        "source": source,
        "execution_count": number,
        "metadata": {},
        "outputs": list(outputs),
        **named,
    }


def printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def picture(data: bytes) -> dict[str, Any]:
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {"image/png": text64(data)},
    }


def save(path: Path, *cells: dict[str, Any], indent: int | None = 1) -> Path:
    """Write a notebook as Jupyter does."""
    notebook = {
        "cells": list(cells),
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(
        json.dumps(notebook, indent=indent, sort_keys=True, ensure_ascii=False),
        encoding="utf-8",
    )
    return path
