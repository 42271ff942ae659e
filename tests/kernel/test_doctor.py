"""The examination in a kernel, and what a cell says when its server is silent and
another one answers.
"""

from __future__ import annotations

import html
import json
import socket
from collections.abc import Iterator

import pytest

from tests.support.kernels import Kernel
from tests.support.scripted_server import ScriptedServer, as_json, hang, plain


def shown(kernel: Kernel, line: str) -> str:
    """What a command shows, as a reader sees it."""
    # on a busy machine, what is waited for stands before it
    *_, output = kernel.good(line).outputs
    return html.unescape(output["data"]["text/markdown"])


@pytest.fixture
def nowhere(kernel: Kernel) -> Iterator[str]:
    """A base URL where nothing listens; the kernel's buddy is pointed to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    kernel.good(f'%config LocalProvider.base_url = "{url}"')
    yield url
    kernel.good("os.environ.pop('OLLAMA_HOST', None)")


def test_a_server_that_is_well_is_told_so(
    kernel: Kernel, server: ScriptedServer
) -> None:
    told = shown(kernel, "%buddy /doctor")
    assert told.startswith("**Local is working.**")
    assert f"✓ **address**: {server.url}" in told
    assert "✓ **answer**: it streams: 5 pieces" in told
    assert "✗" not in told


def test_the_examination_leaves_the_conversation_alone(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good("%buddy /doctor")
    kernel.good("%buddy hello")
    roles = [message["role"] for message in server.asked()[-1]["body"]["messages"]]
    assert roles == ["system", "user"]


def test_what_is_not_well_is_told_with_a_remedy_that_can_be_copied(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(as_json({"error": "who are you?"}, 401), path="/v1/models")
    told = shown(kernel, "%buddy /doctor")
    assert "Local is not working: 1 of " in told
    assert "✗ **key**" in told
    assert "`codebuddy key Local`" in told


def test_a_bug_report_can_be_copied(kernel: Kernel) -> None:
    told = shown(kernel, "%buddy /doctor --json")
    report = json.loads(told.removeprefix("```json\n").removesuffix("```\n"))
    assert report["ok"] is True
    assert "codebuddy-jupyter" in report["versions"]


# A busy machine needs more than the half second that the search takes by default.
PATIENT_SEARCH = """
import dataclasses
provider = get_ipython().codebuddy.buddy.current()
provider.search = dataclasses.replace(provider.search, seconds=20.0)
"""


def test_a_silent_server_is_told_with_the_one_that_answers(
    kernel: Kernel, server: ScriptedServer, nowhere: str
) -> None:
    server.script(plain("Ollama is running"), path="/")
    server.script(as_json({"version": "0.12.3"}), path="/api/version")
    kernel.good(f"os.environ['OLLAMA_HOST'] = '127.0.0.1:{server.port}'")
    kernel.good(PATIENT_SEARCH)
    cell = kernel.run("%buddy hello")
    use = f'%config LocalProvider.base_url = "{server.url}"'
    assert f"Nothing answers at {nowhere} (connection refused)" in cell.error
    assert f"Use Ollama 0.12.3, which answers at {server.url}: {use}" in cell.error
    assert use in kernel.run("%buddy /models").error
    assert use in shown(kernel, "%buddy /doctor")
    assert server.asked() == []
    kernel.good(use)
    assert "Hello" in kernel.good("%buddy hello").answer["data"]["text/plain"]


def test_an_examination_can_be_interrupted(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(hang())
    cell = kernel.begin("%buddy /doctor")
    server.wait_for("arrived", seconds=30)
    kernel.interrupt()
    assert kernel.end(cell).status == "error"
    assert "Stopped" in cell.error
    server.wait_for("closed", seconds=10)
