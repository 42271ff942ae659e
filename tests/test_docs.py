"""What the documents say is true, and what can be copied from them runs."""

from __future__ import annotations

import asyncio
import errno
import html
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from itertools import dropwhile
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from codebuddy_jupyter import __version__, cli, commands, doctor, show
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands import COMMANDS
from codebuddy_jupyter.doctor import examine
from codebuddy_jupyter.errors import BuddyError, Unreachable
from codebuddy_jupyter.options import Options
from codebuddy_jupyter.providers import explain
from codebuddy_jupyter.providers.demo_model import demo_model
from codebuddy_jupyter.providers.embedded import EmbeddedProvider
from codebuddy_jupyter.providers.finding import Search
from codebuddy_jupyter.providers.local import LocalProvider
from codebuddy_jupyter.providers.patience import Overdue
from tests import scripted_server as scripted
from tests.docs import picture, settings
from tests.kernels import ROOT, Kernel
from tests.kinds import LM_STUDIO, OLLAMA, lines
from tests.scripted_server import MODELS, ScriptedServer
from tests.test_doctor import NOT_WELL, TOO_SMALL

README, SETUP, CONTRIBUTING, CHANGELOG = "README.md", "docs/LOCAL_LLM_SETUP.md", "CONTRIBUTING.md", "CHANGELOG.md"
DOCUMENTS = (README, SETUP, CONTRIBUTING, CHANGELOG)
LOCAL_ADDRESS = re.compile(r"http://localhost:\d+")
OTHER_PROGRAMS = {"ollama", "lms", "llama-server", "docker", "vllm", "python", "koboldcpp"}


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def tokens_of(document: str) -> Iterator[Token]:
    for token in MarkdownIt().enable("table").parse(text_of(document)):
        yield token
        yield from token.children or ()


def blocks(document: str, language: str) -> list[str]:
    return [token.content for token in tokens_of(document) if token.type == "fence" and token.info == language]


def shell_lines() -> list[str]:
    return [line for document in DOCUMENTS for block in blocks(document, "sh") for line in block.splitlines()]


def commands_in_code(name: str) -> set[str]:
    guides = (README, SETUP, CONTRIBUTING)
    spans = [token.content for guide in guides for token in tokens_of(guide) if token.type == "code_inline"]
    return {line for line in [*spans, *shell_lines()] if line.startswith(f"{name} ")}


