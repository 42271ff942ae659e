"""Tables of pyarrow and relations of DuckDB as rows, and values as such."""

from __future__ import annotations

from enum import Enum
from typing import Any

import duckdb
import pyarrow as pa

from codebuddy_jupyter.errors import NoReply
from codebuddy_jupyter.values.batch.arrow import (
    BATCH,
    ArrowColumn,
    ArrowTable,
    DuckRelation,
)
from codebuddy_jupyter.values.batch.sources import Answers


class Colour(Enum):
    RED = 1


def answers(*values: Any, fields: tuple[str, ...] = ()) -> Answers:
    answers = Answers(fields)
    for number, value in enumerate(values):
        answers.put(number, number, value)
    return answers


def test_a_table_gives_its_rows_in_batches() -> None:
    numbers = list(range(BATCH + 3))
    source = ArrowTable(pa.table({"n": numbers, "text": [*map(str, numbers)]}), pa)
    assert source.total == BATCH + 3
    rows = list(source.rows(["text", "n"]))
    assert rows[-1] == (BATCH + 2, (str(BATCH + 2), BATCH + 2))
    assert [key for key, _ in rows] == numbers


def test_the_values_of_a_table_are_a_table_with_the_errors() -> None:
    source = ArrowTable(pa.table({"text": ["a", "b"]}), pa)
    output = source.output(answers(True, NoReply("No answer.")))
    assert output.to_pydict() == {"value": [True, None], "error": [None, "No answer."]}
    assert output.schema.field("error").type == pa.string()


def test_records_are_columns_of_a_table() -> None:
    source = ArrowTable(pa.record_batch({"text": ["a"]}), pa)
    output = source.output(answers({"n": 1, "c": Colour.RED}, fields=("n", "c")))
    assert output.to_pydict() == {"n": [1], "c": ["Colour.RED"], "error": [None]}


def test_a_field_that_is_called_error_keeps_its_answers() -> None:
    values = answers({"error": "DiskFull", "n": 3}, None, fields=("error", "n"))
    expected = {"error": ["DiskFull", None], "n": [3, None], "error_": [None, None]}
    table = ArrowTable(pa.table({"text": ["a", "b"]}), pa).output(values)
    assert table.to_pydict() == expected
    relation = DuckRelation(duckdb.sql("SELECT 'a' AS text"), duckdb).output(values)
    assert relation.columns == list(expected)
    assert relation.fetchall() == [("DiskFull", 3, None), (None, None, None)]


def test_a_column_gives_its_values() -> None:
    source = ArrowColumn(pa.chunked_array([["a"], ["b"]]), pa)
    assert list(source.rows(["item"])) == [(0, ["a"]), (1, ["b"])]
    assert source.output(answers(1, 2)).column("value").to_pylist() == [1, 2]


def test_a_relation_gives_its_rows_and_can_be_read_again() -> None:
    relation = duckdb.sql("SELECT i AS n, 'row ' || i AS text FROM range(600) t(i)")
    source = DuckRelation(relation, duckdb)
    for _ in range(2):
        rows = list(source.rows(["text"]))
        assert (len(rows), rows[599]) == (600, (599, ["row 599"]))


class EarlierRelation:
    """A relation of DuckDB before version 2."""

    columns = ("text",)

    def execute(self) -> None:
        self._rows = [("a",), ("b",), ("c",)]

    def fetchmany(self, size: int) -> list[tuple[str]]:
        batch, self._rows = self._rows[:2], self._rows[2:]
        return batch


def test_a_relation_of_an_earlier_version_gives_its_rows() -> None:
    source = DuckRelation(EarlierRelation(), duckdb)
    for _ in range(2):
        assert [row for _, (row,) in source.rows(["text"])] == ["a", "b", "c"]


def test_the_values_of_a_relation_are_a_relation_with_the_errors() -> None:
    source = DuckRelation(duckdb.sql("SELECT 'a' AS text"), duckdb)
    output = source.output(answers(True, NoReply('No "answer".')))
    assert output.columns == ["value", "error"]
    assert output.fetchall() == [(True, None), (None, 'No "answer".')]
    records = source.output(answers({"n": 1}, None, fields=("n",)))
    assert records.fetchall() == [(1, None), (None, None)]


def test_values_that_duckdb_cannot_hold_are_texts() -> None:
    source = DuckRelation(duckdb.sql("SELECT 'a' AS text"), duckdb)
    output = source.output(answers(Colour.RED, None, "\ud83d"))
    assert output.fetchall() == [
        ("Colour.RED", None),
        (None, None),
        ("?", None),
    ]


def test_an_empty_relation_gives_an_empty_one() -> None:
    source = DuckRelation(duckdb.sql("SELECT 'a' AS text WHERE false"), duckdb)
    assert list(source.rows(["text"])) == []
    output = source.output(Answers())
    assert (output.columns, output.fetchall()) == (["value", "error"], [])
