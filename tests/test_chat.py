"""Reply and Chat: an answer while it comes, and the conversation in which it stands."""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.conversation import Chat, Turn
from codebuddy_jupyter.chat.reply import STOPPED, Reply, Source
from codebuddy_jupyter.errors import (
    BuddyError,
    CutOff,
    PromptTooLong,
    Remedy,
    Stopped,
    Unreachable,
)
from codebuddy_jupyter.loop import Loop
from codebuddy_jupyter.messages import Chunk, ToolCall, Usage
from codebuddy_jupyter.question.exchange import SMALLEST_CUT_PROMPT
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.question.prompts import BROKE_OFF
from tests.support.fakes import FOREVER, FakeProvider, Step, eventually, texts

# seconds; no test waits that long unless it fails
ENOUGH = 30.0


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.stop()


Ask = Callable[..., Reply]


@pytest.fixture
def ask(loop: Loop) -> Ask:
    """Gives a reply that comes as these steps say."""

    def ask(*steps: Step) -> Reply:
        return Reply("why?", source(*steps), loop)

    return ask


def source(*steps: Step) -> Source:
    async def chunks(reply: Reply) -> AsyncIterator[Chunk]:
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                yield Chunk(text=step) if isinstance(step, str) else step

    return chunks


# Lazy, replayable, closable


def test_nothing_is_asked_before_the_first_look(loop: Loop) -> None:
    asked = threading.Event()

    async def chunks(reply: Reply) -> AsyncIterator[Chunk]:
        asked.set()
        yield Chunk("yes")

    reply = Reply("why?", chunks, loop)
    assert (reply.text, reply.done, repr(reply)) == (
        "",
        False,
        "<Reply from ?: not sent yet, 0 characters>",
    )
    assert not asked.is_set()
    assert str(reply) == "yes"
    assert asked.is_set()


def test_it_comes_piece_by_piece(ask: Ask) -> None:
    reply = ask("one ", "two ", FOREVER, "three")
    pieces = iter(reply)
    assert [next(pieces), next(pieces)] == ["one ", "two "]
    assert not reply.done
    assert repr(reply) == "<Reply from ?: streaming, 8 characters>"


def test_it_says_the_same_every_time(ask: Ask) -> None:
    reply = ask("one ", "two")
    assert [list(reply), list(reply), str(reply), reply.result().text] == [
        ["one ", "two"]
    ] * 2 + ["one two"] * 2


def test_who_comes_late_gets_all_from_the_beginning(ask: Ask) -> None:
    reply = ask("one ", "two ", 0.05, "three").start()
    assert eventually(lambda: reply.text == "one two ")
    assert "".join(reply) == "one two three"


def test_it_is_asked_once_however_many_look(loop: Loop) -> None:
    calls: list[int] = []

    async def chunks(reply: Reply) -> AsyncIterator[Chunk]:
        calls.append(1)
        for n in range(50):
            yield Chunk(f"{n} ")
            await asyncio.sleep(0.001)

    reply = Reply("why?", chunks, loop)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        heard = list(threads.map(lambda _: "".join(reply), range(8)))
    assert heard == ["".join(f"{n} " for n in range(50))] * 8
    assert calls == [1]


def test_it_tells_what_came_besides_its_text(ask: Ask) -> None:
    call = ToolCall("1", "plot", "{}")
    reply = ask(
        Chunk(reasoning="Hm. "),
        Chunk("Yes", "Well."),
        Chunk(tool_calls=(call,), finish="stop"),
        Chunk(usage=Usage(3, 2)),
        Chunk(note="A note."),
    ).result()
    assert (reply.text, reply.reasoning, reply.tool_calls) == (
        "Yes",
        "Hm. Well.",
        (call,),
    )
    assert (reply.finish, reply.usage, reply.notes) == (
        "stop",
        Usage(3, 2),
        ("A note.",),
    )


def test_it_tells_how_fast_it_came(ask: Ask) -> None:
    reply = ask(0.1, "one ", 0.1, Chunk(usage=Usage(10, 5)))
    assert (reply.seconds_to_first, reply.tokens_per_second) == (None, None)
    reply.result()
    assert reply.seconds_to_first is not None
    assert reply.seconds_to_first > 0.09
    assert reply.tokens_per_second is not None
    assert 0 < reply.tokens_per_second < 5 / 0.09


