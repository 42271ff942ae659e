"""Text of the notebook made inert: to a model it is text, never the end of a message nor
a tag of our own.

Servers turn the control tokens of a chat template that stand in a text into real ones, so
a table could open a system turn. A token is taken only where it is complete, so a space
in it is enough, and it can still be read.
"""

from __future__ import annotations

import re
import unicodedata

from ..markdown.characters import INVISIBLE, escape_invisible

# The tags that `envelope` writes.
TAGS = frozenset(
    {
        "notebook",
        "outline",
        "cell",
        "output",
        "variables",
        "error",
        "attached",
        "gone",
        "omitted",
    }
)
# Words that are a control token in angle brackets; a word with an underscore always is.
_WORDS = (
    r"s|bos|eos|pad|unk|mask|sep|cls|sop|eop|eod|eot|eom|PRE|SUF|MID|EOT|AI|用户|role"
    r"|think|thinking|thought|image|img|box|quad|ref|filename|reponame|unused\d+|2mass"
    r"|reserved\d*|seed:\w+|\[\w+\]|[\w.:▁-]{0,60}_[\w.:▁-]{0,60}"
)
# Words that are one in square brackets. Any word of capitals is one after a slash; without
# it `df[COLUMNS]` would be one as well.
_SQUARE_WORDS = (
    r"INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_(?:CALLS|RESULTS|CONTENT)|CALL_ID|ARGS"
    r"|THINK|MODEL_SETTINGS|IMG(?:_BREAK|_END)?|(?:BEGIN_)?AUDIO|TRANSCRIBE"
    r"|PREFIX|SUFFIX|MIDDLE|[gs]?MASK|BOS|EOS|EOT|PAD|UNK|CLS|SEP|@BOS@"
    r"|EXTRA_ID_\d+|UNUSED_TOKEN_\d+|(?:start|end)_header_id|multimodal"
)
# What is matched is the first character, after which the space goes.
_CONTROL = re.compile(
    rf"""
      <(?=[|\uff5c][^\s>])                  # <|im_end|>, <|turn>, <\uff5cUser\uff5c>
    | (?<=[^\s<])[|\uff5c](?=>)             # the end of these
    | <(?=/?(?:{_WORDS})>)                   # </s>, <end_of_turn>
    | <(?=</?[A-Z]+>>) | >(?=>[A-Z]+<<)      # <<SYS>>
    | \[(?=\|\w+\|\])                        # [|user|]
    | \[(?=/[A-Z][A-Z_]+\] | (?:{_SQUARE_WORDS})\])
    | \](?=~!?b[\]\[] | ![a-z]~\[ | <\][^\[\]\n]{{1,40}}\[>\[) | \[(?=e~\[)  # ]~b]
    """,
    re.VERBOSE,
)
# Brackets that look like `<`, what may stand after one, and a word with invisible or
# combining characters.
_TAG = re.compile(
    r"[<\uff1c\ufe64\u2039\u3008\u27e8\u276c\u276e\u02c2\u1438]"
    rf"(?P<rest>[\s/\\\u2044\u2215\u29f8\uff0f{INVISIBLE}]{{0,20}}"
    rf"(?P<word>(?:\w|[{INVISIBLE}\u0300-\u036f\u20d0-\u20ff]){{1,80}}))"
)
_HEAD = re.compile(r"\w+")
_LOOKALIKES = str.maketrans("01", "ol")


def without_control_tokens(text: str) -> str:
    """Return a text in which a space breaks each control token of a chat template."""
    return _CONTROL.sub(r"\g<0> ", text)


def inert(text: str) -> str:
    """Return text of the notebook that can be put into a message: without control
    tokens, without tags like those of the envelope, and with invisible characters shown.
    """
    return escape_invisible(without_control_tokens(_TAG.sub(_without_tag, text)))


def _without_tag(match: re.Match[str]) -> str:
    return f"&lt;{match['rest']}" if _is_like_tag(match["word"]) else match[0]


def _is_like_tag(word: str) -> bool:
    """Return whether a reader may take a word after `<` for the name of one of our tags:
    also one in other letters, such as a Cyrillic one among Latin ones.
    """
    plain = _plain(word)
    if plain.isascii():
        head = _HEAD.match(plain)
        return head is not None and head[0].translate(_LOOKALIKES) in TAGS
    return any(letter.isascii() and letter.isalpha() for letter in plain)


def _plain(word: str) -> str:
    """Return a word in lower case, without accents, forms and invisible characters."""
    if word.isascii():
        return word.lower()
    letters = []
    for character in unicodedata.normalize("NFKD", word):
        if unicodedata.category(character) not in ("Mn", "Cf", "Me"):
            letters.append(character)
    return re.sub(f"[{INVISIBLE}]", "", "".join(letters)).casefold()
