"""Answers that are kept beside a notebook and given again, from kernel to kernel."""

from __future__ import annotations

import errno
import itertools
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.answer_file import AnswerFile, KeptAnswer
from codebuddy_jupyter.chat.conversation import CORRECTED
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.display.formats import final_output
from codebuddy_jupyter.display.status import status_line
from codebuddy_jupyter.errors import NotKept, NotReplayed, SettingError, Unreachable
from codebuddy_jupyter.messages import REPETITION, Chunk, ToolCall, Usage
from codebuddy_jupyter.question import kept_answers
from codebuddy_jupyter.question.options import Options
from tests.support.fakes import FOREVER, FakeProvider, Step, fake_of, texts
from tests.support.notebooks_kept import Start, settle
from tests.support.secrets_planted import PLANTED
from tests.support.snippets import namespace
from tests.support.watched import Watched

END = Chunk(finish="stop")
FILE = "analysis.buddy.jsonl"


@pytest.fixture
def kernel(start: Start) -> Start:
    """Gives a Buddy in a new kernel of the notebook, which replays answers."""

    def kernel(**traits: Any) -> Buddy:
        buddy = start(**{"replay": "on", **traits})
        number = itertools.count(1)
        fake_of(buddy).answer = lambda request: [f"Answer {next(number)}.", END]
        return buddy

    return kernel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the notebook's answers."""
    return tmp_path / FILE


def ask(buddy: Buddy, question: str, **options: Any) -> Reply:
    """Ask outside of all cells, and wait for the answer."""
    return buddy.ask(question, Options(**options)).result()


def asked(buddy: Buddy) -> int:
    """How many requests there were."""
    return len(fake_of(buddy).requests)


def names_of(buddy: Buddy) -> dict[str, Any]:
    """The user's variables."""
    session: Any = buddy.collector.session
    names: dict[str, Any] = session.namespace()
    return names


@contextmanager
def cell(buddy: Buddy, id: str) -> Iterator[None]:
    """A cell of this id runs meanwhile."""
    session: Any = buddy.collector.session
    info = SimpleNamespace(raw_cell=f"%buddy {id}", cell_id=id, store_history=True)
    session.on_start(info)
    yield
    session.on_end(SimpleNamespace(info=info, execution_count=1))


def in_cell(buddy: Buddy, id: str, question: str, **options: Any) -> str:
    """The answer to a question in a cell."""
    with cell(buddy, id):
        return ask(buddy, question, **options).text


# What is given again


def test_a_new_kernel_gives_the_same_answers_without_a_request(kernel: Start) -> None:
    first = kernel()
    given = [ask(first, question).text for question in ("1?", "2?", "1?")]
    again = kernel()
    replayed = [ask(again, question) for question in ("1?", "2?", "1?")]
    assert [reply.text for reply in replayed] == given
    assert given == ["Answer 1.", "Answer 2.", "Answer 3."]
    assert (asked(first), asked(again)) == (3, 0)
    assert {(reply.provider, reply.model) for reply in replayed} == {
        ("Local", "fake-1")
    }


def test_by_default_nothing_is_kept(start: Start, path: Path) -> None:
    buddy = start()
    ask(buddy, "1?")
    assert not path.exists()
    assert ask(start(), "1?").replayed is None


def test_off_gives_nothing_again(kernel: Start, path: Path) -> None:
    ask(kernel(), "1?")
    content = path.read_bytes()
    for options, traits in ({"replay": "off"}, {}), ({}, {"replay": "off"}):
        buddy = kernel(**traits)
        assert ask(buddy, "1?", **options).replayed is None
        assert asked(buddy) == 1
    assert path.read_bytes() == content


def test_one_question_can_be_kept_alone(start: Start, path: Path) -> None:
    buddy = start()
    ask(buddy, "1?", replay="on")
    ask(buddy, "2?")
    assert len(AnswerFile(path).answers().in_order) == 1
    again = start()
    assert ask(again, "1?", replay="on").replayed is not None
    assert asked(again) == 0


def test_equal_questions_keep_their_order(kernel: Start) -> None:
    def answers(buddy: Buddy) -> list[str]:
        return [ask(buddy, "1?", remember=False).text for _ in range(4)]

    assert answers(kernel()) == [f"Answer {number}." for number in (1, 2, 3, 4)]
    again = kernel()
    assert answers(again) == [f"Answer {number}." for number in (1, 2, 3, 4)]
    assert ask(again, "1?", remember=False).replayed is None


