"""The question that asks a model to correct its code, with what was found in it."""

from __future__ import annotations

from collections.abc import Iterable

from .finding import Finding

# Findings that one question tells.
MAX_TOLD = 4
_TASK = (
    "Answer with the complete corrected code in one ```python block. "
    "Use only names and columns that exist."
)


def repair_question(findings: Iterable[Finding]) -> str:
    """Return the question that asks for corrected code; empty if nothing would fail.

    It has names and signatures only, never values.
    """
    lines: list[str] = []
    facts: dict[str, None] = {}
    for finding in findings:
        if finding.fails and len(lines) < MAX_TOLD:
            lines.append(f"- {finding.text}")
            facts.setdefault(finding.fact)
    if not lines:
        return ""
    known_facts = [fact for fact in facts if fact]
    return "\n".join(["Your code does not work here:", *lines, *known_facts, _TASK])
