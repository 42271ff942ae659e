"""Databases, described: the tables' names and columns, of what is on this machine.

Rows are never read nor counted.

A look must not stand in anybody's way: no connection is opened beyond this machine or
taken from a pool, no transaction of a file is taken part in, and a lock is not waited
for.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from .text import count, label, listed
from .types import Known, attributes, is_kind, is_of_library, loaded, name_of, raw

_MOST_TABLES = 20
_MOST_COLUMNS = 30
_FEWER_COLUMNS = (_MOST_COLUMNS, 8, 3)
# characters for all tables
_ROOM = 1300
# seconds that another's lock is waited for
_LOCK = 0.05
_QUICK_TEXTS = (str, bytes, bytearray)

Columns = Sequence[tuple[str, str]]


def _tables(names: Sequence[str], columns: Sequence[Columns]) -> list[str]:
    """A line for each table, with so many columns that all have room; beyond the first,
    the columns may be missing.
    """
    first = list(zip(names, columns, strict=False))[:_MOST_TABLES]
    for most in _FEWER_COLUMNS:
        lines = [f"  {label(name)}({_columns(own, most)})" for name, own in first]
        if sum(map(len, lines)) <= _ROOM:
            break
    return [
        *lines,
        *(
            [f"  … {len(names) - _MOST_TABLES:,} more tables"]
            if len(names) > _MOST_TABLES
            else []
        ),
    ]


def _columns(columns: Columns, most: int) -> str:
    return listed([f"{label(name)} {kind}".rstrip() for name, kind in columns], most)


# sqlite


def describe_sqlite(connection: Any, values: bool) -> str:
    """A sqlite3 connection.

    A file is looked at through a connection of its own, which reads only.
    """
    title = "sqlite3.Connection"
    if _text_factory(connection) not in _QUICK_TEXTS:
        return f"{title}, with a text_factory of its own: not looked into"
    try:
        with closing(_cursor(connection)) as cursor:
            file = next(
                (
                    row[2]
                    for row in _rows(cursor, "PRAGMA database_list")
                    if row[1] in ("main", b"main")
                ),
                "",
            )
            if not file:
                return "\n".join(_sqlite_tables(cursor, f"{title} in memory"))
        return "\n".join(
            [
                f"{title} to a file",
                *_sqlite_file(file.decode() if isinstance(file, bytes) else file),
            ]
        )
    except sqlite3.Error as error:
        return f"{title}, cannot be looked into: {str(error)[:120]}"


def _text_factory(connection: Any) -> Any:
    """What makes its texts; compared by identity, as it may be anything."""
    factory = raw(sqlite3.Connection)["text_factory"].__get__(connection)
    return next((known for known in _QUICK_TEXTS if known is factory), None)


def _cursor(connection: Any) -> sqlite3.Cursor:
    """A cursor without the row factory of the connection, which may be the user's."""
    cursor = sqlite3.Cursor(connection)
    cursor.row_factory = None
    return cursor


def _rows(cursor: sqlite3.Cursor, query: str) -> list[tuple[Any, ...]]:
    return cursor.execute(query).fetchall()


def _sqlite_file(path: str) -> list[str]:
    try:
        own = sqlite3.connect(
            f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, timeout=_LOCK
        )
        with closing(own), closing(own.cursor()) as cursor:
            return _sqlite_tables(cursor, f"  {Path(path).name}")
    except sqlite3.Error as error:
        return [f"  {Path(path).name} cannot be looked into: {str(error)[:120]}"]


def _sqlite_tables(cursor: sqlite3.Cursor, title: str) -> list[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name "
        "NOT LIKE 'sqlite_%'"
    )
    names = [_text(row[0]) for row in _rows(cursor, query)]

    def columns(name: str) -> Columns:
        quoted = name.replace('"', '""')
        return [
            (_text(row[1]), _text(row[2]))
            for row in _rows(cursor, f'PRAGMA table_info("{quoted}")')
        ]

    return [
        f"{title}, {count(len(names), 'table')}",
        *_tables(names, [columns(name) for name in names[:_MOST_TABLES]]),
    ]


def _text(word: Any) -> str:
    return (
        word.decode(errors="replace")
        if isinstance(word, bytes | bytearray)
        else str(word)
    )


# DuckDB


def describe_duckdb(connection: Any, values: bool) -> str:
    """A DuckDB connection, looked at through a cursor: a result that the user has not
    fetched stays as it is.
    """
    title = "duckdb.DuckDBPyConnection"
    try:
        with closing(connection.cursor()) as cursor:
            attached = cursor.execute(
                "SELECT type, path FROM duckdb_databases() WHERE NOT internal"
            ).fetchall()
            if any(
                kind != "duckdb" or "://" in (path or "") for kind, path in attached
            ):
                return f"{title}, with a database attached that may be elsewhere: not looked into"
            return "\n".join(_duckdb_tables(cursor, title))
    except loaded("duckdb", "Error") as error:
        return f"{title}, cannot be looked into: {str(error)[:120]}"


