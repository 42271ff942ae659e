"""A reply: an answer while it comes, and afterwards."""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import json
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from copy import copy, deepcopy

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.chat.reply import STOPPED, Reply, Source
from codebuddy_jupyter.errors import (
    CutOff,
    PromptTooLong,
    Remedy,
    SettingError,
    Stopped,
    Unreachable,
)
from codebuddy_jupyter.messages import Chunk, ToolCall, Usage
from tests.support.fakes import FOREVER, Step, eventually

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


# What tools do with every variable and every output


SAVED = {
    "pickle": lambda reply: pickle.loads(pickle.dumps(reply)),
    "deepcopy": deepcopy,
}


@pytest.mark.parametrize("saved", SAVED.values(), ids=SAVED)
def test_a_reply_that_has_ended_can_be_saved_and_copied(
    ask: Ask, saved: Callable[[Reply], Reply]
) -> None:
    usage = Chunk(usage=Usage(5, 2), finish="stop")
    reply = ask("Once ", Chunk(reasoning="hm"), "upon", usage).result()
    reply.model = "llama3"
    again = saved(reply)
    assert str(again) == "Once upon"
    assert list(again) == ["Once ", "upon"]
    assert repr(again) == repr(reply)
    assert again.chunks == reply.chunks
    assert (again.prompt, again.usage, again.finish) == ("why?", usage.usage, "stop")
    assert again.tokens_per_second == reply.tokens_per_second
    again.close()
    assert again.error is None


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pickle_saves_it(ask: Ask, protocol: int) -> None:
    saved = pickle.dumps({"answer": [ask("Hi").result()]}, protocol)
    assert str(pickle.loads(saved)["answer"][0]) == "Hi"


def test_a_restored_reply_can_be_awaited_and_waited_for(ask: Ask) -> None:
    again = pickle.loads(pickle.dumps(ask("Hi").result()))
    assert str(asyncio.run(again.aresult())) == "Hi"
    called: list[bool] = []
    again.when_done(lambda: called.append(True))
    assert called == [True]


def test_saving_neither_sends_a_question_nor_waits_for_an_answer(loop: Loop) -> None:
    asked = threading.Event()

    async def chunks(reply: Reply) -> AsyncIterator[Chunk]:
        asked.set()
        yield Chunk(text="Once")
        await asyncio.sleep(FOREVER)

    reply = Reply("why?", chunks, loop)
    assert deepcopy(reply) is copy(reply) is reply
    unsent = pickle.loads(pickle.dumps(reply))
    assert not asked.is_set()
    assert next(iter(reply)) == "Once"
    partial = pickle.loads(pickle.dumps(reply))
    for early, text in ((unsent, ""), (partial, "Once")):
        assert early.text == text
        with pytest.raises(CutOff, match=r"before it was complete\. Ask again"):
            str(early)
    reply.close()


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (Unreachable("Down.", Remedy("Start it", "serve"), passing=True), Unreachable),
        (PromptTooLong("Long.", tokens=5, window=4), PromptTooLong),
        (Stopped("Stopped."), Stopped),
        (OSError(threading.Lock()), CutOff),
    ],
)
def test_the_error_of_a_saved_reply_is_raised_again(
    ask: Ask, error: BaseException, kept: type[BaseException]
) -> None:
    reply = ask("Once", error)
    assert reply.start().wait(ENOUGH)
    again = pickle.loads(pickle.dumps(reply))
    assert again.text == "Once"
    assert type(again.error) is kept
    if kept is type(error):
        assert str(again.error) == str(error)
        assert vars(again.error) == vars(error)


def test_an_error_that_was_caught_can_be_saved_and_copied(ask: Ask) -> None:
    with pytest.raises(Unreachable) as caught:
        ask(Unreachable("Down.", Remedy("Start it", "serve"), passing=True)).result()
    for again in (pickle.loads(pickle.dumps(caught.value)), deepcopy(caught.value)):
        assert str(again) == str(caught.value)
        assert again.passing


def test_it_is_formatted_and_searched_as_its_text(ask: Ask) -> None:
    reply = ask("Once ", "upon")
    assert f"{reply}" == "Once upon"
    assert f"{reply:>12}|{reply:.4}" == "   Once upon|Once"
    assert f"{reply!s:*^11}" == "*Once upon*"
    assert "%s" % reply == "Once upon"  # noqa: UP031 - users write it
    assert "ce up" in reply
    assert "on a" not in reply
    assert json.loads(json.dumps({"answer": reply}, default=str)) == {
        "answer": "Once upon"
    }


def test_text_before_the_beginning_of_the_answer_is_reasoning(ask: Ask) -> None:
    chunks = [Chunk(reasoning="Hm. "), Chunk("Okay."), Chunk(answer_begins=True)]
    reply = ask(*chunks, Chunk("Yes."), Chunk(reasoning=" Or no."))
    assert str(reply) == "Yes."
    assert reply.reasoning == "Hm. Okay. Or no."


# Values


@pytest.fixture
def typed(loop: Loop) -> Reply:
    """A typed reply, whose value nothing can pickle."""

    async def chunks(reply: Reply) -> AsyncIterator[Chunk]:
        reply.settle(lambda: 5)
        yield Chunk(text='{"value": 5}')

    return Reply("how many?", chunks, loop, is_typed=True)


def test_a_value_is_waited_for(typed: Reply) -> None:
    assert typed.value() == 5
    assert typed.value is typed.value
    assert typed.text == '{"value": 5}'


def test_a_reply_without_a_type_has_no_value_and_is_not_asked(ask: Ask) -> None:
    reply = ask("yes")
    with pytest.raises(SettingError, match=r"asked for no type.*into=bool"):
        _ = reply.value
    assert reply.started is None


def test_the_error_of_a_typed_reply_is_raised_by_its_value(loop: Loop) -> None:
    reply = Reply("why?", source(Unreachable("gone")), loop, is_typed=True)
    with pytest.raises(Unreachable):
        _ = reply.value


def test_a_typed_reply_can_be_pickled_without_its_value(typed: Reply) -> None:
    assert typed.value() == 5
    read = pickle.loads(pickle.dumps(typed))
    assert read.text == '{"value": 5}'
    with pytest.raises(SettingError, match="was not saved"):
        _ = read.value
    assert deepcopy(typed).value() == 5
