"""Files that code reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from codebuddy_jupyter.context.inspection.code_check import CodeCheck, findings

CELLS = ["", "import pandas as pd\nclients = pd.read_csv('data/clients.csv')"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "clients.csv").write_text("a\n1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(code: str, cells: list[Any] = CELLS, **names: object) -> list[str]:
    frame = pd.DataFrame({"a": [1]})
    known = {"pd": pd, "clients": frame, "_ih": cells, **names}
    return [finding.text for finding in findings(code, known)]


def test_a_file_that_a_variable_holds_is_told_and_is_no_failure() -> None:
    assert lines("df = pd.read_csv('data/clients.csv')") == [
        "clients holds clients.csv already"
    ]
    known = {"pd": pd, "clients": pd.DataFrame({"a": [1]}), "_ih": CELLS}
    (finding,) = findings("pd.read_csv('data/clients.csv')", known)
    assert not finding.fails


def test_a_file_that_is_not_there_is_told_with_the_variable_that_holds_it() -> None:
    assert lines("df = pd.read_csv('clients.csv')") == [
        "there is no file 'clients.csv'; clients holds clients.csv already"
    ]
    assert lines("df = pd.read_csv('path/to/other.csv')") == [
        "there is no file 'path/to/other.csv'"
    ]


def test_without_any_frame_nothing_is_known_of_files() -> None:
    assert lines("pd.read_csv('other.csv')", clients=None) == []


def test_a_variable_that_is_gone_or_something_else_holds_nothing() -> None:
    assert lines("pd.read_csv('data/clients.csv')", clients=3) == []


@pytest.mark.parametrize("cells", [[""], [3, None], ["clients = ("], ["x" * 90_000]])
def test_cells_may_be_anything(cells: list[Any]) -> None:
    assert lines("pd.read_csv('data/clients.csv')", cells) == []


@pytest.mark.parametrize(
    "path", ["~/x.csv", "s3://b/x.csv", "*.csv", "\\\\h\\x", "//h/x"]
)
def test_paths_that_are_not_plain_are_left_alone(path: str) -> None:
    assert lines(f"pd.read_csv({path!r})") == []


def test_a_path_that_cannot_exist_is_left_alone() -> None:
    assert lines("pd.read_csv('a\\0b.csv')") == []


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    d = pd.read_csv('x.csv')\nexcept FileNotFoundError:\n    d = None",
        "def load():\n    return pd.read_csv('x.csv')",
        "d = pd.read_csv('x.csv') if False else clients",
        "import os\nos.system('curl -O http://h/x.csv')\nd = pd.read_csv('x.csv')",
        "for n in 'xy':\n    clients.to_csv(f'{n}.csv')\nd = pd.read_csv('x.csv')",
    ],
)
def test_what_may_not_be_read_or_was_made_is_left_alone(code: str) -> None:
    assert lines(code) == []


@pytest.mark.parametrize(
    "before",
    [
        "!curl -O http://h/x.csv",
        "%%writefile x.csv\na",
        "%cd elsewhere",
        "%%bash\ncp y.csv x.csv",
        "clients.to_csv('x.csv')",
        "open('x.csv', 'w').write('a')",
        "import os; os.chdir('..')",
    ],
)
def test_a_piece_before_may_have_made_the_file(before: str) -> None:
    known = {"pd": pd, "clients": pd.DataFrame({"a": [1]}), "_ih": CELLS}
    check = CodeCheck(known)
    assert check.check(before) == ()
    assert check.check("d = pd.read_csv('x.csv')") == ()


def test_a_file_of_the_same_name_in_another_folder_is_another() -> None:
    assert lines("d = pd.read_csv('2026/clients.csv')") == [
        "there is no file '2026/clients.csv'"
    ]
    assert lines("d = pd.read_csv('./data/clients.csv')") == [
        "clients holds clients.csv already"
    ]
