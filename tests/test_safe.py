"""Markdown of a model made safe: what must change, and what must not."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codebuddy_jupyter.markdown.blocks import (
    CodeBlock,
    code_blocks,
)
from codebuddy_jupyter.markdown.safe import escape, fence, neutralise
from tests.support.attacks import ATTACKS, DEFINITIONS, INNOCENTS, attack
from tests.support.markdown_readers import (
    READERS,
    commonmark,
    markdowns,
    nbconvert,
    strange_in,
)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_text_to_every_reader(
    name: str, reader: Callable[[str], str]
) -> None:
    assert (
        strange_in(reader(neutralise(attack(name, "pwned(1)", "http://127.0.0.1:9/1"))))
        == []
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_stays_harmless_when_it_is_neutralised_again(name: str) -> None:
    once = neutralise(attack(name, "pwned(1)", "http://127.0.0.1:9/1"))
    assert neutralise(once) == once


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_harmless_at_every_moment_of_its_stream(name: str) -> None:
    text = attack(name, "pwned(1)", "http://127.0.0.1:9/1")
    for end in range(len(text)):
        safe = neutralise(text[:end])
        assert [strange_in(reader(safe)) for reader in READERS] == [[], [], []], text[
            :end
        ]


DEFINES = re.compile(
    r"\\(?:[gex]?def|let|futurelet|global|(?:re)?new(?:command|environment)|providecommand"
    r"|Declare\w+"
    r"|Newextarrow|definecolor|require|csname|catcode|label)(?![A-Za-z])|\^\^[0-9a-f]"
)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_maths_of_an_answer_defines_nothing(name: str) -> None:
    """``$\\def\\beta{X}$`` would hold for the whole page, and get around the filter."""
    text = DEFINITIONS[name]
    assert DEFINES.search(unescape(text))
    for end in range(len(text) + 1):
        safe = neutralise(text[:end])
        for reader in READERS:
            assert not DEFINES.search(unescape(reader(safe))), safe
        assert neutralise(safe) == safe


@pytest.mark.parametrize(
    "code",
    ["```python\nCODE\n```\n", "a `CODE` b", "    CODE\n", "- x\n\n  ~~~\n  CODE"],
)
def test_invisible_characters_in_code_are_shown_and_named(code: str) -> None:
    """U+202E, U+2066 and zero-width characters, which would be copied unseen."""
    hidden = "x = 1 \u202e \u2066if\u2069 a\u200bb \ufeffc"
    safe = neutralise(code.replace("CODE", hidden))
    for character in "\u202e\u2066\u2069\u200b\ufeff":
        assert character not in safe
        assert f"⟨U+{ord(character):04X} " in safe
    assert neutralise(safe) == safe


@pytest.mark.parametrize("name", INNOCENTS)
def test_an_innocent_text_comes_through_unchanged(name: str) -> None:
    assert neutralise(INNOCENTS[name]) == INNOCENTS[name]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a <b>c</b>", "a &lt;b>c&lt;/b>"),
        ("\\<b>", "&lt;b>"),
        ("$a<b$ and $c>d$", "$a< b$ and $c>d$"),
        ("[x](javascript:y)", "[x]&#40;javascript:y)"),
        ("[x]: javascript:y", "[x]&#58; javascript:y"),
        ("![x](https://example.com/y.png)", "[x](https://example.com/y.png)"),
        ("![](https://example.com/y.png)", "[image](https://example.com/y.png)"),
        ("[![x](https://a.b)](https://c.d)", "[[x](https://a.b)](https://c.d)"),
        ("a/`<b>`", "a/<code>&#60;b&#62;</code>"),
        ("```mermaid\nA-->B\n```", "```text\nA-->B\n```"),
        ("```html\n<b>", "```html\n<b>\n```"),
        ("- a\n  ```html\n  <b>", "- a\n  ```html\n  <b>\n  ```"),
        ("    <b>\n    <c>\n", "```\n<b>\n<c>\n```"),
        ("a\0b\ud800\r\nc", "a\ufffdb\ufffd\nc"),
    ],
    ids=repr,
)
def test_what_is_dangerous_is_rewritten(text: str, shown: str) -> None:
    assert neutralise(text) == shown


def test_an_ambiguous_block_is_shown_as_its_source() -> None:
    doubtful = "- a $x\n  ```\n  $\n  ```\n\n  ```\n  <b>\n  ```"
    assert (
        neutralise(f"One.\n\n{doubtful}\n\nTwo.")
        == f"One.\n\n````\n{doubtful}\n````\n\nTwo."
    )


@given(markdowns)
@example('](http://b)$"$')
@example("!```\\\\[\n```\n<b>\n```\n\\\\]")
@example("`\n-|`<b>`\n-|-|")
@settings(max_examples=300, deadline=None)
def test_no_tag_and_no_bad_address_survives_outside_code(text: str) -> None:
    safe = neutralise(text)
    assert [strange_in(reader(safe)) for reader in READERS] == [[], [], []]
    assert neutralise(safe) == safe


@given(st.text(alphabet=st.sampled_from("ab<>/&$`~|\\[]()!:\"'@{}\n "), max_size=60))
@settings(max_examples=200, deadline=None)
def test_code_in_a_fence_comes_through_byte_for_byte(code: str) -> None:
    text = f"Before.\n\n{fence(code, 'html')}\nAfter.\n"
    assert code_blocks(neutralise(text)) == code_blocks(text)


@pytest.mark.parametrize(
    "text",
    [
        "<b> " * 2_500_000,
        "[" * 10_000 + "<b>",
        ">" * 10_000 + "<b>",
        "`" * 100_000 + "<b>",
        "- " * 10_000 + "<b>",
        "`<b>`\n" * 10_000,
        "~~~\n@@" + "1" * 5_000 + "\\begin{a}x\\end{a}@@ <b>\n~~~\n",
    ],
    ids=[
        "10 MB",
        "10,000 brackets",
        "10,000 quotes",
        "100,000 backticks",
        "10,000 lists",
        "10,000 spans",
        "a number of 5,000 digits",
    ],
)
def test_no_length_and_no_depth_makes_it_fail(text: str) -> None:
    safe = neutralise(text)
    assert strange_in(commonmark(safe if len(safe) < 200_000 else safe[:100_000])) == []


@pytest.mark.parametrize(
    "code", ["x = 1", "a\n", "```\nx\n```", "`" * 7, "", "\n"], ids=repr
)
def test_a_fence_holds_its_code(code: str) -> None:
    assert code_blocks(fence(code, "python")) == [
        CodeBlock(
            "python",
            code.removesuffix("\n") + "\n" if code.removesuffix("\n") else "\n",
        )
    ]


def test_a_fence_takes_no_language_that_could_do_harm() -> None:
    assert fence("x", 'a" onmouseover="b').startswith("```a\n")


@pytest.mark.parametrize(
    "text",
    [
        "qwen2.5-coder:7b",
        "<b>",
        "__init__ *x* `y`",
        "[a](b) ![c](d)",
        "1. a # b",
        "&lt; | ~~x~~",
        "www.a.b https://c.d",
    ],
)
def test_escaped_text_shows_exactly_as_it_is(text: str) -> None:
    shown = Text()
    shown.feed(nbconvert(escape(text)))
    assert "".join(shown.data).strip() == text
    assert strange_in(commonmark(escape(text))) == []


READABLE = [
    "llama3 · 1,234 tokens · first after 49.8 s · 12 tokens/s",
    "left out of the context: 206 variables (%buddy /context)",
    'It\'s 100 % "done"; see my_model_name in /home/jo/nb-2.ipynb!',
    "qwen2.5-coder:7b at 127.0.0.1:8080",
    "1 secret redacted",
    "中文。好 «x» — y…",
]


@pytest.mark.parametrize("text", READABLE)
def test_escaped_text_can_be_read_in_its_source(text: str) -> None:
    assert escape(text) == text


ADDRESSES = [
    "http://h/",
    "https://h/",
    "www.h",
    "//h.com",
    "//127.0.0.1",
    "h.com",
    "a.py",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_in_escaped_text_is_no_link(address: str) -> None:
    escaped = escape(f"at {address} and")
    assert address not in escaped
    # GitHub's and linkify-it's ways to find one
    assert not re.search(r"//|www\.|://|\.(?:com|py)", escaped)


AROUND = {
    "alone": "{}",
    "in a list": "- {}",
    "quoted": "> {}",
    "below a line": "Some text\n{}",
    "small": "<small>{}</small>",
    "bold": "- **{}**: x",
    "in a table": "| a | b |\n|---|---|\n| {} | x |",
}
SNIPPETS = [
    *["#", "-", "+", "=", "1.", "1)", "123.", ":", ":::", "%", "(a)=", ">", "|", "---"],
    *["*", "_", "__", "a_b", "`", "~~", "$", "\\", "\\(", "<b>", "</small>", "&lt;"],
    *["![", "[a](b)", "[^1]", "](", "]:", "{", "}", "http://h", "www.h.de", "a@b.de"],
    *["\u202e", "\u200b", "é", "漢", "a", "B", " ", "    ", "\n", "'", '"', "!", "."],
]


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@given(text=st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=8).map("".join))
def test_any_escaped_text_is_shown_as_text_everywhere(around: str, text: str) -> None:
    plain = " ".join(text.split()) or "x"
    for read in READERS:
        marked = around.format("ZQ")
        escaped = around.format(escape(plain))
        assert shown_by(read, escaped) == shown_by(read, marked).replace("ZQ", plain)
        assert re.findall(r"<\w+", read(escaped)) == re.findall(r"<\w+", read(marked))


def shown_by(read: Callable[[str], str], markdown: str) -> str:
    """Return the text that a reader shows, with single spaces."""
    html = re.sub(r"<[^>]*>", "", read(markdown)).replace("¶", "")
    return " ".join(unescape(html).split())


def test_escaped_text_is_on_one_line() -> None:
    assert "\n" not in escape("a\nb\r\n\n c")


class Text(HTMLParser):
    """Collects the text of HTML; only a paragraph may be around it."""

    def __init__(self) -> None:
        super().__init__()
        self.data: list[str] = []

    def handle_data(self, data: str) -> None:
        self.data.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "p"
