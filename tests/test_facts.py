"""The facts that a question needs are in the prompt.

Asks 40 questions about eight notebooks in real kernels.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.support.facts import (
    EARLIER,
    NOTEBOOKS,
    QUESTIONS,
    Question,
    as_run,
    cells_of,
)
from tests.support.notebook_kernel import tokens_of, told

# Tokens
WINDOW = 4096
# Questions that must have all their facts. Those of the others are in outputs that have
# few words of the question, or in code for which this window has no room: sending all
# outputs cost a small model more right answers than it gave.
ENOUGH = 32
FILES = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> dict[Question, str]:
    """Return the prompt that the server received for each question."""
    return told(tmp_path_factory.mktemp("notebooks"), WINDOW)


@pytest.mark.timeout(600)
def test_the_facts_that_a_question_needs_are_in_the_prompt(
    heard: dict[Question, str],
) -> None:
    short = {}
    for question, prompt in heard.items():
        missing = question.missing(prompt)
        if missing:
            short[f"{question.notebook}: {question.text}"] = missing
    assert len(heard) - len(short) >= ENOUGH, json.dumps(short, indent=1)


@pytest.mark.timeout(600)
def test_each_prompt_has_room_in_the_window(heard: dict[Question, str]) -> None:
    too_long = {}
    for question, prompt in heard.items():
        tokens = tokens_of(prompt)
        if tokens > WINDOW:
            too_long[question.text] = tokens
    assert too_long == {}


def test_there_are_five_questions_about_each_notebook() -> None:
    assert Counter(question.notebook for question in QUESTIONS) == {
        file.stem: 5 for file in FILES
    }
    assert len(FILES) == 8


@pytest.mark.parametrize(
    "question", QUESTIONS, ids=lambda item: f"{item.notebook}: {item.text}"
)
def test_no_question_contains_its_own_facts(question: Question) -> None:
    assert question.missing(question.text) == list(question.facts)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_notebooks_are_as_jupyter_saves_them(file: Path) -> None:
    cells = cells_of(file.stem)
    assert file.stat().st_size < 150_000
    assert 15 <= len(cells) <= 60
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert any(cell.get("outputs") for cell in cells)


def test_the_notebooks_are_of_every_kind() -> None:
    counts = {
        file.stem: [cell.get("execution_count") for cell in cells_of(file.stem)]
        for file in FILES
    }
    assert max(map(len, counts.values())) > 50
    assert max(file.stat().st_size for file in FILES) > 50_000
    ran = [number for number in counts["web_logs"] if number]
    assert ran != sorted(ran)
    assert EARLIER.keys() <= {id for id, _ in as_run("web_logs")}
    last = cells_of("churn_classifier")[-1]
    assert [output["output_type"] for output in last["outputs"]] == ["error"]
