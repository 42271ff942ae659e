"""The settings that decide about a question: who answers it, and what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from traitlets import (
    Bool,
    CaselessStrEnum,
    Float,
    Int,
    List,
    TraitError,
    Unicode,
    validate,
)

from ..errors import SettingError
from ..settings.configured import Configured
from . import prompts
from .options import sections_of


# Before traitlets 5.10, the class has no parameters.
class Sections(Unicode):  # type: ignore[type-arg]
    """A list of sections, as a text or as a list in Python."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Return the list as a text; an empty one leaves everything out."""
        if isinstance(value, list | tuple | set | frozenset):
            words = sorted(value) if isinstance(value, set | frozenset) else value
            if all(isinstance(word, str) for word in words):
                return ", ".join(words) or "none"
        return super().validate(obj, value)


class QuestionSettings(Configured):
    """The settings of the `Buddy`.

    Those with the tag ``affects="target"`` decide which model answers, those with
    ``affects="prompt"`` what is sent to it.
    """

    environment: ClassVar = {
        "provider": "CODEBUDDY_PROVIDER",
        "replay": "CODEBUDDY_REPLAY",
    }

    provider = Unicode(
        "Local",
        help="The provider that answers: Local, Embedded, OpenAI, … (in upper or lower case).",
    ).tag(config=True, affects="target")
    offline = Bool(
        False, help="Refuse every request that would leave this machine."
    ).tag(config=True, order=1)
    allowed_hosts = List(
        Unicode(),
        help=(
            "Hosts that may be reached even when offline: names, or names with ports, "
            'such as ["gpu.lan:8000"].'
        ),
    ).tag(config=True, order=1)
    context = Sections(
        "auto",
        help=(
            "Which parts of the notebook are sent: auto, none, or a list of outline, "
            "cells, outputs, variables, error."
        ),
    ).tag(config=True, affects="prompt")
    context_tokens = Int(
        8192,
        min=0,
        help="The most tokens of the notebook that are sent with one question.",
    ).tag(config=True, affects="prompt")
    reading_seconds = Float(
        8.0,
        min=0.0,
        help=(
            "Seconds for which a model on your machine may read what is new in a "
            "question; less important parts of the notebook are left out for that. 0: "
            "no limit."
        ),
    ).tag(config=True, affects="prompt", label="Reading time (s)")
    read_ahead = CaselessStrEnum(
        ["auto", "off"],
        "auto",
        help=(
            "Whether a loaded model on your machine reads the notebook while nobody "
            "waits, so that the next answer begins sooner: auto, or off."
        ),
    ).tag(config=True, affects="prompt")
    share_values = Bool(
        False,
        help="Also send variable values, not only names, types and shapes.",
    ).tag(config=True, affects="prompt")
    redact_secrets = Bool(
        True, help="Redact keys, tokens and passwords before sending."
    ).tag(config=True, affects="prompt")
    check = CaselessStrEnum(
        ["repair", "tell", "off"],
        "tell",
        help=(
            "What to do about names, columns and arguments in an answer's code that do "
            "not exist here: repair (ask the model once more), tell, or off."
        ),
    ).tag(config=True)
    looks = CaselessStrEnum(
        ["off", "auto"],
        "off",
        help=(
            "Whether the model may look things up in the kernel before it answers, such "
            "as the columns of a frame or the code of a cell: off, or auto. Nothing is "
            "run or changed by that."
        ),
    ).tag(config=True)
    proposals = CaselessStrEnum(
        ["off", "click"],
        "off",
        help=(
            "Whether the model may propose code for the notebook: off, or click. What it "
            "proposes is shown as a difference, and nothing is changed or run without a "
            "click of yours."
        ),
    ).tag(config=True)
    completion_model = Unicode(
        "",
        help=(
            "The model that completes code while you type, as NAME or PROVIDER/NAME; it "
            "must be able to write in the middle of a text. Empty: off. Another machine "
            "is asked only if its provider is named."
        ),
    ).tag(config=True)
    keep_chats = Bool(
        True,
        help=(
            "Keep a notebook's conversations on this machine's disk, so that they "
            "outlive the kernel."
        ),
    ).tag(config=True)
    replay = CaselessStrEnum(
        ["off", "on", "only"],
        "off",
        help=(
            "Whether answers of this notebook's cells are kept in a file beside it, and "
            "given again for the same questions: off, on, or only (ask nothing)."
        ),
    ).tag(config=True)
    replay_file = Unicode(
        "",
        help=(
            "The file of the answers kept for replay, NAME.jsonl; empty: "
            "NOTEBOOK.buddy.jsonl beside the notebook."
        ),
    ).tag(config=True)
    system_prompt = Unicode(
        prompts.SYSTEM, help="Instructions that the model gets before every question."
    ).tag(config=True, order=-1, affects="prompt")

    def notes_of_doubt(self) -> tuple[str, ...]:
        """Return lines for the user about settings whose meaning is in doubt."""
        return ()

    @validate("replay_file")
    def _validate_replay_file(self, proposal: Mapping[str, Any]) -> str:
        name = str(proposal["value"])
        is_file = name.endswith(".jsonl") and name.isprintable()
        # What is written into another file could damage it.
        if name and not is_file:
            raise TraitError(f"The file of answers must end in .jsonl, not {name!r}.")
        return name

    @validate("context")
    def _validate_context(self, proposal: Mapping[str, Any]) -> str:
        try:
            sections_of(proposal["value"])
        except SettingError as error:
            raise TraitError(str(error)) from error
        return str(proposal["value"])
