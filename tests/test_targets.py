"""The servers that a map asks, and their models."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from codebuddy_jupyter.errors import SettingError, Unreachable
from codebuddy_jupyter.providers.base import Provider
from codebuddy_jupyter.question.options import Options
from codebuddy_jupyter.values.batch.targets import Target, find_targets, name_of
from tests.support.fakes import FakeProvider


class Gone(FakeProvider):
    async def choose(self, model: str) -> str:
        raise Unreachable("gone")


class Several(FakeProvider):
    """A provider with a pool."""

    def __init__(self, *members: Provider) -> None:
        super().__init__()
        self.members = members

    def servers(self) -> Sequence[Provider]:
        return self.members or (self,)


def find(
    provider: Provider, models: Sequence[str] = ("",), providers: Sequence[str] = ("",)
) -> list[Target]:
    async def resolve(options: Options) -> tuple[str, Provider, str]:
        asked.append((options.provider, options.model))
        return "Fake", provider, options.model

    asked: list[tuple[str, str]] = []
    targets = asyncio.run(find_targets(resolve, models, providers))
    assert len(asked) == max(len(models), len(providers))
    return targets


def test_one_provider_is_one_server_with_its_model() -> None:
    provider = FakeProvider()
    assert find(provider) == [Target("Fake", provider, "fake-1")]
    assert find(provider, ["mine"]) == [Target("Fake", provider, "mine")]


def test_a_pool_is_several_servers() -> None:
    members = FakeProvider(), FakeProvider()
    targets = find(Several(*members))
    assert [target.provider for target in targets] == list(members)
    assert name_of(targets) == "fake-1"


def test_a_server_that_is_gone_now_may_answer_later() -> None:
    gone, other = Gone(), FakeProvider()
    assert find(Several(gone, other)) == [
        Target("Fake", gone, "fake-1"),
        Target("Fake", other, "fake-1"),
    ]
    with pytest.raises(Unreachable):
        find(Several(Gone(), Gone()))


def test_a_pool_of_different_models_is_refused() -> None:
    members = FakeProvider(model="a"), FakeProvider(model="b")
    with pytest.raises(SettingError, match=r"different models: a at .*, b at"):
        find(Several(*members))
    assert len(find(Several(*members), ["mine"])) == 2


def test_several_models_may_have_a_provider_each() -> None:
    provider = FakeProvider()
    targets = find(provider, ["b", "a"], ["x", "y"])
    assert [target.model for target in targets] == ["b", "a"]
    assert name_of(targets) == "a|b"
    assert len(find(provider, ["m"], ["x", "y"])) == 2
    assert len(find(provider, ["a", "b"], ["x"])) == 2


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(SettingError, match="2 models and 3 providers"):
        find(FakeProvider(), ["a", "b"], ["x", "y", "z"])
