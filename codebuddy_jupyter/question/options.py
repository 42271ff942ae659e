"""What one question may set for itself, and how that is typed.

Nothing here is a setting that lasts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..context.items import SECTIONS, Section
from ..errors import SettingError
from .prompts import FORMATS

REPLAY = ("on", "prompt", "only", "off")
"""What ``--replay`` takes."""
RESERVED = frozenset({"messages", "model", "stream", "stream_options"})
"""Fields of a request that ``-o`` cannot set."""


def _option(default: Any, *flags: str, **declaration: Any) -> Any:
    """Return a field that can be typed.

    Parameters
    ----------
    default
        Its value where it is not typed.
    flags
        How it is typed: ``-m``, ``--model``.
    declaration
        Further arguments of ``argparse``'s ``add_argument``.
    """
    return field(default=default, metadata={"flags": flags, **declaration})


def _field_value(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE``, where the value is JSON or else text."""
    name, mark, value = text.partition("=")
    if not (name and mark):
        raise SettingError(f"-o takes KEY=VALUE, such as -o top_p=0.9, not {text!r}.")
    try:
        return name, json.loads(value, parse_constant=_refuse_constant)
    except ValueError:
        return name, value


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


@dataclass(frozen=True)
class Options:
    """What one question sets for itself; empty or None: as the settings say.

    Each field is declared with its help, from which the command line is made.

    Raises
    ------
    SettingError
        For an invalid value.
    """

    model: str = _option(
        "", "-m", "--model", help="a model, provider/model or provider:model"
    )
    provider: str = _option(
        "", "-p", "--provider", help="a provider, such as local or embedded"
    )
    system: str | None = _option(
        None, "-s", "--system", help="the system prompt for this question"
    )
    temperature: float | None = _option(
        None,
        "-t",
        "--temperature",
        type=float,
        help="0 (always the likeliest word) to 2",
    )
    max_tokens: int | None = _option(
        None, "--max-tokens", type=int, help="the longest answer, in tokens"
    )
    extra: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={
            "flags": ("-o", "--option"),
            "action": "append",
            "type": _field_value,
            "metavar": "KEY=VALUE",
            "help": "any other field of the request, by its wire name",
        },
    )
    format: str = _option("markdown", "-f", "--format", help=" | ".join(FORMATS))
    context: str = _option(
        "",
        "-c",
        "--context",
        help="auto, none, or a list: cells,outputs,variables,error,outline",
    )
    dry_run: bool = _option(
        False,
        "--dry-run",
        action="store_true",
        help="show what would be sent, and send nothing",
    )
    new: bool = _option(
        False,
        "-n",
        "--new",
        action="store_true",
        help="begin a new conversation with this question",
    )
    look: bool = _option(
        False,
        "--look",
        action="store_true",
        help="let the model look things up in the kernel before it answers",
    )
    propose: bool = _option(
        False,
        "--propose",
        action="store_true",
        help="let the model propose code, which you accept or reject",
    )
    replay: str = _option(
        "",
        "--replay",
        nargs="?",
        const="on",
        metavar="MODE",
        help="give a kept answer again: on | prompt | only | off",
    )
    remember: bool = True
    """Whether the question is part of the notebook's conversation; it cannot be typed.
    """
    into: Any = None
    """The type of the answer; None: it is text. Only a magic has an option for it."""
    variable: str = ""
    """The variable that gets the value of the answer; empty: none does."""
    replaces_cell: bool = False
    """Whether the code of the answer replaces the cell that asks. Only a magic has an
    option for it.
    """
    step: int = 1
    """Which of the steps it is that follow from one question, for what is proposed; it
    cannot be typed.
    """
    in_cell: bool = True
    """Whether a cell asks it, so that its answer can be kept for replay; it cannot be
    typed.
    """

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise SettingError(
                f"There is no format {self.format!r}: choose one of "
                f"{', '.join(FORMATS)}."
            )
        if self.into is not None and self.format not in ("markdown", "json"):
            raise SettingError(
                f"An answer that becomes a value has no format {self.format}."
            )
        if self.replaces_cell and self.format != "code":
            raise SettingError(
                f"--replace takes code, not an answer in the format {self.format}."
            )
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise SettingError(
                f"The temperature must be between 0 and 2, not {self.temperature:g}."
            )
        if self.max_tokens is not None and self.max_tokens < 1:
            raise SettingError(
                f"--max-tokens must be 1 or more, not {self.max_tokens}."
            )
        if self.replay not in ("", *REPLAY):
            raise SettingError(
                f"--replay takes {', '.join(REPLAY)}, not {self.replay!r}."
            )
        if self.context:
            sections_of(self.context)
        reserved = sorted(RESERVED & self.extra.keys())
        if reserved:
            raise SettingError(
                f"{', '.join(reserved)} cannot be set by -o: the buddy sets that itself."
            )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options to a parser."""
    for option in fields(Options):
        declaration = dict(option.metadata)
        if declaration:
            flags = declaration.pop("flags")
            parser.add_argument(
                *flags, dest=option.name, default=_default(option.name), **declaration
            )


def _default(name: str) -> Any:
    # What is typed several times is collected in a list.
    return [] if name == "extra" else getattr(Options, name)


def options_from(parsed: argparse.Namespace) -> Options:
    """Return the options that a parser read.

    Raises
    ------
    SettingError
        For an invalid value.
    """
    values = {
        option.name: getattr(parsed, option.name)
        for option in fields(Options)
        if option.metadata
    }
    values["extra"] = dict(values["extra"])
    return Options(**values)


def sections_of(text: str) -> frozenset[Section]:
    """Return the sections of the context that a text names.

    Parameters
    ----------
    text
        ``auto`` (all of them), ``none``, or a list such as ``cells,variables``.

    Raises
    ------
    SettingError
        If a section is unknown; the error lists the known ones.
    """
    words = text.replace(",", " ").lower().split()
    unknown = [word for word in words if word not in (*SECTIONS, "auto", "none")]
    if unknown or not words:
        known = ", ".join(SECTIONS[:-1])
        refused = ", ".join(unknown) or "nothing"
        raise SettingError(
            f"The context is auto, none, or a list of {known}, not {refused}."
        )
    if "auto" in words:
        return frozenset(SECTIONS)
    return frozenset([section for section in SECTIONS if section in words])
