"""The troubleshooting of the setup guide: each line there is what the user sees, and
what the user sees is there.
"""

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
from codebuddy_jupyter.display.status import waiting_markdown
from codebuddy_jupyter.doctor.examination import examine
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
"""Brings about that the user sees a line, and gives it."""

PARTS = (
    "**Start**",
    "**Point**",
    "**Verify:**",
    "**Widen the window",
    "**Common failures:**",
)
PROXY = "http://proxy.lan:3128"
FAR = "http://gpu.lan:8000/v1"
# characters of a piece of a line by which it can be told from others
SHORTEST = 16


@pytest.fixture
def buddy(server: ScriptedServer, tmp_path: Path) -> Iterator[Buddy]:
    """A buddy that asks the server."""
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json")
    local(buddy).base_url = server.url
    yield buddy
    buddy.close()


def at(buddy: Buddy, url: str = "") -> error_lines.Server:
    """Whom the buddy asks; it need not be there, since nothing is sent."""
    local(buddy).base_url = url or local(buddy).base_url
    return asyncio.run(local(buddy).server())


# What a failure says


def failure(buddy: Buddy, options: Options | None = None) -> str:
    with pytest.raises(BuddyError) as caught:
        buddy.ask("hello", options).result()
    return str(caught.value)


def answered(answer: Answer, kind: Played | None = None) -> Provoke:
    """What is said where a server, of this kind, gives this answer to a question."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        local(buddy).base_url = kind.on(server) if kind else server.url
        server.script(
            answer, path=kind.at("/chat/completions") if kind else scripted.CHAT
        )
        return failure(buddy)

    return provoke


def listed(*answers: Answer) -> Provoke:
    """What is said where a server gives this for the list of its models."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        server.script(*answers, path=MODELS)
        return failure(buddy)

    return provoke


def told_to(
    command: str, kind: Played, path: str = "", answer: Answer | None = None
) -> Provoke:
    """What is said where a kind of server is told to do something."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        local(buddy).base_url = kind.on(server)
        if answer is not None:
            server.script(answer, path=path)
        with pytest.raises(BuddyError) as caught:
            run_line(buddy, command)
        return str(caught.value)

    return provoke


def said_of(
    say: Callable[[error_lines.Server], ProviderError], url: str = ""
) -> Provoke:
    """What is said of a server, where it takes long or another machine to bring it
    about.
    """
    return lambda buddy, server: str(say(at(buddy, url)))


def late(setting: str) -> Provoke:
    """What is said where a reply that began does not go on or end in time."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        return str(
            error_lines.reply_timed_out(
                at(buddy), TimedOut(setting, getattr(local(buddy), setting))
            )
        )

    return provoke


def by_proxy(say: Callable[[error_lines.Server], ProviderError]) -> Provoke:
    """What is said where a proxy stands between."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("HTTP_PROXY", PROXY)
            return str(say(at(buddy, FAR)))

    return provoke


def refused_connection(buddy: Buddy) -> Unreachable:
    there = at(buddy, "http://localhost:11434/v1")
    return error_lines.unreachable(there, "connection refused")


def nothing_listens(buddy: Buddy, server: ScriptedServer) -> str:
    return str(refused_connection(buddy))


def as_lm_studio(server: ScriptedServer) -> Discovery:
    """Have the server answer as LM Studio, where a search finds it."""
    listed = {"key": "llama3", "type": "llm", "loaded_instances": []}
    server.script(as_json({"models": [listed]}), path="/api/v1/models")
    return Discovery([(server.port, "/v1")], in_container=False)


def advised(search: Callable[[ScriptedServer], Discovery]) -> Provoke:
    """What is said where nothing answers, with what a search finds."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        error = refused_connection(buddy)
        local(buddy).search = search(server)
        return str(asyncio.run(local(buddy).instead(error)))

    return provoke


def offline(buddy: Buddy, server: ScriptedServer) -> str:
    buddy.offline, local(buddy).base_url = True, FAR
    return failure(buddy)


def no_model_of_ollama(buddy: Buddy, server: ScriptedServer) -> str:
    local(buddy).base_url = OLLAMA.on(server)
    server.script(as_json({"models": []}), path="/api/tags")
    return listed(model_list())(buddy, server)


def unknown_model(*names: str) -> Provoke:
    """What is said where the model is not there, and these are."""

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


def no_engine(buddy: Buddy, server: ScriptedServer) -> str:
    with pytest.MonkeyPatch.context() as without:
        without.setitem(sys.modules, "xllamacpp", None)
        return failure(buddy, Options(provider="embedded"))


def not_fetched(buddy: Buddy, server: ScriptedServer) -> str:
    return failure(buddy, Options(model="embedded/hf:OWNER/REPO/FILE.gguf"))


