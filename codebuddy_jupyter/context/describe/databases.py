"""Describe databases by the names and columns of their tables: sqlite3, DuckDB, SQLAlchemy.

Rows are neither read nor counted. Nothing that the user does is disturbed: no
connection is opened to another machine or taken from a pool, no transaction is joined,
and no lock is waited for.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from .text import count, label, listed
from .types import (
    Describer,
    class_body,
    instance_dict,
    is_instance,
    is_of_library,
    name_of,
    try_loaded,
)

_MAX_TABLES = 20
_MAX_COLUMNS = 30
# Columns of each table: the first of these limits with which all tables fit.
_COLUMN_LIMITS = (_MAX_COLUMNS, 8, 3)
# Characters for all tables together.
_MAX_TABLES_LENGTH = 1300
# Characters of a type and of an error message.
_MAX_TYPE = 60
_MAX_ERROR = 120
# The values of an enumeration, and any other text in a type: these are data. Names of
# fields are in double quotes.
_ENUM = re.compile(r"\bENUM\s*\((?:\s*'(?:[^']|'')*'\s*,?)*\)?", re.IGNORECASE)
_TEXT_IN_TYPE = re.compile(r"'(?:[^']|'')*(?:'|\Z)")
# Seconds to wait for a lock of another connection.
_LOCK_TIMEOUT = 0.05
# A text factory other than these is code of the user's.
_SAFE_TEXT_FACTORIES = (str, bytes, bytearray)

# The name and the type of each column.
_Columns = Sequence[tuple[str, str]]


def _table_lines(names: Sequence[str], columns: Sequence[_Columns]) -> list[str]:
    """Return a line for each table, with as many of its columns as fit.

    Parameters
    ----------
    names
        The names of all tables.
    columns
        The columns of each table; may end after the first `_MAX_TABLES`.
    """
    tables = list(zip(names, columns, strict=False))
    lines: list[str] = []
    for limit in _COLUMN_LIMITS:
        lines = []
        for name, table_columns in tables[:_MAX_TABLES]:
            lines.append(_table_line(name, table_columns, limit))
        if sum(map(len, lines)) <= _MAX_TABLES_LENGTH:
            break
    if len(names) > _MAX_TABLES:
        lines.append(f"  … {len(names) - _MAX_TABLES:,} more tables")
    return lines


def _table_line(name: str, columns: _Columns, limit: int) -> str:
    words = []
    for column, type_name in columns:
        words.append(f"{label(column)} {type_name}".rstrip())
    return f"  {label(name)}({listed(words, limit)})"


def _type_name(declared: str) -> str:
    """Return a type of SQL without the values of its enumerations."""

    def counted(enum: re.Match[str]) -> str:
        values = _TEXT_IN_TYPE.findall(enum[0])
        return f"ENUM of {count(len(values), 'value')}"

    return _TEXT_IN_TYPE.sub("…", _ENUM.sub(counted, declared))[:_MAX_TYPE]


def _unreadable(title: str, error: Exception) -> str:
    return f"{title} cannot be looked into: {str(error)[:_MAX_ERROR]}"


# sqlite3


def describe_sqlite(connection: Any, with_values: bool) -> str:
    """Describe a sqlite3 connection.

    A file is read through a read-only connection of its own.
    """
    title = "sqlite3.Connection"
    if not _has_safe_text_factory(connection):
        return f"{title}, with a text_factory of its own: not looked into"
    try:
        with closing(_cursor(connection)) as cursor:
            file = _main_file(cursor)
            if not file:
                return "\n".join(_sqlite_tables(cursor, f"{title} in memory"))
    except sqlite3.Error as error:
        return _unreadable(f"{title},", error)
    return "\n".join([f"{title} to a file", *_sqlite_file(file)])


def _has_safe_text_factory(connection: Any) -> bool:
    factory = class_body(sqlite3.Connection)["text_factory"].__get__(connection)
    # By identity, as the factory can be any object.
    return any(factory is safe for safe in _SAFE_TEXT_FACTORIES)


def _cursor(connection: Any) -> sqlite3.Cursor:
    """Return a cursor without the connection's row factory, which may be the user's."""
    cursor = sqlite3.Cursor(connection)
    cursor.row_factory = None
    return cursor


def _fetch(cursor: sqlite3.Cursor, query: str) -> list[tuple[Any, ...]]:
    return cursor.execute(query).fetchall()


def _main_file(cursor: sqlite3.Cursor) -> str:
    """Return the path of the main database; empty for one in memory."""
    for _, name, file in _fetch(cursor, "PRAGMA database_list"):
        if name in ("main", b"main"):
            return _decode(file) if file else ""
    return ""


def _sqlite_file(path: str) -> list[str]:
    name = f"  {Path(path).name}"
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=_LOCK_TIMEOUT)
        with closing(connection), closing(connection.cursor()) as cursor:
            return _sqlite_tables(cursor, name)
    except sqlite3.Error as error:
        return [_unreadable(name, error)]


def _sqlite_tables(cursor: sqlite3.Cursor, title: str) -> list[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name "
        "NOT LIKE 'sqlite_%'"
    )
    names = [_decode(row[0]) for row in _fetch(cursor, query)]
    columns = [_sqlite_columns(cursor, name) for name in names[:_MAX_TABLES]]
    return [f"{title}, {count(len(names), 'table')}", *_table_lines(names, columns)]


def _sqlite_columns(cursor: sqlite3.Cursor, table: str) -> _Columns:
    quoted = table.replace('"', '""')
    rows = _fetch(cursor, f'PRAGMA table_info("{quoted}")')
    return [(_decode(row[1]), _type_name(_decode(row[2]))) for row in rows]


def _decode(text: Any) -> str:
    if isinstance(text, bytes | bytearray):
        return text.decode(errors="replace")
    return str(text)


# DuckDB


def describe_duckdb(connection: Any, with_values: bool) -> str:
    """Describe a DuckDB connection.

    Reads through a cursor, which leaves a result that the user has not fetched as it is.
    """
    title = "duckdb.DuckDBPyConnection"
    try:
        with closing(connection.cursor()) as cursor:
            if _has_remote_database(cursor):
                return (
                    f"{title}, with a database attached that may be elsewhere: "
                    "not looked into"
                )
            return "\n".join(_duckdb_tables(cursor, title))
    except try_loaded("duckdb", "Error") as error:
        return _unreadable(f"{title},", error)


def _has_remote_database(cursor: Any) -> bool:
    query = "SELECT type, path FROM duckdb_databases() WHERE NOT internal"
    for database_type, path in cursor.execute(query).fetchall():
        if database_type != "duckdb" or "://" in (path or ""):
            return True
    return False


def _duckdb_tables(cursor: Any, title: str) -> list[str]:
    """Describe tables only: to know a view's columns, DuckDB may read files."""
    query = (
        "SELECT database_name, schema_name, table_name FROM duckdb_tables() "
        "WHERE NOT internal"
    )
    tables = cursor.execute(query).fetchall()
    names = []
    for _, schema, name in tables:
        names.append(name if schema == "main" else f"{schema}.{name}")
    columns = _duckdb_columns(cursor, tables[:_MAX_TABLES])
    return [f"{title}, {count(len(names), 'table')}", *_table_lines(names, columns)]


