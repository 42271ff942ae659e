"""The documents, and functions that read code, commands and headings from them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.kernels import ROOT

README = "README.md"
SETUP = "docs/LOCAL_LLM_SETUP.md"
MODELS = "docs/MODELS.md"
WHAT_IS_SENT = "docs/WHAT_IS_SENT.md"
CONTEXT = "docs/CONTEXT.md"
PANEL = "docs/PANEL.md"
EDITOR = "docs/EDITOR.md"
VALUES = "docs/VALUES.md"
AGENTS = "docs/AGENTS.md"
SETTINGS = "docs/SETTINGS.md"
CONTRIBUTING = "CONTRIBUTING.md"
CHANGELOG = "CHANGELOG.md"
GUIDES = (
    README,
    SETUP,
    MODELS,
    WHAT_IS_SENT,
    CONTEXT,
    PANEL,
    EDITOR,
    VALUES,
    AGENTS,
    CONTRIBUTING,
)
DOCUMENTS = (*GUIDES, SETTINGS, CHANGELOG)
LOCAL_ADDRESS = re.compile(r"http://localhost:\d+")


def text_of(document: str) -> str:
    """Return the text of a document."""
    return (ROOT / document).read_text(encoding="utf-8")


def tokens_of(document: str) -> Iterator[Token]:
    """Yield the tokens of a document, with those inside paragraphs."""
    for token in MarkdownIt().enable("table").parse(text_of(document)):
        yield token
        yield from token.children or ()


def blocks(document: str, language: str) -> list[str]:
    """Return the code blocks of a language in a document."""
    return [
        token.content
        for token in tokens_of(document)
        if token.type == "fence" and token.info == language
    ]


def shell_lines() -> list[str]:
    """Return every line of the shell code blocks of all documents."""
    return [
        line
        for document in DOCUMENTS
        for block in blocks(document, "sh")
        for line in block.splitlines()
    ]


def commands_in_code(program: str) -> set[str]:
    """Return every use of a program in the code of the guides, in text or in blocks."""
    spans = [
        token.content
        for guide in GUIDES
        for token in tokens_of(guide)
        if token.type == "code_inline"
    ]
    return {line for line in [*spans, *shell_lines()] if line.startswith(f"{program} ")}


def headings(document: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    texts = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in texts
    }
