"""Databases as they are described: tables and columns of what is here, and never in
anybody's way.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy
import sqlalchemy.orm
import sqlalchemy.pool

from codebuddy_jupyter.context.describe import Describers

TABLE = "CREATE TABLE users (id INTEGER, name TEXT)"
LINE = "users(id INTEGER, name TEXT)"
MEMORY = f"sqlite3.Connection in memory, 1 table\n  {LINE}"


@pytest.fixture
def memory() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLE)
        yield connection


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(TABLE)
        connection.commit()
    return path


def text_of(value: Any) -> str:
    text = Describers().schema(value)
    assert Describers().values(value) == text
    return text


def test_a_database_in_memory_has_its_tables(memory: sqlite3.Connection) -> None:
    assert text_of(memory) == MEMORY


def test_a_file_has_its_tables(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        assert (
            text_of(connection)
            == f"sqlite3.Connection to a file\n  a shop.db, 1 table\n  {LINE}"
        )


def test_many_tables_and_columns_are_counted(memory: sqlite3.Connection) -> None:
    for number in range(29):
        memory.execute(
            f'CREATE TABLE "t""{number}" ({", ".join(f"c{column}" for column in range(50))})'
        )
    text = Describers().schema(memory)
    assert text.startswith(
        f"sqlite3.Connection in memory, 30 tables\n  {LINE}\n"
        '  t"0(c0, c1, c2, c3, c4, c5, c6, c7, … 42 more)\n'
    )
    assert text.endswith("\n  … 10 more tables")


def test_an_open_transaction_is_left_as_it_is(
    file: Path, memory: sqlite3.Connection
) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for one in (connection, memory):
            one.execute("INSERT INTO users VALUES (1, 'a')")
            assert LINE in text_of(one)
            assert one.in_transaction
            one.rollback()
            assert one.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_a_transaction_that_has_only_begun_takes_no_lock(file: Path) -> None:
    with (
        closing(sqlite3.connect(file, isolation_level=None)) as connection,
        closing(sqlite3.connect(file)) as other,
    ):
        connection.execute("BEGIN")
        assert LINE in text_of(connection)
        other.execute("INSERT INTO users VALUES (1, 'a')")
        other.commit()


def test_a_result_that_is_being_fetched_goes_on(memory: sqlite3.Connection) -> None:
    memory.executemany("INSERT INTO users VALUES (?, ?)", [(1, "a"), (2, "b")])
    result = memory.execute("SELECT id FROM users")
    assert result.fetchone() == (1,)
    assert text_of(memory) == MEMORY
    assert result.fetchone() == (2,)


def test_a_lock_is_not_waited_for(file: Path) -> None:
    with (
        closing(sqlite3.connect(file, isolation_level=None)) as other,
        closing(sqlite3.connect(file, 60)) as connection,
    ):
        other.execute("BEGIN EXCLUSIVE")
        assert text_of(connection).endswith(
            "a shop.db cannot be looked into: database is locked"
        )


def test_factories_of_the_users_are_not_run(memory: sqlite3.Connection) -> None:
    def never(*args: Any) -> Any:
        raise KeyboardInterrupt

    memory.row_factory = never
    assert text_of(memory) == MEMORY
    memory.text_factory = bytes
    assert text_of(memory) == MEMORY
    memory.text_factory = never
    assert (
        text_of(memory)
        == "sqlite3.Connection, with a text_factory of its own: not looked into"
    )


def test_a_closed_connection_costs_one_line(memory: sqlite3.Connection) -> None:
    memory.close()
    assert (
        text_of(memory)
        == "sqlite3.Connection, cannot be looked into: Cannot operate on a closed database."
    )


def test_a_connection_of_another_thread_costs_one_line(
    memory: sqlite3.Connection,
) -> None:
    texts: list[str] = []
    thread = threading.Thread(target=lambda: texts.append(Describers().schema(memory)))
    thread.start()
    thread.join(60)
    assert texts[0].startswith(
        "sqlite3.Connection, cannot be looked into: SQLite objects created in a thread"
    )
    assert "\n" not in texts[0]


def test_duckdb_has_its_tables_and_keeps_the_result_that_is_open() -> None:
    with closing(duckdb.connect()) as connection:
        connection.execute(
            'CREATE TABLE users (id INTEGER, name VARCHAR); CREATE TABLE "it\'s ""odd""" (a DOUBLE)'
        )
        connection.execute("CREATE VIEW shown AS SELECT * FROM users")
        result = connection.execute("SELECT 42")
        assert sorted(text_of(connection).splitlines()) == [
            '  it\'s "odd"(a DOUBLE)',
            "  users(id INTEGER, name VARCHAR)",
            "duckdb.DuckDBPyConnection, 2 tables",
        ]
        assert result.fetchone() == (42,)


