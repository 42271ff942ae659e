"""No code of the user's runs when a variable is described.

Traps are set in everything that an object or a class can replace.
"""

from __future__ import annotations

import collections
import datetime
import enum
import gc
import sqlite3
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator

from codebuddy_jupyter.context.describe import Describers


def words(text: str) -> list[str]:
    return text.split()


METHODS = words(
    """
    __repr__ __str__ __format__ __bytes__ __getattr__ __getattribute__ __len__
    __length_hint__ __iter__ __next__ __bool__ __eq__ __ne__ __lt__ __hash__
    __contains__ __getitem__ __missing__ __reversed__ __dir__ __sizeof__ __reduce_ex__
    __index__ __int__ __float__ __call__ __await__ __enter__ __array__
    __array_finalize__ __array_ufunc__ __iadd__ __rich_repr__ _repr_html_ _repr_pretty_
    _repr_mimebundle_ _ipython_display_ keys items values get head tolist get_params
    cursor execute
    """
)
PROPERTIES = words(
    """
    __class__ __dict__ __doc__ __module__ __signature__ __wrapped__ __slots__
    __weakref__ __annotations__ __dataclass_fields__ _fields _asdict _mgr _name _modules
    _parameters shape dtype ndim size nbytes columns dtypes index name args value crs
    tzinfo __array_interface__ __array_struct__ __dataframe__
    """
)
METACLASS_METHODS = words(
    """
    __repr__ __str__ __getattr__ __getattribute__ __len__ __iter__ __bool__ __eq__
    __hash__ __contains__ __dir__ __instancecheck__ __subclasscheck__ __subclasses__ mro
    """
)
SET_AT_CREATION = {"__class__", "__dict__"}
METACLASS_PROPERTIES = [
    "__name__",
    "__module__",
    "__doc__",
    "__bases__",
    "__base__",
    "__flags__",
]

BASES: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "object": (object, lambda cls: cls()),
    "list": (list, lambda cls: cls([1, 2])),
    "tuple": (tuple, lambda cls: cls([1, 2])),
    "dict": (dict, lambda cls: cls(a=1)),
    "set": (set, lambda cls: cls([1])),
    "frozenset": (frozenset, lambda cls: cls([1])),
    "str": (str, lambda cls: cls("text")),
    "bytes": (bytes, lambda cls: cls(b"text")),
    "int": (int, lambda cls: cls(3)),
    "float": (float, lambda cls: cls(3)),
    "complex": (complex, lambda cls: cls(3)),
    "an exception": (Exception, lambda cls: cls("text")),
    "a date": (datetime.datetime, lambda cls: cls(2026, 1, 1)),
    "a counter": (collections.Counter, lambda cls: cls("text")),
    "a queue": (collections.deque, lambda cls: cls([1])),
    "a module": (types.ModuleType, lambda cls: cls("text")),
    "a frame": (pd.DataFrame, lambda cls: cls({"a": [1]})),
    "a series": (pd.Series, lambda cls: cls([1], name="a")),
    "an array": (np.ndarray, lambda cls: np.zeros(3).view(cls)),
    "an estimator": (BaseEstimator, lambda cls: cls()),
    "a connection": (
        sqlite3.Connection,
        lambda cls: sqlite3.connect(":memory:", factory=cls),
    ),
}
CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "alone": lambda value: value,
    "in a list": lambda value: [value, value],
    "in lists": lambda value: [[value], (value,)],
    "in a dict": lambda value: {"a": value},
    "in a queue": lambda value: collections.deque([value]),
    "in a counted dict": lambda value: collections.defaultdict(list, {"a": value}),
    "in an array": lambda value: boxed(value),
    "in a frame": lambda value: pd.DataFrame({"a": boxed(value)}),
    "as a label": lambda value: pd.DataFrame(
        [[1]], columns=pd.Index(boxed(value), dtype=object)
    ),
    "in an object": lambda value: types.SimpleNamespace(a=value),
    "in an exception": lambda value: ValueError(value),
    "as its class": lambda value: type(value),
    "in a function": lambda value: function_with(value),
}


def boxed(value: Any) -> Any:
    box = np.empty(1, dtype=object)
    box[0] = value
    return box


def function_with(default: Any) -> Callable[..., Any]:
    def function(a: Any = default) -> Any:
        return a

    function.__annotations__ = {"a": default, "return": default}
    function.__doc__ = default
    return function


