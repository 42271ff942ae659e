"""The line of a magic: options, then the prompt as it was typed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NoReturn

from IPython.core.magic_arguments import MagicArgumentParser

from ..errors import Remedy, SettingError, did_you_mean
from ..question.options import Options, add_arguments, options_from

INTO = "--into"
"""The option that only a notebook has: it names a variable and a type in it."""

_OPTION = re.compile(r"(?P<option>--[a-zA-Z][\w-]*|-[a-zA-Z]\w*)(?P<end>\s+|=|$)")
_VALUE = re.compile(r"""(?P<value>(?:"[^"]*"|'[^']*'|\S)+)(?:\s+|$)""")
_QUOTED = re.compile(
    r"""(?P<key>\w+=(?='))?(?P<quote>["'])(?P<inside>.*)(?P=quote)""", re.DOTALL
)
# A piece of a type: up to a blank, but a bracket or a quoted text as a whole.
_OPENING = "[("
_CLOSING = "])"
_END_OF_OPTIONS = re.compile(r"--(?:\s+|$)")
_LIST_OPTIONS = Remedy("List all options", "%buddy?")


class Parser(MagicArgumentParser):
    """IPython's argument parser, but it stops where the prompt begins.

    Its errors are one line each.
    """

    def error(self, message: str) -> NoReturn:
        """Reject the line."""
        raise SettingError(f"{message}.", _LIST_OPTIONS)

    def read(self, line: str) -> tuple[Options, str]:
        """Split a line into options and prompt; the prompt stays as it was typed.

        ``--help`` gives the prompt ``/help``.

        Raises
        ------
        SettingError
            When an option is unknown (it suggests the most similar) or its value is
            invalid.
        """
        words: list[str] = []
        rest = line.strip()
        while match := _OPTION.match(rest):
            option = match["option"]
            self._check(option)
            words.append(option)
            rest = rest[match.end() :]
            # A value that may be missing is no word of the prompt.
            nargs = self._option_string_actions[option].nargs
            has_value = nargs == "?" and match["end"] == "="
            if nargs in (None, 2) or has_value:
                value = _VALUE.match(rest)
                if value is None:
                    self.error(f"{option} needs a value")
                words.append(_unquoted(value["value"]))
                rest = rest[value.end() :]
            if option == INTO:
                type_text, rest = _split_type(rest)
                if not type_text:
                    self.error(f"{option} needs a name and a type")
                words.append(type_text)
        parsed = self.parse_args(words)
        if parsed.help:
            return Options(), "/help"
        if parsed.replace and parsed.format == Options.format:
            parsed.format = "code"
        options = options_from(parsed)
        if parsed.replace:
            options = replace(options, replaces_cell=True)
        if parsed.into is not None:
            variable, type_text = parsed.into
            options = replace(options, variable=variable, into=type_text)
        return options, _END_OF_OPTIONS.sub("", rest, count=1)

    def _check(self, option: str) -> None:
        known = self._option_string_actions
        if option in known:
            return
        remedies = [
            _LIST_OPTIONS,
            Remedy("Before a prompt that begins with a dash, type --"),
        ]
        suggestion = did_you_mean(option, known)
        if suggestion is not None:
            remedies.insert(0, suggestion)
        raise SettingError(f"There is no option {option}.", *remedies)


def _split_type(text: str) -> tuple[str, str]:
    """Split a line into the type with which it begins, and the rest.

    A type has no blanks outside of brackets and quotes, but around a ``|``.
    """
    depth = 0
    quote = ""
    place = 0
    while place < len(text):
        character = text[place]
        if quote:
            if character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif character.isspace() and not depth and not _is_around_bar(text, place):
            break
        place += 1
    return text[:place].strip(), text[place:].lstrip()


def _is_around_bar(text: str, place: int) -> bool:
    """Return whether a blank stands before or after the ``|`` of a union."""
    if text[:place].endswith("|"):
        return True
    return text[place:].lstrip().startswith("|")


def _unquoted(value: str) -> str:
    """Remove the quotation marks around a value, and around the value of KEY='…'.

    KEY="…" stays as it is: it is JSON.
    """
    match = _QUOTED.fullmatch(value)
    if match is None:
        return value
    return (match["key"] or "") + str(match["inside"])


PARSER = Parser("%buddy", add_help=False)
add_arguments(PARSER)
PARSER.add_argument(
    INTO,
    nargs=2,
    metavar=("NAME", "TYPE"),
    help="put the answer into a variable, as a value of a type",
)
PARSER.add_argument(
    "--replace",
    action="store_true",
    help="put the code of the answer in place of this cell",
)
PARSER.add_argument("-h", "--help", action="store_true", help="show what can be typed")
