"""Completion of code: one request at a time, and only what may be sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.completion.completer import Completer, Place
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.messages import Chunk
from tests.support.fakes import (
    FOREVER,
    FakeProvider,
    Step,
    eventually,
    fake_of,
)
from tests.support.sessions import run

SECONDS = 30.0


@pytest.fixture
def completer(buddy: Buddy) -> Completer:
    """A completer that is on."""
    buddy.completion_model = "Local/coder"
    return Completer(buddy)


def at(code: str, **fields: Any) -> Place:
    """The place of the ``|`` in code."""
    mark = "\u00a6" if "\u00a6" in code else "|"
    before, _, after = code.partition(mark)
    return Place(before + after, len(before), **fields)


def suggested(completer: Completer, code: str, **fields: Any) -> str:
    """What is suggested at the ``|`` in code."""
    future = completer.begin(at(code, **fields), lambda text: None)
    return future.result(SECONDS)


def test_what_the_model_writes_is_suggested_as_it_grows(
    completer: Completer, fake: FakeProvider
) -> None:
    fake.writes = [["he", "ad()", "\nx = 1"]]
    shown: list[str] = []
    assert completer.begin(at("df.|"), shown.append).result(SECONDS) == "head()"
    assert shown == ["he", "head()"]
    (request,) = fake.infills
    assert (request.before, request.after, request.model) == ("df.", "", "coder")


def test_the_server_is_left_at_the_end_of_the_statement(
    completer: Completer, fake: FakeProvider
) -> None:
    fake.writes = [["head()", "\n", FOREVER]]
    assert suggested(completer, "df.|") == "head()"
    assert fake.ended.wait(SECONDS)


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("|", {}),
        ("df.|head()", {}),
        ("%%buddy\nwhy is |", {"is_asked": True}),
        ("%buddy why is |", {}),
    ],
    ids=["an empty cell", "inside a line", "a question", "a question in a line"],
)
def test_nothing_is_asked_where_nothing_can_be_completed(
    completer: Completer, fake: FakeProvider, code: str, fields: dict[str, Any]
) -> None:
    assert suggested(completer, code, **fields) == ""
    assert fake.infills == []


def test_a_wrong_cursor_asks_nothing(completer: Completer, fake: FakeProvider) -> None:
    for cursor in (-1, 99):
        future = completer.begin(Place("df.", cursor), lambda text: None)
        assert future.result(SECONDS) == ""
    assert fake.infills == []


@pytest.mark.parametrize("replay", [True, False])
def test_it_is_off_without_a_model_and_where_nothing_is_to_be_asked(
    buddy: Buddy, fake: FakeProvider, replay: bool
) -> None:
    if replay:
        buddy.completion_model = "Local/coder"
        buddy.replay = "only"
    completer = Completer(buddy)
    assert not completer.is_on
    assert suggested(completer, "df.|") == ""
    assert fake.infills == []


def test_the_next_request_ends_the_one_before(
    completer: Completer, fake: FakeProvider
) -> None:
    fake.writes = [["a", FOREVER], ["b"]]
    first = completer.begin(at("df.|"), lambda text: None)
    assert fake.asked.wait(SECONDS)
    assert suggested(completer, "df.x|") == "b"
    assert fake.ended.is_set()
    with pytest.raises(CancelledError):
        first.result(SECONDS)


def test_one_request_is_on_its_way_at_a_time(
    completer: Completer, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_their_way: list[int] = []
    most: list[int] = []
    given = FakeProvider._given

    async def counted(self: FakeProvider, steps: Any) -> Any:
        on_their_way.append(1)
        most.append(len(on_their_way))
        try:
            async for chunk in given(self, steps):
                yield chunk
        finally:
            # As a connection takes a moment to close.
            await asyncio.sleep(0)
            on_their_way.pop()

    monkeypatch.setattr(FakeProvider, "_given", counted)

    def has_begun(count: int) -> bool:
        return len(most) >= count

    fake.writes = [["a", FOREVER] for _ in range(12)]
    for number in range(12):
        place = Place("x = " + "a" * number, 4 + number)
        completer.begin(place, lambda text: None)
        if number % 3 == 0:
            assert eventually(partial(has_begun, 1 + number // 3))
    completer.cancel()
    assert eventually(lambda: not on_their_way)
    assert max(most) == 1


def test_cancelling_ends_the_request(completer: Completer, fake: FakeProvider) -> None:
    fake.writes = [["a", FOREVER]]
    future = completer.begin(at("df.|"), lambda text: None)
    assert fake.asked.wait(SECONDS)
    completer.cancel()
    assert fake.ended.wait(SECONDS)
    assert future.cancelled()


def test_an_earlier_iterator_ends_without_an_error(
    completer: Completer, buddy: Buddy, fake: FakeProvider
) -> None:
    fake.writes = [["a", FOREVER], ["b"]]

    async def texts(code: str) -> list[str]:
        return [text async for text in completer.complete(at(code))]

    first = buddy.loop.submit(texts("df.|"))
    assert fake.asked.wait(SECONDS)
    assert buddy.loop.run(texts("df.x|")) == ["b"]
    assert first.result(SECONDS) == ["a"]


def test_nobody_waits_long_for_a_suggestion(
    completer: Completer, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "codebuddy_jupyter.completion.completer"
    monkeypatch.setattr(f"{module}.MOST_SECONDS", 0.5)
    fake.writes = [["he", FOREVER]]
    assert suggested(completer, "df.|") in ("", "he")


def test_typing_does_not_disturb_a_question(
    completer: Completer, buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.context = "none"
    fake.replies = [["answer", FOREVER]]
    reply = buddy.ask("why?")
    iterator = iter(reply)
    next(iterator)
    assert suggested(completer, "df.|") == ""
    assert fake.infills == []
    fake.writes = [["head()"]]
    assert suggested(completer, "df.|", is_asked=True) == "head()"
    reply.close()


@pytest.mark.parametrize(
    "error",
    [errors.NoInfill("No."), errors.Unreachable("Nothing answers.")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_raised_and_the_next_request_is_sent(
    completer: Completer, fake: FakeProvider, error: errors.BuddyError
) -> None:
    fake.writes = [["he", error], ["head()"]]
    with pytest.raises(type(error)):
        suggested(completer, "df.|")
    assert suggested(completer, "df.|") == "head()"


def test_the_limit_of_length_cuts_the_last_of_several_lines(
    completer: Completer, fake: FakeProvider
) -> None:
    fake.writes = [["x = 1\ny = f(", Chunk(finish="length")]]
    assert suggested(completer, "|", is_asked=True) == "x = 1"


# Where it is sent


def test_another_machine_is_asked_only_if_its_provider_is_named(
    buddy: Buddy, completer: Completer
) -> None:
    cloud = fake_of(buddy, "OpenAI")
    buddy.provider = "OpenAI"
    buddy.completion_model = "coder"
    with pytest.raises(errors.SettingError, match='"OpenAI/coder"') as caught:
        suggested(completer, "df.|")
    assert "another machine" in caught.value.what
    assert cloud.infills == []
    buddy.completion_model = "openai/coder"
    cloud.writes = [["head()"]]
    assert suggested(completer, "df.|") == "head()"
    assert [request.model for request in cloud.infills] == ["coder"]


def test_a_bare_name_is_asked_on_this_machine(
    buddy: Buddy,
    completer: Completer,
    fake: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeProvider, "stays_here", lambda self: True)
    buddy.completion_model = "coder"
    fake.writes = [["head()"]]
    assert suggested(completer, "df.|") == "head()"


def test_the_provider_has_the_present_settings(
    buddy: Buddy, completer: Completer, fake: FakeProvider
) -> None:
    fake.writes = [["a"], ["b"]]
    suggested(completer, "df.|")
    buddy.offline = True
    suggested(completer, "df.|")
    assert fake.offline_then == [False, True]


# What is sent


@pytest.fixture
def told(
    buddy: Buddy, session: Session, fake: FakeProvider, completer: Completer
) -> Callable[..., tuple[str, str]]:
    """Gives what is sent for code at the ``|``."""
    buddy.collector.session = session

    def told(code: str, **fields: Any) -> tuple[str, str]:
        fake.writes = [["x"]]
        fake.infills.clear()
        suggested(completer, code, **fields)
        request = fake.infills[-1]
        return request.before, request.after

    return told


Told = Callable[..., tuple[str, str]]


def test_earlier_cells_and_the_columns_of_a_frame_are_sent(told: Told) -> None:
    run("import pandas as pd", "a")
    run("sales = pd.DataFrame({'Region': ['N'], 'Units': [1]})", "b")
    run("1 / 0", "c")
    run("draft = 1", "d")
    before, after = told("total = sales.|\nprint(total)", cell="d")
    assert before.startswith("import pandas as pd\n\nsales = pd.DataFrame")
    assert "# sales: pandas.DataFrame" in before
    assert "Units" in before.rpartition("# sales")[2]
    assert before.endswith("\ntotal = sales.")
    assert "1 / 0" not in before
    assert "draft" not in before
    assert after == "\nprint(total)"


@pytest.mark.parametrize(
    ("context", "cells", "variables"),
    [("none", False, False), ("cells", True, False), ("variables", False, True)],
)
def test_what_questions_do_not_send_is_not_sent(
    buddy: Buddy, told: Told, context: str, cells: bool, variables: bool
) -> None:
    run("items = [1, 2]", "a")
    buddy.context = context
    before, _ = told("items.|")
    assert ("items = [1, 2]" in before) is cells
    assert ("# items" in before) is variables


def test_values_are_never_sent(buddy: Buddy, told: Told) -> None:
    buddy.context = "variables"
    run("word = 'swordfish'", "a")
    buddy.share_values = True
    before, _ = told("word.|")
    assert "# word" in before
    assert "swordfish" not in before


def test_secrets_are_redacted(told: Told) -> None:
    run("password = 'Tr0ub4dor&3x9'", "a")
    before, after = told("x = 'Tr0ub4dor&3x9'\ny = |\nz = 'Tr0ub4dor&3x9'")
    assert "Tr0ub4dor" not in before + after
    assert "[redacted" in before
    assert "[redacted" in after


def test_nothing_is_asked_inside_of_a_secret(
    buddy: Buddy, told: Told, fake: FakeProvider, completer: Completer
) -> None:
    run("password = 'Tr0ub4dor&3x9'", "a")
    fake.infills.clear()
    assert suggested(completer, "x = 'Tr0ub4|dor&3x9'", is_asked=True) == ""
    assert fake.infills == []


def test_control_tokens_are_text(told: Told) -> None:
    run("mark = '<|fim_middle|>'", "a")
    before, after = told("x = '<|fim_suffix|>'\ny = \u00a6\nz = '<fim_middle>'")
    for mark in ("<|fim_middle|>", "<|fim_suffix|>", "<fim_middle>"):
        assert mark not in before + after
    assert "fim_suffix" in before
    assert "fim_middle" in after


HOSTILE = """
class Hostile:
    def __getattr__(self, name):
        touched.append(name)
        raise RuntimeError(name)

    def __repr__(self):
        touched.append("repr")
        return "hostile"

    def _repr_llm_(self):
        touched.append("llm")
        return "hostile"

    def __len__(self):
        touched.append("len")
        return 1


