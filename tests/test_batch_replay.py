"""A map whose answers are kept beside the notebook, and given again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dask.dataframe
import pandas as pd
import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat import answer_file
from codebuddy_jupyter.chat.answer_file import day_of
from codebuddy_jupyter.errors import (
    MapStopped,
    NotKept,
    NotReplayed,
    SettingError,
    Stopped,
    Unreachable,
)
from codebuddy_jupyter.messages import Chunk
from codebuddy_jupyter.values.batch import replay
from codebuddy_jupyter.values.batch.call import call_map
from codebuddy_jupyter.values.batch.mapping import default_path
from tests.support.command_line import run_line
from tests.support.fakes import fake_of
from tests.support.notebooks_kept import Start
from tests.support.secrets_planted import PLANTED

DONE = Chunk(finish="stop")
TODAY = day_of(datetime.now())
TEXTS = ["good", "bad", "odd"]


@pytest.fixture
def kernel(start: Start, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Gives a Buddy in a new kernel on another machine, where no map has run."""

    def kernel(**traits: Any) -> Buddy:
        for file in default_path().parent.glob("maps.sqlite3*"):
            file.unlink()
        return buddy_of(start, monkeypatch, **traits)

    return kernel


def buddy_of(start: Start, monkeypatch: pytest.MonkeyPatch, **traits: Any) -> Buddy:
    buddy = start(**{"replay": "on", **traits})
    fake = fake_of(buddy)
    monkeypatch.setattr(fake, "stays_here", lambda: True)
    fake.answer = lambda request: [request.messages[-1].text.split()[-1].upper(), DONE]
    return buddy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the notebook's answers."""
    return tmp_path / "analysis.buddy.jsonl"


def mapped(buddy: Buddy, items: Any, prompt: str = "Shout {item}", **named: Any) -> Any:
    how: dict[str, Any] = {"sample": None, "dry_run": False, "stream": False}
    for name in how:
        how[name] = named.pop(name, how[name])
    return call_map(buddy, items, prompt, {"progress": False, **named}, **how)


