"""What can be typed after a slash, and what it answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from traitlets.config import Config

from codebuddy_jupyter import __version__
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands import COMMANDS, HELP, TASKS, run
from codebuddy_jupyter.errors import SettingError, Unreachable
from codebuddy_jupyter.messages import Model
from tests.fakes import FakeProvider, eventually, fake_of, local
from tests.scripted_server import ScriptedServer

Steps = list[tuple[str, int, int]]


def command(buddy: Buddy, line: str, steps: Steps | None = None) -> str:
    steps = [] if steps is None else steps
    return run(buddy, line, lambda *step: steps.append(step))


def table(markdown: str) -> list[list[str]]:
    """The cells of the table, as a reader sees them; fails where anything but plain
    text stands in one.
    """
    cells: list[list[str]] = []
    for token in (
        MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    ):
        if token.type == "tr_open":
            cells.append([])
        if token.type == "inline" and cells:
            assert {child.type for child in token.children or []} <= {
                "text",
                "text_special",
                "code_inline",
            }
            cells[-1].append("".join(child.content for child in token.children or []))
    return cells


@pytest.mark.parametrize("line", ["/help", "help", " /HELP ", "/help me", "/help\nme"])
def test_a_command_is_known_by_its_first_word(buddy: Buddy, line: str) -> None:
    assert command(buddy, line) == command(buddy, "/help")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/hlep", "There is no command /hlep: did you mean /help?"),
        ("/Model local", "There is no command /Model: did you mean /models?"),
        ("/xyzzy", "There is no command /xyzzy: see %buddy /help."),
        ("/", "There is no command /: see %buddy /help."),
        ("/home/me/data.csv is empty, why?", "There is no command /home/me/data.csv: "),
    ],
)
def test_an_unknown_command_names_the_nearest(
    buddy: Buddy, line: str, told: str
) -> None:
    with pytest.raises(SettingError) as caught:
        command(buddy, line)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_help_tells_every_command_in_a_table(buddy: Buddy) -> None:
    rows = table(command(buddy, "/help"))
    assert len(rows) == len(HELP) + 1
    assert {cell for row in rows[1:] for cell in row} == {
        cell for row in HELP for cell in row
    }
    named = set(re.findall(r"%buddy /(\w+)", str(HELP)))
    assert named | set(TASKS) == {*COMMANDS, *TASKS} - {"help"}


def test_version_tells_what_a_report_needs(buddy: Buddy) -> None:
    told = MarkdownIt().renderInline(command(buddy, "/version"))
    assert told.startswith(f"codebuddy-jupyter {__version__} · openai ")
    assert " · Python 3." in told


def test_use_alone_tells_where_requests_go_and_why(
    buddy: Buddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", "http://localhost:2")
    buddy.offline = True
    assert table(command(buddy, "/use"))[1:] == [
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
    rows = table(command(buddy, line, steps))
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
    command(buddy, "/use openai")
    monkeypatch.setenv("CODEBUDDY_PROVIDER", "qwen")
    assert buddy.current() is fake_of(buddy, "OpenAI")


def test_a_switch_that_fails_changes_nothing(buddy: Buddy, fake: FakeProvider) -> None:
    fake.offers = Unreachable("Nothing answers.")
    with pytest.raises(
        SettingError,
        match="openai/x may be a model of Local, which cannot be asked now",
    ):
        command(buddy, "/use openai/x")
    assert (buddy.provider, buddy.origin("provider")) == ("Local", "default")
    assert fake_of(buddy, "OpenAI").prepared == []


def test_use_tells_what_is_wrong_with_the_settings(buddy: Buddy) -> None:
    buddy.problems.append("<b>The saved settings</b> are broken.")
    told = command(buddy, "/use")
    assert "<b>" not in told
    assert "The saved settings" in told


def test_use_tells_the_address_as_it_was_put_right(
    server: ScriptedServer, tmp_path: Path
) -> None:
    typed = f"{server.root}/api"
    settings = Config(LocalProvider={"base_url": typed})
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json", config=settings)
    local(buddy).settle_timeout = 60.0
    assert table(command(buddy, "/use"))[2] == [
        "requests go to",
        server.url,
        "ipython_config.py",
    ]
    assert server.asked() == []
    buddy.close()


def test_models_tells_what_the_server_offers(buddy: Buddy, fake: FakeProvider) -> None:
    fake.offers = [
        Model("llama3:8b", 8192, True, ("chat", "tools"), 4_920_000_000, 131072),
        Model("phi", loaded=False),
    ]
    assert table(command(buddy, "/models")) == [
        ["Local model", "window", "at most", "size", "can", ""],
        ["llama3:8b", "8,192", "131,072", "4.9 GB", "chat, tools", "loaded"],
        ["phi", "", "", "", "", ""],
    ]


def test_models_of_another_provider_can_be_asked_for(buddy: Buddy) -> None:
    fake_of(buddy, "OpenAI").offers = [Model("gpt-4o")]
    assert table(command(buddy, "/models openai"))[1:] == [
        ["gpt-4o", "", "", "", "", ""]
    ]
    assert command(buddy, "/models") == "Local offers no model now."
    with pytest.raises(
        SettingError, match="There is no provider 'openia': did you mean OpenAI"
    ):
        command(buddy, "/models openia")


def test_models_that_cannot_be_had_are_an_error(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.offers = Unreachable("Nothing answers.")
    with pytest.raises(Unreachable, match="Nothing answers"):
        command(buddy, "/models")


def test_offline_holds_for_commands_too(buddy: Buddy) -> None:
    buddy.offline = True
    command(buddy, "/models openai")
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
    assert table(command(buddy, "/models"))[1:] == [
        [name, "", "", "", name, ""],
        ["after", "", "", "", "", ""],
    ]


@pytest.mark.parametrize("name", ["two\nlines\n\n# and a heading", "a\r\n\r\n<script>"])
def test_a_name_over_lines_stays_in_its_row(
    buddy: Buddy, fake: FakeProvider, name: str
) -> None:
    fake.offers = [Model(name), Model("after")]
    rows = table(command(buddy, "/models"))
    assert len(rows) == 3
    assert rows[2] == ["after", "", "", "", "", ""]


def test_reset_begins_a_new_conversation(buddy: Buddy, fake: FakeProvider) -> None:
    assert (
        command(buddy, "/reset")
        == "A new conversation begins; the last one had 0 turns."
    )
    buddy.ask("1?").result()
    assert (
        command(buddy, "/reset")
        == "A new conversation begins; the last one had 1 turn."
    )
    buddy.ask("2?").result()
    assert len(fake.requests[-1].messages) == 2


def test_pull_fetches_a_model_and_tells_how_far_it_is(
    buddy: Buddy, fake: FakeProvider
) -> None:
    steps: Steps = []
    assert MarkdownIt().renderInline(command(buddy, "/pull qwen3:8b", steps)) == (
        "qwen3:8b is there. To ask it: %buddy /use qwen3:8b"
    )
    assert (fake.told, steps) == ([("pull", "qwen3:8b")], [("fetching", 1, 2)])


@pytest.mark.parametrize("order", ["load", "unload"])
def test_an_order_goes_to_the_model_that_is_named_else_to_the_one_in_use(
    buddy: Buddy, fake: FakeProvider, order: str
) -> None:
    told = [command(buddy, f"/{order} phi4"), command(buddy, f"/{order}")]
    assert fake.told == [(order, "phi4"), (order, "fake-1")]
    assert told[0].startswith(f"phi4 is {order}ed")


@pytest.mark.parametrize("order", ["pull", "load", "unload"])
def test_an_order_needs_a_model(buddy: Buddy, fake: FakeProvider, order: str) -> None:
    fake.model = ""
    with pytest.raises(
        SettingError, match=f"Which model. Name it: %buddy /{order} NAME"
    ):
        command(buddy, f"/{order}")


def test_a_provider_that_cannot_be_told_says_so(tmp_path: Path) -> None:
    buddy = Buddy(
        settings_path=tmp_path / "codebuddy.json",
        config=Config(Buddy={"provider": "Embedded"}),
    )
    with pytest.raises(SettingError, match="cannot be told to fetch a model"):
        command(buddy, "/pull phi4")
    buddy.close()


def test_use_has_the_model_loaded_ahead(buddy: Buddy, fake: FakeProvider) -> None:
    command(buddy, "/use local/phi4")
    assert eventually(lambda: fake.told == [("load ahead", "phi4")])
