"""The demo model: what the tour asks, it answers."""

from __future__ import annotations

from pathlib import Path

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from tests.support.demo_model import write_demo_model
from tests.support.embedded_calls import ask

TOUR = {
    "hello, who are you?": "coding buddy",
    "How do I get the mean of a column like that with pandas?": '["score"].mean()',
    "and why is df empty after the merge?": "types",
    "please think step by step: how many handshakes among five people?": (
        "**10** handshakes"
    ),
    "which formula gives the standard deviation?": r"\sqrt",
    "Explain a list comprehension": "for n in range(10)",
    "What is a regex?": "re.findall",
    "tell me a long story": "**The moral:**",
    "plot a histogram": "plot.hist",
    "translate that to 日本語": "おはよう",
    "give it as code. Answer with code alone: one fenced block and nothing else.": "```python",
    "the mean. Answer with one JSON value and nothing else.": '{"mean": 4.0',
    "what shall we have for dinner?": "no scripted answer",
}


def test_the_demo_model_recites_what_the_tour_asks(
    loop: Loop, fresh: EmbeddedProvider, tmp_path: Path
) -> None:
    fresh.model, fresh.threads = str(write_demo_model(tmp_path)), 1
    for question, part in TOUR.items():
        answer = ask(loop, fresh, question)
        assert answer.error is None
        assert part in answer.text
    assert ask(loop, fresh, "think step by step").reasoning.strip()
