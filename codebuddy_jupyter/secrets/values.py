"""Judge values that are assigned without quotes or in a list: secret, code or words?

Each function gets the value, and how strongly its name suggests a secret.
"""

from __future__ import annotations

import re

from .words import Strength, is_mixed, is_placeholder, looks_like_secret

# Values without quotes that are code.
_CODE = re.compile(
    r"""
      [A-Za-z_][\w.]*[(\[].*                 # a call, an index
    | [A-Za-z_]+(?:\.[A-Za-z_]\w*)+[,)]*     # an attribute
    | (?-i:[a-z_]\w*\.[A-Z])\w*              # a class
    | [\d.,_+-]+[,)]*                        # a number
                                             # a type or a variable with a number
    | (?: u?int | float | str | string | utf | bytes | bool | complex | datetime | base
        | sha | md | [bfiuwv] | tok | pw | key | pass\w* | pwd )
      -?\d+\S{0,6}
    | lambda.* | await.* | self.* | not | in | is | and | or | if | else
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CELL_OF_TYPE = re.compile(r"varchar|string|object|int|float|datetime|bool", re.I)
_RULE_OF_VALIDATION = re.compile(r"[a-z_]+:\S*")
_CLASS_NAME = re.compile(r"(?:[A-Z][a-z]+)+")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*[,;:)]*")
_PUNCTUATION = re.compile(r"[!@#$%^&*?]")


def is_secret_anywhere(value: str, strength: Strength) -> bool:
    return looks_like_secret(strength, value)


def is_setting(value: str, strength: Strength) -> bool:
    """Return whether a value is a secret where no code is possible."""
    if _CODE.fullmatch(value) or _CLASS_NAME.fullmatch(value):
        return False
    if not looks_like_secret(strength, value):
        return False
    return not is_placeholder(value.rstrip(",;"))


def is_not_code(value: str, strength: Strength) -> bool:
    """Return whether a value is a secret where code is possible, too."""
    if len(value) < 6 or value[-1] in ",:(":
        return False
    is_random = is_mixed(value) and ("_" not in value or len(value) >= 20)
    if not is_random:
        # A password that is no name may have punctuation instead of digits.
        if strength != "password" or not _PUNCTUATION.search(value):
            return False
        if _IDENTIFIER.fullmatch(value):
            return False
    return is_setting(value, strength)


def is_cell(value: str, strength: Strength) -> bool:
    """Return whether the cell behind a name in a table is a secret."""
    return is_not_code(value, strength) and not _CELL_OF_TYPE.match(value)


def is_random_word(value: str, strength: Strength) -> bool:
    """Return whether a word of a line is a secret rather than a type or a name."""
    value = value.rstrip(".)")
    if len(value) < 8 or not is_mixed(value) or _is_name(value):
        return False
    return is_not_code(value, strength)


def is_random_token(value: str, strength: Strength) -> bool:
    """Return whether the value of ``token: …`` is one, not a word of a text."""
    if len(value) < 20 or not is_mixed(value) or _is_name(value):
        return False
    return is_not_code(value, strength)


def _is_name(value: str) -> bool:
    """Return whether a value consists of words and numbers: ``model_v2.large``."""
    parts = re.split(r"[-_./:]", value)
    return all(part.isalpha() or part.isdigit() or len(part) <= 3 for part in parts)


def is_flag_value(value: str, strength: Strength) -> bool:
    """Return whether the word behind a flag is a secret, not an option or a variable."""
    if value.startswith(("-", "id=", "$")):
        return False
    return is_not_code(value, strength)


def is_query_value(value: str, strength: Strength) -> bool:
    """Return whether the value of a URL's parameter is a secret."""
    if not looks_like_secret(strength, value):
        return False
    return strength == "password" or is_mixed(value)


def has_punctuation(value: str) -> bool:
    """Return whether a value has signs that are in passwords, but not in names."""
    return _PUNCTUATION.search(value) is not None


def is_rule_of_validation(value: str) -> bool:
    """Return whether a value says what a password must be like: ``min:8``."""
    return _RULE_OF_VALIDATION.fullmatch(value) is not None
