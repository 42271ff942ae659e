"""Find secrets by the name that they are assigned to.

Understands code, JSON, YAML, INI, shell, URLs, XML and tables. A name in any of them
counts when `strength_of` says that it suggests a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .names import try_name
from .spans import Span
from .values import (
    has_punctuation,
    is_cell,
    is_flag_value,
    is_not_code,
    is_query_value,
    is_random_token,
    is_random_word,
    is_rule_of_validation,
    is_secret_anywhere,
    is_setting,
)
from .words import (
    Strength,
    is_mixed,
    label_of,
    looks_like_secret,
    strength_of,
)

# The text between a name and its value. `closing` ends a quoted or indexed name; a
# type annotation may follow it.
_SIGN = re.compile(
    r"""
    (?P<closing> ["'`]? (?: \s{0,4} [\])] )? )
    (?:
        \s{0,8} (?: : \s{0,4} [A-Za-z_][\w.\[\], |]{0,40}+ (?==) )?
        (?P<operator> ={1,3} | := | != | => | : | \uff1a | \uff1d ) [ \t]{0,8}
      | (?P<attribute> (?<=["'\s]) [ \t]{0,4} value [ \t]? = )
      | (?P<comma> \s{0,4} , \s{0,4} )
      | (?P<tag> > )
      | (?P<column> [ \t]{2,40} | [ \t]{0,20} [|│┃║┆] [ \t]{0,20} )
      | (?P<space> [ \t] )
    )
    """,
    re.VERBOSE,
)

# With the wide forms that are written between Chinese and Japanese characters.
_COLONS = (":", "\uff1a")
_ASSIGNMENTS = ("=", "\uff1d", *_COLONS)

# The value itself, in each way in which it can be written.
_QUOTED = re.compile(
    r"""
    (?:\(\s{0,20})?
    (?P<prefix>[bfruBFRU]{0,2})
    (?P<quote>\"{3}|'{3}|["'`])
    (?P<value> (?> (?: \\. | (?!(?P=quote)) [^\\\n] ){1,2000} ) )
    (?: (?P=quote) | \Z )
    """,
    re.VERBOSE,
)
_UNQUOTED = re.compile(r"(?P<value>[^\s\"'`<>{}\[\]]{3,2000}+)")
_QUERY_VALUE = re.compile(r"(?P<value>[^\s\"'`<>{}\[\]&;#,]{3,2000}+)")
# A word of a command or a sentence; a backslash starts an escaped line break.
_WORD_VALUE = re.compile(r"(?P<value>[^\s\"'`<>{}\[\]\\;,|&]{3,300}+)")
# A long word of which more text follows, but no index or call.
_LONG_WORD = re.compile(
    r"(?P<value>[^\s\"'`<>{}\[\]\\;,|&]{20,300}+)(?=[\s\"'\\;,|]|\Z)"
)
_TAG_CONTENT = re.compile(r"(?P<value>[^<>\s]{3,400}+)</")
# To the end of the line, or of the quoted text that holds the line. That text ends at a
# quote before a space or a bracket; escaped line breaks before the quote are its end,
# too.
_REST_OF_LINE = re.compile(
    r"""
    (?P<value>
        (?> (?: (?! (?:\\{1,8}[nr]){0,4} \\{0,8} [\"'] (?:[\s\])},;:]|\Z) ) \S ){3,2000} )
    )
    (?: \\ | [\"'] | [ \t\r|│┃║]*+ (?:[#;].*)? $ )
    """,
    re.VERBOSE | re.MULTILINE,
)

# Several values in a row of a table.
_CELL_BORDER = re.compile(r"[ ]{2,}|[ ]*[|│┃║┆][ ]*")
_ROW = re.compile(r"(?P<value>\S[^\n]{2,500}?)[ \t|│┃║]*+$", re.MULTILINE)

# The text before a name; each pattern ends at the start of the name.
# A line that is a setting may start with a traceback's line number or a shell command.
_LINE_START = re.compile(
    r"""
    (?: ^ | \n | [\"'] ) [ \t]*+
    (?: -+>[ \t]* )? (?: \d{1,5}[.)]?[ \t]+ )? (?: [\#$%!>*•|│┃║-]{1,3}[ \t]* )*
    (?: (?:export|set|env|set_env|setenv|ENV|ARG|-e)[ \t]+ )?
    \Z
    """,
    re.VERBOSE,
)
# Where a shell takes `NAME=value` in the middle of a line: before a command, behind a
# flag.
_SHELL_BEFORE = re.compile(
    r"""
    (?: && | \|\|? | ; | \b(?:sudo|env|time|export|declare|set|do|then) | -e | --env
      | --build-arg | --from-literal | config:set | -var | --set )
    (?: [ \t]+ | = ) (?: [A-Z_][A-Z0-9_]*= [^\s\"']* [ ]+ )* \Z
    """,
    re.VERBOSE,
)
# The flag of a header, and the words before the name and the value of one.
_HEADER_BEFORE = re.compile(r"\s(?:-H|--header)[ =]?[\"']?\Z")
_CONFIGURE_BEFORE = re.compile(r"\b(?:(?:configure|config)[ ]+set|setx)[ ]+\Z")
_SHELL_COMMANDS = ("%env ", "%set_env ", "ENV ")
# `Server=db;User=me;` of a connection string.
_CONNECTION_BEFORE = re.compile(r"\w=[^;=\n()]{1,50}+;[ ]?\Z")
# `host=db user=me ` of a command, and `-o user=me,`.
_PAIR_BEFORE = re.compile(r"(?:\w=[^\s,;()]+[ ]|;[ ]?|\s\w+=[^\s,;()]{1,80},)\Z")
# A call that gets a name and its value, perhaps behind an object or a section. Those
# that set something get a value of any kind; others may get a default of another kind.
_ARGUMENTS_BEFORE = (
    r"(?:[^()\"'\n,]{1,60},\s{0,4}|[\"'][^\"'\n]{1,60}[\"'],\s{0,4}){0,2}"
)
_SETTING_CALL = re.compile(
    rf"(?:__)?(?:set(?:attr|env|default)?|put(?:env|header)?|store|add_header|replace)"
    rf"(?:__)?\(\s*{_ARGUMENTS_BEFORE}[bfru]?[\"']\Z"
)
_OTHER_CALL = re.compile(
    rf"(?:get_?env\w*|getattr|get|add|pop|insert|append|update|Header|add_argument"
    rf"|option)\(\s*{_ARGUMENTS_BEFORE}[bfru]?[\"']\Z"
)
_DEFAULT = re.compile(r"(?:[^()\n]{0,200}?\bdefault\s?=\s?)?")
_PAIR_END = re.compile(r"\s*,?\s*[)\]]")
# A value that a class or a function gets, which takes the secret itself.
_WRAPPER = re.compile(
    r"""
    (?: [A-Za-z_]\w*\. )?
    (?: Secret(?:Str|Bytes)? | Field | str | bytes | bytearray | quote(?:_plus)?
      | (?:url_?safe_|standard_)?b64decode | fromhex | unhexlify | \w+Credential )
    \(\s{0,20} (?: default\s?=\s? )?
    (?= [bfru]?[\"'] )
    """,
    re.VERBOSE,
)
# The next quoted text of a list, a tuple, or a dict whose keys are numbers.
_ITEM = re.compile(
    r"""
    (?: [\s,\[({]+ | \]\s*,\s*\[ | (?:None|null|nan|-?\d+) (?=\s*[,:\]}]) \s*:? )*
    (?P<prefix>[bfruBFRU]{0,2})
    (?P<quote>["'])
    (?P<value> (?> (?: \\. | (?!(?P=quote)) [^\\\n] ){1,2000} ) )
    (?P=quote)
    """,
    re.VERBOSE,
)
_MAX_ITEMS = 200
# `{"name": "PASSWORD", "value": "…"}`, and the same in YAML.
_NAME_OF_PAIR = re.compile(r"\b(?:[Nn]ame|[Kk]ey)[\"']?\s?[:=]\s?[\"']?\Z")
_VALUE_OF_PAIR = re.compile(r"[\"']?,?\s{1,40}[\"']?[Vv]alue[\"']?\s?[:=][ \t]{0,4}")
# In YAML, a value on the lines below its name.
_BLOCK = re.compile(r"(?P<mark>[|>][+-]?\d?[+-]?)?[ \t]*(?:\#[^\n]*)?\n")
_BLOCK_LINE = re.compile(r"(?P<indent>[ \t]*)(?P<text>[^\n]*)(?:\n|\Z)")
_MAX_BLOCK_LINES = 200
# Names of headers, which commands take in the form `Name:value`.
_HEADER_NAME = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)+")
# A quote before the name that is still open at the name.
_OPEN_QUOTE = {
    quote: re.compile(
        rf"(?:^|[(\[{{,=+:%\s])[bfruBFRU]{{0,2}}{quote}[^\n{quote}]{{0,80}}+\Z"
    )
    for quote in "\"'"
}
_CODE_CONTINUES = re.compile(r"\s*[)\],+%;.}]")

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
        return label_of(self.name, self.strength)

    def match_value(self, pattern: re.Pattern[str], is_secret: _Test) -> Span | None:
        """Return the value behind the sign where the pattern and the test fit it."""
        match = pattern.match(self.text, self.sign.end())
        if match is None or not is_secret(match["value"], self.strength):
            return None
        return self.span_of(match)

    def span_of(self, match: re.Match[str]) -> Span:
        """Return the span of a match's value, with this assignment's label."""
        return Span(match.start("value"), match.end("value"), self.label)


def find_assigned_secrets(text: str, names: Iterable[re.Match[str]]) -> Iterator[Span]:
    """Find values that are assigned to names such as ``password`` and ``API_KEY``.

    Parameters
    ----------
    text
        The text.
    names
        What `find_names` found in it.
    """
    end = 0
    for tail in names:
        if tail.start() < end:
            continue
        for span in _find_values(text, tail):
            end = span.end
            yield span


def _find_values(text: str, tail: re.Match[str]) -> list[Span]:
    """Return the secrets that are assigned to the name that ends with a part."""
    sign = _SIGN.match(text, tail.end())
    if sign is None:
        pair = _VALUE_OF_PAIR.match(text, tail.end())
        return _value_of_pair(text, tail, pair) if pair else []
    name = try_name(text, tail)
    if name is None:
        return _values_of_plural(text, tail, sign)
    assignment = _Assignment(text, name.start, name.text, name.strength, sign)
    items = _find_items(assignment)
    if items:
        return items
    span = _find_value(assignment)
    if span is None and sign["operator"] is None:
        pair = _VALUE_OF_PAIR.match(text, tail.end())
        return _value_of_pair(text, tail, pair) if pair else []
    return [span] if span else []


def _value_of_pair(text: str, tail: re.Match[str], pair: re.Match[str]) -> list[Span]:
    """Return the value behind ``"value":`` where the name stands behind ``"name":``."""
    name = try_name(text, tail)
    if name is None:
        return []
    assignment = _Assignment(text, name.start, name.text, name.strength, pair)
    if not _NAME_OF_PAIR.search(assignment.before(20)):
        return []
    pattern = _QUOTED if _QUOTED.match(text, pair.end()) else _REST_OF_LINE
    span = assignment.match_value(pattern, is_secret_anywhere)
    return [span] if span else []


def _values_of_plural(
    text: str, tail: re.Match[str], sign: re.Match[str]
) -> list[Span]:
    """Return the secrets in a list whose name is a plural: ``passwords = [...]``."""
    if not tail[0].endswith("s") or not sign["operator"]:
        return []
    start = max(0, tail.start() - 40)
    head = re.search(r"[\w.-]*\Z", text[start : tail.start()])
    name_start = tail.start() - (len(head[0]) if head else 0)
    name = text[name_start : tail.end() - 1]
    strength = strength_of(name)
    if strength is None or strength == "token":
        return []
    return _find_items(_Assignment(text, name_start, name, strength, sign))


def _find_items(assignment: _Assignment) -> list[Span]:
    """Return the secrets in a list, also one of lists, that is assigned to a name."""
    text = assignment.text
    position = assignment.sign.end()
    is_list = text[position : position + 1] == "["
    is_by_number = re.compile(r"\{\s*\d+\s*:").match(text, position) is not None
    if not assignment.sign["operator"] or not (is_list or is_by_number):
        return []
    items = []
    for _ in range(_MAX_ITEMS):
        item = _ITEM.match(text, position)
        if item is None:
            break
        items.append(item)
        position = item.end()
    values = [item["value"] for item in items]
    may_be = [_is_item(value, assignment.strength) for value in values]
    if not any(may_be):
        return []
    return [
        assignment.span_of(item)
        for item in items
        if looks_like_secret(assignment.strength, item["value"])
    ]


def _is_item(value: str, strength: Strength) -> bool:
    """Return whether an element of a list shows that the list holds secrets."""
    if is_rule_of_validation(value) or not looks_like_secret(strength, value):
        return False
    return len(value) >= 6 and (is_mixed(value) or has_punctuation(value))


def _find_value(assignment: _Assignment) -> Span | None:
    """Return the secret that is assigned, if there is one."""
    sign = assignment.sign
    text = assignment.text
    start = sign.end()
    if sign["operator"]:
        wrapper = _WRAPPER.match(text, start)
        start = wrapper.end() if wrapper else start
    elif sign["comma"]:
        start = _start_of_default(assignment)
    quoted = _QUOTED.match(text, start)
    if quoted:
        return _quoted_value(assignment, quoted)
    if sign["tag"]:
        if assignment.before(1) != "<":
            return None
        return assignment.match_value(_TAG_CONTENT, is_secret_anywhere)
    if sign["comma"] or sign["attribute"]:
        return None
    return _unquoted_value(assignment)


def _start_of_default(assignment: _Assignment) -> int:
    """Return where the value is behind a comma, in some calls behind ``default=``."""
    end = assignment.sign.end()
    if "add_argument(" not in assignment.before(60) and (
        "option(" not in assignment.before(60)
    ):
        return end
    default = _DEFAULT.match(assignment.text, end)
    return default.end() if default else end


# Values in quotes


def _quoted_value(assignment: _Assignment, quoted: re.Match[str]) -> Span | None:
    if _is_template(quoted) or _is_between_quotes(assignment, quoted):
        return None
    sign = assignment.sign
    value = quoted["value"]
    if sign["comma"]:
        is_pair = _is_pair(assignment, quoted)
    elif sign["space"] or sign["column"]:
        is_pair = assignment.name.startswith("--") or _is_in_shell(assignment)
    else:
        is_pair = not sign["tag"]
    if not is_pair or not looks_like_secret(assignment.strength, value):
        return None
    return assignment.span_of(quoted)


def _is_in_shell(assignment: _Assignment) -> bool:
    return _CONFIGURE_BEFORE.search(assignment.before(40)) is not None


def _is_pair(assignment: _Assignment, quoted: re.Match[str]) -> bool:
    """Return whether a value behind a comma belongs to the name.

    It may also be the next name in a list, or a word about it. A call that sets
    something makes them a pair; elsewhere the value must look random.
    """
    before = assignment.before(140)
    if _SETTING_CALL.search(before):
        return True
    value = quoted["value"]
    is_random = is_mixed(value) or has_punctuation(value)
    if not is_random or not is_setting(value, assignment.strength):
        return False
    if _OTHER_CALL.search(before):
        return True
    # Exactly two in brackets. A list may also hold two names.
    first = re.search(r"(?P<bracket>[(\[])\s*[bru]?[\"']\Z", before)
    if first is None or not _PAIR_END.match(assignment.text, quoted.end()):
        return False
    return first["bracket"] == "(" or len(value) >= 12 or _has_both_cases(value)


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
    if assignment.sign["closing"].strip() or not _CODE_CONTINUES.match(quoted["value"]):
        return False
    open_quote = _OPEN_QUOTE.get(quoted["quote"])
    return open_quote is not None and bool(open_quote.search(assignment.before(80)))


def _has_both_cases(value: str) -> bool:
    return not value.islower() and not value.isupper()


# Values without quotes


def _unquoted_value(assignment: _Assignment) -> Span | None:
    """Return a value without quotes.

    Where only a setting is possible, any value counts; elsewhere, only what is neither
    code nor part of a sentence.
    """
    name = assignment.name
    sign = assignment.sign
    before = assignment.before(120)
    if sign["space"]:
        if name.startswith("--") or before.endswith(_SHELL_COMMANDS):
            return assignment.match_value(_UNQUOTED, is_flag_value)
        if _is_in_shell(assignment):
            return assignment.match_value(_UNQUOTED, is_setting)
        return None
    is_line_start = _LINE_START.search(before) is not None
    if sign["column"]:
        if not is_line_start:
            return None
        span = assignment.match_value(_REST_OF_LINE, is_cell)
        return span or _row_of_cells(assignment)
    if sign["operator"] == ":" and _is_header(assignment, before):
        return assignment.match_value(_WORD_VALUE, is_flag_value)
    if assignment.is_tight:
        span = _tight_value(assignment, before)
        if span is None and not is_line_start:
            span = _value_before_command(assignment, before)
        if span:
            return span
    if sign["closing"].strip():
        return None
    span = _line_value(assignment) if is_line_start else _value_in_line(assignment)
    if span is None and sign["operator"] in _ASSIGNMENTS:
        # Whatever follows it, a long random word is no code.
        span = assignment.match_value(_LONG_WORD, is_random_token)
    if span is None and assignment.is_tight and _SHELL_BEFORE.search(before):
        return assignment.match_value(_WORD_VALUE, is_setting)
    return span


def _row_of_cells(assignment: _Assignment) -> Span | None:
    """Return all values behind the name of a row, as a frame on its side has them."""
    row = _ROW.match(assignment.text, assignment.sign.end())
    if row is None or assignment.strength == "token":
        return None
    values = _CELL_BORDER.split(row["value"])
    secret = [value for value in values if is_cell(value, assignment.strength)]
    if 2 * len(secret) < len(values) or any(" " in value for value in values):
        return None
    return assignment.span_of(row)


def _is_header(assignment: _Assignment, before: str) -> bool:
    """Return whether a name is that of a header on a command line."""
    if assignment.sign["closing"]:
        return False
    if _HEADER_BEFORE.search(before):
        return True
    is_tight = not assignment.text[assignment.sign.end() - 1].isspace()
    is_header = _HEADER_NAME.fullmatch(assignment.name) is not None
    return is_tight and is_header and before.endswith((" ", "'", '"'))


def _tight_value(assignment: _Assignment, before: str) -> Span | None:
    """Return the value of ``NAME=value`` in a URL, a connection string or a command."""
    name = assignment.name
    if before.endswith(("?", "&")):
        return assignment.match_value(_QUERY_VALUE, is_query_value)
    if _CONNECTION_BEFORE.search(before):
        return assignment.match_value(_QUERY_VALUE, is_setting)
    is_pair = _PAIR_BEFORE.search(before) is not None
    if is_pair and before.endswith(",") and _is_in_call(before):
        is_pair = False
    if is_pair or name.startswith("--"):
        return assignment.match_value(_QUERY_VALUE, is_not_code)
    return None


def _value_before_command(assignment: _Assignment, before: str) -> Span | None:
    """Return the value of ``NAME=value`` in the middle of a command line."""
    if _SHELL_BEFORE.search(before):
        return assignment.match_value(_WORD_VALUE, is_setting)
    if not before.endswith((" ", "\t")) or _is_in_call(before):
        return None
    if assignment.name.isupper():
        return assignment.match_value(_WORD_VALUE, is_not_code)
    if assignment.strength == "token":
        return None
    return assignment.match_value(_WORD_VALUE, is_random_word)


def _is_in_call(before: str) -> bool:
    line = before.rpartition("\n")[2]
    return line.count("(") > line.count(")")


def _value_in_line(assignment: _Assignment) -> Span | None:
    """Return a random value behind a colon in a line: ``user: jo, password: …``."""
    sign = assignment.sign
    has_space = assignment.text[sign.end() - 1].isspace()
    is_colon = sign["operator"] in _COLONS
    if sign["operator"] == ":" and not has_space:
        return None
    if not is_colon or assignment.strength == "token":
        return None
    return assignment.match_value(_WORD_VALUE, is_random_word)


def _line_value(assignment: _Assignment) -> Span | None:
    """Return the value of a line that is a setting, as in shell, YAML and INI files."""
    name = assignment.name
    operator = assignment.sign["operator"]
    if operator == ":":
        block = _BLOCK.match(assignment.text, assignment.sign.end())
        if block:
            return _block_value(assignment, block)
    if assignment.is_tight and name.isupper():
        if _REST_OF_LINE.match(assignment.text, assignment.sign.end()):
            return assignment.match_value(_REST_OF_LINE, is_setting)
        return assignment.match_value(_UNQUOTED, is_setting)
    if operator in _COLONS and name.isupper() and name.isascii():
        return assignment.match_value(_REST_OF_LINE, is_setting)
    if operator not in _ASSIGNMENTS:
        return None
    if assignment.strength == "token" and not (name.isupper() and name.isascii()):
        return assignment.match_value(_REST_OF_LINE, is_random_token)
    return assignment.match_value(_REST_OF_LINE, is_not_code)


def _block_value(assignment: _Assignment, block: re.Match[str]) -> Span | None:
    """Return a value of YAML that stands on the lines below its name."""
    text = assignment.text
    line_start = text.rfind("\n", 0, assignment.start) + 1
    outer = len(text[line_start : assignment.start].rstrip("\"'"))
    start = end = -1
    position = block.end()
    for _ in range(_MAX_BLOCK_LINES):
        line = _BLOCK_LINE.match(text, position)
        if line is None or position >= len(text):
            break
        is_inside = len(line["indent"]) > outer
        if line["text"].strip():
            if not is_inside or (not block["mark"] and start >= 0):
                break
            start = line.start("text") if start < 0 else start
            end = line.start("text") + len(line["text"].rstrip())
        position = line.end()
    if start < 0 or assignment.strength == "token":
        return None
    value = text[start:end]
    test = is_setting if block["mark"] else is_not_code
    lines = value.split()
    is_secret = len(lines) == 1 and test(value.strip("\"'"), assignment.strength)
    is_long = bool(block["mark"]) and all(map(is_mixed, lines)) and len(lines) > 1
    if not is_secret and not is_long:
        return None
    return Span(start, end, assignment.label)