def test_a_replayed_answer_says_so_and_from_when(kernel: Start) -> None:
    fresh = kernel()
    fake_of(fresh).replies = [["A.", Chunk(usage=Usage(50, 1200), finish="length")]]
    first = ask(fresh, "1?")
    second = ask(kernel(), "1?")
    assert second.replayed is not None
    day = f"{second.replayed.day} {second.replayed:%b}"
    expected = f"replayed, from {day}, fake-1 · 1,200 tokens · cut at its length limit"
    assert status_line(second) == expected
    assert first.replayed is None
    assert status_line(first).startswith("fake-1 · 1,200 tokens")
    metadata = final_output(second)[1]["codebuddy"]
    assert metadata["replayed"] == second.replayed.isoformat()
    assert "replayed" not in final_output(first)[1]["codebuddy"]


@pytest.mark.parametrize("format", ["markdown", "text", "code", "json", "html", "math"])
def test_outputs_of_two_replays_are_equal_and_show_what_was_shown(
    kernel: Start, format: str
) -> None:
    fresh = kernel()
    text = 'Yes:\n\n```json\n{"a": 1}\n```\n\n<b>$x$</b> \N{SNOWMAN}'
    steps = [Chunk(reasoning="Hm. "), Chunk(reasoning="Yes."), *text, END]
    fake_of(fresh).replies = [steps]
    first = ask(fresh, "1?", format=format)
    one, two = (final_output(ask(kernel(), "1?", format=format)) for _ in range(2))
    assert one == two
    shown = final_output(first)
    first.replayed = ask(kernel(), "1?", format=format).replayed
    assert final_output(first) == one
    assert shown[0].keys() == one[0].keys()


def test_what_was_found_in_the_code_is_told_again(kernel: Start) -> None:
    fresh = kernel(context="auto")
    names_of(fresh).update(namespace())
    fake_of(fresh).replies = [["```python\nclients['Region']\n```", END]]
    found = ask(fresh, "the regions?").findings
    assert found == ("clients has no column 'Region'; nearest: 'region'",)
    again = kernel(context="auto")
    names_of(again).update(namespace())
    assert ask(again, "the regions?").findings == found
    assert asked(again) == 0


def test_a_corrected_answer_is_not_corrected_again(kernel: Start) -> None:
    traits = {"context": "auto", "check": "repair"}
    fresh = kernel(**traits)
    names_of(fresh).update(namespace())
    wrong, right = "```python\nclients['Region']\n```", "```python\nclients\n```"
    fake_of(fresh).replies = [[wrong, END], [right, END]]
    first = ask(fresh, "the regions?")
    ask(fresh, "2?")
    again = kernel(**traits)
    names_of(again).update(namespace())
    reply = ask(again, "the regions?")
    assert reply.text == first.text == f"{wrong}{CORRECTED}{right}"
    assert asked(again) == 0
    assert again.chat.turns[-1].steps == fresh.chat.turns[0].steps
    assert ask(again, "2?").replayed is not None


LOOKS: list[Sequence[Step]] = [
    ['{"look": "variable", "name": "clients", "part": "schema"}', END],
    ['{"look": "explain"}', END],
]


def test_what_was_looked_up_is_told_again_without_a_request(kernel: Start) -> None:
    fresh = kernel(context="auto")
    names_of(fresh).update(namespace())
    fake_of(fresh).replies = [*LOOKS, ["Five.", END]]
    first = ask(fresh, "clients or orders?", look=True)
    ask(fresh, "2?")
    again = kernel(context="auto", replay="only")
    names_of(again).update(namespace())
    reply = ask(again, "clients or orders?", look=True)
    assert [one.line for one in first.looked] == ["looked at clients: 5 columns"]
    assert (reply.text, reply.looked) == ("Five.", first.looked)
    assert again.chat.turns[0].looks == fresh.chat.turns[0].looks
    # What was looked up is part of the answer, which the next question follows.
    assert ask(again, "2?").replayed is not None
    assert asked(again) == 0


def test_an_answer_without_looks_is_not_one_with_them(kernel: Start) -> None:
    fresh = kernel(context="auto")
    names_of(fresh).update(namespace())
    ask(fresh, "columns?")
    again = kernel(context="auto", replay="only")
    names_of(again).update(namespace())
    with pytest.raises(NotReplayed):
        ask(again, "columns?", look=True)


