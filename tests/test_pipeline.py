"""The way of a question: what is sent, turn after turn, and what is refused."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import (
    BuddyError,
    CutOff,
    InvalidAnswer,
    PromptError,
    PromptTooLong,
    Remedy,
    SettingError,
    Unreachable,
)
from codebuddy_jupyter.messages import Chunk, Usage
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.question.prompts import BROKE_OFF, FORMATS, SYSTEM
from tests.support.fakes import FOREVER, FakeProvider, Step, is_well_formed, texts

# seconds; no test waits that long unless it fails
ENOUGH = 30.0


# What is sent


def test_a_question_is_sent_after_the_system_prompt(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.ask("why {x} is so?").result()
    assert texts(fake.requests[0]) == [("system", SYSTEM), ("user", "why {x} is so?")]
    assert (fake.requests[0].temperature, fake.requests[0].max_tokens) == (None, None)


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_asks_for_itself(
    buddy: Buddy, fake: FakeProvider, format: str
) -> None:
    reply = buddy.ask("why?", Options(format=format)).result()
    buddy.ask("and then?").result()
    wish = FORMATS[format]
    assert reply.format == format
    assert texts(fake.requests[0])[-1] == (
        "user",
        f"why?\n\n{wish}" if wish else "why?",
    )
    assert texts(fake.requests[1])[:2] == texts(fake.requests[0])


def test_options_win_over_settings_for_one_question(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.temperature, fake.max_tokens, fake.model, buddy.system_prompt = (
        1.5,
        500,
        "set",
        "As set.",
    )
    options = Options(
        model="mine",
        system="As said.",
        temperature=0.0,
        max_tokens=5,
        extra={"seed": 1},
    )
    buddy.ask("1?", options).result()
    buddy.ask("2?").result()
    first, second = fake.requests
    assert (first.model, first.temperature, first.max_tokens, first.extra) == (
        "mine",
        0.0,
        5,
        {"seed": 1},
    )
    assert (second.model, second.temperature, second.max_tokens, second.extra) == (
        "set",
        1.5,
        500,
        {},
    )
    assert (texts(first)[0][1], texts(second)[0][1]) == ("As said.", "As set.")


def test_new_begins_a_new_conversation(buddy: Buddy, fake: FakeProvider) -> None:
    buddy.ask("1?").result()
    buddy.ask("2?", Options(new=True)).result()
    buddy.ask("3?").result()
    assert [text for role, text in texts(fake.requests[-1]) if role == "user"] == [
        "2?",
        "3?",
    ]


def test_a_reply_that_nobody_looks_at_is_no_turn(
    buddy: Buddy, fake: FakeProvider
) -> None:
    unseen = buddy.ask("never?", Options(new=True))
    buddy.ask("1?").result()
    assert [role for role, _ in texts(fake.requests[0])] == ["system", "user"]
    assert not unseen.done


# What is refused


@pytest.mark.parametrize("prompt", ["", " ", "\n\t\n"])
def test_an_empty_prompt_is_refused(buddy: Buddy, prompt: str) -> None:
    with pytest.raises(PromptError) as caught:
        buddy.ask(prompt)
    assert (
        str(caught.value)
        == "There is nothing to ask. Type a question: %buddy why is df empty after the merge?"
    )


TEN_MEGABYTES = "x" * (10 * 1024 * 1024)


@pytest.mark.parametrize(
    ("window", "told"), [(4096, ", and its context window is 4,096 tokens"), (None, "")]
)
def test_a_prompt_of_ten_megabytes_is_refused_before_it_is_sent(
    buddy: Buddy, fake: FakeProvider, window: int | None, told: str
) -> None:
    fake.size = window
    with pytest.raises(PromptTooLong) as caught:
        buddy.ask(TEN_MEGABYTES).result()
    assert str(caught.value) == (
        f"The prompt is too long for fake-1: 10,485,760 characters{told}. "
        "Shorten it; or choose a model with a larger context window: %buddy /models"
    )
    assert fake.requests == []


def test_lone_surrogates_in_a_prompt_are_no_trouble(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.size = 4096
    assert str(buddy.ask("\ud800 and \udfff")) == "An answer."
    assert str(buddy.ask("again")) == "An answer."


def test_each_turn_sends_those_before_it_word_for_word(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [["One."], ["Two."]]
    for question in ("1?", "2?", "3?"):
        buddy.ask(question).result()
    assert [role for role, _ in texts(fake.requests[0])] == ["system", "user"]
    assert texts(fake.requests[2])[1:] == [
        ("user", "1?"),
        ("assistant", "One."),
        ("user", "2?"),
        ("assistant", "Two."),
        ("user", "3?"),
    ]
    assert fake.requests[2].messages[:4] == fake.requests[1].messages[:4]


ENDS = pytest.mark.parametrize("end", ["failed", "stopped"])


def break_off(buddy: Buddy, fake: FakeProvider, steps: list[Step], end: str) -> None:
    """Ask ``1?``, and have the answer break off after these steps."""
    last: Step = CutOff("cut off") if end == "failed" else FOREVER
    fake.replies = [[*steps, last]]
    fake.asked.clear()
    reply = buddy.ask("1?")
    if end == "failed":
        with pytest.raises(CutOff):
            reply.result()
    else:
        reply.start().wait(ENOUGH, beyond=len(steps) - 1)
        assert fake.asked.wait(ENOUGH)
        reply.close()


@ENDS
def test_a_partial_answer_is_sent_and_the_user_says_that_it_broke_off(
    buddy: Buddy, fake: FakeProvider, end: str
) -> None:
    break_off(buddy, fake, ["Half an"], end)
    for question in ("2?", "3?"):
        buddy.ask(question).result()
    assert texts(fake.requests[2])[1:] == [
        ("user", "1?"),
        ("assistant", "Half an"),
        ("user", f"{BROKE_OFF}\n\n2?"),
        ("assistant", "An answer."),
        ("user", "3?"),
    ]
    assert fake.requests[2].messages[:4] == fake.requests[1].messages
    assert is_well_formed(fake.requests[-1])


@ENDS
@pytest.mark.parametrize(
    "steps", [[], [Chunk(reasoning="Hm.")]], ids=["at once", "while it thought"]
)
def test_a_question_without_any_answer_is_not_sent_again(
    buddy: Buddy, fake: FakeProvider, steps: list[Step], end: str
) -> None:
    break_off(buddy, fake, steps, end)
    buddy.ask("2?").result()
    assert texts(fake.requests[1])[1:] == [("user", "2?")]
    assert len(buddy.chat.turns) == 2


def test_after_three_failed_questions_the_next_is_asked_as_if_they_were_not(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.ask("1?").result()
    for number in range(3):
        fake.replies = [[Unreachable("Nothing answers.")]]
        with pytest.raises(Unreachable):
            buddy.ask(f"failed {number}?").result()
    assert str(buddy.ask("2?")) == "An answer."
    assert texts(fake.requests[-1])[1:] == [
        ("user", "1?"),
        ("assistant", "An answer."),
        ("user", "2?"),
    ]


def test_reasoning_is_never_sent_back(buddy: Buddy, fake: FakeProvider) -> None:
    fake.replies = [
        [Chunk("One.", "a secret thought")],
        [Chunk(reasoning="another secret thought")],
    ]
    for question in ("1?", "2?", "3?"):
        buddy.ask(question).result()
    assert "thought" not in str([texts(request) for request in fake.requests])
    assert [text for _, text in texts(fake.requests[2])[1:]] == ["1?", "One.", "3?"]
    assert is_well_formed(fake.requests[-1])


def test_questions_that_overlap_leave_a_conversation_that_is_well_formed(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [["Slow", FOREVER], ["Quick."]]
    slow = buddy.ask("1?").start()
    assert slow.wait(ENOUGH, beyond=0)
    assert str(buddy.ask("2?")) == "Quick."
    assert texts(fake.requests[1])[1:] == [("user", "2?")]
    slow.close()
    buddy.ask("3?").result()
    assert texts(fake.requests[2])[1:] == [
        ("user", "1?"),
        ("assistant", "Slow"),
        ("user", f"{BROKE_OFF}\n\n2?"),
        ("assistant", "Quick."),
        ("user", "3?"),
    ]
    assert is_well_formed(fake.requests[-1])


def test_without_a_system_prompt_there_is_no_empty_message(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.ask("1?", Options(system="  ")).result()
    assert texts(fake.requests[0]) == [("user", "1?")]


def test_an_error_that_is_ours_is_a_buddy_error(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [[Unreachable("Nothing answers.")]]
    with pytest.raises(BuddyError, match="Nothing answers"):
        str(buddy.ask("1?"))


def test_without_a_command_for_a_larger_window_the_remedy_is_general(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [[PromptTooLong("too long", Remedy("Shorten it"))]]
    with pytest.raises(PromptTooLong) as caught:
        buddy.ask("1?").result()
    assert str(caught.value) == (
        "too long. Shorten it; or load the model with a larger context window"
    )


# Typed answers


def test_a_typed_question_tells_its_form_and_gives_a_value(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [('{"value":', " true}", Chunk(finish="stop"))]
    reply = buddy.ask("Is it late?", Options(into=bool))
    assert reply.value is True
    (request,) = fake.requests
    assert texts(request)[-1] == (
        "user",
        "Is it late?\n\nAnswer with JSON and nothing else, in this form:\n"
        '{"value": true or false}',
    )
    assert request.schema is not None
    assert (reply.prompt, reply.format) == ("Is it late?", "json")
    assert reply.text == '{"value": true}'


def test_a_typed_answer_of_equal_records_is_not_stopped(
    buddy: Buddy, fake: FakeProvider
) -> None:
    record = '{"city": "Oslo", "nights": "3"}'
    fake.replies = [('{"value": [', *[f"{record}, "] * 39, record, "]}")]
    reply = buddy.ask("Which trips?", Options(into=list[dict[str, str]])).result()
    assert reply.value == [{"city": "Oslo", "nights": "3"}] * 40
    assert len(fake.requests) == 1


def test_attempts_before_the_valid_answer_are_counted_and_not_shown(
    buddy: Buddy, fake: FakeProvider
) -> None:
    usage = Chunk(usage=Usage(10, 2))
    fake.replies = [("perhaps", usage), ("maybe", usage), ('{"value": true}', usage)]
    reply = buddy.ask("Is it late?", Options(into=bool)).result()
    assert (reply.value, reply.text) == (True, '{"value": true}')
    assert reply.usage == Usage(30, 6)
    assert reply.activity == "asking again, since the answer was not valid"
    assert [request.schema is None for request in fake.requests] == [False, False, True]
    assert texts(fake.requests[1])[-2] == ("assistant", "perhaps")
    buddy.ask("Sure?").result()
    assert texts(fake.requests[3])[-2] == ("assistant", '{"value": true}')


def test_an_answer_that_stays_invalid_is_no_part_of_the_conversation(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [("perhaps",)] * 3
    reply = buddy.ask("Is it late?", Options(into=bool))
    with pytest.raises(InvalidAnswer) as raised:
        reply.result()
    assert (raised.value.text, reply.text) == ("perhaps", "")
    buddy.ask("Why?").result()
    assert [role for role, _ in texts(fake.requests[3])] == ["system", "user"]


def test_what_held_for_a_model_is_used_for_the_next_question(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [("perhaps",), ("maybe",), ("yes",), ("no",)]
    options = Options(into=bool, remember=False)
    assert buddy.ask("Is it late?", options).value is True
    assert buddy.ask("Is it early?", options).value is False
    assert fake.requests[3].schema is None


def test_a_type_without_a_schema_is_refused_before_the_context_is_read(
    buddy: Buddy, fake: FakeProvider
) -> None:
    with pytest.raises(SettingError, match="cannot be the form of an answer"):
        buddy.ask("why?", Options(into=print))
    assert fake.requests == []


def test_the_json_of_a_typed_answer_is_not_checked_as_code(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.check = "repair"
    fake.replies = [('{"value": "```python\\nundefined_name\\n```"}',)]
    reply = buddy.ask("Code?", Options(into=str)).result()
    assert reply.findings == ()
    assert len(fake.requests) == 1


def test_secrets_are_redacted_in_every_attempt(
    buddy: Buddy, fake: FakeProvider
) -> None:
    secret = "sk-proj-" + "Ab3" * 16
    fake.replies = [(f"the key {secret}",), ("no",), ("true",)]
    buddy.ask(f"Is {secret} a key?", Options(into=bool)).result()
    for request in fake.requests:
        assert secret not in str(texts(request))


def test_a_typed_question_that_is_too_long_is_shortened(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.ask("1?").result()
    fake.replies = [(PromptTooLong("too long", tokens=5000, window=4096),), ("true",)]
    assert buddy.ask("2?", Options(into=bool)).value is True
    assert len(fake.requests) == 3
    assert len(fake.requests[2].messages) <= len(fake.requests[1].messages)
