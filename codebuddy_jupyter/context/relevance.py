"""How relevant texts are to a question: by the words and by the names in them."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, islice, pairwise

# Characters of a text whose words count.
WORDS_CHARACTERS = 1_000

# A word that is in more than this share of so many texts says nothing.
MANY_TEXTS = 100
COMMON_SHARE = 0.5

_WORD = re.compile(r"[^\W_]{2,}")
_CAMEL_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = re.compile(r"[^\W\d]\w*")
_SETTING = re.compile(
    r"(?<![=!<>])=(?!=)|\b(?:def|class|import|as|for|with|del|global)\b"
)
_DEFINITION = re.compile(r"^(?:async +def|def|class) +(\w+)", re.MULTILINE)
_ENDINGS = ("ing", "est", "ed", "er", "ly", "e")
# The rest of a word without its ending has at least so many letters.
_SHORTEST_STEM = 3
_COMMON_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    a about after all an and any are as at be been before but by can cell code could did
    do does for from get give had has have how i if in into is it its just like make me
    my no not notebook of on one or out please say see set should show so some tell than
    that the them then there these they this to use used using want was we were what
    when where which while who why will with would write you your
    """,
    )
)
# The weight of a word of the question, and of one that matters less.
_FULL_WEIGHT = 1.0
_HALF_WEIGHT = 0.5


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """Return a word without its ending, so that ``merged`` and ``merge`` are the same.

    It is crude, and good enough to rank by.
    """
    has_plural_s = word.endswith("s") and not word.endswith("ss")
    if has_plural_s and len(word) > _SHORTEST_STEM:
        word = word[:-1]
    for ending in _ENDINGS:
        length = len(word) - len(ending)
        if word.endswith(ending) and length >= _SHORTEST_STEM:
            return word[:length]
    return word


def words_in(text: str) -> frozenset[str]:
    """Return the stems of the words of a text, without common words.

    Names in camelCase are split. Of a long text only the beginning counts.
    """
    words: set[str] = set()
    runs = set(_WORD.findall(text, 0, WORDS_CHARACTERS))
    for run in runs:
        lower = run.lower()
        is_camel = run[1:] != lower[1:]
        if is_camel:
            parts = _CAMEL_BORDER.split(run)
            words.update(part.lower() for part in parts if len(part) > 1)
        else:
            words.add(lower)
    return frozenset(map(stem, words - _COMMON_WORDS))


@lru_cache(maxsize=8192)
def words_of(text: str) -> frozenset[str]:
    """Return the same as `words_in`, remembered: for the texts of the notebook."""
    return words_in(text)


_FAILURE_WORDS = words_in(
    "fail fails failing error exception wrong broken bug crash raise traceback "
    "fix work problem trouble"
)


def is_about_failing(prompt: str) -> bool:
    """Return whether a question seems to be about an error.

    One without words of its own, such as "why?", does.
    """
    words = words_in(prompt)
    return not words or not words.isdisjoint(_FAILURE_WORDS)


_SHOWN_WORDS = words_in("output result shown printed displayed warning message")
# What asks for a picture, however the question begins.
_DRAWING_WORDS = words_in("draw plot chart graph histogram scatter boxplot")
# What begins a question that the outputs may answer; "how do I" asks for code.
_QUESTION_WORDS = re.compile(
    r"(?:(?:on|in|at|for|to|of|by|with|from) )?(?:which|when|where|what|why|who|whose"
    r"|how (?!do |can |could |would |should |to )|did |does |do |is |are |was |were |has )",
    re.IGNORECASE,
)
_HEADING_WORDS = words_in("heading section chapter outline structure notebook summary")


def is_about_shown(prompt: str) -> bool:
    """Return whether a question seems to be about what a cell has shown."""
    words = words_in(prompt)
    if not words.isdisjoint(_SHOWN_WORDS):
        return True
    if not _QUESTION_WORDS.match(prompt.strip()):
        return False
    return words.isdisjoint(_DRAWING_WORDS)


def is_about_headings(prompt: str) -> bool:
    """Return whether a question seems to be about the parts of the notebook."""
    return not words_in(prompt).isdisjoint(_HEADING_WORDS)


@lru_cache(maxsize=8192)
def names_in(text: str) -> frozenset[str]:
    """Return everything in a text that could be a name of Python."""
    return frozenset(_NAME.findall(text))


@lru_cache(maxsize=512)
def names_used(source: str) -> frozenset[str]:
    """Return the names that a cell's code reads or sets.

    Magics are left out; of code that cannot be parsed, all that could be a name counts.
    """
    tree = _parsed(source)
    if tree is None:
        return names_in(source)
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
    return frozenset(names)


@lru_cache(maxsize=4096)
def names_set(source: str) -> frozenset[str]:
    """Return the names to which a cell's code gives a value.

    That is also done by ``import``, ``def``, ``class`` and ``df["a"] = …``.
    """
    tree = _parsed(source)
    if tree is None:
        return frozenset()
    names = {_name_set_by(node) for node in ast.walk(tree)}
    return frozenset(names - {""})


def _name_set_by(node: ast.AST) -> str:
    """Return the name that a node sets; empty if it sets none."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.alias):
        name = node.asname or node.name
        return name.partition(".")[0]
    if not isinstance(node, ast.Name | ast.Subscript | ast.Attribute):
        return ""
    if not isinstance(node.ctx, ast.Store):
        return ""
    return _root_name(node)


def _root_name(node: ast.expr) -> str:
    """Return ``df`` for ``df.loc[0].price``."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return node.id


