"""How many tokens a text has: an estimate by kind of text that learns from what servers
count.

Tokenizers of today agree about words and code, where a token is three to four bytes, and
give most digits a token of their own. They differ in how they split the scripts of other
languages, so each kind of text has a correction of its own for each model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import mul
from typing import NamedTuple

from ..messages import Message

# What a chat template adds to a message, roughly, in tokens.
TEMPLATE_TOKENS = 5.0
# What an image takes of the context window, roughly, in tokens.
IMAGE_TOKENS = 850.0
# Tokens; the count of a shorter text teaches nothing.
SHORTEST_SAMPLE = 60.0
# A kind of text with a smaller share in a sample learns nothing from its count.
SMALLEST_SHARE = 0.1
# A correction is at least and at most this.
LOWEST, HIGHEST = 0.2, 8.0
# A text that has few tokens for its kind may be an exception, so a correction that was
# learned falls by at most this factor.
SLOW_FALL = 1.05
# Words of 16 small or 8 capital letters are no words of a language: they are split into
# short pieces.
LONG_WORD, LONG_CAPITALS = b"a" * 16, b"A" * 8
LONG_BLANK, LONG_RULE = b" " * 16, b"-" * 8
# Models with a small vocabulary, which was made for English: they split the letters of
# other scripts into bytes.
SMALL_VOCABULARY = re.compile(
    r"smol|tinyllama|llama-?2|codellama|vicuna|mistral:|mistral-7b|mixtral|zephyr"
    r"|phi-?[123]|gpt-?2|starcoder|stablelm",
    re.IGNORECASE,
)
SMALL_VOCABULARY_FACTOR = 2.6


def _class_of(byte: int) -> str:
    """Return the class of a byte: what it costs depends on that."""
    character = chr(byte)
    if byte >= 0x80:
        return _script_of(byte)
    if character.isdigit():
        return "0"
    if character.isalpha():
        return "a" if character.islower() else "A"
    if character == "\n":
        return "n"
    if byte <= 0x20:
        return " "
    # Lines such as ----- take few tokens.
    return "-" if character in "-=_*#~" else "."


def _script_of(lead: int) -> str:
    """Return the class of the first byte of a character that is not ASCII; ``z`` for
    the other bytes.
    """
    # The first byte of each class, from the highest.
    firsts = {
        0xF0: "4",
        0xEE: "F",
        0xEA: "K",
        0xE4: "C",
        0xE3: "J",
        0xE0: "E",
        0xD6: "R",
        0xCE: "Y",
        0xC2: "L",
    }
    for first, script in firsts.items():
        if lead >= first:
            return script
    return "z"


# Tokens for each character, by script: Latin letters with marks, Greek and Cyrillic,
# Hebrew and Arabic, Indic and symbols, kana, Chinese, Hangul, full width, emoji.
SCRIPTS = {
    b"L": 1.4,
    b"Y": 0.4,
    b"R": 0.45,
    b"E": 0.75,
    b"J": 0.63,
    b"C": 0.7,
    b"K": 0.95,
    b"F": 0.6,
    b"4": 1.1,
}


def _table(class_of: Callable[[int], str]) -> bytes:
    """Return the table with which `bytes.translate` puts the class for each byte."""
    classes = "".join(map(class_of, range(256)))
    return classes.encode()


def _letter(byte: int) -> str:
    if _class_of(byte) in "aA":
        return "a"
    return " "


def _punctuation(byte: int) -> str:
    if _class_of(byte) in ".-":
        return "."
    return " "


CLASSES = _table(_class_of)
LETTERS = _table(_letter)
PUNCTUATION = _table(_punctuation)


class Measure(NamedTuple):
    """The tokens of a text by kind.

    Parameters
    ----------
    words
        Of words, code and punctuation.
    digits
        Of numbers, with the spaces before them.
    scripts
        Of characters that are not ASCII.
    images
        Of images.
    """

    words: float = 0.0
    digits: float = 0.0
    scripts: float = 0.0
    images: float = 0.0


# How far the first estimate of each kind may be wrong, relatively. Some tokenizers give
# three digits a token, and small vocabularies have few characters of other scripts.
DOUBT = Measure(0.15, 0.5, 0.6, 1.0)
# The share of the first estimate that each kind has at least.
LEAST = Measure(0.5, 0.3, 0.3, 0.1)
# The same of an estimate that learned.
LEAST_LEARNED = 0.5


class Tokens:
    """Estimates how many tokens a text has for one model.

    Parameters
    ----------
    model
        The name of the model.
    """

    def __init__(self, model: str = "") -> None:
        self.learned = False
        scripts = 1.0
        if SMALL_VOCABULARY.search(model):
            scripts = SMALL_VOCABULARY_FACTOR
        # By kind: what the first estimate is multiplied with, and whether that was
        # learned.
        self._factors = [1.0, 1.0, scripts, 1.0]
        self._learned = [False, False, False, False]

    def count(self, text: str) -> int:
        """Estimate the tokens of a text."""
        return int(self._estimate(measure(text))) + 1

    def total(self, messages: Iterable[Message]) -> int:
        """Estimate the tokens of messages, with what a chat template adds."""
        return int(self._estimate(_measure_all(messages)))

    def least(self, messages: Iterable[Message]) -> int:
        """Return how many tokens the messages have at least, however wrong the estimate
        is.
        """
        least = 0.0
        parts = self._parts(_measure_all(messages))
        for part, share, is_learned in zip(parts, LEAST, self._learned, strict=True):
            if is_learned:
                share = LEAST_LEARNED
            least += part * share
        return int(least)

    def learn(self, messages: Iterable[Message], tokens: int | None) -> None:
        """Learn from the tokens that the server counted for these messages."""
        self._learn(_measure_all(messages), tokens)

    def learn_text(self, text: str, tokens: int | None) -> None:
        """Learn from the tokens that the server's tokenizer counted for this text."""
        self._learn(measure(text), tokens)

    def _parts(self, measured: Measure) -> list[float]:
        return list(map(mul, measured, self._factors))

    def _estimate(self, measured: Measure) -> float:
        return sum(self._parts(measured))

    def _learn(self, measured: Measure, tokens: int | None) -> None:
        """Correct the kinds that the text consists of, the more the more doubtful they
        are, so that the estimate of this text becomes what was counted.
        """
        parts = self._parts(measured)
        estimated = sum(parts)
        if not tokens or estimated <= SHORTEST_SAMPLE:
            return
        weights = self._weights(parts)
        error = tokens - estimated
        for kind, weight in enumerate(weights):
            if not weight:
                continue
            correction = 1 + error * weight / sum(weights) / parts[kind]
            self._correct(kind, correction)
        self.learned = True

    def _weights(self, parts: Sequence[float]) -> list[float]:
        """Return how much of an error each kind is likely to have caused."""
        smallest = sum(parts) * SMALLEST_SHARE
        weights = []
        for part, doubt in zip(parts, DOUBT, strict=True):
            weight = 0.0
            if part >= smallest:
                weight = (part * doubt) ** 2
            weights.append(weight)
        return weights

    def _correct(self, kind: int, correction: float) -> None:
        if self._learned[kind]:
            correction = max(correction, 1 / SLOW_FALL)
        factor = self._factors[kind] * correction
        factor = max(factor, LOWEST)
        self._factors[kind] = min(factor, HIGHEST)
        self._learned[kind] = True