def _duckdb_columns(cursor: Any, tables: Sequence[Sequence[str]]) -> list[_Columns]:
    """Return the columns of each table, in one query, as each query is slow to plan."""
    if not tables:
        return []
    parts = []
    for index, table in enumerate(tables):
        source = f"pragma_table_info({_duckdb_quoted(table)})"
        parts.append(f"SELECT {index}, cid, name, type FROM {source}")
    rows = cursor.execute(" UNION ALL ".join(parts)).fetchall()
    columns: list[list[tuple[str, str]]] = [[] for _ in tables]
    for index, _, name, type_name in sorted(rows):
        columns[index].append((name, _type_name(type_name)))
    return list(columns)


def _duckdb_quoted(table: Sequence[str]) -> str:
    """Return a table's qualified name as a string literal of SQL."""
    parts = [part.replace('"', '""') for part in table]
    name = ".".join(f'"{part}"' for part in parts)
    return "'" + name.replace("'", "''") + "'"


def describe_relation(relation: Any, with_values: bool) -> str:
    """Describe a DuckDB query by its columns, without running it."""
    total = count(len(relation.columns), "column")
    lines = [f"duckdb.DuckDBPyRelation of {total}, not computed"]
    pairs = list(zip(relation.columns, relation.types, strict=True))
    for name, duckdb_type in pairs[:_MAX_COLUMNS]:
        lines.append(f"  {label(name)} {_type_name(str(duckdb_type))}")
    return "\n".join(lines)


# SQLAlchemy


def describe_engine(engine: Any, with_values: bool) -> str:
    """Describe a SQLAlchemy engine: the database, and the tables of a local SQLite."""
    return _describe_engine("sqlalchemy.Engine", engine)


