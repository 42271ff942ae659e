"""Readers of Markdown as front ends have them, and texts made of what means something
to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from html.parser import HTMLParser

from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from codebuddy_jupyter.markdown.maths import remove_maths

COMMONMARK = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# Texts whose HTML is kept: a test reads the same few several times.
KEPT = 16
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


@lru_cache(KEPT)
def commonmark(text: str) -> str:
    """Read as VS Code does, with HTML on."""
    return str(COMMONMARK.render(text))


@lru_cache(KEPT)
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


READERS: list[Callable[[str], str]] = [commonmark, nbconvert, jupyterlab]