def may_set(source: str, name: str) -> bool:
    """Return whether a cell that mentions a name could set it.

    It is faster than `names_set`, and says yes too often.
    """
    lines = source.splitlines()
    return any(_SETTING.search(line) for line in lines if name in line)


@lru_cache(maxsize=8192)
def definitions_in(source: str) -> frozenset[str]:
    """Return the functions and classes that a cell's code defines at its top."""
    return frozenset(_DEFINITION.findall(source))


def _parsed(source: str) -> ast.Module | None:
    """Return the code of a cell without its magics; None if it cannot be parsed."""
    lines = source.splitlines()
    code_lines = [line for line in lines if not _is_magic(line)]
    try:
        return ast.parse("\n".join(code_lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_magic(line: str) -> bool:
    return line.lstrip().startswith(("%", "!"))


def likely_names(
    names: Iterable[str], prompt: str, mentioned: Iterable[str], limit: int
) -> list[str]:
    """Return those of very many variables that a question is most likely about.

    These are the ones that are mentioned, then those whose names have words of the
    question, then the first. No name is split into words, which would take too long.

    Parameters
    ----------
    names
        All names; the first are likelier than the last.
    prompt
        The question.
    mentioned
        Names in the question, the error and the notebook, the likeliest first.
    limit
        How many to return at most, in the order of ``names``.
    """
    ordered = list(names)
    existing = frozenset(ordered)
    existing_mentioned = filter(existing.__contains__, mentioned)
    with_words = _names_with_words(ordered, prompt)
    candidates = chain(
        existing_mentioned,
        islice(with_words, limit // 2),
        ordered,
    )
    without_repetitions = dict.fromkeys(candidates)
    chosen = frozenset(islice(without_repetitions, limit))
    return [name for name in ordered if name in chosen]


def _names_with_words(names: Sequence[str], prompt: str) -> Iterator[str]:
    """Yield the names that contain a word of the question, the longest words first."""
    joined = "\n".join(names)
    lower = joined.lower()
    if len(lower) != len(joined):
        # A letter that is longer in lower case would move all that follow.
        return
    longest_first = sorted(words_in(prompt), key=len, reverse=True)
    for word in longest_first:
        found = lower.find(word)
        while found >= 0:
            start = joined.rfind("\n", 0, found) + 1
            end = joined.find("\n", found)
            if end < 0:
                end = len(joined)
            yield joined[start:end]
            found = lower.find(word, end)


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

    @cached_property
    def named(self) -> frozenset[str]:
        """The variables that the question names."""
        in_prompt = frozenset(_NAME.findall(self.prompt))
        return in_prompt.intersection(self.names)


class WordScores:
    """How well texts match the words of a question: 1 is a match of all words.

    Rare words count more. Two words that follow each other are also looked for as a
    single word, such as ``stop words`` in ``STOPWORDS``.

    Parameters
    ----------
    prompt
        The question.
    texts
        The texts that are scored, and in which the words are counted.
    secondary
        Words that count half, such as those of an error.
    uncounted
        Further texts that are scored, in which words are not counted.
    """

    def __init__(
        self,
        prompt: str,
        texts: Sequence[str],
        secondary: str = "",
        uncounted: Sequence[str] = (),
    ) -> None:
        weights = dict.fromkeys(words_in(secondary), _HALF_WEIGHT)
        main_words = words_in(f"{prompt} {_joined_pairs(prompt)}")
        weights.update(dict.fromkeys(main_words, _FULL_WEIGHT))
        matches = _matches(texts, frozenset(weights))
        counts = _counts(texts, matches)
        # A word that is in no text, or in most of many, cannot tell one from another.
        word_scores = {}
        for word, number in counts.items():
            is_common = number > len(texts) * COMMON_SHARE
            if is_common and len(texts) >= MANY_TEXTS:
                continue
            rarity = math.log(1 + len(texts) / number)
            word_scores[word] = weights[word] * rarity
        scored = frozenset(word_scores)
        matches = {text: words & scored for text, words in matches.items()}
        matches.update(_matches(uncounted, scored))
        best = sum(word_scores.values()) or 1.0
        # Few sets of words are matched by many texts, so each is added up once.
        totals = {}
        for words in set(matches.values()):
            total = sum([word_scores[word] for word in words])
            totals[words] = total / best
        self._scores = {text: totals[words] for text, words in matches.items()}

    def score(self, text: str) -> float:
        """Return the score of one of the texts, from 0 to 1."""
        return self._scores.get(text, 0.0)


def _matches(texts: Iterable[str], wanted: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return the texts that have wanted words, each with these words."""
    matches = {}
    for text in texts:
        words = words_of(text)
        if not wanted.isdisjoint(words):
            matches[text] = words & wanted
    return matches


def _counts(texts: Iterable[str], matches: dict[str, frozenset[str]]) -> dict[str, int]:
    """Return in how many of the texts each word is."""
    counts: Counter[str] = Counter()
    matched = Counter(map(matches.get, texts))
    for words, times in matched.items():
        for word in words or ():
            counts[word] += times
    return counts


def _joined_pairs(prompt: str) -> str:
    words = _WORD.findall(prompt.lower())
    pairs = pairwise(words)
    return " ".join([first + second for first, second in pairs])