def test_secrets_in_what_was_looked_up_are_not_kept(kernel: Start, path: Path) -> None:
    key = PLANTED[0].secret
    fresh = kernel(context="auto", redact_secrets=False)
    names_of(fresh).update(namespace())
    chosen = json.dumps({"look": "search_cells", "text": key})
    fake_of(fresh).replies = [[chosen, END], LOOKS[1], ["None.", END]]
    assert key in ask(fresh, "where is 'clients or orders'?", look=True).looked[0].text
    fresh.redact_secrets = True
    fake_of(fresh).replies = [[chosen, END], LOOKS[1], ["None.", END]]
    ask(fresh, "and where is 'clients or orders'?", look=True)
    assert key not in path.read_text(encoding="utf-8").splitlines()[-1]


# What counts


@pytest.mark.parametrize(
    "options",
    [
        {"model": "other"},
        {"provider": "openai"},
        {"system": "Be brief."},
        {"temperature": 0.0},
        {"max_tokens": 5},
        {"extra": {"seed": 1}},
        {"format": "text"},
    ],
    ids=str,
)
@pytest.mark.parametrize("replay", ["on", "prompt"])
def test_another_model_or_option_is_a_miss(
    kernel: Start, options: dict[str, Any], replay: str
) -> None:
    ask(kernel(), "1?")
    assert ask(kernel(), "1?", replay=replay, **options).replayed is None
    assert ask(kernel(), "1?", replay=replay, **options).replayed is not None
    assert ask(kernel(), "1?", replay=replay).replayed is not None


def test_another_context_is_a_miss_unless_only_the_prompt_counts(kernel: Start) -> None:
    first = kernel(context="auto")
    names_of(first)["prices"] = [1, 2]
    ask(first, "1?")
    changed = kernel(context="auto")
    names_of(changed).update(prices=[1, 2], discount={})
    assert ask(changed, "1?", replay="prompt").text == "Answer 1."
    assert asked(changed) == 0
    missed = kernel(context="auto")
    names_of(missed).update(prices=[1, 2], discount={})
    fake_of(missed).replies = [["Changed.", END]]
    assert ask(missed, "1?").text == "Changed."
    # Both are kept, and by the prompt the later one counts.
    both: list[dict[str, Any]] = [
        {"prices": [1, 2]},
        {"prices": [1, 2], "discount": {}},
    ]
    for names, expected in zip(both, ("Answer 1.", "Changed."), strict=True):
        again = kernel(context="auto")
        names_of(again).update(names)
        assert ask(again, "1?").text == expected
        assert ask(kernel(context="auto"), "1?", replay="prompt").text == "Changed."
        assert asked(again) == 0


def test_the_conversation_counts_and_goes_on(kernel: Start) -> None:
    first = kernel()
    ask(first, "1?")
    ask(first, "2?")
    settle(first)
    again = kernel()
    ask(again, "1?")
    assert ask(again, "2?").replayed is not None
    ask(again, "3?")
    # The conversation of the earlier kernel comes before.
    told = texts(fake_of(again).requests[0])[-5:]
    assert told == [
        ("user", "1?"),
        ("assistant", "Answer 1."),
        ("user", "2?"),
        ("assistant", "Answer 2."),
        ("user", "3?"),
    ]
    other = kernel()
    ask(other, "0?")
    assert ask(other, "1?").replayed is None
    assert ask(other, "2?", replay="prompt").text == "Answer 2."


def test_a_cell_that_runs_again_gets_the_same_answer(kernel: Start) -> None:
    buddy = kernel()
    first = [in_cell(buddy, "a", "1?"), in_cell(buddy, "b", "2?")]
    again = [in_cell(buddy, "b", "2?"), in_cell(buddy, "a", "1?")]
    assert again == [*reversed(first)]
    assert in_cell(buddy, "b", "2?") == first[1]
    assert asked(buddy) == 2
    assert in_cell(buddy, "c", "3?") == "Answer 3."
    after = kernel()
    answers = [
        in_cell(after, id, question)
        for id, question in (("a", "1?"), ("b", "2?"), ("c", "3?"))
    ]
    assert answers == ["Answer 1.", "Answer 2.", "Answer 3."]
    assert asked(after) == 0


def test_a_loop_in_a_cell_gets_the_same_answers_again(kernel: Start) -> None:
    buddy = kernel()

    def loop() -> list[str]:
        with cell(buddy, "loop"):
            return [ask(buddy, "1?", remember=False).text for _ in range(3)]

    first = loop()
    assert first == loop() == ["Answer 1.", "Answer 2.", "Answer 3."]
    assert in_cell(buddy, "other", "1?", remember=False) == "Answer 4."
    assert asked(buddy) == 4


