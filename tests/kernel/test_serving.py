"""The commands about models in a real kernel: list, download, load and unload."""

from __future__ import annotations

import html
from dataclasses import replace

from tests.support.kernels import Kernel
from tests.support.kinds import OLLAMA, OLLAMA_PS, lines
from tests.support.scripted_server import ScriptedServer, as_json, plain

PULL = "/api/pull"
PART = lines(
    {"status": "pulling manifest"},
    {"status": "pulling 8b", "total": 5_000_000_000, "completed": 3_000_000_000},
)


def shown(kernel: Kernel, line: str) -> str:
    return html.unescape(kernel.good(line).outputs[0]["data"]["text/markdown"])


def test_the_models_are_a_table(kernel: Kernel, server: ScriptedServer) -> None:
    OLLAMA.on(server)
    assert (
        "| qwen3:8b | 4,096 | 40,960 | 5.2 GB | 8.2B | chat, tools, reasoning | loaded |"
        in shown(kernel, "%buddy /models")
    )


def test_an_interrupted_download_resumes(
    kernel: Kernel, server: ScriptedServer
) -> None:
    OLLAMA.on(server)
    server.script(replace(PART, end="hang"), lines({"status": "success"}), path=PULL)
    cell = kernel.begin("%buddy /pull qwen3:8b")
    server.wait_for("ended", PULL)
    kernel.interrupt()
    kernel.end(cell)
    assert cell.status == "error"
    assert (
        cell.error.strip()
        .splitlines()[-1]
        .endswith("Stopped. The part that was received is kept.")
    )
    assert server.wait_for("closed", PULL)
    cell = kernel.good("%buddy /pull qwen3:8b")
    assert "qwen3:8b is downloaded." in html.unescape(
        str(cell.outputs[-1]["data"]["text/markdown"])
    )


def test_a_failed_download_shows_the_error_of_the_server_in_one_line(
    kernel: Kernel, server: ScriptedServer
) -> None:
    OLLAMA.on(server)
    server.script(
        lines({"status": "pulling manifest"}, {"error": "no space left on device"}),
        path=PULL,
    )
    cell = kernel.run("%buddy /pull qwen3:8b")
    assert cell.status == "error"
    assert "no space left on device" in cell.error
    assert "Traceback" not in cell.error


def test_load_shows_how_long_it_took(kernel: Kernel, server: ScriptedServer) -> None:
    OLLAMA.on(server)
    server.script(as_json({"done": True}), path="/api/generate")
    assert "qwen3:8b is loaded; it took 0." in shown(kernel, "%buddy /load qwen3:8b")
    assert "qwen3:8b is unloaded." in shown(kernel, "%buddy /unload qwen3:8b")


def test_the_address_is_shown_as_it_is_used(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(plain("404 page not found", status=404), path="/llm/models")
    kernel.good(f'%config LocalProvider.base_url = "{server.root}/llm/"')
    kernel.good("%buddy hello")
    assert f"{server.root}/v1 | this kernel" in shown(kernel, "%buddy /use")
    assert f"{server.root}/llm/" in str(
        kernel.good("%config LocalProvider.base_url").outputs
    )


def test_ollama_answers_with_the_window_of_the_settings(
    kernel: Kernel, server: ScriptedServer
) -> None:
    OLLAMA.on(server)
    loaded = [
        as_json({"models": [{"name": "qwen3:8b", "context_length": size}]})
        for size in (16384, 4096)
    ]
    server.script(as_json(OLLAMA_PS), *loaded, path="/api/ps")
    server.script(as_json({"done": True}), path="/api/generate")
    said = [
        {"message": {"content": "From the native "}},
        {"message": {"content": "protocol."}, "done": True},
    ]
    server.script(lines(*said), path="/api/chat")
    kernel.good("%config LocalProvider.num_ctx = 16384")
    assert (
        kernel.good("%buddy hello")
        .answer["data"]["text/plain"]
        .startswith("From the native protocol.")
    )
    assert server.asked("/api/chat")[0]["body"]["options"]["num_ctx"] == 16384