class TokensByModel(dict[str, Tokens]):
    """The estimates by the name of the model; each begins with the first question."""

    def __missing__(self, model: str) -> Tokens:
        self[model] = Tokens(model)
        return self[model]


def measure(text: str) -> Measure:
    """Return the tokens of a text by kind, as current tokenizers count on average.

    The numbers were fitted to tables, code and prose in twelve languages, counted by the
    tokenizers of Qwen2.5 and SmolLM2. Only functions of `bytes` pass over the text, so
    that a long prompt takes a few milliseconds.
    """
    data = text.encode("utf-8", "replace")
    classes = data.translate(CLASSES)
    count = classes.count
    digits = 1.05 * count(b"0")
    if digits:
        # A single space before a number is a token, and more of them are another one.
        digits += 1.15 * count(b" 0") + 0.45 * count(b"  0")
    scripts = 0.0
    if not text.isascii():
        for script, cost in SCRIPTS.items():
            scripts += cost * count(script)
    return Measure(_words(data, classes), digits, scripts)


def _words(data: bytes, classes: bytes) -> float:
    """Return the tokens of words and punctuation."""
    count = classes.count
    letters = b" " + data.translate(LETTERS)
    punctuation = b" " + data.translate(PUNCTUATION)
    # Each word takes a token, and more if it is long or of several words, such as
    # DataFrame. A run of punctuation takes one or two; blanks and rules of any length
    # take few.
    return (
        1.05 * letters.count(b" a")
        + 0.35 * count(b"aaaaaa")
        + 1.6 * count(b"aA")
        + 5.0 * count(LONG_WORD)
        + 2.5 * count(LONG_CAPITALS)
        + 0.75 * punctuation.count(b" .")
        + 1.5 * count(b"....")
        + count(b"n")
        - count(b"nn")
        + 0.25 * count(LONG_BLANK)
        + 0.25 * count(LONG_RULE)
    )


def _measure_all(messages: Iterable[Message]) -> Measure:
    """Return the tokens of messages by kind."""
    totals = [0.0, 0.0, 0.0, 0.0]
    for message in messages:
        texts = [message.text]
        for call in message.tool_calls:
            texts += [call.name, call.arguments]
        for text in texts:
            for kind, tokens in enumerate(measure(text)):
                totals[kind] += tokens
        totals[0] += TEMPLATE_TOKENS
        totals[3] += IMAGE_TOKENS * len(message.images)
    return Measure(*totals)