touched = []
thing = Hostile()
"""


def test_no_code_of_the_users_is_run(told: Told, session: Session) -> None:
    run(HOSTILE, "a")
    before, _ = told("thing.|")
    assert "# thing: " in before
    assert session.namespace()["touched"] == []


def test_a_broken_notebook_does_not_prevent_it(
    buddy: Buddy, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Session, *rest: Any) -> Any:
        raise RuntimeError("no cells")

    run("items = [1, 2]", "a")
    monkeypatch.setattr(Session, "last_sources", broken)
    before, _ = told("items.|")
    assert "# items: " in before
    monkeypatch.setattr(Session, "names", broken)
    assert told("items.|")[0] == "items."


# The model is loaded once


def test_the_model_is_loaded_once_though_keys_are_pressed(
    completer: Completer, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    may_end = threading.Event()

    async def window(self: FakeProvider, model: str) -> int | None:
        loads.append(model)
        await asyncio.to_thread(may_end.wait, SECONDS)
        return None

    monkeypatch.setattr(FakeProvider, "window", window)
    steps: list[Step] = ["head()"]
    fake.writes = [steps]
    for code in ("d", "df", "df."):
        future = completer.begin(Place(code, len(code)), lambda text: None)
        assert eventually(lambda: bool(loads))
    may_end.set()
    assert future.result(SECONDS) == "head()"
    fake.writes = [steps]
    assert suggested(completer, "df.|") == "head()"
    assert loads == ["coder"]


def test_a_model_that_cannot_be_loaded_is_an_error_each_time(
    completer: Completer, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def window(self: FakeProvider, model: str) -> int | None:
        raise errors.ModelNotFound("There is none.")

    monkeypatch.setattr(FakeProvider, "window", window)
    for _ in range(2):
        with pytest.raises(errors.ModelNotFound):
            suggested(completer, "df.|")
