"""The setup guide quotes the lines that users see exactly, and quotes all of them."""

from __future__ import annotations

import ast
import asyncio
import errno
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands.provider import doctor_report
from codebuddy_jupyter.display.status import waiting_markdown
from codebuddy_jupyter.errors import BuddyError, ProviderError, Unreachable
from codebuddy_jupyter.providers import openai_chat
from codebuddy_jupyter.providers.connection_check import ConnectionCheck
from codebuddy_jupyter.providers.http import error_lines
from codebuddy_jupyter.providers.http.server_error import ErrorResponse
from codebuddy_jupyter.providers.http.timeouts import Retries, TimedOut
from codebuddy_jupyter.providers.kinds import KINDS, Kind
from codebuddy_jupyter.providers.local.discovery import Discovery
from codebuddy_jupyter.question.options import Options
from tests.docs.texts import LOCAL_ADDRESS, SETUP, blocks, text_of
from tests.support import scripted_server as scripted
from tests.support.command_line import run_line
from tests.support.fakes import local
from tests.support.kinds import (
    DOCKER,
    JAN,
    KOBOLDCPP,
    LLAMA_CPP,
    LM_STUDIO,
    LOCAL_AI,
    OLLAMA,
    VLLM_SERVER,
    WEBUI,
    Played,
    lines,
)
from tests.support.ollama import NO_REGISTRY
from tests.support.scripted_server import (
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    model_list,
    plain,
    reply,
    stream,
    usage,
)
from tests.test_connection_check import NOT_WELL
from tests.test_examination import TOO_SMALL

Provoke = Callable[[Buddy, ScriptedServer], str]
"""Causes a situation, and returns the line that the user sees."""

PARTS = (
    "**Start and connect:**",
    "- **Check:**",
    "- **Context window:**",
    "- **Common errors:**",
)
PROXY = "http://proxy.lan:3128"
REMOTE_URL = "http://gpu.lan:8000/v1"
# What replaces the address of a local server in lines that are compared.
ADDRESS = "<address>"
# Characters. Shorter pieces of a text occur in other texts as well.
MIN_PIECE = 16


@pytest.fixture
def buddy(server: ScriptedServer, tmp_path: Path) -> Iterator[Buddy]:
    """Return a Buddy that uses the server."""
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json")
    local(buddy).base_url = server.url
    yield buddy
    buddy.close()


def server_at(buddy: Buddy, url: str = "") -> error_lines.Server:
    """Return the server at a URL; nothing is sent, so it need not exist."""
    local(buddy).base_url = url or local(buddy).base_url
    return asyncio.run(local(buddy).server())


# Errors


def failure(buddy: Buddy, options: Options | None = None) -> str:
    with pytest.raises(BuddyError) as caught:
        buddy.ask("hello", options).result()
    return str(caught.value)


def answered(answer: Answer, kind: Played | None = None) -> Provoke:
    """Answer a question this way, as a server of this kind."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        local(buddy).base_url = kind.on(server) if kind else server.url
        server.script(answer, path=kind.chat_path if kind else scripted.CHAT)
        return failure(buddy)

    return provoke


def listed(*answers: Answer) -> Provoke:
    """Answer this way when asked for the list of models."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        server.script(*answers, path=MODELS)
        return failure(buddy)

    return provoke


def commanded(
    command: str, kind: Played, path: str = "", answer: Answer | None = None
) -> Provoke:
    """Type a command, with a server of this kind."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        local(buddy).base_url = kind.on(server)
        if answer is not None:
            server.script(answer, path=path)
        with pytest.raises(BuddyError) as caught:
            run_line(buddy, command)
        return str(caught.value)

    return provoke


def error_line(
    make: Callable[[error_lines.Server], ProviderError], url: str = ""
) -> Provoke:
    """Make the error directly, since to cause it takes long or needs another machine."""
    return lambda buddy, server: str(make(server_at(buddy, url)))


def late(setting: str) -> Provoke:
    """Make the error for a reply that does not continue or end in time."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        return str(
            error_lines.reply_timed_out(
                server_at(buddy), TimedOut(setting, getattr(local(buddy), setting))
            )
        )

    return provoke


def with_proxy(make: Callable[[error_lines.Server], ProviderError]) -> Provoke:
    """Make the error with a proxy in the environment."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("HTTP_PROXY", PROXY)
            return str(make(server_at(buddy, REMOTE_URL)))

    return provoke


def refused_connection(buddy: Buddy) -> Unreachable:
    there = server_at(buddy, "http://localhost:11434/v1")
    return error_lines.unreachable(there, "connection refused")


def nothing_listens(buddy: Buddy, server: ScriptedServer) -> str:
    return str(refused_connection(buddy))


def as_lm_studio(server: ScriptedServer) -> Discovery:
    """Answer as LM Studio, and return a discovery that finds it."""
    listed = {"key": "llama3", "type": "llm", "loaded_instances": []}
    server.script(as_json({"models": [listed]}), path="/api/v1/models")
    return Discovery([(server.port, "/v1")], in_container=False)


def advised(search: Callable[[ScriptedServer], Discovery]) -> Provoke:
    """Connect where nothing answers, while a discovery may find something."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        error = refused_connection(buddy)
        local(buddy).search = search(server)
        return str(asyncio.run(local(buddy).instead(error)))

    return provoke


