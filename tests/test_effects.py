"""What code does to variables is seen without running it."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.tools.effects import (
    CALLS,
    NOT_PYTHON,
    SHELL_COMMAND,
    effects_of,
)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("x = y", "x"),
        ("x = y = z", "x y"),
        ("(a, [b, *c]) = d", "a b c"),
        ("x: int = 1", "x"),
        ("x += 1", "x"),
        ("del x", "x"),
        ("import os.path, numpy as np", "os np"),
        ("from math import pi as p, tau", "p tau"),
        ("def f(a):\n    b = a\n    return b", "f"),
        ("async def f():\n    b = 1", "f"),
        ("class A:\n    b = 1", "A"),
        ("for i, j in k:\n    m = i", "i j m"),
        ("with open(p) as f:\n    t = f.read()", "f t"),
        ("try:\n    a = 1\nexcept E as e:\n    pass", "a e"),
        ("if (n := len(a)) > 1:\n    pass", "n"),
        ("[x for x in (last := y)]", "last"),
        ("total = [t := t + v for v in values]", "total t"),
        ("def f():\n    global g\n    g = 1", "f g"),
        ("match a:\n    case {'k': v, **rest}:\n        pass", "v rest"),
        (
            "match a:\n    case [first, *others] as whole:\n        pass",
            "first others whole",
        ),
        ("f = lambda a: a", "f"),
        ("x[0] = 1", ""),
        ("print(x)", ""),
        ("%time x = 1", "x"),
    ],
)
def test_the_names_that_code_binds(code: str, names: str) -> None:
    assert effects_of(code).binds == set(names.split())


@pytest.mark.parametrize(
    ("code", "changed", "deep"),
    [
        ("rows.append(1)", "rows", ""),
        ("rows += [1]", "rows", ""),
        ("d['a'] = 1", "d", ""),
        ("del d['a']", "d", ""),
        ("df.columns = ['a']", "df", ""),
        ("df.loc[0, 'a'] = 1", "df", "df"),
        ("d['a'].append(1)", "d", "d"),
        ("df.dropna(inplace=True)", "df", ""),
        ("df.dropna()", "", ""),
        ("text = text.replace('a', 'b')", "", ""),
        ("f(rows)", "", ""),
        ("f().x = 1", "", ""),
    ],
)
def test_the_objects_that_code_changes(code: str, changed: str, deep: str) -> None:
    effects = effects_of(code)
    assert effects.changes == set(changed.split())
    assert effects.deep == set(deep.split())


@pytest.mark.parametrize(
    ("code", "unseen"),
    [
        ("x = 1", ()),
        ("open('a', 'w')", (CALLS,)),
        ("!rm -r data", (SHELL_COMMAND,)),
        ("%cd /", (SHELL_COMMAND,)),
        ("%%bash\nrm -r data", (NOT_PYTHON,)),
        ("x = (", (NOT_PYTHON,)),
        ("[" * 500, (NOT_PYTHON,)),
        ("", (NOT_PYTHON,)),
    ],
)
def test_what_cannot_be_undone_is_said(code: str, unseen: tuple[str, ...]) -> None:
    assert effects_of(code).unseen == unseen
