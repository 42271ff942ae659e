"""Values that are assigned to names of secrets, in code and in other notations."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.assignments import find_assigned_secrets

VALUE = "Kb7xQ2mZ"

WRITTEN = {
    "code": (f"password = '{VALUE}'", "password"),
    "with a type": (f'api_key: str = "{VALUE}"', "api key"),
    "an index": (f'config["db_password"] = "{VALUE}"', "password"),
    "JSON": (f'{{"client_secret": "{VALUE}"}}', "secret"),
    "YAML": (f"  password: {VALUE}\n", "password"),
    "shell": (f"export DB_PASSWORD={VALUE}", "password"),
    "a magic": (f"%env DB_PASSWORD {VALUE}", "password"),
    "a flag": (f"run --password {VALUE}", "password"),
    "a URL": (f"https://a.example/?password={VALUE}&x=1", "password"),
    "a connection string": (f"Server=db;Password={VALUE};", "password"),
    "XML": (f"<password>{VALUE}</password>", "password"),
    "a call": (f'os.environ.setdefault("DB_PASSWORD", "{VALUE}")', "password"),
    "after a letter that gets longer": (f"İ password = '{VALUE}'", "password"),
}


@pytest.mark.parametrize(("text", "label"), WRITTEN.values(), ids=WRITTEN)
def test_the_value_is_found_and_nothing_beside_it(text: str, label: str) -> None:
    (span,) = find_assigned_secrets(text)
    assert (text[span.start : span.end], span.label) == (VALUE, label)


ORDINARY = {
    "a call": "password = getpass()",
    "a field": 'password = f"{user}"',
    "a pattern": r'password = r"(\w+)"',
    "prompts": 'ask("Password: ") + ask("User: ")',
    "a list of names": '["password", "user7name"]',
    "a tag without its bracket": f"password>{VALUE}</password>",
    "a sentence": "the password is known",
    "a placeholder": "password = '<password>'",
    "another name": f"sort_key = '{VALUE}'",
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_code_has_no_secret(text: str) -> None:
    assert list(find_assigned_secrets(text)) == []
