"""The settings of the panel: the form follows the traits both ways, and the state of
the provider is told truly.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from traitlets import Bool, Enum, Float, Int, Unicode
from traitlets.config import Config

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.errors import Unreachable
from codebuddy_jupyter.messages import Chunk
from codebuddy_jupyter.providers.base import Provider
from codebuddy_jupyter.providers.registry import GROUP, Registry
from codebuddy_jupyter.settings.configured import DEFAULT, KERNEL
from codebuddy_jupyter.widgets.field import fields_of
from codebuddy_jupyter.widgets.page import help_of
from codebuddy_jupyter.widgets.provider_view import ProviderView
from codebuddy_jupyter.widgets.settings_form import SettingsForm
from tests.support.fakes import eventually, local
from tests.support.scripted_server import (
    CHAT,
    MODELS,
    ScriptedServer,
    as_json,
    hang,
    model_list,
    plain,
)

KEY = "sk-a-key-of-nobody-1234567890"


class ThirdPartyProvider(Provider):
    """A provider of another package, which knows nothing of the form."""

    label = "Third party"

    style = Enum(["terse", "lively"], "terse", help="How it talks.").tag(config=True)
    speed = Float(1.0, min=0.5, max=2.0, help="How fast it talks.").tag(
        config=True, order=-1
    )
    depth = Int(3, min=0, help="How far it thinks.").tag(config=True)
    rhymes = Bool(False, help="Whether it rhymes.").tag(config=True)
    token = Unicode("", help="Not for anybody's eyes.").tag(config=True, secret=True)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def real(server: ScriptedServer, tmp_path: Path) -> Iterator[Buddy]:
    """A Buddy with the real providers; the local one asks the scripted server."""
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json")
    local(buddy).base_url = server.url
    local(buddy).retries = 0
    yield buddy
    buddy.close()


@pytest.fixture
def form(real: Buddy) -> Iterator[SettingsForm]:
    form = SettingsForm(real)
    yield form
    form.close()


def box(form: SettingsForm, name: str) -> Any:
    """The widget of a setting."""
    form.more.value = True
    return next(field.widget for field in form._fields if field.name == name)


def first(form: SettingsForm) -> list[str]:
    """What the fields that are always shown are called."""
    return [widget.description for widget in form.main.children]


def state(view: ProviderView) -> dict[str, Any]:
    """What the page shows of the provider."""
    return view._state


def line(view: ProviderView, name: str) -> str:
    """A line that the page shows, whether it is a plain one or an error."""
    shown = state(view)[name]
    return str(shown["line"] if isinstance(shown, dict) else shown)


def fact(view: ProviderView, label: str) -> str | None:
    """What the page shows with a label, if anything."""
    return dict(state(view).get("facts", ())).get(label)


def test_local_shows_base_url_and_model_and_a_cloud_its_model_alone(
    form: SettingsForm, real: Buddy
) -> None:
    assert first(form) == ["Base URL", "Model"]
    form.choice.value = "OpenAI"
    assert (real.provider, first(form)) == ("OpenAI", ["Model"])
    form.choice.value = "Embedded"
    assert first(form) == ["Model"]
    form.choice.value = "Local"
    assert first(form) == ["Base URL", "Model"]


def test_the_providers_are_offered_by_their_labels(form: SettingsForm) -> None:
    labels = [label for label, _ in form.choice.options]
    assert labels[:2] == [
        "Local LLM (Ollama/LM Studio)",
        "Embedded llama.cpp (no server needed)",
    ]
    assert "Google Gemini" in labels


def test_an_edit_is_a_change_in_this_kernel(form: SettingsForm, real: Buddy) -> None:
    box(form, "model").value = "qwen2.5-coder"
    assert local(real).model == "qwen2.5-coder"
    assert local(real).origin("model") == KERNEL


def test_what_config_changes_is_shown(form: SettingsForm, real: Buddy) -> None:
    local(real).update_config(
        Config(
            {
                "LocalProvider": {
                    "base_url": "http://localhost:1234/v1",
                    "temperature": 0.5,
                }
            }
        )
    )
    assert box(form, "base_url").value == "http://localhost:1234/v1"
    assert box(form, "temperature").value == "0.5"
    real.update_config(Config({"Buddy": {"provider": "openai"}}))
    assert form.choice.value == "OpenAI"


def test_showing_a_value_does_not_make_it_this_kernels_own(
    form: SettingsForm, real: Buddy
) -> None:
    assert real.origin("system_prompt") == DEFAULT
    assert local(real).origin("temperature") == DEFAULT


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("temperature", "0.7", 0.7),
        ("temperature", " ", None),
        ("max_tokens", "100", 100),
        ("retries", 5, 5),
    ],
    ids=[
        "number",
        "empty for the default",
        "whole number",
        "number that is always there",
    ],
)
def test_what_is_typed_becomes_what_the_setting_holds(
    form: SettingsForm, real: Buddy, name: str, typed: object, value: object
) -> None:
    box(form, name).value = typed
    assert getattr(local(real), name) == value


def test_a_list_is_typed_with_commas(form: SettingsForm, real: Buddy) -> None:
    box(form, "allowed_hosts").value = "gpu.lan:8000, other.lan"
    assert real.allowed_hosts == ["gpu.lan:8000", "other.lan"]
    real.allowed_hosts = []
    assert box(form, "allowed_hosts").value == ""


@pytest.mark.parametrize(
    ("name", "typed", "why"),
    [
        ("temperature", "warm", "warm"),
        ("temperature", "3", "3"),
        ("base_url", "http://a b", "spaces"),
    ],
    ids=["no number", "out of bounds", "no address"],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    form: SettingsForm, real: Buddy, name: str, typed: str, why: str
) -> None:
    before = getattr(local(real), name)
    box(form, name).value = typed
    assert why in line(form.view, "noted")
    assert getattr(local(real), name) == before
    box(form, name).value = "" if name == "temperature" else "http://localhost:1"
    assert state(form.view)["noted"] == ""


def test_a_provider_of_another_package_gets_a_form_of_its_own(tmp_path: Path) -> None:
    entry = EntryPoint("Third", "tests.test_settings_form:ThirdPartyProvider", GROUP)
    buddy = Buddy(
        settings_path=tmp_path / "codebuddy.json",
        registry=Registry([entry]),
        config=Config(),
    )
    buddy.provider = "Third"
    form = SettingsForm(buddy)
    kinds = {
        name: type(box(form, name)).__name__
        for name in ("style", "speed", "depth", "rhymes", "model")
    }
    assert kinds == {
        "style": "Dropdown",
        "speed": "BoundedFloatText",
        "depth": "BoundedIntText",
        "rhymes": "Checkbox",
        "model": "Combobox",
    }
    assert (box(form, "speed").min, box(form, "speed").max, box(form, "depth").min) == (
        0.5,
        2.0,
        0,
    )
    assert getattr(box(form, "style"), *help_of("")) == "How it talks."
    assert fields_of(buddy.provider_named("Third"))[0] == "speed"
    assert "token" not in [field.name for field in form._fields]
    form.close()
    buddy.close()


def test_more_shows_the_other_settings_of_the_provider_in_use(
    form: SettingsForm,
) -> None:
    assert form.rest.children == ()
    form.more.value = True
    shown = [widget.description for widget in form.rest.children]
    assert shown[:3] == ["Temperature", "Max tokens", "System prompt"]
    assert "Context window" in shown
    form.choice.value = "OpenAI"
    assert "Base URL" in [widget.description for widget in form.rest.children]
    form.more.value = False
    assert form.rest.layout.display == "none"


def test_the_models_of_the_server_are_offered(
    form: SettingsForm, server: ScriptedServer
) -> None:
    assert eventually(lambda: box(form, "model").options == ("llama3",))
    with ScriptedServer() as other:
        other.script(model_list("qwen", "nomic-embed"), path=MODELS)
        box(form, "base_url").value = other.url
        assert eventually(lambda: box(form, "model").options[:1] == ("qwen",))


def test_model_window_host_and_latency_are_told_each_with_its_label(
    form: SettingsForm, server: ScriptedServer
) -> None:
    server.script(model_list("llama3", max_model_len=8192), path=MODELS)
    form.view.refresh()
    assert eventually(lambda: fact(form.view, "Context window") == "8,192 tokens")
    assert [label for label, _ in state(form.view)["facts"]] == [
        "Model",
        "Context window",
        "Host",
        "Latency",
    ]
    assert (fact(form.view, "Model"), fact(form.view, "Host")) == (
        "llama3",
        f"127.0.0.1:{server.port}",
    )


def test_a_model_that_the_server_does_not_list_is_told_so(form: SettingsForm) -> None:
    box(form, "model").value = "lama3"
    assert eventually(
        lambda: fact(form.view, "Model") == "lama3, which is not in the server's list"
    )


@pytest.mark.parametrize(
    ("answer", "dot", "told"),
    [
        (None, "reachable", ""),
        (plain("<html>A page</html>", "text/html"), "unreachable", "a web page"),
        (as_json({"error": {"message": "no key"}}, 401), "unreachable", "key"),
        (as_json({"error": {"message": "Loading model"}}, 503), "loading", "oading"),
    ],
    ids=["good", "a page", "wants a key", "loads"],
)
def test_the_dot_tells_how_it_stands(
    real: Buddy, server: ScriptedServer, answer: Any, dot: str, told: str
) -> None:
    if answer is not None:
        server.script(answer, path=MODELS)
    form = SettingsForm(real)
    assert eventually(
        lambda: state(form.view)["title"] == dot and told in line(form.view, "trouble"),
        20,
    )
    assert (state(form.view)["dot"], bool(state(form.view)["facts"])) == (
        dot,
        dot == "reachable",
    )
    assert state(form.view)["where"] == "Requests stay on this machine."
    form.close()


def test_an_absent_server_is_unreachable_with_a_remedy(form: SettingsForm) -> None:
    box(form, "base_url").value = "http://127.0.0.1:9/v1"
    assert eventually(lambda: state(form.view)["dot"] == "unreachable")
    assert "base_url" in state(form.view)["trouble"]["line"]
    remedies = state(form.view)["trouble"]["remedies"]
    assert remedies[0]["text"] == "Start the server there"
    assert remedies[1]["command"].startswith("%config LocalProvider.base_url = ")
    assert state(form.view)["facts"] == []


def test_nobody_is_asked_while_nothing_happens(
    form: SettingsForm, server: ScriptedServer
) -> None:
    assert eventually(lambda: state(form.view)["dot"] == "reachable")
    before = len(server.requests)
    time.sleep(1)
    assert len(server.requests) == before
    assert server.asked(CHAT) == []


def test_an_answer_tells_how_it_stands_with_its_provider(
    form: SettingsForm, real: Buddy
) -> None:
    assert eventually(lambda: state(form.view)["dot"] == "reachable")
    form.view.show(dot="unreachable")
    reply = real.ask("hello").result()
    form.note_end(reply)
    assert eventually(lambda: state(form.view)["dot"] == "reachable")


async def _no_chunks(reply: Reply) -> AsyncIterator[Chunk]:
    raise AssertionError("The reply is never read.")
    yield


def test_an_answer_of_another_provider_tells_nothing(
    form: SettingsForm, real: Buddy
) -> None:
    assert eventually(lambda: state(form.view)["dot"] == "reachable")
    reply = Reply("hello", _no_chunks, real.loop)
    reply.provider, reply.error = "OpenAI", Unreachable("gone")
    form.note_end(reply)
    assert state(form.view)["dot"] == "reachable"


def test_a_test_of_the_connection_shows_what_was_found(form: SettingsForm) -> None:
    form.test.click()
    assert state(form.view)["report"]["verdict"] == "Testing…"
    assert eventually(lambda: state(form.view)["report"]["rows"])
    report = state(form.view)["report"]
    assert report["verdict"] == "Local is working."
    assert {"address", "connection", "model", "answer", "context window"} <= {
        row["name"] for row in report["rows"]
    }


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (plain("<html>A page</html>", "text/html"), "server"),
        (as_json({"error": {"message": "a key, please"}}, 401), "key"),
        (hang(), "http"),
    ],
    ids=["a page", "wants a key", "silent"],
)
def test_a_test_that_fails_tells_the_reason_and_a_remedy(
    form: SettingsForm, server: ScriptedServer, answer: Any, failed: str
) -> None:
    server.script(answer, path=MODELS)
    form.test.click()
    assert eventually(lambda: state(form.view)["report"]["rows"], 20)
    row = state(form.view)["report"]["rows"][-1]
    assert (row["name"], row["mark"]) == (failed, "✗")
    commands = [remedy["command"] for remedy in row["remedies"]]
    assert any(re.match(r"%config|CODEBUDDY_BASE_URL=|%buddy", it) for it in commands)


def test_save_tells_where_and_a_new_buddy_has_it(
    form: SettingsForm, tmp_path: Path
) -> None:
    box(form, "model").value = "qwen"
    form.keep.click()
    assert str(tmp_path / "codebuddy.json") in state(form.view)["noted"]
    assert (
        json.loads((tmp_path / "codebuddy.json").read_text())["LocalProvider"]["model"]
        == "qwen"
    )
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json")
    assert local(buddy).model == "qwen"
    buddy.close()


def test_nothing_is_written_before_save(form: SettingsForm, tmp_path: Path) -> None:
    box(form, "model").value = "qwen"
    assert not (tmp_path / "codebuddy.json").exists()


def test_what_is_chosen_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_PROVIDER", "OpenAI")
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json")
    buddy.current()
    form = SettingsForm(buddy)
    assert form.choice.value == "OpenAI"
    form.choice.value = "Local"
    assert (buddy.provider, form.choice.value, buddy.origin("provider")) == (
        "Local",
        "Local",
        KERNEL,
    )
    assert [field.name for field in form._fields] == ["base_url", "model"]
    form.close()
    buddy.close()


def test_what_the_environment_decides_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_MODEL", "theirs")
    buddy = Buddy(
        settings_path=tmp_path / "codebuddy.json",
        config=Config({"Buddy": {"offline": True}}),
    )
    form = SettingsForm(buddy)
    assert box(form, "model").value == "theirs"
    lines = ["Offline is set by ipython_config.py.", "Model is set by CODEBUDDY_MODEL."]
    assert state(form.view)["overridden"] == lines
    box(form, "model").value = "mine"
    assert (
        state(form.view)["overridden"][1]
        == "Model: in new kernels CODEBUDDY_MODEL overrides the saved value."
    )
    form.close()
    buddy.close()


def test_a_key_is_kept_for_its_host_and_shown_nowhere(
    form: SettingsForm, real: Buddy, home: Path
) -> None:
    view = form.view
    view.receive({"type": "key", "key": f" {KEY} "})
    assert eventually(lambda: "is stored in" in state(view)["noted"])
    assert eventually(
        lambda: "set (stored for" in (state(view)["key"] or {}).get("text", "")
    )
    assert local(real).find_key() == KEY
    shown = [
        state(view),
        *({**w.get_state(), "_esm": ""} for w in (view, form, *form.main.children)),
    ]
    assert KEY not in repr(shown)
    view.receive({"type": "key", "key": ""})
    assert eventually(lambda: "was deleted" in state(view)["noted"])


def test_a_key_that_cannot_be_one_is_refused_without_showing_it(
    form: SettingsForm,
) -> None:
    form.view.receive({"type": "key", "key": "two words"})
    assert eventually(lambda: "is not a valid key" in line(form.view, "noted"))
    assert "two words" not in repr(state(form.view))


def test_a_cloud_tells_whether_a_key_is_there(
    form: SettingsForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    form.choice.value = "OpenAI"
    assert eventually(lambda: state(form.view)["key"] is not None)
    assert state(form.view)["key"] == {"text": "not set", "needed": True}
    assert state(form.view)["where"] == "Requests go to api.openai.com."


def test_the_variable_that_holds_a_key_is_named(
    real: Buddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    real.offline = True
    real.provider = "OpenAI"
    form = SettingsForm(real)
    assert eventually(lambda: state(form.view)["key"] is not None)
    assert state(form.view)["key"]["text"] == "set (from the variable OPENAI_API_KEY)"
    assert eventually(lambda: state(form.view)["dot"] == "unreachable")
    assert KEY not in repr(state(form.view))
    form.close()


def test_closing_the_form_leaves_no_observer(real: Buddy) -> None:
    def observers() -> int:
        owners = (real, local(real))
        return sum(
            len(found)
            for owner in owners
            for kinds in owner._trait_notifiers.values()
            for found in kinds.values()
        )

    before = observers()
    form = SettingsForm(real)
    form.choice.value = "OpenAI"
    form.choice.value = "Local"
    form.close()
    assert observers() == before