class Trapped:
    """A class that records which of its code runs; armed once its object is in place."""

    def __init__(
        self, base: type, methods: set[str], properties: set[str], of_class: set[str]
    ) -> None:
        self.hits: list[str] = []
        self.is_live = False
        properties_of_class = {
            name: property(self._property_trap(name))
            for name in sorted(of_class & set(METACLASS_PROPERTIES))
        }
        meta: Any = type("Meta", (type(base),), properties_of_class)
        hidden = {
            name: property(self._property_trap(name))
            for name in sorted(properties & SET_AT_CREATION)
        }
        self.cls = meta(
            "Hostile", (base,), {"__doc__": "A class that is armed.", **hidden}
        )
        self._armed: list[tuple[Any, str]] = []
        self._plan: list[tuple[Any, str, Any]] = [
            (self.cls, name, self._method(name)) for name in sorted(methods)
        ]
        self._plan += [
            (self.cls, name, property(self._method(name)))
            for name in sorted(properties - SET_AT_CREATION)
        ]
        self._plan += [
            (meta, name, self._method(f"class {name}"))
            for name in sorted(of_class & set(METACLASS_METHODS))
        ]

    def arm(self) -> None:
        self._armed = [(cls, name) for cls, name, _ in self._plan]
        # The metaclass first, then the class.
        for cls, name, trap in reversed(self._plan):
            type.__setattr__(cls, name, trap)
        self.hits.clear()
        self.is_live = True

    def disarm(self) -> list[str]:
        self.is_live = False
        hits = list(self.hits)
        for cls, name in self._armed:
            type.__delattr__(cls, name)
        return hits

    def _property_trap(self, name: str) -> Callable[[Any], Any]:
        """Return a trap for what cannot be replaced once the class exists."""

        def trap(cls: Any) -> Any:
            if self.is_live:
                self.hits.append(f"property {name}")
                raise KeyboardInterrupt(name)
            if name == "__dict__":
                raise AttributeError(name)
            return type(cls) if name == "__class__" else vars(type)[name].__get__(cls)

        return trap

    def _method(self, name: str) -> Callable[..., Any]:
        def trap(*args: Any, **kwargs: Any) -> Any:
            self.hits.append(name)
            raise KeyboardInterrupt(name)

        return trap


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """Keep other objects from being collected, which may run code of theirs."""
    gc.disable()
    yield
    gc.enable()


def hits_of(
    base: str, place: str, methods: set[str], properties: set[str], of_class: set[str]
) -> list[str]:
    root, make = BASES[base]
    trapped = Trapped(root, methods, properties, of_class)
    value = CONTAINERS[place](make(trapped.cls))
    describers = Describers()
    trapped.arm()
    try:
        texts = [describers.schema(value), describers.values(value)]
    finally:
        hits = trapped.disarm()
    assert all(type(text) is str and text and len(text) <= 4000 for text in texts)
    assert not any("could not be described" in text for text in texts), texts
    return hits


@pytest.mark.parametrize("place", CONTAINERS)
@pytest.mark.parametrize("base", BASES)
def test_nothing_that_a_class_replaces_is_run(base: str, place: str) -> None:
    assert (
        hits_of(base, place, set(METHODS), set(PROPERTIES) - set(METHODS), set()) == []
    )


@pytest.mark.parametrize("base", BASES)
def test_nothing_that_a_metaclass_replaces_is_run(base: str) -> None:
    for place in ("alone", "in a list", "in a dict", "as its class"):
        assert (
            hits_of(
                base,
                place,
                set(),
                set(),
                set(METACLASS_METHODS) | set(METACLASS_PROPERTIES),
            )
            == []
        )


@given(
    st.sampled_from(sorted(BASES)),
    st.sampled_from(sorted(CONTAINERS)),
    st.sets(st.sampled_from(METHODS)),
    st.sets(st.sampled_from(PROPERTIES)),
    st.sets(st.sampled_from(METACLASS_METHODS + METACLASS_PROPERTIES)),
)
def test_no_choice_of_traps_is_run(
    base: str, place: str, methods: set[str], properties: set[str], of_class: set[str]
) -> None:
    assert (
        hits_of(base, place, methods, properties - methods - of_class, of_class) == []
    )


def test_an_enumeration_formats_none_of_its_members() -> None:
    class Color(enum.Enum):
        RED = "secret"

        def __str__(self) -> str:
            raise KeyboardInterrupt

        __repr__ = __str__

    assert Describers().values(Color.RED).endswith("Color.RED")


def test_a_time_zone_of_the_users_is_not_run() -> None:
    class Zone(datetime.tzinfo):
        def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
            raise KeyboardInterrupt

        def dst(self, when: datetime.datetime | None) -> datetime.timedelta:
            raise KeyboardInterrupt

        def tzname(self, when: datetime.datetime | None) -> str:
            raise KeyboardInterrupt

    moment = datetime.datetime(2026, 1, 2, tzinfo=Zone())
    assert Describers().values(moment).endswith("2026-01-02 00:00:00")
