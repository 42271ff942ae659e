"""How each model of each server chooses its looks."""

from __future__ import annotations

import asyncio

import pytest

from codebuddy_jupyter.errors import ServerError
from codebuddy_jupyter.messages import Model
from codebuddy_jupyter.question.looks import LARGE, LookModes
from codebuddy_jupyter.question.target import Target
from tests.support.fakes import FakeProvider


@pytest.mark.parametrize(
    ("offers", "mode"),
    [
        ([Model("fake-1", abilities=("tools",), parameters=LARGE)], "tools"),
        ([Model("fake-1", abilities=("tools",), parameters=LARGE // 4)], "schema"),
        ([Model("fake-1", abilities=("chat",), parameters=LARGE)], "schema"),
        ([Model("fake-1", abilities=("tools",))], "schema"),
        ([], "schema"),
        (ServerError("broken"), "schema"),
    ],
    ids=["large", "small", "no tools", "unknown size", "unknown", "no list"],
)
def test_only_large_models_with_tools_call_them(
    offers: list[Model] | ServerError, mode: str
) -> None:
    class Here(FakeProvider):
        """One that is on this machine."""

        def stays_here(self) -> bool:
            return True

    provider = Here()
    provider.offers = offers
    target = Target("Local", provider, "fake-1", None)
    modes = LookModes()
    assert asyncio.run(modes.of(target)) == mode
    modes.note(target, "tools")
    assert asyncio.run(modes.of(target)) == "tools"