# What a remark says


def remark(
    *answers: Answer, options: Options | None = None, question: str = "hello"
) -> Provoke:
    """What stands under an answer that comes at last."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        server.script(*answers)
        return buddy.ask(question, options).result().notes[0]

    return provoke


def outgrown(
    *names: str,
    kind: Played | None = None,
    path: str = MODELS,
    answer: Answer | None = None,
) -> Provoke:
    """What stands under an answer before which turns were left out."""

    def provoke(buddy: Buddy, server: ScriptedServer) -> str:
        if kind:
            kind.on(server)
        if names:
            server.script(model_list(*names, max_model_len=4096), path=MODELS)
        if answer:
            server.script(answer, path=path)
        for size in (9_000, 9_000):
            buddy.ask("x" * size).result()
        return buddy.ask("x" * 20_000).result().notes[0]

    return provoke


def not_up_yet(buddy: Buddy, server: ScriptedServer) -> str:
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
    # Each kind
    "Ollama has no model": no_model_of_ollama,
    "Ollama cannot pull": told_to(
        "/pull lama3",
        OLLAMA,
        "/api/pull",
        lines({"error": "pull model manifest: file does not exist"}),
    ),
    "Ollama, outgrown": outgrown(kind=OLLAMA),
    "LM Studio, outgrown": outgrown(
        "qwen3-4b",
        kind=LM_STUDIO,
        path="/api/v1/models",
        answer=as_json({"models": [QWEN]}),
    ),
    "LM Studio does not pull": told_to("/pull phi4", LM_STUDIO),
    "llama.cpp loads": remark(LOADING, reply("Hi")),
    "llama.cpp, too long": answered(LLAMA_CPP.too_long, LLAMA_CPP),
    "llama.cpp does not load": told_to("/load phi4", LLAMA_CPP),
    "LocalAI, too long": answered(LOCAL_AI.too_long, LOCAL_AI),
    "LocalAI does not load yet": told_to("/load phi4", LOCAL_AI),
    "vLLM wants a key": answered(as_json({"error": "Unauthorized"}, 401), VLLM_SERVER),
    "vLLM, too long": answered(VLLM_SERVER.too_long, VLLM_SERVER),
    "vLLM does not load": told_to("/load phi4", VLLM_SERVER),
    "Jan takes no such key": key_refused,
    "Jan, too long": answered(JAN.too_long, JAN),
    "Docker, too long": answered(DOCKER.too_long, DOCKER),
    "Docker, dead runner": answered(plain(DEAD, status=500), DOCKER),
    "webui, too long": answered(WEBUI.too_long, WEBUI),
    "webui drops the connection": answered(
        stream(delta("Hel"), done=False, end="drop"), WEBUI
    ),
    "KoboldCpp, too long": answered(KOBOLDCPP.too_long, KOBOLDCPP),
    "KoboldCpp fails": answered(stream(delta("Hel"), delta(finish="error")), KOBOLDCPP),
    # The way to a server
    "nothing listens": nothing_listens,
    "another answers": advised(as_lm_studio),
    "in a container": advised(lambda server: Discovery([], in_container=True)),
    "no TLS": said_of(
        lambda there: error_lines.no_tls(there, "WRONG_VERSION_NUMBER"),
        "https://localhost:8443/v1",
    ),
    "no trust": said_of(
        lambda there: error_lines.no_tls(there, "CERTIFICATE_VERIFY_FAILED"),
        "https://localhost:8443/v1",
    ),
    "a proxy wants a password": by_proxy(
        lambda there: error_lines.proxy_failed(
            there, "407 Proxy Authentication Required"
        )
    ),
    "a proxy is not there": by_proxy(
        lambda there: error_lines.proxy_failed(there, "connection refused")
    ),
    "a proxy finds no way": by_proxy(
        lambda there: error_lines.refused(there, ErrorResponse("Bad Gateway", 502))
    ),
    "redirect": answered(plain("", status=307, Location="https://llm.example/v1")),
    "offline": offline,
    # What is there
    "no model server": answered(SIGN_IN),
    "hung up": said_of(lambda there: error_lines.hung_up(there, "")),
    "not found": said_of(
        lambda there: error_lines.refused(there, ErrorResponse("Not Found", 404))
    ),
    "no model": listed(model_list()),
    "unknown model": unknown_model("llama3"),
    "unknown model, none known": unknown_model(),
    "web page": listed(SIGN_IN),
    "key wanted": listed(as_json({"error": {"message": "Missing API key"}}, 401)),
    "key wanted, without a word": listed(plain("", status=401)),
    "too many ask": answered(plain("too many requests", status=429)),
    "a wrong field": answered(
        as_json({"error": {"message": "temperature must be below 1"}}, 400)
    ),
    # The answer
    "silence": said_of(
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
    "fell silent": late("next_token_timeout"),
    "no end": late("total_timeout"),
    "too much": said_of(
        lambda there: error_lines.too_much(there, openai_chat.MOST_BODY)
    ),
    "its own failure": answered(
        as_json({"error": {"message": "llama runner process has terminated"}}, 500)
    ),
    "no engine": no_engine,
    "not fetched": not_fetched,
    # Remarks
    "outgrown": outgrown("llama3"),
    "cut without a word": remark(
        stream(delta("Hi"), delta(finish="stop"), usage(2050, 1)),
        question="a word and more " * 1500,
    ),
    "not up yet": not_up_yet,
    "busy": remark(plain("", status=503), reply("Hi")),
    "no usage": remark(
        as_json({"error": {"message": "unknown field stream_options"}}, 400),
        reply("Hi"),
    ),
    "a field not taken": remark(
        as_json({"error": {"message": "temperature is not supported"}}, 400),
        reply("Hi"),
        options=Options(temperature=0.5),
    ),
}


# The guide and the code, both ways


def quoted() -> set[str]:
    return {
        LOCAL_ADDRESS.sub("URL", line)
        for block in blocks(SETUP, "text")
        for line in block.splitlines()
    }


@pytest.mark.parametrize("provoke", PROVOKED.values(), ids=PROVOKED)
def test_a_quoted_line_is_what_the_user_sees(
    provoke: Provoke, buddy: Buddy, server: ScriptedServer
) -> None:
    line = provoke(buddy, server).replace(server.root, "URL")
    assert LOCAL_ADDRESS.sub("URL", line) in quoted()


def test_no_line_is_quoted_that_was_not_provoked() -> None:
    assert len(quoted()) == len(PROVOKED)


def test_every_error_about_a_server_is_in_the_guide() -> None:
    guide, tree = text_of(SETUP), ast.parse(inspect.getsource(error_lines))
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    told = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, documented)
    }
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    pieces = {text.strip() for text in texts - told if len(text.strip()) >= SHORTEST}
    # The second remedy of a line begins with a small letter.
    known = guide.lower()
    assert {piece for piece in pieces if piece.lower() not in known} == set()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_has_its_section_with_all_that_is_needed(kind: Kind) -> None:
    _, _, rest = text_of(SETUP).partition(f"\n## {kind.name}\n")
    section = rest.partition("\n## ")[0]
    places = [section.find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)
    assert f'base_url = "http://localhost:{kind.ports[0]}{kind.path}"' in section
    assert "\n```text\n" in section[places[-1] :]
    assert all(
        word.strip() in section.replace("*", "")
        for word in kind.start_command.partition(" MODEL")[0].split(" > ")
    )


def test_the_report_of_the_guide_is_what_the_doctor_says(
    buddy: Buddy, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = asyncio.open_connection

    async def refuse_ollama(host: str, port: int, **how: Any) -> Any:
        # whether or not it runs on this machine
        if port == 11434:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
        return await connect(host, port, **how)

    monkeypatch.setattr(asyncio, "open_connection", refuse_ollama)
    local(buddy).base_url, local(buddy).search = (
        "http://localhost:11434/v1",
        as_lm_studio(server),
    )
    told = asyncio.run(examine(local(buddy))).text().rpartition("\n")[0]
    # elsewhere it is ::1 as well
    told = re.sub(r"localhost is .*", "localhost is 127.0.0.1", told)
    report = blocks(SETUP, "console")[0].rstrip("\n")
    assert LOCAL_ADDRESS.sub("URL", told) == LOCAL_ADDRESS.sub("URL", report)


def test_the_lines_of_the_doctor_in_the_guide_are_those_that_it_says() -> None:
    told = {line for _, lines in NOT_WELL.values() for line in lines} | set(TOO_SMALL)
    known = {
        line.replace("http://127.0.0.1:PORT", "URL").replace(
            "0.3 s", f"{ConnectionCheck.answer_timeout:g} s"
        )
        for line in told
    }
    shown = {
        line for block in blocks(SETUP, "console")[1:] for line in block.splitlines()
    }
    assert {LOCAL_ADDRESS.sub("URL", line) for line in shown} == known


def test_the_screen_says_what_it_waits_for(buddy: Buddy) -> None:
    waiting = buddy.ask("hello")
    waiting.started = 100.0
    assert "waiting for the model to load…" in waiting_markdown(waiting, now=114.0)
    assert "waiting for the model to load…" in text_of(SETUP)
