"""The switch for completion while typing: what it changes, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.widgets.completion_switch import (
    OFF,
    REPLAY,
    SEARCHING,
    CompletionSwitch,
)
from codebuddy_jupyter.widgets.settings_form import SettingsForm
from tests.support.fakes import eventually
from tests.support.infill import INFILL, LLAMA_CPP
from tests.support.scripted_server import MODELS, ScriptedServer, hang, model_list


@pytest.fixture
def said() -> list[Any]:
    """What the switch says."""
    return []


@pytest.fixture
def switch(local_buddy: Buddy, said: list[Any]) -> Iterator[CompletionSwitch]:
    switch = CompletionSwitch(local_buddy, said.append)
    yield switch
    switch.close()


def test_on_it_sets_the_model_that_was_found_and_off_none(
    switch: CompletionSwitch,
    local_buddy: Buddy,
    server: ScriptedServer,
    said: list[Any],
) -> None:
    LLAMA_CPP.on(server)
    assert switch.value is False
    switch.value = True
    assert eventually(lambda: len(said) == 2)
    assert said[0] == SEARCHING
    assert said[1] == (
        "coder completes code while you type. It runs on this machine (Local)."
    )
    assert (local_buddy.completion_model, switch.value) == ("coder", True)
    switch.value = False
    assert (local_buddy.completion_model, said[-1]) == ("", OFF)


def test_where_no_model_can_it_is_off_again_and_says_why(
    switch: CompletionSwitch,
    local_buddy: Buddy,
    server: ScriptedServer,
    said: list[Any],
) -> None:
    server.script(model_list("llama3"), path=MODELS)
    switch.value = True
    assert eventually(lambda: len(said) == 2)
    assert (local_buddy.completion_model, switch.value) == ("", False)
    assert said[1]["what"].startswith("No model on this machine completes code")
    assert said[1]["remedies"][0]["command"].startswith("%buddy /pull ")


def test_off_while_it_searches_ends_the_search(
    switch: CompletionSwitch,
    local_buddy: Buddy,
    server: ScriptedServer,
    said: list[Any],
) -> None:
    LLAMA_CPP.on(server)
    server.script(hang(), path=INFILL)
    switch.value = True
    assert eventually(lambda: server.asked(INFILL))
    switch.value = False
    assert eventually(lambda: server.asked(INFILL)[-1]["closed"] is not None)
    assert (local_buddy.completion_model, said) == ("", [SEARCHING, OFF])


def test_it_follows_the_setting(
    switch: CompletionSwitch, local_buddy: Buddy, said: list[Any]
) -> None:
    local_buddy.completion_model = "coder"
    assert switch.value is True
    local_buddy.completion_model = ""
    assert switch.value is False
    assert said == []


def test_nothing_is_asked_while_answers_are_replayed_only(
    switch: CompletionSwitch,
    local_buddy: Buddy,
    server: ScriptedServer,
    said: list[Any],
) -> None:
    local_buddy.replay = "only"
    switch.value = True
    assert (switch.value, said, server.requests) == (False, [REPLAY], [])


def test_a_form_has_it_and_shows_what_it_says(
    local_buddy: Buddy, server: ScriptedServer
) -> None:
    LLAMA_CPP.on(server)
    form = SettingsForm(local_buddy)
    form.completion.value = True
    assert eventually(
        lambda: (
            "completes code" in str(form.view._state.get("noted", ""))
            and local_buddy.completion_model
        )
    )
    form.close()
    local_buddy.completion_model = ""
    assert form.completion.value is True
