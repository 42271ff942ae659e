"""The next prompt is read ahead while nobody waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import Unreachable
from codebuddy_jupyter.messages import Chunk, Message, Reading, Request, Usage
from codebuddy_jupyter.question.ahead import FEWEST_LEFT, MOST_FAILURES, STEP_SECONDS
from codebuddy_jupyter.question.options import Options
from tests.support.fakes import FOREVER, FakeProvider, Step, eventually, texts
from tests.support.kinds import PLAYED, TEXT
from tests.support.local_calls import GENERATE, NATIVE
from tests.support.scripted_server import ScriptedServer, hang

DEAD = Unreachable("It is gone.")
SECRET = "sk-proj-Zq3x" + "T7b" * 15


@pytest.fixture
def fake(fake: FakeProvider) -> FakeProvider:
    """A provider that reads ahead, all at once."""
    fake.keeps, fake.speed = True, 1000.0
    return fake


@pytest.fixture(autouse=True)
def system(buddy: Buddy) -> str:
    """A system prompt that is long enough to be read ahead."""
    buddy.quiet.seconds = 0.0
    buddy.system_prompt = "Answer in one word. " * 20
    return str(buddy.system_prompt)


@pytest.fixture
def session(buddy: Buddy, shell: InteractiveShell) -> Iterator[Session]:
    session = Session(shell)
    session.listen()
    buddy.collector.session = session
    yield session
    session.leave()


def ahead(fake: FakeProvider) -> list[Request]:
    """The requests that read ahead."""
    return [request for request in fake.requests if request.max_tokens == 1]


def questions(fake: FakeProvider) -> list[Request]:
    return [request for request in fake.requests if request.max_tokens != 1]


def is_read(buddy: Buddy, fake: FakeProvider, times: int = 1) -> bool:
    """Whether so many requests read ahead to their end, and no more."""
    return eventually(lambda: len(ahead(fake)) >= times and settled(buddy)) and (
        len(ahead(fake)) == times
    )


def settled(buddy: Buddy) -> bool:
    """Wait until all reading that is due has ended."""

    async def wait() -> None:
        # The first lets begin what is due now.
        await asyncio.sleep(0)
        future = buddy.quiet._future
        if future is not None:
            await asyncio.wait([asyncio.wrap_future(future)], timeout=30)

    buddy.loop.run(wait())
    return True


def script(fake: FakeProvider, *steps: Step) -> None:
    """Answer questions as ever, and what reads ahead by these steps."""

    def answer(request: Request) -> tuple[Step, ...]:
        return steps if request.max_tokens == 1 else ("An answer.",)

    fake.answer = answer


OTHER_SYSTEM = "Answer in verse. " * 20


def test_after_a_question_the_conversation_is_read_ahead(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.ask("why?").result()
    buddy.ask("Something else?", Options(remember=False)).result()
    buddy.system_prompt = OTHER_SYSTEM
    assert is_read(buddy, fake)
    (request,) = ahead(fake)
    assert texts(request)[:3] == [
        ("system", OTHER_SYSTEM),
        ("user", "why?"),
        ("assistant", "An answer."),
    ]
    assert request.messages[-1].role == "user"
    assert request.model == "fake-1"


def test_what_the_question_itself_had_read_is_not_read_again(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.ask("why?").result()
    settled(buddy)
    assert len(fake.requests) == 1


def test_it_is_no_turn_and_no_question(buddy: Buddy, fake: FakeProvider) -> None:
    script(fake, "Hm", Chunk(usage=Usage(100, 1)), Chunk(finish="length"))
    buddy.quiet.begin()
    assert is_read(buddy, fake)
    assert buddy.chat.turns == []
    buddy.ask("why?").result()
    assert len(buddy.chat.turns) == 1
    assert buddy.chat.turns[0].reply.text == "An answer."
    buddy.ask("and now?").result()
    assert [message.text for message in questions(fake)[-1].messages[1:]] == [
        "why?",
        "An answer.",
        "and now?",
    ]


def test_before_the_first_question_nothing_is_read(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.quiet.note_cell_start()
    buddy.quiet.note_cell_end()
    settled(buddy)
    assert fake.requests == []


def test_once_a_panel_is_open_it_is_read_without_a_question(
    buddy: Buddy, fake: FakeProvider, system: str
) -> None:
    buddy.quiet.begin()
    assert is_read(buddy, fake)
    assert fake.requests[0].messages[0] == Message("system", system)


def test_what_has_not_changed_is_read_once(buddy: Buddy, fake: FakeProvider) -> None:
    buddy.quiet.begin()
    assert is_read(buddy, fake)
    for _ in range(3):
        buddy.quiet.note_change()
        settled(buddy)
    assert len(ahead(fake)) == 1
    buddy.system_prompt = OTHER_SYSTEM
    assert is_read(buddy, fake, 2)


@pytest.mark.parametrize("reason", ["off", "not loaded", "no prompt cache", "doubt"])
def test_nothing_is_read_ahead_if(
    buddy: Buddy, fake: FakeProvider, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason == "off":
        buddy.read_ahead = "off"
    elif reason == "doubt":
        monkeypatch.setattr(buddy, "notes_of_doubt", lambda: ("It cannot be read.",))
    fake.is_loaded = reason != "not loaded"
    fake.keeps = reason != "no prompt cache"
    buddy.quiet.begin()
    settled(buddy)
    assert fake.requests == []
    assert buddy.ahead.tokens == 0


def test_turned_off_it_stops_at_once(buddy: Buddy, fake: FakeProvider) -> None:
    script(fake, FOREVER)
    buddy.quiet.begin()
    assert fake.asked.wait(30)
    buddy.read_ahead = "off"
    assert fake.ended.wait(30)
    settled(buddy)
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    "options", [Options(remember=False), Options(context="none")], ids=str
)
def test_a_question_that_tells_nothing_of_the_notebook_begins_nothing(
    buddy: Buddy, fake: FakeProvider, options: Options
) -> None:
    buddy.ask("why?", options).result()
    buddy.system_prompt = OTHER_SYSTEM
    settled(buddy)
    assert len(fake.requests) == 1


def test_a_question_stops_it_before_it_is_sent(
    buddy: Buddy, fake: FakeProvider
) -> None:
    script(fake, FOREVER)
    buddy.quiet.begin()
    assert fake.asked.wait(30)
    ended_then: list[bool] = []

    def answer(request: Request) -> tuple[Step, ...]:
        ended_then.append(fake.ended.is_set())
        return ("An answer.",)

    fake.answer = answer
    buddy.ask("why?").result()
    # It may read ahead again after the answer.
    assert ended_then[0]


def test_a_cell_stops_it_and_its_end_lets_it_go_on(
    buddy: Buddy, fake: FakeProvider
) -> None:
    script(fake, FOREVER)
    buddy.quiet.begin()
    assert fake.asked.wait(30)
    buddy.quiet.note_cell_start()
    assert fake.ended.wait(30)
    script(fake, "Hm")
    buddy.quiet.note_cell_end()
    assert is_read(buddy, fake, 2)


def test_what_was_read_by_then_is_known(buddy: Buddy, fake: FakeProvider) -> None:
    script(fake, Chunk(reading=Reading(50, 100)), FOREVER)
    buddy.quiet.begin()
    assert eventually(lambda: buddy.ahead.tokens)
    half = buddy.ahead.tokens
    buddy.quiet.note_cell_start()
    assert fake.ended.wait(30)
    script(fake, "Hm")
    buddy.quiet.note_cell_end()
    assert is_read(buddy, fake, 2)
    assert half == pytest.approx(buddy.ahead.tokens / 2, abs=2)


def test_a_slow_model_reads_in_pieces_so_that_a_question_waits_for_one_only(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.speed = 40.0
    script(fake, "Hm")
    buddy.system_prompt = "".join(f"{number}. Answer.\n" for number in range(100))
    buddy.quiet.begin()
    assert eventually(lambda: len(ahead(fake)) > 5)
    settled(buddy)
    texts_read = [request.messages[0].text for request in ahead(fake)]
    assert len(texts_read) < 20
    assert buddy.system_prompt.startswith(texts_read[-1])
    rest = buddy.system_prompt.removeprefix(texts_read[-1])
    assert buddy.tokens["fake-1"].count(rest) <= FEWEST_LEFT
    for text, longer in pairwise(texts_read):
        assert longer.startswith(text)
        added = buddy.tokens["fake-1"].count(longer[len(text) :])
        assert added <= 40.0 * STEP_SECONDS + 10


def test_a_server_that_notices_soon_that_it_is_not_needed_reads_all_at_once(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.speed, fake.batch = 40.0, 64
    script(fake, "Hm")
    buddy.system_prompt = "".join(f"{number}. Answer.\n" for number in range(100))
    buddy.quiet.begin()
    assert is_read(buddy, fake)
    assert ahead(fake)[0].messages[0].text == buddy.system_prompt


def test_a_piece_that_was_not_read_ends_it(buddy: Buddy, fake: FakeProvider) -> None:
    fake.speed = 40.0
    # Nothing comes, not even an end.
    script(fake)
    buddy.system_prompt = "".join(f"{number}. Answer.\n" for number in range(100))
    buddy.quiet.begin()
    assert is_read(buddy, fake)


def test_the_tokens_are_told_until_a_question_is_asked(
    buddy: Buddy, fake: FakeProvider
) -> None:
    told: list[int] = []
    buddy.ahead.watchers.append(lambda: told.append(buddy.ahead.tokens))
    buddy.quiet.begin()
    assert is_read(buddy, fake)
    assert eventually(lambda: told and told[-1] > 50)
    fake.answer = lambda request: (FOREVER,)
    reply = buddy.ask("why?").start()
    assert eventually(lambda: told[-1] == 0)
    reply.close()


def test_failures_are_silent_and_end_it_until_a_question_succeeds(
    buddy: Buddy, fake: FakeProvider
) -> None:
    script(fake, DEAD)
    buddy.quiet.begin()
    for _ in range(MOST_FAILURES + 2):
        settled(buddy)
        buddy.quiet.note_change()
    settled(buddy)
    assert len(ahead(fake)) == MOST_FAILURES
    script(fake, "Hm")
    assert buddy.ask("why?").result().notes == ()
    buddy.system_prompt = OTHER_SYSTEM
    assert is_read(buddy, fake, MOST_FAILURES + 1)


def test_a_mistake_in_a_provider_is_a_failure(
    buddy: Buddy, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wrong(model: str) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(fake, "can_read_ahead", wrong)
    buddy.quiet.begin()
    settled(buddy)
    assert buddy.ask("and now?").result().text == "An answer."


def test_lines_for_the_user_come_with_the_next_answer(
    buddy: Buddy, fake: FakeProvider
) -> None:
    script(fake, Chunk(note="The engine was restarted."), "Hm")
    buddy.quiet.begin()
    assert is_read(buddy, fake)
    script(fake, "Hm")
    assert buddy.ask("why?").result().notes == ("The engine was restarted.",)
    assert buddy.ask("why?").result().notes == ()


def test_how_fast_the_model_reads_is_learned_and_kept(
    buddy: Buddy, fake: FakeProvider, home: Path
) -> None:
    script(fake, "Hm", Chunk(usage=Usage(100, 1, 90, 0.5)))
    buddy.quiet.begin()
    assert is_read(buddy, fake)
    (file,) = eventually_files(home)
    assert list(json.loads(file.read_bytes()).values()) == [180.0]


def eventually_files(home: Path) -> list[Path]:
    found: list[Path] = []

    def look() -> bool:
        found[:] = home.rglob("reading_speeds.json")
        return bool(found)

    eventually(look)
    return found


def test_without_context_only_the_conversation_is_read(
    buddy: Buddy, fake: FakeProvider, session: Session, shell: Any
) -> None:
    buddy.context = "none"
    shell.run_cell("orders = [1, 2, 3] * 100", store_history=True)
    buddy.quiet.begin()
    assert is_read(buddy, fake)
    assert not any("orders" in message.text for message in fake.requests[0].messages)


def test_secrets_are_redacted_in_what_is_read(
    buddy: Buddy, fake: FakeProvider, session: Session, shell: Any
) -> None:
    buddy.system_prompt = f"Use {SECRET}. " * 20
    shell.run_cell(f"key = {SECRET!r}", store_history=True)
    buddy.quiet.begin()
    assert is_read(buddy, fake)
    assert not any(SECRET in message.text for message in fake.requests[0].messages)


def test_the_request_goes_to_the_server_only_while_the_model_is_loaded(
    server: ScriptedServer, tmp_path: Path
) -> None:
    kind = PLAYED["Ollama"]
    buddy = Buddy(settings_path=tmp_path / "own.json")
    buddy.quiet.seconds = 0.0
    buddy.offline = True
    provider: Any = buddy.provider_named("Local")
    provider.base_url, provider.model = kind.on(server), "nomic-embed-text"
    try:
        buddy.loop.run(provider.find_server())
        buddy.quiet.begin()
        settled(buddy)
        assert not server.asked(NATIVE)
        assert not server.asked(GENERATE)
    finally:
        buddy.close()


def test_a_question_closes_the_connection_that_reads_ahead(
    server: ScriptedServer, tmp_path: Path
) -> None:
    kind = PLAYED["Ollama"]
    buddy = Buddy(settings_path=tmp_path / "own.json")
    buddy.quiet.seconds = 0.0
    buddy.offline = True
    buddy.system_prompt = "Answer in one word. " * 20
    provider: Any = buddy.provider_named("Local")
    provider.base_url, provider.model = kind.on(server), "qwen3:8b"
    try:
        buddy.loop.run(provider.find_server())
        server.script(hang(), path=NATIVE)
        buddy.quiet.begin()
        server.wait_for("arrived", NATIVE)
        (reading,) = server.asked(NATIVE)
        assert reading["body"]["options"]["num_predict"] == 1
        server.script(kind.reply, path=NATIVE)
        assert buddy.ask("why?", Options(context="none")).result().text == TEXT
        assert eventually(lambda: reading["closed"])
        assert not server.asked(GENERATE)
    finally:
        buddy.close()
