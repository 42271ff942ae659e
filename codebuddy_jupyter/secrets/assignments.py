"""Find secrets by the name that they are assigned to.

Understands code, JSON, YAML, INI, shell, URLs, XML and tables. A name in any of them
counts when `strength_of` says that it suggests a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .spans import Span
from .words import Strength, is_mixed, is_placeholder, looks_like_secret, strength_of

# From a word that may suggest a secret to the end of the name.
_NAME_TAIL = re.compile(
    r"""
    (?:
        pass | pwd | pw | passwort | kennwort | contraseña | senha
      | secret | token | key | cred | auth | dsn | conn | sessionid | sas
    )
    [\w-]{0,60}+
    """,
    re.VERBOSE,
)
_NAME_HEAD = re.compile(r"(?<![\w.-])[\w.-]*+\Z")
_MAX_NAME_HEAD = 40

# The text between a name and its value. `closing` ends a quoted or indexed name; a
# type annotation may follow it.
_SIGN = re.compile(
    r"""
    (?P<closing> ["'`]? \s{0,4} [\])]? )
    (?:
        \s{0,8} (?: : \s{0,4} [A-Za-z_][\w.\[\], |]{0,40}+ (?==) )?
        (?P<operator> ={1,3} | := | != | => | : ) [ \t]{0,8}
      | (?P<comma> \s{0,4} , \s{0,4} )
      | (?P<tag> > )
      | (?P<column> [ \t]{2,40} | [ \t]{0,20} \| [ \t]{0,20} )
      | (?P<space> [ \t] )
    )
    """,
    re.VERBOSE,
)

# The value itself, in each way in which it can be written.
_QUOTED = re.compile(
    r"""
    (?:\(\s{0,20})?
    (?P<prefix>[bfruBFRU]{0,2})
    (?P<quote>\"{3}|'{3}|["'`])
    (?P<value> (?: \\. | (?!(?P=quote)) [^\\\n] ){1,2000}+ )
    (?: (?P=quote) | \Z )
    """,
    re.VERBOSE,
)
_UNQUOTED = re.compile(r"(?P<value>[^\s\"'`<>{}\[\]]{3,2000}+)")
_QUERY_VALUE = re.compile(r"(?P<value>[^\s\"'`<>{}\[\]&;#,]{3,2000}+)")
_TAG_CONTENT = re.compile(r"(?P<value>[^<>\s]{3,400}+)</")
# To the end of the line, or of the quoted text that holds the line. That text ends at a
# quote before a space or a bracket; escaped line breaks before the quote are its end,
# too.
_REST_OF_LINE = re.compile(
    r"""
    (?P<value>
        (?: (?! (?:\\{1,8}[nr]){0,4} \\{0,8} [\"'] (?:[\s\])},;:]|\Z) ) \S ){3,2000}+
    )
    (?: \\ | [\"'] | [ \t\r]*+ (?:[#;].*)? $ )
    """,
    re.VERBOSE | re.MULTILINE,
)

# The text before a name; each pattern ends at the start of the name.
# A line that is a setting may start with a traceback's line number or a shell command.
_LINE_START = re.compile(
    r"""
    (?: ^ | \n | [\"'] ) [ \t]*+
    (?: -+>[ \t]* )? (?: \d{1,5}[ \t]+ )? (?: [\#$%!>-]{1,3}[ \t]* )?
    (?: (?:export|set|env|set_env|setenv|ENV|ARG|-e)[ \t]+ )?
    \Z
    """,
    re.VERBOSE,
)
_SHELL_COMMANDS = ("%env ", "%set_env ", "ENV ")
# `Server=db;User=me;` of a connection string.
_CONNECTION_BEFORE = re.compile(r"\w=[^;=\n()]{1,50}+;[ ]?\Z")
# `host=db user=me ` of a command.
_PAIR_BEFORE = re.compile(r"(?:\w=[^\s,;()]+[ ]|;[ ]?)\Z")
_ENVIRONMENT_CALL = re.compile(
    r"""
    (?: (?:set|put|get)_?env\w*\(\s* | (?:setdefault|get|set|add|store|put)\(\s* )
    [\"']\Z
    """,
    re.VERBOSE,
)
# A quote before the name that is still open at the name.
_OPEN_QUOTE = {
    quote: re.compile(
        rf"(?:^|[(\[{{,=+:%\s])[bfruBFRU]{{0,2}}{quote}[^\n{quote}]{{0,80}}+\Z"
    )
    for quote in "\"'"
}
_CODE_CONTINUES = re.compile(r"\s*[)\],+%;.}]")

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
_CLASS_NAME = re.compile(r"(?:[A-Z][a-z]+)+")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*[,;:)]*")
_PUNCTUATION = re.compile(r"[!@#$%^&*?]")

# The label to show, by what the name contains.
_LABELS = {"token": "token", "secret": "secret", "api": "api key", "key": "key"}

_Test = Callable[[str, Strength], bool]


@dataclass(frozen=True)
class _Assignment:
    """A name that suggests a secret, and the sign behind it."""

    text: str
    start: int
    name: str
    strength: Strength
    sign: re.Match[str]

    def before(self, length: int) -> str:
        """Return up to ``length`` characters before the name."""
        return self.text[max(0, self.start - length) : self.start]

    @property
    def is_tight(self) -> bool:
        """Whether the sign is ``=`` without a space behind it: ``NAME=value``."""
        is_equals = self.sign["operator"] == "=" and not self.sign["closing"]
        return is_equals and not self.text[self.sign.end() - 1].isspace()

    @property
    def label(self) -> str:
        """The label to show in place of the value."""
        if self.strength == "password":
            return "password"
        lowered = self.name.lower()
        for part, label in _LABELS.items():
            if part in lowered:
                return label
        return "credential"

    def match_value(self, pattern: re.Pattern[str], is_secret: _Test) -> Span | None:
        """Return the value behind the sign where the pattern and the test fit it."""
        match = pattern.match(self.text, self.sign.end())
        if match is None or not is_secret(match["value"], self.strength):
            return None
        return self.span_of(match)

    def span_of(self, match: re.Match[str]) -> Span:
        """Return the span of a match's value, with this assignment's label."""
        return Span(match.start("value"), match.end("value"), self.label)


def find_assigned_secrets(text: str) -> Iterator[Span]:
    """Find values that are assigned to names such as ``password`` and ``API_KEY``."""
    # İ is the only letter that gets longer in lower case, which would shift the spans.
    lowered = text.replace("İ", "I").lower()
    end = 0
    for tail in _NAME_TAIL.finditer(lowered):
        if tail.start() < end:
            continue
        assignment = _try_assignment(text, tail)
        span = _find_value(assignment) if assignment else None
        if span:
            end = span.end
            yield span


def _try_assignment(text: str, tail: re.Match[str]) -> _Assignment | None:
    sign = _SIGN.match(text, tail.end())
    if sign is None:
        return None
    start = tail.start()
    head = _NAME_HEAD.search(text[max(0, start - _MAX_NAME_HEAD) : start])
    if head:
        start -= len(head[0])
    name = text[start : tail.end()]
    strength = strength_of(name)
    if strength is None:
        return None
    return _Assignment(text, start, name, strength, sign)


def _find_value(assignment: _Assignment) -> Span | None:
    """Return the secret that is assigned, if there is one."""
    sign = assignment.sign
    quoted = _QUOTED.match(assignment.text, sign.end())
    if quoted:
        return _quoted_value(assignment, quoted)
    if sign["tag"]:
        if assignment.before(1) != "<":
            return None
        return assignment.match_value(_TAG_CONTENT, _is_secret_anywhere)
    if sign["comma"]:
        return None
    return _unquoted_value(assignment)


# Values in quotes


def _quoted_value(assignment: _Assignment, quoted: re.Match[str]) -> Span | None:
    if _is_template(quoted) or _is_between_quotes(assignment, quoted):
        return None
    sign = assignment.sign
    # A value behind a comma or a space may also be the next name in a list, or a
    # word of a sentence. Only a call or a flag makes the two a pair.
    if sign["comma"]:
        in_call = _ENVIRONMENT_CALL.search(assignment.before(40))
        is_pair = in_call is not None and is_mixed(quoted["value"])
    elif sign["space"] or sign["column"]:
        is_pair = assignment.name.startswith("--")
    else:
        is_pair = not sign["tag"]
    if not is_pair or not looks_like_secret(assignment.strength, quoted["value"]):
        return None
    return assignment.span_of(quoted)


def _is_template(quoted: re.Match[str]) -> bool:
    """Return whether the value is an f-string with fields, or a regular expression."""
    prefix = quoted["prefix"].lower()
    if "f" in prefix and "{" in quoted["value"]:
        return True
    return "r" in prefix and re.search(r"[\[(\\]", quoted["value"]) is not None


def _is_between_quotes(assignment: _Assignment, quoted: re.Match[str]) -> bool:
    """Return whether the value is code between two quoted texts.

    In ``ask("Password: ") + ask("User: ")``, the quote behind the sign closes the text
    that holds the name, and what looks like a value is ``) + ask(``.
    """
    if assignment.sign["closing"] or not _CODE_CONTINUES.match(quoted["value"]):
        return False
    open_quote = _OPEN_QUOTE.get(quoted["quote"])
    return open_quote is not None and bool(open_quote.search(assignment.before(80)))


# Values without quotes


def _unquoted_value(assignment: _Assignment) -> Span | None:
    """Return a value without quotes.

    Where only a setting is possible, any value counts; elsewhere, only what is neither
    code nor part of a sentence.
    """
    name = assignment.name
    sign = assignment.sign
    before = assignment.before(60)
    if sign["space"]:
        if name.startswith("--") or before.endswith(_SHELL_COMMANDS):
            return assignment.match_value(_UNQUOTED, _is_flag_value)
        return None
    is_line_start = _LINE_START.search(before) is not None
    if sign["column"]:
        if is_line_start:
            return assignment.match_value(_REST_OF_LINE, _is_cell)
        return None
    if assignment.is_tight:
        if before.endswith(("?", "&")):
            return assignment.match_value(_QUERY_VALUE, _is_query_value)
        if _CONNECTION_BEFORE.search(before):
            return assignment.match_value(_QUERY_VALUE, _is_setting)
        if _PAIR_BEFORE.search(before) or name.startswith("--"):
            return assignment.match_value(_QUERY_VALUE, _is_not_code)
    if sign["closing"].strip() or not is_line_start:
        return None
    return _line_value(assignment)


def _line_value(assignment: _Assignment) -> Span | None:
    """Return the value of a line that is a setting, as in shell, YAML and INI files."""
    name = assignment.name
    operator = assignment.sign["operator"]
    if assignment.is_tight and name.isupper():
        if _REST_OF_LINE.match(assignment.text, assignment.sign.end()):
            return assignment.match_value(_REST_OF_LINE, _is_setting)
        return assignment.match_value(_UNQUOTED, _is_setting)
    if operator == ":" and name.isupper():
        return assignment.match_value(_REST_OF_LINE, _is_setting)
    if operator in ("=", ":") and (name.isupper() or assignment.strength != "token"):
        return assignment.match_value(_REST_OF_LINE, _is_not_code)
    return None


# Tests of values


def _is_secret_anywhere(value: str, strength: Strength) -> bool:
    return looks_like_secret(strength, value)


def _is_setting(value: str, strength: Strength) -> bool:
    """Return whether a value is a secret where no code is possible."""
    if _CODE.fullmatch(value) or _CLASS_NAME.fullmatch(value):
        return False
    if not looks_like_secret(strength, value):
        return False
    return not is_placeholder(value.rstrip(",;"))


def _is_not_code(value: str, strength: Strength) -> bool:
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
    return _is_setting(value, strength)


def _is_cell(value: str, strength: Strength) -> bool:
    """Return whether the cell behind a name in a table is a secret."""
    return _is_not_code(value, "token")


def _is_flag_value(value: str, strength: Strength) -> bool:
    """Return whether the word behind a flag is a secret, not an option or a variable."""
    if value.startswith(("-", "id=", "$")):
        return False
    return _is_not_code(value, strength)


def _is_query_value(value: str, strength: Strength) -> bool:
    """Return whether the value of a URL's parameter is a secret."""
    if not looks_like_secret(strength, value):
        return False
    return strength == "password" or is_mixed(value)
