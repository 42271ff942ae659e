"""Text of the notebook made inert: to a model it is text, never the end of a message.

Servers turn the control tokens of a chat template that stand in a text into real ones, so
a table could open a system turn. A token is taken only where it is complete, so a space
in it is enough, and it can still be read.
"""

from __future__ import annotations

import re

from ..markdown.characters import escape_invisible

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


def without_control_tokens(text: str) -> str:
    """Return a text in which a space breaks each control token of a chat template."""
    return _CONTROL.sub(r"\g<0> ", text)


def inert(text: str) -> str:
    """Return text of the notebook that can be put into a message: without control
    tokens, and with invisible characters shown.
    """
    return escape_invisible(without_control_tokens(text))
