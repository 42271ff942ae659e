"""What stands on the line of a magic: options, then the prompt as it was typed."""

from __future__ import annotations

import difflib
import re
from typing import NoReturn

from IPython.core.magic_arguments import MagicArgumentParser

from ..errors import SettingError
from ..question.options import Options, add_arguments, options_from

_OPTION = re.compile(r"(?P<option>--[a-zA-Z][\w-]*|-[a-zA-Z]\w*)(?:\s+|=|$)")
_VALUE = re.compile(r"""(?P<value>(?:"[^"]*"|'[^']*'|\S)+)(?:\s+|$)""")
_QUOTED = re.compile(
    r"""(?P<key>\w+=(?='))?(?P<mark>["'])(?P<inside>.*)(?P=mark)""", re.DOTALL
)


class Parser(MagicArgumentParser):
    """IPython's argument parser; it stops where the prompt begins, and tells what is
    wrong in one line.
    """

    def error(self, message: str) -> NoReturn:
        """Refuse the line."""
        raise SettingError(f"{message}. All options: %buddy?")

    def read(self, line: str) -> tuple[Options, str]:
        """Take the options from the front of a line; the rest is the prompt,
        apostrophes and all.

        Raises
        ------
        SettingError
            For an option that is unknown (it names the nearest) or has no right value.
        """
        words, rest = [], line.strip()
        while match := _OPTION.match(rest):
            words.append(self._known(match["option"]))
            rest = rest[match.end() :]
            if self._option_string_actions[words[-1]].nargs == 0:
                continue
            value = _VALUE.match(rest)
            if value is None:
                self.error(f"{words[-1]} needs a value")
            words.append(_unquoted(value["value"]))
            rest = rest[value.end() :]
        options = options_from(self.parse_args(words))
        return options, re.sub(r"^--(\s+|$)", "", rest)

    def _known(self, option: str) -> str:
        if option not in self._option_string_actions:
            near = difflib.get_close_matches(
                option, self._option_string_actions, n=1, cutoff=0.5
            )
            hint = f"did you mean {near[0]}?" if near else "see %buddy?"
            raise SettingError(
                f"There is no option {option}: {hint} (A prompt that begins with - goes after --.)"
            )
        return option


def _unquoted(value: str) -> str:
    """The value without quotes around it; in KEY='…' too, but KEY="…" is JSON as it
    stands.
    """
    match = _QUOTED.fullmatch(value)
    return (match["key"] or "") + match["inside"] if match else value


PARSER = Parser("%buddy", add_help=False)
add_arguments(PARSER)