def headings(document: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    found = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def buddy(server: ScriptedServer, tmp_path: Path) -> Iterator[Buddy]:
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json")
    local(buddy).base_url = server.url
    yield buddy
    buddy.close()


def local(buddy: Buddy) -> LocalProvider:
    provider = buddy.provider_named("Local")
    assert isinstance(provider, LocalProvider)
    return provider


# What they say


def test_the_readme_is_short() -> None:
    assert len(text_of(README).splitlines()) <= 150


def test_the_readme_has_a_section_on_local_models() -> None:
    assert "## Local LLM support" in text_of(README).splitlines()


def test_the_settings_table_is_what_the_traits_say() -> None:
    assert settings.written() == settings.table(), "write it again: make docs"


def test_the_picture_is_there_and_small() -> None:
    content = picture.PICTURE.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 150_000


def test_the_changes_of_this_version_are_told() -> None:
    assert f"\n## {__version__}" in text_of(CHANGELOG)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    targets = [str(t.attrs.get("href", t.attrs.get("src", ""))) for t in tokens_of(document)]
    for target in targets:
        path, _, anchor = target.partition("#")
        if "://" in target or not target:
            continue
        found = (ROOT / document).parent / path if path else ROOT / document
        assert found.exists(), target
        assert not anchor or anchor in headings(str(found.relative_to(ROOT))), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_is_named_exists(document: str) -> None:
    assert set(re.findall(r"%buddy /(\w+)", text_of(document))) <= COMMANDS.keys()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_setting_that_is_named_exists(document: str) -> None:
    classes = {kind.__name__: kind for kind in (Buddy, LocalProvider, EmbeddedProvider)}
    for owner, name in re.findall(r"\b(Buddy|\w+Provider)\.([a-z_]+) =", text_of(document)):
        assert name in classes[owner].class_traits(config=True), f"{owner}.{name}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_environment_variable_that_is_named_exists(document: str) -> None:
    known = {*Buddy.environment.values(), *LocalProvider.environment.values(), LocalProvider.key_variable}
    assert set(re.findall(r"CODEBUDDY_\w+", text_of(document))) <= known


@pytest.mark.parametrize("url", sorted(set(re.findall(r"http://localhost:\d+[\w/]*", text_of(SETUP)))))
def test_every_address_is_shown_as_it_is_written(url: str) -> None:
    assert LocalProvider(base_url=url).where() == url


def test_every_room_that_is_named_exists() -> None:
    places = (ROOT, ROOT / "codebuddy_jupyter", ROOT / "codebuddy_jupyter" / "providers")
    for name in set(re.findall(r"`([\w/]+\.py)`", text_of(CONTRIBUTING))) - {"codebuddy_echo.py"}:
        assert any((place / name).exists() for place in places), name


# What can be typed in a terminal


@pytest.mark.parametrize("line", shell_lines())
def test_every_shell_line_can_be_typed(line: str) -> None:
    words = list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), shlex.split(line)))
    match words:
        case ["make", target, *_]:
            assert f"\n{target}:" in text_of("Makefile")
        case ["pip", "install", wanted]:
            extras = set(wanted.removeprefix(".").strip("[]").split(","))
            assert extras <= tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"].keys()
        case ["codebuddy", *arguments]:
            cli._parser().parse_args(arguments)
        case ["export", assignment]:
            assert re.match(r"CODEBUDDY_\w+=", assignment)
        case _:
            assert words[0] in OTHER_PROGRAMS


@pytest.mark.parametrize("line", sorted(commands_in_code("codebuddy")))
def test_every_use_of_the_shell_command_is_understood(line: str) -> None:
    cli._parser().parse_args(shlex.split(line)[1:])


def test_the_shell_command_of_the_readme_answers(server: ScriptedServer, tmp_path: Path) -> None:
    line = next(line for line in commands_in_code("codebuddy") if " ask " in line)
    environment = Kernel(Path(sys.executable), tmp_path, CODEBUDDY_BASE_URL=server.url).environment
    program = shutil.which("codebuddy", path=str(Path(sys.executable).parent))
    assert program is not None
    command = [program, *shlex.split(line)[1:]]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.stdout.startswith("Hello from the scripted server."), done.stderr


def test_a_key_that_was_kept_goes_to_its_server(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    line = next(line for line in shell_lines() if "codebuddy key" in line)
    setting, _, *arguments = shlex.split(LOCAL_ADDRESS.sub(server.root, line))
    monkeypatch.setenv(*setting.split("=", 1))
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "typed-unseen")
    assert cli.main(arguments) == 0
    assert cli.main(["ask", "hello"]) == 0
    assert server.asked()[0]["headers"]["authorization"] == "Bearer typed-unseen"


# What can be run in a notebook


@pytest.fixture
def kernel(server: ScriptedServer, tmp_path: Path) -> Iterator[Kernel]:
    for name in ("models", "chat/completions"):
        server.script(server._next(f"/v1/{name}"), path=f"/engines/v1/{name}")
    cache = tmp_path / "hub"
    for model in re.findall(r"hf:(\S+\.gguf)$", text_of(SETUP), re.MULTILINE):
        have_fetched(cache, *model.split("/"))
    with Kernel(Path(sys.executable), tmp_path, CODEBUDDY_BASE_URL=server.url, HF_HUB_CACHE=str(cache)) as kernel:
        yield kernel


def have_fetched(cache: Path, owner: str, repository: str, file: str) -> None:
    """Put the demo model where a download from the hub would have left this file."""
    folder, commit = cache / f"models--{owner}--{repository}", "0" * 40
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    shutil.copy(demo_model(), snapshot / file)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)