@pytest.mark.parametrize(
    "error",
    [CutOff("cut off"), ValueError("a bug"), SystemExit(3)],
    ids=["one of ours", "one of a stranger", "one that means to end all"],
)
def test_a_failure_is_told_each_time_after_what_had_come(
    ask: Ask, error: BaseException
) -> None:
    reply = ask("one ", error)
    heard: list[str] = []
    for _ in range(2):
        with pytest.raises(type(error)):
            heard.extend(reply)
        with pytest.raises(type(error)):
            str(reply)
    assert heard == ["one ", "one "]
    assert repr(reply) == "<Reply from ?: broke off, 4 characters>"


@pytest.mark.parametrize(
    "moment",
    ["before it is asked", "as it is asked", "while it waits", "midway", "at its end"],
)
def test_it_can_be_closed_at_any_moment(loop: Loop, moment: str) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def chunks(reply: Reply) -> AsyncIterator[Chunk]:
        begun.set()
        try:
            if moment == "while it waits":
                await asyncio.sleep(FOREVER)
            yield Chunk("one ")
            if moment in ("as it is asked", "midway"):
                await asyncio.sleep(FOREVER)
        finally:
            ended.set()

    reply = Reply("why?", chunks, loop)
    if moment != "before it is asked":
        reply.start()
    if moment == "while it waits":
        assert begun.wait(ENOUGH)
    if moment == "midway":
        assert reply.wait(ENOUGH, beyond=0)
    if moment == "at its end":
        reply.result()
    reply.close()
    reply.close()
    assert reply.done
    text = reply.text
    if moment == "at its end":
        assert str(reply) == "one "
    else:
        with pytest.raises(Stopped):
            str(reply)
    if moment in ("while it waits", "midway", "at its end"):
        assert ended.wait(ENOUGH)
    loop.run(asyncio.sleep(0))
    assert reply.text == text


def test_closed_before_it_is_asked_it_never_asks(loop: Loop) -> None:
    asked = threading.Event()

    async def chunks(reply: Reply) -> AsyncIterator[Chunk]:
        asked.set()
        yield Chunk("no")

    reply = Reply("why?", chunks, loop)
    reply.close()
    with pytest.raises(Stopped, match=r"Stopped\."):
        str(reply)
    loop.run(asyncio.sleep(0))
    assert not asked.is_set()


@pytest.mark.parametrize(
    "look", [str, list, Reply.result], ids=["str", "iterate", "result"]
)
def test_an_interrupt_stops_the_request_and_keeps_what_had_come(
    loop: Loop, look: Callable[[Reply], object]
) -> None:
    ended = threading.Event()

    async def chunks(reply: Reply) -> AsyncIterator[Chunk]:
        try:
            yield Chunk("one ")
            # by then the main thread waits
            await asyncio.sleep(0.2)
            _thread.interrupt_main()
            await asyncio.sleep(FOREVER)
        finally:
            ended.set()

    reply = Reply("why?", chunks, loop)
    with pytest.raises(Stopped):
        look(reply)
    assert ended.wait(ENOUGH)
    assert (reply.done, reply.text, str(reply.error)) == (True, "one ", STOPPED)


def test_leaving_an_iteration_does_not_stop_the_reply(ask: Ask) -> None:
    reply = ask("one ", "two")
    for _ in reply:
        break

    async def look_briefly() -> None:
        async for _ in reply:
            break

    asyncio.run(look_briefly())
    assert str(reply) == "one two"


# On a foreign event loop


def test_it_can_be_awaited_on_a_foreign_loop(ask: Ask) -> None:
    reply = ask("one ", 0.01, "two")

    async def look() -> list[str]:
        ticks: list[str] = []
        whole = await asyncio.gather(
            reply.aresult(), _pieces(reply, ticks), _pieces(reply, ticks)
        )
        assert whole[0] is reply
        return ticks

    assert sorted(asyncio.run(look())) == ["one ", "one ", "two", "two"]


async def _pieces(reply: Reply, pieces: list[str]) -> None:
    async for piece in reply:
        pieces.append(piece)