def test_an_empty_or_closed_duckdb_costs_one_line() -> None:
    connection = duckdb.connect()
    assert text_of(connection) == "duckdb.DuckDBPyConnection, 0 tables"
    connection.close()
    assert text_of(connection).startswith(
        "duckdb.DuckDBPyConnection, cannot be looked into: "
    )


def test_a_duckdb_query_is_not_run() -> None:
    with closing(duckdb.connect()) as connection:
        relation = connection.sql("SELECT range AS n, error('run') AS e FROM range(10)")
        assert text_of(relation).splitlines()[:2] == [
            "duckdb.DuckDBPyRelation of 2 columns, not computed",
            "  n BIGINT",
        ]


POOLS = {"the usual": {}, "one for all": {"poolclass": sqlalchemy.pool.StaticPool}}


@pytest.mark.parametrize("options", POOLS.values(), ids=POOLS)
def test_an_engine_to_memory_has_its_tables_and_rolls_nothing_back(
    options: dict[str, Any],
) -> None:
    engine = sqlalchemy.create_engine("sqlite://", **options)
    with engine.connect() as connection, sqlalchemy.orm.Session(engine) as session:
        connection.execute(sqlalchemy.text(TABLE))
        connection.execute(sqlalchemy.text("INSERT INTO users VALUES (1, 'a')"))
        for value in (engine, connection, session, sqlalchemy.orm.sessionmaker(engine)):
            assert (
                f"to sqlite\n  sqlite3.Connection in memory, 1 table\n    {LINE}"
                in text_of(value)
            )
        assert (
            connection.execute(sqlalchemy.text("SELECT count(*) FROM users")).scalar()
            == 1
        )
    engine.dispose()


def test_an_engine_to_a_file_has_its_tables_and_takes_no_connection(
    file: Path,
) -> None:
    engine = sqlalchemy.create_engine(
        f"sqlite:///{file}", poolclass=sqlalchemy.pool.QueuePool
    )
    assert (
        text_of(engine)
        == f"sqlalchemy.Engine to sqlite\n  a shop.db, 1 table\n  {LINE}"
    )
    assert engine.pool.status().startswith("Pool size: 5  Connections in pool: 0")


def test_an_engine_to_a_server_is_not_queried_and_shows_neither_host_nor_password() -> (
    None
):
    class Silent:
        paramstyle, __version__, Error = "pyformat", "2.9", Exception

        def connect(self, *args: Any, **kwargs: Any) -> Any:
            raise KeyboardInterrupt

    module: Any = Silent()
    engine = sqlalchemy.create_engine(
        "mysql+pymysql://root:hunter2@db.internal/shop", module=module
    )
    text = text_of(engine)
    assert text == "sqlalchemy.Engine to mysql+pymysql database shop, tables not read"


def test_a_session_without_an_engine_says_so() -> None:
    assert (
        text_of(sqlalchemy.orm.Session())
        == "sqlalchemy.orm.Session, not bound to a database"
    )


def test_declared_tables_are_described() -> None:
    metadata = sqlalchemy.MetaData()
    table = sqlalchemy.Table(
        "users", metadata, sqlalchemy.Column("id", sqlalchemy.Integer)
    )
    assert text_of(table) == "sqlalchemy.Table users, 1 column\n  id Integer"
    assert text_of(metadata) == "sqlalchemy.MetaData, 1 table\n  users(id Integer)"


def test_a_file_that_is_gone_costs_one_line(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'gone.db'}")
    assert text_of(engine).endswith(
        "\n  gone.db cannot be looked into: unable to open database file"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_values_of_an_enumeration_are_counted() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TYPE name AS ENUM ('Anna', 'O''Neil, (x)')")
    connection.execute(
        "CREATE TABLE people (n name, many name[], deep STRUCT(a name, b INTEGER), "
        "grouped MAP(VARCHAR, name))"
    )
    for value in (connection, connection.table("people")):
        text = text_of(value)
        assert "n ENUM of 2 values" in text
        assert "Anna" not in text
        assert "Neil" not in text
    metadata = sqlalchemy.MetaData()
    table = sqlalchemy.Table(
        "people", metadata, sqlalchemy.Column("n", sqlalchemy.Enum("Anna", "Bob"))
    )
    assert text_of(table) == "sqlalchemy.Table people, 1 column\n  n Enum"
