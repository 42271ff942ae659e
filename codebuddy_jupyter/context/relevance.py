"""Which things matter for a question: how much each weighs, by names, by words, by what
failed and what ran last.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

_WORD = re.compile(r"[^\W_]{2,}")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# characters of a text whose words count
LOOKED_AT = 1_000
_NAME = re.compile(r"[^\W\d]\w*")
_ENDINGS = ("ing", "est", "ed", "er", "ly", "e")
_SMALL = frozenset(
    re.findall(
        r"\w+",
        """
    a about after all an and any are as at be been before but by can cell code could did do does for
    from get give had has have how i if in into is it its just like make me my no not notebook of on one
    or out please say see set should show so some tell than that the them then there these they this to
    use used using want was we were what when where which while who why will with would write you your
        """,
    )
)


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """A word without its ending, so that ``merged`` and ``merge`` are one; crude, and
    good enough to rank by.
    """
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        word = word[:-1]
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def words_in(text: str) -> frozenset[str]:
    """The stems of the words of a text, of a long one those of its beginning; names in
    camelCase are taken apart.
    """
    words: set[str] = set()
    for run in set(_WORD.findall(text, 0, LOOKED_AT)):
        small = run.lower()
        if run[1:] == small[1:]:
            words.add(small)
        else:
            words.update(part.lower() for part in _CAMEL.split(run) if len(part) > 1)
    return frozenset(stem(word) for word in words - _SMALL)


@lru_cache(maxsize=8192)
def words_of(text: str) -> frozenset[str]:
    """As `words_in`, for texts that come again: those of the notebook, and not the
    questions.
    """
    return words_in(text)


@lru_cache(maxsize=4096)
def names_set(source: str) -> frozenset[str]:
    """The names that a cell's code gives a value to, also by ``import``, ``def``,
    ``class`` and ``df["a"] = …``.
    """
    tree = _tree(source)
    if tree is None:
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(
            node.ctx, ast.Store
        ):
            found.add(_root(node))
    return frozenset(found - {""})


def may_set(source: str, name: str) -> bool:
    """Whether it is worth the time to look whether a cell that mentions a name sets it."""
    return any(_SETTING.search(line) for line in source.splitlines() if name in line)


_SETTING = re.compile(
    r"(?<![=!<>])=(?!=)|\b(?:def|class|import|as|for|with|del|global)\b"
)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _tree(source: str) -> ast.Module | None:
    """The code of a cell without its magics; None where it is no code."""
    try:
        return ast.parse(
            "\n".join(
                line
                for line in source.splitlines()
                if not line.lstrip().startswith(("%", "!"))
            )
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_about_failing(prompt: str) -> bool:
    """Whether a question seems to be about an error; one without any words of its own
    does.
    """
    words = words_in(prompt)
    return not words or bool(words & _FAILING)


@lru_cache(maxsize=8192)
def names_in(text: str) -> frozenset[str]:
    """Everything in a text that could be a name of Python."""
    return frozenset(_NAME.findall(text))


@lru_cache(maxsize=512)
def names_used(source: str) -> frozenset[str]:
    """The names that a cell's code reads or sets; those of its magics and of broken
    code as far as they can be seen.
    """
    tree = _tree(source)
    if tree is None:
        return names_in(source)
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


_FAILING = words_in(
    "fail fails failing error exception wrong broken bug crash raise traceback "
    "fix work problem trouble"
)


@dataclass(frozen=True)
class Topic:
    """What a question is about.

    Parameters
    ----------
    prompt
        The question.
    names
        The user's variables.
    failing
        Names on the failing lines and in the failing cell.
    recent
        Names that the last cells use.
    """

    prompt: str
    names: Iterable[str] = ()
    failing: frozenset[str] = frozenset()
    recent: frozenset[str] = frozenset()
    named: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "named",
            frozenset(_NAME.findall(self.prompt)).intersection(self.names),
        )


class WordScores:
    """How well texts answer to the words of a question: rare words count more, and 1 is
    all of them.

    Two words that stand side by side are also looked for as one, as ``stop words`` in
    ``STOPWORDS``.

    Parameters
    ----------
    prompt
        The question.
    texts
        All texts that may answer.
    besides
        Words that matter half as much, such as those of an error.
    more
        Further texts that are scored, but that do not tell which words are rare.
    """

    def __init__(
        self,
        prompt: str,
        texts: Sequence[str],
        besides: str = "",
        more: Sequence[str] = (),
    ) -> None:
        weights = dict.fromkeys(words_in(besides), 0.5) | dict.fromkeys(
            words_in(f"{prompt} {_joined(prompt)}"), 1.0
        )
        wanted = frozenset(weights)
        found = {text: words for text in texts if (words := words_of(text) & wanted)}
        counts: Counter[str] = Counter()
        for together, times in Counter(map(found.get, texts)).items():
            counts.update(dict.fromkeys(together or (), times))
        # A word that stands nowhere can tell nothing apart.
        worth = {
            word: weights[word] * math.log(1 + len(texts) / n)
            for word, n in counts.items()
        }
        everything = sum(worth.values()) or 1.0
        there = frozenset(worth)
        found |= {text: words for text in more if (words := words_of(text) & there)}
        scores = {
            words: sum([worth[word] for word in words]) / everything
            for words in set(found.values())
        }
        self._scores = {text: scores[words] for text, words in found.items()}

    def score(self, text: str) -> float:
        """From 0 to 1, for one of the texts."""
        return self._scores.get(text, 0.0)


def _joined(prompt: str) -> str:
    words = _WORD.findall(prompt.lower())
    return " ".join(first + second for first, second in pairwise(words))
