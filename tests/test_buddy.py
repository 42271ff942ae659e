"""The Buddy: who is asked, what is sent, and what is refused before anything is."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

import codebuddy_jupyter
from codebuddy_jupyter import api
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.errors import (
    KeyRefused,
    PromptError,
    PromptTooLong,
    SettingError,
    Stopped,
    Unreachable,
)
from codebuddy_jupyter.messages import Model, Request
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.question.prompts import FORMATS, SYSTEM
from tests.support.fakes import (
    FOREVER,
    FakeProvider,
    Step,
    buddy_with_fakes,
    fake_of,
    texts,
)

THEIR_OWN = ("openai/gpt-oss-20b", "qwen/qwen3-8b", "qwen:7b")
# seconds
ENOUGH = 30.0


def who(buddy: Buddy, options: Options) -> tuple[str, str]:
    """Which provider and which model a question with these options goes to."""
    name, _, model = buddy.loop.run(buddy.resolve(options))
    return name, model


# Who is asked


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param("", ("Local", ""), id="nothing"),
        pytest.param("llama3", ("Local", "llama3"), id="bare"),
        pytest.param("llama3:8b", ("Local", "llama3:8b"), id="bare with a tag"),
        pytest.param("ollama/llama3:8b", ("Local", "llama3:8b"), id="a server's name"),
        pytest.param("LMStudio:phi", ("Local", "phi"), id="in any case"),
        pytest.param(
            "local/hf.co/me/mine:Q4",
            ("Local", "hf.co/me/mine:Q4"),
            id="only the first mark counts",
        ),
        pytest.param(
            "meta-llama/Llama-3", ("Local", "meta-llama/Llama-3"), id="an owner"
        ),
        pytest.param(
            "hf:me/mine/file.gguf",
            ("Local", "hf:me/mine/file.gguf"),
            id="a file on a hub",
        ),
        pytest.param("/models/mine.gguf", ("Local", "/models/mine.gguf"), id="a path"),
        pytest.param(
            r"C:\mine.gguf", ("Local", r"C:\mine.gguf"), id="a path on Windows"
        ),
        pytest.param("openai/gpt-4o", ("OpenAI", "gpt-4o"), id="another provider"),
        pytest.param(
            "openai:gpt-4o", ("OpenAI", "gpt-4o"), id="another provider by a colon"
        ),
        pytest.param("openai/", ("OpenAI", ""), id="another provider's own choice"),
        *(
            pytest.param(name, ("Local", name), id=f"the server's own {name}")
            for name in THEIR_OWN
        ),
    ],
)
def test_who_is_asked(
    buddy: Buddy, fake: FakeProvider, model: str, expected: tuple[str, str]
) -> None:
    fake.offers = [Model(name) for name in THEIR_OWN]
    assert who(buddy, Options(model=model)) == expected


@pytest.mark.parametrize("model", ["openai/gpt-oss-20b", "openai:gpt-4o", "qwen:7b"])
@pytest.mark.parametrize(
    "error",
    [Unreachable("Nothing answers."), KeyRefused("It wants a key.")],
    ids=["gone", "key"],
)
def test_a_prompt_does_not_leave_the_machine_by_a_mix_up(
    buddy: Buddy, fake: FakeProvider, model: str, error: Unreachable | KeyRefused
) -> None:
    fake.offers = error
    with pytest.raises(SettingError) as caught:
        buddy.ask("a secret", Options(model=model)).result()
    other = "Qwen" if model.startswith("qwen") else "OpenAI"
    assert str(caught.value) == (
        f"{model} may be a model of Local, which does not respond "
        f"({error.what.rstrip('.')}), or one of {other}. "
        f"If you mean {other}, switch: %buddy /use {other}; "
        f"or name it in the options: %buddy -p {other} -m …"
    )
    assert fake_of(buddy, other).requests == []


def test_a_provider_named_by_itself_is_asked_whatever_the_model_is_called(
    buddy: Buddy, fake: FakeProvider
) -> None:
    fake.offers = Unreachable("Nothing answers.")
    assert who(buddy, Options(provider="openai", model="gpt-4o")) == (
        "OpenAI",
        "gpt-4o",
    )
    assert who(buddy, Options(provider="openai", model="local/x")) == (
        "OpenAI",
        "local/x",
    )


def test_an_unknown_provider_names_the_nearest(buddy: Buddy) -> None:
    with pytest.raises(SettingError) as caught:
        buddy.ask("hello", Options(provider="opnai")).result()
    assert str(caught.value) == "There is no provider 'opnai': did you mean OpenAI?"
    with pytest.raises(
        SettingError, match="There is no provider 'xyz': there are Local, OpenAI, Qwen"
    ):
        buddy.ask("hello", Options(provider="xyz")).result()


def test_the_provider_setting_takes_a_name_in_any_case_and_no_other(
    buddy: Buddy,
) -> None:
    buddy.provider = "OPENAI"
    assert buddy.provider == "OpenAI"
    buddy.provider = "ollama"
    assert buddy.provider == "Local"
    with pytest.raises(TraitError, match="did you mean OpenAI"):
        buddy.provider = "openia"
    assert buddy.provider == "Local"


def test_a_reply_tells_who_answered(buddy: Buddy) -> None:
    reply = buddy.ask("hello", Options(model="openai/gpt-4o")).result()
    assert (reply.provider, reply.model) == ("OpenAI", "gpt-4o")


def test_offline_is_told_to_the_provider_before_each_request(
    buddy: Buddy, fake: FakeProvider
) -> None:
    for offline in (False, True, False):
        buddy.offline = offline
        buddy.ask("hello").result()
    assert fake.offline_then == [False, True, False]


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


# Its end


def test_closing_stops_what_is_asked(tmp_path: Path) -> None:
    buddy = buddy_with_fakes(tmp_path / "codebuddy.json")
    fake = fake_of(buddy)
    fake.replies = [["one ", FOREVER]]
    reply = buddy.ask("1?").start()
    assert reply.wait(ENOUGH, beyond=0)
    buddy.close()
    assert fake.ended.wait(ENOUGH)
    assert isinstance(reply.error, Stopped)
    assert reply.text == "one "


def test_a_provider_that_fails_to_close_does_not_keep_the_others_open(
    buddy: Buddy, fake: FakeProvider
) -> None:
    closed = threading.Event()

    async def fail() -> None:
        raise OSError("too late")

    async def note() -> None:
        await asyncio.sleep(0)
        closed.set()

    fake.close = fail  # type: ignore[method-assign]
    fake_of(buddy, "OpenAI").close = note  # type: ignore[method-assign]
    buddy.close()
    assert closed.is_set()


def test_warming_a_provider_that_cannot_be_made_is_no_error(
    buddy: Buddy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_PROVIDER", "nobody")
    buddy.warm()


def test_it_is_configured_as_any_configurable(tmp_path: Path) -> None:
    config = Config({"Buddy": {"provider": "openai"}, "FakeCloud": {"model": "mine"}})
    buddy = buddy_with_fakes(tmp_path / "codebuddy.json", config=config)
    reply = buddy.ask("1?").result()
    assert (reply.provider, reply.model) == ("OpenAI", "mine")
    assert (buddy.origin("provider"), fake_of(buddy, "OpenAI").origin("model")) == (
        "ipython_config.py",
    ) * 2
    buddy.close()


# From Python


@pytest.fixture
def asked(shell: Any, buddy: Buddy) -> Buddy:
    """The Buddy that the functions of the package find: that of the loaded extension."""

    class Loaded:
        pass

    shell.codebuddy = Loaded()
    shell.codebuddy.buddy = buddy
    return buddy


def test_ask_gives_a_reply_of_the_extensions_buddy(
    asked: Buddy, fake: FakeProvider
) -> None:
    options = {
        "model": "mine",
        "system": "s",
        "temperature": 0.5,
        "max_tokens": 9,
        "extra": {"seed": 1},
    }
    reply = api.ask("why?", format="text", new=True, provider="local", **options)  # type: ignore[arg-type]
    assert fake.requests == []
    assert str(reply) == "An answer."
    assert (reply.format, fake.requests[0].model, fake.requests[0].max_tokens) == (
        "text",
        "mine",
        9,
    )
    with pytest.raises(SettingError, match="There is no format"):
        api.ask("why?", format="yaml")


def test_a_question_from_python_stands_alone(asked: Buddy, fake: FakeProvider) -> None:
    changes: list[int] = []
    asked.ask("1?").result()
    chat = asked.chat
    asked.watchers.append(lambda: changes.append(1))
    for new in (False, True):
        api.ask("alone?", new=new).result()
        assert texts(fake.requests[-1])[1:] == [("user", "alone?")]
    assert asked.chat is chat
    assert [turn.question for turn in chat.turns] == ["1?"]
    assert changes == []
    asked.ask("2?").result()
    assert [text for _, text in texts(fake.requests[-1])[1:]] == [
        "1?",
        "An answer.",
        "2?",
    ]


def test_a_question_from_python_may_be_part_of_the_conversation(
    asked: Buddy, fake: FakeProvider
) -> None:
    asked.ask("1?").result()
    api.ask("2?", remember=True).result()
    assert [text for _, text in texts(fake.requests[-1])[1:]] == [
        "1?",
        "An answer.",
        "2?",
    ]
    api.ask("3?", remember=True, new=True).result()
    assert [turn.question for turn in asked.chat.turns] == ["3?"]


@pytest.mark.parametrize(
    ("context", "is_sent"),
    [(None, False), ("none", False), ("auto", True), ("cells", True)],
)
def test_a_question_from_python_sends_the_notebook_only_if_told_to(
    shell: Any, asked: Buddy, fake: FakeProvider, context: str | None, is_sent: bool
) -> None:
    asked.collector.session = Session(shell)
    asked.collector.session.listen()
    shell.run_cell("total = 41 + 1", store_history=True)
    for _ in range(2):
        if context is None:
            api.ask("why?").result()
        else:
            api.ask("why?", context=context).result()
        assert ("41 + 1" in texts(fake.requests[-1])[-1][1]) == is_sent
        assert len(fake.requests[-1].messages) == 2
    asked.collector.session.leave()


def echo(request: Request) -> list[Step]:
    """Answer slowly with the question."""
    question = request.messages[-1].text
    return [0.01, f"{question} ", 0.01, question]


def test_threads_that_ask_at_once_get_their_own_answers(
    asked: Buddy, fake: FakeProvider
) -> None:
    fake.answer = echo
    questions = [f"question {number}" for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda question: str(api.ask(question)), questions))
    assert replies == [f"{question} {question}" for question in questions]
    assert [len(request.messages) for request in fake.requests] == [2] * 24
    assert asked.chat.turns == []


def test_coroutines_that_ask_at_once_get_their_own_answers(
    asked: Buddy, fake: FakeProvider
) -> None:
    fake.answer = echo
    questions = [f"question {number}" for number in range(24)]

    async def ask_all() -> list[Reply]:
        return await asyncio.gather(*[api.aask(question) for question in questions])

    replies = asyncio.run(ask_all())
    expected = [f"{question} {question}" for question in questions]
    assert [reply.text for reply in replies] == expected
    assert [len(request.messages) for request in fake.requests] == [2] * 24
    assert asked.chat.turns == []


def test_closing_stops_a_question_that_stands_alone(tmp_path: Path) -> None:
    buddy = buddy_with_fakes(tmp_path / "codebuddy.json")
    fake_of(buddy).replies = [["one ", FOREVER]]
    reply = buddy.ask("1?", Options(remember=False)).start()
    assert reply.wait(ENOUGH, beyond=0)
    buddy.close()
    assert isinstance(reply.error, Stopped)


def test_aask_awaits_the_whole_reply(asked: Buddy) -> None:
    async def ask() -> Reply:
        return await codebuddy_jupyter.aask("why?", temperature=0)

    assert asyncio.run(ask()).text == "An answer."


def test_save_from_python_gives_the_file(asked: Buddy) -> None:
    asked.offline = True
    assert api.save() == asked.saved.path
    assert asked.saved.load() == ({"Buddy": {"offline": True}}, "")


def test_asking_loads_the_extension_where_that_has_not_been_done(shell: Any) -> None:
    reply = codebuddy_jupyter.ask("why?")
    assert not reply.done
    assert "buddy" in shell.magics_manager.magics["cell"]
    shell.run_line_magic("unload_ext", "codebuddy_jupyter")


def test_without_a_shell_there_is_one_buddy_per_process() -> None:
    api._plain_buddy.cache_clear()
    first, second = api.ask("1?"), api.ask("2?")
    assert first._loop is second._loop
    api._plain_buddy.cache_clear()
