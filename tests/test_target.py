"""Who answers a question."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import KeyRefused, SettingError, Unreachable
from codebuddy_jupyter.messages import Model
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.question.target import ASSUMED_WINDOW
from tests.support.fakes import FakeProvider, fake_of

THEIR_OWN = ("openai/gpt-oss-20b", "qwen/qwen3-8b", "qwen:7b")


def who(buddy: Buddy, options: Options) -> tuple[str, str]:
    """Which provider and which model a question with these options goes to."""
    name, _, model = buddy.loop.run(buddy.resolve(options))
    return name, model


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
    assert str(caught.value) == "There is no provider 'opnai'. Did you mean OpenAI?"
    with pytest.raises(SettingError, match="Choose one of Local, OpenAI, Qwen"):
        buddy.ask("hello", Options(provider="xyz")).result()


def test_measuring_asks_the_server_for_its_window_only_once_per_target(
    buddy: Buddy, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def window(model: str) -> int:
        asked.append(model)
        return 8192

    monkeypatch.setattr(fake, "window", window)
    for _ in range(3):
        draft, provider, model = buddy.measure("why?").result()
        assert (draft.room.window, provider, model) == (8192, fake, "fake-1")
    assert asked == ["fake-1"]
    fake.model = "fake-2"
    buddy.measure("why?").result()
    assert asked == ["fake-1", "fake-2"]


def test_a_model_of_one_question_is_not_remembered_for_the_next(
    buddy: Buddy, fake: FakeProvider
) -> None:
    buddy.ask("1?", Options(model="other")).result()
    _, _, model = buddy.measure("2?").result()
    assert (fake.requests[0].model, model) == ("other", "fake-1")


def test_a_preview_does_without_a_server_that_does_not_respond(
    buddy: Buddy, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def window(model: str) -> int | None:
        raise Unreachable("Nothing answers.")

    monkeypatch.setattr(fake, "window", window)
    draft, provider, model = buddy.preview("why?")
    assert (draft.room.window, draft.room.assumed) == (None, ASSUMED_WINDOW)
    assert (provider, model) == (fake, "fake-1")
    with pytest.raises(Unreachable):
        buddy.ask("why?").result()
