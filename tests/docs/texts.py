"""The documents for people, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.kernels import ROOT

README, SETUP, CONTRIBUTING, CHANGELOG = (
    "README.md",
    "docs/LOCAL_LLM_SETUP.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
)
SENT, SETTINGS = "docs/WHAT_IS_SENT.md", "docs/SETTINGS.md"
CONTEXT, PANEL = "docs/CONTEXT.md", "docs/PANEL.md"
DOCUMENTS = (README, SETUP, SENT, CONTEXT, PANEL, SETTINGS, CONTRIBUTING, CHANGELOG)
LOCAL_ADDRESS = re.compile(r"http://localhost:\d+")


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def tokens_of(document: str) -> Iterator[Token]:
    for token in MarkdownIt().enable("table").parse(text_of(document)):
        yield token
        yield from token.children or ()


def blocks(document: str, language: str) -> list[str]:
    return [
        token.content
        for token in tokens_of(document)
        if token.type == "fence" and token.info == language
    ]


def shell_lines() -> list[str]:
    return [
        line
        for document in DOCUMENTS
        for block in blocks(document, "sh")
        for line in block.splitlines()
    ]


def commands_in_code(name: str) -> set[str]:
    guides = (README, SETUP, SENT, CONTEXT, PANEL, CONTRIBUTING)
    spans = [
        token.content
        for guide in guides
        for token in tokens_of(guide)
        if token.type == "code_inline"
    ]
    return {line for line in [*spans, *shell_lines()] if line.startswith(f"{name} ")}


def headings(document: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    found = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found
    }
