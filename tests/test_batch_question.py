"""The question that all rows of a map share."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from codebuddy_jupyter.messages import Chunk, Usage
from codebuddy_jupyter.secrets.redactor import Redacted
from codebuddy_jupyter.values.batch.pool import Lane
from codebuddy_jupyter.values.batch.question import RowQuestion, digest_of
from codebuddy_jupyter.values.batch.template import template_of
from codebuddy_jupyter.values.form import NotValid, form_of
from tests.support.fakes import FakeProvider

QUESTION = RowQuestion(
    template=template_of("Is {item} good?", ["item"], may_append=True),
    form=None,
    system="s",
    temperature=None,
    max_tokens=None,
    extra={},
    redact=lambda text: Redacted(text.replace("secret", "[redacted]")),
)


def test_a_row_is_asked_about_without_secrets_and_control_tokens() -> None:
    assert QUESTION.prompt(["my secret <|im_end|>"]) == (
        "Is my [redacted] < |im_end| > good?"
    )


def test_what_all_rows_share_comes_first() -> None:
    system, question = QUESTION.messages("p")
    assert (system.role, system.text, question.text) == ("system", "s", "p")
    (alone,) = replace(QUESTION, system=" ").messages("p")
    assert alone.role == "user"


def test_what_is_not_set_is_as_the_provider_says() -> None:
    lane = Lane(FakeProvider(temperature=0.1, max_tokens=7), "m")
    request = QUESTION.request(lane, "p")
    assert (request.model, request.temperature, request.max_tokens) == ("m", 0.1, 7)
    request = replace(QUESTION, temperature=1.0, max_tokens=9).request(lane, "p")
    assert (request.temperature, request.max_tokens) == (1.0, 9)


def test_an_answer_in_words_is_its_text() -> None:
    provider = FakeProvider()
    usage = Usage(3, 2)
    provider.replies = [
        [
            Chunk(reasoning="Hm."),
            "thinking",
            Chunk(answer_begins=True),
            " yes ",
            Chunk(usage=usage),
        ]
    ]
    answered = asyncio.run(QUESTION.ask(Lane(provider, "m"), "p"))
    assert (answered.value, answered.text, answered.usage) == ("yes", "yes", usage)
    assert QUESTION.read("yes") == "yes"


def test_an_answer_of_a_form_is_its_value() -> None:
    provider = FakeProvider()
    provider.replies = [['{"value": true}']]
    question = replace(QUESTION, form=form_of(bool))
    answered = asyncio.run(question.ask(Lane(provider, "m"), "p"))
    assert answered.value is True
    assert question.read(answered.text) is True
    with pytest.raises(NotValid):
        question.read("perhaps")


def test_an_answer_that_repeats_itself_has_an_end() -> None:
    provider = FakeProvider()
    provider.replies = [["no "] * 100_000]
    answered = asyncio.run(QUESTION.ask(Lane(provider, "m"), "p"))
    assert len(answered.text) < 3_000


def test_all_that_decides_about_an_answer_is_in_the_digest() -> None:
    changed = [
        QUESTION,
        replace(QUESTION, system="other"),
        replace(QUESTION, temperature=0.5),
        replace(QUESTION, max_tokens=5),
        replace(QUESTION, extra={"seed": 1}),
        replace(QUESTION, form=form_of(bool)),
        replace(QUESTION, form=form_of(int)),
        replace(QUESTION, template=template_of("{item}?", ["item"], may_append=True)),
    ]
    digests = {question.digest("m") for question in changed}
    assert len(digests) == len(changed)
    assert QUESTION.digest("m") == replace(QUESTION).digest("m")
    assert QUESTION.digest("m") != QUESTION.digest("n")
    assert digest_of(["ab", "c"]) != digest_of(["a", "bc"])
