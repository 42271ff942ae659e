"""A notebook that is larger than the window, on a real engine: every question is
answered, whatever the window.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engines import engine_with
from tests.support.notebook_kernel import NotebookKernel, run_notebook
from tests.support.pass_through import Exchange, PassThrough
from tests.support.recital import RecitedAnswer

# tokens
WINDOWS = (512, 4096, 32_768)
ANSWER = "Look at the types of the key columns."
QUESTIONS = (
    "why is share('Kiro watch', 'battery') zero?",
    "where does the ZeroDivisionError come from? "
    + "Please think of every case. " * 10,
    "and what does @boxes do?",
    "what is in @reviews?",
    "explain @Out[16]",
    "which complaint is the most frequent?",
)
SAYS = (
    "print('\\n'.join(f'{{n}} {{n * n}}' for n in range({start}, {start} + 400)))\n"
    "step_{start} = {start}"
)

Conversation = tuple[list[str], list[Exchange]]


@pytest.fixture(scope="module", params=WINDOWS, ids=lambda window: f"{window} tokens")
def conversation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Conversation]:
    """What was answered to all questions in one conversation, and what the engine saw."""
    models, folder = (
        tmp_path_factory.mktemp("models"),
        tmp_path_factory.mktemp("notebook"),
    )
    with (
        engine_with(models, [RecitedAnswer(ANSWER)], n_ctx=request.param) as engine,
        PassThrough(engine) as passed,
        run_notebook("reviews_text", folder, passed.url) as kernel,
    ):
        yield (
            [_asked(kernel, number) for number in range(len(QUESTIONS))],
            passed.exchanges,
        )


def _asked(kernel: NotebookKernel, number: int) -> str:
    assert (
        kernel.run_cell(f"new{number}", SAYS.format(start=1000 * number)).status == "ok"
    )
    cell = kernel.run_cell(f"ask{number}", f"%%buddy\n{QUESTIONS[number]}")
    assert cell.status == "ok", cell.outputs
    return str(cell.answer["data"]["text/plain"])


def test_every_question_is_answered(conversation: Conversation) -> None:
    answers, exchanges = conversation
    assert [ANSWER in answer for answer in answers] == [True] * len(QUESTIONS), answers
    assert len(exchanges) >= len(QUESTIONS)


def test_the_engine_refuses_no_request(conversation: Conversation) -> None:
    assert [exchange.status for exchange in conversation[1]] == [200] * len(QUESTIONS)


def test_the_questions_themselves_are_sent_whole(conversation: Conversation) -> None:
    last = [
        str(exchange.body["messages"][-1]["content"]) for exchange in conversation[1]
    ]
    # Attachments are named in words there.
    questions = [question.replace("@", "") for question in QUESTIONS]
    assert [
        question in text for question, text in zip(questions, last, strict=True)
    ] == [True] * len(QUESTIONS)


def test_what_the_window_holds_is_used(conversation: Conversation) -> None:
    tokens = [exchange.prompt_tokens for exchange in conversation[1]]
    assert min(tokens) > 200, tokens
