"""The documents are correct, and the code in them runs."""

from __future__ import annotations

import html
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path

import pytest

from codebuddy_jupyter import __version__
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.cli import command_line
from codebuddy_jupyter.commands import COMMANDS
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.docs import editor_picture, picture, settings
from tests.docs.texts import (
    CHANGELOG,
    CONTEXT,
    CONTRIBUTING,
    DOCUMENTS,
    LOCAL_ADDRESS,
    README,
    SETUP,
    VALUES,
    WHAT_IS_SENT,
    blocks,
    commands_in_code,
    headings,
    shell_lines,
    text_of,
    tokens_of,
)
from tests.support.demo_model import write_demo_model
from tests.support.kernels import ROOT, Kernel
from tests.support.map_server import MapServer
from tests.support.scripted_server import ScriptedServer, question_in, reply

# The number of the first cell about maps.
FIRST_MAP = next(
    number
    for number, cell in enumerate(blocks(VALUES, "python"))
    if "buddy.map(" in cell
)
OTHER_PROGRAMS = {
    "ollama",
    "lms",
    "llama-server",
    "docker",
    "vllm",
    "python",
    "koboldcpp",
    "local-ai",
}


# Texts


def test_the_readme_is_short() -> None:
    assert len(text_of(README).splitlines()) <= 150


def test_the_readme_has_a_section_on_local_models() -> None:
    assert "## Local LLM support" in text_of(README).splitlines()


@pytest.mark.parametrize(
    "page", [settings.README, settings.PAGE], ids=["README", "page"]
)
def test_the_settings_table_is_what_the_traits_say(page: Path) -> None:
    assert settings.written(page) == settings.table(page), (
        "run: python -m tests.docs settings"
    )


@pytest.mark.parametrize(
    "path",
    [*picture.PICTURES, *editor_picture.PICTURES],
    ids=lambda path: path.stem,
)
def test_each_picture_is_there_and_small(path: Path) -> None:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 150_000


def test_the_changelog_has_this_version() -> None:
    assert f"\n## {__version__}" in text_of(CHANGELOG)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_has_a_target(document: str) -> None:
    targets = [
        str(t.attrs.get("href", t.attrs.get("src", ""))) for t in tokens_of(document)
    ]
    for target in targets:
        path, _, anchor = target.partition("#")
        if "://" in target or not target:
            continue
        linked = (ROOT / document).parent / path if path else ROOT / document
        assert linked.exists(), target
        assert not anchor or anchor in headings(str(linked.relative_to(ROOT))), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_is_named_exists(document: str) -> None:
    assert set(re.findall(r"%buddy /(\w+)", text_of(document))) <= set(COMMANDS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_setting_that_is_named_exists(document: str) -> None:
    classes = {cls.__name__: cls for cls in (Buddy, LocalProvider, EmbeddedProvider)}
    for owner, name in re.findall(
        r"\b(Buddy|\w+Provider)\.([a-z_]+) =", text_of(document)
    ):
        assert name in classes[owner].class_traits(config=True), f"{owner}.{name}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_environment_variable_that_is_named_exists(document: str) -> None:
    known = {
        *Buddy.environment.values(),
        *LocalProvider.environment.values(),
        *EmbeddedProvider.environment.values(),
        LocalProvider.key_variable,
    }
    assert set(re.findall(r"\bCODEBUDDY_\w+", text_of(document))) <= known


@pytest.mark.parametrize(
    "url", sorted(set(re.findall(r"http://localhost:\d+[\w/]*", text_of(SETUP))))
)
def test_every_address_is_complete(url: str) -> None:
    assert LocalProvider(base_url=url).where() == url


def test_every_module_that_is_named_exists() -> None:
    package = ROOT / "codebuddy_jupyter"
    folders = (ROOT, package, package / "context", package / "providers")
    for name in set(re.findall(r"`([\w/]+\.py)`", text_of(CONTRIBUTING))) - {
        "codebuddy_echo.py",
        "codebuddy_jupyter/providers/kinds/my_server.py",
    }:
        assert any((folder / name).exists() for folder in folders), name


# Shell commands


@pytest.mark.parametrize("line", shell_lines())
def test_every_shell_line_can_be_typed(line: str) -> None:
    words = list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), shlex.split(line)))
    match words:
        case ["make", target, *_]:
            assert f"\n{target}:" in text_of("Makefile")
        case ["pip", "install", package]:
            extras = set(package.removeprefix(".").strip("[]").split(","))
            assert (
                extras
                <= tomllib.loads(text_of("pyproject.toml"))["project"][
                    "optional-dependencies"
                ].keys()
            )
        case ["pip", "config", "set", setting, _]:
            assert setting.startswith("global.")
        case ["codebuddy", *arguments]:
            command_line._parser().parse_args(arguments)
        case ["export", assignment]:
            assert re.match(r"CODEBUDDY_\w+=", assignment)
        case _:
            assert words[0] in OTHER_PROGRAMS


