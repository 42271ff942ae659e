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

    without_enums = _ENUM.sub(counted, declared)
    without_texts = _TEXT_IN_TYPE.sub("…", without_enums)
    return without_texts[:_MAX_TYPE]


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
                lines = _sqlite_tables(cursor, f"{title} in memory")
                return "\n".join(lines)
    except sqlite3.Error as error:
        return _unreadable(f"{title},", error)
    lines = [f"{title} to a file", *_sqlite_file(file)]
    return "\n".join(lines)


def _has_safe_text_factory(connection: Any) -> bool:
    descriptor = class_body(sqlite3.Connection)["text_factory"]
    factory = descriptor.__get__(connection)
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
        if name not in ("main", b"main"):
            continue
        if not file:
            return ""
        return _decode(file)
    return ""


def _sqlite_file(path: str) -> list[str]:
    name = f"  {Path(path).name}"
    file_uri = Path(path).absolute().as_uri()
    try:
        connection = sqlite3.connect(
            f"{file_uri}?mode=ro",
            uri=True,
            timeout=_LOCK_TIMEOUT,
        )
        with closing(connection), closing(connection.cursor()) as cursor:
            return _sqlite_tables(cursor, name)
    except sqlite3.Error as error:
        return [_unreadable(name, error)]


def _sqlite_tables(cursor: sqlite3.Cursor, title: str) -> list[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name "
        "NOT LIKE 'sqlite_%'"
    )
    rows = _fetch(cursor, query)
    names = [_decode(row[0]) for row in rows]
    shown = names[:_MAX_TABLES]
    columns = [_sqlite_columns(cursor, name) for name in shown]
    return [f"{title}, {count(len(names), 'table')}", *_table_lines(names, columns)]


def _sqlite_columns(cursor: sqlite3.Cursor, table: str) -> _Columns:
    quoted = table.replace('"', '""')
    columns = []
    for row in _fetch(cursor, f'PRAGMA table_info("{quoted}")'):
        name = _decode(row[1])
        type_name = _type_name(_decode(row[2]))
        columns.append((name, type_name))
    return columns


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
            lines = _duckdb_tables(cursor, title)
            return "\n".join(lines)
    except try_loaded("duckdb", "Error") as error:
        return _unreadable(f"{title},", error)


def _has_remote_database(cursor: Any) -> bool:
    query = "SELECT type, path FROM duckdb_databases() WHERE NOT internal"
    databases = cursor.execute(query).fetchall()
    for database_type, path in databases:
        if database_type != "duckdb":
            return True
        if path and "://" in path:
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
        if schema != "main":
            name = f"{schema}.{name}"
        names.append(name)
    columns = _duckdb_columns(cursor, tables[:_MAX_TABLES])
    return [f"{title}, {count(len(names), 'table')}", *_table_lines(names, columns)]


def _duckdb_columns(cursor: Any, tables: Sequence[Sequence[str]]) -> list[_Columns]:
    """Return the columns of each table, in one query, as each query is slow to plan."""
    if not tables:
        return []
    queries = []
    for index, table in enumerate(tables):
        source = f"pragma_table_info({_duckdb_quoted(table)})"
        queries.append(f"SELECT {index}, cid, name, type FROM {source}")
    query = " UNION ALL ".join(queries)
    rows = cursor.execute(query).fetchall()
    columns: list[list[tuple[str, str]]] = [[] for _ in tables]
    for index, _, name, type_name in sorted(rows):
        column = (name, _type_name(type_name))
        columns[index].append(column)
    return list(columns)


def _duckdb_quoted(table: Sequence[str]) -> str:
    """Return a table's qualified name as a string literal of SQL."""
    parts = []
    for part in table:
        escaped = part.replace('"', '""')
        parts.append(f'"{escaped}"')
    name = ".".join(parts).replace("'", "''")
    return f"'{name}'"


def describe_relation(relation: Any, with_values: bool) -> str:
    """Describe a DuckDB query by its columns, without running it."""
    names = relation.columns
    total = count(len(names), "column")
    lines = [f"duckdb.DuckDBPyRelation of {total}, not computed"]
    columns = list(zip(names, relation.types, strict=True))
    for name, duckdb_type in columns[:_MAX_COLUMNS]:
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
    engine = None
    if type(options) is dict:
        engine = options.get("bind")
    return _describe_engine("sqlalchemy.orm.sessionmaker", engine)


def _describe_engine(title: str, engine: Any) -> str:
    attributes = instance_dict(engine)
    url: Any = attributes.get("url")
    if engine is None:
        return f"{title}, not bound to a database"
    if not is_of_library(type(url), "sqlalchemy"):
        return title
    if not is_instance(url, tuple):
        return title
    parts = tuple(tuple.__iter__(url))
    dialect = parts[0]
    database = parts[5]
    text = f"{title} to {dialect}"
    if not dialect.startswith("sqlite"):
        if database:
            text = f"{text} database {label(database)}"
        return f"{text}, tables not read"
    if _is_file(database):
        tables = _sqlite_file(database)
    else:
        tables = _memory_tables(attributes.get("pool"))
    return "\n".join([text, *tables])


def _is_file(database: Any) -> bool:
    """Return whether the name of a SQLite database is a path."""
    if not database or database == ":memory:":
        return False
    return not database.startswith("file:")


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
    if reference is None:
        return None
    return reference()


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
    lines = [title, *_table_lines(list(tables), columns)]
    return "\n".join(lines)


def _columns_of(table: Any) -> _Columns:
    columns = []
    for column in table.columns:
        full_name = name_of(type(column.type))
        type_name = full_name.rpartition(".")[2]
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
