"""The commands about models: list, download, load and unload."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from traitlets.config import Config

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import SettingError, Unreachable
from codebuddy_jupyter.messages import Model
from tests.support.command_line import Steps, record, run_line, table
from tests.support.fakes import FakeProvider, fake_of


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
    with pytest.raises(SettingError, match="Did you mean OpenAI"):
        run_line(buddy, "/models openia")


def test_models_fails_when_the_server_does_not_answer(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.offers = Unreachable("Nothing answers.")
    with pytest.raises(Unreachable, match="Nothing answers"):
        run_line(buddy, "/models")


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
        config=Config(Buddy={"provider": "OpenAI"}),
    )
    with pytest.raises(
        SettingError, match="does not support a command to download a model"
    ):
        run_line(buddy, "/pull phi4")
    buddy.close()


def test_a_model_that_one_provider_alone_downloads_is_left_to_it(
    buddy: Buddy, fake: FakeProvider
) -> None:
    engine = fake_of(buddy, "Qwen")
    engine.downloads = {
        "hf:owner/repo/small.gguf": "93 MB, Apache-2.0",
        "other": "",
    }
    steps: Steps = []
    shown = run_line(buddy, "/pull hf:owner/repo/small.gguf", record(steps))
    assert "small.gguf (93 MB, Apache-2.0) is downloaded" in shown
    assert steps[0] == ("hf:owner/repo/small.gguf: 93 MB, Apache-2.0", 0, 0)
    run_line(buddy, "/pull qwen/other")
    run_line(buddy, "/pull qwen/qwen3")
    run_line(buddy, "/pull openai/gpt-oss")
    assert engine.told == [("pull", "hf:owner/repo/small.gguf"), ("pull", "other")]
    assert fake.told == [("pull", "qwen/qwen3"), ("pull", "openai/gpt-oss")]


def test_models_of_the_disk_are_listed_with_parameters_and_what_else_there_is(
    buddy: Buddy,
) -> None:
    engine = fake_of(buddy, "OpenAI")
    engine.offers = [
        Model("small", size=98_362_432, max_window=8192, parameters=134_515_008),
        Model("large", size=1_117_320_768, parameters=1_777_088_000),
        Model("damaged"),
    ]
    engine.downloads = {"another": "3 GB"}
    shown = run_line(buddy, "/models openai")
    assert [row[3:5] for row in table(shown.partition("\n\n")[0])] == [
        ["size", "parameters"],
        ["98 MB", "135M"],
        ["1.1 GB", "1.8B"],
        ["", ""],
    ]
    assert shown.endswith("\n- another (3 GB)")
