"""The buddy in ``jupyter console``, which ignores display updates."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

if sys.platform == "win32":
    pytest.skip(
        "Windows has no pseudo-terminals as these tests need them",
        allow_module_level=True,
    )

import pexpect  # type: ignore[import-untyped]

from tests.support.kernels import clean_environment
from tests.support.scripted_server import ScriptedServer

# The most that a step may take before the test fails.
SECONDS = 60
PROMPT = r"In \[\d+\]: "
HELLO = "Hello from the scripted server."


@pytest.fixture(scope="module")
def console_and_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[pexpect.spawn, ScriptedServer]]:
    """Jupyter's console with the extension loaded, and what it asks."""
    with ScriptedServer() as server:
        environment = clean_environment(
            tmp_path_factory.mktemp("home"),
            CODEBUDDY_BASE_URL=server.url,
            TERM="dumb",
        )
        console = pexpect.spawn(
            sys.executable,
            ["-m", "jupyter_console", "--simple-prompt", "--kernel=python3"],
            env=environment,
            timeout=SECONDS,
            encoding="utf-8",
            dimensions=(40, 200),
        )
        console.expect(PROMPT)
        shown_for(console, "%load_ext codebuddy_jupyter")
        shown_for(console, "import codebuddy_jupyter as buddy")
        yield console, server
        console.close(force=True)


def shown_for(console: pexpect.spawn, line: str) -> str:
    """Return what the console shows for a line, up to the next prompt."""
    console.sendline(line)
    console.expect(PROMPT)
    return re.sub(r"\x1b\[[\d;]*m", "", str(console.before))


CELLS = {
    "alone": "%buddy hello",
    "assigned": "x = %buddy hello",
    "timed": "%time x = buddy.ask('hello').result(); x",
    "a loop": "for i in range(1): get_ipython().run_line_magic('buddy', 'hello')",
    "after other output": "print('before'); buddy.ask('hello')",
    "a value": "buddy.ask('hello')",
    "below %%time": "get_ipython().run_cell_magic('time', '', '%buddy hello')",
}


@pytest.mark.parametrize("line", CELLS.values(), ids=CELLS)
def test_the_console_shows_an_answer_once(
    console_and_server: tuple[pexpect.spawn, ScriptedServer], line: str
) -> None:
    console, _ = console_and_server
    shown = shown_for(console, line)
    assert shown.count(HELLO) == 1
    assert "<Reply" not in shown
