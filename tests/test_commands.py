"""The commands: how they are read, and what they show."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from markdown_it import MarkdownIt
from traitlets.config import Config

from codebuddy_jupyter import __version__, commands
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands import COMMANDS, Call, Command, help_rows, read
from codebuddy_jupyter.commands.completion import Offers
from codebuddy_jupyter.errors import SettingError, Unreachable
from codebuddy_jupyter.messages import Model, Progress
from codebuddy_jupyter.question import prompts
from tests.support.command_line import run_line, table
from tests.support.fakes import FakeProvider, eventually, fake_of, local
from tests.support.scripted_server import ScriptedServer

Steps = list[tuple[str, int, int]]
SHELL = SimpleNamespace()


def record(steps: Steps) -> Progress:
    """Return a progress callback that keeps its calls."""
    return lambda what, done, total: steps.append((what, done, total))


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("/help", Call("help")),
        (" /HELP ", Call("help")),
        ("\n \n\t/help", Call("help")),
        ("/use  local/phi4 ", Call("use", "local/phi4")),
        ("/fix use polars\nx = 1\n", Call("fix", "use polars", "x = 1\n")),
    ],
)
def test_a_slash_after_blanks_and_blank_lines_is_a_command(
    text: str, call: Call
) -> None:
    assert read(text) == call


@pytest.mark.parametrize(
    "text", ["", " \n", "help", "why /help?", "\\/help", "1\n/help"]
)
def test_any_other_text_is_a_prompt(text: str) -> None:
    assert read(text) is None


def test_the_lines_below_belong_to_the_arguments() -> None:
    assert Call("context", "why", "is it empty?\n").arguments == "why\nis it empty?"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("/hlep", "There is no command /hlep. Did you mean: %buddy /help; or to ask"),
        ("/Model local", "There is no command /Model. Did you mean: %buddy /models; "),
        ("/fixx", "There is no command /fixx. Did you mean: %buddy /fix; "),
        ("/xyzzy", "There is no command /xyzzy. List all commands: %buddy /help; "),
        ("/", "There is no command /. List all commands: %buddy /help; "),
        ("/home/me/data.csv is empty, why?", "There is no command /home/me/data.csv. "),
    ],
)
def test_an_unknown_command_names_the_nearest(line: str, error: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(line)
    assert str(caught.value).startswith(error)
    assert "\n" not in str(caught.value)


def test_the_table_holds_every_command_that_is_declared() -> None:
    declared = []
    for module in pkgutil.iter_modules(
        commands.__path__, "codebuddy_jupyter.commands."
    ):
        values = vars(importlib.import_module(module.name)).values()
        declared += [value for value in values if isinstance(value, Command)]
    assert {command.name for command in declared} <= set(COMMANDS)
    assert set(prompts.TASKS) <= set(COMMANDS)
    assert all(name == command.name for name, command in COMMANDS.items())


def test_help_completion_and_the_table_agree(buddy: Buddy) -> None:
    rows = table(run_line(buddy, "/help"))[1:]
    assert rows == [list(row) for row in help_rows()]
    in_help = re.findall(r"^%buddy /(\w+)", "\n".join(usage for usage, _ in rows), re.M)
    offers = Offers(SHELL, names=list, folder=lambda: None)
    _, completed = offers.find("/")
    assert in_help == list(COMMANDS)
    assert [text for text, _ in completed] == [f"/{name}" for name in COMMANDS]


def test_every_task_asks_the_model_and_no_other_command_does(buddy: Buddy) -> None:
    asking = {name for name, command in COMMANDS.items() if command.asks_model}
    assert asking == set(prompts.TASKS)
    for name in COMMANDS:
        prompt = Call(name, body="x = 1").prompt(buddy)
        assert (prompt is not None) == (name in prompts.TASKS)
    with pytest.raises(ValueError, match=r"Call\.prompt"):
        run_line(buddy, "/fix")


def test_panel_opens_one_where_that_is_possible(buddy: Buddy) -> None:
    opened = []
    shown = run_line(buddy, "/panel", open_panel=lambda: opened.append("panel"))
    assert (shown, opened) == ("", ["panel"])


def test_panel_explains_where_one_can_be_opened(buddy: Buddy) -> None:
    shown = MarkdownIt().renderInline(run_line(buddy, "/panel"))
    assert shown.startswith("The panel opens only in a cell of a notebook. ")
    assert "%buddy /panel" in shown


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


def test_models_lists_what_the_server_offers(buddy: Buddy, fake: FakeProvider) -> None:
    fake.offers = [
        Model("llama3:8b", 8192, True, ("chat", "tools"), 4_920_000_000, 131072),
        Model("phi", loaded=False),
    ]
    assert table(run_line(buddy, "/models")) == [
        ["Local model", "context window", "maximum", "size", "supports", ""],
        ["llama3:8b", "8,192", "131,072", "4.9 GB", "chat, tools", "loaded"],
        ["phi", "", "", "", "", ""],
    ]


def test_models_lists_those_of_another_provider(buddy: Buddy) -> None:
    fake_of(buddy, "OpenAI").offers = [Model("gpt-4o")]
    assert table(run_line(buddy, "/models openai"))[1:] == [
        ["gpt-4o", "", "", "", "", ""]
    ]
    assert run_line(buddy, "/models") == "Local offers no models."
    with pytest.raises(
        SettingError, match="There is no provider 'openia': did you mean OpenAI"
    ):
        run_line(buddy, "/models openia")


def test_models_fails_when_the_server_does_not_answer(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.offers = Unreachable("Nothing answers.")
    with pytest.raises(Unreachable, match="Nothing answers"):
        run_line(buddy, "/models")


def test_offline_holds_for_commands_too(buddy: Buddy) -> None:
    buddy.offline = True
    run_line(buddy, "/models openai")
    assert fake_of(buddy, "OpenAI").offline


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>",
        "a | b | <script>alert(1)</script>",
        "[click](javascript:alert(1))",
        "![](http://elsewhere/?q=secret)",
        "`code` **bold** $x$ \\| \\",
        "<!-- a comment",
        "http://elsewhere/",
    ],
)
def test_a_hostile_name_of_a_model_is_shown_as_text(
    buddy: Buddy, fake: FakeProvider, name: str
) -> None:
    fake.offers = [Model(name, abilities=(name,)), Model("after")]
    assert table(run_line(buddy, "/models"))[1:] == [
        [name, "", "", "", name, ""],
        ["after", "", "", "", "", ""],
    ]


@pytest.mark.parametrize("name", ["two\nlines\n\n# and a heading", "a\r\n\r\n<script>"])
def test_a_name_over_lines_stays_in_its_row(
    buddy: Buddy, fake: FakeProvider, name: str
) -> None:
    fake.offers = [Model(name), Model("after")]
    rows = table(run_line(buddy, "/models"))
    assert len(rows) == 3
    assert rows[2] == ["after", "", "", "", "", ""]


def test_reset_starts_a_new_conversation(buddy: Buddy, fake: FakeProvider) -> None:
    assert (
        run_line(buddy, "/reset")
        == "Started a new conversation; the previous one had 0 turns."
    )
    buddy.ask("1?").result()
    assert (
        run_line(buddy, "/reset")
        == "Started a new conversation; the previous one had 1 turn."
    )
    buddy.ask("2?").result()
    assert len(fake.requests[-1].messages) == 2


def test_pull_downloads_a_model_and_reports_progress(
    buddy: Buddy, fake: FakeProvider
) -> None:
    steps: Steps = []
    assert MarkdownIt().renderInline(
        run_line(buddy, "/pull qwen3:8b", record(steps))
    ) == ("qwen3:8b is downloaded. To use it: %buddy /use qwen3:8b")
    assert (fake.told, steps) == ([("pull", "qwen3:8b")], [("fetching", 1, 2)])


@pytest.mark.parametrize("name", ["load", "unload"])
def test_load_and_unload_take_a_name_or_the_model_in_use(
    buddy: Buddy, fake: FakeProvider, name: str
) -> None:
    shown = run_line(buddy, f"/{name} phi4")
    run_line(buddy, f"/{name}")
    assert fake.told == [(name, "phi4"), (name, "fake-1")]
    assert shown.startswith(f"phi4 is {name}ed")


@pytest.mark.parametrize("name", ["pull", "load", "unload"])
def test_pull_load_and_unload_need_a_model(
    buddy: Buddy, fake: FakeProvider, name: str
) -> None:
    fake.model = ""
    with pytest.raises(
        SettingError, match=f"needs the name of a model. Name it: %buddy /{name} NAME"
    ):
        run_line(buddy, f"/{name}")


def test_a_provider_that_cannot_download_says_so(tmp_path: Path) -> None:
    buddy = Buddy(
        settings_path=tmp_path / "codebuddy.json",
        config=Config(Buddy={"provider": "Embedded"}),
    )
    with pytest.raises(
        SettingError, match="does not support a command to download a model"
    ):
        run_line(buddy, "/pull phi4")
    buddy.close()


def test_use_loads_the_model_ahead(buddy: Buddy, fake: FakeProvider) -> None:
    run_line(buddy, "/use local/phi4")
    assert eventually(lambda: fake.told == [("load ahead", "phi4")])