@pytest.mark.parametrize("line", sorted(commands_in_code("codebuddy")))
def test_every_use_of_the_shell_command_is_understood(line: str) -> None:
    command_line._parser().parse_args(shlex.split(line)[1:])


def test_the_shell_command_of_the_readme_answers(
    server: ScriptedServer, tmp_path: Path
) -> None:
    line = next(line for line in commands_in_code("codebuddy") if " ask " in line)
    environment = Kernel(
        Path(sys.executable), tmp_path, CODEBUDDY_BASE_URL=server.url
    ).environment
    program = shutil.which("codebuddy", path=str(Path(sys.executable).parent))
    assert program is not None
    command = [program, *shlex.split(line)[1:]]
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith("Hello from the scripted server."), done.stderr


def test_a_stored_key_is_sent_to_its_server(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = next(line for line in shell_lines() if "codebuddy key" in line)
    setting, _, *arguments = shlex.split(LOCAL_ADDRESS.sub(server.root, line))
    monkeypatch.setenv(*setting.split("=", 1))
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "typed-unseen")
    assert command_line.main(arguments) == 0
    assert command_line.main(["ask", "hello"]) == 0
    assert server.asked()[0]["headers"]["authorization"] == "Bearer typed-unseen"


# Cells


@pytest.fixture
def kernel(server: ScriptedServer, tmp_path: Path) -> Iterator[Kernel]:
    for name in ("models", "chat/completions"):
        server.script(server._next(f"/v1/{name}"), path=f"/engines/v1/{name}")
    cache = tmp_path / "hub"
    for model in re.findall(r"hf:(\S+\.gguf)$", text_of(SETUP), re.MULTILINE):
        store_download(cache, *model.split("/"))
    with Kernel(
        Path(sys.executable),
        tmp_path,
        copied=True,
        CODEBUDDY_BASE_URL=server.url,
        HF_HUB_CACHE=str(cache),
    ) as kernel:
        yield kernel


def store_download(cache: Path, owner: str, repository: str, file: str) -> None:
    """Store a model that recites where a download of this file would be stored."""
    folder, commit = cache / f"models--{owner}--{repository}", "0" * 40
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    write_demo_model(snapshot).rename(snapshot / file)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)


def test_the_cells_of_the_readme_run(kernel: Kernel, server: ScriptedServer) -> None:
    for cell in blocks(README, "python"):
        kernel.good(LOCAL_ADDRESS.sub(server.root, cell))
    questions = [
        question_in(record["body"]["messages"][-1]) for record in server.asked()
    ]
    assert questions[0] == "how do I plot scores as a bar chart?"
    assert questions[1].startswith("My scores are [3, 1, 4, 1, 5].")
    assert len(questions) == 5


