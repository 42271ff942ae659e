"""The shell command ``codebuddy``: what it writes, when, and with which status it ends.

What only a process shows is tested with one.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codebuddy_jupyter import __version__
from codebuddy_jupyter.cli.command_line import main
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


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs the command in this process; gives its status, and what it wrote to its output
    and its error output.
    """
    monkeypatch.setenv("CODEBUDDY_BASE_URL", server.url)

    def run(*words: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        status = main(words)
        return status, *capsys.readouterr()

    return run


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
    with start(server, tmp_path, "ask", "why", "can't", "I", "merge?") as process:
        out, err = process.communicate(timeout=SECONDS)
    text = out.decode()
    assert (process.returncode, err) == (0, b"")
    assert text.startswith("Hello from the scripted server.\n\nllama3 · 5 tokens · ")
    assert "\x1b" not in text
    assert "\r" not in text
    assert server.asked()[0]["body"]["messages"][-1]["content"] == "why can't I merge?"


@pytest.mark.parametrize("words", [["ask"], ["ask", "-"]], ids=["nothing", "dash"])
def test_the_prompt_comes_from_standard_input(
    run: Run, server: ScriptedServer, words: list[str]
) -> None:
    status, _, _ = run(*words, typed="why is\ndf empty?")
    assert status == 0
    assert server.asked()[0]["body"]["messages"][-1]["content"] == "why is\ndf empty?"


def test_options_are_those_of_the_magic(run: Run, server: ScriptedServer) -> None:
    run("ask", "-m", "phi4", "-t", "0", "-o", "top_p=0.5", "hello")
    body = server.asked()[0]["body"]
    assert (body["model"], body["temperature"], body["top_p"]) == ("phi4", 0, 0.5)


def test_nothing_that_a_model_writes_steers_the_terminal(
    run: Run, server: ScriptedServer
) -> None:
    server.script(reply("a\x1b[2Jb\x07c\x9b31md\r\ne\x00f \x1b]0;title\x07"))
    _, out, _ = run("ask", "hello")
    assert out.startswith("a[2Jbc31md\nef ]0;title\n")


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
    run: Run, server: ScriptedServer, answer: Answer, words: list[str], line: str
) -> None:
    server.script(answer)
    status, _, err = run(*words)
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


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"codebuddy {__version__}\n"


def test_a_model_is_downloaded_and_what_cannot_be_is_one_line(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "small.gguf"
    file.write_bytes(b"GGUF")
    status, out, err = run("pull", str(file))
    assert (status, err) == (0, f"copying {file} 100 %\n")
    assert out.endswith("To use it: %buddy /use embedded/small\n")
    status, out, err = run("pull", "embedded/nothing")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "There is no model 'nothing' to download" in err
