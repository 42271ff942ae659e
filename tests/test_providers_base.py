"""What a provider does by the contract alone."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.errors import SettingError
from tests.support.elsewhere import Elsewhere
from tests.third_party.codebuddy_echo import EchoProvider


def test_the_key_of_the_environment_stays_with_the_host_of_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ELSEWHERE_KEY", "sk-very-secret")
    provider = Elsewhere(base_url="https://gateway.example/v1")
    assert provider.try_key() is None
    assert provider.store_key("sk-gateway")
    assert provider.try_key() == "sk-gateway"
    assert provider.forget_key()
    assert not provider.forget_key()


def test_a_provider_without_an_address_stores_no_key() -> None:
    with pytest.raises(SettingError, match="Echo uses no key"):
        EchoProvider().store_key("sk-any")
    assert EchoProvider().secrets() == {}