def test_the_cells_of_the_setup_guide_run(
    kernel: Kernel, server: ScriptedServer
) -> None:
    # On a busy machine, an engine whose threads wait for each other takes a minute for
    # a line.
    kernel.good("%load_ext codebuddy_jupyter\n%config EmbeddedProvider.threads = 1")
    for cell in blocks(SETUP, "python"):
        kernel.good(LOCAL_ADDRESS.sub(server.root, cell))
        if setting := re.search(r'base_url = "([^"]+)"', cell):
            url = LOCAL_ADDRESS.sub(server.root, setting[1])
            assert f"{url} | this kernel" in shown(kernel, "%buddy /use")
            assert "llama3" in shown(kernel, "%buddy /models")
            assert "Hello" in kernel.good("%buddy hello").answer["data"]["text/plain"]


@pytest.mark.parametrize("page", [WHAT_IS_SENT, CONTEXT])
def test_the_cells_of_the_pages_on_context_run(kernel: Kernel, page: str) -> None:
    kernel.good(
        "import os\nos.environ['JPY_SESSION_NAME'] = os.path.abspath('notebook.ipynb')"
    )
    kernel.good("%load_ext codebuddy_jupyter\nvalues = [3, 4]")
    kernel.run("sum(values) / 0")
    for cell in blocks(page, "python"):
        kernel.good(cell)


def test_the_cells_of_the_page_on_values_run(
    kernel: Kernel, server: ScriptedServer
) -> None:
    people = '{"value": [{"name": "Ada", "age": 36}, {"name": "Bob", "age": null}]}'
    one = '{"name": "Ada", "age": 36, "tags": []}'
    answers = ['{"value": true}', people, people, one, people, '{"value": 2}']
    server.script(*map(reply, answers))
    kernel.good("%load_ext codebuddy_jupyter")
    for cell in blocks(VALUES, "python")[:FIRST_MAP]:
        kernel.good(cell)
    assert len(server.asked()) == len(answers)
    kernel.good("assert people == reply.value and person.age == 36 and count == 2")


def test_the_cells_of_the_page_on_maps_run(tmp_path: Path) -> None:
    def say(prompt: str) -> str:
        if "product" in prompt:
            return '{"product": "lamp", "broken": true, "days": null}'
        return '{"value": true}' if "complaint" in prompt else "yes"

    with (
        MapServer(slots=2) as one,
        MapServer(slots=2) as other,
        Kernel(
            Path(sys.executable), tmp_path, copied=True, CODEBUDDY_BASE_URL=one.url
        ) as kernel,
    ):
        one.say = other.say = say
        kernel.good("import codebuddy_jupyter as buddy")
        for cell in blocks(VALUES, "python")[FIRST_MAP:]:
            cell = cell.replace("http://localhost:8080", one.root)
            kernel.good(cell.replace("http://localhost:8081", other.root))
        kernel.good(
            "assert reviews.complaint.tolist() == [True, True, True, pd.NA]\n"
            "assert facts['product'].dropna().tolist() == ['lamp'] * 3\n"
            "assert praise == {0: 'yes', 1: 'yes'}"
        )
        # Two different rows, by three models for one question and by one for another.
        assert len(one.questions) + len(other.questions) == 3 * 2 + 2 + 2


def shown(kernel: Kernel, line: str) -> str:
    return html.unescape(kernel.good(line).outputs[0]["data"]["text/markdown"])


def test_the_provider_of_the_guide_for_contributors_installs_and_answers(
    tmp_path: Path,
) -> None:
    *_, source, cell = blocks(CONTRIBUTING, "python")
    project, installed = tmp_path / "project", tmp_path / "installed"
    project.mkdir()
    (project / "codebuddy_echo.py").write_text(source, encoding="utf-8")
    (project / "pyproject.toml").write_text(
        blocks(CONTRIBUTING, "toml")[0], encoding="utf-8"
    )
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
    ]
    subprocess.run(
        [*pip, "--target", str(installed), str(project)], check=True, timeout=120
    )
    with Kernel(Path(sys.executable), tmp_path, PYTHONPATH=str(installed)) as kernel:
        assert kernel.good(cell).answer["data"]["text/plain"].startswith("hello there")
