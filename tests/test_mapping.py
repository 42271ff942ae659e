"""``buddy.map``: one question about many rows."""

from __future__ import annotations

import itertools
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from codebuddy_jupyter import api
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import (
    KeyRefused,
    MapStopped,
    PromptError,
    ServerError,
    SettingError,
    Stopped,
)
from codebuddy_jupyter.messages import Chunk, Request, Usage
from codebuddy_jupyter.values.batch.mapping import Map, MapOptions, default_path
from codebuddy_jupyter.values.batch.running import WINDOW
from tests.support.fakes import FakeProvider, Step, fake_of, local
from tests.support.map_server import MapServer

DONE = Chunk(finish="stop", usage=Usage(10, 2))


@dataclass
class Review:
    stars: int
    summary: str


@pytest.fixture
def asked(shell: Any, buddy: Buddy) -> Buddy:
    """The Buddy that the functions of the package find."""

    class Loaded:
        pass

    shell.codebuddy = Loaded()
    shell.codebuddy.buddy = buddy
    return buddy


@pytest.fixture(autouse=True)
def says(
    asked: Buddy, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> FakeProvider:
    """The provider, on this machine; it says the last word of the question."""
    monkeypatch.setattr(fake, "stays_here", lambda: True)
    fake.answer = lambda request: [question(request).split()[-1], DONE]
    return fake


def question(request: Request) -> str:
    return request.messages[-1].text


def mapped(items: Any, prompt: str = "Repeat {item}", **options: Any) -> Any:
    return api.map(items, prompt, progress=False, **options)


def prompts(fake: FakeProvider) -> list[str]:
    return [question(request) for request in fake.requests]


def fail_at(*bad: str) -> Any:
    def answer(request: Request) -> list[Step]:
        word = question(request).split()[-1]
        if word in bad:
            return [ServerError(f"It cannot read {word}.", status=400)]
        return [word, DONE]

    return answer


# The kinds of input


def test_a_list_gives_a_list() -> None:
    values = mapped(["a", "b", "c"])
    assert values == ["a", "b", "c"]
    assert values.errors == {}
    assert values.usage == Usage(30, 6)


def test_a_frame_gives_a_series_with_its_index() -> None:
    frame = pd.DataFrame({"text": ["a", "b"]}, index=["x", "y"])
    values = mapped(frame, "Repeat {text}")
    assert isinstance(values, pd.Series)
    assert values.to_dict() == {"x": "a", "y": "b"}
    assert values.errors == {}


def test_records_give_a_frame(fake: FakeProvider) -> None:
    fake.answer = lambda request: ['{"stars": 4, "summary": "good"}', DONE]
    frame = pd.DataFrame({"text": ["a", "b"]}, index=["x", "x"])
    values = mapped(frame, "Read {text}", into=Review)
    assert values.to_dict("list") == {"stars": [4, 4], "summary": ["good", "good"]}
    assert list(values.index) == ["x", "x"]
    assert mapped(["a"], "Read", into=Review) == [Review(4, "good")]


@pytest.mark.parametrize("items", [pl.Series("t", ["a", "b"]), pd.Series(["a", "b"])])
def test_a_series_gives_a_series(items: Any) -> None:
    values = mapped(items)
    assert type(values) is type(items)
    assert list(values) == ["a", "b"]


def test_a_dict_gives_a_dict() -> None:
    assert mapped({"x": "a", "y": "b"}) == {"x": "a", "y": "b"}


def test_an_iterable_gives_a_list() -> None:
    assert mapped(word for word in ("a", "b")) == ["a", "b"]


@pytest.mark.parametrize(
    "items",
    [[], {}, pd.DataFrame({"item": []}), pl.DataFrame({"item": []}), iter(())],
    ids=["list", "dict", "pandas", "polars", "iterator"],
)
def test_an_empty_input_asks_nothing(items: Any, fake: FakeProvider) -> None:
    assert len(mapped(items)) == 0
    assert fake.requests == []


def test_a_row_without_a_value_is_not_asked_about(fake: FakeProvider) -> None:
    values = mapped(["a", None, float("nan"), "  ", "b"])
    assert values == ["a", None, None, None, "b"]
    assert len(fake.requests) == 2


def test_what_is_asked_begins_with_what_all_rows_share(fake: FakeProvider) -> None:
    mapped(["a"], "Is this good?", into=bool, max_failures=1.0)
    first = fake.requests[0]
    system, asked = first.messages
    assert (system.role, asked.role) == ("system", "user")
    assert asked.text.endswith("Is this good?\n\na")
    assert first.schema is not None


# Bad input


def test_a_template_that_names_no_column_is_refused(fake: FakeProvider) -> None:
    frame = pd.DataFrame({"text": ["a"]})
    with pytest.raises(PromptError, match="names no column"):
        mapped(frame, "Repeat")
    with pytest.raises(PromptError, match="no column 'txt'"):
        mapped(frame, "Repeat {txt}")
    assert fake.requests == []


def test_a_type_without_a_schema_is_refused(fake: FakeProvider) -> None:
    with pytest.raises(SettingError):
        mapped(["a"], into=object())
    assert fake.requests == []


@pytest.mark.parametrize("items", ["one text", 7, None])
def test_what_has_no_rows_is_refused(items: Any) -> None:
    with pytest.raises(PromptError):
        mapped(items)


def test_an_option_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingError, match="Did you mean temperature"):
        mapped(["a"], temprature=0)
    with pytest.raises(SettingError, match="max_failures"):
        mapped(["a"], max_failures=2)


