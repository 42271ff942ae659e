"""The panel's view of a provider that it knows by the contract alone."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.messages import Model
from codebuddy_jupyter.providers.registry import GROUP, Registry
from codebuddy_jupyter.widgets.provider_view import ProviderView
from tests.support.fakes import eventually

KEY = "sk-very-secret-0123456789"
PROVIDERS = {
    "Elsewhere": "tests.support.elsewhere:Elsewhere",
    "Echo": "tests.third_party.codebuddy_echo:EchoProvider",
}


@pytest.fixture
def buddy(tmp_path: Path) -> Iterator[Buddy]:
    """A Buddy whose providers are those of other packages."""
    entries = [EntryPoint(name, path, GROUP) for name, path in PROVIDERS.items()]
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json", registry=Registry(entries))
    buddy.provider = "Elsewhere"
    yield buddy
    buddy.close()


@pytest.fixture
def listed() -> list[Model]:
    """The models that the view was given."""
    return []


@pytest.fixture
def view(buddy: Buddy, listed: list[Model]) -> Iterator[ProviderView]:
    """The view, of which no page is open."""
    view = ProviderView(buddy, listed.extend, lambda: None)
    yield view
    view.close()


def state_once_reachable(view: ProviderView) -> dict[str, Any]:
    """What the page shows when the view has asked the provider."""
    view.refresh()
    assert eventually(lambda: view._state["dot"] == "reachable")
    return view._state


def type_key(view: ProviderView, key: str) -> None:
    """Type a key as the page sends it."""
    view.receive({"type": "key", "key": key})


def test_a_declared_address_is_shown_as_the_host(
    view: ProviderView, listed: list[Model]
) -> None:
    state = state_once_reachable(view)
    assert state["where"] == "Requests go to api.elsewhere.example."
    facts = dict(state["facts"])
    assert facts["Model"] == "else-1"
    assert facts["Context window"] == "8,192 tokens"
    assert facts["Host"] == "api.elsewhere.example"
    assert "Latency" in facts
    assert [model.name for model in listed] == ["else-1", "else-2"]


def test_one_line_says_which_model_answers_and_where(view: ProviderView) -> None:
    state = state_once_reachable(view)
    assert (state["name"], state["model"]) == ("Elsewhere", "else-1")
    assert state["models"] == ["else-1", "else-2"]
    assert state["brief"] == "goes to api.elsewhere.example"


def test_another_model_is_chosen_in_the_line(view: ProviderView, buddy: Buddy) -> None:
    view.receive({"type": "use", "model": "else-2"})
    assert buddy.current().model == "else-2"
    view.receive({"type": "use", "model": 2})
    assert buddy.current().model == "else-2"


def test_a_key_that_is_missing_is_trouble(buddy: Buddy) -> None:
    troubles: list[str] = []
    view = ProviderView(buddy, lambda models: None, lambda: troubles.append("key"))
    state_once_reachable(view)
    assert troubles == ["key"]
    view.close()


def test_a_declared_key_variable_gives_a_field_for_the_key(view: ProviderView) -> None:
    assert state_once_reachable(view)["key"] == {"text": "not set", "needed": True}


def test_a_key_that_is_typed_is_stored_for_the_host_and_deleted_again(
    view: ProviderView, buddy: Buddy
) -> None:
    type_key(view, KEY)
    assert eventually(lambda: "is stored in" in view._state.get("noted", ""))
    assert buddy.current().try_key() == KEY
    stored = "set (stored for api.elsewhere.example)"
    assert eventually(lambda: (view._state.get("key") or {}).get("text") == stored)
    assert KEY not in repr(view._state)
    type_key(view, "")
    assert eventually(lambda: "was deleted" in view._state["noted"])
    assert buddy.current().try_key() is None


def test_a_key_in_the_environment_is_shown_with_its_variable(
    view: ProviderView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELSEWHERE_KEY", KEY)
    text = state_once_reachable(view)["key"]["text"]
    assert text == "set (from the variable ELSEWHERE_KEY)"


def test_without_an_address_there_is_neither_host_nor_key(
    view: ProviderView, buddy: Buddy
) -> None:
    buddy.provider = "Echo"
    state = state_once_reachable(view)
    assert state["where"] == "Requests go to EchoProvider."
    assert state["key"] is None
    assert not {"Host", "Latency"} & set(dict(state["facts"]))
    type_key(view, KEY)
    assert eventually(lambda: view._state.get("noted"))
    assert view._state["noted"]["line"] == "Echo uses no key."


def test_a_test_of_the_connection_shows_the_checks(view: ProviderView) -> None:
    type_key(view, KEY)
    assert eventually(lambda: "is stored in" in view._state.get("noted", ""))
    view.test()
    assert eventually(lambda: view._state["report"]["rows"], 30)
    report = view._state["report"]
    assert report["verdict"] == "Elsewhere is working."
    assert {"address", "key", "model", "answer"} <= {
        row["name"] for row in report["rows"]
    }