def test_the_cells_of_the_readme_run(kernel: Kernel, server: ScriptedServer) -> None:
    for cell in blocks(README, "python"):
        kernel.good(LOCAL_ADDRESS.sub(server.root, cell))
    questions = [record["body"]["messages"][-1]["content"] for record in server.asked()]
    assert questions[0] == "why is df empty after the merge?"
    assert questions[1].startswith("My scores are [3, 1, 4, 1, 5].")
    assert len(questions) == 5


def test_the_cells_of_the_setup_guide_run(kernel: Kernel, server: ScriptedServer) -> None:
    for cell in blocks(SETUP, "python"):
        kernel.good(LOCAL_ADDRESS.sub(server.root, cell))
        if pointed := re.search(r'base_url = "([^"]+)"', cell):
            there = LOCAL_ADDRESS.sub(server.root, pointed[1])
            assert f"{there} | this kernel" in shown(kernel, "%buddy /use")
            assert "llama3" in shown(kernel, "%buddy /models")
            assert "Hello" in kernel.good("%buddy hello").answer["data"]["text/plain"]


def shown(kernel: Kernel, line: str) -> str:
    return html.unescape(kernel.good(line).outputs[0]["data"]["text/markdown"])


def test_the_provider_of_the_guide_for_contributors_installs_and_answers(tmp_path: Path) -> None:
    source, cell = blocks(CONTRIBUTING, "python")
    project, installed = tmp_path / "project", tmp_path / "installed"
    project.mkdir()
    (project / "codebuddy_echo.py").write_text(source, encoding="utf-8")
    (project / "pyproject.toml").write_text(blocks(CONTRIBUTING, "toml")[0], encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(installed), str(project)], check=True, timeout=120)
    with Kernel(Path(sys.executable), tmp_path, PYTHONPATH=str(installed)) as kernel:
        assert kernel.good(cell).answer["data"]["text/plain"].startswith("hello there")


# What the user sees when it fails


def failure(buddy: Buddy, options: Options | None = None) -> str:
    with pytest.raises(BuddyError) as caught:
        buddy.ask("hello", options).result()
    return str(caught.value)


def nothing_listens(buddy: Buddy, server: ScriptedServer) -> str:
    local(buddy).base_url = "http://localhost:11434/v1"  # where nothing need be: nothing is sent
    return str(explain.unreachable(asyncio.run(local(buddy).server()), "connection refused"))


def as_lm_studio(server: ScriptedServer) -> Search:
    """Have the server answer as LM Studio, where a search finds it."""
    listed = {"key": "llama3", "type": "llm", "loaded_instances": []}
    server.script(scripted.as_json({"models": [listed]}), path="/api/v1/models")
    return Search([(server.port, "/v1")], in_container=False)


def advised(buddy: Buddy, server: ScriptedServer, search: Search) -> str:
    line = Unreachable(nothing_listens(buddy, server))
    local(buddy).search = search
    return str(asyncio.run(local(buddy).instead(line)))


def another_answers(buddy: Buddy, server: ScriptedServer) -> str:
    return advised(buddy, server, as_lm_studio(server))


def in_a_container(buddy: Buddy, server: ScriptedServer) -> str:
    return advised(buddy, server, Search([], in_container=True))


def no_tls(buddy: Buddy, server: ScriptedServer) -> str:
    local(buddy).base_url = "https://localhost:8443/v1"
    return str(explain.no_tls(asyncio.run(local(buddy).server()), "WRONG_VERSION_NUMBER"))


def no_trust(buddy: Buddy, server: ScriptedServer) -> str:
    local(buddy).base_url = "https://localhost:8443/v1"
    return str(explain.no_tls(asyncio.run(local(buddy).server()), "CERTIFICATE_VERIFY_FAILED"))


def redirect(buddy: Buddy, server: ScriptedServer) -> str:
    server.script(scripted.plain("", status=307, Location="https://llm.example/v1"))
    return failure(buddy)


