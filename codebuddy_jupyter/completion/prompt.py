"""What a model is sent to complete a cell: the cells that ran last, the code before the
cursor with what is known of its variables, and the code after it.

A server keeps what it has read of a prompt up to where the next one differs. So what
changes while somebody types stands last: as long as a cell only grows at the cursor, so
does the text before the gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .statement import Scanner

# Characters, of which about three are a token of code. All together, a prompt has about
# 600 tokens, which a small model reads in seconds where there is no GPU.
MOST_EARLIER = 800
MOST_BEFORE = 700
# It is read anew after each key, since it follows the code before the cursor.
MOST_AFTER = 100
MOST_SCHEMA = 300
# Of all schemas but those of the names in the present statement.
MOST_SCHEMAS = 500
# Names of the present statement.
MOST_NAMES = 6

_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")
_WORD_AT_END = re.compile(r"\w+\Z")
_MAGIC = re.compile(r"\s*[%!?]")
# Where a name gets another value, what it has now is no longer true.
_ASSIGNED = re.compile(r"\s*([^\W\d]\w*)\s*=(?!=)")


@dataclass(frozen=True)
class CodeAround:
    """The code around a cursor, and what is known about it.

    Parameters
    ----------
    before, after
        The code of the cell before and after the cursor.
    earlier
        The sources of other cells, the last run last.
    schemas
        Descriptions of variables, by name.
    """

    before: str
    after: str
    earlier: Sequence[str] = ()
    schemas: Mapping[str, str] = field(default_factory=dict)


def names_in_code(code: str) -> list[str]:
    """Return what could be names of variables in code, each once, in their order."""
    return list(dict.fromkeys(_NAME.findall(code)))


def build_prompt(around: CodeAround) -> tuple[str, str]:
    """Return the text before the gap and the text after it."""
    before = _kept_end(around.before)
    statements = _statements(before)
    cell = "".join(_with_schemas(statements, around.schemas))
    earlier = "".join(_earlier(around.earlier))
    after = _kept_start(around.after)
    return f"{earlier}{cell}", after


def _earlier(sources: Sequence[str]) -> Iterator[str]:
    """Yield the code of earlier cells: the last ones for which there is room."""
    kept: list[str] = []
    room = MOST_EARLIER
    for source in reversed(sources):
        lines = [line for line in source.split("\n") if not _MAGIC.match(line)]
        text = "\n".join(lines).strip()
        if len(text) > room:
            # The end of a cell, from a whole line on.
            end = text[-room:].partition("\n")[2]
            if end and not kept:
                kept.append(end)
            break
        if text:
            kept.append(text)
            room -= len(text)
    for text in reversed(kept):
        yield f"{text}\n\n"


def _kept_end(before: str) -> str:
    """Return the end of the code before the cursor, from a whole line on.

    The start stays the same while half as much as there is room for is typed.
    """
    if len(before) <= MOST_BEFORE:
        return before
    step = MOST_BEFORE // 2
    surplus = len(before) - MOST_BEFORE
    steps = (surplus + step - 1) // step
    start = steps * step
    line_end = before.find("\n", start)
    if 0 <= line_end < len(before) - 1:
        start = line_end + 1
    return before[start:]


def _kept_start(after: str) -> str:
    """Return the start of the code after the cursor, up to a whole line if there is one."""
    if len(after) <= MOST_AFTER:
        return after
    kept = after[:MOST_AFTER]
    line_end = kept.rfind("\n")
    if line_end <= 0:
        return kept
    return kept[: line_end + 1]


def _statements(code: str) -> list[str]:
    """Return the statements of code; the last one is that of the cursor."""
    statements = []
    scanner = Scanner()
    end = scanner.read(code)
    while end is not None:
        statements.append(code[: end + 1])
        code = code[end + 1 :]
        end = scanner.read(code)
    return [*statements, code]


def _with_schemas(
    statements: Sequence[str], schemas: Mapping[str, str]
) -> Iterator[str]:
    """Yield statements, each after comments with the schemas of the names that stand in
    it first: so the comments stay where they are while the cell grows.
    """
    described: set[str] = set()
    room = MOST_SCHEMAS
    for number, statement in enumerate(statements, 1):
        is_present = number == len(statements)
        code = statement.lstrip(" \t")
        indent = statement.removesuffix(code)
        for name in _names_used(statement, is_present=is_present):
            if name in described or name not in schemas:
                continue
            comment = _comment(name, schemas[name])
            if len(comment) > room and not is_present:
                continue
            room -= len(comment)
            described.add(name)
            yield f"{indent}{comment}"
        yield statement
        assigned = _ASSIGNED.match(statement)
        if assigned is not None:
            described.add(assigned[1])


def _names_used(statement: str, *, is_present: bool) -> list[str]:
    """Return the names that a statement uses."""
    assigned = _ASSIGNED.match(statement)
    if assigned is not None:
        statement = statement[assigned.end() :]
    if not is_present:
        return names_in_code(statement)
    # The name at the cursor may be half typed.
    typed = _WORD_AT_END.sub("", statement)
    names = names_in_code(typed)
    return names[:MOST_NAMES]


def _comment(name: str, schema: str) -> str:
    words = f"# {name}: {schema}".split()
    text = " ".join(words)
    return f"{text[:MOST_SCHEMA]}\n"


def names_to_describe(before: str) -> list[str]:
    """Return the names whose schemas are sent if they are variables, the last first."""
    names = names_in_code(_kept_end(before))
    return names[::-1]