def test_a_row_of_a_million_characters_is_an_error_in_its_place(
    fake: FakeProvider,
) -> None:
    fake.size = 4096
    values = mapped(["a", "x" * 1_000_000, "b"])
    assert list(values) == ["a", None, "b"]
    assert "too long" in str(values.errors[1])


def test_a_row_that_cannot_be_sent_is_an_error_in_its_place() -> None:
    values = mapped(["a", b"bytes", {"b": 1}, "c"])
    assert values[0] == "a"
    assert list(values.errors) == [1]


def test_a_generator_that_raises_keeps_what_came(fake: FakeProvider) -> None:
    def rows() -> Iterator[str]:
        yield "a"
        yield "b"
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError) as caught:
        mapped(rows())
    assert "row 2" in caught.value.__notes__[0]
    assert len(fake.requests) == 2
    assert mapped(["a", "b", "c"]) == ["a", "b", "c"]
    assert len(fake.requests) == 3


# Errors


def test_one_bad_row_of_a_thousand_is_one_named_error(fake: FakeProvider) -> None:
    fake.answer = fail_at("row700")
    frame = pd.DataFrame({"text": [f"row{number}" for number in range(1_000)]})
    values = mapped(frame, "Repeat {text}")
    assert values.notna().sum() == 999
    assert list(values.errors) == [700]
    assert "cannot read row700" in str(values.errors[700])


def test_rows_that_failed_can_be_asked_about_again(fake: FakeProvider) -> None:
    fake.answer = fail_at("b", "c")
    values = mapped(iter(["a", "b", "c", "d", "e"]))
    assert list(values.errors) == [1, 2]
    fake.answer = fail_at("c")
    again = values.retry()
    assert again == ["a", "b", None, "d", "e"]
    assert list(again.errors) == [2]
    fake.answer = fail_at()
    assert again.retry() == ["a", "b", "c", "d", "e"]
    assert len(fake.requests) == 5 + 2 + 1


def test_rows_that_failed_are_asked_about_again_after_a_retry_that_stopped(
    fake: FakeProvider,
) -> None:
    fake.answer = fail_at("b", "c")
    values = mapped(["a", "b", "c", "d", "e"])
    fake.answer = lambda request: [KeyRefused("There is no key.")]
    with pytest.raises(MapStopped):
        values.retry()
    fake.answer = fail_at()
    assert values.retry() == ["a", "b", "c", "d", "e"]


def test_a_stream_keeps_no_row_that_failed(asked: Buddy, fake: FakeProvider) -> None:
    fake.answer = fail_at("b", "d")
    options = MapOptions(progress=False, max_failures=1.0)
    made = Map(asked, ["a", "b", "c", "d"], "Repeat {item}", options)
    assert len(list(made.stream())) == 4
    assert made._failed == {}


def test_too_many_failures_stop_the_map_and_what_came_is_kept(
    fake: FakeProvider,
) -> None:
    words = [f"row{number}" for number in range(200)]
    fake.answer = fail_at(*words[10:])
    with pytest.raises(MapStopped) as caught:
        mapped(words)
    assert "rows failed" in str(caught.value)
    assert "run it again to go on" in str(caught.value)
    assert caught.value.result[:10] == words[:10]
    assert len(caught.value.result) == 200
    before = len(fake.requests)
    fake.answer = fail_at()
    assert mapped(words) == words
    assert len(fake.requests) == before + 190


