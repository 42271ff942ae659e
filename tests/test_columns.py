"""Columns of tables in text whose names suggest a secret: each row is redacted."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.columns import find_secrets_in_columns
from codebuddy_jupyter.secrets.names import find_names
from codebuddy_jupyter.secrets.redactor import Redactor

SECRETS = ("Zr8kQw2LmN4pXv7tBc1d", "hunter2", "swordfish", "correct horse battery")
USERS = ("jo", "ann", "li", "mo")
ROWS = list(zip(USERS, SECRETS, ("Ulm", "Bonn", "Rom", "Ay"), strict=True))


def found(text: str) -> list[str]:
    spans = find_secrets_in_columns(text, list(find_names(text)))
    return [text[span.start : span.end] for span in spans]


def bars(header: str, rule: str, row: str) -> str:
    return "\n".join([header, rule, *(row.format(*cells) for cells in ROWS)])


def separated(separator: str, name: str = "password") -> str:
    header = separator.join(["user", name, "city"])
    return "\n".join([header, *(separator.join(cells) for cells in ROWS)])


def pandas_text(*columns: str, **options: bool) -> str:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=["user", "password", "city"])
    return str(frame[list(columns)].to_string(**options))


TABLES = {
    "Markdown": bars(
        "| user | password | city |", "|---|:---:|---|", "| {} | {} | {} |"
    ),
    "psql": bars(" user | password | city ", "------+------+-----", " {} | {} | {}"),
    "sqlite": bars("user|password|city", "", "{}|{}|{}").replace("\n\n", "\n"),
    "aws": bars(
        "||  User | Password | City ||", "|+---+---+---+|", "|| {} | {} | {} ||"
    ),
    "DuckDB": bars(
        "│ user │ password │ city │\n│ varchar │ varchar │ varchar │",
        "├───┼───┼───┤",
        "│ {} │ {} │ {} │",
    ),
    "polars": bars(
        "│ user ┆ password ┆ city │\n│ --- ┆ --- ┆ --- │\n│ str ┆ str ┆ str │",
        "╞═══╪═══╪═══╡",
        "│ {} ┆ {} ┆ {} │",
    ),
    "rich": bars("┃ user ┃ password ┃ city ┃", "┡━━━╇━━━╇━━━┩", "│ {} │ {} │ {} │"),
    "commas": separated(","),
    "semicolons": separated(";"),
    "tabs": separated("\t"),
    "quotes": '"user","password","city"\n'
    + "\n".join(f'"{user}","{secret}","{city}"' for user, secret, city in ROWS),
    "in code": f"data = '''{separated(',')}'''\ndf = read(data)",
    "under a line": f"Loaded 4 rows, 3 columns, 1 file.\n{separated(';')}",
    "another language": separated(",", "\u5bc6\u7801"),
    "two words": separated(",", "API key"),
    "left aligned": "user   password               city\n-----  -----------  ----\n"
    + "\n".join(f"{user:5}  {secret:21}  {city}" for user, secret, city in ROWS),
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_each_row_of_a_column_for_passwords_is_found(text: str) -> None:
    assert found(text) == list(SECRETS)


@pytest.mark.parametrize(
    ("columns", "index"),
    [
        (("user", "password", "city"), True),
        (("user", "password", "city"), False),
        (("user", "password"), True),
        (("password", "city"), True),
        (("password", "city"), False),
        (("password",), True),
        (("password",), False),
    ],
)
def test_each_row_of_a_printed_frame_is_found(
    columns: tuple[str, ...], index: bool
) -> None:
    assert found(pandas_text(*columns, index=index)) == list(SECRETS)


def test_each_value_of_a_printed_series_is_found() -> None:
    pandas = pytest.importorskip("pandas")
    text = str(pandas.Series(SECRETS, name="password"))
    assert found(text) == list(SECRETS)


def test_the_value_in_a_row_that_is_a_series_is_found() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=["user", "password", "city"])
    assert found(str(frame.iloc[2])) == ["swordfish"]


def test_the_values_of_a_frame_on_its_side_are_redacted() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS[:2], columns=["user", "password", "city"]).T
    redacted = Redactor().redact(frame.to_string())
    assert "hunter2" not in redacted.text
    assert SECRETS[0] not in redacted.text


def test_rows_behind_a_gap_are_found() -> None:
    rows = "\n".join(f"| {user} | {secret} |" for user, secret, _ in ROWS)
    text = f"| user | password |\n|---|---|\n{rows}\n[1,204 lines left out]\n{rows}"
    assert found(text) == [*SECRETS, *SECRETS]


def test_a_row_whose_start_was_cut_off_is_found_by_its_end() -> None:
    text = (
        "user,password\njo,hunter2\n[1,204 characters left out]\nunter3x\nann,hunter4x"
    )
    assert found(text) == ["hunter2", "unter3x", "hunter4x"]


def test_a_column_of_tokens_is_found_by_what_it_holds() -> None:
    assert found("user,token\njo,Zr8kQw2LmN4p\nann,Kb7xQ2mZ91ab") == [
        "Zr8kQw2LmN4p",
        "Kb7xQ2mZ91ab",
    ]
    assert found("token,count\nthe,12\nunbelievable,3\n##ing,4") == []


INNOCENT = {
    "types of columns": "user        object\npassword    object\ndtype: object",
    "missing values": "user        0\npassword    2\ntoken       1\ndtype: int64",
    "a summary": " #   Column    Non-Null Count  Dtype\n---  ------    -----\n"
    " 0   password  3 non-null      object",
    "numbers": "fold,password,city\n1,0.52,12\n2,0.41,7",
    "a table of features": "| site | password | token |\n|--|--|--|\n| a | yes | no |",
    "parameters": "from conf import (\n    user, password,\n    host, port,\n)",
    "a tuple": "user, password\nhost, port",
    "unions": "def f(password: str | None,\n      token: str | None):\n    pass | None",
    "prose": "The password is needed to open\nthe database, and the file is locked.",
    "a word under another": "    password\n    required",
    "a list of words": "password\nsigned in\nat last",
    "a loop": "for user, password in rows:\n    print(user, password)",
    "fields": "field,description\npassword,The password of the user\ntoken,An API token",
}


@pytest.mark.parametrize("text", INNOCENT.values(), ids=INNOCENT)
def test_what_only_looks_like_such_a_table_stays(text: str) -> None:
    assert found(text) == []


def test_a_column_is_redacted_under_its_label() -> None:
    redacted = Redactor().redact("user,api_key\njo,Kb7xQ2mZ\nann,Kb7xQ2mY")
    assert redacted.text == (
        "user,api_key\njo,[redacted: api key]\nann,[redacted: api key]"
    )
