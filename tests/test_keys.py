"""Keys: where they come from, where they are kept, and that they do not show
themselves.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors
import pytest

from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.settings.keys import Key, Keys

SECRET = "sk-very-secret-0123456789"
VARIABLE = "SOME_CLOUD_API_KEY"
HOST = "api.some.cloud"


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring that is as good as a system's, for one test."""

    priority = 5

    def __init__(self, *, locked: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.passwords: dict[tuple[str, str], str] = {}
        self.locked = locked

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise keyring.errors.PasswordSetError("it is locked")
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.locked:
            raise keyring.errors.PasswordDeleteError("it is locked")
        del self.passwords[service, username]


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.fixture
def system() -> MemoryKeyring:
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    return backend


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys.json")


def found(keys: Keys, host: str = HOST, own_host: str = HOST) -> Key | None:
    return keys.find("Some", VARIABLE, host, own_host)


def test_without_any_key_none_is_found(keys: Keys) -> None:
    assert found(keys) is None


def test_the_environment_wins_over_what_is_stored(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.store("Some", HOST, "sk-stored")
    assert found(keys) == "sk-stored"
    monkeypatch.setenv(VARIABLE, SECRET)
    assert found(keys) == SECRET


def test_the_environments_key_is_for_the_own_host_alone(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    assert found(keys, "proxy.example.com") is None


def test_a_stored_key_is_for_its_host_and_its_provider_alone(keys: Keys) -> None:
    keys.store("Some", HOST, SECRET)
    assert found(keys, "proxy.example.com") is None
    assert keys.find("Other", "", HOST, HOST) is None


def test_without_a_keyring_the_file_keeps_the_key_for_its_owner_alone(
    keys: Keys,
) -> None:
    assert keys.store("Some", HOST, SECRET) == str(keys.path)
    assert json.loads(keys.path.read_text(encoding="utf-8")) == {"Some": {HOST: SECRET}}
    if os.name == "posix":
        assert keys.path.stat().st_mode & 0o777 == 0o600


def test_the_file_stands_beside_the_settings_of_jupyter() -> None:
    assert Keys().path == Path(os.environ["JUPYTER_CONFIG_DIR"], "codebuddy-keys.json")


def test_a_real_keyring_keeps_the_key_and_the_file_only_says_so(
    keys: Keys, system: MemoryKeyring
) -> None:
    assert keys.store("Some", HOST, SECRET) == "the system keyring"
    assert SECRET not in keys.path.read_text(encoding="utf-8")
    assert list(system.passwords.values()) == [SECRET]
    assert found(keys) == SECRET


def test_a_keyring_that_does_not_take_the_key_leaves_it_to_the_file(keys: Keys) -> None:
    keyring.set_keyring(MemoryKeyring(locked=True))
    assert keys.store("Some", HOST, SECRET) == str(keys.path)
    assert found(keys) == SECRET


def test_a_key_is_found_without_the_keyring_package(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.store("Some", HOST, SECRET)
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert found(keys) == SECRET


def test_a_keyring_that_lost_the_key_finds_none(
    keys: Keys, system: MemoryKeyring
) -> None:
    keys.store("Some", HOST, SECRET)
    system.passwords.clear()
    assert found(keys) is None


def test_a_forgotten_key_is_gone(keys: Keys) -> None:
    keys.store("Some", HOST, SECRET)
    assert keys.forget("Some", HOST)
    assert not keys.forget("Some", HOST)
    assert found(keys) is None
    assert SECRET not in keys.path.read_text(encoding="utf-8")


def test_a_forgotten_key_is_gone_from_the_keyring(
    keys: Keys, system: MemoryKeyring
) -> None:
    keys.store("Some", HOST, SECRET)
    assert keys.forget("Some", HOST)
    assert system.passwords == {}


def test_a_key_in_a_keyring_that_cannot_be_used_is_not_forgotten(
    keys: Keys, system: MemoryKeyring
) -> None:
    keys.store("Some", HOST, SECRET)
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    with pytest.raises(SettingError, match="which cannot be used here"):
        keys.forget("Some", HOST)
    keyring.set_keyring(system)
    assert found(keys) == SECRET
    assert keys.forget("Some", HOST)


def test_a_key_that_was_deleted_in_the_keyring_is_forgotten(
    keys: Keys, system: MemoryKeyring
) -> None:
    keys.store("Some", HOST, SECRET)
    system.passwords.clear()
    system.locked = True
    assert keys.forget("Some", HOST)


def test_a_keyring_that_keeps_the_key_for_itself_says_so(
    keys: Keys, system: MemoryKeyring
) -> None:
    keys.store("Some", HOST, SECRET)
    system.locked = True
    with pytest.raises(
        SettingError,
        match=r"did not delete the key for api\.some\.cloud: it is locked",
    ):
        keys.forget("Some", HOST)


@pytest.mark.parametrize(
    "bad",
    [f"{SECRET} x", f"{SECRET}\n", f"\t{SECRET}", f"{SECRET}é", f"{SECRET}\x00", ""],
    ids=["blank", "line break", "tab", "accent", "null", "empty"],
)
def test_what_no_request_can_carry_is_refused_without_showing_it(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    with pytest.raises(SettingError) as refused:
        keys.store("Some", HOST, bad)
    assert (
        str(refused.value)
        == "This text is not a valid key: it is empty, or has spaces, line breaks or accents."
    )
    if bad and "\x00" not in bad:
        monkeypatch.setenv(VARIABLE, bad)
        with pytest.raises(SettingError) as refused:
            found(keys)
        assert str(refused.value).startswith(
            f"The environment variable {VARIABLE} is not a valid key: "
        )
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize("text", ["{broken", "[1]", '{"Some": 3}', '"sk-very"'])
def test_a_broken_file_is_told_without_its_text(keys: Keys, text: str) -> None:
    keys.path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError) as refused:
        found(keys)
    assert str(refused.value) == (
        f"The stored keys in {keys.path} cannot be read. Repair or delete the file"
    )


def test_a_key_does_not_show_itself() -> None:
    key = Key(SECRET)
    assert SECRET not in repr(key)
    assert SECRET not in repr({"headers": [key]})
    assert f"Bearer {key}" == f"Bearer {SECRET}"