def test_a_cell_whose_question_was_changed_is_asked_anew(kernel: Start) -> None:
    buddy = kernel()
    in_cell(buddy, "a", "1?")
    in_cell(buddy, "b", "2?")
    assert in_cell(buddy, "a", "changed?") == "Answer 3."
    after = kernel()
    assert in_cell(after, "a", "changed?") == "Answer 3."
    assert asked(after) == 0
    # The conversation before it is another now.
    assert in_cell(after, "b", "2?") == "Answer 1."
    assert asked(after) == 1


def test_the_values_in_a_prompt_count(kernel: Start) -> None:
    def about(value: int) -> Reply:
        buddy = kernel()
        return buddy.ask("why {x}?", Options(), {"x": value}).result()

    about(1)
    assert about(1).replayed is not None
    assert about(2).replayed is None


def test_what_the_panel_asks_is_neither_kept_nor_given_again(
    kernel: Start, path: Path
) -> None:
    first = kernel()
    panel = Watched(first)
    panel.ask("1?")
    assert panel.answered()
    assert not path.exists()
    ask(first, "2?")
    panel.close()
    again = kernel()
    assert ask(again, "2?").replayed is not None


def test_with_only_the_panel_asks_nothing(kernel: Start) -> None:
    buddy = kernel(replay="only")
    panel = Watched(buddy)
    panel.ask("1?")
    assert panel.answered()
    panel.close()
    error = buddy.chat.turns[-1].reply.error
    assert isinstance(error, NotReplayed)
    assert asked(buddy) == 0


# Only


def test_only_never_asks(kernel: Start, path: Path) -> None:
    ask(kernel(), "1?")
    for traits, options in ({"replay": "only"}, {}), ({}, {"replay": "only"}):
        buddy = kernel(**traits)
        assert ask(buddy, "1?", **options).text == "Answer 1."
        with pytest.raises(NotReplayed) as caught:
            ask(buddy, "2?", **options)
        assert str(caught.value) == (
            f"No answer to this question is kept in {FILE}, and replay is “only”. Ask the "
            "model, and keep its answer: %buddy /replay on"
        )
        assert asked(buddy) == 0
    assert len(AnswerFile(path).answers().in_order) == 1


@pytest.mark.parametrize("replay", ["on", "off", "prompt"])
def test_no_option_of_a_cell_makes_only_ask(kernel: Start, replay: str) -> None:
    buddy = kernel(replay="only")
    with pytest.raises(NotReplayed):
        ask(buddy, "1?", replay=replay)
    assert asked(buddy) == 0


def test_only_says_when_just_the_context_differs(kernel: Start) -> None:
    ask(kernel(context="auto"), "1?")
    buddy = kernel(replay="only", context="auto")
    names_of(buddy)["discount"] = {}
    with pytest.raises(NotReplayed) as caught:
        ask(buddy, "1?")
    assert str(caught.value) == (
        f"The answer in {FILE} was asked with another context, and replay is “only”. Use "
        "it all the same: %%buddy --replay=prompt; or ask what is not kept: %buddy "
        "/replay on"
    )
    assert ask(buddy, "1?", replay="prompt").text == "Answer 1."


def test_only_reads_nothing_ahead(kernel: Start) -> None:
    buddy = kernel(replay="only")
    fake_of(buddy).keeps = True
    assert buddy.loop.run(buddy._pipeline._next_exchange()) is None
    buddy.replay = "on"
    assert buddy.loop.run(buddy._pipeline._next_exchange()) is not None


def test_a_replayed_answer_lets_nothing_be_read_ahead(kernel: Start) -> None:
    ask(kernel(context="auto"), "1?", context="auto")
    buddy = kernel(context="auto")
    assert ask(buddy, "1?", context="auto").replayed is not None
    assert not buddy.quiet._is_on


