"""The providers of one session: one instance of each, made when it is first needed."""

from __future__ import annotations

import asyncio
from importlib.metadata import EntryPoint

import pytest

from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.providers.base import Provider
from codebuddy_jupyter.providers.instances import Instances
from codebuddy_jupyter.providers.registry import GROUP, Registry
from tests.support.fakes import FakeProvider

NAMES = ("Local", "OpenAI", "Broken")


class Closing(FakeProvider):
    """A provider that remembers whether it was closed, and may fail at that."""

    def __init__(self, *, fails: bool) -> None:
        super().__init__()
        self.fails = fails
        self.closed = False

    async def close(self) -> None:
        """Fail, or close."""
        if self.fails:
            raise OSError("it is stuck")
        self.closed = True


@pytest.fixture
def made() -> list[str]:
    """The names of the providers that were made."""
    return []


@pytest.fixture
def instances(made: list[str]) -> Instances:
    def make(name: str) -> Provider:
        if name == "Broken":
            raise SettingError("The provider Broken cannot be loaded: no module")
        made.append(name)
        return Closing(fails=name == "Local")

    entries = [EntryPoint(name, "tests.support.fakes:Any", GROUP) for name in NAMES]
    return Instances(Registry(entries), make)


def test_a_provider_is_made_once_under_its_name_in_any_case(
    instances: Instances, made: list[str]
) -> None:
    assert list(instances) == []
    first = instances.named("openai")
    assert instances.named("OpenAI") is first
    assert list(instances) == [first]
    assert made == ["OpenAI"]


def test_an_unknown_name_makes_nothing(instances: Instances, made: list[str]) -> None:
    with pytest.raises(SettingError, match="There is no provider 'olama'"):
        instances.named("olama")
    assert made == []


def test_of_several_those_that_cannot_be_loaded_are_reported_once(
    instances: Instances,
) -> None:
    problems: list[str] = []
    for _ in range(2):
        providers = instances.all_named(NAMES, problems)
        assert providers == [instances.named("Local"), instances.named("OpenAI")]
    assert problems == ["The provider Broken cannot be loaded: no module"]


def test_a_provider_that_fails_to_close_does_not_keep_the_others_open(
    instances: Instances,
) -> None:
    instances.named("Local")
    cloud = instances.named("OpenAI")
    assert isinstance(cloud, Closing)
    asyncio.run(instances.close())
    assert cloud.closed
