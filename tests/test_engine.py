from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from codebuddy_jupyter.providers.embedded.engine import (
    NICENESS,
    Engine,
    EngineConfig,
    EngineError,
    start_engine,
)
from tests.support.engines import PATIENCE, answer, engine_with, eventually, fetch
from tests.support.recital import RecitedAnswer, write_recital

POSIX = os.name == "posix"

# A kernel in miniature: it starts an engine, tells its pid, does one more thing, and
# then lives on.
PARENT = """
import asyncio, os, sys, time
from pathlib import Path
from codebuddy_jupyter.providers.embedded.engine import EngineConfig, start_engine
engine = asyncio.run(start_engine(EngineConfig(Path(sys.argv[1]), "recital", threads=1)))
{action}
print(engine.pid, flush=True)
time.sleep({patience})
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine_with(
        tmp_path_factory.mktemp("engine"), [RecitedAnswer("Hello from the engine.")]
    ) as engine:
        yield engine


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_recital(tmp_path / "model.gguf", [RecitedAnswer("Hello.")])
    return tmp_path / "model.gguf"


def is_gone(pid: int) -> bool:
    return (
        not psutil.pid_exists(pid)
        or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    )


def parent(model: Path, action: str = "") -> tuple[subprocess.Popen[str], int]:
    program = PARENT.format(action=action, patience=PATIENCE)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(model)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_the_engine_answers(engine: Engine) -> None:
    assert engine.alive
    assert answer(engine, "hello")["content"] == "Hello from the engine."


@pytest.mark.parametrize("path", ["/props", "/v1/models", "/slots"])
def test_a_request_without_the_key_is_refused(engine: Engine, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        fetch(engine, path, Authorization="Bearer guessed")


def test_each_engine_has_a_key_and_a_port_of_its_own(
    engine: Engine, model: Path
) -> None:
    other = asyncio.run(start_engine(EngineConfig(model, "other", threads=1)))
    asyncio.run(other.close())
    assert len(engine.key) >= 32
    assert (other.key, other.url) != (engine.key, engine.url)


def test_the_key_shows_in_no_list_of_processes(engine: Engine) -> None:
    process = psutil.Process(engine.pid)
    assert engine.key not in " ".join([*process.cmdline(), *process.environ().values()])


def test_a_page_of_another_origin_is_not_let_in(engine: Engine) -> None:
    request = urllib.request.Request(
        engine.url + "/v1/models", headers={"Authorization": f"Bearer {engine.key}"}
    )
    request.add_header("Origin", "http://example.org")
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        assert response.headers["Access-Control-Allow-Origin"] is None


@pytest.mark.skipif(not POSIX, reason="Windows has classes of priority")
def test_the_engine_yields_to_the_notebook(engine: Engine) -> None:
    child = psutil.Process(engine.pid)
    assert child.nice() == psutil.Process().nice() + NICENESS
    assert child.environ()["GOMP_SPINCOUNT"] == "2000"
    group = Path(f"/proc/{engine.pid}/autogroup")
    if group.exists() and group.read_text():
        assert group.read_text().split()[-1] == str(NICENESS)


def test_the_engine_listens_on_loopback_alone(engine: Engine) -> None:
    listening = [
        c.laddr.ip
        for c in psutil.Process(engine.pid).net_connections()
        if c.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"junk, not a model", "invalid magic"),
        (b"GGUF" + bytes(60), "."),
        (None, "No such file|failed to"),
    ],
    ids=["no GGUF", "a broken GGUF", "no file"],
)
def test_a_model_that_cannot_be_loaded_fails_with_the_reason(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(EngineError, match=reason) as failure:
        asyncio.run(start_engine(EngineConfig(tmp_path / "bad.gguf", "bad")))
    assert str(failure.value).strip()
    assert "\n" not in str(failure.value)


def test_closing_ends_the_engine(model: Path) -> None:
    engine = asyncio.run(start_engine(EngineConfig(model, "model", threads=1)))
    asyncio.run(engine.close())
    assert not engine.alive
    assert eventually(lambda: is_gone(engine.pid))


def children() -> set[int]:
    return {process.pid for process in psutil.Process().children()}


@pytest.mark.parametrize("moment", ["before there is a process", "once there is one"])
def test_cancelling_the_start_leaves_no_engine(model: Path, moment: str) -> None:
    async def start_and_cancel() -> None:
        starting = asyncio.create_task(
            start_engine(EngineConfig(model, "model", threads=1))
        )
        await asyncio.sleep(0)
        if moment == "once there is one":
            assert await asyncio.to_thread(
                eventually, lambda: bool(children() - before)
            )
        starting.cancel()
        await asyncio.wait([starting])

    before = children()
    asyncio.run(start_and_cancel())
    assert eventually(lambda: all(map(is_gone, children() - before)))


ENDS = {
    "killed": "",
    "with a fork that lives on": "os.fork() or (os.close(1), time.sleep(30), os._exit(0))",
    "with a child that lives on": "import subprocess; "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'], "
    "stdout=subprocess.DEVNULL)",
}


@pytest.mark.parametrize(
    "action",
    [pytest.param(v, id=k) for k, v in ENDS.items() if POSIX or "fork" not in k],
)
def test_the_engine_ends_when_its_parent_is_killed(model: Path, action: str) -> None:
    process, pid = parent(model, action)
    family = psutil.Process(process.pid).children(recursive=True)
    assert not is_gone(pid)
    process.kill()
    process.communicate(timeout=PATIENCE)
    ended = eventually(lambda: is_gone(pid))
    for left in [child for child in family if child.is_running()]:
        left.kill()
    assert ended


def test_the_engine_ends_with_its_parent_that_exits_well(model: Path) -> None:
    process, pid = parent(model, "print(engine.pid, flush=True); sys.exit(0)")
    process.communicate(timeout=PATIENCE)
    assert eventually(lambda: is_gone(pid))


def test_the_engine_ends_while_it_still_loads_when_its_parent_is_gone() -> None:
    """The pipe alone ends it, though a model that loads holds Python's lock for
    minutes.
    """
    program = (
        "import ctypes, sys; from codebuddy_jupyter.providers.embedded import engine; "
        "engine._die_with_pipe();"
        "print('loading', flush=True); (ctypes.PyDLL(None).sleep if "
        "engine.os.name == 'posix' else sys.stdin.read)(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline().strip() == b"loading"
        child.stdin.close()
        child.wait(PATIENCE)


def test_a_fork_does_not_end_the_engine_of_its_parent(model: Path) -> None:
    action = "\n".join(
        [
            "pid = hasattr(os, 'fork') and os.fork()",
            "if pid == 0: alive = engine.alive; asyncio.run(engine.close()); os._exit(alive)",
            "if pid: assert os.waitpid(pid, 0)[1] == 0",
            "assert engine.alive",
        ]
    )
    process, pid = parent(model, action)
    assert not is_gone(pid)
    process.kill()
    process.communicate(timeout=PATIENCE)


def test_a_file_in_the_notebooks_folder_is_not_taken_for_pythons(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    engine = asyncio.run(start_engine(EngineConfig(model, "model", threads=1)))
    asyncio.run(engine.close())
