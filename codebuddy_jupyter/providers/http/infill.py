"""How a server is asked for the text between two others, and how its reply is read.

That is "fill in the middle". A server takes the two texts in fields of their own, or in
one prompt with the control tokens that the model was trained with. Nothing is sent here
but short probes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...messages import Chunk, Infill
from .chat_stream import ChatStream
from .probe import Probe, ProbeAnswer
from .server_error import as_mapping

COMPLETIONS = "/completions"
# Characters of a probe's suffix, which are more tokens than all else of it.
_PROBE_LINES = 20
_PROBE_BEFORE = "x = "
_PROBE_AFTER = "\n" + "y = x + 1\n" * _PROBE_LINES
# Where the suffix counts, the prompt has at least so many tokens: two for each line.
_FEWEST_TOKENS = 2 * _PROBE_LINES


class TextStream(ChatStream):
    """Parses the body of a reply that is text alone: marks of reasoning are text, too."""

    def _read_delta(self, delta: Mapping[str, Any]) -> Iterator[Chunk]:
        text = delta.get("text") or delta.get("content")
        if isinstance(text, str) and text:
            self.began = True
            yield Chunk(text=text)


class InfillWay:
    """A way to ask for the text between two others."""

    def path(self, url: str) -> str:
        """Return where requests are sent: a path below the base URL ``url``, or a
        complete URL.
        """
        return COMPLETIONS

    def body(self, request: Infill, num_ctx: int) -> dict[str, Any]:
        """Return the JSON of a request.

        Parameters
        ----------
        request
            The request.
        num_ctx
            The context window in tokens with which the model is loaded, where a request
            says that; 0: the server's choice.
        """
        raise NotImplementedError

    def reading(self) -> ChatStream:
        """Return the parser of the reply."""
        return TextStream()


class Suffix(InfillWay):
    """OpenAI's older completions, with a field ``suffix``:
    https://platform.openai.com/docs/api-reference/completions.
    """

    def body(self, request: Infill, num_ctx: int) -> dict[str, Any]:
        """Return the JSON of a request."""
        body = _completion(request)
        return {**body, "prompt": request.before, "suffix": request.after}


@dataclass(frozen=True)
class Marks(InfillWay):
    """The same with one prompt, in which control tokens mark the two texts and the gap.

    Parameters
    ----------
    before, after, gap
        What stands before each.
    """

    before: str
    after: str
    gap: str

    def body(self, request: Infill, num_ctx: int) -> dict[str, Any]:
        """Return the JSON of a request."""
        marked = (self.before, request.before, self.after, request.after, self.gap)
        return {
            **_completion(request),
            "prompt": "".join(marked),
            "stream_options": {"include_usage": True},
        }


FAMILIES = (
    # Qwen Coder, CodeGemma
    Marks("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    # StarCoder, Granite Code, Refact
    Marks("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    # DeepSeek Coder
    Marks(
        "<\uff5cfim\u2581begin\uff5c>",
        "<\uff5cfim\u2581hole\uff5c>",
        "<\uff5cfim\u2581end\uff5c>",
    ),
)
"""The marks of families of models."""


async def find_marks(
    count: Callable[[str], Awaitable[int | None]],
) -> Marks | None:
    """Return the marks that a model was trained with; None if none are known.

    Parameters
    ----------
    count
        Returns the number of tokens of a text, by the model's own tokenizer; None if
        there is none.
    """
    for marks in FAMILIES:
        is_known = True
        for mark in (marks.before, marks.after, marks.gap):
            one = await count(mark)
            two = await count(mark * 2)
            # Some tokenizers add a token before each text.
            if one is None or one > 2 or two != one + 1:
                is_known = False
        if is_known:
            return marks
    return None


async def takes_suffix(probe: Probe, model: str) -> bool:
    """Return whether a server takes the text after the gap in ``suffix``: some refuse
    it, others ignore it.
    """
    request = Infill(_PROBE_BEFORE, _PROBE_AFTER, model, 1)
    body = {**Suffix().body(request, 0), "stream": False}
    answer = await probe.post(f"{probe.url}{COMPLETIONS}", body)
    if not answer.list_of("choices"):
        return False
    return _suffix_counts(answer)


def _suffix_counts(answer: ProbeAnswer) -> bool:
    """Return whether the suffix is among the tokens of the prompt; it is not known where
    the server counts none.
    """
    usage = as_mapping(answer.fields.get("usage"))
    tokens = usage.get("prompt_tokens")
    if not isinstance(tokens, int) or tokens <= 0:
        return True
    return tokens >= _FEWEST_TOKENS


def _completion(request: Infill) -> dict[str, Any]:
    return {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "temperature": 0,
        "stream": True,
    }
