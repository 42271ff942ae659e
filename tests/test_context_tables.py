"""Tables in attached files: schema and first rows, whatever library reads them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars
import pytest

from codebuddy_jupyter.context import attached, tables
from codebuddy_jupyter.context.tables import read_separated
from tests.support.attached_files import attached_text, refusal, write

# untyped
pa, feather, parquet = map(
    importlib.import_module, ("pyarrow", "pyarrow.feather", "pyarrow.parquet")
)


def test_separated_values_are_told_as_schema_and_head(tmp_path: Path) -> None:
    rows = "".join(
        f"{n},{n / 2},2024-01-{n % 28 + 1:02},town {n},{'' if n % 2 else n}\n"
        for n in range(40)
    )
    write(tmp_path, "sales.csv", f"id,price,day,city,amount\n{rows}")
    assert attached_text(tmp_path, "sales.csv").splitlines() == [
        "sales.csv: 1.1 kB, 40 rows, 5 columns",
        "  id int",
        "  price float",
        "  day date",
        "  city text",
        "  amount int, some empty",
        "its first 5 rows:",
        "  id | price | day | city | amount",
        "  0 | 0.0 | 2024-01-01 | town 0 | 0",
        "  1 | 0.5 | 2024-01-02 | town 1 | ",
        "  2 | 1.0 | 2024-01-03 | town 2 | 2",
        "  3 | 1.5 | 2024-01-04 | town 3 | ",
        "  4 | 2.0 | 2024-01-05 | town 4 | 4",
    ]


def test_of_very_many_columns_the_first_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns_read = 0
    type_of = tables._type_of

    def counted(cells: list[str]) -> str:
        nonlocal columns_read
        columns_read += 1
        return type_of(cells)

    monkeypatch.setattr(tables, "_type_of", counted)
    write(tmp_path, "wide.csv", "1," * 2_000_000)
    lines = attached_text(tmp_path, "wide.csv").splitlines()
    assert lines[0] == "wide.csv: 4.0 MB, 1 row, 2,000,001 columns"
    assert lines[1] == "  column 1 int"
    assert "  … and 1,998,001 more" in lines
    assert "its first 1 row (20 of the columns):" in lines
    assert columns_read <= 4_000


def test_names_and_types_of_a_wide_table_belong_together(tmp_path: Path) -> None:
    header = ",".join(f"c{number}" for number in range(3_000))
    row = ",".join("x" if number % 2 else "1" for number in range(3_000))
    write(tmp_path, "wide.csv", f"{header}\n{row}\n{row}\n")
    lines = attached_text(tmp_path, "wide.csv").splitlines()
    assert lines[0].endswith("2 rows, 3,000 columns")
    assert lines[1:3] == ["  c0 int", "  c1 text"]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2", "+3"], "int"),
        (["1", "2.5", "1e-9", ".5"], "float"),
        (["01", "02"], "text"),
        (["1", "NaN", ""], "int, some empty"),
        (["", "null"], "empty"),
        (["2024-01-01", "2024-01-01T10:00:00Z"], "date"),
        (["31.12.2024", "1/2/2025"], "date"),
        (["1", "x"], "text"),
        (["9" * 50], "text"),
    ],
)
def test_a_columns_type_is_guessed(cells: list[str], kind: str) -> None:
    table = read_separated("a,b\n" + "".join(f"{cell},x\n" for cell in cells), "", None)
    assert table is not None
    assert table.columns[0] == ("a", kind)


@pytest.mark.parametrize(
    ("name", "text", "columns"),
    [
        ("a.csv", "a;b\n1;2,5\n", ["a", "b"]),
        ("a.csv", "a|b\n1|2\n", ["a", "b"]),
        ("a.tsv", "a,x\tb\n1\t2\n", ["a,x", "b"]),
        ("a.csv", ",b\n0,2\n", ["column 1", "b"]),
        ("a.csv", "1,2\n3,4\n", ["column 1", "column 2"]),
        ("a.csv", "a\n1,2\n", ["a", "column 2"]),
        ("a.csv", '"a\nb",c\n1,2\n', ["a b", "c"]),
        ("a.csv", "only\n", ["only"]),
    ],
    ids=[
        "semicolons",
        "bars",
        "tabs",
        "an index",
        "no names",
        "longer rows",
        "a name of two lines",
        "no rows",
    ],
)
def test_columns_are_named(
    tmp_path: Path, name: str, text: str, columns: list[str]
) -> None:
    write(tmp_path, name, text)
    lines = attached_text(tmp_path, name).splitlines()
    assert [
        line.strip().rpartition(" ")[0] for line in lines[1 : 1 + len(columns)]
    ] == columns


def test_quoted_line_ends_do_not_count_as_rows(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", 'a,b\n1,"two\nlines"\n\n2,x\n')
    assert ", 2 rows, 2 columns\n" in attached_text(tmp_path, "a.csv")


def test_of_a_large_table_the_rows_are_estimated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attached, "MAX_COUNTED_BYTES", 10_000)
    monkeypatch.setattr(attached, "MAX_READ_BYTES", 5_000)
    write(tmp_path, "a.csv", "a,b\n" + "12345,12345\n" * 10_000)
    assert "a.csv: 120 kB, about 10,000 rows, 2 columns\n" in attached_text(
        tmp_path, "a.csv"
    )


def test_a_wide_table_is_told_in_part(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(200)]
    write(tmp_path, "a.csv", f"{','.join(names)}\n{','.join('1' for _ in names)}\n")
    text = attached_text(tmp_path, "a.csv")
    assert "  … 160 more: 160 int\n" in text
    assert "its first 1 row (20 of the columns):" in text
    assert len(text) < 2_000


@pytest.mark.parametrize(
    "text", ['a,b\n"' + "x" * 200_000, ""], ids=["a quote without end", "nothing"]
)
def test_what_is_no_table_is_told_as_text(tmp_path: Path, text: str) -> None:
    write(tmp_path, "a.csv", text)
    assert attached_text(tmp_path, "a.csv").startswith("a.csv: ")


COLUMNS = {"id": list(range(100)), "city": [f"town {n}" for n in range(100)]}


TABLE = pa.table(COLUMNS)


WRITERS: dict[str, Callable[[str], object]] = {
    "a.parquet": lambda path: parquet.write_table(TABLE, path),
    "a.feather": lambda path: feather.write_feather(TABLE, path),
}


LIBRARIES = {"pyarrow": pa, "polars": polars, "duckdb": duckdb}


def only(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing but this library be there."""
    for name in LIBRARIES.keys() - {library}:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("a.parquet", "pyarrow"),
        ("a.parquet", "polars"),
        ("a.parquet", "duckdb"),
        ("a.feather", "pyarrow"),
        ("a.feather", "polars"),
    ],
)
def test_columnar_files_are_told_as_schema_and_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, library: str
) -> None:
    WRITERS[name](str(tmp_path / name))
    only(library, monkeypatch)
    title, first, second, *head = attached_text(tmp_path, name).splitlines()
    assert title.endswith(", 100 rows, 2 columns")
    assert first.lower() in ("  id int64", "  id bigint")
    assert second.lower() in ("  city string", "  city varchar")
    assert head == [
        "its first 5 rows:",
        "  id | city",
        *(f"  {n} | town {n}" for n in range(5)),
    ]


def test_a_columnar_file_without_a_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.parquet", b"PAR1")
    only("", monkeypatch)
    assert "%pip install pyarrow" in refusal(tmp_path, "a.parquet")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_broken_columnar_file_costs_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    write(tmp_path, "a.parquet", b"PAR1" + b"nonsense" * 10)
    only(library, monkeypatch)
    assert refusal(tmp_path, "a.parquet").startswith(
        f"a.parquet cannot be read by {library}: "
    )


def test_a_columnar_file_without_rows_is_told(tmp_path: Path) -> None:
    parquet.write_table(TABLE.slice(0, 0), tmp_path / "a.parquet")
    assert "0 rows, 2 columns\n  id int64\n" in attached_text(tmp_path, "a.parquet")
