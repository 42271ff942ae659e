"""The commands about the provider: ``/use`` and ``/version``."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from traitlets.config import Config

from codebuddy_jupyter import __version__
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import SettingError, Unreachable
from codebuddy_jupyter.messages import Model
from tests.support.command_line import Steps, record, run_line, table
from tests.support.fakes import FakeProvider, eventually, fake_of, local
from tests.support.scripted_server import ScriptedServer


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
