"""Values in printed text."""

from __future__ import annotations

import re

from .forms import Form

# So many numbers may be printed for each that is wanted, and so many besides: who prints
# the whole table has not answered.
NUMBERS_PER_VALUE = 2
NUMBERS_BESIDES = 4
# A number that is printed with fewer digits.
NEAR = 5e-3
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME_OF_DAY = "T00:00:00"


def has_values(text: str, wanted: Form) -> bool:
    """Return whether a printed text has all values, and not much else."""
    numbers = [float(number) for number in _NUMBER.findall(_DATE.sub("", text))]
    values = [value for value in wanted.values if value is not None]
    if not values or len(numbers) > NUMBERS_BESIDES + NUMBERS_PER_VALUE * len(
        wanted.atoms
    ):
        return False
    return all(_is_in(value, text, numbers) for value in values)


def _is_in(value: object, text: str, numbers: list[float]) -> bool:
    if isinstance(value, float):
        return any(_is_printed(value, number) for number in numbers)
    return str(value).removesuffix(_TIME_OF_DAY) in text


def _is_printed(value: float, number: float) -> bool:
    if value == int(value) and number == int(number):
        return value == number
    return abs(value - number) <= NEAR * max(abs(value), 1e-9)
