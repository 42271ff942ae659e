"""The buddy in a real terminal:

IPython's, in both environments, and the shell command.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip(
        "Windows has no pseudo-terminals as these tests need them",
        allow_module_level=True,
    )

import pexpect  # type: ignore[import-untyped]

from tests.support.kernels import PYTHONS, clean_environment, python_named
from tests.support.screen import shown
from tests.support.scripted_server import ScriptedServer, begun, reply

# The most that a step may take before the test fails.
SECONDS = 60
PROMPT = r"In \[\d+\]: "
Spawn = Callable[..., pexpect.spawn]


@contextmanager
def spawning(**environment: str) -> Iterator[Spawn]:
    """Starts commands in a terminal; they end with the block."""
    started: list[pexpect.spawn] = []

    def start(python: Path, *words: str, term: str = "dumb") -> pexpect.spawn:
        size = (40, 200)
        started.append(
            pexpect.spawn(
                str(python),
                list(words),
                env={**environment, "TERM": term},
                timeout=SECONDS,
                encoding="utf-8",
                dimensions=size,
            )
        )
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            process.close(force=True)


@pytest.fixture
def spawn(server: ScriptedServer, tmp_path: Path) -> Iterator[Spawn]:
    """Starts commands in a terminal; they end with the test."""
    environment = clean_environment(
        tmp_path, CODEBUDDY_BASE_URL=server.url, PAGER="cat"
    )
    with spawning(**environment) as start:
        yield start


def ipython(spawn: Spawn, name: str) -> pexpect.spawn:
    """IPython's terminal in one of the environments."""
    options = (
        "--simple-prompt",
        "--colors=NoColor",
        "--no-banner",
        "--no-confirm-exit",
    )
    shell = spawn(python_named(name), "-m", "IPython", *options)
    shell.expect(PROMPT)
    return shell


@pytest.fixture(scope="module", params=PYTHONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[pexpect.spawn]:
    """IPython's terminal, for the tests of an environment."""
    environment = clean_environment(tmp_path_factory.mktemp("home"), PAGER="cat")
    with spawning(**environment) as start:
        shell = ipython(start, request.param)
        output_of(shell, "import os")
        yield shell


@pytest.fixture
def terminal(shared: pexpect.spawn, server: ScriptedServer) -> pexpect.spawn:
    """IPython's terminal with a new buddy."""
    assert "ready 42" in output_of(shared, "print('ready', 6 * 7)")
    output_of(shared, f"os.environ['CODEBUDDY_BASE_URL'] = {server.url!r}")
    output_of(shared, "%reload_ext codebuddy_jupyter")
    return shared


def output_of(shell: pexpect.spawn, line: str) -> str:
    """Return what the terminal shows for a line, up to the next prompt."""
    shell.sendline(line)
    shell.expect(PROMPT)
    return re.sub(r"\x1b\[\d*m", "", str(shell.before))


def test_an_answer_and_its_value_are_shown_once(terminal: pexpect.spawn) -> None:
    number = int(output_of(terminal, "print('next', len(In))").split()[-1])
    shown = output_of(terminal, "%buddy why is df empty?")
    assert shown.count("Hello from the scripted server.") == 1
    assert "Out[" not in shown
    assert "<Reply" not in shown
    later = f"[key for key in Out if key >= {number}]"
    shown = output_of(terminal, f"print(str(_), _ is Out[{number}], {later})")
    assert f"Hello from the scripted server. True [{number}]" in shown
    # Other values are shown as ever, and so is a reply on a later line.
    assert f"Out[{number + 2}]: 7" in output_of(terminal, "3 + 4")
    shown = output_of(terminal, f"Out[{number}]")
    assert shown.count("Hello from the scripted server.") == 1
    assert f"Out[{number + 3}]" not in shown
    assert "Hello" in output_of(terminal, "answer = %buddy and now?")
    assert "True" in output_of(terminal, "'Hello' in str(answer)")


def test_an_answer_of_a_function_has_no_prompt_of_an_output(
    terminal: pexpect.spawn,
) -> None:
    output_of(terminal, "import codebuddy_jupyter as buddy")
    shown = output_of(terminal, "buddy.ask('why?')")
    assert shown.count("Hello from the scripted server.") == 1
    assert "Out[" not in shown


@pytest.mark.parametrize("name", PYTHONS)
def test_an_answer_is_rendered_in_ipython(
    spawn: Spawn, server: ScriptedServer, name: str
) -> None:
    server.script(reply("## Why\n\n- **one**\n\n```python\ndef f(): pass\n```\n"))
    shell = spawn(python_named(name), "-m", "IPython", "--simple-prompt", term="xterm")
    shell.expect(PROMPT)
    output_of(shell, "%load_ext codebuddy_jupyter")
    shell.sendline("%buddy why?")
    shell.expect(PROMPT)
    written = str(shell.before)
    *_, answer = "\n".join(shown(written, 200)).partition("%buddy why?")
    assert answer.split()[:7] == ["Why", "•", "one", "def", "f():", "pass", "llama3"]
    assert re.search(r"\x1b\[[\d;]+mdef", written)
    assert "Out[" not in answer


def test_ctrl_c_leaves_what_was_rendered(spawn: Spawn, server: ScriptedServer) -> None:
    server.script(begun("Once **upon** a time"))
    codebuddy = Path(sys.executable).with_name("codebuddy")
    process = spawn(codebuddy, "ask", "tell me", term="xterm-256color")
    process.expect("a time")
    written = process.before + process.after
    process.sendintr()
    process.expect("codebuddy: stopped")
    written += process.before
    process.expect(pexpect.EOF)
    rows = shown(written.replace("^C", ""), 200)
    assert "Once upon a time" in rows
    assert [row for row in rows if row.endswith("stopped before its end")]
    # The cursor was never hidden, so that it need not be shown again.
    assert "\x1b[?" not in written


def test_an_answer_in_a_file_has_no_colours(
    spawn: Spawn, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(reply("So:\n\n```python\nx = 1\n```\n"))
    codebuddy = Path(sys.executable).with_name("codebuddy")
    line = f"{codebuddy} ask -f code make x > {tmp_path / 'x.py'}"
    process = spawn(Path("/bin/sh"), "-c", line, term="xterm")
    process.expect(pexpect.EOF)
    assert (tmp_path / "x.py").read_text() == "x = 1\n"


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
