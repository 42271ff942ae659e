"""No code of the user's runs when a variable is described: traps in all that an object
or a class can replace.
"""

from __future__ import annotations

import collections
import datetime
import enum
import gc
import sqlite3
import sys
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
    __repr__ __str__ __format__ __bytes__ __getattr__ __getattribute__ __len__ __length_hint__ __iter__ __next__
    __bool__ __eq__ __ne__ __lt__ __hash__ __contains__ __getitem__ __missing__ __reversed__ __dir__ __sizeof__
    __reduce_ex__ __index__ __int__ __float__ __call__ __await__ __enter__ __array__ __array_finalize__
    __array_ufunc__ __iadd__ __rich_repr__ _repr_html_ _repr_pretty_ _repr_mimebundle_ _ipython_display_ keys
    items values get head tolist get_params cursor execute
    """
)
PROPERTIES = words(
    """
    __class__ __dict__ __doc__ __module__ __signature__ __wrapped__ __slots__ __weakref__ __annotations__
    __dataclass_fields__ _fields _asdict _mgr _name _modules _parameters shape dtype ndim size nbytes columns
    dtypes index name args value crs tzinfo __array_interface__ __array_struct__ __dataframe__
    """
)
OF_CLASSES = words(
    """
    __repr__ __str__ __getattr__ __getattribute__ __len__ __iter__ __bool__ __eq__ __hash__ __contains__ __dir__
    __instancecheck__ __subclasscheck__ __subclasses__ mro
    """
)
HIDING = {"__class__", "__dict__"}
LOOKS_OF_CLASSES = [
    "__name__",
    "__module__",
    "__doc__",
    "__bases__",
    "__base__",
    "__flags__",
]

BASES: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "object": (object, lambda kind: kind()),
    "list": (list, lambda kind: kind([1, 2])),
    "tuple": (tuple, lambda kind: kind([1, 2])),
    "dict": (dict, lambda kind: kind(a=1)),
    "set": (set, lambda kind: kind([1])),
    "frozenset": (frozenset, lambda kind: kind([1])),
    "str": (str, lambda kind: kind("text")),
    "bytes": (bytes, lambda kind: kind(b"text")),
    "int": (int, lambda kind: kind(3)),
    "float": (float, lambda kind: kind(3)),
    "complex": (complex, lambda kind: kind(3)),
    "an exception": (Exception, lambda kind: kind("text")),
    "a date": (datetime.datetime, lambda kind: kind(2026, 1, 1)),
    "a counter": (collections.Counter, lambda kind: kind("text")),
    "a queue": (collections.deque, lambda kind: kind([1])),
    "a module": (types.ModuleType, lambda kind: kind("text")),
    "a frame": (pd.DataFrame, lambda kind: kind({"a": [1]})),
    "a series": (pd.Series, lambda kind: kind([1], name="a")),
    "an array": (np.ndarray, lambda kind: np.zeros(3).view(kind)),
    "an estimator": (BaseEstimator, lambda kind: kind()),
    "a connection": (
        sqlite3.Connection,
        lambda kind: sqlite3.connect(":memory:", factory=kind),
    ),
}
PLACES: dict[str, Callable[[Any], Any]] = {
    "alone": lambda thing: thing,
    "in a list": lambda thing: [thing, thing],
    "in lists": lambda thing: [[thing], (thing,)],
    "in a dict": lambda thing: {"a": thing},
    "in a queue": lambda thing: collections.deque([thing]),
    "in a counted dict": lambda thing: collections.defaultdict(list, {"a": thing}),
    "in an array": lambda thing: boxed(thing),
    "in a frame": lambda thing: pd.DataFrame({"a": boxed(thing)}),
    "as a label": lambda thing: pd.DataFrame(
        [[1]], columns=pd.Index(boxed(thing), dtype=object)
    ),
    "in an object": lambda thing: types.SimpleNamespace(a=thing),
    "in an exception": lambda thing: ValueError(thing),
    "as its class": lambda thing: type(thing),
    "in a function": lambda thing: function_with(thing),
}


def boxed(thing: Any) -> Any:
    box = np.empty(1, dtype=object)
    box[0] = thing
    return box


def function_with(default: Any) -> Callable[..., Any]:
    def function(a: Any = default) -> Any:
        return a

    function.__annotations__ = {"a": default, "return": default}
    function.__doc__ = default
    return function


class Trapped:
    """A class whose code tells that it was run; armed once its object is where it shall
    be.
    """

    def __init__(
        self, base: type, methods: set[str], properties: set[str], of_class: set[str]
    ) -> None:
        self.hits: list[str] = []
        self.is_live = False
        looks = {
            name: property(self._look(name))
            for name in sorted(of_class & set(LOOKS_OF_CLASSES))
        }
        meta: Any = type("Meta", (type(base),), looks)
        hidden = {
            name: property(self._look(name)) for name in sorted(properties & HIDING)
        }
        self.kind = meta(
            "Hostile", (base,), {"__doc__": "A class that is armed.", **hidden}
        )
        self._armed: list[tuple[Any, str]] = []
        self._plan: list[tuple[Any, str, Any]] = [
            (self.kind, name, self._method(name)) for name in sorted(methods)
        ]
        self._plan += [
            (self.kind, name, property(self._method(name)))
            for name in sorted(properties - HIDING)
        ]
        self._plan += [
            (meta, name, self._method(f"class {name}"))
            for name in sorted(of_class & set(OF_CLASSES))
        ]

    def arm(self) -> None:
        self._armed = [(kind, name) for kind, name, _ in self._plan]
        # the class first, then what it is made of
        for kind, name, trap in reversed(self._plan):
            type.__setattr__(kind, name, trap)
        self.hits.clear()
        self.is_live = True

    def disarm(self) -> list[str]:
        self.is_live = False
        hits = list(self.hits)
        for kind, name in self._armed:
            type.__delattr__(kind, name)
        return hits

    def _look(self, name: str) -> Callable[[Any], Any]:
        """What cannot be replaced any more once the class is there."""

        def trap(kind: Any) -> Any:
            if self.is_live:
                self.hits.append(f"a look at {name}")
                raise KeyboardInterrupt(name)
            if name == "__dict__":
                raise AttributeError(name)
            return type(kind) if name == "__class__" else vars(type)[name].__get__(kind)

        return trap

    def _method(self, name: str) -> Callable[..., Any]:
        def trap(*args: Any, **kwargs: Any) -> Any:
            self.hits.append(name)
            raise KeyboardInterrupt(name)

        return trap


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """What other objects do when they are collected is not what is asked here."""

    gc.disable()
    yield
    gc.enable()


def hits_of(
    base: str, place: str, methods: set[str], properties: set[str], of_class: set[str]
) -> list[str]:
    root, make = BASES[base]
    trapped = Trapped(root, methods, properties, of_class)
    thing = PLACES[place](make(trapped.kind))
    describers = Describers()
    trapped.arm()
    try:
        texts = [describers.schema(thing), describers.values(thing)]
    finally:
        hits = trapped.disarm()
    assert all(type(text) is str and text and len(text) <= 4000 for text in texts)
    assert not any("could not be described" in text for text in texts), texts
    return hits


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("base", BASES)
def test_nothing_that_a_class_replaces_is_run(base: str, place: str) -> None:
    assert (
        hits_of(base, place, set(METHODS), set(PROPERTIES) - set(METHODS), set()) == []
    )


@pytest.mark.parametrize("base", BASES)
def test_nothing_that_a_metaclass_replaces_is_run(base: str) -> None:
    for place in ("alone", "in a list", "in a dict", "as its class"):
        assert (
            hits_of(base, place, set(), set(), set(OF_CLASSES) | set(LOOKS_OF_CLASSES))
            == []
        )


@given(
    st.sampled_from(sorted(BASES)),
    st.sampled_from(sorted(PLACES)),
    st.sets(st.sampled_from(METHODS)),
    st.sets(st.sampled_from(PROPERTIES)),
    st.sets(st.sampled_from(OF_CLASSES + LOOKS_OF_CLASSES)),
)
def test_no_choice_of_traps_is_run(
    base: str, place: str, methods: set[str], properties: set[str], of_class: set[str]
) -> None:
    assert (
        hits_of(base, place, methods, properties - methods - of_class, of_class) == []
    )


def test_a_member_of_an_enumeration_is_not_asked() -> None:
    class Color(enum.Enum):
        RED = "secret"

        def __str__(self) -> str:
            raise KeyboardInterrupt

        __repr__ = __str__

    assert Describers().values(Color.RED).endswith("Color.RED")


def test_a_time_zone_of_the_users_is_not_asked() -> None:
    class Zone(datetime.tzinfo):
        def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
            raise KeyboardInterrupt

        def dst(self, when: datetime.datetime | None) -> datetime.timedelta:
            raise KeyboardInterrupt

        def tzname(self, when: datetime.datetime | None) -> str:
            raise KeyboardInterrupt

    moment = datetime.datetime(2026, 1, 2, tzinfo=Zone())
    assert Describers().values(moment).endswith("2026-01-02 00:00:00")


def test_who_says_to_be_of_a_library_is_not_believed() -> None:
    class Timestamp:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    Timestamp.__module__, Timestamp.__qualname__ = "pandas", "Timestamp"
    assert Describers().values([Timestamp()]).endswith("[<pandas.Timestamp>]")


def test_a_module_that_is_no_module_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Liar:
        def __getattribute__(self, name: str) -> Any:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "pyspark.sql.dataframe", Liar())
    assert Describers().schema(3) == "int"
