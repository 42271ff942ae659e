"""Code that is checked against the live kernel: right code is never called wrong."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.context.inspection.code_check import CodeCheck, findings
from tests.support.snippets import RIGHT, WRONG, namespace


def lines(code: str, names: Mapping[str, object] | None = None) -> list[str]:
    found = findings(code, namespace() if names is None else names)
    return [finding.text for finding in found]


@pytest.fixture
def folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("code", RIGHT)
def test_right_code_is_not_called_wrong(code: str) -> None:
    assert lines(code, {**namespace(), "os": os}) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", RIGHT)
def test_what_counts_as_right_runs(code: str, folder: None) -> None:
    names = {**namespace(), "os": os}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)


@pytest.mark.parametrize(("code", "line"), WRONG)
def test_wrong_code_gets_its_line(code: str, line: str | None) -> None:
    assert next(iter(lines(code)), None) == line


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", [code for code, _ in WRONG])
def test_what_counts_as_wrong_fails(code: str, folder: None) -> None:
    with pytest.raises(Exception), contextlib.redirect_stdout(io.StringIO()):  # noqa: B017, PT011 - of any kind
        exec(code, namespace())


def test_a_finding_says_what_a_repair_needs() -> None:
    (finding,) = findings("x = 1\nclients['Region']", namespace())
    assert (finding.kind, finding.name, finding.nearest) == (
        "column",
        "Region",
        "region",
    )
    assert (finding.owner, finding.line, finding.fails) == ("clients", 2, True)
    assert finding.fact == (
        "The columns of clients are 'Official language', 'id', 'joined', 'region', "
        "'revenue'."
    )
    (finding,) = findings("pd.merge(clients, orders, key='id')", namespace())
    assert finding.fact.startswith(
        "The signature is merge(left, right, how='inner', on="
    )


def test_of_many_findings_the_first_are_told() -> None:
    code = "\n".join(f"clients['missing {n}']" for n in range(50))
    found = findings(code, namespace())
    assert [finding.line for finding in found] == [1, 2, 3, 4, 5]


def test_the_same_mistake_is_told_once() -> None:
    assert len(lines("clients['Region']\nclients['Region'].sum()")) == 1


@pytest.mark.parametrize(
    "code",
    [
        "exec('total = 1')\ntotal",
        "from math import *\nsqrt(2)",
        "%run other.py\ntotal",
        "globals()['total'] = 1\ntotal",
        "try:\n    total\nexcept NameError:\n    total = 1",
        "x: total = 1",
        "def f(a: total) -> total: ...",
        "_ + _3 + len(_i2)",
        "display(clients)\nget_ipython()",
        "unknown = object()\nunknown.what.ever(1)['x']",
        "!wget http://host/x.csv\npd.read_csv('x.csv')",
        "%pip install seaborn\nimport seaborn",
        "pd.read_csv('https://host/x.csv')",
        "clients.to_csv('x.csv')\npd.read_csv('x.csv')",
        "import os\nos.chdir('..')\npd.read_csv('x.csv')",
        "import contextlib\nwith contextlib.suppress(KeyError):\n    clients['tax']",
        "getattr(pd, 'merg', None)",
        "hasattr(clients, 'append') and clients.append(1)",
        "SELECT clients FROM orders",
        "ls -la",
        "pwd",
        "clients[",
    ],
)
def test_nothing_is_said_where_it_is_not_sure(code: str) -> None:
    assert lines(code) == []


def test_a_frame_of_a_subclass_is_not_looked_at() -> None:
    class Sheet(pd.DataFrame):
        pass

    assert lines("sheet['x']", {"sheet": Sheet({"a": [1]})}) == []


def test_columns_in_levels_and_columns_of_other_types_are_left_alone() -> None:
    levels = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_product([["a"], [1, 2]]))
    dates = pd.DataFrame([[1]], columns=[pd.Timestamp("2024-01-01")])
    assert lines("levels['b']\ndates['2024']", {"levels": levels, "dates": dates}) == []


def test_a_later_piece_of_code_knows_the_earlier_ones() -> None:
    check = CodeCheck(namespace())
    assert check.check("t = clients.assign(tax=1)\nclients['x'] = 1") == ()
    assert check.check("t['tax'] + clients['x']") == ()
    (finding,) = check.check("t['taxes']")
    assert finding.nearest == "tax"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("!pip install no_such_package", "import no_such_package"),
        ("%pip install no_such_package", "import no_such_package"),
        ("%%bash\npip install no_such_package", "import no_such_package"),
        ("%%writefile no_such_helper.py\nx = 1", "from no_such_helper import x"),
        ("import sys\nsys.path.append('src')", "import no_such_helper"),
        ("%run no_such_script.py", "unknown_name"),
        ("%%capture unknown_name\nprint(1)", "unknown_name.show()"),
        ("from os import *", "unknown_name"),
    ],
)
def test_a_later_piece_of_code_may_use_what_an_earlier_one_has_made(
    first: str, second: str
) -> None:
    assert CodeCheck(namespace()).check(second) != ()
    check = CodeCheck(namespace())
    assert check.check(first) == ()
    assert check.check(second) == ()


OTHER_WAYS = [
    "for i, x in enumerate([df, other]):\n    x['k'] = i\ndf['k']",
    "for x, n in zip([df, other], 'ab'):\n    x['k'] = n\npd.concat([df, other])['k']",
    "df.columns.name = 'kk'\ndf.melt()['kk']",
    "(df[['a']] + other)['w']",
    "(df[['a']] * pd.Series({'a': 2, 'w': 3}))['w']",
    "df[['a']].reindex_like(other)['w']",
    "df.rename({'a': 'x'}, axis=0)['a']",
    "df.query('ilevel_0 >= 0')",
    "p.with_columns(pl.Series('z', [1, 2])).select('z')",
    "p.with_columns(pl.lit(5))['literal']",
    "p.with_columns(**{f'{c}_x': pl.col(c) for c in ['v']}).select('v_x')",
    "q.with_columns(pl.col('s').struct.field('u')).filter(pl.col('u') > 0)",
    "p.insert_column(0, pl.Series('zz', [1, 2]))\np.filter(pl.col('zz') > 1)",
    "p.hstack([pl.Series('zz', [1, 2])], in_place=True)\np.select('zz')",
]


@pytest.mark.parametrize("code", OTHER_WAYS)
def test_columns_that_come_by_other_ways_are_no_finding(code: str) -> None:
    known = {
        "pd": pd,
        "pl": pl,
        "df": pd.DataFrame({"a": [1, 2]}),
        "other": pd.DataFrame({"a": [1, 2], "w": [3, 4]}),
        "p": pl.DataFrame({"v": [1, 2]}),
        "q": pl.DataFrame({"s": [{"u": 1}]}),
    }
    assert lines(code, known) == []
    # It is right indeed.
    exec(code, known)


def test_a_module_may_be_where_the_code_itself_says() -> None:
    code = "import sys\nsys.path.append('src')\nfrom no_such_helper import f"
    assert lines(code, {}) == []


def test_a_later_piece_of_code_may_be_another_way() -> None:
    check = CodeCheck(namespace())
    first = (
        "clients = clients.rename(columns={'revenue': 'sales'})\ndel orders['amount']"
    )
    assert check.check(first) == ()
    assert check.check("clients['revenue']\norders['amount']") == ()


class Hostile:
    """Any use of an instance is an error."""

    def __init__(self) -> None:
        object.__setattr__(self, "used", [])

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise AssertionError("hashed")

    def __repr__(self) -> str:
        raise AssertionError("shown")

    def __bool__(self) -> bool:
        raise AssertionError("asked")


class HostileDict(dict[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise AssertionError(key)

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("iterated")


class HostileModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


class Lying(type):
    @property
    def __mro__(cls) -> Any:
        raise AssertionError("mro")

    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError(name)


def test_no_code_of_the_user_s_objects_runs() -> None:
    module = HostileModule("pandas")
    frame = pd.DataFrame({"a": [1]})
    frame["objects"] = pd.Series([Hostile()], dtype=object)
    names = {
        "thing": Hostile(),
        "mapping": HostileDict(a=1),
        "module": module,
        "cls": Lying("Cls", (), {}),
        "frame": frame,
        "get_ipython": Hostile(),
        "pd": pd,
        "np": np,
        "_ih": ["", Hostile()],
    }
    code = """
