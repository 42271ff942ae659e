"""The blocks of a growing text."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codebuddy_jupyter.markdown.blocks import (
    Blocks,
    CodeBlock,
    code_blocks,
    split_blocks,
)
from tests.support.markdown_readers import markdowns

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


def test_code_blocks_have_a_language_and_their_code() -> None:
    text = "a\n\n```python title=x\nx\n```\n\n- b\n  ~~~\n  y\n  ~~~\n\n```js\nz"
    assert code_blocks(text) == [
        CodeBlock("python", "x\n"),
        CodeBlock("", "y\n"),
        CodeBlock("js", "z"),
    ]
