"""Tables of HTML with columns and rows whose names suggest a secret."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.secrets.markup_tables import find_secrets_in_markup

VALUE = "Kb7xQ2mZ"
HEAD = (
    "<table class='a'><thead><tr><th></th><th>user</th><th>Password</th></tr></thead>"
)
TABLES = {
    "a frame": f"{HEAD}<tr><th>0</th><td>jo</td><td>{VALUE}</td></tr></table>",
    "other case": f"<TABLE><TR><TD>password</TD><TD>{VALUE}</TD></TR></TABLE>",
    "a pair": f"<table><tr><th>password</th><td> <b>{VALUE}</b> </td></tr></table>",
    "one column": f"<table><tr><th>api_key</th></tr><tr><td>{VALUE}</td></tr></table>",
    "cut off": f"{HEAD}<tr><th>0</th><td>jo</td><td>{VALUE}",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_the_value_in_the_cell_is_found(text: str) -> None:
    (span,) = find_secrets_in_markup(text)
    assert text[span.start : span.end] == VALUE


def test_other_cells_stay() -> None:
    text = f"{HEAD}<tr><th>0</th><td>jo</td><td>yes</td></tr></table><td>{VALUE}</td>"
    assert list(find_secrets_in_markup(text)) == []
    assert list(find_secrets_in_markup("no table")) == []