def test_a_lookup_asks_the_server_nothing(
    kernel: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(kernel(), "1?")

    async def refuse(*arguments: object) -> None:
        raise Unreachable("gone")

    for name in ("choose", "window", "window_now", "models", "stream", "count"):
        monkeypatch.setattr(FakeProvider, name, refuse)
    assert ask(kernel(), "1?").text == "Answer 1."


# What is kept


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(["half", Unreachable("gone")], id="broken off"),
        pytest.param([END], id="empty"),
        pytest.param([" \n", END], id="blank"),
        pytest.param(
            [
                "I call.",
                Chunk(tool_calls=(ToolCall("1", "f", "{}"),), finish="tool_calls"),
            ],
            id="tool call",
        ),
    ],
)
def test_what_is_no_whole_answer_is_not_kept(
    kernel: Start, path: Path, steps: list[Any]
) -> None:
    buddy = kernel()
    fake_of(buddy).replies = [steps]
    reply = buddy.ask("1?").start()
    assert reply.wait(30)
    ask(buddy, "2?")
    kept = AnswerFile(path).answers().in_order
    assert [answer.question for answer in kept] == ["2?"]


def test_a_stopped_answer_is_not_kept(kernel: Start, path: Path) -> None:
    buddy = kernel()
    fake_of(buddy).replies = [["half", FOREVER]]
    reply = buddy.ask("1?").start()
    assert reply.wait(30, beyond=0)
    reply.close()
    ask(buddy, "2?")
    assert len(AnswerFile(path).answers().in_order) == 1


def test_a_repetition_is_kept_as_such(kernel: Start) -> None:
    buddy = kernel()
    fake_of(buddy).replies = [["again and again. " * 400]]
    first = ask(buddy, "1?")
    assert first.finish == REPETITION
    second = ask(kernel(), "1?")
    assert (second.finish, second.text) == (REPETITION, first.text)


@pytest.mark.parametrize("secret", PLANTED[:40:8], ids=lambda secret: secret.name)
def test_secrets_are_redacted_as_in_what_is_sent(
    kernel: Start, path: Path, secret: Any
) -> None:
    buddy = kernel()
    fake_of(buddy).replies = [[Chunk(reasoning=secret.text), f"So: {secret.text}", END]]
    ask(buddy, f"why {secret.text}?")
    assert secret.secret not in path.read_text(encoding="utf-8")
    assert ask(kernel(), f"why {secret.text}?").replayed is not None


def test_questions_at_the_same_time_keep_their_order(kernel: Start) -> None:
    def answers(buddy: Buddy) -> list[str]:
        replies = [buddy.ask("1?", Options(remember=False)) for _ in range(8)]
        for reply in replies:
            reply.start()
        return [reply.result().text for reply in replies]

    first = answers(kernel())
    again = kernel()
    assert answers(again) == first
    assert asked(again) == 0


# Where it is kept


def test_a_notebook_that_is_not_known_is_one_line(buddy: Buddy) -> None:
    buddy.replay = "on"
    line = (
        "Answers are not kept for replay: the notebook's file is not known. Name a file "
        'for them: %config Buddy.replay_file = "answers.buddy.jsonl"'
    )
    reply = ask(buddy, "1?")
    assert (reply.text, reply.notes) == ("An answer.", (line,))
    buddy.replay = "only"
    with pytest.raises(NotKept) as caught:
        ask(buddy, "1?")
    assert str(caught.value) == line


def test_a_file_can_be_named(kernel: Start, tmp_path: Path, path: Path) -> None:
    named = tmp_path / "named.jsonl"
    for name in (str(named), "named.jsonl", f"~/{os.path.relpath(named, Path.home())}"):
        buddy = kernel(replay_file=name)
        names_of(buddy)["__vsc_ipynb_file__"] = str(tmp_path / "analysis.ipynb")
        ask(buddy, "1?")
        assert len(AnswerFile(named).answers().in_order) == 1
    assert not path.exists()


@pytest.mark.parametrize("name", ["notes.txt", "analysis.ipynb", "a\0.jsonl", "~"])
def test_another_file_is_not_written_to(buddy: Buddy, name: str) -> None:
    with pytest.raises(Exception, match=r"must end in \.jsonl"):
        buddy.change({"replay_file": name})


