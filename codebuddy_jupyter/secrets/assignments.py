"""Secrets that are told by the name they are given to, in code, JSON, YAML, INI, shell,
URLs and tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .words import Strength, is_mixed, is_stand_in, looks_like_secret, strength_of

_STEMS = re.compile(
    r"(?:pass|pwd|pw|passwort|kennwort|contraseña|senha|secret|token|key|cred|auth|dsn|conn|sessionid|sas)[\w-]{0,60}+"
)
_BEFORE = re.compile(r"(?<![\w.-])[\w.-]*+\Z")

# From behind a name to its value: the quote and bracket that close the name, a type,
# and the sign that gives.
_SIGN = re.compile(
    r"""
    (?P<closed> ["'`]? \s{0,4} [\])]? )
    (?:
        \s{0,8} (?: : \s{0,4} [A-Za-z_][\w.\[\], |]{0,40}+ (?==) )? (?P<gives> ={1,3} | := | != | => | : ) [ \t]{0,8}
      | (?P<comma> \s{0,4} , \s{0,4} )
      | (?P<tag> > )
      | (?P<column> [ \t]{2,40} | [ \t]{0,20} \| [ \t]{0,20} )
      | (?P<space> [ \t] )
    )
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(
    r"""
    (?:\(\s{0,20})? (?P<letters>[bfruBFRU]{0,2})
    (?P<quote>\"{3}|'{3}|["'`]) (?P<value> (?: \\. | (?!(?P=quote)) [^\\\n] ){1,2000}+ ) (?: (?P=quote) | \Z )
    """,
    re.VERBOSE,
)
_BARE = re.compile(r"[^\s\"'`<>{}\[\]]{3,2000}+")
_IN_QUERY = re.compile(r"[^\s\"'`<>{}\[\]&;#,]{3,2000}+")
# To the end of its line, or of the text in quotes that holds the line: a quote before a
# space or a bracket ends it, and so does a written-out line break before that quote.
_TO_END = re.compile(
    r"(?P<value>(?:(?!(?:\\{1,8}[nr]){0,4}\\{0,8}[\"'](?:[\s\])},;:]|\Z))\S){3,2000}+)"
    r"(?:\\|[\"']|[ \t\r]*+(?:[#;].*)?$)",
    re.MULTILINE,
)
_TAGGED = re.compile(r"([^<>\s]{3,400}+)</")

# What may stand before the name where a line is a setting: the number of a traceback, a
# list, a shell's word.
_LINE_START = re.compile(
    r"(?:^|\n|[\"'])[ \t]*+(?:-+>[ \t]*)?(?:\d{1,5}[ \t]+)?(?:[#$%!>-]{1,3}[ \t]*)?"
    r"(?:(?:export|set|env|set_env|setenv|ENV|ARG|-e)[ \t]+)?\Z"
)
_CONNECTION_BEFORE = re.compile(r"\w=[^;=\n()]{1,50}+;[ ]?\Z")
_PAIR_BEFORE = re.compile(r"(?:\w=[^\s,;()]+[ ]|;[ ]?)\Z")
_ENVIRONMENT_CALL = re.compile(
    r"(?:set|put|get)_?env\w*\(\s*[\"']\Z|(?:setdefault|get|set|add|store|put)\(\s*[\"']\Z"
)
_CODE = re.compile(
    r"""
      [A-Za-z_][\w.]*[(\[].*                 # a call, an index
    | [A-Za-z_]+(?:\.[A-Za-z_]\w*)+[,)]*     # an attribute
    | (?-i:[a-z_]\w*\.[A-Z])\w*              # a class
    | [\d.,_+-]+[,)]*                        # a number
    | (?:u?int|float|str|string|utf|bytes|bool|complex|datetime|base|sha|md|[bfiuwv]|tok|pw|key|pass\w*|pwd)-?\d+\S{0,6}
    | lambda.* | await.* | self.* | not | in | is | and | or | if | else
    """,
    re.VERBOSE | re.IGNORECASE,
)
# A quote behind the sign closes the text that holds the name, as in `ask("Password: ")
# + ask("User: ")`, where that text was opened before the name and code goes on behind
# it.
_OPENED_BEFORE = {
    quote: re.compile(
        rf"(?:^|[(\[{{,=+:%\s])[bfruBFRU]{{0,2}}{quote}[^\n{quote}]{{0,80}}+\Z"
    )
    for quote in "\"'"
}
_CODE_GOES_ON = re.compile(r"\s*[)\],+%;.}]")
_CLASS = re.compile(r"(?:[A-Z][a-z]+)+")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*[,;:)]*")


def find_assigned(text: str) -> Iterator[tuple[int, int, str]]:
    """Where in ``text`` a value is given to a name that promises a secret: start, end
    and kind.
    """
    # Of all letters, only İ becomes longer in lower case; places must stay the same.
    lowered = text.replace("İ", "I").lower()
    done = 0
    for stem in _STEMS.finditer(lowered):
        if stem.start() < done:
            continue
        sign = _SIGN.match(text, stem.end())
        if not sign:
            continue
        start = _start_of_name(text, stem.start())
        name = text[start : stem.end()]
        strength = strength_of(name)
        place = _value_after(text, start, name, sign, strength) if strength else None
        if strength and place:
            done = place[1]
            yield *place, _kind(name, strength)


def _start_of_name(text: str, stem: int) -> int:
    before = _BEFORE.search(text[max(0, stem - 40) : stem])
    return stem - len(before[0]) if before else stem


def _kind(name: str, strength: Strength) -> str:
    lowered = name.lower()
    if strength == "password":
        return "password"
    kinds = {"token": "token", "secret": "secret", "api": "api key", "key": "key"}
    return next((kind for word, kind in kinds.items() if word in lowered), "credential")


def _value_after(
    text: str, start: int, name: str, sign: re.Match[str], strength: Strength
) -> tuple[int, int] | None:
    """The place of the secret that stands behind a name and its sign, if one does."""
    quoted = _QUOTED.match(text, sign.end())
    if quoted:
        return _quoted_value(text, start, name, sign, quoted, strength)
    if sign["tag"]:
        tagged = _TAGGED.match(text, sign.end())
        return (
            tagged.span(1)
            if tagged
            and looks_like_secret(strength, tagged[1])
            and text[start - 1 : start] == "<"
            else None
        )
    if sign["comma"]:
        return None
    return _bare_value(text, start, name, sign, strength)


def _quoted_value(
    text: str,
    start: int,
    name: str,
    sign: re.Match[str],
    quoted: re.Match[str],
    strength: Strength,
) -> tuple[int, int] | None:
    value = quoted["value"]
    letters = quoted["letters"].lower()
    if ("f" in letters and "{" in value) or (
        "r" in letters and re.search(r"[\[(\\]", value)
    ):
        return None
    if (
        not sign["closed"]
        and _CODE_GOES_ON.match(value)
        and _closes(text, start, quoted["quote"])
    ):
        return None
    if sign["comma"] or sign["space"] or sign["column"]:
        # Names in a list, words of a sentence: only where a call or a flag says that it
        # is a pair.
        in_call = bool(
            _ENVIRONMENT_CALL.search(text[max(0, start - 40) : start])
        ) and is_mixed(value)
        if not (in_call if sign["comma"] else name.startswith("--")):
            return None
    return (
        None
        if sign["tag"] or not looks_like_secret(strength, value)
        else quoted.span("value")
    )


def _closes(text: str, start: int, quote: str) -> bool:
    """Whether a quote behind the name that starts there closes the text that the name
    stands in.
    """
    opened = _OPENED_BEFORE.get(quote)
    return (
        opened is not None
        and opened.search(text[max(0, start - 80) : start]) is not None
    )


def _bare_value(
    text: str, start: int, name: str, sign: re.Match[str], strength: Strength
) -> tuple[int, int] | None:
    """A value without quotes: where only a setting can stand, any; elsewhere, what no
    code and no sentence is.
    """
    before = text[max(0, start - 60) : start]
    after = sign.end()
    if sign["space"]:
        is_pair = name.startswith("--") or before.endswith(
            ("%env ", "%set_env ", "ENV ")
        )
        return _flag_value(text, after, strength) if is_pair else None
    if sign["column"]:
        return _settled(text, after, "token") if _LINE_START.search(before) else None
    tight = (
        sign["gives"] == "=" and not text[after - 1].isspace() and not sign["closed"]
    )
    if tight and before[-1:] in ("?", "&"):
        found = _IN_QUERY.match(text, after)
        wanted = (
            found
            and looks_like_secret(strength, found[0])
            and (strength == "password" or is_mixed(found[0]))
        )
        return found.span() if found and wanted else None
    if tight and _CONNECTION_BEFORE.search(before):
        found = _IN_QUERY.match(text, after)
        return found.span() if found and _is_setting(found[0], strength) else None
    if tight and (_PAIR_BEFORE.search(before) or name.startswith("--")):
        found = _IN_QUERY.match(text, after)
        return found.span() if found and _is_given(found[0], strength) else None
    if sign["closed"].strip() or not _LINE_START.search(before):
        return None
    if tight and name.isupper():
        found = _TO_END.match(text, after) or _BARE.match(text, after)
        place = found.span(found.lastgroup or 0) if found else None
        return place if place and _is_setting(text[slice(*place)], strength) else None
    if sign["gives"] in ("=", ":") and (name.isupper() or strength != "token"):
        return _settled(
            text, after, strength, loose=name.isupper() and sign["gives"] == ":"
        )
    return None


def _flag_value(text: str, start: int, strength: Strength) -> tuple[int, int] | None:
    """``--token VALUE``."""
    found = _BARE.match(text, start)
    if (
        not found
        or found[0].startswith(("-", "id=", "$"))
        or not _is_given(found[0], strength)
    ):
        return None
    return found.span()


def _settled(
    text: str, start: int, strength: Strength, *, loose: bool = False
) -> tuple[int, int] | None:
    """A value that reaches to the end of its line: of YAML, INI or a table."""
    found = _TO_END.match(text, start)
    if not found or not (_is_setting if loose else _is_given)(found["value"], strength):
        return None
    return found.span("value")


def _is_setting(value: str, strength: Strength) -> bool:
    """Whether ``value`` is a secret where no code can stand."""
    return (
        not _CODE.fullmatch(value)
        and not _CLASS.fullmatch(value)
        and looks_like_secret(strength, value)
        and not is_stand_in(value.rstrip(",;"))
    )


def _is_given(value: str, strength: Strength) -> bool:
    """Whether ``value`` is a secret where code could stand as well: more than a name,
    and no expression.
    """
    drawn = is_mixed(value) and ("_" not in value or len(value) >= 20)
    odd = (
        strength == "password"
        and re.search(r"[!@#$%^&*?]", value)
        and not _IDENTIFIER.fullmatch(value)
    )
    return (
        bool(drawn or odd)
        and value[-1] not in ",:("
        and len(value) >= 6
        and _is_setting(value, strength)
    )
