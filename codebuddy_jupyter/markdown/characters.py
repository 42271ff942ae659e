"""Characters that are not seen: which of them a text needs, and how to show the others.

Emoji and many scripts are written with joiners, selectors and marks that have no shape of
their own. The same characters can hide text in code, or show it in another order than it
runs in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

# Unicode's Default_Ignorable_Code_Point, and the annotation marks.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Characters without a shape, as the inside of a class of a regular expression."""

_RUN = re.compile(f"[{INVISIBLE}]+")
# Scripts whose letters take another form beside a joiner: Arabic and its relatives, those
# of India and South-East Asia, Mongolian.
_JOINING = (
    "\u0600-\u08ff\u0900-\u0fff\u1000-\u109f\u1780-\u18af\ua800-\uabff\ufb50-\ufdff"
    "\ufe70-\ufefc\U00010e60-\U00011fff"
)
_IDEOGRAPH = "\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_EMOJI = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
# What belongs to writing, with the character before it: a joiner of letters, a joiner or
# selector of an emoji, a key, the flag of a region, a form of an ideograph.
_WRITING = re.compile(
    f"""
      (?<=[{_JOINING}]) [\u200c\u200d\u180b-\u180f]
    | (?<=[{_EMOJI}]) (?: [\ufe0e\ufe0f]\u200d? | \u200d )
    | (?<=[0-9\\#*]) \ufe0f (?=\u20e3)
    | (?<=\U0001f3f4) [\U000e0030-\U000e0039\U000e0061-\U000e007a]{{2,6}} \U000e007f
    | (?<=[{_IDEOGRAPH}]) [\ufe00-\ufe02\U000e0100-\U000e01ef]
    """,
    re.VERBOSE,
)
# In prose these change what is read, too: overrides of the direction, and characters that
# only hide text.
_HIDING = re.compile("[\u202d\u202e\U000e0000-\U000e0fff]|[\ufe00-\ufe0f]{2}")
# As many different characters are named one by one.
_MOST_NAMES = 4


def has_invisible(text: str) -> bool:
    """Return whether a text has any invisible character."""
    return not text.isascii() and _RUN.search(text) is not None


def name_invisible(code: str) -> str:
    """Return code with every invisible character named in its place, such as
    ``⟨U+202E RIGHT-TO-LEFT OVERRIDE⟩``; emoji and the joiners of scripts stay.
    """
    return _replaced(code, _named, lambda match: False)


def name_hiding(prose: str) -> str:
    """Return prose with those invisible characters named that no script needs."""
    return _replaced(prose, _named, lambda match: not _HIDING.search(match[0]))


def escape_invisible(text: str) -> str:
    r"""Return a text for a model, with invisible characters beside ASCII written as
    escapes, such as ``\u200b``; also those that only hide text.
    """
    return _replaced(text, _escaped, _is_beside_letters)


def _replaced(
    text: str,
    replacement: Callable[[str], str],
    stays: Callable[[re.Match[str]], bool],
) -> str:
    if text.isascii():
        return text

    def shown(match: re.Match[str]) -> str:
        writing = _WRITING.match(match.string, match.start())
        if writing is not None and writing.end() == match.end():
            return match[0]
        return match[0] if stays(match) else replacement(match[0])

    return _RUN.sub(shown, text)


def _is_beside_letters(match: re.Match[str]) -> bool:
    """Return whether a run is beside a character that is not ASCII and hides nothing."""
    if _HIDING.search(match[0]):
        return False
    text = match.string
    before = text[max(match.start() - 1, 0) : match.start()]
    after = text[match.end() : match.end() + 1]
    return not (before + after).isascii()


def _named(run: str) -> str:
    characters = list(dict.fromkeys(run))
    if len(characters) > _MOST_NAMES:
        return f"⟨{len(run)} invisible characters, {_code_point(run[0])}…⟩"
    names = []
    for character in characters:
        name = f"{_code_point(character)} {unicodedata.name(character, '')}".strip()
        times = run.count(character)
        names.append(f"{name}, {times} times" if times > 1 else name)
    return f"⟨{'; '.join(names)}⟩"


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}"


def _escaped(run: str) -> str:
    return run.encode("ascii", "backslashreplace").decode("ascii")
