"""The text of a reply, split into reasoning and answer by the marks that families of
models put around their reasoning.

A chat template can open the reasoning in the prompt; then only its end comes. An answer
can also speak of the marks, in code or in the middle of a sentence; then they are text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from ...messages import Chunk

_TAGS = (
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reasoning",
    "seed:think",
    "mm:think",
)
# The marks before and after reasoning, in lower case; they are read in any case.
_PAIRS = {
    **{f"<{name}>": f"</{name}>" for name in _TAGS},
    "[think]": "[/think]",
    "[thinking]": "[/thinking]",
    "[reasoning]": "[/reasoning]",
    "◁think▷": "◁/think▷",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|thinking|>": "<|/thinking|>",
    "<|channel>thought": "<channel|>",
}
# The same in words, which count only at the very beginning.
_SENTENCES = {
    "here is my thought process:": "here is my response:",
    "here's my thought process:": "here's my response:",
}
# The marks around an answer that follows reasoning.
_ANSWERS = {
    "<|start_response|>": "<|end_response|>",
    "<|start_text|>": "<|end_text|>",
    "<|begin_of_solution|>": "<|end_of_solution|>",
    "<answer>": "</answer>",
    "<response>": "</response>",
}
# Those that no text begins with unless they are meant.
_CERTAIN_ANSWERS = [mark for mark in _ANSWERS if mark.startswith("<|")]
# Where a text in the format of gpt-oss begins, or of others with such tokens.
_MESSAGES = ("<|channel|>", "<|start|>", "<|begin|>", "<|think|>")
# How it goes on, if the template opened it: each with what of it is read again.
_NEXT_MESSAGES = {
    "<|end|><|start|>": "<|start|>",
    "<|end|><|begin|>": "<|begin|>",
    "<|channel|>final": "<|channel|>final",
}
# The same without its tokens, as servers write it that do not know the format.
_BARE_START = "analysis"
_BARE_BEGINNING = re.compile(r"analysis(?=[^\W\d_])")
_BARE_END = "assistantfinal"

_MARK_START = re.compile(r"[<\[◁]")
# With those of marks in words.
_FIRST = "<[◁ah"
# Where a mark is looked for that speaks for itself in so few places of an answer.
MOST_MARKS = 200
# Spaces at the start of a line of code.
INDENT = 4
_FENCE = re.compile(r"^(?:[\s>]|[-*+]\s|\d{1,9}[.)]\s)*(`{3,}|~{3,})(.*)$")
_LINE_END = re.compile(r"[ \t]*(?:\r?\n|\Z)")
_QUOTES = dict(zip("`'\"“\u2018«({", "`'\"”\u2019»)}", strict=True))
# With those of Chinese and Japanese.
_SENTENCE_ENDS = ".!?…:;。\uff01\uff1f)]}*`\"'”"
_GOES_ON = ".,;:!?)]}'\"`”\u2019»|"


def _pattern(marks: Iterable[str]) -> re.Pattern[str]:
    alternatives = "|".join(map(re.escape, marks))
    return re.compile(alternatives, re.IGNORECASE)


_CLOSINGS = frozenset([*_PAIRS.values()])
_IN_ANSWER = _pattern([*_PAIRS, *_CLOSINGS, *_NEXT_MESSAGES])
_ALL_IN_ANSWER = (*_PAIRS, *_CLOSINGS, *_NEXT_MESSAGES)
_AT_START = (*_ALL_IN_ANSWER, *_SENTENCES, *_CERTAIN_ANSWERS, *_MESSAGES, _BARE_START)
_AFTER_REASONING = (*_PAIRS, *_CLOSINGS, *_ANSWERS)


class Thinking:
    """Splits the text of a reply into reasoning and answer, however it is cut."""

    def __init__(self) -> None:
        self._held = ""
        self._read = self._at_start
        self._closing = ""
        self._answer_end = ""
        self._last = ""
        self._marks = 0
        self._has_reasoning = False
        self._is_bare = False
        self._messages = _Messages()
        # What was given as answer: what a mark means depends on what is before it.
        self._given: list[str] = []

    def feed(self, text: str) -> Iterator[Chunk]:
        """Yield what is certain now; what may be part of a mark is held back.

        A chunk with `Chunk.answer_begins` says that the text before it was reasoning.
        """
        self._held += text
        yield from self._pieces(is_end=False)

    def flush(self) -> Iterator[Chunk]:
        """Yield what was held back, at the end of the text."""
        yield from self._pieces(is_end=True)
        self._held = ""

    def _pieces(self, *, is_end: bool) -> Iterator[Chunk]:
        while self._held:
            state = self._held, self._read
            for chunk in self._read(is_end):
                if chunk.text:
                    self._given.append(chunk.text)
                if chunk.answer_begins or chunk.text or chunk.reasoning:
                    yield chunk
            if state == (self._held, self._read):
                return

    # The states: each takes from what is held as much as it can

    def _at_start(self, is_end: bool) -> Iterator[Chunk]:
        seen = self._held.lstrip()
        lower = seen.lower()
        # At the end, a mark without anything after it is text.
        is_mark_alone = lower == _BARE_START or lower in _PAIRS
        if is_mark_alone and is_end:
            self._read = self._in_answer
            return
        if not is_end and (is_mark_alone or _may_become(lower, _AT_START)):
            return
        if lower.startswith(_MESSAGES):
            self._held = seen
            self._read = self._in_messages
            return
        if self._opens_reasoning(seen, {**_PAIRS, **_SENTENCES}):
            return
        if self._opens_answer(seen, _CERTAIN_ANSWERS):
            return
        closing = _first_of(_CLOSINGS, lower)
        rest = seen[len(closing) :]
        # A line that begins with the mark and goes on is a sentence about it.
        if closing and not (is_end or rest.strip(" \t")):
            return
        if closing and _LINE_END.match(rest):
            self._held = rest
            self._read = self._before_answer
            return
        self._is_bare = _BARE_BEGINNING.match(seen) is not None
        self._read = self._in_answer
        yield from ()

    def _opens_reasoning(self, text: str, pairs: Mapping[str, str]) -> bool:
        """Begin reasoning if a text begins with a mark for that; return whether it did."""
        opening = _first_of(pairs, text.lower())
        if not opening:
            return False
        self._held = text[len(opening) :]
        self._closing = pairs[opening]
        self._read = self._before_reasoning
        return True

    def _opens_answer(self, text: str, marks: Iterable[str]) -> bool:
        """Begin the answer if a text begins with a mark for that; return whether."""
        opening = _first_of(marks, text.lower())
        if not opening:
            return False
        self._held = text[len(opening) :]
        self._answer_end = _ANSWERS[opening]
        self._read = self._before_text
        return True

    def _before_text(self, is_end: bool) -> Iterator[Chunk]:
        self._held = self._held.lstrip("\r\n")
        if self._held:
            self._read = self._in_answer
        yield from ()

    def _before_reasoning(self, is_end: bool) -> Iterator[Chunk]:
        self._held = self._held.lstrip()
        if self._held:
            self._read = self._in_reasoning
            self._has_reasoning = True
            self._last = ""
        yield from ()

    def _in_reasoning(self, is_end: bool) -> Iterator[Chunk]:
        lower = _lower(self._held)
        start = lower.find(self._closing)
        if start < 0:
            certain = len(lower)
            if not is_end:
                certain -= _partial(lower, [self._closing])
            yield self._reasoning(certain)
            return
        end = start + len(self._closing)
        before = self._last
        if start:
            before = self._held[start - 1]
        after = self._held[end : end + 1]
        if before in _QUOTES and not after and not is_end:
            yield self._reasoning(start)
            return
        if after and _QUOTES.get(before) == after:
            # The reasoning speaks of the mark.
            yield self._reasoning(end)
            return
        yield self._reasoning(start)
        self._held = self._held[len(self._closing) :]
        self._read = self._before_answer

    def _reasoning(self, length: int) -> Chunk:
        taken = self._take(length)
        self._last = taken[-1:] or self._last
        return Chunk(reasoning=taken)

    def _before_answer(self, is_end: bool) -> Iterator[Chunk]:
        self._has_reasoning = True
        text = self._held.lstrip("\r\n")
        lower = text.lower()
        if not is_end and _may_become(lower, _AFTER_REASONING):
            return
        closing = _first_of(_CLOSINGS, lower)
        if closing:
            # Some models close twice.
            self._held = text[len(closing) :]
            return
        if self._opens_reasoning(text, _PAIRS):
            return
        if self._opens_answer(text, _ANSWERS):
            return
        self._held = text
        self._read = self._in_answer
        yield from ()

    def _in_messages(self, is_end: bool) -> Iterator[Chunk]:
        self._has_reasoning = True
        text = self._held
        self._held = ""
        chunks, self._held = self._messages.read(text, is_end=is_end)
        yield from chunks

    def _in_answer(self, is_end: bool) -> Iterator[Chunk]:
        if self._is_bare:
            yield from self._in_bare_text(is_end)
            return
        if self._answer_end and self._holds_answer_end(is_end):
            return
        certain = len(self._held)
        if self._marks >= MOST_MARKS or not _MARK_START.search(self._held):
            yield Chunk(self._take(certain))
            return
        mark = _IN_ANSWER.search(self._held)
        if mark is None:
            if not is_end:
                marks = [*_ALL_IN_ANSWER, self._answer_end]
                certain -= _partial(_lower(self._held), marks)
            yield Chunk(self._take(certain))
            return
        rest = self._held[mark.end() :]
        if not (is_end or rest.strip(" \t")):
            # What it means depends on what follows.
            yield Chunk(self._take(mark.start()))
            return
        self._marks += 1
        name = mark[0].lower()
        yield from self._after_mark(name, mark.start(), rest)

    def _after_mark(self, mark: str, start: int, rest: str) -> Iterator[Chunk]:
        before = "".join([*self._given, self._held[:start]])
        if mark in _PAIRS:
            if _opens_block(before, rest):
                yield Chunk(self._take(start))
                self._opens_reasoning(self._held, _PAIRS)
                return
        elif not self._has_reasoning and _closes(mark, before, rest):
            yield Chunk(self._take(start))
            if before.strip():
                yield Chunk(answer_begins=True)
            if mark in _NEXT_MESSAGES:
                self._held = _NEXT_MESSAGES[mark] + rest
                self._read = self._in_messages
            else:
                self._held = rest
                self._read = self._before_answer
            return
        yield Chunk(self._take(start + len(mark)))

    def _in_bare_text(self, is_end: bool) -> Iterator[Chunk]:
        before, end, rest = self._held.partition(_BARE_END)
        if not end:
            certain = len(self._held)
            if not is_end:
                certain -= _partial(self._held, [_BARE_END])
            yield Chunk(self._take(certain))
            return
        yield Chunk(before)
        yield Chunk(answer_begins=True)
        self._is_bare = False
        self._held = rest
        self._read = self._before_answer

    def _holds_answer_end(self, is_end: bool) -> bool:
        """Return whether all that is held is the mark at the end of the answer; that is
        never given.
        """
        lower = _lower(self._held).rstrip()
        if lower == self._answer_end:
            if is_end:
                self._held = ""
            return True
        return False

    def _take(self, length: int) -> str:
        taken = self._held[:length]
        self._held = self._held[length:]
        return taken


class _Messages:
    """Reads text in the format of gpt-oss: messages, each with a head that names its
    channel, all of which are reasoning except the last.
    """

    _token = re.compile(r"<\|[a-z_]{1,20}\|>")
    _heads = ("<|start|>", "<|begin|>", "<|channel|>", "<|constrain|>")
    _ends = ("<|end|>", "<|return|>", "<|call|>")

    def __init__(self) -> None:
        self._head: str | None = ""
        self._is_answer = False

    def read(self, text: str, *, is_end: bool) -> tuple[list[Chunk], str]:
        """Return the chunks of a text, and what may be part of a token."""
        chunks: list[Chunk] = []
        position = 0
        for token in self._token.finditer(text):
            self._add(text[position : token.start()], chunks)
            self._switch(token[0])
            position = token.end()
        rest = text[position:]
        partial = ""
        if not is_end:
            partial = _partial_token(rest)
        self._add(rest.removesuffix(partial), chunks)
        return chunks, partial

    def _add(self, text: str, chunks: list[Chunk]) -> None:
        if self._head is not None:
            self._head += text
        elif self._is_answer:
            chunks.append(Chunk(text))
        else:
            chunks.append(Chunk(reasoning=text))

    def _switch(self, token: str) -> None:
        if token in self._heads:
            self._head = (self._head or "") + token
        elif token in ("<|message|>", "<|content|>", "<|think|>"):
            head = self._head or ""
            _, mark, channel = head.rpartition("<|channel|>")
            self._is_answer = not mark or channel.startswith("final")
            if token == "<|think|>":
                self._is_answer = False
            self._head = None
        elif token in self._ends:
            self._head = ""


def _partial_token(text: str) -> str:
    start = text.rfind("<")
    if start < 0 or not re.fullmatch(r"<(?:\|(?:[a-z_]{0,20}\|?)?)?", text[start:]):
        return ""
    return text[start:]


def _may_become(text: str, marks: Iterable[str]) -> bool:
    """Return whether one of these marks begins with the text, and is longer."""
    return any(mark.startswith(text) and mark != text for mark in marks)


def _first_of(marks: Iterable[str], text: str) -> str:
    """Return the longest of these marks with which a text begins, or ""."""
    found = [mark for mark in marks if text.startswith(mark)]
    return max(found, key=len, default="")


def _partial(text: str, marks: Collection[str]) -> int:
    """Return the length of the longest end of a text with which a mark begins."""
    longest = max(map(len, marks)) - 1
    for length in range(min(longest, len(text)), 0, -1):
        end = text[-length:]
        # Most ends cannot begin a mark, and this is asked of each piece of an answer.
        if end[0] not in _FIRST:
            continue
        if any(mark.startswith(end) for mark in marks):
            return length
    return 0


def _lower(text: str) -> str:
    """Return a text in lower case, of the same length."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return text


