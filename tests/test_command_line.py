"""The shell command ``codebuddy`` as a process: what it writes, when, and with which
status it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.kernels import clean_environment
from tests.support.scripted_server import (
    Answer,
    ScriptedServer,
    as_json,
    begun,
    delta,
    event,
    hang,
    reply,
)

CODEBUDDY = Path(sys.executable).with_name(
    "codebuddy.exe" if os.name == "nt" else "codebuddy"
)
# a bound for what hangs
SECONDS = 60


def start(server: ScriptedServer, home: Path, *words: str) -> subprocess.Popen[bytes]:
    """The command, asking the scripted server."""
    environment = clean_environment(home, CODEBUDDY_BASE_URL=server.url)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [CODEBUDDY, *words],
        env=environment,
        cwd=home,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )


def run(
    server: ScriptedServer, home: Path, *words: str, typed: str = ""
) -> tuple[int, str, str]:
    """The status of the command, and what it wrote to its output and its error output."""
    with start(server, home, *words) as process:
        out, err = process.communicate(typed.encode(), timeout=SECONDS)
    return process.returncode, out.decode(), err.decode()


def test_an_answer_streams_and_an_interrupt_stops_it(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(begun("Once upon a time"))
    with start(server, tmp_path, "ask", "tell", "me") as process:
        assert process.stdout is not None
        assert process.stdout.read(16) == b"Once upon a time"
        assert process.poll() is None
        process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        _, err = process.communicate(timeout=SECONDS)
    assert server.wait_for("closed")
    if os.name == "posix":
        assert (process.returncode, err) == (130, b"codebuddy: stopped\n")


def test_the_whole_answer_is_written_plainly_where_no_terminal_is(
    server: ScriptedServer, tmp_path: Path
) -> None:
    status, out, err = run(server, tmp_path, "ask", "why", "can't", "I", "merge?")
    assert (status, err) == (0, "")
    assert out.startswith("Hello from the scripted server.\n\nllama3 · 5 tokens · ")
    assert "\x1b" not in out
    assert "\r" not in out
    assert server.asked()[0]["body"]["messages"][-1]["content"] == "why can't I merge?"


@pytest.mark.parametrize("words", [["ask"], ["ask", "-"]], ids=["nothing", "dash"])
def test_the_prompt_comes_from_standard_input(
    server: ScriptedServer, tmp_path: Path, words: list[str]
) -> None:
    status, _, _ = run(server, tmp_path, *words, typed="why is\ndf empty?")
    assert status == 0
    assert (
        server.asked()[0]["body"]["messages"][-1]["content"].replace("\r", "")
        == "why is\ndf empty?"
    )


def test_options_are_those_of_the_magic(server: ScriptedServer, tmp_path: Path) -> None:
    run(server, tmp_path, "ask", "-m", "phi4", "-t", "0", "-o", "top_p=0.5", "hello")
    body = server.asked()[0]["body"]
    assert (body["model"], body["temperature"], body["top_p"]) == ("phi4", 0, 0.5)


def test_nothing_that_a_model_writes_steers_the_terminal(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(reply("a\x1b[2Jb\x07c\x9b31md\r\ne\x00f \x1b]0;title\x07"))
    _, out, _ = run(server, tmp_path, "ask", "hello")
    assert out.replace("\r\n", "\n").startswith("a[2Jbc31md\nef ]0;title\n")


FAILURES = {
    "server's error": (
        as_json({"error": "out of memory"}, 500),
        ["ask", "hello"],
        "out of memory",
    ),
    "cut off": (
        Answer(pieces=[(0, event(delta("Half")))], end="drop"),
        ["ask", "hello"],
        "cut off",
    ),
    "nothing to ask": (hang(), ["ask"], "There is nothing to ask."),
    "bad option": (
        hang(),
        ["ask", "-t", "7", "hello"],
        "The temperature must be between 0 and 2",
    ),
    "unknown provider": (
        hang(),
        ["ask", "-p", "olama", "hello"],
        "There is no provider 'olama'",
    ),
    "unknown provider's key": (
        hang(),
        ["key", "olama"],
        "There is no provider 'olama'",
    ),
}


@pytest.mark.parametrize(("answer", "words", "line"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_one_line_on_the_error_output(
    server: ScriptedServer, tmp_path: Path, answer: Answer, words: list[str], line: str
) -> None:
    server.script(answer)
    status, _, err = run(server, tmp_path, *words)
    assert status == 1
    assert err.startswith("codebuddy: ")
    assert err.count("\n") == 1
    assert line in err


def test_a_reader_that_leaves_early_causes_no_traceback(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(Answer(tokens=5000, per_second=2000))
    with start(server, tmp_path, "ask", "hello") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read()
        process.wait(SECONDS)
    assert err == b""
    assert server.wait_for("closed")


def test_the_version_is_told(server: ScriptedServer, tmp_path: Path) -> None:
    status, out, _ = run(server, tmp_path, "--version")
    assert (status, out.split()[0]) == (0, "codebuddy")


def test_a_model_is_downloaded_and_what_cannot_be_is_one_line(
    server: ScriptedServer, tmp_path: Path
) -> None:
    file = tmp_path / "small.gguf"
    file.write_bytes(b"GGUF")
    status, out, err = run(server, tmp_path, "pull", str(file))
    assert (status, err) == (0, f"copying {file} 100 %\n")
    assert out.endswith("To use it: %buddy /use embedded/small\n")
    status, out, err = run(server, tmp_path, "pull", "embedded/nothing")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "There is no model 'nothing' to download" in err
