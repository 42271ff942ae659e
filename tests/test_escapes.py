"""Views of a text with its escape sequences resolved."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codebuddy_jupyter.secrets.escapes import unescaped_views
from codebuddy_jupyter.secrets.redactor import Redactor


@pytest.mark.parametrize(
    ("line", "redacted"),
    [
        (
            r"'db:\n  password: Kb7xQ2mZ\n  port: 1'",
            r"'db:\n  password: [redacted: password]\n  port: 1'",
        ),
        (
            r"['db:\n  password: Kb7xQ2mZ', 1]",
            r"['db:\n  password: [redacted: password]', 1]",
        ),
        (
            r'{"a": "HOST=x\r\nDB_PASSWORD=plum\r\n"}',
            r'{"a": "HOST=x\r\nDB_PASSWORD=[redacted: password]\r\n"}',
        ),
        (
            r"'\tpassword = Kb7xQ2mZ\n\thost = x'",
            r"'\tpassword = [redacted: password]\n\thost = x'",
        ),
        (
            r"'[db]\\n\\tpassword: Kb7xQ2mZ\\n'",
            r"'[db]\\n\\tpassword: [redacted: password]\\n'",
        ),
        (
            r'"[db]\npassword = \"q7 \\"b c\"\n"',
            r'"[db]\npassword = \"[redacted: password]\"\n"',
        ),
        (r"x = 'password: Kb7xQ2mZ'", r"x = 'password: [redacted: password]'"),
    ],
    ids=["YAML", "last line", ".env", "INI", "escaped twice", "TOML", "one line"],
)
def test_in_an_escaped_text_only_the_secret_is_redacted(
    line: str, redacted: str
) -> None:
    assert Redactor().redact(line).text == redacted


@given(st.text(st.sampled_from("ab\n\\\\\\nr\"'"), max_size=60))
@example(r"\\\n" + "\\")
def test_every_view_of_a_text_maps_its_characters_to_the_original(text: str) -> None:
    letters = {"\n": "n", "\r": "r", "\t": "t"}
    for view in unescaped_views(text):
        for index, character in enumerate(view.text):
            start = view.original_index(index)
            end = view.original_index(index + 1)
            assert text[end - 1] in (character, letters.get(character))
            # Of strings that are joined, all between their quotes is left out, and so is
            # an end of a line after a backslash, which may be escaped itself.
            assert set(text[start : end - 1]) <= set("\\\n\r\"'+ brun")
