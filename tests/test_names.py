"""Names in a text that suggest a secret."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.names import find_names, try_name


def names(text: str) -> list[str]:
    found = [try_name(text, tail) for tail in find_names(text)]
    return [name.text for name in found if name is not None]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x = db_password", "db_password"),
        ("X-API-Key: a", "X-API-Key"),
        ("API key: a", "API key"),
        ("self.auth_token = a", "self.auth_token"),
        ("\u0130 password", "password"),
    ],
)
def test_the_whole_name_is_found(text: str, name: str) -> None:
    assert names(text) == [name]


def test_other_names_are_not() -> None:
    assert names("sort_key monkey tokens the key to it") == []
