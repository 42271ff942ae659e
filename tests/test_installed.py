"""What installed packages define, by introspection alone."""

from __future__ import annotations

import datetime
import functools
import math
import types
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy
import sklearn
from sklearn.ensemble import RandomForestClassifier

from codebuddy_jupyter.context.inspection import installed


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (np, "float"),
        (np, "NaN"),
        (np, "nothing"),
        (pd, "merg"),
        (pd, "Panel"),
        (plt, "plott"),
        (scipy, "nothing"),
        (pl, "nothing"),
        (sklearn, "nothing"),
        (math, "nothing"),
    ],
)
def test_an_attribute_is_surely_missing(module: types.ModuleType, name: str) -> None:
    assert installed.lacks_attribute(module, name)
    with pytest.raises(AttributeError):
        getattr(module, name)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (np, "mean"),
        (np, "f2py"),
        (np, "testing"),
        (np, "__version__"),
        (pd, "DataFrame"),
        (scipy, "stats"),
        (scipy, "fft"),
        (sklearn, "svm"),
        # It has a `__getattr__` that is not known.
        (matplotlib, "nothing"),
    ],
)
def test_an_attribute_may_be_there(module: types.ModuleType, name: str) -> None:
    assert not installed.lacks_attribute(module, name)


def test_most_public_names_of_packages_are_found() -> None:
    for module in (np, pd, plt, scipy, pl, sklearn):
        for name in dir(module):
            assert not installed.lacks_attribute(module, name), name


def test_only_installed_modules_count() -> None:
    assert installed.is_installed_module(pd)
    assert installed.is_installed_module(math)
    assert not installed.is_installed_module(types.ModuleType("pandas"))
    assert not installed.is_installed_module(types.ModuleType("own"))
    assert not installed.is_installed_module("pandas")


def test_classes_whose_attributes_are_known() -> None:
    class Own:
        pass

    assert installed.is_plain_class(pd.DataFrame)
    assert installed.is_plain_class(list)
    assert installed.is_plain_class(datetime.date)
    assert not installed.is_plain_class(Own)
    assert not installed.is_plain_class(3)
    assert installed.class_lacks(np.ndarray, "append")
    assert not installed.class_lacks(np.ndarray, "reshape")
    # A column may have this name.
    assert not installed.class_lacks(pd.DataFrame, "append")


def test_what_can_be_passed_to_a_function() -> None:
    def function(a: int, /, b: int, *, c: int = 1) -> None: ...

    known = installed.try_parameters(function)
    assert known is not None
    assert (known.named, known.positions, known.takes_any) == (("b", "c"), 2, False)

    def other(self: Any, x: int, *args: int, **kwargs: int) -> None: ...

    known = installed.try_parameters(other, 1)
    assert known is not None
    assert (known.named, known.positions, known.takes_any) == (("x",), None, True)


@pytest.mark.parametrize(
    "value", [print, 3, None, len, np.array, types.SimpleNamespace()]
)
def test_of_other_things_nothing_is_known(value: object) -> None:
    assert installed.try_parameters(value) is None
    assert installed.signature_text(value) == ""


def test_decorators_are_looked_through() -> None:
    def renaming(old: str) -> Any:
        def decorate(function: Any) -> Any:
            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return function(*args, **{old: kwargs.get(old)})

            return wrapper

        return decorate

    def plain(present: int) -> None: ...

    function = renaming("former")(plain)

    known = installed.try_parameters(function)
    assert known is not None
    assert known.named == ("present",)
    assert installed.is_wrapper(function)
    assert installed.decorators_mention(function, "former")
    assert not installed.decorators_mention(function, "other")


def test_a_decorator_that_wraps_itself_ends() -> None:
    def function(a: int) -> None: ...

    vars(function)["__wrapped__"] = function
    assert installed.try_parameters(function) is not None
    assert installed.decorators_mention(function, "b")


SOMETHING = object()


def test_the_signature_shows_plain_defaults_and_no_annotations() -> None:
    def function(
        a: int, b: str = "x", c: Any = SOMETHING, *, d: float = 1.5
    ) -> None: ...

    text = installed.signature_text(function)
    assert text == "(a, b=…, c=…, *, d=…)"
    assert installed.signature_text(pd.DataFrame.drop, 1).startswith(
        "(labels=None, *, axis=0"
    )
    assert installed.signature_text(np.mean).startswith("(a, axis=None")


def test_the_constructor_of_a_class() -> None:
    assert installed.constructor_of(RandomForestClassifier) is not None
    assert installed.constructor_of(int) is None
    assert installed.constructor_of(object) is None

    class Meta(type):
        pass

    assert (
        installed.constructor_of(Meta("Own", (), {"__init__": lambda self: None}))
        is None
    )


def test_versions_and_replacements() -> None:
    assert installed.versioned("pandas.DataFrame") == f"pandas {pd.__version__}"
    assert installed.versioned("list") == "list"
    assert installed.try_replacement("pandas.DataFrame", "append") == "pandas.concat"
    assert installed.try_replacement("pandas.DataFrame", "x") == ""
    assert list(installed.nested_attribute(datetime, "now")) == [
        "datetime.datetime.now"
    ]
    assert list(installed.nested_attribute(math, "now")) == []
