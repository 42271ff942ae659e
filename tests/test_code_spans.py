"""Where the code of a Markdown text is, and whether all readers agree on that."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.markdown.code_spans import (
    Code,
    find_code,
    is_unambiguous_fence,
    line_starts,
    mask_code,
    prefix_of_next_lines,
    unambiguous_spans,
)


def code_of(text: str) -> list[Code]:
    found = find_code(text)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a `b` ``c ` d``", [("span", "`b`"), ("span", "``c ` d``")]),
        ("- a\n  ```py\n  b\n  ```\n", [("fence", "  ```py\n  b\n  ```\n")]),
        ("    x\n", [("code_block", "    x\n")]),
        ("```\nnever closed", [("fence", "```\nnever closed")]),
        (r"\`a`", []),
        ("`a ``b", []),
        ("|a|b|\n|-|-|\n|`c`|`d`|\n", [("span", "`c`"), ("span", "`d`")]),
    ],
    ids=repr,
)
def test_code_is_found_with_its_marks(text: str, code: list[tuple[str, str]]) -> None:
    assert [(found.type, found.source(text)) for found in code_of(text)] == code


def test_a_fence_has_its_marks_and_the_words_after_them() -> None:
    (fence,) = code_of("~~~~ python title=x\ncode\n~~~~\n")
    assert (fence.markup, fence.info.strip()) == ("~~~~", "python title=x")


def test_masked_code_keeps_its_lines_and_its_length() -> None:
    text = "a `b` c\n```\nd\n```\n"
    masked = mask_code(text, code_of(text))
    assert masked == "a \0\0\0 c\n\0\0\0\n\0\n\0\0\0\n"


def test_lines_end_as_the_parser_ends_them() -> None:
    assert line_starts("a\r\nb\rc\nd") == [0, 3, 5, 7, 8]


@pytest.mark.parametrize(
    ("text", "unambiguous"),
    [
        ("a `b` c", ["`b`"]),
        ("a `b` and `c`", ["`b`", "`c`"]),
        ("``b``", []),
        ("`a\nb`", []),
        ("|a|b|\n|-|-|\n|`c \\| d`|e|\n", []),
        ("a/`b`", []),
        ("`$x$`", []),
        ("[a `b]` c](d)", []),
        ("~~a `b~~` c", []),
        ("a ` alone\n`b`\n", []),
    ],
    ids=repr,
)
def test_a_span_that_readers_may_pair_differently_is_ambiguous(
    text: str, unambiguous: list[str]
) -> None:
    code = code_of(text)
    spans = unambiguous_spans(text, mask_code(text, code), code)
    assert sorted(span.source(text) for span in spans) == unambiguous


@pytest.mark.parametrize(
    ("source", "unambiguous"),
    [
        ("```\na\n```\n", True),
        ("> ```\n> a\n> ```\n", True),
        ("  ```\n  a\n\n  b\n  ```\n", True),
        ("```\na\n", False),
        ("> ```\na\n> ```\n", False),
        ("```\n  ```python\n```\n", False),
        ("\t```\n\ta\n\t```\n", False),
    ],
    ids=repr,
)
def test_a_fence_that_readers_may_end_elsewhere_is_ambiguous(
    source: str, unambiguous: bool
) -> None:
    assert is_unambiguous_fence(source, "```") is unambiguous


def test_the_lines_of_a_fence_keep_its_quote_marks_and_its_indentation() -> None:
    assert prefix_of_next_lines("- > ```python", "```") == "  > "
