"""Tables of plain text: what a server names its models never becomes Markdown."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands.text_table import text_table
from codebuddy_jupyter.messages import Model
from tests.support.command_line import run_line, table
from tests.support.fakes import FakeProvider


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>",
        "a | b | <script>alert(1)</script>",
        "[click](javascript:alert(1))",
        "![](http://elsewhere/?q=secret)",
        "`code` **bold** $x$ \\| \\",
        "<!-- a comment",
        "http://elsewhere/",
    ],
)
def test_a_hostile_name_of_a_model_is_shown_as_text(
    buddy: Buddy, fake: FakeProvider, name: str
) -> None:
    fake.offers = [Model(name, abilities=(name,)), Model("after")]
    assert table(run_line(buddy, "/models"))[1:] == [
        [name, "", "", "", name, ""],
        ["after", "", "", "", "", ""],
    ]


@pytest.mark.parametrize("name", ["two\nlines\n\n# and a heading", "a\r\n\r\n<script>"])
def test_a_name_over_lines_stays_in_its_row(
    buddy: Buddy, fake: FakeProvider, name: str
) -> None:
    fake.offers = [Model(name), Model("after")]
    rows = table(run_line(buddy, "/models"))
    assert len(rows) == 3
    assert rows[2] == ["after", "", "", "", "", ""]


def test_columns_of_numbers_are_aligned_to_the_right() -> None:
    assert text_table(("name", "size"), [("a", "1")], numbers=[1]) == (
        "| name | size |\n|---|---:|\n| a | 1 |"
    )
