"""Names of secrets in other languages than English."""

from __future__ import annotations

from typing import Literal
from unicodedata import normalize

import pytest

from codebuddy_jupyter.secrets.languages import PASSWORDS, SECRETS, TOKENS, folded
from codebuddy_jupyter.secrets.redactor import redact
from codebuddy_jupyter.secrets.words import strength_of

VALUE = "Zr8kQw2LmN4pXv7tBc1d"
PHRASES = [
    (language, phrase)
    for words in (PASSWORDS, SECRETS, TOKENS)
    for language, phrases in words.items()
    for phrase in phrases
]


def written(phrase: str) -> list[str]:
    identifier = phrase.replace(" ", "_").replace("'", "_")
    return [
        f'{identifier} = "{VALUE}"',
        f"{{'{identifier}': '{VALUE}'}}",
        f"{identifier.upper()}={VALUE}",
        f"{phrase}: {VALUE}",
        f"id,{identifier},city\n1,{VALUE},Ulm",
        f"| id | {phrase} |\n|---|---|\n| 1 | {VALUE} |",
    ]


@pytest.mark.parametrize(("language", "phrase"), PHRASES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_value_is_redacted_by_its_name_in_any_language(
    language: str, phrase: str, form: Literal["NFC", "NFD"]
) -> None:
    for text in written(phrase):
        assert VALUE not in redact(normalize(form, text)), text


@pytest.mark.parametrize("name", ["contrasena", "CLE_API", "sifre", "api_schluessel"])
def test_accents_may_be_missing(name: str) -> None:
    assert VALUE not in redact(f"{name} = '{VALUE}'")


@pytest.mark.parametrize(
    "name",
    ["senha_banco", "пароль_бд", "mdp_admin", "数据库密码", "データベースのパスワード"],
)
def test_a_name_may_say_what_the_password_is_for(name: str) -> None:
    assert strength_of(name) == "password"


@pytest.mark.parametrize(
    "name",
    ["resenha", "密码学", "clave_primaria", "chave", "parolaccia", "ключ", "鍵盤"],
)
def test_other_words_suggest_nothing(name: str) -> None:
    assert strength_of(name) is None


def test_folding_keeps_ascii_and_case() -> None:
    assert folded("Api_Key2") == "Api_Key2"
    assert folded("Clé_Şifre") == "Cle_Sifre"
