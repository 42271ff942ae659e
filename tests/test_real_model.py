"""A small real model in the real engine, from end to end. It is often wrong, so nothing
here depends on what it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from datetime import date
from pathlib import Path
from typing import Any, Literal, cast

import pytest

import codebuddy_jupyter
from codebuddy_jupyter import api
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.values.asking import SchemaModes, answer
from codebuddy_jupyter.values.form import form_of
from tests.docs.texts import VALUES, blocks
from tests.support.engines import eventually, fetch
from tests.support.real_model import FILE, MISSING, NAME

CELLS = blocks(VALUES, "python")


@pytest.fixture(scope="module")
def real(loop: Loop) -> Iterator[EmbeddedProvider]:
    assert FILE is not None, MISSING
    provider = EmbeddedProvider(model=str(FILE))
    yield provider
    loop.run(provider.close())


def test_a_question_is_answered_in_many_chunks(
    loop: Loop, real: EmbeddedProvider
) -> None:
    async def answer() -> list[str]:
        name = await real.choose("")
        messages = (Message("user", "Write a Python function that adds two numbers."),)
        request = Request(messages, name, temperature=0.0, max_tokens=40)
        return [chunk.text async for chunk in real.stream(request) if chunk.text]

    pieces = loop.run(answer())
    assert len(pieces) > 10
    assert "def" in "".join(pieces)


def test_its_window_and_tokens_are_known(loop: Loop, real: EmbeddedProvider) -> None:
    name = loop.run(real.choose(""))
    assert loop.run(real.window(name)) == 8192
    assert 1 < (loop.run(real.count(name, "import pandas as pd")) or 0) < 12


def test_its_header_tells_what_the_list_of_models_shows(
    loop: Loop, real: EmbeddedProvider
) -> None:
    loop.run(real.window(NAME))
    (model,) = loop.run(real.models())
    assert (model.name, model.window, model.loaded) == (str(FILE), 8192, True)
    assert (model.size, model.max_window) == (98_362_432, 8192)
    assert model.parameters == 134_515_008


def test_an_answer_that_is_closed_frees_the_engine(
    loop: Loop, real: EmbeddedProvider
) -> None:
    async def begin_and_close() -> None:
        messages = (Message("user", "Count from one to a thousand, in words."),)
        request = Request(messages, await real.choose(""), temperature=0.0)
        async with aclosing(cast(Any, real.stream(request))) as chunks:
            await anext(chunks)

    def is_busy() -> bool:
        assert real._engine is not None
        return any(slot["is_processing"] for slot in fetch(real._engine, "/slots"))

    loop.run(begin_and_close())
    assert eventually(lambda: not is_busy())


@pytest.mark.parametrize(
    ("into", "question"),
    [
        (bool, "Is this a complaint? The room was loud."),
        (date, "On which day? We met on the 3rd of May 2025."),
        (Literal["good", "bad"], "What was it like? The room was loud."),
        (list[str], "Which fruits? Apples and pears."),
        ("city, nights int", "Three nights in Bern."),
    ],
    ids=str,
)
def test_its_typed_answers_are_valid(
    loop: Loop, real: EmbeddedProvider, into: Any, question: str
) -> None:
    messages = (Message("user", question),)
    request = Request(messages, NAME, temperature=0.1, max_tokens=100)
    answered = loop.run(answer(real, request, form_of(into), SchemaModes()))
    assert answered.value is not None
    assert (answered.usage.completion_tokens or 0) > 0


def test_a_buddy_asks_it_as_a_user_does(tmp_path: Path) -> None:
    assert FILE is not None, MISSING
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json")
    try:
        model = f"embedded/{FILE}"
        options = Options(model=model, max_tokens=8, context="none")
        reply = buddy.ask("Say hello.", options).result()
        assert reply.text
        assert (reply.provider, reply.model) == ("Embedded", NAME)
    finally:
        buddy.close()


def test_the_recipes_for_maps_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FILE is not None, MISSING
    monkeypatch.setenv("CODEBUDDY_PROVIDER", "Embedded")
    monkeypatch.setenv("CODEBUDDY_EMBEDDED_MODEL", str(FILE))
    api._plain_buddy.cache_clear()
    first = next(n for n, cell in enumerate(CELLS) if "buddy.map(" in cell)
    names: dict[str, Any] = {"buddy": codebuddy_jupyter}
    try:
        for cell in CELLS[first : first + 3]:
            # Both names of the comparison mean this model.
            by_name = cell.replace("model=name", f"model={f'embedded/{FILE}'!r}")
            exec(compile(by_name, "VALUES.md", "exec"), names)
    finally:
        api._plain_buddy().close()
        api._plain_buddy.cache_clear()
    assert set(names["reviews"]["complaint"].dropna()) <= {True, False}
    assert list(names["facts"].columns) == ["product", "broken", "days"]
    assert len(names["facts"]) == 4
    assert names["answers"].shape == (4, 2)
