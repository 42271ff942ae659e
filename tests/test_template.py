"""The question about a row, with fields."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.errors import PromptError
from codebuddy_jupyter.values.batch.template import template_of

COLUMNS = ["text", "order id", "price"]


def filled(text: str, *texts: str) -> str:
    return template_of(text, COLUMNS, may_append=False).fill(texts)


def test_fields_are_filled_in_their_places() -> None:
    template = template_of("{text} for {price}? {text}", COLUMNS, may_append=False)
    assert template.fields == ("text", "price")
    assert template.fill(["A", "3"]) == "A for 3? A"


def test_a_column_may_have_any_name() -> None:
    assert filled("Of {order id}?", "17") == "Of 17?"


def test_what_stands_in_a_value_is_not_filled() -> None:
    assert filled("{text} {price}", "{price}", "{text}") == "{price} {text}"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("{text} {{price}}", "T {price}"),
        ('{text} as {"label": "x"}', 'T as {"label": "x"}'),
        (r"{text} \frac{1}{2} {}", r"T \frac{1}{2} {}"),
        ("{text} {{}}", "T {}"),
        ("{ {text}", "{ T"),
    ],
    ids=["doubled", "JSON", "LaTeX", "doubled empty", "alone"],
)
def test_other_braces_stay(text: str, sent: str) -> None:
    assert filled(text, "T") == sent


def test_a_column_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(PromptError) as caught:
        template_of("Is {txt} a complaint?", COLUMNS, may_append=False)
    assert "no column 'txt'" in str(caught.value)
    assert "Did you mean text?" in str(caught.value)


def test_a_question_that_names_no_column_of_a_frame_is_refused() -> None:
    with pytest.raises(PromptError) as caught:
        template_of("Is this a complaint?", COLUMNS, may_append=False)
    assert "names no column" in str(caught.value)
    assert "text, order id, price" in str(caught.value)


def test_a_row_that_is_one_value_is_appended() -> None:
    template = template_of("Is this a complaint?", ["item"], may_append=True)
    assert template.fields == ("item",)
    assert template.fill(["T"]) == "Is this a complaint?\n\nT"


def test_a_long_list_of_columns_is_shortened() -> None:
    columns = [f"column_{number}" for number in range(1_000)]
    with pytest.raises(PromptError, match="and 988 more"):
        template_of("Why?", columns, may_append=False)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_question_is_refused(text: str) -> None:
    with pytest.raises(PromptError, match="no question"):
        template_of(text, COLUMNS, may_append=True)