def _duckdb_tables(cursor: Any, title: str) -> list[str]:
    """Tables only: to know a view's columns can be to read the files that it is about."""
    query = "SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
    places = cursor.execute(query).fetchall()
    names = [
        name if schema == "main" else f"{schema}.{name}" for _, schema, name in places
    ]
    columns: list[list[tuple[str, str]]] = [[] for _ in names]
    if places:
        asked = enumerate(_duckdb_path(place) for place in places[:_MOST_TABLES])
        parts = [
            f"SELECT {at}, cid, name, type FROM pragma_table_info({path})"
            for at, path in asked
        ]
        # In one query, as each takes its time to be planned.
        for at, _, name, kind in sorted(
            cursor.execute(" UNION ALL ".join(parts)).fetchall()
        ):
            columns[at].append((name, kind[:60]))
    return [f"{title}, {count(len(names), 'table')}", *_tables(names, columns)]


def _duckdb_path(place: Sequence[str]) -> str:
    path = ".".join('"' + part.replace('"', '""') + '"' for part in place)
    return "'" + path.replace("'", "''") + "'"


def describe_relation(relation: Any, values: bool) -> str:
    """A DuckDB query: its columns are known, it is not run."""
    pairs = zip(relation.columns, relation.types, strict=True)
    columns = [
        f"  {label(name)} {str(kind)[:60]}"
        for name, kind in list(pairs)[:_MOST_COLUMNS]
    ]
    total = count(len(relation.columns), "column")
    return "\n".join([f"duckdb.DuckDBPyRelation of {total}, not computed", *columns])


# SQLAlchemy


def describe_engine(engine: Any, values: bool) -> str:
    """A SQLAlchemy engine: the kind of database; the tables only of SQLite, on this
    machine.
    """
    return _bound("sqlalchemy.Engine", engine)


def describe_connection(connection: Any, values: bool) -> str:
    """A SQLAlchemy connection, by its engine."""
    return _bound("sqlalchemy.Connection", attributes(connection).get("engine"))


def describe_session(session: Any, values: bool) -> str:
    """An SQLAlchemy session, by what it is bound to."""
    bound = attributes(session).get("bind")
    if is_of_library(type(bound), "sqlalchemy"):
        bound = attributes(bound).get("engine", bound)
    return _bound("sqlalchemy.orm.Session", bound)


def describe_session_maker(maker: Any, values: bool) -> str:
    """What makes SQLAlchemy sessions, by what these will be bound to."""
    options = attributes(maker).get("kw")
    return _bound(
        "sqlalchemy.orm.sessionmaker",
        options.get("bind") if type(options) is dict else None,
    )


def _bound(title: str, engine: Any) -> str:
    url: Any = attributes(engine).get("url")
    if not is_of_library(type(url), "sqlalchemy") or not is_kind(url, tuple):
        return f"{title}, not bound to a database" if engine is None else title
    parts = tuple(tuple.__iter__(url))
    dialect, database = parts[0], parts[5]
    text = (
        f"{title} to "
        f"{dialect}{f' database {label(database)}' if database and dialect[:6] != 'sqlite' else ''}"
    )
    if not dialect.startswith("sqlite"):
        return f"{text}, not asked for its tables"
    if database and database != ":memory:" and not database.startswith("file:"):
        return "\n".join([text, *_sqlite_file(database)])
    return "\n".join([text, *_memory(attributes(engine).get("pool"))])


def _memory(pool: Any) -> list[str]:
    """The tables of a database in memory, through the connection that this thread has.

    None is taken from the pool:

    to give it back would roll back what the user has not committed.
    """
    kept = attributes(pool)
    mine = kept.get("_conn")
    current = getattr(mine, "current", None) if type(mine) is threading.local else None
    record = kept.get("connection") or (current() if current is not None else None)
    connection = (
        getattr(record, "dbapi_connection", None)
        if is_of_library(type(record), "sqlalchemy")
        else None
    )
    if type(connection) is not sqlite3.Connection:
        return ["  in memory, not looked into"]
    return [f"  {line}" for line in describe_sqlite(connection, False).splitlines()]


def describe_table(table: Any, values: bool) -> str:
    """A SQLAlchemy table as it was declared or reflected."""
    columns = [(label(column.name), _column_type(column)) for column in table.columns]
    lines = [f"  {name} {kind}" for name, kind in columns[:_MOST_COLUMNS]]
    return "\n".join(
        [
            f"sqlalchemy.Table {label(table.name)}, {count(len(columns), 'column')}",
            *lines,
        ]
    )


def describe_metadata(metadata: Any, values: bool) -> str:
    """The tables that SQLAlchemy was told of."""
    tables: dict[str, Any] = dict(metadata.tables)
    first = list(tables.values())[:_MOST_TABLES]
    columns = [
        [(column.name, _column_type(column)) for column in table.columns]
        for table in first
    ]
    return "\n".join(
        [
            f"sqlalchemy.MetaData, {count(len(tables), 'table')}",
            *_tables(list(tables), columns),
        ]
    )


def _column_type(column: Any) -> str:
    return name_of(type(column.type)).rpartition(".")[2]


KINDS = (
    # One of the user's own class is left alone: sqlite3 calls it for every statement.
    Known("sqlite3:Connection", describe_sqlite),
    Known("duckdb:DuckDBPyConnection", describe_duckdb),
    Known("duckdb:DuckDBPyRelation", describe_relation),
    Known("sqlalchemy:Engine", describe_engine, subclasses=True),
    Known("sqlalchemy:Connection", describe_connection, subclasses=True),
    Known("sqlalchemy.orm:Session", describe_session, subclasses=True),
    Known("sqlalchemy.orm:sessionmaker", describe_session_maker, subclasses=True),
    Known("sqlalchemy:Table", describe_table),
    Known("sqlalchemy:MetaData", describe_metadata),
)
