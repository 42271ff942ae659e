"""The commands about the provider: ``/use`` and ``/version``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from traitlets.config import Config

from codebuddy_jupyter import __version__
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import ModelNotFound, SettingError, Unreachable
from codebuddy_jupyter.messages import Model
from tests.support.command_line import Steps, record, run_line, table
from tests.support.fakes import FakeProvider, eventually, fake_of, local
from tests.support.scripted_server import MODELS, ScriptedServer, model_list, plain


def test_version_shows_what_a_bug_report_needs(buddy: Buddy) -> None:
    shown = MarkdownIt().renderInline(run_line(buddy, "/version"))
    assert shown.startswith(f"codebuddy-jupyter {__version__} · openai ")
    assert " · Python 3." in shown


def test_use_alone_shows_where_requests_go_and_why(
    buddy: Buddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", "http://localhost:2")
    buddy.offline = True
    assert table(run_line(buddy, "/use"))[1:] == [
        ["provider", "Local", "default"],
        ["requests go to", "http://localhost:2", "environment CODEBUDDY_BASE_URL"],
        ["model", "fake-1", "default"],
        ["offline", "nothing leaves this machine", "this kernel"],
    ]


@pytest.mark.parametrize(
    ("line", "provider", "model"),
    [
        ("/use openai", "OpenAI", "cloud-1"),
        ("/use OpenAI/gpt-4o", "OpenAI", "gpt-4o"),
        ("/use openai:gpt-4o", "OpenAI", "gpt-4o"),
        ("/use openai/", "OpenAI", "cloud-1"),
        ("/use ollama/llama3", "Local", "llama3"),
        ("/use lmstudio", "Local", "fake-1"),
        ("/use /llama3", "Local", "llama3"),
        ("/use llama3:8b", "Local", "llama3:8b"),
        ("/use meta/llama3", "Local", "meta/llama3"),
        ("/use qwen:7b", "Local", "qwen:7b"),
        ("/use openai/gpt-oss-20b", "Local", "openai/gpt-oss-20b"),
    ],
)
def test_use_switches_in_this_kernel(
    buddy: Buddy, fake: FakeProvider, line: str, provider: str, model: str
) -> None:
    fake.offers = [Model("openai/gpt-oss-20b"), Model("qwen:7b")]
    steps: Steps = []
    rows = table(run_line(buddy, line, record(steps)))
    assert (rows[1], rows[3][:2]) == (
        ["provider", provider, "this kernel"],
        ["model", model],
    )
    assert buddy.current() is fake_of(buddy, provider)
    assert fake_of(buddy, provider).prepared == [model]
    assert steps == [("making ready", 1, 1)]


def test_use_wins_over_the_environment_even_where_they_agree(
    buddy: Buddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_PROVIDER", "openai")
    run_line(buddy, "/use openai")
    monkeypatch.setenv("CODEBUDDY_PROVIDER", "qwen")
    assert buddy.current() is fake_of(buddy, "OpenAI")


def test_a_switch_that_fails_changes_nothing(buddy: Buddy, fake: FakeProvider) -> None:
    fake.offers = Unreachable("Nothing answers.")
    with pytest.raises(
        SettingError,
        match="openai/x may be a model of Local, which does not respond",
    ):
        run_line(buddy, "/use openai/x")
    assert (buddy.provider, buddy.origin("provider")) == ("Local", "default")
    assert fake_of(buddy, "OpenAI").prepared == []


def test_use_shows_problems_of_the_settings(buddy: Buddy) -> None:
    buddy.problems.append("<b>The saved settings</b> are broken.")
    shown = run_line(buddy, "/use")
    assert "<b>" not in shown
    assert "The saved settings" in shown


def test_use_shows_the_corrected_address(
    server: ScriptedServer, tmp_path: Path
) -> None:
    typed = f"{server.root}/api"
    settings = Config(LocalProvider={"base_url": typed})
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json", config=settings)
    local(buddy).settle_timeout = 60.0
    assert table(run_line(buddy, "/use"))[2] == [
        "requests go to",
        server.url,
        "ipython_config.py",
    ]
    assert server.asked() == []
    buddy.close()


def test_use_loads_the_model_ahead(buddy: Buddy, fake: FakeProvider) -> None:
    run_line(buddy, "/use local/phi4")
    assert eventually(lambda: fake.told == [("load ahead", "phi4")])


@pytest.fixture
def asking(server: ScriptedServer, tmp_path: Path) -> Iterator[Buddy]:
    """A Buddy that asks the scripted server, which has a model with a path as name."""
    server.script(model_list("/models/Qwen2.5-7B", "llama3:latest"), path=MODELS)
    settings = Config(LocalProvider={"base_url": server.url})
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json", config=settings)
    yield buddy
    buddy.close()


@pytest.mark.parametrize(
    ("line", "model"),
    [
        ("/use /models/Qwen2.5-7B", "/models/Qwen2.5-7B"),
        ("/use local//models/Qwen2.5-7B", "/models/Qwen2.5-7B"),
        ("/use local/llama3", "llama3"),
        ("/use /llama3", "llama3"),
        ("/use LLAMA3:latest", "LLAMA3:latest"),
    ],
)
def test_use_takes_a_model_that_the_server_lists_as_it_is_typed(
    asking: Buddy, line: str, model: str
) -> None:
    assert table(run_line(asking, line))[3] == ["model", model, "this kernel"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "/use local/llama9",
            "no model 'llama9' at {url}. It has llama3:latest, /models/Qwen2.5-7B. "
            "Switch: %buddy /use llama3:latest",
        ),
        ("/use /models/Other", "There is no model '/models/Other' at "),
        ("/use opnai", "Did you mean the provider OpenAI? Or switch: "),
        ("/use OpnAI/gpt-4o", "Did you mean the provider OpenAI? "),
    ],
)
def test_use_refuses_what_the_server_does_not_list(
    asking: Buddy, server: ScriptedServer, line: str, says: str
) -> None:
    with pytest.raises(ModelNotFound) as caught:
        run_line(asking, line)
    assert says.format(url=server.url) in str(caught.value)
    assert asking.origin("provider") == "default"
    assert asking.current().model == ""


def test_use_takes_any_model_where_no_server_lists_them(
    asking: Buddy, server: ScriptedServer
) -> None:
    server.script(plain("no", status=500), path=MODELS)
    assert table(run_line(asking, "/use llama9"))[3][1] == "llama9"
    with pytest.raises(SettingError, match="Did you mean the provider OpenAI"):
        run_line(asking, "/use opnai")


def test_a_model_that_an_error_names_can_be_used_by_its_command(
    asking: Buddy,
) -> None:
    with pytest.raises(ModelNotFound) as caught:
        run_line(asking, "/use /models/Qwen2.5")
    command = caught.value.remedies[-1].command.removeprefix("%buddy ")
    assert table(run_line(asking, command))[3][1] == "/models/Qwen2.5-7B"
