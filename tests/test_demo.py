"""The tour notebook on the embedded engine: run as nbclient runs notebooks, and as
``codebuddy demo --headless``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from codebuddy_jupyter.cli.demo import choose_model
from codebuddy_jupyter.errors import ProviderError
from codebuddy_jupyter.providers.embedded.store import file_of
from tests.support.demo_model import write_demo_model
from tests.support.kernels import ROOT, clean_environment
from tests.support.package_index import use_index
from tests.support.scripted_server import ScriptedServer

CODEBUDDY = Path(sys.executable).with_name(
    "codebuddy.exe" if os.name == "nt" else "codebuddy"
)
TOUR = ROOT / "notebooks" / "tour.ipynb"
# a bound for what hangs
SECONDS = 300
# questions of the tour whose answers are shown
ANSWERS = 8


def embedded(home: Path) -> dict[str, str]:
    """The environment of a process in which the engine recites, on one thread."""
    environment = clean_environment(
        home,
        CODEBUDDY_PROVIDER="Embedded",
        CODEBUDDY_EMBEDDED_MODEL=str(write_demo_model(home)),
    )
    saved = Path(environment["JUPYTER_CONFIG_DIR"], "codebuddy.json")
    saved.parent.mkdir()
    saved.write_text('{"EmbeddedProvider": {"threads": 1}}', encoding="utf-8")
    return environment


@dataclass(frozen=True)
class Demo:
    """What a run of the demo wrote, piece by piece, and the notebook that it left."""

    status: int
    pieces: list[str]
    complaints: str
    notebook: Any


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, run once in an empty folder."""
    folder = tmp_path_factory.mktemp("demo")
    environment = embedded(tmp_path_factory.mktemp("home"))
    command = [str(CODEBUDDY), "demo", "--headless"]
    pieces = []
    complaints = folder / "stderr.txt"
    with (
        complaints.open("wb") as stderr,
        subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=stderr
        ) as process,
    ):
        assert process.stdout is not None
        while piece := os.read(process.stdout.fileno(), 65536):
            pieces.append(piece.decode("utf-8", "replace"))
        status = process.wait(SECONDS)
    notebook = nbformat.read(folder / "tour-executed.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    return Demo(status, pieces, complaints.read_text(encoding="utf-8"), notebook)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tour, run as nbconvert, papermill and the like run it."""
    notebook = nbformat.read(TOUR, as_version=4)  # type: ignore[no-untyped-call]
    home = tmp_path_factory.mktemp("home")
    client = NotebookClient(
        notebook, timeout=SECONDS, resources={"metadata": {"path": str(home)}}
    )
    client.execute(env=embedded(home))
    return notebook


def answers(notebook: Any) -> list[Mapping[str, Any]]:
    """The outputs of the notebook that are answers; each is the only one of its cell."""
    found = []
    for cell in notebook.cells:
        own = [
            output
            for output in cell.get("outputs", [])
            if "codebuddy" in output.get("metadata", {})
        ]
        assert not own or len(cell.outputs) == 1
        found += own
    return found


@pytest.mark.parametrize("run", ["demo", "executed"])
def test_every_answer_is_one_markdown_output_of_the_engine(
    run: str, request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(run)
    shown = answers(found.notebook if isinstance(found, Demo) else found)
    assert len(shown) == ANSWERS
    for output in shown:
        assert set(output["data"]) == {"text/markdown", "text/plain"}
        assert output["metadata"]["codebuddy"]["complete"]
        assert output["metadata"]["codebuddy"]["provider"] == "Embedded"
        assert output["data"]["text/plain"].strip()


def test_the_tour_as_a_whole_is_valid_and_fails_only_where_it_says_so(
    executed: Any,
) -> None:
    nbformat.validate(executed)
    failed = [
        cell
        for cell in executed.cells
        if any(o.output_type == "error" for o in cell.get("outputs", []))
    ]
    assert [cell.source.splitlines()[0] for cell in failed] == [
        'planets.groupby("type")["diameter_km"].max()',
        "%buddy --temprature 0 hello",
    ]
    assert all("raises-exception" in cell.metadata.tags for cell in failed)


def test_the_tour_is_kept_without_outputs() -> None:
    kept = nbformat.read(TOUR, as_version=4)  # type: ignore[no-untyped-call]
    assert not [
        cell
        for cell in kept.cells
        if cell.get("outputs") or cell.get("execution_count")
    ]


def test_the_demo_says_who_answers_and_where_the_notebook_is(demo: Demo) -> None:
    text = "".join(demo.pieces)
    assert (demo.status, demo.complaints) == (0, "")
    assert text.startswith("The tour uses Embedded, set by CODEBUDDY_PROVIDER.")
    assert text.rstrip().endswith("tour-executed.ipynb")
    # that of the cell that shall fail
    assert text.count("Traceback") == 1


def test_the_demo_streams_the_answers(demo: Demo) -> None:
    text = "".join(demo.pieces)
    begin = text.index("tell me a long story")
    story = text[begin : text.index("%buddy --temprature", begin)]
    assert not [piece for piece in demo.pieces if story in piece]
    assert len(demo.pieces) > 3 * ANSWERS


def test_the_demo_shows_every_answer_once(demo: Demo) -> None:
    text = "".join(demo.pieces)
    for output in answers(demo.notebook):
        said = output["data"]["text/plain"].split("\n\n")[-2]
        assert text.count(said) == 1, said


# Which model


@pytest.fixture
def small(model: Path) -> str:
    """A small model that was downloaded."""
    target = file_of("smollm2-135m")
    target.parent.mkdir(parents=True)
    shutil.copy(model, target)
    return target.stem


def nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", "http://127.0.0.1:9/v1")


def test_a_server_that_has_a_model_is_used(
    server: ScriptedServer, small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", server.url)
    chosen, line = choose_model()
    assert chosen == {"CODEBUDDY_PROVIDER": "Local"}
    assert line.startswith(f"The tour uses the server at {server.url}.")


def test_the_model_that_is_named_is_used_even_if_a_server_runs(
    server: ScriptedServer, small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUDDY_BASE_URL", server.url)
    chosen, line = choose_model(small)
    assert chosen["CODEBUDDY_EMBEDDED_MODEL"] == small
    assert line.startswith("The tour uses the built-in engine with smollm2-135m.")


def test_without_a_server_a_model_on_the_disk_is_used(
    small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_answers(monkeypatch)
    chosen, _ = choose_model()
    assert chosen == {
        "CODEBUDDY_PROVIDER": "Embedded",
        "CODEBUDDY_EMBEDDED_MODEL": small,
    }


def test_without_a_model_one_is_downloaded_and_a_failure_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing_answers(monkeypatch)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    use_index(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(ProviderError) as failure:
        choose_model()
    line = str(failure.value)
    assert line.startswith(
        "There is no model for the tour. qwen2.5-coder-1.5b could not be downloaded. "
    )
    assert line.endswith("start a model server, such as Ollama, and run this again")
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [
        "There is no model on this machine yet.",
        "To use a smaller one: make demo MODEL=smollm2-135m",
        "qwen2.5-coder-1.5b: 1.1 GB, weights Apache-2.0; the packages of the index name "
        "no licence",
    ]