def offline(buddy: Buddy, server: ScriptedServer) -> str:
    buddy.offline, local(buddy).base_url = True, REMOTE_URL
    return failure(buddy)


def no_model_of_ollama(buddy: Buddy, server: ScriptedServer) -> str:
    local(buddy).base_url = OLLAMA.on(server)
    server.script(as_json({"models": []}), path="/api/tags")
    return listed(model_list())(buddy, server)


def only_embeds(buddy: Buddy, server: ScriptedServer) -> str:
    local(buddy).base_url = OLLAMA.on(server)
    server.script(as_json({"capabilities": ["embedding"]}), path="/api/show")
    return failure(buddy, Options(model="nomic-embed-text"))


def unknown_model(*names: str) -> Provoke:
    """Ask a model that does not exist; the server has these."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        server.script(model_list(*names), path=MODELS)
        server.script(as_json({"error": {"message": "model 'lama3' not found"}}, 404))
        return failure(buddy, Options(model="lama3"))

    return provoke


def key_refused(buddy: Buddy, server: ScriptedServer) -> str:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CODEBUDDY_API_KEY", "another-key")
        return listed(plain("Invalid or missing authorization token", status=401))(
            buddy, server
        )


def wants_login(login: str) -> Provoke:
    """Ask a server for its models that wants another user name and password."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        challenge = {"WWW-Authenticate": "Basic"}
        server.script(plain("Unauthorized", status=401, **challenge), path=MODELS)
        with_login = server.url.replace("://", f"://{login}@")
        local(buddy).base_url = with_login if login else server.url
        line = failure(buddy)
        return line.replace(f"@127.0.0.1:{server.port}", "@gpu.lan:8000")

    return provoke


def no_engine(buddy: Buddy, server: ScriptedServer) -> str:
    with pytest.MonkeyPatch.context() as without:
        without.setitem(sys.modules, "xllamacpp", None)
        return failure(buddy, Options(provider="embedded"))


def not_downloaded(buddy: Buddy, server: ScriptedServer) -> str:
    return failure(buddy, Options(model="embedded/hf:OWNER/REPO/FILE.gguf"))


# Notes


def note(
    *answers: Answer, options: Options | None = None, question: str = "hello"
) -> Provoke:
    """Answer in the end, with a note."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        server.script(*answers)
        return buddy.ask(question, options).result().notes[0]

    return provoke


def too_large_a_window(buddy: Buddy, server: ScriptedServer) -> str:
    local(buddy).base_url = OLLAMA.on(server)
    local(buddy).num_ctx = 100_000
    loaded = {"name": "qwen3:8b", "context_length": 40_960}
    server.script(as_json({"models": [loaded]}), path="/api/ps")
    return buddy.ask("hello").result().notes[0]


def turns_left_out(
    *names: str,
    kind: Played | None = None,
    path: str = MODELS,
    answer: Answer | None = None,
) -> Provoke:
    """Ask until turns of the conversation are left out."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        if kind:
            kind.on(server)
        if names:
            server.script(model_list(*names, max_model_len=4096), path=MODELS)
        if answer:
            server.script(answer, path=path)
        for size in (4_000, 4_000):
            buddy.ask("x" * size).result()
        return buddy.ask("x" * 10_000).result().notes[0]

    return provoke


def not_started_yet(buddy: Buddy, server: ScriptedServer) -> str:
    pause = Retries(1, 60.0).try_again(Unreachable("", passing=True))
    assert pause is not None
    return pause.note


LOADING = as_json(
    {"error": {"message": "Loading model", "code": 503}}, 503, Server="llama.cpp"
)
SIGN_IN = plain("<html><title>Sign in</title></html>", "text/html")
OVERFLOW = {
    "code": 400,
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 9020,
    "n_ctx": 8192,
}
QWEN = {
    "key": "qwen3-4b",
    "type": "llm",
    "loaded_instances": [{"id": "qwen3-4b", "config": {"context_length": 4096}}],
    "max_context_length": 32768,
}
DEAD = "unable to load runner: llama.cpp terminated unexpectedly"