def asked(buddy: Buddy) -> list[str]:
    """The rows that were asked about."""
    return [one.messages[-1].text.split()[-1] for one in fake_of(buddy).requests]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_another_machine_gets_the_same_values_without_a_request(
    kernel: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    first = mapped(kernel(), TEXTS)
    buddy = kernel()
    again = mapped(buddy, TEXTS)
    assert first == again == ["GOOD", "BAD", "ODD"]
    assert not asked(buddy)
    told = capsys.readouterr().out
    assert told == f"buddy: 3 rows are replayed, from {TODAY}, fake-1\n"


def test_no_server_needs_to_be_there(
    kernel: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped(kernel(), TEXTS)
    buddy = kernel()

    async def choose(model: str = "") -> str:
        raise Unreachable("Nothing listens there.")

    monkeypatch.setattr(fake_of(buddy), "choose", choose)
    assert mapped(buddy, TEXTS) == ["GOOD", "BAD", "ODD"]
    with pytest.raises(MapStopped, match=r"after 3 of 4 rows\. Nothing") as caught:
        mapped(buddy, [*TEXTS, "new"])
    assert caught.value.result[:3] == ["GOOD", "BAD", "ODD"]


def test_values_of_a_type_keep_their_index(kernel: Start) -> None:
    frame = pd.DataFrame({"text": ["1", None, "3"]}, index=["a", "b", "c"])
    first = mapped(kernel(), frame, "Count {text}", into=int)
    buddy = kernel(replay="only")
    again = mapped(buddy, frame, "Count {text}", into=int)
    pd.testing.assert_series_equal(first, again)
    assert list(again.dropna()) == [1, 3]
    assert not asked(buddy)


def test_only_rows_without_an_answer_are_asked_about(kernel: Start, path: Path) -> None:
    mapped(kernel(), TEXTS)
    buddy = kernel()
    rows = ["new", "good", "newer", "bad"]
    assert mapped(buddy, rows) == ["NEW", "GOOD", "NEWER", "BAD"]
    assert asked(buddy) == ["new", "newer"]
    assert [line["answer"] for line in lines_of(path)][3:] == ["NEW", "NEWER"]
    other = kernel(replay="only")
    assert mapped(other, rows) == ["NEW", "GOOD", "NEWER", "BAD"]


def test_only_never_asks(kernel: Start) -> None:
    mapped(kernel(), TEXTS)
    buddy = kernel(replay="only")
    with pytest.raises(MapStopped) as caught:
        mapped(buddy, [*TEXTS, "new"])
    assert str(caught.value) == (
        "buddy.map stopped after 3 of 4 rows. No answer about row 4 is kept in "
        "analysis.buddy.jsonl, and replay is “only”. Ask what is not kept: "
        "%buddy /replay on"
    )
    assert caught.value.result[:3] == ["GOOD", "BAD", "ODD"]
    for how in ({"dry_run": True}, {"replay": "on"}, {"replay": "off"}):
        with pytest.raises((NotReplayed, MapStopped), match="“only”"):
            mapped(buddy, ["newest"], **how)
    assert not asked(buddy)


def test_a_sample_is_replayed(kernel: Start) -> None:
    mapped(kernel(), TEXTS)
    buddy = kernel(replay="only")
    assert mapped(buddy, [*TEXTS, "new"], sample=2) == ["GOOD", "BAD"]
    assert not asked(buddy)


def test_a_map_over_dask_is_not_replayed(kernel: Start) -> None:
    frames: Any = dask.dataframe
    lazy = frames.from_pandas(pd.Series(TEXTS, name="text"), npartitions=1)
    with pytest.raises(NotReplayed, match="Nothing is asked"):
        mapped(kernel(replay="only"), lazy)


def test_by_default_nothing_is_kept(kernel: Start, path: Path) -> None:
    mapped(kernel(replay="off"), TEXTS)
    assert not path.exists()


def test_one_map_can_be_kept_alone(kernel: Start, path: Path) -> None:
    mapped(kernel(replay="off"), TEXTS, replay="on")
    assert len(lines_of(path)) == 3
    buddy = kernel(replay="off")
    assert mapped(buddy, TEXTS, replay="on") == ["GOOD", "BAD", "ODD"]
    assert not asked(buddy)
    with pytest.raises(SettingError, match="--replay takes"):
        mapped(buddy, TEXTS, replay="maybe")


def test_answers_of_earlier_runs_get_into_the_file(
    start: Start, kernel: Start, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped(kernel(replay="off"), TEXTS)
    buddy = buddy_of(start, monkeypatch)
    assert mapped(buddy, TEXTS) == ["GOOD", "BAD", "ODD"]
    assert not asked(buddy)
    assert [line["question"] for line in lines_of(path)] == [
        "Shout good",
        "Shout bad",
        "Shout odd",
    ]
    mapped(buddy, TEXTS)
    assert len(lines_of(path)) == 3


def test_the_file_is_written_where_no_conversation_is_kept(
    kernel: Start, path: Path
) -> None:
    mapped(kernel(keep_chats=False), TEXTS)
    assert len(lines_of(path)) == 3
    assert not default_path().exists()


@pytest.mark.parametrize(
    ("prompt", "options"),
    [
        ("Whisper {item}", {}),
        ("Shout {item}", {"into": str}),
        ("Shout {item}", {"model": "other"}),
        ("Shout {item}", {"system": "Be brief."}),
        ("Shout {item}", {"temperature": 1.5}),
        ("Shout {item}", {"max_tokens": 9}),
    ],
)
def test_another_question_model_or_option_is_a_miss(
    kernel: Start, prompt: str, options: dict[str, Any]
) -> None:
    mapped(kernel(), TEXTS)
    buddy = kernel()
    mapped(buddy, TEXTS, prompt, **options)
    assert len(asked(buddy)) >= len(TEXTS)


def test_secrets_are_redacted_as_in_what_is_sent(kernel: Start, path: Path) -> None:
    secret = PLANTED[0].secret
    buddy = kernel()
    fake_of(buddy).answer = lambda request: [PLANTED[0].text, DONE]
    mapped(buddy, [f"{PLANTED[0].text}"])
    text = path.read_text()
    assert secret not in text
    assert "Shout" in text


@pytest.mark.parametrize(
    ("edited", "value", "rows"), [('{"value": 7}', 7, []), ("many", 1, ["1"])]
)
def test_a_line_that_was_edited_counts_if_it_is_valid(
    kernel: Start, path: Path, edited: str, value: int, rows: list[str]
) -> None:
    mapped(kernel(), ["1", "2"], into=int)
    first, second = lines_of(path)
    lines = [{**first, "answer": edited}, second]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    buddy = kernel()
    assert mapped(buddy, ["1", "2"], into=int) == [value, 2]
    assert asked(buddy) == rows


def test_a_map_is_forgotten_as_one(kernel: Start, path: Path) -> None:
    buddy = kernel()
    mapped(buddy, ["other"], "Whisper {item}")
    mapped(buddy, TEXTS)
    told = run_line(buddy, "/replay")
    assert "has 4 answers" in told
    assert "0 questions got a kept answer, and 4 answers came anew" in told
    assert run_line(buddy, "/replay forget last").startswith("Deleted 3 answers")
    again = kernel()
    values = mapped(again, pd.Series(TEXTS))
    assert sorted(asked(again)) == sorted(TEXTS)
    values.forget()
    assert [line["question"] for line in lines_of(path)] == ["Whisper other"]


def test_a_map_is_forgotten_where_nothing_is_asked(kernel: Start, path: Path) -> None:
    mapped(kernel(), TEXTS)
    mapped(kernel(replay="only"), pd.Series(TEXTS)).forget()
    assert not path.exists()


def test_a_stream_without_an_end_is_replayed_as_it_comes(kernel: Start) -> None:
    mapped(kernel(), TEXTS)
    buddy = kernel(replay="only")
    stream = mapped(buddy, itertools.cycle(TEXTS), stream=True)
    values = [value for _, value in itertools.islice(stream, 1_000)]
    stream.close()
    assert values[:4] == ["GOOD", "BAD", "ODD", "GOOD"]


def test_an_interrupt_gives_what_was_replayed(kernel: Start) -> None:
    def rows() -> Iterator[str]:
        yield from TEXTS[:2]
        raise KeyboardInterrupt

    mapped(kernel(), TEXTS)
    with pytest.raises(Stopped, match="after 2 rows") as caught:
        mapped(kernel(), rows())
    assert caught.value.result == ["GOOD", "BAD"]


def test_a_notebook_that_is_not_known_is_one_line(
    kernel: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    buddy = kernel()
    buddy.collector.session = None
    assert mapped(buddy, TEXTS) == ["GOOD", "BAD", "ODD"]
    assert "the notebook's file is not known" in capsys.readouterr().out
    buddy.replay = "only"
    with pytest.raises(MapStopped, match="the notebook's file is not known"):
        mapped(buddy, ["new"])


def test_a_file_that_cannot_be_written_is_one_line(
    kernel: Start,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(answer_file, "_write", fail)
    assert mapped(kernel(), TEXTS) == ["GOOD", "BAD", "ODD"]
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert f"The answer is not kept in {path}: No space left on device." in told


def test_a_large_map_is_kept_in_part(
    kernel: Start,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(replay, "MOST_ROWS", 2)
    buddy = kernel()
    mapped(buddy, TEXTS)
    assert len(lines_of(path)) == 2
    told = "Only 2 answers of a map are kept in analysis.buddy.jsonl for replay."
    assert told in capsys.readouterr().out


def test_a_file_that_cannot_be_read_is_one_line_where_nothing_is_asked(
    kernel: Start, path: Path
) -> None:
    path.mkdir()
    with pytest.raises(MapStopped, match="cannot be read"):
        mapped(kernel(replay="only"), TEXTS)
    with pytest.raises(NotKept):
        run_line(kernel(), "/replay forget all")