def _opens_block(before: str, rest: str) -> bool:
    """Return whether a mark before reasoning stands alone on its line, outside code."""
    if _line_of(before).strip():
        return False
    if not rest or not _LINE_END.match(rest):
        return False
    return not _is_in_fence(before)


def _closes(mark: str, before: str, rest: str) -> bool:
    """Return whether a mark ends reasoning that the template opened, and is not one of
    which the answer speaks.
    """
    line = _line_of(before)
    next_character = rest[:1]
    if _is_in_code(line):
        return False
    if next_character and _QUOTES.get(line[-1:], "") == next_character:
        return False
    if _is_paired(mark, line) or _is_in_fence(before):
        return False
    if mark in _NEXT_MESSAGES:
        return True
    if next_character and next_character in _GOES_ON:
        return False
    follows = rest.lstrip(" \t")[:1]
    goes_on = follows.islower() and next_character in (" ", "\t")
    if not line.strip():
        return not goes_on
    ends_sentence = line.rstrip()[-1] in _SENTENCE_ENDS
    if line[-1] in " \t":
        return ends_sentence and not goes_on
    if ends_sentence or _LINE_END.match(rest):
        return True
    return not next_character.isspace()


def _is_in_code(line: str) -> bool:
    """Return whether the end of a line is in a span of code, or in an indented block."""
    if line.count("`") % 2 == 1:
        return True
    return line.isspace() and len(line) >= INDENT


def _is_paired(mark: str, line: str) -> bool:
    """Return whether the mark that belongs to a closing one is on the same line."""
    lower = line.lower()
    openings = [opening for opening, closing in _PAIRS.items() if closing == mark]
    return any(opening in lower for opening in openings)


def _line_of(text: str) -> str:
    """Return the last line of a text."""
    return text[text.rfind("\n") + 1 :]


def _is_in_fence(text: str) -> bool:
    """Return whether the end of a text is in a fenced block of code."""
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line.rstrip("\r"))
        if match is None:
            continue
        if not fence:
            fence = match[1]
        elif match[1].startswith(fence) and not match[2].strip():
            fence = ""
    return bool(fence)
