"""One question to one target: a prompt that does not fit, and what a count reveals."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import PromptTooLong
from codebuddy_jupyter.messages import Chunk, Usage
from codebuddy_jupyter.question.exchange import SMALLEST_CUT_PROMPT
from codebuddy_jupyter.question.options import Options
from tests.support.fakes import FakeProvider, is_well_formed, texts


def long_turns(buddy: Buddy, fake: FakeProvider, turns: int) -> None:
    """Have a conversation of about 300 tokens a turn."""
    for number in range(turns):
        fake.replies.append([f"{number} " + "word " * 200])
        buddy.ask(f"{number}?").result()


def test_the_oldest_turns_go_whole_and_a_note_tells(
    buddy: Buddy, fake: FakeProvider
) -> None:
    long_turns(buddy, fake, 6)
    fake.size = 1600
    reply = buddy.ask("and now?").result()
    sent = texts(fake.requests[-1])
    kept = (len(sent) - 2) // 2
    assert 0 < kept < 6
    assert sent[1] == ("user", f"{6 - kept}?")
    assert is_well_formed(fake.requests[-1])
    assert reply.notes == (
        f"The {6 - kept} oldest turns were left out: "
        "the conversation no longer fits the model's context window of 1,600 tokens.",
    )


def test_the_note_carries_the_command_that_widens_the_window(
    buddy: Buddy, fake: FakeProvider
) -> None:
    long_turns(buddy, fake, 6)
    fake.size, fake.command = 1600, "widen"
    assert (
        buddy.ask("and now?")
        .result()
        .notes[0]
        .endswith("1,600 tokens. Enlarge the context window: widen fake-1 4096")
    )


def test_a_prompt_that_the_server_cut_tells_the_command_as_well(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.command = "widen"
    fake.replies = [["ok", Chunk(finish="stop"), Chunk(usage=Usage(1000, 1))]]
    note = buddy.ask("word " * 4000).result().notes[0]
    assert "seems to have cut the prompt" in note
    assert note.endswith("Enlarge the context window: widen fake-1 8192")


def test_a_prompt_that_lost_its_room_to_the_answer_is_noticed(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.size = 8192
    fake.replies = [["ok", Chunk(finish="stop"), Chunk(usage=Usage(1000, 1))]]
    reply = buddy.ask("word " * 2000, Options(max_tokens=7000)).result()
    assert reply.notes[0].startswith("The server seems to have cut the prompt: ")


def test_system_and_question_stay_where_nothing_else_fits(
    buddy: Buddy, fake: FakeProvider
) -> None:
    long_turns(buddy, fake, 1)
    fake.size = 200
    reply = buddy.ask("and now?").result()
    assert [role for role, _ in texts(fake.requests[-1])] == ["system", "user"]
    assert "The oldest turn was left out" in reply.notes[0]


def test_where_no_window_is_told_a_usual_one_is_assumed(
    buddy: Buddy, fake: FakeProvider
) -> None:
    long_turns(buddy, fake, 15)
    notes = [note for turn in buddy.chat.turns for note in turn.reply.notes]
    assert len(texts(fake.requests[-1])) < 30
    assert notes
    assert all("context window of an assumed 4,096 tokens" in note for note in notes)


def test_a_server_that_says_it_is_too_long_gets_fewer_turns(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.size = 100_000
    long_turns(buddy, fake, 6)
    fake.replies = [[PromptTooLong("too long", tokens=2000, window=1500)], ["It fits."]]
    reply = buddy.ask("and now?").result()
    assert reply.text == "It fits."
    assert 2 < len(fake.requests[-1].messages) < len(fake.requests[-2].messages)
    assert is_well_formed(fake.requests[-1])
    assert "window of 1,500 tokens" in reply.notes[0]


def test_a_server_that_tells_no_number_is_asked_again_only_a_few_times(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.size = 100_000
    long_turns(buddy, fake, 20)
    asked = len(fake.requests)
    fake.replies = [[PromptTooLong("too long")]] * 10
    with pytest.raises(PromptTooLong):
        buddy.ask("and now?").result()
    assert len(fake.requests) - asked <= 10
    assert len(fake.requests[-1].messages) == 2


def test_a_prompt_that_is_too_long_by_itself_names_the_command_for_a_larger_window(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.command = "widen"
    fake.replies = [[PromptTooLong("too long", tokens=2000, window=1500)]]
    with pytest.raises(
        PromptTooLong,
        match=r"^too long\. Enlarge the context window: widen fake-1 4096$",
    ):
        buddy.ask("1?").result()


def test_a_question_that_does_not_fit_by_itself_does_not_push_out_the_others(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.size = 1000
    buddy.ask("1?").result()
    with pytest.raises(PromptTooLong):
        buddy.ask("x" * 10_000).result()
    reply = buddy.ask("3?").result()
    assert texts(fake.requests[-1])[1:] == [
        ("user", "1?"),
        ("assistant", "An answer."),
        ("user", "3?"),
    ]
    assert reply.notes == ()


def test_what_the_server_counts_corrects_the_estimate(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.size = 100_000
    fake.replies = [["One.", Chunk(usage=Usage(4000, 2))]]
    buddy.ask("word " * 1000).result()
    assert 3500 < buddy.tokens["fake-1"].count("word " * 1000) < 4500


def test_a_prompt_that_the_server_cut_without_a_word_is_noticed(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [["One.", Chunk(usage=Usage(2050, 2))]]
    reply = buddy.ask("word " * 5000).result()
    assert len(reply.notes) == 1
    assert reply.notes[0].startswith(
        "The server seems to have cut the prompt: about 5,"
    )
    assert reply.notes[0].endswith(" tokens were sent, and it read 2,050.")
    assert not buddy.tokens["fake-1"].learned


SENT = "word " * 1200


@pytest.mark.parametrize(
    ("counted", "is_reported"),
    [
        pytest.param(
            SMALLEST_CUT_PROMPT - 1, False, id="so small that it is no window"
        ),
        pytest.param(SMALLEST_CUT_PROMPT, True, id="the smallest window"),
        pytest.param(-1, True, id="less than the least"),
        pytest.param(0, False, id="the least"),
    ],
)
def test_a_count_shows_a_cut_prompt_from_500_tokens_to_the_least_that_was_sent(
    buddy: Buddy, fake: FakeProvider, counted: int, is_reported: bool
) -> None:
    assert SMALLEST_CUT_PROMPT == 500
    draft, _, _ = buddy.preview(SENT)
    least = buddy.tokens["fake-1"].least(draft.messages)
    assert least > SMALLEST_CUT_PROMPT + 1
    is_doubtful = counted != 0
    if counted <= 0:
        counted += least
    fake.replies = [["One.", Chunk(usage=Usage(counted, 2))]]
    notes = buddy.ask(SENT).result().notes
    assert bool(notes) == is_reported
    assert buddy.tokens["fake-1"].learned != is_doubtful


@pytest.mark.parametrize(
    ("first", "second", "is_reported"),
    [(600, 599, True), (600, 600, False), (499, 498, False), (501, 500, True)],
)
def test_a_conversation_that_grew_cannot_have_become_shorter(
    buddy: Buddy, fake: FakeProvider, first: int, second: int, is_reported: bool
) -> None:
    fake.replies = [
        ["One.", Chunk(usage=Usage(first, 2))],
        ["Two.", Chunk(usage=Usage(second, 2))],
    ]
    assert buddy.ask("word " * 300).result().notes == ()
    assert bool(buddy.ask("2?").result().notes) == is_reported


@pytest.mark.parametrize(
    ("window", "is_counted"), [(100_000, False), (2400, True)], ids=["small", "large"]
)
def test_the_server_counts_only_a_prompt_that_may_not_fit(
    buddy: Buddy,
    fake: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    is_counted: bool,
) -> None:
    counted: list[str] = []

    async def count(model: str, text: str) -> int:
        counted.append(text)
        return 2000

    monkeypatch.setattr(fake, "count", count)
    fake.size = window
    for _ in range(2):
        buddy.preview(SENT)
    assert counted == ([SENT] if is_counted else [])
    estimated = buddy.tokens["fake-1"].count(SENT)
    assert (estimated == pytest.approx(2000, abs=2)) == is_counted


@pytest.mark.parametrize(
    ("counted", "is_reported"),
    [(2050, True), (2048, True), (2060, False), (4000, False)],
)
def test_half_of_the_window_and_two_tokens_are_what_a_cut_leaves(
    buddy: Buddy, fake: FakeProvider, counted: int, is_reported: bool
) -> None:
    fake.size = 4096
    fake.replies = [["One.", Chunk(usage=Usage(counted, 2))]]
    notes = buddy.ask("word " * 2600).result().notes
    assert bool(notes) == is_reported
    assert buddy.tokens["fake-1"].learned != is_reported


def test_a_cut_that_left_little_of_a_long_conversation_is_noticed_and_not_learned(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.size = 4096
    fake.replies = [
        ["One.", Chunk(usage=Usage(2900, 2))],
        ["Two.", Chunk(usage=Usage(108, 2))],
    ]
    assert buddy.ask("word " * 2600).result().notes == ()
    estimate = buddy.tokens["fake-1"].count(SENT)
    notes = buddy.ask("2?").result().notes
    assert notes[0].endswith(" tokens were sent, and it read 108.")
    assert buddy.tokens["fake-1"].count(SENT) == estimate


def test_a_tokenizer_with_three_digits_in_a_token_is_no_cut(
    buddy: Buddy, fake: FakeProvider
) -> None:
    numbers = " ".join(str(number) for number in range(100_000, 100_400))
    fake.replies = [["One.", Chunk(usage=Usage(1250, 2))]]
    assert buddy.ask(numbers).result().notes == ()
    assert buddy.tokens["fake-1"].count(numbers) < 1400


def test_a_refused_prompt_is_fitted_once_by_its_true_length(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.size = 4096
    long_turns(buddy, fake, 10)
    sent = buddy.preview("and now?")[0]
    asked = len(fake.requests)
    refused = PromptTooLong("too long", tokens=5 * sent.tokens // 2, window=4096)
    fake.replies = [[refused], ["It fits."]]
    reply = buddy.ask("and now?").result()
    assert reply.text == "It fits."
    assert len(fake.requests) == asked + 2
    # Of a conversation that is cut, half of the window is kept for new turns.
    assert 1200 < buddy.tokens["fake-1"].total(fake.requests[-1].messages) <= 3072


@pytest.mark.parametrize(
    ("window", "max_tokens", "prompt"),
    [
        pytest.param(8192, None, 7168, id="room for an answer"),
        pytest.param(2000, None, 1500, id="at most a quarter"),
        pytest.param(8192, 100, 8092, id="for the longest answer"),
        pytest.param(None, None, 3072, id="an assumed window"),
    ],
)
def test_tokens_are_kept_free_for_the_answer(
    buddy: Buddy,
    fake: FakeProvider,
    window: int | None,
    max_tokens: int | None,
    prompt: int,
) -> None:
    fake.size = window
    draft, _, _ = buddy.preview("why?", Options(max_tokens=max_tokens))
    assert (draft.room.window, draft.room.prompt) == (window, prompt)
