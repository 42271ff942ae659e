"""Settings: who wins, where each value came from, and the file that keeps them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from traitlets import Float, Int, TraitError, Unicode, validate
from traitlets.config import Config

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.providers.registry import Registry
from codebuddy_jupyter.settings import Configured, SavedSettings, write_private
from tests.support.fakes import buddy_with_fakes


class Lamp(Configured):
    """Something with settings."""

    environment: ClassVar = {"colour": "LAMP_COLOUR", "watts": "LAMP_WATTS"}

    colour = Unicode("white").tag(config=True)
    watts = Int(5, min=1, max=100).tag(config=True)
    warmth = Float(None, allow_none=True).tag(config=True)
    # not for the user
    shape = Unicode("round")


def lamp(
    file: dict[str, Any] | None = None, saved: dict[str, Any] | None = None
) -> Lamp:
    return Lamp(config=Config({"Lamp": file or {}}), saved=saved)


# Who wins

PLACES: list[tuple[str, str]] = [
    ("saved", "saved"),
    ("file", "ipython_config.py"),
    ("environment", "environment LAMP_COLOUR"),
    ("kernel", "this kernel"),
]


@pytest.mark.parametrize(
    "upto", range(len(PLACES) + 1), ids=["default", *(place for place, _ in PLACES)]
)
def test_each_place_wins_over_those_below_it(
    upto: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {place for place, _ in PLACES[:upto]}
    if "environment" in said:
        monkeypatch.setenv("LAMP_COLOUR", "environment")
    one = lamp(
        {"colour": "file"} if "file" in said else {},
        {"colour": "saved"} if "saved" in said else {},
    )
    one.read_environment()
    if "kernel" in said:
        one.update_config(Config({"Lamp": {"colour": "kernel"}}))
        one.read_environment()
    value, origin = (
        (("white", "default"), *PLACES)[upto] if upto == 0 else PLACES[upto - 1]
    )
    assert (one.colour, one.origin("colour")) == (value, origin)


def test_a_change_in_python_is_a_change_in_this_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = lamp({"colour": "red"})
    one.colour = "blue"
    monkeypatch.setenv("LAMP_COLOUR", "green")
    one.read_environment()
    assert (one.colour, one.origin("colour")) == ("blue", "this kernel")


def test_setting_what_is_set_already_makes_it_this_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = lamp({"colour": "red"})
    one.update_config(Config({"Lamp": {"colour": "red"}}))
    monkeypatch.setenv("LAMP_COLOUR", "green")
    one.read_environment()
    assert (one.colour, one.origin("colour")) == ("red", "this kernel")


def test_one_setting_says_nothing_of_another() -> None:
    one = lamp({"colour": "red"}, {"watts": 7})
    one.warmth = 0.5
    assert [one.origin(name) for name in ("colour", "watts", "warmth")] == [
        "ipython_config.py",
        "saved",
        "this kernel",
    ]


# The environment, which may change while the kernel runs


def test_the_environment_is_read_anew_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = lamp({"colour": "red"})
    for colour in ("green", "blue"):
        monkeypatch.setenv("LAMP_COLOUR", colour)
        one.read_environment()
        assert (one.colour, one.origin("colour")) == (colour, "environment LAMP_COLOUR")


def test_a_variable_that_has_not_changed_is_not_set_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[str] = []

    class Checked(Lamp):
        @validate("colour")
        def _check(self, proposal: dict[str, Any]) -> str:
            checked.append(proposal["value"])
            return str(proposal["value"])

    monkeypatch.setenv("LAMP_COLOUR", "green")
    one = Checked()
    assert (one.colour, checked) == ("green", ["green"])
    # another thread may change the setting while this one reads
    one.read_environment()
    assert checked == ["green"]


@pytest.mark.parametrize("gone", ["removed", "emptied"])
def test_without_its_variable_a_setting_is_what_it_was_before(
    monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    one = lamp({"colour": "red"})
    monkeypatch.setenv("LAMP_COLOUR", "green")
    monkeypatch.setenv("LAMP_WATTS", "60")
    one.read_environment()
    one.read_environment()
    for name in ("LAMP_COLOUR", "LAMP_WATTS"):
        if gone == "removed":
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, "")
    one.read_environment()
    assert (one.colour, one.origin("colour")) == ("red", "ipython_config.py")
    assert (one.watts, one.origin("watts")) == (5, "default")


@pytest.mark.parametrize("value", ["bright", "0", "1.5"])
def test_a_bad_variable_is_told_and_the_old_value_stays(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    one = lamp(saved={"watts": 7})
    monkeypatch.setenv("LAMP_WATTS", value)
    with pytest.raises(
        SettingError, match=r"Lamp\.watts from environment LAMP_WATTS: .+"
    ):
        one.read_environment()
    assert (one.watts, one.origin("watts")) == (7, "saved")
    monkeypatch.setenv("LAMP_WATTS", "60")
    one.read_environment()
    assert (one.watts, one.origin("watts")) == (60, "environment LAMP_WATTS")


def test_a_text_is_taken_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    one = lamp()
    for text in ("~", '"quoted"', "None", " blank "):
        one.update_config(Config({"Lamp": {"colour": text}}))
        assert one.colour == text
    monkeypatch.setenv("LAMP_COLOUR", "~")
    fresh = lamp()
    fresh.read_environment()
    assert fresh.colour == "~"


# What is not right


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"watts": 0}, "watts", id="out of bounds"),
        pytest.param({"watts": "many"}, "'many' is not a valid value", id="no number"),
        pytest.param({"colour": 7}, "colour", id="of another type"),
        pytest.param(
            {"collor": "red"},
            "Lamp has no setting 'collor'. Did you mean colour?",
            id="a wrong name",
        ),
        pytest.param(
            {"shape": "square"}, "Lamp has no setting 'shape'", id="not for the user"
        ),
        pytest.param(
            {"colour": "red", "watts": 0}, "watts", id="a good one and a bad one"
        ),
    ],
)
def test_a_bad_change_is_refused_and_all_stays_as_it_was(
    change: dict[str, Any], told: str
) -> None:
    one = lamp({"colour": "green"}, {"watts": 7})
    with pytest.raises(TraitError, match=told.replace("?", r"\?")):
        one.update_config(Config({"Lamp": change}))
    assert (one.colour, one.origin("colour")) == ("green", "ipython_config.py")
    assert (one.watts, one.origin("watts")) == (7, "saved")


def test_a_bad_value_in_a_file_costs_itself_and_one_line() -> None:
    one = lamp(
        {"watts": 0, "colour": "red", "colr": "x"},
        {"watts": 7, "shape": "square", "parent": None},
    )
    assert (one.colour, one.watts, one.shape) == ("red", 7, "round")
    assert one.origin("watts") == "saved"
    assert len(one.problems) == 4
    assert not any("\n" in problem for problem in one.problems)
    assert one.problems[0].startswith("Lamp.watts from ipython_config.py: ")
    assert (
        one.problems[1]
        == "Lamp has no setting 'colr'. Did you mean colour? (from ipython_config.py)"
    )


def test_only_what_differs_from_the_default_is_worth_saving() -> None:
    one = lamp({"watts": 60})
    one.colour = "white"
    assert one.saved_state() == {"watts": 60}


# The file


@pytest.fixture
def file(tmp_path: Path) -> SavedSettings:
    return SavedSettings(tmp_path / "new folder" / "codebuddy.json")


def test_what_was_saved_is_loaded(file: SavedSettings) -> None:
    assert file.load() == ({}, "")
    file.save({"Lamp": {"colour": "ü"}})
    assert file.load() == ({"Lamp": {"colour": "ü"}}, "")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="half"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"Lamp": 5}', id="no settings in it"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
    ],
)
def test_a_corrupt_file_costs_one_line(file: SavedSettings, content: bytes) -> None:
    file.save({})
    file.path.write_bytes(content)
    state, told = file.load()
    assert state == {}
    assert told.startswith(f"The saved settings in {file.path} cannot be read (")
    assert "\n" not in told


def test_a_file_that_cannot_be_read_costs_one_line(file: SavedSettings) -> None:
    file.path.mkdir(parents=True)
    state, told = file.load()
    assert state == {}
    assert told.startswith(f"The saved settings in {file.path} cannot be read (")


def test_the_file_is_for_its_owner_alone(file: SavedSettings) -> None:
    file.save({})
    file.path.chmod(0o644)
    file.save({"Lamp": {}})
    assert file.path.stat().st_mode & 0o077 == 0 or os.name == "nt"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    file: SavedSettings,
) -> None:
    file.save({"Lamp": {"colour": "red"}})
    with pytest.raises(UnicodeEncodeError):
        write_private(file.path, "\ud800")
    assert file.load() == ({"Lamp": {"colour": "red"}}, "")
    assert list(file.path.parent.iterdir()) == [file.path]


def test_a_file_that_cannot_be_written_costs_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        SettingError, match=r"codebuddy\.json cannot be written: "
    ) as caught:
        SavedSettings(tmp_path / "file" / "codebuddy.json").save({})
    assert "\n" not in str(caught.value)


# The Buddy's own


def test_settings_come_back_in_the_next_kernel(tmp_path: Path) -> None:
    path = tmp_path / "codebuddy.json"
    first = buddy_with_fakes(path)
    first.provider = "openai"
    first.provider_named("Local").temperature = 0.5
    assert first.save() == path
    second = buddy_with_fakes(path)
    assert (second.provider, second.origin("provider")) == ("OpenAI", "saved")
    local = second.provider_named("Local")
    assert (local.temperature, local.origin("temperature")) == (0.5, "saved")


def test_saving_keeps_what_was_saved_for_providers_that_were_not_used(
    tmp_path: Path,
) -> None:
    path = tmp_path / "codebuddy.json"
    SavedSettings(path).save(
        {"FakeCloud": {"temperature": 1.5}, "FakeProvider": {"temperature": 0.5}}
    )
    buddy = buddy_with_fakes(path)
    buddy.provider_named("Local").temperature = None
    buddy.save()
    assert json.loads(path.read_text()) == {
        "Buddy": {},
        "FakeCloud": {"temperature": 1.5},
        "FakeProvider": {},
    }


@pytest.mark.parametrize(
    ("saved", "told"),
    [
        pytest.param("{", "cannot be read", id="corrupt"),
        pytest.param(
            '{"Buddy": {"provider": "nobody"}}',
            "Buddy.provider from saved: There is no provider",
            id="bad",
        ),
        pytest.param(
            '{"Buddy": {"colour": 1}}',
            "Buddy has no setting 'colour' (from saved)",
            id="unknown",
        ),
    ],
)
def test_a_bad_file_does_not_keep_the_buddy_from_answering(
    tmp_path: Path, saved: str, told: str
) -> None:
    path = tmp_path / "codebuddy.json"
    path.write_text(saved)
    buddy = buddy_with_fakes(path)
    assert str(buddy.ask("hello")) == "An answer."
    assert len(buddy.problems) == 1
    assert told in buddy.problems[0]
    buddy.close()


def test_a_provider_from_the_environment_is_used_until_the_kernel_says_otherwise(
    buddy: Buddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_PROVIDER", "openai")
    assert buddy.current() is buddy.provider_named("OpenAI")
    assert buddy.origin("provider") == "environment CODEBUDDY_PROVIDER"
    monkeypatch.setenv("CODEBUDDY_PROVIDER", "nobody")
    with pytest.raises(
        SettingError,
        match=r"Buddy\.provider from environment CODEBUDDY_PROVIDER: There is no",
    ):
        buddy.current()
    buddy.provider = "Local"
    assert buddy.current() is buddy.provider_named("Local")


# %config


# As 0.1.0 wrote the file.
OLD_FILE = """\
{
  "Buddy": {
    "blank_secrets": false,
    "context_tokens": 4096,
    "share_values": true
  },
  "LocalProvider": {
    "base_url": "http://localhost:1234/v1",
    "num_ctx": 16384
  }
}
"""


def test_a_setting_that_was_renamed_is_read_from_an_old_file(tmp_path: Path) -> None:
    path = tmp_path / "codebuddy.json"
    path.write_text(OLD_FILE, encoding="utf-8")
    buddy = Buddy(settings_path=path)
    local = buddy.provider_named("Local")
    assert buddy.problems == local.problems == []
    assert not buddy.redact_secrets
    assert buddy.origin("redact_secrets") == "saved"
    assert (buddy.context_tokens, buddy.share_values) == (4096, True)
    assert local.where() == "http://localhost:1234/v1"
    buddy.save()
    saved = json.loads(path.read_text(encoding="utf-8"))["Buddy"]
    assert saved == {
        "redact_secrets": False,
        "context_tokens": 4096,
        "share_values": True,
    }
    buddy.close()


def test_the_present_name_of_a_setting_wins_over_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "codebuddy.json"
    both = {"Buddy": {"blank_secrets": False, "redact_secrets": True}}
    path.write_text(json.dumps(both), encoding="utf-8")
    assert SavedSettings(path).load() == ({"Buddy": {"redact_secrets": True}}, "")


# What a setting affects


@pytest.mark.parametrize("name", ["Local", "Embedded", "OpenAI", "Qwen"])
def test_the_settings_that_choose_server_and_model_are_tagged(name: str) -> None:
    provider = Registry().make(name, Configured(), {})
    tagged = set(provider.traits(affects="target"))
    assert {"base_url", "model"} & set(provider.traits(config=True)) <= tagged
    assert not {"temperature", "max_tokens", "retries"} & tagged


@pytest.fixture
def loaded(shell: Any) -> Iterator[Any]:
    yield shell
    shell.run_line_magic("unload_ext", "codebuddy_jupyter")


def base_url(shell: Any) -> str:
    provider = shell.codebuddy.buddy.provider_named("Local")
    return str(provider.base_url)


def config(shell: Any, line: str, *, load: str = "") -> None:
    assert shell.run_cell(f"{load}\n%config {line}").success


LOAD = "%load_ext codebuddy_jupyter"


def test_config_works_in_the_cell_that_loads(loaded: Any) -> None:
    config(loaded, "LocalProvider.base_url = 'http://localhost:1234/v1'", load=LOAD)
    local = loaded.codebuddy.buddy.provider_named("Local")
    assert local.url == "http://localhost:1234/v1"
    assert local.origin("base_url") == "this kernel"


def test_config_in_ipython_config_counts(loaded: Any) -> None:
    loaded.config.LocalProvider.base_url = "http://localhost:1234/v1"
    loaded.run_cell(LOAD)
    assert base_url(loaded) == "http://localhost:1234/v1"


def test_config_refuses_a_bad_value_and_goes_on_working(
    loaded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    config(loaded, "LocalProvider.base_url = 'http://localhost:1234/v1'", load=LOAD)
    config(loaded, "LocalProvider.base_url = 'ftp://nowhere'")
    assert "it must begin with http:// or https://" in caplog.text
    assert base_url(loaded) == "http://localhost:1234/v1"
    config(loaded, "LocalProvider.first_token_timeout = -1")
    config(loaded, "LocalProvider.temperature = 0.5")
    config(loaded, "Buddy.offline = True")
    local = loaded.codebuddy.buddy.provider_named("Local")
    assert (local.first_token_timeout, local.temperature, local.url) == (
        600.0,
        0.5,
        "http://localhost:1234/v1",
    )
    assert loaded.codebuddy.buddy.offline


def test_config_of_one_provider_leaves_the_others_alone(loaded: Any) -> None:
    config(loaded, "LocalProvider.model = 'mine'", load=LOAD)
    config(loaded, "OpenAIProvider.model = 'theirs'")
    buddy = loaded.codebuddy.buddy
    assert (
        buddy.provider_named("Local").model,
        buddy.provider_named("OpenAI").model,
    ) == ("mine", "theirs")
