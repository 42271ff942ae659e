"""The buddy in a real terminal:

IPython's, in both environments, and the shell command.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip(
        "Windows has no pseudo-terminals as these tests need them",
        allow_module_level=True,
    )

import pexpect  # type: ignore[import-untyped]

from tests.support.kernels import PYTHONS, clean_environment, python_named
from tests.support.scripted_server import ScriptedServer, begun

# The most that a step may take before the test fails.
SECONDS = 60
PROMPT = r"In \[\d+\]: "
Spawn = Callable[..., pexpect.spawn]


@pytest.fixture
def spawn(server: ScriptedServer, tmp_path: Path) -> Iterator[Spawn]:
    """Starts commands in a terminal; they end with the test."""
    started: list[pexpect.spawn] = []
    environment = clean_environment(
        tmp_path, CODEBUDDY_BASE_URL=server.url, TERM="dumb", PAGER="cat"
    )

    def start(python: Path, *words: str) -> pexpect.spawn:
        size = (40, 200)
        started.append(
            pexpect.spawn(
                str(python),
                list(words),
                env=environment,
                timeout=SECONDS,
                encoding="utf-8",
                dimensions=size,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.close(force=True)


@pytest.fixture(params=PYTHONS)
def terminal(request: pytest.FixtureRequest, spawn: Spawn) -> pexpect.spawn:
    """IPython's terminal, with the extension loaded."""
    options = (
        "--simple-prompt",
        "--colors=NoColor",
        "--no-banner",
        "--no-confirm-exit",
    )
    shell = spawn(python_named(request.param), "-m", "IPython", *options)
    shell.expect(PROMPT)
    output_of(shell, "%load_ext codebuddy_jupyter")
    return shell


def output_of(shell: pexpect.spawn, line: str) -> str:
    """Return what the terminal shows for a line, up to the next prompt."""
    shell.sendline(line)
    shell.expect(PROMPT)
    return re.sub(r"\x1b\[\d*m", "", str(shell.before))


def test_an_answer_and_its_value_are_shown_once(terminal: pexpect.spawn) -> None:
    shown = output_of(terminal, "%buddy why is df empty?")
    assert shown.count("Hello from the scripted server.") == 1
    assert re.search(r"Out\[\d+\]: <Reply from llama3: [^>]+>", shown)
    assert "Hello from the scripted server." in output_of(terminal, "print(str(_))")


def test_an_answer_streams_and_ctrl_c_stops_it(
    terminal: pexpect.spawn, server: ScriptedServer
) -> None:
    server.script(begun("Once upon a time"))
    terminal.sendline("%buddy tell me")
    terminal.expect("Once upon a time")
    terminal.sendintr()
    terminal.expect(r"buddy:\S* Stopped. The part that was received is kept.")
    terminal.expect(PROMPT)
    assert "Traceback" not in terminal.before
    assert server.wait_for("closed")
    server.script()
    assert "Hello from the scripted server." in output_of(terminal, "%buddy and now?")


def test_a_failure_is_one_line(terminal: pexpect.spawn) -> None:
    shown = output_of(terminal, "%buddy --nope")
    assert [
        line
        for line in shown.splitlines()
        if "buddy: There is no option --nope" in line
    ]
    assert "Traceback" not in shown
    assert "SettingError" not in shown


def test_help_is_shown(terminal: pexpect.spawn, server: ScriptedServer) -> None:
    assert "--temperature T" in output_of(terminal, "%buddy?")
    assert "/reset" in output_of(terminal, "%buddy /help")
    assert f"127.0.0.1:{server.port}" in output_of(terminal, "%buddy /use")


def test_the_shell_command_streams_to_a_terminal(
    spawn: Spawn, server: ScriptedServer
) -> None:
    server.script(begun("Once upon a time"))
    process = spawn(Path(sys.executable).with_name("codebuddy"), "ask", "tell me")
    process.expect("Once upon a time")
    process.sendintr()
    process.expect("codebuddy: stopped")
    process.expect(pexpect.EOF)
    process.wait()
    assert process.exitstatus == 130


def test_a_key_is_typed_unseen_and_kept_privately(
    spawn: Spawn, server: ScriptedServer, tmp_path: Path
) -> None:
    process = spawn(Path(sys.executable).with_name("codebuddy"), "key", "local")
    process.expect("it is not shown")
    process.sendline("secret-of-this-test")
    process.expect(pexpect.EOF)
    assert "secret-of-this-test" not in process.before
    (kept,) = tmp_path.rglob("codebuddy-keys.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert f"127.0.0.1:{server.port}" in kept.read_text()