PROVOKED: dict[str, Provoke] = {
    # Each kind of server
    "Ollama has no model": no_model_of_ollama,
    "Ollama cannot pull": commanded(
        "/pull lama3",
        OLLAMA,
        "/api/pull",
        lines({"error": "pull model manifest: file does not exist"}),
    ),
    "Ollama has no connection": commanded(
        "/pull llama3.2", OLLAMA, "/api/pull", lines({"error": NO_REGISTRY})
    ),
    "Ollama, a model for embeddings": only_embeds,
    "Ollama, too large a window": too_large_a_window,
    "Ollama, turns left out": turns_left_out(kind=OLLAMA),
    "LM Studio, turns left out": turns_left_out(
        "qwen3-4b",
        kind=LM_STUDIO,
        path="/api/v1/models",
        answer=as_json({"models": [QWEN]}),
    ),
    "LM Studio does not pull": commanded("/pull phi4", LM_STUDIO),
    "llama.cpp is loading": note(LOADING, reply("Hi")),
    "llama.cpp, too long": answered(LLAMA_CPP.too_long, LLAMA_CPP),
    "llama.cpp does not load": commanded("/load phi4", LLAMA_CPP),
    "LocalAI, too long": answered(LOCAL_AI.too_long, LOCAL_AI),
    "LocalAI, older version": commanded("/load phi4", LOCAL_AI),
    "vLLM requires a key": answered(
        as_json({"error": "Unauthorized"}, 401), VLLM_SERVER
    ),
    "vLLM, too long": answered(VLLM_SERVER.too_long, VLLM_SERVER),
    "vLLM does not load": commanded("/load phi4", VLLM_SERVER),
    "Jan rejects the key": key_refused,
    "Jan, too long": answered(JAN.too_long, JAN),
    "Docker, too long": answered(DOCKER.too_long, DOCKER),
    "Docker, dead runner": answered(plain(DEAD, status=500), DOCKER),
    "webui, too long": answered(WEBUI.too_long, WEBUI),
    "webui drops the connection": answered(
        stream(delta("Hel"), done=False, end="drop"), WEBUI
    ),
    "KoboldCpp, too long": answered(KOBOLDCPP.too_long, KOBOLDCPP),
    "KoboldCpp fails": answered(stream(delta("Hel"), delta(finish="error")), KOBOLDCPP),
    # The connection
    "nothing listens": nothing_listens,
    "another server answers": advised(as_lm_studio),
    "in a container": advised(
        lambda server: Discovery([], in_container=True, has_engine=False)
    ),
    "no TLS": error_line(
        lambda there: error_lines.no_tls(there, "WRONG_VERSION_NUMBER"),
        "https://localhost:8443/v1",
    ),
    "unknown certificate": error_line(
        lambda there: error_lines.no_tls(there, "CERTIFICATE_VERIFY_FAILED"),
        "https://localhost:8443/v1",
    ),
    "proxy requires a password": with_proxy(
        lambda there: error_lines.proxy_failed(
            there, "407 Proxy Authentication Required"
        )
    ),
    "proxy does not answer": with_proxy(
        lambda there: error_lines.proxy_failed(there, "connection refused")
    ),
    "proxy cannot reach the server": with_proxy(
        lambda there: error_lines.error_reply(there, ErrorResponse("Bad Gateway", 502))
    ),
    "redirect": answered(plain("", status=307, Location="https://llm.example/v1")),
    "offline": offline,
    # The server
    "no model server": answered(SIGN_IN),
    "connection closed": error_line(lambda there: error_lines.hung_up(there, "")),
    "not found": error_line(
        lambda there: error_lines.error_reply(there, ErrorResponse("Not Found", 404))
    ),
    "no model": listed(model_list()),
    "unknown model": unknown_model("llama3"),
    "unknown model, none known": unknown_model(),
    "web page": listed(SIGN_IN),
    "key required": listed(as_json({"error": {"message": "Missing API key"}}, 401)),
    "key required, no message": listed(plain("", status=401)),
    "password required": wants_login(""),
    "password refused": wants_login("jo:secret"),
    "no credit": answered(as_json({"error": {"message": "Insufficient Balance"}}, 402)),
    "region": answered(
        as_json({"error": {"message": "Country or region not supported"}}, 403)
    ),
    "verification": answered(
        as_json({"error": {"message": "Your account must be verified"}}, 403)
    ),
    "rate limit": answered(plain("too many requests", status=429)),
    "invalid option": answered(
        as_json({"error": {"message": "temperature must be below 1"}}, 400)
    ),
    # The answer
    "no answer in time": error_line(
        lambda there: error_lines.too_slow(
            there, TimedOut("first_token_timeout", 600.0)
        )
    ),
    "too long": answered(
        as_json(
            {"error": {**OVERFLOW, "message": "exceeds the available context size"}},
            400,
        )
    ),
    "cut off": answered(stream(delta("Hel"), done=False)),
    "pause": late("next_token_timeout"),
    "no end": late("total_timeout"),
    "too large": error_line(
        lambda there: error_lines.too_much(there, openai_chat.MOST_BODY)
    ),
    "server error": answered(
        as_json({"error": {"message": "llama runner process has terminated"}}, 500)
    ),
    "no engine": no_engine,
    "not downloaded": not_downloaded,
    # Notes
    "turns left out": turns_left_out("llama3"),
    "prompt was cut": note(
        stream(delta("Hi"), delta(finish="stop"), usage(2050, 1)),
        question="a word and more " * 1500,
    ),
    "not started yet": not_started_yet,
    "busy": note(plain("", status=503), reply("Hi")),
    "no usage": note(
        as_json({"error": {"message": "unknown field stream_options"}}, 400),
        reply("Hi"),
    ),
    "no completion": error_line(lambda server: error_lines.no_infill(server, "llama3")),
    "unsupported option": note(
        as_json({"error": {"message": "temperature is not supported"}}, 400),
        reply("Hi"),
        options=Options(temperature=0.5),
    ),
}