def no_model_server(buddy: Buddy, server: ScriptedServer) -> str:
    server.script(scripted.plain("<html><title>Sign in</title></html>", "text/html"))
    return failure(buddy)


def hung_up(buddy: Buddy, server: ScriptedServer) -> str:
    return str(explain.hung_up(asyncio.run(local(buddy).server()), ""))


def fell_silent(buddy: Buddy, server: ScriptedServer) -> str:
    overdue = Overdue("next_token_timeout", local(buddy).next_token_timeout)
    return str(explain.too_long_coming(asyncio.run(local(buddy).server()), overdue))


def own_failure(buddy: Buddy, server: ScriptedServer) -> str:
    server.script(scripted.as_json({"error": {"message": "llama runner process has terminated"}}, 500))
    return failure(buddy)


def offline(buddy: Buddy, server: ScriptedServer) -> str:
    buddy.offline, local(buddy).base_url = True, "http://gpu.lan:8000/v1"
    return failure(buddy)


def no_model(buddy: Buddy, server: ScriptedServer) -> str:
    server.script(scripted.model_list(), path=MODELS)
    return failure(buddy)


def no_model_of_ollama(buddy: Buddy, server: ScriptedServer) -> str:
    OLLAMA.on(server)
    server.script(scripted.model_list(), path=MODELS)
    server.script(scripted.as_json({"models": []}), path="/api/tags")
    return failure(buddy)


def pull_refused(buddy: Buddy, server: ScriptedServer) -> str:
    OLLAMA.on(server)
    server.script(lines({"error": "pull model manifest: file does not exist"}), path="/api/pull")
    with pytest.raises(BuddyError) as caught:
        commands.run(buddy, "/pull lama3", lambda *step: None)
    return str(caught.value)


def no_pull(buddy: Buddy, server: ScriptedServer) -> str:
    LM_STUDIO.on(server)
    with pytest.raises(BuddyError) as caught:
        commands.run(buddy, "/pull phi4", lambda *step: None)
    return str(caught.value)


def left_out_of_ollama(buddy: Buddy, server: ScriptedServer) -> str:
    OLLAMA.on(server)
    return outgrown(buddy)


def left_out_of_lm_studio(buddy: Buddy, server: ScriptedServer) -> str:
    LM_STUDIO.on(server)
    instance = {"id": "qwen3-4b", "config": {"context_length": 4096}}
    listed = {"key": "qwen3-4b", "type": "llm", "loaded_instances": [instance], "max_context_length": 32768}
    server.script(scripted.as_json({"models": [listed]}), path="/api/v1/models")
    server.script(scripted.model_list("qwen3-4b"), path=MODELS)
    return outgrown(buddy)


def outgrown(buddy: Buddy) -> str:
    for size in (9_000, 9_000):
        buddy.ask("x" * size).result()
    return buddy.ask("x" * 20_000).result().notes[0]


def unknown_model(buddy: Buddy, server: ScriptedServer) -> str:
    server.script(scripted.as_json({"error": {"message": "model 'lama3' not found"}}, 404))
    return failure(buddy, Options(model="lama3"))


def web_page(buddy: Buddy, server: ScriptedServer) -> str:
    server.script(scripted.plain("<html><title>Sign in</title></html>", "text/html"), path=MODELS)
    return failure(buddy)


def missing_key(buddy: Buddy, server: ScriptedServer) -> str:
    server.script(scripted.as_json({"error": {"message": "Missing API key"}}, 401), path=MODELS)
    return failure(buddy)


def silence(buddy: Buddy, server: ScriptedServer) -> str:
    overdue = Overdue("first_token_timeout", local(buddy).first_token_timeout)
    return str(explain.too_slow(asyncio.run(local(buddy).server()), overdue))


def too_long(buddy: Buddy, server: ScriptedServer) -> str:
    said = {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9020, "n_ctx": 8192}
    server.script(scripted.as_json({"error": {**said, "message": "exceeds the available context size"}}, 400))
    return failure(buddy)


