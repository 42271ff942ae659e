"""The result of an examination, as Markdown, as plain text, and as JSON for a bug
report.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import Remedy
from ..markdown.safe import escape
from ..providers.checks import Check
from ..secrets.redactor import Redactor, known_values
from ..settings.keys import Key

PACKAGES = ("codebuddy-jupyter", "openai", "ipython", "ipykernel", "xllamacpp")
MARKS = {True: "✓", False: "✗", None: "\N{EN DASH}"}
# Characters. To redact what is shorter would redact ordinary words.
SHORTEST_SECRET = 6
HOMES = re.compile(r"((?:/home|/Users|[A-Za-z]:[\\/]+Users)[\\/]+)[^\\/\s\"':;,)]+")
ASSIGNMENT = re.compile(r"[\w.-]+=[^\s)\]},]+")
# What shows unchanged between backticks, in every renderer of Markdown.
PLAIN_CODE = re.compile(r"[\w \-./:=%\"'+,]+")


@dataclass(frozen=True)
class Report:
    """What the examination of a provider found.

    Parameters
    ----------
    provider
        The provider's name.
    checks
        The checks in their order.
    versions
        The versions of the packages that took part, by name.
    secrets
        The values that no bug report may show, each with a name for it.
    """

    provider: str
    checks: tuple[Check, ...]
    versions: Mapping[str, str]
    secrets: Mapping[str, Key] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> int:
        """The number of checks that failed."""
        return sum(check.ok is False for check in self.checks)

    def verdict(self) -> str:
        """Return the result in a sentence."""
        if self.ok:
            return f"{self.provider} is working."
        count = f"{self.failed} of {len(self.checks)} checks failed"
        return f"{self.provider} is not working: {count}."

    def markdown(self) -> str:
        """Return the report as Markdown, with a list item for each check."""
        lines = [f"**{escape(self.verdict())}**", ""]
        lines += [_item(check) for check in self._all_checks()]
        return "\n".join(lines)

    def text(self) -> str:
        """Return the report as plain text for a terminal."""
        checks = self._all_checks()
        width = max(len(check.name) for check in checks)
        lines = [self.verdict()]
        lines += [_line(check, width) for check in checks]
        return "\n".join(lines)

    def json(self) -> str:
        """Return the report as JSON for a bug report, without secrets and without the
        names of home directories.
        """
        content = {
            "provider": self.provider,
            "ok": self.ok,
            "checks": [_fields(check) for check in self.checks],
            "versions": dict(self.versions),
        }
        redacted = _redacted(content, self._redactor())
        return json.dumps(redacted, indent=2, ensure_ascii=False)

    def _redactor(self) -> Redactor:
        values = known_values(os.environ, {})
        for name, secret in self.secrets.items():
            if len(secret) >= SHORTEST_SECRET:
                values[name] = str(secret)
        redactor = Redactor()
        redactor.know(values)
        return redactor

    def _all_checks(self) -> tuple[Check, ...]:
        versions = [f"{name} {number}" for name, number in self.versions.items()]
        check = Check("versions", None, " · ".join(versions))
        return (*self.checks, check)


def versions() -> dict[str, str]:
    """Return the versions that a bug report needs, by name."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    versions["Python"] = platform.python_version()
    versions[platform.system()] = platform.release()
    return versions


def without_homes(text: str) -> str:
    """Return the text without the names of home directories."""
    home = str(Path.home())
    is_root = home == Path(home).anchor
    if not is_root:
        text = re.sub(rf"{re.escape(home)}(?!\w)", "~", text)
    return HOMES.sub(r"\1…", text)


def _item(check: Check) -> str:
    finding = escape(check.finding)
    item = f"- {MARKS[check.ok]} **{escape(check.name)}**: {finding}"
    for remedy in check.remedies:
        item += f" → {_markdown_remedy(remedy)}"
    return item


def _markdown_remedy(remedy: Remedy) -> str:
    if remedy.command and PLAIN_CODE.fullmatch(remedy.command):
        text = escape(remedy.text)
        return f"{text}: `{remedy.command}`"
    return escape(str(remedy))


def _line(check: Check, width: int) -> str:
    indent = " " * (width + 4)
    # On one line, even if the server wrote several.
    finding = " ".join(check.finding.split())
    line = f"{MARKS[check.ok]} {check.name:{width}}  {finding}"
    for remedy in check.remedies:
        line += f"\n{indent}→ {remedy}"
    return line


def _fields(check: Check) -> dict[str, Any]:
    return {
        "check": check.name,
        "ok": check.ok,
        "finding": check.finding,
        "remedies": [str(remedy) for remedy in check.remedies],
    }


def _redact(text: str, redactor: Redactor) -> str:
    """Return the text without secrets and without the names of home directories.

    Among other words, the redactor leaves a value without quotes, since in code that is
    mostly a variable: ``login(password=password)``. A report holds no code, so each
    assignment is redacted by itself, too.
    """

    def redact_assignment(match: re.Match[str]) -> str:
        return redactor.redact(match[0]).text

    text = redactor.redact(text).text
    text = ASSIGNMENT.sub(redact_assignment, text)
    return without_homes(text)


def _redacted(value: Any, redactor: Redactor) -> Any:
    """Return a JSON value with each of its texts redacted."""
    if isinstance(value, str):
        return _redact(value, redactor)
    if isinstance(value, Mapping):
        redacted = {}
        for name, inner in value.items():
            redacted[name] = _redacted(inner, redactor)
        return redacted
    if isinstance(value, list):
        return [_redacted(inner, redactor) for inner in value]
    return value
