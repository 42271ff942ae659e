"""Names that suggest a secret, and values that can be one."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.redactor import known_values
from codebuddy_jupyter.secrets.words import Strength, strength_of


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sort_key", "price"),
        ("token", "<eos>"),
        ("token", "transformers"),
        ("API_KEY", "true"),
        ("API_KEY", "1"),
        ("DB_PASSWORD", "localhost"),
        ("DB_PASSWORD", "postgres"),
        ("password", "password"),
        ("SSH_KEY", "/home/jo/.ssh/id_rsa"),
        ("auth", "basic"),
        ("PWD", "/home/jo/project2"),
        ("SECRET", "id"),
        ("AUTH_TOKEN", "name"),
        ("password", ""),
    ],
)
def test_a_value_too_short_or_too_common_is_not_known(name: str, value: str) -> None:
    assert known_values({name: value}, {name: value}) == {}


NAMES_BY_STRENGTH: dict[Strength | None, str] = {
    "password": """
        password DB_PASSWORD dbPassword userpwd PGPASSWORD smtp_pass password2
        passwords_old_passwd my-password PassPhrase Passwort
        """,
    "secret": """
        api_key apikey X-Api-Key clientSecret SECRET_KEY hf_token accessToken STRIPE_KEY
        AWS_SECRET_ACCESS_KEY private_key
        """,
    "token": "token auth dsn connection_string",
    None: """
        sort_key key tokens secrets password_field max_tokens pad_token secret_santa
        public_key author monkey next_page_token __
        """,
}


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        (name, strength)
        for strength, names in NAMES_BY_STRENGTH.items()
        for name in names.split()
    ],
)
def test_a_name_suggests_a_secret_more_or_less_strongly(
    name: str, strength: Strength | None
) -> None:
    assert strength_of(name) == strength


def test_an_empty_name_suggests_no_secret() -> None:
    assert strength_of("") is None