def left_out(buddy: Buddy, server: ScriptedServer) -> str:
    server.script(scripted.model_list("llama3", max_model_len=4096), path=MODELS)
    for size in (9_000, 9_000):
        buddy.ask("x" * size).result()
    return buddy.ask("x" * 20_000).result().notes[0]


def cut_off(buddy: Buddy, server: ScriptedServer) -> str:
    server.script(scripted.stream(scripted.delta("Hel"), done=False))
    return failure(buddy)


def no_engine(buddy: Buddy, server: ScriptedServer) -> str:
    with pytest.MonkeyPatch.context() as without:
        without.setitem(sys.modules, "xllamacpp", None)
        return failure(buddy, Options(provider="embedded"))


def not_fetched(buddy: Buddy, server: ScriptedServer) -> str:
    return failure(buddy, Options(model="embedded/hf:OWNER/REPO/FILE.gguf"))


PROVOKED: dict[str, Callable[[Buddy, ScriptedServer], str]] = {
    case.__name__: case
    for case in (
        nothing_listens,
        another_answers,
        in_a_container,
        no_tls,
        no_trust,
        redirect,
        no_model_server,
        hung_up,
        fell_silent,
        own_failure,
        offline,
        no_model,
        no_model_of_ollama,
        pull_refused,
        no_pull,
        left_out_of_ollama,
        left_out_of_lm_studio,
        unknown_model,
        web_page,
        missing_key,
        silence,
        too_long,
        left_out,
        cut_off,
        no_engine,
        not_fetched,
    )
}


def quoted() -> set[str]:
    return {LOCAL_ADDRESS.sub("URL", line) for block in blocks(SETUP, "text") for line in block.splitlines()}


@pytest.mark.parametrize("case", PROVOKED)
def test_a_quoted_line_is_what_the_user_sees(case: str, buddy: Buddy, server: ScriptedServer) -> None:
    line = PROVOKED[case](buddy, server).replace(server.root, "URL")
    assert LOCAL_ADDRESS.sub("URL", line) in quoted()


def test_no_line_is_quoted_that_was_not_provoked() -> None:
    assert len(quoted()) == len(PROVOKED)


def test_the_report_of_the_guide_is_what_the_doctor_says(
    buddy: Buddy, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = asyncio.open_connection

    async def refuse_ollama(host: str, port: int, **how: Any) -> Any:
        if port == 11434:  # whether or not it runs on this machine
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
        return await connect(host, port, **how)

    monkeypatch.setattr(asyncio, "open_connection", refuse_ollama)
    local(buddy).base_url, local(buddy).search = "http://localhost:11434/v1", as_lm_studio(server)
    told = asyncio.run(examine(local(buddy))).text().rpartition("\n")[0]
    told = re.sub(r"localhost is .*", "localhost is 127.0.0.1", told)  # elsewhere it is ::1 as well
    report = blocks(SETUP, "console")[0].rstrip("\n")
    assert LOCAL_ADDRESS.sub("URL", told) == LOCAL_ADDRESS.sub("URL", report)


@pytest.mark.parametrize("block", blocks(SETUP, "console")[1:], ids=lambda block: block.split()[1])
def test_a_quoted_line_of_the_doctor_is_what_it_says(block: str) -> None:
    told = [line for _, lines in NOT_WELL.values() for line in lines] + TOO_SMALL
    known = {line.replace("http://127.0.0.1:PORT", "URL").replace("0.3 s", f"{doctor.ANSWER:g} s") for line in told}
    assert set(LOCAL_ADDRESS.sub("URL", block).splitlines()) <= known


def test_the_screen_says_what_it_waits_for(buddy: Buddy) -> None:
    reply = buddy.ask("hello")
    reply.started = time.monotonic() - 14
    assert "waiting for the model to load…" in show.waiting(reply)
    assert "waiting for the model to load…" in text_of(SETUP)