def test_a_failure_is_raised_on_a_foreign_loop(ask: Ask) -> None:
    with pytest.raises(CutOff):
        asyncio.run(_pieces(ask("one ", CutOff("cut off")), []))


def test_cancelling_who_awaits_it_stops_the_request(ask: Ask) -> None:
    reply = ask("one ", FOREVER)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply.aresult(), 0.1)

    asyncio.run(give_up())
    assert reply.done
    assert reply.text == "one "
    with pytest.raises(Stopped):
        str(reply)


def test_the_loop_goes_on_while_it_waits(ask: Ask) -> None:
    reply = ask(0.3, "one")

    async def count() -> int:
        waiting, ticks = asyncio.ensure_future(reply.aresult()), 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(count()) > 3


# As the value of a cell


def test_without_a_display_it_is_shown_as_its_repr(loop: Loop) -> None:
    with pytest.raises(NotImplementedError):
        Reply("why?", source("x"), loop)._ipython_display_()


def test_its_display_shows_it(loop: Loop) -> None:
    shown: list[Reply] = []
    reply = Reply("why?", source("x"), loop, shown.append)
    reply._ipython_display_()
    assert shown == [reply]


# The conversation


def is_well_formed(provider: FakeProvider) -> bool:
    """Whether the latest request is one that every server takes: one system message,
    then strictly in turn.
    """
    roles = [message.role for message in provider.requests[-1].messages]
    turns = len(roles) // 2 - 1
    return roles == ["system", *["user", "assistant"] * turns, "user"] and all(
        message.text.strip() for message in provider.requests[-1].messages
    )


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
    assert is_well_formed(fake)


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
    assert is_well_formed(fake)


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
    assert is_well_formed(fake)


def test_without_a_system_prompt_there_is_no_empty_message(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.ask("1?", Options(system="  ")).result()
    assert texts(fake.requests[0]) == [("user", "1?")]


# The window


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
    assert is_well_formed(fake)
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
    assert is_well_formed(fake)
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


def test_without_a_command_for_a_larger_window_the_remedy_is_general(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [[PromptTooLong("too long", Remedy("Shorten it"))]]
    with pytest.raises(PromptTooLong) as caught:
        buddy.ask("1?").result()
    assert str(caught.value) == (
        "too long. Shorten it; or load the model with a larger context window"
    )


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
        "The server seems to have cut the prompt: about 7,"
    )
    assert reply.notes[0].endswith(" tokens were sent, and it read 2,050.")
    assert buddy.tokens["fake-1"].bytes_per_token == 3.5


SENT = "word " * 1002
"""With the system prompt before it, an even number of estimated tokens."""


@pytest.mark.parametrize(
    ("counted", "is_reported"),
    [
        pytest.param(
            SMALLEST_CUT_PROMPT - 1, False, id="so small that it is no window"
        ),
        pytest.param(SMALLEST_CUT_PROMPT, True, id="the smallest window"),
        pytest.param(-1, True, id="less than half"),
        pytest.param(0, False, id="half"),
    ],
)
def test_a_count_shows_a_cut_prompt_from_500_tokens_to_half_of_what_was_sent(
    buddy: Buddy, fake: FakeProvider, counted: int, is_reported: bool
) -> None:
    assert SMALLEST_CUT_PROMPT == 500
    draft, _, _ = buddy.preview(SENT)
    half, odd = divmod(draft.tokens, 2)
    assert not odd
    assert half > SMALLEST_CUT_PROMPT + 1
    if counted <= 0:
        counted += half
    fake.replies = [["One.", Chunk(usage=Usage(counted, 2))]]
    notes = buddy.ask(SENT).result().notes
    assert bool(notes) == is_reported
    assert buddy.tokens["fake-1"].learned != is_reported


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


def test_a_chat_knows_what_came_before_a_reply(ask: Ask) -> None:
    replies = [ask(str(number)).result() for number in range(3)]
    chat = Chat([Turn(f"{number}?", reply) for number, reply in enumerate(replies)])
    assert [turn.question for turn in chat.before(replies[2])] == ["0?", "1?"]
    assert len(chat.before(ask("new"))) == 3


def test_an_error_that_is_ours_is_a_buddy_error(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [[Unreachable("Nothing answers.")]]
    with pytest.raises(BuddyError, match="Nothing answers"):
        str(buddy.ask("1?"))
