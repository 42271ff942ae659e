"""What one question may set for itself, and how that is typed.

Nothing here is a setting that stays.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..context.items import SECTIONS, Section
from ..errors import SettingError
from .prompts import FORMATS

RESERVED = frozenset({"messages", "model", "stream", "stream_options"})


@dataclass(frozen=True)
class Options:
    """What one question sets for itself; empty or None: as the settings say.

    Parameters
    ----------
    model
        A model, ``provider/model`` or ``provider:model``.
    provider
        A provider's name, in any case.
    system
        What the model is told first.
    temperature
        0 (always the likeliest word) to 2.
    max_tokens
        The longest answer, in tokens.
    extra
        Any other field of the request, by its wire name.
    format
        One of ``prompts.FORMATS``.
    new
        Begin a new conversation with this question.
    context
        Which parts of the notebook are sent: ``auto``, ``none``, or a list of sections; empty:
        as the settings say.
    dry_run
        Show what would be sent, and send nothing.

    Raises
    ------
    SettingError
        For a value that cannot be.
    """

    model: str = ""
    provider: str = ""
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    format: str = "markdown"
    new: bool = False
    context: str = ""
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise SettingError(
                f"There is no format {self.format!r}: choose one of {', '.join(FORMATS)}."
            )
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise SettingError(
                f"The temperature must be between 0 and 2, not {self.temperature:g}."
            )
        if self.max_tokens is not None and self.max_tokens < 1:
            raise SettingError(
                f"--max-tokens must be 1 or more, not {self.max_tokens}."
            )
        if self.context:
            sections_of(self.context)
        if taken := RESERVED & self.extra.keys():
            raise SettingError(
                f"{', '.join(sorted(taken))} cannot be set by -o: the buddy sets that itself."
            )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options to a parser."""
    add = parser.add_argument
    add("-m", "--model", default="", help="a model, provider/model or provider:model")
    add("-p", "--provider", default="", help="a provider, such as local or embedded")
    add("-s", "--system", help="what the model is told first, for this question")
    add("-t", "--temperature", type=float, help="0 (always the likeliest word) to 2")
    add("--max-tokens", type=int, help="the longest answer, in tokens")
    add(
        "-o",
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other field of the request",
    )
    add("-f", "--format", default="markdown", help=" | ".join(FORMATS))
    add(
        "-c",
        "--context",
        default="",
        help="auto, none, or a list: cells,outputs,variables,error,outline",
    )
    add(
        "--dry-run",
        action="store_true",
        help="show what would be sent, and send nothing",
    )
    add(
        "-n",
        "--new",
        action="store_true",
        help="begin a new conversation with this question",
    )


def options_from(found: argparse.Namespace) -> Options:
    """The options that a parser found.

    Raises
    ------
    SettingError
        For a value that cannot be.
    """
    return Options(
        model=found.model,
        provider=found.provider,
        system=found.system,
        temperature=found.temperature,
        max_tokens=found.max_tokens,
        extra=dict(_field(text) for text in found.option),
        format=found.format,
        new=found.new,
        context=found.context,
        dry_run=found.dry_run,
    )


def sections_of(text: str) -> frozenset[Section]:
    """The sections of the context that a text names:

    ``auto`` (all), ``none``, or a list such as ``cells,variables``.

    Raises
    ------
    SettingError
        When one is not known; it lists those that are.
    """
    words = text.replace(",", " ").lower().split()
    unknown = [word for word in words if word not in (*SECTIONS, "auto", "none")]
    if unknown or not words:
        known = ", ".join(SECTIONS[:-1])
        raise SettingError(
            f"The context is auto, none, or a list of {known}, not "
            f"{', '.join(unknown) or 'nothing'}."
        )
    return frozenset(
        SECTIONS
        if "auto" in words
        else (section for section in SECTIONS if section in words)
    )


def _field(text: str) -> tuple[str, Any]:
    name, mark, value = text.partition("=")
    if not (name and mark):
        raise SettingError(f"-o takes KEY=VALUE, such as -o top_p=0.9, not {text!r}.")
    try:
        return name, json.loads(value, parse_constant=_no_json)
    except ValueError:
        return name, value


def _no_json(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON, and no server takes it")