def describe_connection(connection: Any, with_values: bool) -> str:
    """Describe a SQLAlchemy connection by its engine."""
    engine = instance_dict(connection).get("engine")
    return _describe_engine("sqlalchemy.Connection", engine)


def describe_session(session: Any, with_values: bool) -> str:
    """Describe a SQLAlchemy session by the engine that it is bound to."""
    bind = instance_dict(session).get("bind")
    if is_of_library(type(bind), "sqlalchemy"):
        # It can also be bound to a connection.
        bind = instance_dict(bind).get("engine", bind)
    return _describe_engine("sqlalchemy.orm.Session", bind)


def describe_session_maker(maker: Any, with_values: bool) -> str:
    """Describe a SQLAlchemy sessionmaker by the engine of its sessions."""
    options = instance_dict(maker).get("kw")
    engine = options.get("bind") if type(options) is dict else None
    return _describe_engine("sqlalchemy.orm.sessionmaker", engine)


def _describe_engine(title: str, engine: Any) -> str:
    attributes = instance_dict(engine)
    url: Any = attributes.get("url")
    if engine is None:
        return f"{title}, not bound to a database"
    if not is_of_library(type(url), "sqlalchemy") or not is_instance(url, tuple):
        return title
    parts = tuple(tuple.__iter__(url))
    dialect = parts[0]
    database = parts[5]
    text = f"{title} to {dialect}"
    if not dialect.startswith("sqlite"):
        if database:
            text = f"{text} database {label(database)}"
        return f"{text}, tables not read"
    if database and database != ":memory:" and not database.startswith("file:"):
        return "\n".join([text, *_sqlite_file(database)])
    return "\n".join([text, *_memory_tables(attributes.get("pool"))])


def _memory_tables(pool: Any) -> list[str]:
    """Return the tables of a database in memory, read through this thread's connection.

    No connection is taken from the pool: giving it back would roll back what the user
    has not committed.
    """
    record = _pool_record(instance_dict(pool))
    connection = None
    if is_of_library(type(record), "sqlalchemy"):
        connection = getattr(record, "dbapi_connection", None)
    if type(connection) is not sqlite3.Connection:
        return ["  in memory, not looked into"]
    text = describe_sqlite(connection, with_values=False)
    return [f"  {line}" for line in text.splitlines()]


def _pool_record(pool: dict[str, Any]) -> Any:
    """Return the pool's record of this thread's connection; None if there is none."""
    record = pool.get("connection")
    if record:
        return record
    # A `SingletonThreadPool` has a weak reference to the record of each thread.
    local = pool.get("_conn")
    if type(local) is not threading.local:
        return None
    reference = getattr(local, "current", None)
    return reference() if reference is not None else None


def describe_table(table: Any, with_values: bool) -> str:
    """Describe a SQLAlchemy table as it was declared or reflected."""
    columns = _columns_of(table)
    total = count(len(columns), "column")
    lines = [f"sqlalchemy.Table {label(table.name)}, {total}"]
    for name, type_name in columns[:_MAX_COLUMNS]:
        lines.append(f"  {label(name)} {type_name}")
    return "\n".join(lines)


def describe_metadata(metadata: Any, with_values: bool) -> str:
    """Describe the tables that a SQLAlchemy MetaData holds."""
    tables: dict[str, Any] = dict(metadata.tables)
    title = f"sqlalchemy.MetaData, {count(len(tables), 'table')}"
    shown = list(tables.values())[:_MAX_TABLES]
    columns = [_columns_of(table) for table in shown]
    return "\n".join([title, *_table_lines(list(tables), columns)])


def _columns_of(table: Any) -> _Columns:
    columns = []
    for column in table.columns:
        type_name = name_of(type(column.type)).rpartition(".")[2]
        columns.append((column.name, type_name))
    return columns


DESCRIBERS = (
    # No subclasses: sqlite3 calls a user's class for every statement.
    Describer("sqlite3:Connection", describe_sqlite),
    Describer("duckdb:DuckDBPyConnection", describe_duckdb),
    Describer("duckdb:DuckDBPyRelation", describe_relation),
    Describer("sqlalchemy:Engine", describe_engine, subclasses=True),
    Describer("sqlalchemy:Connection", describe_connection, subclasses=True),
    Describer("sqlalchemy.orm:Session", describe_session, subclasses=True),
    Describer("sqlalchemy.orm:sessionmaker", describe_session_maker, subclasses=True),
    Describer("sqlalchemy:Table", describe_table),
    Describer("sqlalchemy:MetaData", describe_metadata),
)