thing.what(1)['x'].y
mapping['b'], mapping.c
module.DataFrame, cls.x, cls(1), thing == 1, thing + thing
frame['objects'].foo
frame[thing], frame.sort_values(thing), frame[cls]
pd.merge(frame, thing, on='a'), pd.concat([thing, frame])
np.mean(thing), thing(frame)
%nothing
"""
    assert lines(code, names) == []


def test_a_frame_with_very_many_columns_is_left_alone() -> None:
    wide = pd.DataFrame(np.zeros((1, 20_000)))
    wide.columns = [f"c{n}" for n in range(20_000)]
    assert lines("wide['d']", {"wide": wide}) == []


@pytest.mark.parametrize(
    "code",
    [
        "x = " + "(" * 90 + "clients" + ")" * 90,
        "clients" + ".head()" * 2_000,
        "x = " + "+".join(["1"] * 8_000),
        "x = " + "[" * 90 + "]" * 90,
        "x = " + "not " * 3_000 + "1",
        "clients['" + "x" * 15_000 + "']",
        "clients['Region'] = clients['a\\nb']",
        "y\n" * 1_000_000,
        "lambda: " * 900 + "1",
        "a = b = " * 500 + "1",
    ],
)
def test_hostile_code_neither_raises_nor_takes_long(code: str) -> None:
    for line in lines(code):
        assert len(line) < 200


def test_a_magic_that_does_not_exist_is_told(shell: InteractiveShell) -> None:
    names = {"get_ipython": shell.get_ipython, "x": 1}
    assert lines("%tmeit x", names) == ["there is no magic %tmeit; nearest: %timeit"]
    assert lines("%%tme\nx", names) == ["there is no magic %%tme; nearest: %%time"]
    assert lines("alias_magic\nconda", names) == []
    assert lines("%timeit x\n%matplotlib inline\n%%time", names) == []


def test_what_python_adds_for_people_who_type_is_no_name_that_was_meant() -> None:
    (finding,) = findings("clients.head()", {})
    assert finding.text == "'clients' is not defined"


def test_columns_of_a_library_s_plot_are_checked_in_their_order() -> None:
    def scatterplot(data: Any = None, **columns: Any) -> None:
        """Stand for seaborn's, which is not installed here."""

    scatterplot.__module__ = "seaborn.relational"
    names = {"frame": pd.DataFrame({"price": [1]}), "scatterplot": scatterplot}
    code = "scatterplot(frame, x='price', size='a', y='b', hue='c', style='d', row='e')"
    found = lines(code, names)
    assert [line[-3:] for line in found] == ["'a'", "'b'", "'c'", "'d'", "'e'"]
