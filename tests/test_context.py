"""The Buddy with a notebook: what it sees goes with the question, shown before it is
sent, and only once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import traitlets

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import PromptError, SettingError, Unreachable
from codebuddy_jupyter.messages import Chunk, Image, Model, Usage
from codebuddy_jupyter.question.options import Options
from tests.support.command_line import prompt_of, run_line
from tests.support.fakes import FakeProvider, buddy_with_fakes, fake_of, texts

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def seeing(shell: Any, tmp_path: Path) -> Iterator[Buddy]:
    """A Buddy that sees the notebook of a shell."""
    buddy = buddy_with_fakes(tmp_path / "codebuddy.json")
    buddy.collector.session = session = Session(shell)
    session.listen()
    yield buddy
    session.leave()
    buddy.close()


@pytest.fixture
def fake(seeing: Buddy) -> FakeProvider:
    """The provider that it asks."""
    return fake_of(seeing)


def execute(shell: Any, *cells: str) -> None:
    for cell in cells:
        shell.run_cell(cell, store_history=True)


def last_question(fake: FakeProvider) -> str:
    return texts(fake.requests[-1])[-1][1]


def test_a_question_carries_cells_variables_and_the_error(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "rate = 0.19", "rate * 2", "rate / 0")
    seeing.ask("why?", names=shell.user_ns).result()
    told = last_question(fake)
    for part in (
        "rate = 0.19",
        "- rate: float",
        "ZeroDivisionError",
        "```\n\nwhy?",
    ):
        assert part in told
    assert "0.38" not in told
    seeing.ask("what did Out[2] show?").result()
    assert "Output of In[2], `rate * 2`:\n```\n0.38\n```" in last_question(fake)
    assert "rate: float 0.19" not in told


def test_the_notebook_is_sent_once(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "rate = 0.19")
    seeing.ask("1?").result()
    seeing.ask("2?").result()
    assert last_question(fake) == "2?"
    assert fake.requests[1].messages[:2] == fake.requests[0].messages


def test_after_a_question_that_failed_the_notebook_is_sent_again(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "rate = 0.19")
    fake.replies = [[Unreachable("Nothing answers.")]]
    with pytest.raises(Unreachable):
        seeing.ask("1?").result()
    seeing.ask("2?").result()
    assert [role for role, _ in texts(fake.requests[1])] == ["system", "user"]
    assert "rate = 0.19" in last_question(fake)
    assert last_question(fake).endswith("2?")


@pytest.mark.parametrize("question", ["why?", "", "what is @rate?"])
def test_what_is_shown_before_is_what_is_sent(
    seeing: Buddy, fake: FakeProvider, shell: Any, question: str
) -> None:
    execute(shell, "rate = 0.19", "password = 'hunter2hunter2'")
    shown, _, model = seeing.preview(question, names=shell.user_ns)
    assert not fake.requests
    if question:
        seeing.ask(question, names=shell.user_ns).result()
        assert fake.requests[0].messages == shown.messages
        assert model == fake.requests[0].model
    assert "hunter2hunter2" not in str(shown.messages)


def test_a_preview_without_a_server_assumes_a_window(
    seeing: Buddy, fake: FakeProvider, monkeypatch: Any
) -> None:
    async def silent(model: str) -> str:
        raise Unreachable("Nothing answers.")

    monkeypatch.setattr(fake, "choose", silent)
    shown, _, model = seeing.preview("why?")
    assert (shown.room.window, shown.room.assumed, model) == (None, 4096, "fake-1")


def test_a_section_that_is_left_out_is_not_sent(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "rate = 0.19", "rate * 2")
    seeing.ask("1?", Options(context="variables")).result()
    assert "rate: float" in last_question(fake)
    assert "0.19" not in last_question(fake)
    seeing.context = "none"
    seeing.ask("2?", Options(new=True)).result()
    assert last_question(fake) == "2?"


@pytest.mark.parametrize("wrong", ["cels", "", "cells,nope"])
def test_an_unknown_section_is_refused(buddy: Buddy, wrong: str) -> None:
    with pytest.raises(
        traitlets.TraitError, match="outline, cells, outputs, variables, error"
    ):
        buddy.context = wrong


def test_values_are_shared_when_the_user_says_so(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "import random", "chosen = 4711 + 0 * random.random()")
    seeing.share_values = True
    seeing.ask("1?", Options(context="variables")).result()
    assert "4711" in last_question(fake)


def test_secrets_are_redacted_and_counted_unless_the_user_wants_them_sent(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "password = 'hunter2hunter2'")
    reply = seeing.ask("is {password} good?", names=shell.user_ns).result()
    assert "hunter2hunter2" not in str(fake.requests)
    assert any("redacted" in note for note in reply.notes)
    seeing.redact_secrets = False
    seeing.ask("is {password} good?", Options(new=True), shell.user_ns).result()
    assert "is hunter2hunter2 good?" in last_question(fake)


def test_an_answer_with_a_secret_is_redacted_when_it_is_sent_back(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "password = 'hunter2hunter2'")
    fake.replies = [["It is hunter2hunter2."]]
    seeing.ask("1?").result()
    seeing.ask("2?").result()
    assert "hunter2hunter2" not in str(fake.requests)


def test_a_mention_attaches_and_braces_are_filled(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "rate = 0.19", "text = 'see @rate and {rate}'")
    seeing.ask(
        "what is @rate? {text} \\@guido", Options(context="none"), shell.user_ns
    ).result()
    assert last_question(fake) == (
        "rate:\n```\nfloat\n  = 0.19\n```\n\nwhat is rate? see @rate and {rate} @guido"
    )


def test_a_prompt_of_python_is_sent_as_it_is(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "rate = 0.19")
    seeing.ask("mail to @nobody about {rate}", Options(context="none")).result()
    assert last_question(fake) == "mail to @nobody about {rate}"


def test_an_unknown_mention_fails_before_anything_is_sent(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "rate = 0.19")
    with pytest.raises(PromptError, match="Did you mean @rate"):
        seeing.ask("what is @rat?", names=shell.user_ns)
    assert not fake.requests


@pytest.mark.parametrize(
    "abilities",
    [("chat",), ("chat", "images"), ()],
    ids=["cannot", "can", "does not tell"],
)
def test_a_figure_goes_to_a_model_that_takes_images(
    seeing: Buddy,
    fake: FakeProvider,
    shell: Any,
    monkeypatch: Any,
    abilities: tuple[str, ...],
) -> None:
    monkeypatch.setattr(
        seeing.collector.session, "figure", lambda: Image(PNG, "image/png")
    )
    fake.offers = [Model("fake-1", abilities=abilities)]
    reply = seeing.ask("what does @plot show?", names=shell.user_ns)
    if abilities == ("chat",):
        with pytest.raises(PromptError, match="fake-1 does not support images"):
            reply.result()
        assert not fake.requests
    else:
        reply.result()
        assert fake.requests[0].messages[-1].images == (Image(PNG, "image/png"),)


def test_the_servers_tokenizer_is_asked_once_where_it_may_be_tight(
    seeing: Buddy, fake: FakeProvider, shell: Any, monkeypatch: Any
) -> None:
    counted: list[str] = []

    async def count(model: str, text: str) -> int:
        counted.append(text)
        # a token for each character
        return len(text)

    monkeypatch.setattr(fake, "count", count)
    seeing.ask("short?").result()
    assert not counted
    execute(shell, *(f"value_{n} = {n}  # {'word ' * 60}" for n in range(60)))
    seeing.ask("long?").result()
    seeing.ask("longer?").result()
    assert len(counted) == 1
    characters = "word " * 1000
    assert seeing.tokens["fake-1"].count(characters) == pytest.approx(5000, rel=0.1)
    assert sum(len(message.text) for message in fake.requests[1].messages) < 4096


def test_a_conversation_that_grew_and_reads_shorter_was_cut(
    seeing: Buddy, fake: FakeProvider
) -> None:
    fake.replies = [
        ["1.", Chunk(usage=Usage(900, 2))],
        ["2.", Chunk(usage=Usage(700, 2))],
    ]
    assert not seeing.ask("word " * 600).result().notes
    assert "seems to have cut the prompt" in seeing.ask("and now?").result().notes[0]


# Commands


@pytest.mark.parametrize(
    ("line", "cells", "asked"),
    [
        pytest.param(
            "/fix", ["1 / 0"], "what is wrong with @error", id="the last error"
        ),
        pytest.param(
            "/explain", ["x = 1"], "Explain the code of @In[1]", id="the last cell"
        ),
        pytest.param(
            "/fix use polars",
            ["x = 1"],
            "what is wrong with the code of @In[1]",
            id="no error: the last cell",
        ),
        pytest.param(
            "/review\nfor x in y:\n    pass",
            [],
            "```python\nfor x in y:\n    pass\n```",
            id="code below",
        ),
        pytest.param(
            "/TEST",
            ["x = 1"],
            "Write pytest tests for the code of @In[1]",
            id="in any case",
        ),
    ],
)
def test_a_task_asks_about_the_error_the_code_or_the_last_cell(
    seeing: Buddy, shell: Any, line: str, cells: list[str], asked: str
) -> None:
    execute(shell, *cells)
    prompt = prompt_of(seeing, line)
    assert prompt is not None
    assert asked in prompt
    seeing.ask(prompt, names=shell.user_ns)


def test_the_wish_of_a_task_is_sent(seeing: Buddy, shell: Any) -> None:
    execute(shell, "x = 1")
    assert str(prompt_of(seeing, "/refactor use polars")).endswith("block. use polars")


def test_a_task_without_code_says_where_to_put_it(seeing: Buddy) -> None:
    with pytest.raises(
        PromptError, match="Type the code below this line: %%buddy /optimize"
    ):
        prompt_of(seeing, "/optimize")


def test_other_commands_ask_nothing(seeing: Buddy) -> None:
    assert prompt_of(seeing, "/help") is None
    with pytest.raises(SettingError, match=r"Did you mean /fix\?"):
        prompt_of(seeing, "/fixx")


def test_context_shows_and_sends_nothing(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    execute(shell, "rate = 0.19")
    told = run_line(seeing, "/context what is @rate, {rate}?")
    assert "rate = 0.19" in told
    assert "what is rate, 0.19?" in told
    assert "| attached | " in told
    assert not fake.requests


def test_what_becomes_a_secret_later_is_redacted_in_earlier_turns_too(
    seeing: Buddy, fake: FakeProvider, shell: Any
) -> None:
    seeing.redact_secrets = False
    execute(shell, "password = 'hunter2hunter2'")
    seeing.ask("1?").result()
    assert "hunter2hunter2" in str(fake.requests[0])
    seeing.redact_secrets = True
    seeing.ask("2?").result()
    assert "hunter2hunter2" not in str(fake.requests[1])