def test_a_fault_of_the_server_stops_the_map_with_its_line(fake: FakeProvider) -> None:
    fake.answer = lambda request: [KeyRefused("The key was rejected.")]
    with pytest.raises(MapStopped, match="The key was rejected") as caught:
        mapped(["a", "b", "c"])
    assert caught.value.result == [None, None, None]
    assert len(fake.requests) == 1


# On disk


def test_the_same_map_again_asks_nothing(fake: FakeProvider) -> None:
    frame = pd.DataFrame({"text": ["a", "b", "a"]})
    first = mapped(frame, "Repeat {text}")
    again = mapped(frame, "Repeat {text}")
    assert first.tolist() == again.tolist()
    assert len(fake.requests) == 2
    assert again.usage == Usage()


def test_only_what_is_missing_is_asked_for(fake: FakeProvider) -> None:
    mapped(["a", "b"])
    assert mapped(["b", "c", "a"]) == ["b", "c", "a"]
    assert prompts(fake) == ["Repeat a", "Repeat b", "Repeat c"]


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Say {item}"},
        {"into": str},
        {"system": "Be brief."},
        {"model": "another"},
        {"temperature": 1.0},
        {"max_tokens": 5},
        {"extra": {"seed": 1}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_question_is_a_new_job_and_said(
    change: dict[str, Any], fake: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    mapped(["a", "b"])
    assert capsys.readouterr().out == ""
    mapped(["a", "b"], **change)
    assert len(fake.requests) == 4
    out = capsys.readouterr().out
    assert out.count("answers to another question") == 1
    mapped(["a", "b"], **change)
    assert len(fake.requests) == 4
    assert capsys.readouterr().out == ""


def test_neither_rows_nor_the_question_are_on_disk() -> None:
    mapped(["Zanzibar"], "Count the letters of {item}", into=str)
    assert b"Zanzibar" not in default_path().read_bytes().replace(
        b'{"value": "Zanzibar"}', b""
    )
    assert b"Count the letters" not in default_path().read_bytes()


def test_what_is_on_disk_can_be_had_without_asking(fake: FakeProvider) -> None:
    mapped(["a", "b"])
    assert mapped(["a", "c", "b"], ask=False) == ["a", None, "b"]
    assert len(fake.requests) == 2


def test_answers_can_be_forgotten(fake: FakeProvider) -> None:
    mapped(["a", "b"]).forget()
    assert mapped(["a", "b"]) == ["a", "b"]
    assert len(fake.requests) == 4


def test_answers_are_not_kept_where_conversations_are_not(
    asked: Buddy, fake: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    asked.keep_chats = False
    mapped(["a", "b"])
    assert not default_path().exists()
    assert capsys.readouterr().out.count("not kept on disk") == 1
    mapped(["a", "b"])
    assert len(fake.requests) == 4


def test_a_file_that_cannot_be_written_is_told_once_and_the_values_come(
    fake: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    default_path().mkdir(parents=True)
    words = [f"row{number}" for number in range(100)]
    assert mapped(words) == words
    out = capsys.readouterr().out
    assert out.count("Answers are not kept in") == 1
    assert "stay in memory" in out
    fake.answer = fail_at(*words)
    with pytest.raises(MapStopped) as caught:
        mapped(words)
    assert "are kept" not in str(caught.value)


def test_a_job_that_is_used_is_not_deleted(fake: FakeProvider) -> None:
    mapped(["a"])
    with closing(sqlite3.connect(default_path())) as connection, connection:
        connection.execute("UPDATE jobs SET used = 0")
    mapped(["a"])
    assert len(fake.requests) == 1
    with closing(sqlite3.connect(default_path())) as connection:
        ((used,),) = connection.execute("SELECT used FROM jobs")
    assert used > 0


def test_an_answer_on_disk_that_is_not_valid_any_more_is_asked_for_again(
    fake: FakeProvider,
) -> None:
    fake.answer = lambda request: ['{"value": 7}', DONE]
    mapped(["a"], into=int)
    with closing(sqlite3.connect(default_path())) as connection, connection:
        connection.execute("UPDATE answers SET text = 'seven'")
    assert mapped(["a"], into=int) == [7]
    assert len(fake.requests) == 2


# Streams


def test_an_endless_stream_is_answered_as_it_is_read(fake: FakeProvider) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        for read in itertools.count(1):
            yield f"row{read}"

    stream = mapped(endless(), stream=True)
    seen = dict(itertools.islice(stream, 2_000))
    stream.close()
    assert len(seen) == 2_000
    assert all(value == f"row{key + 1}" for key, value in seen.items())
    assert read <= 2_000 + WINDOW + 1
    assert fake.ended.wait(30)


def test_a_row_that_fails_is_an_error_in_the_stream(fake: FakeProvider) -> None:
    fake.answer = fail_at("b")
    values = dict(mapped(iter("abc"), stream=True))
    assert (values[0], values[2]) == ("a", "c")
    assert isinstance(values[1], ServerError)


def test_a_stream_that_is_closed_asks_no_more(fake: FakeProvider) -> None:
    fake.answer = lambda request: [
        question(request) if len(fake.requests) < 3 else 3600.0
    ]
    stream = mapped([f"row{number}" for number in range(100)], stream=True)
    next(stream)
    stream.close()
    count = len(fake.requests)
    assert count < 100
    assert fake.ended.wait(30)


# A look before


def test_a_sample_asks_about_the_first_rows_and_tells_what_all_would_cost(
    fake: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame({"text": [f"row{number}" for number in range(1_000)]})
    values = mapped(frame, "Repeat {text}", sample=20)
    assert values.tolist() == [f"row{number}" for number in range(20)]
    assert len(fake.requests) == 20
    out = capsys.readouterr().out
    assert "1,000 rows, 980 requests" in out
    assert "1,960 of answers" in out


@pytest.mark.parametrize(
    "items",
    [pl.DataFrame({"item": ["a", "b"]}), {"x": "a", "y": "b"}, ["a", "b"], iter("ab")],
    ids=["polars", "dict", "list", "iterator"],
)
def test_a_sample_has_the_kind_of_the_input(items: Any, fake: FakeProvider) -> None:
    assert len(mapped(items, sample=1)) == 1
    assert len(fake.requests) == 1
    with pytest.raises(SettingError, match="1 row or more"):
        mapped(items, sample=0)


def test_what_can_be_read_once_only_has_no_dry_run(fake: FakeProvider) -> None:
    rows = iter(["a", "b"])
    with pytest.raises(SettingError, match=r"only once\. Make a list of it"):
        mapped(rows, dry_run=True)
    assert list(mapped(rows)) == ["a", "b"]


def test_a_sample_is_not_streamed(fake: FakeProvider) -> None:
    with pytest.raises(SettingError, match="a sample or a stream"):
        mapped(["a", "b"], sample=1, stream=True)
    assert fake.requests == []


def test_a_map_of_no_rows_gives_none(fake: FakeProvider) -> None:
    assert mapped([], "Repeat {text}") == []
    assert mapped({}, "Repeat {text}") == {}
    assert fake.requests == []


def test_a_dry_run_asks_nothing(fake: FakeProvider) -> None:
    rows = ["a", "b", "a", None, b"bytes"]
    estimate = mapped(rows, dry_run=True)
    assert fake.requests == []
    assert (estimate.rows, estimate.requests) == (5, 2)
    assert estimate.prompt_tokens > 20
    assert "5 rows, 2 requests to http://localhost:1" in repr(estimate)
    assert "sample=20" in repr(estimate)
    mapped(["a"])
    known = mapped(rows, dry_run=True)
    assert (known.requests, known.completion_tokens) == (1, 2)
    assert known.seconds is not None


# Privacy


def test_secrets_and_control_tokens_of_a_row_are_not_sent(fake: FakeProvider) -> None:
    key = "sk-proj-" + "Ab3dEf6hIj9kLm2n" * 3
    mapped([f"my key is {key}", "<|im_end|> now"])
    sent = " ".join(prompts(fake))
    assert key not in sent
    assert "<|im_end|>" not in sent


def test_a_map_to_another_machine_says_how_many_rows_leave(
    asked: Buddy, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = fake_of(asked, "OpenAI")
    cloud.base_url = "https://api.example.com/v1"
    cloud.answer = lambda request: ["yes", DONE]
    mapped(["a", "b", "c"], provider="openai")
    out = capsys.readouterr().out
    assert out.count("Up to 3 rows will be sent to https://api.example.com/v1") == 1


def test_offline_holds_as_ever(
    asked: Buddy, fake: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    asked.offline = True
    mapped(["a"])
    assert fake.offline_then == [True]


def test_what_is_set_while_a_stream_is_read_holds_for_its_next_rows(
    asked: Buddy, fake: FakeProvider
) -> None:
    fake.answer = lambda request: [0.001, "yes", DONE]
    stream = mapped((f"row{number}" for number in itertools.count()), stream=True)
    next(stream)
    asked.offline = True
    assert any(fake.offline for _ in itertools.islice(stream, 5_000))
    stream.close()
    assert fake.offline_then[-1]


@pytest.mark.parametrize(
    "options", [{"temperature": 3.0}, {"max_tokens": 0}, {"extra": {"model": "x"}}]
)
def test_what_no_question_can_set_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        mapped(["a"], **options)


# Several servers


def test_several_providers_share_the_rows(asked: Buddy, fake: FakeProvider) -> None:
    other = fake_of(asked, "Qwen")
    other.answer = lambda request: [0.01, question(request).split()[-1], DONE]
    fake.answer = other.answer
    words = [f"row{number}" for number in range(40)]
    assert mapped(words, provider=["Local", "Qwen"]) == words
    assert min(len(fake.requests), len(other.requests)) > 4
    assert len(fake.requests) + len(other.requests) == 40


@pytest.fixture
def real(tmp_path: Path, shell: Any) -> Iterator[Buddy]:
    """A Buddy whose providers are the real ones, as the functions find it."""
    buddy = Buddy(settings_path=tmp_path / "real.json")
    shell.codebuddy.buddy = buddy
    yield buddy
    buddy.close()


WORDS = [f"row{number}" for number in range(120)]


def last_word(prompt: str) -> str:
    return prompt.split()[-1]


def test_a_pool_of_servers_is_asked_within_their_slots(real: Buddy) -> None:
    with MapServer(slots=3, seconds=0.01) as one, MapServer(slots=5) as other:
        one.say = other.say = last_word
        local(real).pool = [one.url, other.url]
        assert mapped(WORDS) == WORDS
        assert sorted(
            last_word(asked) for asked in one.questions + other.questions
        ) == sorted(WORDS)
        assert one.most_at_once() <= 3
        assert other.most_at_once() <= 5
        assert one.questions
        assert other.questions


def test_a_server_of_the_pool_that_is_killed_loses_no_row(
    real: Buddy, capsys: pytest.CaptureFixture[str]
) -> None:
    with MapServer(slots=4, seconds=0.01) as other:
        dying = MapServer(slots=4, seconds=0.01).__enter__()
        dying.say = other.say = last_word
        local(real).pool = [dying.url, other.url]
        stream = mapped(WORDS, stream=True)
        values = dict(itertools.islice(stream, 20))
        dying.__exit__()
        values.update(stream)
        assert values == dict(enumerate(WORDS))
        told = capsys.readouterr().out
    assert told.count("Its rows go to the other servers.") == 1
    assert dying.url.removesuffix("/v1") in told


def test_a_pool_without_a_server_that_answers_says_so(real: Buddy) -> None:
    with MapServer(slots=2) as server:
        url = server.url
    local(real).base_url = url
    with pytest.raises(MapStopped, match="Nothing answers") as caught:
        mapped(WORDS, model="m")
    assert caught.value.result == [None] * len(WORDS)


def test_a_pool_of_different_models_is_refused(real: Buddy) -> None:
    with MapServer() as one, MapServer() as other:
        from tests.support.scripted_server import MODELS, model_list

        other.script(model_list("mistral"), path=MODELS)
        local(real).pool = [one.url, other.url]
        with pytest.raises(SettingError, match="different models") as caught:
            mapped(WORDS)
        assert "llama3 at" in str(caught.value)


# Interrupts


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="POSIX signals")
def test_an_interrupt_stops_the_requests_and_gives_what_came(real: Buddy) -> None:
    with MapServer(slots=4) as server:
        held = threading.Event()

        def say(prompt: str) -> Any:
            from tests.support.scripted_server import hang

            if len(server.questions) < 50:
                return last_word(prompt)
            if not held.is_set():
                held.set()
                main = threading.main_thread().ident
                assert main is not None
                signal.pthread_kill(main, signal.SIGINT)
            return hang()

        server.say = say
        local(real).base_url = server.url
        with pytest.raises(Stopped, match="run it again to go on") as caught:
            mapped(WORDS)
        server.wait_for("closed")
        came = [value for value in caught.value.result if value is not None]
        assert len(caught.value.result) == len(WORDS)
        assert 30 <= len(came) <= 50
        server.say = last_word
        assert mapped(WORDS) == WORDS
        # Those in flight are asked about again.
        assert len(server.questions) - len(WORDS) <= 4


def test_a_map_is_also_made_without_options(asked: Buddy) -> None:
    made = Map(asked, ["a"], "Repeat", MapOptions(progress=False))
    assert made.gather() == ["a"]