# The guide and the code


def quoted() -> set[str]:
    return {
        LOCAL_ADDRESS.sub(ADDRESS, line)
        for block in blocks(SETUP, "text")
        for line in block.splitlines()
    }


@pytest.mark.parametrize("provoke", PROVOKED.values(), ids=PROVOKED)
def test_a_quoted_line_is_what_the_user_sees(
    provoke: Provoke, buddy: Buddy, server: ScriptedServer
) -> None:
    line = provoke(buddy, server).replace(server.root, ADDRESS)
    assert LOCAL_ADDRESS.sub(ADDRESS, line) in quoted()


def test_every_quoted_line_is_provoked_here() -> None:
    assert len(quoted()) == len(PROVOKED)


def test_every_error_about_a_server_is_in_the_guide() -> None:
    guide, tree = text_of(SETUP), ast.parse(inspect.getsource(error_lines))
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    docstrings = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, documented)
    }
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    pieces = {
        text.strip() for text in texts - docstrings if len(text.strip()) >= MIN_PIECE
    }
    # The second remedy of a line begins with a small letter.
    known = guide.lower()
    assert {piece for piece in pieces if piece.lower() not in known} == set()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_of_server_has_a_complete_section(kind: Kind) -> None:
    _, _, rest = text_of(SETUP).partition(f"\n## {kind.name}\n")
    section = rest.partition("\n## ")[0]
    positions = [section.find(part) for part in PARTS]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert f'base_url = "http://localhost:{kind.ports[0]}{kind.path}"' in section
    assert "\n```text\n" in section[positions[-1] :]
    assert all(
        word.strip() in section.replace("*", "")
        for word in kind.start_command.partition(" MODEL")[0].split(" > ")
    )


def test_the_guide_shows_a_report_of_the_doctor(
    buddy: Buddy, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = asyncio.open_connection

    async def refuse_ollama(host: str, port: int, **how: Any) -> Any:
        # It may or may not run on this machine.
        if port == 11434:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
        return await connect(host, port, **how)

    monkeypatch.setattr(asyncio, "open_connection", refuse_ollama)
    local(buddy).base_url, local(buddy).search = (
        "http://localhost:11434/v1",
        as_lm_studio(server),
    )
    report = doctor_report(buddy, progress=print).text()
    without_versions = report.rpartition("\n")[0]
    # On other machines it is ::1 as well.
    expected = re.sub(r"localhost is .*", "localhost is 127.0.0.1", without_versions)
    shown = blocks(SETUP, "console")[0].rstrip("\n")
    assert LOCAL_ADDRESS.sub(ADDRESS, expected) == LOCAL_ADDRESS.sub(ADDRESS, shown)


def test_the_guide_shows_the_lines_of_the_doctor() -> None:
    reported = {line for _, lines in NOT_WELL.values() for line in lines} | set(
        TOO_SMALL
    )
    known = {
        line.replace("http://127.0.0.1:PORT", ADDRESS).replace(
            "0.3 s", f"{ConnectionCheck.answer_timeout:g} s"
        )
        for line in reported
    }
    shown = {
        line for block in blocks(SETUP, "console")[1:] for line in block.splitlines()
    }
    assert {LOCAL_ADDRESS.sub(ADDRESS, line) for line in shown} == known


def test_the_guide_quotes_the_waiting_line(buddy: Buddy) -> None:
    waiting = buddy.ask("hello")
    waiting.started = 100.0
    waiting.loading = True
    assert "waiting for the model to load…" in waiting_markdown(waiting, now=114.0)
    assert "waiting for the model to load…" in text_of(SETUP)
