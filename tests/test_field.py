"""One setting and its widget: what is shown, what is typed, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest
from traitlets import Bool, Enum, Float, Int, List, Unicode

from codebuddy_jupyter.settings.configured import KERNEL, Configured
from codebuddy_jupyter.widgets.field import (
    LARGEST_NUMBER,
    Field,
    fields_of,
    label_of,
)

MakesField = Callable[[str], Field]


class Base(Configured):
    """Declares some settings."""

    first = Unicode("a").tag(config=True)
    number = Float(0.5, min=0.0, max=2.0).tag(config=True)
    internal = Unicode("not a setting")


class Owner(Base):
    """Has settings of every type, one of which the base declares, too."""

    environment: ClassVar = {}

    count = Int(1, min=0).tag(config=True)
    any_number = Int(None, allow_none=True).tag(config=True)
    hosts = List(Unicode()).tag(config=True)
    choice = Enum(["one", "two"], "one").tag(config=True)
    is_on = Bool(False).tag(config=True, label="Switched on")
    long = Unicode("long " * 20).tag(config=True)
    base_url = Unicode("").tag(config=True)
    token = Unicode("").tag(config=True, secret=True)
    first = Unicode("b").tag(config=True)
    top = Unicode("").tag(config=True, order=-1)


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def reports() -> list[str]:
    """The lines that fields have reported."""
    return []


@pytest.fixture
def field(owner: Owner, reports: list[str]) -> Iterator[MakesField]:
    """Makes the field of a setting."""
    fields: list[Field] = []

    def make(name: str) -> Field:
        fields.append(Field(owner, name, reports.append))
        return fields[-1]

    yield make
    for made in fields:
        made.close()


@pytest.mark.parametrize(
    ("name", "widget", "value"),
    [
        ("first", "Text", "b"),
        ("number", "BoundedFloatText", 0.5),
        ("count", "BoundedIntText", 1),
        ("any_number", "Text", ""),
        ("hosts", "Text", ""),
        ("choice", "Dropdown", "one"),
        ("is_on", "Checkbox", False),
        ("long", "Textarea", "long " * 20),
    ],
)
def test_the_type_of_a_setting_decides_its_widget(
    field: MakesField, name: str, widget: str, value: object
) -> None:
    made = field(name).widget
    assert (type(made).__name__, made.value) == (widget, value)


def test_a_number_without_a_bound_gets_a_finite_one(field: MakesField) -> None:
    widget = field("count").widget
    assert (widget.min, widget.max) == (0, LARGEST_NUMBER)


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("any_number", "7", 7),
        ("hosts", "a:1, ,b", ["a:1", "b"]),
        ("first", "7", "7"),
        ("choice", "two", "two"),
        ("number", 1.5, 1.5),
        ("is_on", True, True),
    ],
)
def test_what_is_typed_changes_the_setting_in_this_kernel(
    field: MakesField, owner: Owner, name: str, typed: object, value: object
) -> None:
    field(name).widget.value = typed
    assert getattr(owner, name) == value
    assert owner.origin(name) == KERNEL


def test_an_empty_text_means_the_default_where_that_is_none(
    field: MakesField, owner: Owner
) -> None:
    made = field("any_number")
    made.widget.value = "7"
    made.widget.value = "  "
    assert owner.any_number is None


def test_an_invalid_text_is_reported_until_it_is_valid_again(
    field: MakesField, owner: Owner, reports: list[str]
) -> None:
    widget = field("any_number").widget
    widget.value = "many"
    assert owner.origin("any_number") != KERNEL
    assert reports[-1].startswith("Any number: ")
    widget.value = "3"
    assert owner.any_number == 3
    assert reports[-1] == ""


def test_a_change_of_the_setting_is_shown_until_the_field_is_closed(
    owner: Owner, reports: list[str]
) -> None:
    made = Field(owner, "hosts", reports.append)
    owner.hosts = ["a", "b"]
    assert made.widget.value == "a, b"
    made.close()
    owner.hosts = ["c"]
    assert made.widget.value == "a, b"


def test_settings_are_listed_by_order_and_declaration_without_secrets(
    owner: Owner,
) -> None:
    assert fields_of(owner) == [
        "top",
        "first",
        "number",
        "count",
        "any_number",
        "hosts",
        "choice",
        "is_on",
        "long",
        "base_url",
    ]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("base_url", "Base URL"),
        ("any_number", "Any number"),
        ("is_on", "Switched on"),
    ],
)
def test_a_label_is_the_name_in_words_unless_it_is_declared(
    owner: Owner, name: str, label: str
) -> None:
    assert label_of(name, owner.traits()[name]) == label
