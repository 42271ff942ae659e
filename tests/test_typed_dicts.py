"""``typing.TypedDict`` as pydantic takes it on each version of Python."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest

from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.values.form import NotValid, form_of
from codebuddy_jupyter.values.typed_dicts import IS_NEEDED, with_known_dicts


class Place(TypedDict):
    """Where it was."""

    city: str
    code: NotRequired[int]


class Stay(Place, total=False):
    nights: int
    next: Place | None


class Chain(TypedDict):
    link: Chain | None


BERN = '{"city": "Bern", "code": 3000}'


@pytest.mark.parametrize(
    ("into", "text", "expected"),
    [
        (Place, BERN, {"city": "Bern", "code": 3000}),
        (Place, '{"city": "Bern"}', {"city": "Bern"}),
        (Stay, '{"city": "Bern"}', {"city": "Bern"}),
        (
            Stay,
            f'{{"city": "Bern", "nights": "2", "next": {BERN}}}',
            {"city": "Bern", "nights": 2, "next": {"city": "Bern", "code": 3000}},
        ),
        (list[Place], f"[{BERN}]", [{"city": "Bern", "code": 3000}]),
        (dict[str, Place], f'{{"a": {BERN}}}', {"a": {"city": "Bern", "code": 3000}}),
        (Place | None, '{"value": null}', None),
        (Place | None, f'{{"value": {BERN}}}', {"city": "Bern", "code": 3000}),
        (Annotated[Place, "here"], BERN, {"city": "Bern", "code": 3000}),
    ],
    ids=lambda part: str(part)[:40],
)
def test_a_dict_of_the_standard_library_is_a_record(
    into: Any, text: str, expected: object
) -> None:
    assert form_of(into).read(text) == expected


def test_what_it_requires_is_required() -> None:
    form = form_of(Place)
    assert form.fields == ("city", "code")
    assert form.schema["description"] == "Where it was."
    with pytest.raises(NotValid, match="city: Field required"):
        form.read('{"code": 1}')


@pytest.mark.parametrize(
    "into", [int, list[int], Literal["a"], int | str, Annotated[int, 5], None]
)
def test_other_types_stay_as_they_are(into: Any) -> None:
    assert with_known_dicts(into) == into


@pytest.mark.skipif(not IS_NEEDED, reason="pydantic takes it on this version of Python")
def test_one_that_contains_itself_is_refused_with_what_to_do() -> None:
    with pytest.raises(SettingError, match=r"use .typing_extensions\.TypedDict"):
        form_of(Chain)
