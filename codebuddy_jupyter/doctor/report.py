"""What an examination found, line by line: as Markdown, as plain text, and as JSON that
may stand in a bug report.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..keys import Key
from ..markdown.safe import escape

PACKAGES = ("codebuddy-jupyter", "openai", "ipython", "ipykernel", "xllamacpp")
MARKS = {True: "✓", False: "✗", None: "\N{EN DASH}"}
SECRET = re.compile(r".*(KEY|TOKEN|SECRET|PASSWORD)", re.IGNORECASE)
"""Environment variables whose values nobody shall read."""
# characters; blanking what is shorter than that would blank words
SHORTEST = 6
LOOKS_SECRET = re.compile(
    r"\b(?:sk|hf|gsk|xai|pk|ghp)[-_][\w-]{8,}|(?<=Bearer )\S+|(?<=://)[^\s/@]+(?=@)"
)
HOMES = re.compile(r"((?:/home|/Users|[A-Za-z]:[\\/]+Users)[\\/]+)[^\\/\s\"':;,)]+")
PLAIN_CODE = re.compile(r"[\w \-./:=%\"'+,]+")
"""What shows as it is between backticks, for every reader of Markdown."""


@dataclass(frozen=True)
class Remedy:
    """What to do: a few words, and the command to type."""

    what: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.command}" if self.command else self.what


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    name
        What was looked at, in a word or two.
    well
        Whether it is as it should be; None where that cannot be told, or where either
        is fine.
    found
        What was found.
    remedies
        What to do about it.
    """

    name: str
    well: bool | None
    found: str
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True)
class Report:
    """What was found of a provider, in the order of looking, and the versions of what
    took part.

    ``secrets`` are what nobody shall read in a bug report, such as the key in use.
    """

    provider: str
    checks: tuple[Check, ...]
    versions: Mapping[str, str]
    secrets: tuple[Key, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    @property
    def failed(self) -> int:
        """How many checks failed."""
        return sum(check.well is False for check in self.checks)

    def verdict(self) -> str:
        """All of it in a sentence."""
        if self.well:
            return f"{self.provider} is well."
        return f"{self.provider} is not well: {self.failed} of {len(self.checks)} checks failed."

    def markdown(self) -> str:
        """A list with a line for each check."""
        lines = [_markdown(check) for check in (*self.checks, self._versions())]
        return "\n".join([f"**{escape(self.verdict())}**\n", *lines])

    def text(self) -> str:
        """The same for a terminal."""
        checks = (*self.checks, self._versions())
        width = max(len(check.name) for check in checks)
        return "\n".join([self.verdict(), *(_text(check, width) for check in checks)])

    def json(self) -> str:
        """The same for a bug report; keys and the names of home directories are
        blanked.
        """
        kept = {
            "provider": self.provider,
            "well": self.well,
            "checks": [_plain(check) for check in self.checks],
            "versions": dict(self.versions),
        }
        return json.dumps(_redacted(kept, self.secrets), indent=2, ensure_ascii=False)

    def _versions(self) -> Check:
        return Check(
            "versions",
            None,
            " · ".join(f"{name} {version}" for name, version in self.versions.items()),
        )


def versions() -> dict[str, str]:
    """The versions that a report of a problem needs, by name."""
    found = {name: told for name in PACKAGES if (told := _try_version(name))}
    return {
        **found,
        "Python": platform.python_version(),
        platform.system(): platform.release(),
    }


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without keys and without the names of home directories."""
    of_environment = [
        value for name, value in os.environ.items() if SECRET.fullmatch(name)
    ]
    for secret in sorted({*secrets, *of_environment}, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, "…")
    text = LOOKS_SECRET.sub("…", text)
    home = str(Path.home())
    if home != Path(home).anchor:
        text = re.sub(rf"{re.escape(home)}(?!\w)", "~", text)
    return HOMES.sub(r"\1…", text)


def _try_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _markdown(check: Check) -> str:
    line = f"- {MARKS[check.well]} **{escape(check.name)}**: {escape(check.found)}"
    return " ".join(
        [line, *(f"→ {_markdown_remedy(remedy)}" for remedy in check.remedies)]
    )


def _markdown_remedy(remedy: Remedy) -> str:
    if not remedy.command:
        return escape(remedy.what)
    shown = (
        f"`{remedy.command}`"
        if PLAIN_CODE.fullmatch(remedy.command)
        else escape(remedy.command)
    )
    return f"{escape(remedy.what)}: {shown}"


def _text(check: Check, width: int) -> str:
    indent = " " * (width + 4)
    remedies = "".join(f"\n{indent}→ {remedy}" for remedy in check.remedies)
    return f"{MARKS[check.well]} {check.name:{width}}  {' '.join(check.found.split())}{remedies}"


def _plain(check: Check) -> dict[str, Any]:
    remedies = [str(remedy) for remedy in check.remedies]
    return {
        "check": check.name,
        "well": check.well,
        "found": check.found,
        "remedies": remedies,
    }


def _redacted(value: Any, secrets: tuple[Key, ...]) -> Any:
    if isinstance(value, str):
        return redacted(value, secrets)
    if isinstance(value, Mapping):
        return {name: _redacted(inner, secrets) for name, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner, secrets) for inner in value]
    return value
