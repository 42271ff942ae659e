"""Values that are assigned to names of secrets, in code and in other notations."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.assignments import find_assigned_secrets
from codebuddy_jupyter.secrets.names import find_names
from codebuddy_jupyter.secrets.spans import Span

VALUE = "Kb7xQ2mZ"
HEX = "9f86d081884c7d65" * 2


def spans(text: str) -> list[Span]:
    return list(find_assigned_secrets(text, list(find_names(text))))


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
    (span,) = spans(text)
    assert (text[span.start : span.end], span.label) == (VALUE, label)


# Each with a value that only its place shows to be a secret.
FORMS = {
    "pairs": f"[('user','jo'),('password','{VALUE}')]",
    "a pair of a list": f'["password", "{VALUE}"]',
    "setattr": f"setattr(c, 'password', '{VALUE}')",
    "setattr with a word": "setattr(c, 'password', 'swordfish')",
    "a section": f'config.set("db", "password", "{VALUE}")',
    "a default of a call": f'os.getenv("API_KEY", "{VALUE}")',
    "a default of an argument": f'p.add_argument("--password", default="{VALUE}")',
    "kubeconfig": f"    token: {HEX}",
    "a block of YAML": f"db:\n  password: |\n    {VALUE}\n  port: 1",
    "a folded block of YAML": f"password: >-\n  {VALUE}\n",
    "the next line of YAML": f"password:\n  {VALUE}\n",
    "before a command": f"cd x && PGPASSWORD={VALUE} psql",
    "a word before a command": "cd x && PGPASSWORD=swordfish psql",
    "a variable of a container": "docker run -e POSTGRES_PASSWORD=swordfish pg",
    "a long word before others": f"aws_secret_access_key = {HEX} more words",
    "a long word in a sentence": f"use client_secret={HEX}, region = eu",
    "a long word in a quoted text": f"print('api_key = {HEX} is it')",
    "mount options": f"mount -o username=jo,password={VALUE} //h /m",
    "httpie": f"http GET a.example X-Auth-Token:{VALUE}",
    "a header of curl": f"curl -H x-api-key:{VALUE} https://a.example",
    "a quoted header of curl": f"curl -H 'x-api-key: {VALUE}' https://a.example",
    "aws configure": f"aws configure set aws_secret_access_key {VALUE}",
    "kubectl": f"kubectl create secret generic x --from-literal=password={VALUE}",
    "a wrapped value": "password: SecretStr = SecretStr('swordfish')",
    "a list": "passwords = ['hunter2x', 'hunter3x']",
    "an arrow table": 'password: [["hunter2x","hunter3x"]]',
    "a column as a dict": "{'password': {0: 'hunter2x', 1: 'hunter3x'}}",
    "name and value in YAML": f"- name: DB_PASSWORD\n  value: {VALUE}",
    "name and value in JSON": f'{{"name": "DB_PASSWORD", "value": "{VALUE}"}}',
    "attributes": f'<add key="ClearTextPassword" value="{VALUE}" />',
    "in a line": f"user: jo, password: {VALUE}",
    "a row of Markdown": f"| password | {VALUE} |",
    "a row of aws": f"|  SecretAccessKey |  {VALUE}  |",
    "two words": f"API key: {VALUE}",
    "an item of a list": f"- Password: {VALUE}",
    "wide signs": f"\u5bc6\u7801\uff1a{VALUE}",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_a_value_is_found_in_each_form(text: str) -> None:
    found = {text[span.start : span.end] for span in spans(text)}
    assert found in (
        {VALUE},
        {HEX},
        {"swordfish"},
        {"hunter2x", "hunter3x"},
    )


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
    "words and their kinds": '("token", "NN"), ("password", "NN")',
    "a type of SQL": '("password", "VARCHAR(255)")',
    "rules of validation": "{'password': ['required', 'min:8', 'max:255']}",
    "a variable as an argument": "connect(user=user1,password=conf.pw2x)",
    "a type": "def login(user: str, password: Secret2, token: Token3): pass",
    "a part of a list": f"api_key = keys_{HEX}[0] or none",
    "a token of a text": "token: word_piece_12_of_the_text",
    "a default that is none": 'p.add_argument("--password", default=None)',
    "the names of secrets": 'secrets = ["database-url", "api-token"]',
    "an empty block": "password: |\nuser: jo",
    "a table of types": "password | varchar(20)",
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_code_has_no_secret(text: str) -> None:
    assert spans(text) == []
