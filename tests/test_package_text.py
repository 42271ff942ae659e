"""What is attached of installed packages."""

from __future__ import annotations

import math
import subprocess
import sys
import types

import numpy as np
import pandas as pd
import pytest

from codebuddy_jupyter.context.inspection.package_text import (
    MAX_DOC,
    MAX_EXAMPLE,
    NotFound,
    completions_of,
    package_text,
)


def lines(target: str, **names: object) -> list[str]:
    return package_text(target, names).splitlines()


def test_a_function_has_signature_docstring_and_example() -> None:
    found = lines("pandas.merge")
    assert found[0] == f"pandas.merge (pandas {pd.__version__})"
    assert found[1].startswith("merge(left, right, how='inner', on=None")
    assert found[2].startswith("Merge DataFrame")
    assert "Parameters" not in found
    example = found[found.index("Example:") + 1]
    assert example.startswith(">>> ")


@pytest.mark.parametrize(
    ("target", "second"),
    [
        ("pandas.DataFrame.drop", "drop(labels=None, *, axis=0, index=None"),
        ("pandas.DataFrame", "DataFrame(data=None, index=None"),
        ("pandas.Series.str.split", "split(pat=None"),
        ("pandas.DataFrame.shape", "shape: a property"),
        ("pandas.DataFrame.groupby", "groupby(by=None"),
        ("numpy.mean", "mean(a, axis=None"),
        ("numpy.add", "add(x1, x2"),
        ("numpy.array", "array("),
        ("math.sqrt", "sqrt(x, /)"),
        ("json.dumps", "dumps(obj, *, skipkeys=False"),
        ("str.join", ""),
    ],
)
def test_all_kinds_of_things_are_told(target: str, second: str) -> None:
    if target == "str.join":
        with pytest.raises(NotFound):
            package_text(target, {})
        return
    assert lines(target)[1].startswith(second)


def test_a_short_name_of_a_module_counts() -> None:
    assert lines("pd.merge", pd=pd) == lines("pandas.merge")
    assert lines("np.linalg.norm", np=np)[0].startswith("numpy.linalg.norm (numpy ")


def test_a_module_is_told_by_its_names() -> None:
    assert "sqrt" in lines("math")[-1]


def test_texts_are_bounded() -> None:
    for target in ("pandas.DataFrame", "pandas.read_csv", "numpy.einsum", "numpy"):
        assert len(package_text(target, {})) < MAX_DOC + MAX_EXAMPLE + 3_000


def test_what_is_not_there_says_what_is() -> None:
    with pytest.raises(NotFound) as caught:
        package_text("pandas.merg", {})
    assert (caught.value.name, caught.value.owner) == ("merg", "pandas")
    assert "merge" in caught.value.candidates
    with pytest.raises(NotFound) as caught:
        package_text("no_such_package.x", {})
    assert (caught.value.name, caught.value.owner) == ("no_such_package", "")


def test_modules_of_the_user_s_and_what_poses_as_one_are_not_read() -> None:
    class Trap(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    for value in (Trap("pandas"), types.ModuleType("own"), 3, object()):
        with pytest.raises(NotFound):
            package_text("thing.merge", {"thing": value})


def test_nothing_is_imported() -> None:
    code = (
        "import sys; from codebuddy_jupyter.context.inspection import package_text as p\n"
        "before = set(sys.modules)\n"
        "try: p.package_text('wave.open', {})\n"
        "except p.NotFound: print('not found')\n"
        "p.completions_of('wave', {}); p.completions_of('json.', {})\n"
        "print(set(sys.modules) == before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["not found", "True"]


def test_names_are_completed() -> None:
    assert "pandas.merge_asof" in completions_of("pandas.merge", {})
    assert completions_of("pd.read_cs", {"pd": pd}) == ["pd.read_csv"]
    assert "math" in completions_of("mat", {})
    assert completions_of("math.sqr", {"math": math}) == ["math.sqrt"]
    assert completions_of("no_such_package.", {}) == []
    assert completions_of("pandas.no_such.", {}) == []
    assert "split" in str(completions_of("pandas.Series.str.sp", {}))
