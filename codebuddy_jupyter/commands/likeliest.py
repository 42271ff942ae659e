"""Which variables a question is likely about, and what each is in a word.

Only the type of a variable is looked at: none of its code runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType

from ..context.describe.types import is_exactly, is_instance, name_of
from ..context.relevance import names_in

TABLES = frozenset({"DataFrame", "Series", "LazyFrame", "Table", "DuckDBPyRelation"})
ARRAYS = frozenset({"ndarray", "Tensor", "DataArray", "Dataset", "Array"})
# The ranks of variables, the likeliest first.
_TABLE, _VALUE, _CODE, _SMALL, _MODULE = range(5)
# How many ranks a variable of the last cell goes up.
_IN_LAST_CELL = 2


def likeliest_first(
    names: Iterable[str], values: Mapping[str, object], last_cell: str
) -> list[str]:
    """Return names with those first that a question is likely about.

    Tables and arrays come first, numbers, functions and modules last; those that the
    last cell uses go up. Of equal ones, the order stays.

    Parameters
    ----------
    names
        The names.
    values
        The variables of the notebook.
    last_cell
        The source of the cell that ran last.
    """
    used = names_in(last_cell)

    def rank(name: str) -> int:
        steps = _IN_LAST_CELL if name in used else 0
        return _rank(values.get(name)) - steps

    return sorted(names, key=rank)


def kind_of(value: object) -> str:
    """Return the name of a value's type, as a user would say it."""
    if is_instance(value, ModuleType):
        return "module"
    # The types of functions have no module.
    return name_of(type(value)).lstrip(".")


def _rank(value: object) -> int:
    name = name_of(type(value)).rpartition(".")[2]
    if name in TABLES or name in ARRAYS:
        return _TABLE
    if is_instance(value, ModuleType):
        return _MODULE
    if is_exactly(value, int, float, bool, complex, str, bytes, type(None)):
        return _SMALL
    if is_exactly(value, FunctionType, BuiltinFunctionType) or is_instance(value, type):
        return _CODE
    return _VALUE
