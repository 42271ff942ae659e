"""The blocks of a growing text, and Markdown of a model made safe: what must change, and
what must not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from codebuddy_jupyter.markdown.blocks import (
    Blocks,
    CodeBlock,
    code_blocks,
    split_blocks,
)
from codebuddy_jupyter.markdown.maths import remove_maths
from codebuddy_jupyter.markdown.safe import escape, fence, neutralise
from tests.support.attacks import ATTACKS, INNOCENTS, attack

TAGS = re.compile(
    "p|h[1-6]|em|strong|del|s|a|code|pre|ul|ol|li|dl|dt|dd|blockquote"
    "|table|thead|tbody|tr|th|td|hr|br|input|img|div|span"
)
ATTRIBUTES = {
    "href",
    "title",
    "class",
    "id",
    "align",
    "start",
    "type",
    "checked",
    "disabled",
    "src",
    "alt",
    "style",
}
ADDRESSES = {
    "href": re.compile(r"https?://|mailto:|#", re.IGNORECASE),
    "src": re.compile(r"data:image/"),
}

# Generated texts consist of these: everything that means something to a reader of
# Markdown.
FRAGMENTS = [
    *"`~$\\<>[]()!*_|\"'&:@{}#-+=x",
    *["``", "```", "~~~", "~~", "$$", "\\$", "![", "](", "]:", "**", "1."],
    *[
        "\n",
        "\n\n",
        " ",
        "  ",
        "    ",
        "\t",
        "\n```\n",
        "\n```html\n",
        "\n~~~\n",
        "\n- ",
        "\n> ",
        "\n   ",
        "foo bar",
    ],
    *[
        "<img src=x onerror=a>",
        "<b>",
        "</b>",
        "<!-- ",
        "-->",
        "<div\n",
        "<?x",
        '<a href="`">',
        "`<b>`",
        "<code>",
    ],
    *[
        "](javascript:a)",
        "](https://a.b)",
        '](https://a.b "t")',
        "\n[a]: javascript:a\n",
        "[a]",
        "![x](http://q/x)",
    ],
    *[
        "<https://a.b>",
        "https://a.b/",
        "www.a.b",
        "a@b.c",
        "&lt;",
        "@@0@@",
        "\\@",
        '$"x$',
        ' "on',
        "```$",
        "mermaid",
    ],
    *[
        "\\begin{a}",
        "\\end{a}",
        "\\\\(",
        "\\\\)",
        "\\\\[",
        "\\\\]",
        "\\href{javascript:a}{b}",
        "| a | b |\n|---|---|\n",
    ],
    *["\r", "\r\n", "\0", "\u2028", "\ufeff", "\ud800", "\u00a0", "é", "漢"],
]
markdowns = st.lists(st.sampled_from(FRAGMENTS), max_size=24).map("".join)


class Reader(HTMLParser):
    """Reads the HTML of a Markdown parser; collects what Markdown cannot produce."""

    def __init__(self) -> None:
        super().__init__()
        self.strange: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not TAGS.fullmatch(tag):
            self.strange.append(tag)
        for name, value in attrs:
            address = ADDRESSES.get(name)
            if name not in ATTRIBUTES or (address and not address.match(value or "")):
                self.strange.append((tag, name, value))

    def handle_comment(self, data: str) -> None:
        self.strange.append(data)

    def handle_decl(self, decl: str) -> None:
        self.strange.append(decl)

    def handle_pi(self, data: str) -> None:
        self.strange.append(data)


def strange_in(html: str) -> list[object]:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader.strange


def commonmark(text: str) -> str:
    """Read as VS Code does, with HTML on."""
    return str(
        MarkdownIt("commonmark", {"html": True})
        .enable(["table", "strikethrough"])
        .render(text)
    )


def nbconvert(text: str) -> str:
    """Read as nbconvert does."""
    return str(markdown2html_mistune(text))


def jupyterlab(text: str) -> str:
    """Read as JupyterLab does, with another parser: maths is put back into the HTML."""
    marked, maths = remove_maths(text)
    html = commonmark(marked)
    escaped = [
        part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for part in maths
    ]
    return re.sub(
        r"@@(\d+)@@",
        lambda mark: escaped[int(mark[1])] if int(mark[1]) < len(escaped) else "",
        html,
    )


READERS = [commonmark, nbconvert, jupyterlab]


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


PARTS = [
    "# Title\n\n",
    "A paragraph\nof two lines.\n\n",
    "- a\n\n- b\n\n  c\n\n",
    "Setext\n===\n",
    "```python\nx = 1\n\ny = 2\n```\n",
    "> quote\nlazy\n\n",
    "| a | b |\n|---|---|\n| c | d |\n\n",
    "$$\na\n\nb\n$$\n\n",
    "\\begin{align}\na\n\nb\n\\end{align}\n\n",
    "<div>\n\n",
    "---\n",
    "The end",
]


def split(pieces: list[str]) -> list[str]:
    blocks = Blocks()
    return [block for piece in pieces for block in blocks.feed(piece)] + blocks.flush()


def test_a_text_is_split_into_its_top_level_blocks() -> None:
    assert split(["".join(PARTS)]) == PARTS


def test_a_block_is_settled_as_soon_as_the_next_has_begun() -> None:
    blocks = Blocks()
    assert blocks.feed("one\n\n") == []
    assert blocks.feed("two\n") == ["one\n\n"]
    assert blocks.tail == "two\n"
    assert blocks.flush() == ["two\n"]
    assert blocks.tail == ""
    assert blocks.flush() == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_blocks_do_not_depend_on_the_pieces(size: int) -> None:
    text = "".join(PARTS)
    assert (
        split([text[start : start + size] for start in range(0, len(text), size)])
        == PARTS
    )


@given(markdowns, st.lists(st.integers(0, 200), max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_text_in_any_pieces_gives_the_same_blocks(
    text: str, cuts: list[int]
) -> None:
    borders = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    blocks = split([text[start:end] for start, end in pairwise(borders)])
    assert blocks == split([text])
    assert "".join(blocks).startswith(text)


@given(markdowns, st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_what_was_given_out_and_the_tail_are_the_text(text: str, cut: int) -> None:
    blocks = Blocks()
    settled = [*blocks.feed(text[:cut]), *blocks.feed(text[cut:])]
    assert "".join(settled) + blocks.tail == text


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("a\n\n```py\nx", "```py\nx\n```"),
        ("```\nx\n", "```\nx\n```"),
        ("- a\n  ~~~~\n  x\n", "- a\n  ~~~~\n  x\n  ~~~~"),
        ("```\nx\n```", "```\nx\n```"),
    ],
    ids=repr,
)
def test_the_end_closes_an_open_fence(text: str, last: str) -> None:
    assert split([text])[-1] == last


@dataclass
class CountedSplits:
    """Splits as `split_blocks` does; notes how many characters it parsed each time."""

    sizes: list[int] = field(default_factory=list)

    def __call__(self, text: str, end: int) -> list[str]:
        self.sizes.append(end)
        return split_blocks(text, end)


@pytest.mark.parametrize("lines", [500, 5_000])
def test_a_block_that_grows_is_not_parsed_at_each_line(lines: int) -> None:
    line = "print('one line of a long block of code')\n"
    counted = CountedSplits()
    blocks = Blocks(counted)
    assert blocks.feed("```python\n") == []
    for _ in range(lines):
        assert blocks.feed(line) == []
    assert len(counted.sizes) <= 50
    assert sum(counted.sizes) <= 5 * lines * len(line)


def test_short_blocks_are_parsed_about_once() -> None:
    paragraph = "A paragraph of text.\n\n"
    counted = CountedSplits()
    blocks = Blocks(counted)
    for _ in range(1_000):
        blocks.feed(paragraph)
    assert len(counted.sizes) <= 1_000
    assert sum(counted.sizes) <= 2 * 1_000 * len(paragraph)


def test_a_formula_that_never_closes_does_not_hold_up_all_that_follows() -> None:
    assert len(split(["$$ is money\n\n" + "A paragraph of text.\n\n" * 400])) > 100


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


def test_code_blocks_have_a_language_and_their_code() -> None:
    text = "a\n\n```python title=x\nx\n```\n\n- b\n  ~~~\n  y\n  ~~~\n\n```js\nz"
    assert code_blocks(text) == [
        CodeBlock("python", "x\n"),
        CodeBlock("", "y\n"),
        CodeBlock("js", "z"),
    ]
