"""What the answers amount to: figures for each arm, and the rows of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from ..table import Row
from .measure import ALONE, ARMS, CELLS, CHECKED, LEAN, LOOKED, OURS, Answer
from .verdict import LOOSE, RIGHT, WRONG

# Errors that come from a name, column or attribute that does not exist.
UNKNOWN = ("KeyError", "NameError", "AttributeError")
# What the figures must reach.
TIMES_ALONE = 4.0
POINTS_MORE_THAN_CELLS = 10.0
TOKENS_OF_CELLS = 1.7
POINTS_MORE_THAN_LEAN = 3.0
SHARE_FOUND = 0.5
POINTS_BY_LOOKS, TIMES_BY_LOOKS = 5.0, 2.0


@dataclass(frozen=True)
class Arm:
    """The answers of one arm."""

    name: str
    answers: Sequence[Answer]

    @property
    def right(self) -> int:
        """The number of right answers."""
        return self._count(RIGHT)

    @property
    def right_in_any_form(self) -> int:
        """The number of answers with the right values."""
        return self._count(RIGHT) + self._count(LOOSE)

    @property
    def percent(self) -> float:
        """The share of right answers in percent."""
        return 100 * self.right / len(self.answers)

    @property
    def prompt_tokens(self) -> float:
        """The mean number of tokens of a prompt."""
        return mean(answer.prompt_tokens for answer in self.answers)

    @property
    def seconds(self) -> float:
        """The mean time of all requests for an answer, in seconds."""
        return mean(answer.seconds for answer in self.answers)

    @property
    def errors(self) -> Counter[str]:
        """What was wrong with the wrong answers, with numbers."""
        return Counter(
            answer.verdict.error
            for answer in self.answers
            if answer.verdict.verdict == WRONG
        )

    def _count(self, verdict: str) -> int:
        return sum(answer.verdict.verdict == verdict for answer in self.answers)

    def __str__(self) -> str:
        return f"{self.right} of {len(self.answers)} ({self.percent:.0f} %)"


def arms_of(answers: Iterable[Answer]) -> dict[str, Arm]:
    """Return the arms by name, in the order of `ARMS`."""
    by_arm: dict[str, list[Answer]] = {}
    for answer in answers:
        by_arm.setdefault(answer.arm, []).append(answer)
    return {name: Arm(name, by_arm[name]) for name in ARMS if name in by_arm}


def overview(arms: Iterable[Arm]) -> str:
    """Return the figures of all arms as a Markdown table."""
    lines = [
        "| what was sent | right | right in any form | prompt tokens, mean | "
        f"{' | '.join(UNKNOWN)} | other wrong answers |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        errors = arm.errors
        unknown = " | ".join(str(errors.pop(name, 0)) for name in UNKNOWN)
        others = ", ".join(f"{count} {name}" for name, count in errors.most_common())
        lines.append(
            f"| {ARMS[arm.name]} | {arm} | {arm.right_in_any_form} | "
            f"{arm.prompt_tokens:.0f} | {unknown} | {others} |"
        )
    return "\n".join(lines)


def rows(arms: dict[str, Arm]) -> Iterator[Row]:
    """Yield the rows for which there are answers."""
    checked, ours = arms.get(CHECKED), arms.get(OURS)
    if checked and ALONE in arms:
        yield _more_than_alone(checked, arms[ALONE])
    if checked and CELLS in arms:
        yield _more_than_cells(checked, arms[CELLS])
    if ours and LEAN in arms:
        yield _more_than_lean(ours, arms[LEAN])
    if checked and ours:
        yield _found(ours, checked)
    if checked and LOOKED in arms:
        yield _by_looks(arms[LOOKED], checked)


def _more_than_alone(checked: Arm, alone: Arm) -> Row:
    times = checked.right / max(alone.right, 1)
    return Row(
        "right answers with checked code, over those to the question alone",
        f"{TIMES_ALONE:.0f} times",
        f"{checked}, {times:.1f} times",
        str(alone),
        times >= TIMES_ALONE,
    )


def _more_than_cells(checked: Arm, cells: Arm) -> Row:
    points = checked.percent - cells.percent
    tokens = checked.prompt_tokens / cells.prompt_tokens
    return Row(
        "right answers with checked code, less those with the earlier cells alone",
        f"{POINTS_MORE_THAN_CELLS:.0f} points, at {TOKENS_OF_CELLS} times the prompt tokens",
        f"{checked}, {points:+.1f} points at {tokens:.2f} times",
        f"{cells}, {cells.prompt_tokens:.0f} tokens",
        points >= POINTS_MORE_THAN_CELLS and tokens <= TOKENS_OF_CELLS,
    )


def _more_than_lean(ours: Arm, lean: Arm) -> Row:
    points = ours.percent - lean.percent
    is_leaner = points >= 0 and ours.prompt_tokens < lean.prompt_tokens
    return Row(
        "right answers, less those with cells and variables in their first form",
        f"{POINTS_MORE_THAN_LEAN:.0f} points, or as many for fewer tokens",
        f"{ours}, {points:+.1f} points at {ours.prompt_tokens:.0f} tokens",
        f"{lean}, {lean.prompt_tokens:.0f} tokens",
        points >= POINTS_MORE_THAN_LEAN or is_leaner,
    )


def _found(ours: Arm, checked: Arm) -> Row:
    """Compare first answers with repaired ones."""
    after = {_place(answer): answer for answer in checked.answers}
    unknown = [one for one in ours.answers if one.verdict.error in UNKNOWN]
    found = [one for one in unknown if one.findings]
    right = [one for one in ours.answers if one.verdict.verdict == RIGHT]
    harmed = [one for one in right if after[_place(one)].verdict.verdict != RIGHT]
    doubted = [one for one in right if one.findings]
    share = len(found) / max(len(unknown), 1)
    return Row(
        "wrong answers by an unknown name, column or attribute that checked code finds; "
        "right answers that it harms",
        "half; none",
        f"{len(found)} of {len(unknown)}; {len(harmed)} of {len(right)}, of which it "
        f"doubts {len(doubted)}",
        "",
        share >= SHARE_FOUND and not harmed,
    )


def _by_looks(looked: Arm, checked: Arm) -> Row:
    points = looked.percent - checked.percent
    times = looked.seconds / max(checked.seconds, 0.01)
    with_looks = sum(bool(answer.looked) for answer in looked.answers)
    return Row(
        "right answers with looks, less those without",
        f"{POINTS_BY_LOOKS:.0f} points, at {TIMES_BY_LOOKS:.0f} times the time at most",
        f"{looked}, {points:+.1f} points at {times:.1f} times the time; looked for "
        f"{with_looks}",
        str(checked),
        points >= POINTS_BY_LOOKS and times <= TIMES_BY_LOOKS,
    )


def _place(answer: Answer) -> tuple[str, str]:
    return answer.notebook.name, answer.question.name