def test_the_environment_can_switch_replay(
    kernel: Start, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    monkeypatch.setenv("CODEBUDDY_REPLAY", "only")
    buddy = start()
    with pytest.raises(NotReplayed):
        ask(buddy, "1?")


@pytest.mark.parametrize("value", ["maybe", "On", "1"])
def test_an_option_that_does_not_exist_is_refused(value: str) -> None:
    with pytest.raises(SettingError, match="--replay takes on, prompt, only, off, not"):
        Options(replay=value)


# Faults


def test_lines_that_cannot_be_read_are_told_once(kernel: Start, path: Path) -> None:
    ask(kernel(), "1?")
    with path.open("a") as file:
        file.write("no answer\n{}\n")
    buddy = kernel()
    notes = [ask(buddy, "1?").notes, ask(buddy, "2?").notes]
    line = f"2 lines are ignored in {FILE}: no answer can be read there"
    assert notes == [(line,), ()]


def test_an_answer_that_was_edited_by_hand_is_given(kernel: Start, path: Path) -> None:
    ask(kernel(), "1?")
    path.write_text(path.read_text().replace("Answer 1.", "Edited."))
    assert ask(kernel(), "1?").text == "Edited."


def test_what_stands_in_the_file_is_shown_safely(kernel: Start, path: Path) -> None:
    ask(kernel(), "1?")
    harmful = path.read_text().replace("Answer 1.", "<script>x()</script>")
    harmful = harmful.replace('"fake-1"', '"<img src=x onerror=y()>\\u001b[31m"')
    path.write_text(harmful)
    data, _ = final_output(ask(kernel(), "1?"))
    assert "<script" not in data["text/markdown"]
    assert "<img" not in data["text/markdown"]
    assert "\x1b" not in data["text/plain"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_an_answer_that_cannot_be_kept_is_not_lost(
    kernel: Start, path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(self: AnswerFile, line: bytes) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(AnswerFile, "_append", refuse)
    reply = ask(kernel(), "1?")
    assert (reply.text, reply.error) == ("Answer 1.", None)
    assert reply.notes == (
        f"The answer is not kept in {path}: {os.strerror(code)}. Choose another file: "
        '%config Buddy.replay_file = "answers.buddy.jsonl"',
    )


def test_a_file_that_cannot_be_read_does_not_keep_from_asking(
    kernel: Start, path: Path
) -> None:
    path.mkdir()
    reply = ask(kernel(), "1?")
    assert reply.text == "Answer 1."
    assert len(reply.notes) == 1
    with pytest.raises(NotKept, match="it is not a regular file"):
        ask(kernel(replay="only"), "1?")


def test_a_disk_that_hangs_does_not_hold_up_an_answer_for_long(
    kernel: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = threading.Event()
    add = AnswerFile.add

    def hang(self: AnswerFile, answer: KeptAnswer) -> None:
        hanging.wait(60)
        add(self, answer)

    monkeypatch.setattr(AnswerFile, "add", hang)
    monkeypatch.setattr(kept_answers, "PATIENCE", 0.05)
    try:
        reply = ask(kernel(), "1?")
        assert reply.text == "Answer 1."
        assert len(reply.notes) == 1
        assert "does not respond" in reply.notes[0]
    finally:
        hanging.set()


def test_two_kernels_of_one_notebook_share_what_is_kept(kernel: Start) -> None:
    one, two = kernel(), kernel()
    ask(one, "1?", remember=False)
    assert ask(two, "1?", remember=False).replayed is not None
    ask(two, "2?", remember=False)
    assert ask(one, "2?", remember=False).replayed is not None
    assert (asked(one), asked(two)) == (1, 1)


def test_a_question_that_failed_leaves_its_number_to_the_next(kernel: Start) -> None:
    buddy = kernel()
    fake_of(buddy).replies = [[Unreachable("gone")]]
    with pytest.raises(Unreachable):
        ask(buddy, "1?", remember=False)
    given = [ask(buddy, "1?", remember=False).text for _ in range(2)]
    again = kernel(replay="only")
    assert [ask(again, "1?", remember=False).text for _ in range(2)] == given


def test_only_prepares_no_requests(
    kernel: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[FakeProvider] = []
    monkeypatch.setattr(FakeProvider, "warm", lambda self: prepared.append(self))
    kernel(replay="only").warm()
    assert prepared == []
    kernel().warm()
    assert len(prepared) == 1


def test_a_replayed_answer_shows_what_it_proposed_as_text(kernel: Start) -> None:
    first = kernel(proposals="click")
    choice = '{"look": "propose_cell", "code": "x = 1", "after": 0}'
    fake_of(first).replies = [[choice, END], ["Done.", END]]
    assert len(ask(first, "do it").proposed) == 1
    settle(first)
    again = ask(kernel(proposals="click"), "do it")
    assert again.replayed is not None
    (looked,) = again.looked
    assert looked.line == "proposed a new cell: 1 line"
    assert "```python\nx = 1\n```" in looked.text
    assert again.proposed == ()
