"""A question, before it is known who answers it."""

from __future__ import annotations

from dataclasses import dataclass

from ..chat.conversation import Place
from ..context.items import Snapshot
from ..errors import PromptTooLong, Remedy
from ..values.form import Form
from .options import Options
from .target import LARGEST_WINDOW, Target

# No tokenizer does better on a long text, so a longer prompt is surely too long.
MOST_BYTES_PER_TOKEN = 8


@dataclass(frozen=True)
class Question:
    """A question.

    Parameters
    ----------
    prompt
        The prompt, with the values of its fields; the user reads it.
    text
        The prompt with what its format asks for; the model reads it.
    options
        What it sets for itself.
    snapshot
        What could be sent of the notebook, as it was when the user asked.
    form
        The form of the answer; None: it is text.
    place
        Where it is asked; None if no cell asks it.
    """

    prompt: str
    text: str
    options: Options
    snapshot: Snapshot
    form: Form | None = None
    place: Place | None = None

    @property
    def format(self) -> str:
        """The format in which the text of the answer is shown."""
        return self.options.format if self.form is None else "json"

    def check_length(self, target: Target) -> None:
        """Refuse a question that no tokenizer could make fit.

        Raises
        ------
        PromptTooLong
            If it is longer than the target's context window in any case.
        """
        most = (target.window or LARGEST_WINDOW) * MOST_BYTES_PER_TOKEN
        length = len(self.text)
        if length <= most:
            return
        window = ""
        if target.window:
            window = f", and its context window is {target.window:,} tokens"
        raise PromptTooLong(
            f"The prompt is too long for {target.model}: {length:,} characters{window}.",
            Remedy("Shorten it"),
            Remedy("Choose a model with a larger context window", "%buddy /models"),
            window=target.window,
        )
