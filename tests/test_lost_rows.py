"""Where an empty frame lost its rows."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import polars as pl

from codebuddy_jupyter.context.inspection.lost_rows import is_empty_frame, lost_rows

A = pd.DataFrame({"id": [1, 2], "v": [1, 2]})
B = pd.DataFrame({"id": ["1", "2", "3"]})
NONE = A[:0]
CELLS = [
    (1, "a = load()\nb = load()"),
    (2, "m = a.merge(b, on='id')"),
    (3, "n = m[m['v'] > 1]\nlast = n.sort_values('v')"),
    (4, "%time print(last)"),
]


def lines(name: str, names: Mapping[str, object] | None = None) -> list[str]:
    known = names or {"a": A, "b": B, "m": NONE, "n": NONE, "last": NONE}
    return list(lost_rows(name, known, CELLS))


def test_the_step_that_lost_the_rows_is_found_behind_those_after_it() -> None:
    expected = [
        "m has 0 rows since In[2]: m = a.merge(b, on='id') (a has 2 rows, b has 3 rows)",
        "a['id'] is int64, b['id'] is str: 0 of 2 keys match; 2 if written alike "
        "(type, case and spaces around them)",
    ]
    assert lines("last") == expected
    assert lines("m") == expected


def test_a_filter_is_told_by_its_code() -> None:
    names = {"m": A, "n": NONE, "last": NONE}
    assert lines("n", names) == [
        "n has 0 rows since In[3]: n = m[m['v'] > 1] (m has 2 rows)"
    ]


def test_a_frame_that_is_made_from_itself_is_told() -> None:
    assert list(lost_rows("m", {"m": NONE}, [(7, "m = m[m.v > 9]")])) == [
        "m has 0 rows since In[7]: m = m[m.v > 9]"
    ]


def test_long_code_is_cut() -> None:
    (line,) = lost_rows("m", {"m": NONE}, [(7, f"m = f({'x, ' * 99})")])
    assert len(line) < 130


def test_frames_made_from_each_other_end() -> None:
    cells = [(1, "a = b.head()"), (2, "b = a.head()")]
    assert list(lost_rows("a", {"a": NONE, "b": NONE}, cells)) == []


def test_what_no_cell_assigns_is_not_known() -> None:
    assert lines("other") == []
    assert list(lost_rows("m", {"m": NONE}, [])) == []
    assert list(lost_rows("m", {"m": NONE}, [(1, "m = ("), (2, "m" * 9_000)])) == []


def test_only_frames_of_known_classes_are_empty() -> None:
    class Sheet(pd.DataFrame):
        pass

    assert is_empty_frame(NONE)
    assert is_empty_frame(pl.DataFrame({"a": []}))
    assert not is_empty_frame(A)
    assert not is_empty_frame(Sheet())
    assert not is_empty_frame([])
