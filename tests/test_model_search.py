"""Which model completes code: the one in use, another one of this machine, or none."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.completion import model_search
from codebuddy_jupyter.completion.model_search import Found, find_model
from codebuddy_jupyter.errors import NoInfill
from codebuddy_jupyter.messages import Model
from codebuddy_jupyter.providers.registry import GROUP, Registry
from tests.support.fakes import FakeProvider, fake_of, local
from tests.support.infill import COMPLETIONS, OLLAMA, PLAYED, Filled
from tests.support.kinds import listed
from tests.support.scripted_server import MODELS, ScriptedServer, as_json, hang

SHOW = "/api/show"
CHATS = as_json({"capabilities": ["completion"]})
INSERTS = as_json({"capabilities": ["completion", "insert"]})


class EngineProvider(FakeProvider):
    """An engine in a child process: it has no address."""

    def stays_here(self) -> bool:
        """Return True."""
        return True


def found(buddy: Buddy) -> Found:
    """What is found."""
    return buddy.loop.run(find_model(buddy))


def nothing(buddy: Buddy) -> NoInfill:
    """Why nothing is found."""
    with pytest.raises(NoInfill, match="No model on this machine") as raised:
        found(buddy)
    return raised.value


@pytest.mark.parametrize("kind", PLAYED, ids=lambda kind: kind.name)
def test_the_model_in_use_is_found_if_it_can(
    local_buddy: Buddy, server: ScriptedServer, kind: Filled
) -> None:
    kind.on(server)
    assert found(local_buddy) == Found("coder", "Local", "coder")
    # What is sent is nobody's code.
    (request,) = server.asked(kind.path)[-1:]
    assert "def add" in str(request["body"])


def test_another_model_of_the_server_is_found_by_its_name(
    local_buddy: Buddy, server: ScriptedServer
) -> None:
    OLLAMA.on(server)
    names = ("llama3", "mistral", "qwen2.5-coder:1.5b")
    server.script(listed(*names, owner="library"), path=MODELS)
    server.script(CHATS, INSERTS, path=SHOW)
    name = "qwen2.5-coder:1.5b"
    assert found(local_buddy) == Found(name, "Local", name)
    assert [one["body"]["model"] for one in server.asked(SHOW)] == ["llama3", name]


def test_where_no_model_can_the_error_says_what_was_tried(
    local_buddy: Buddy, server: ScriptedServer
) -> None:
    OLLAMA.on(server)
    server.script(listed("llama3", owner="library"), path=MODELS)
    server.script(CHATS, path=SHOW)
    error = nothing(local_buddy)
    assert "llama3 cannot write in the middle of a text" in error.what
    commands = [remedy.command for remedy in error.remedies]
    assert commands[0] == "%buddy /pull qwen2.5-coder-1.5b"


@pytest.mark.parametrize("silent", [True, False])
def test_a_server_that_does_not_answer_is_told(
    local_buddy: Buddy,
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    silent: bool,
) -> None:
    monkeypatch.setattr(model_search, "LIST_SECONDS", 0.5 if silent else 30.0)
    if silent:
        server.script(hang(), path=MODELS)
    else:
        local(local_buddy).base_url = "http://127.0.0.1:9/v1"
    what = "did not answer in time" if silent else "failed: "
    assert f"Local {what}" in nothing(local_buddy).what


def test_a_model_that_fails_does_not_end_the_search(
    local_buddy: Buddy, server: ScriptedServer
) -> None:
    names = ("first-coder", "second-coder")
    server.script(listed(*names, owner="somebody"), path=MODELS)
    broken: Any = as_json({"error": {"message": "out of memory"}}, 500)
    server.script(broken, path=COMPLETIONS)
    error = nothing(local_buddy)
    assert all(name in error.what for name in names)


def test_a_cloud_in_use_is_not_asked_and_the_local_model_is_named(
    local_buddy: Buddy, server: ScriptedServer
) -> None:
    OLLAMA.on(server)
    local_buddy.provider = "OpenAI"
    assert found(local_buddy) == Found("Local/coder", "Local", "coder")


def test_a_server_on_another_machine_is_not_asked(local_buddy: Buddy) -> None:
    local(local_buddy).base_url = "http://gpu.invalid:8000/v1"
    assert nothing(local_buddy).what == "No model on this machine completes code."


@pytest.mark.parametrize("can", [True, False])
def test_an_engine_keeps_the_model_in_use(tmp_path: Path, can: bool) -> None:
    entry = EntryPoint("Embedded", "tests.test_model_search:EngineProvider", GROUP)
    buddy = Buddy(settings_path=tmp_path / "s.json", registry=Registry([entry]))
    try:
        buddy.provider = "Embedded"
        engine = fake_of(buddy, "Embedded")
        engine.offers = [Model("fake-1"), Model("other-coder")]
        if can:
            assert found(buddy) == Found("Embedded/fake-1", "Embedded", "fake-1")
        else:
            engine.writes = [[NoInfill("It cannot.")]]
            assert "other-coder" not in nothing(buddy).what
        assert [request.model for request in engine.infills] == ["fake-1"]
    finally:
        buddy.close()
