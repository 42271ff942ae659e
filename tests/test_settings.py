"""Settings: who wins, where each value came from, and the file that keeps them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from traitlets import Float, Int, Unicode, validate
from traitlets.config import Config

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import Offline, SettingError, SettingRefused
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.providers.registry import Registry
from codebuddy_jupyter.settings.configured import (
    Configured,
    SavedSettings,
    write_private,
)
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
        pytest.param(
            {"watts": "many"},
            "Lamp.watts: it must be a whole number of at least 1 and at most 100, not 'many'",
            id="no number",
        ),
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
    with pytest.raises(SettingRefused, match=told.replace("?", r"\?")):
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


def refused(shell: Any, line: str) -> str:
    """The one line with which a cell fails."""
    result = shell.run_cell(f"%config {line}")
    assert isinstance(result.error_in_exec, SettingRefused)
    told = str(result.error_in_exec)
    assert "\n" not in told
    assert "%r" not in told
    return told


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


def test_config_refuses_a_bad_value_and_goes_on_working(loaded: Any) -> None:
    config(loaded, "LocalProvider.base_url = 'http://localhost:1234/v1'", load=LOAD)
    told = refused(loaded, "LocalProvider.base_url = 'ftp://nowhere'")
    assert "it must begin with http:// or https://" in told
    assert base_url(loaded) == "http://localhost:1234/v1"
    refused(loaded, "LocalProvider.first_token_timeout = -1")
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


# What is in doubt


DEEP = "[" * 100_000 + "]" * 100_000

DOUBTFUL = {
    "a trailing comma": '{"Buddy": {"offline": true},}',
    "a wrong name": '{"Buddy": {"ofline": true}}',
    "a wrong value": '{"Buddy": {"offline": "yes"}}',
    "a wrong section": '{"buddy": {"offline": true}}',
    "no section": '{"offline": true}',
    "a wrong name of a provider": '{"OpenAIProvider": {"base_ulr": "https://gw/v1"}}',
    "a slip in a provider": '{"OpenAiProvider": {"base_url": "https://gw/v1"}}',
    "deep nesting": f'{{"Buddy": {DEEP}}}',
    "a list": "[]",
    "nothing": "",
    "null": "null",
    "a name twice": '{"Buddy": {"offline": true, "offline": false}}',
    "a huge file": " " * 2_000_000 + "{}",
}


def cloud_buddy(path: Path) -> Buddy:
    buddy = Buddy(settings_path=path)
    buddy.provider = "OpenAI"
    return buddy


def send(buddy: Buddy) -> None:
    buddy.provider_named("OpenAI").keys.find = lambda *_: "key"  # type: ignore[assignment]
    str(buddy.ask("hello"))


@pytest.mark.parametrize("name", DOUBTFUL)
def test_settings_in_doubt_are_told_and_nothing_leaves_the_machine(
    name: str, tmp_path: Path
) -> None:
    """A misspelt or unreadable file fails closed, as with ``"ofline": true``."""
    path = tmp_path / "codebuddy.json"
    path.write_text(DOUBTFUL[name])
    buddy = cloud_buddy(path)
    for _ in range(2):
        with pytest.raises(Offline) as caught:
            send(buddy)
        told = str(caught.value)
        assert (
            "Until this is corrected, the buddy does not send to api.openai.com" in told
        )
        assert "\n" not in told
        assert len(told) < 600
    notes = buddy.preview("hello")[0].notes
    assert notes[-1] == "Until this is corrected, nothing is sent to other machines."
    path.write_text("{}")
    assert buddy.ready("OpenAI").offline is False
    assert buddy.preview("hello")[0].notes == ()
    assert buddy.problems == []
    buddy.close()


@pytest.mark.parametrize("name", ["a trailing comma", "a wrong name"])
def test_a_local_server_goes_on_working_and_each_answer_tells_of_the_doubt(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "codebuddy.json"
    path.write_text(DOUBTFUL[name])
    buddy = buddy_with_fakes(path)
    for _ in range(2):
        reply = buddy.ask("hello")
        assert str(reply) == "An answer."
        assert any("Until this is corrected" in note for note in reply.notes)
        assert any(str(path) in note or "ofline" in note for note in reply.notes)
    buddy.close()


def test_a_misspelt_setting_in_ipython_config_fails_closed_too(tmp_path: Path) -> None:
    config = Config({"Buddy": {"ofline": True}})
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json", config=config)
    assert buddy.ready("OpenAI").offline
    buddy.change({"offline": False})
    assert not buddy.ready("OpenAI").offline
    assert "ofline" in buddy.notes_of_doubt()[0]
    buddy.close()


@pytest.mark.parametrize("section", ["Budy", "OpenAiProvider"])
def test_a_misspelt_section_of_ipython_config_fails_closed_too(
    section: str, tmp_path: Path
) -> None:
    config = Config({section: {"offline": True}, "InteractiveShell": {"autocall": 0}})
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json", config=config)
    assert buddy.ready("OpenAI").offline
    assert f"The section '{section}'" in buddy.notes_of_doubt()[0]
    buddy.close()


def test_ipython_config_adds_to_a_list_and_a_dict(tmp_path: Path) -> None:
    config = Config()
    config.Buddy.allowed_hosts.append("gpu.lan:8000")
    config.LocalProvider.headers.update({"X-Team": "data"})
    config.LocalProvider.temperature.append(0.5)
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json", config=config)
    local = buddy.provider_named("Local")
    assert isinstance(local, LocalProvider)
    assert buddy.allowed_hosts == ["gpu.lan:8000"]
    assert local.headers == {"X-Team": "data"}
    assert [line.partition(":")[0] for line in local.problems] == [
        "LocalProvider.temperature from ipython_config.py"
    ]
    assert buddy.problems == []
    buddy.close()


def test_sections_of_other_packages_are_not_in_doubt(tmp_path: Path) -> None:
    path = tmp_path / "codebuddy.json"
    others = ("OpenRouterProvider", "EchoProvider", "XAIProvider", "MyLocalModel")
    sections: dict[str, dict[str, Any]] = {name: {} for name in others}
    path.write_text(json.dumps(sections))
    buddy = Buddy(settings_path=path, config=Config(sections))
    assert buddy.notes_of_doubt() == ()
    assert not buddy.ready("OpenAI").offline
    buddy.close()


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_to_a_file_that_is_away_is_not_no_file(tmp_path: Path) -> None:
    path = tmp_path / "codebuddy.json"
    path.symlink_to(tmp_path / "drive" / "codebuddy.json")
    buddy = Buddy(settings_path=path)
    assert "cannot be read (No such file" in buddy.notes_of_doubt()[0]
    assert buddy.ready("OpenAI").offline
    buddy.close()


def test_what_the_mended_file_says_is_used(tmp_path: Path) -> None:
    path = tmp_path / "codebuddy.json"
    path.write_text('{"Buddy": {"context": "none"},}')
    buddy = Buddy(settings_path=path)
    assert buddy.context == "auto"
    assert not buddy.keeps_chats()
    saved = {"Buddy": {"context": "none", "offline": True}}
    path.write_text(json.dumps(saved))
    assert buddy.ready("OpenAI").offline_reason == ""
    assert (buddy.context, buddy.origin("context"), buddy.offline) == (
        "none",
        "saved",
        True,
    )
    assert buddy.keeps_chats()
    buddy.close()


@pytest.mark.parametrize(
    "name", ["a trailing comma", "a wrong name", "a wrong section", "deep nesting"]
)
def test_a_doubtful_file_is_set_aside_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "codebuddy.json"
    path.write_text(DOUBTFUL[name])
    buddy = buddy_with_fakes(path)
    buddy.context_tokens = 4096
    assert buddy.save() == path
    assert buddy.saved.aside == tmp_path / "codebuddy.json.aside-1"
    assert buddy.saved.aside.read_text() == DOUBTFUL[name]
    assert buddy.doubts == []
    buddy.save()
    assert buddy.saved.aside is None
    path.write_text("{")
    second = buddy_with_fakes(path)
    second.save()
    assert second.saved.aside == tmp_path / "codebuddy.json.aside-2"
    buddy.close()
    second.close()


def test_what_cannot_be_set_aside_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "codebuddy.json"
    path.write_text("{")
    buddy = buddy_with_fakes(path)

    def fails(*arguments: object) -> None:
        raise SettingError("The disk is full.")

    monkeypatch.setattr(SavedSettings, "save", fails)
    with pytest.raises(SettingError, match="full"):
        buddy.save()
    assert path.read_text() == "{"
    assert list(tmp_path.iterdir()) == [path]
    buddy.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_in_the_place_of_the_settings_does_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "codebuddy.json"
    os.mkfifo(path)
    state, told = SavedSettings(path).load()
    assert (state, told) == (
        {},
        f"The saved settings in {path} cannot be read (it is not a regular file)",
    )
    buddy = buddy_with_fakes(path)
    buddy.save()
    assert json.loads(path.read_text())
    buddy.close()


def test_config_takes_a_list_of_sections(loaded: Any) -> None:
    """``%config Buddy.context = ["variables"]``, as its help says."""
    config(loaded, 'Buddy.context = ["variables"]', load=LOAD)
    buddy = loaded.codebuddy.buddy
    assert buddy.context == "variables"
    config(loaded, "Buddy.context = ('cells', 'error')")
    assert buddy.context == "cells, error"
    config(loaded, "Buddy.context = []")
    assert buddy.context == "none"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('Buddy.offline = "yes"', "Buddy.offline: it must be True or False, not 'yes'"),
        ("Buddy.offline = None", "Buddy.offline: it must be True or False"),
        ("Buddy.ofline = True", "Buddy has no setting 'ofline'. Did you mean offline?"),
        ("Buddy.context = ['valeurs']", "The context is auto, none, or a list of"),
        (
            "Buddy.context = [1]",
            "Buddy.context: it must be a unicode string, not a list",
        ),
        ("Buddy.allowed_hosts = 'gpu.lan'", "Buddy.allowed_hosts: it must be a list"),
        ("Buddy.allowed_hosts = [1]", "Buddy.allowed_hosts: it must be a list"),
        ("Buddy.redact_secrets = 'on'", "it must be True or False, not 'on'"),
        ("Buddy.share_values = 2", "it must be True or False, not '2'"),
        ("Buddy.keep_chats = 'no'", "it must be True or False, not 'no'"),
        ("Buddy.provider = 'opnai'", "There is no provider 'opnai'"),
        (
            "LocalProvider.headers = 'Bearer SECRET'",
            "LocalProvider.headers: it must be",
        ),
        (
            "LocalProvider.headers = {'A': 1, 'B': 'SECRET'}",
            "LocalProvider.headers: it",
        ),
        ("LocalProvider.headers = {'Host': 'SECRET'}", "'Host' is not a header"),
    ],
)
def test_a_refused_value_fails_the_cell_with_one_line(
    loaded: Any, line: str, told: str
) -> None:
    loaded.run_cell(LOAD)
    line_told = refused(loaded, line)
    assert told in line_told
    assert "SECRET" not in line_told
    assert not loaded.codebuddy.buddy.offline
