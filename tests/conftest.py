"""What every test stands on: a clean environment, empty directories of its own, and no
way beyond loopback.
"""

from __future__ import annotations

import atexit
import gc
import inspect
import ipaddress
import itertools
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import hypothesis
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.settings.keys import Keys
from tests.support.disks import MEMORY, has_room_in_memory
from tests.support.embedded_calls import ANSWERS
from tests.support.fakes import FakeProvider, buddy_with_fakes, fake_of, local
from tests.support.notebooks_kept import Start
from tests.support.recital import write_recital
from tests.support.reports import SHORT
from tests.support.scripted_server import ScriptedServer
from tests.support.sessions import forget_outputs
from tests.support.watched import NotebookSession

# No test is timed, and none leaves anything in the source tree.
hypothesis.settings.register_profile(
    "buddy",
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("buddy")

# A shell that runs the tests in the background has the interrupt ignored, here and in
# every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Thousands of tests write small files, each of which a disk makes sure of.
if has_room_in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)

SPOILERS = re.compile(
    r"CODEBUDDY_.*|OPENAI_.*|.*_API_KEY|.*_PROXY|(OLLAMA|LMSTUDIO)_HOST", re.IGNORECASE
)
FOLDERS = (
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
)


# Collections of garbage as often as usual took a fourteenth of the time.
gc.set_threshold(100_000, 50, 100)


def pytest_collection_finish() -> None:
    """Let no later collection of garbage look at all the tests that were collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the next test has its home.

    A numbered ``mktemp`` would look at those of all the thousands before it.
    """
    parent = tmp_path_factory.mktemp("homes")
    return (parent / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path]) -> Iterator[Path]:
    """An empty home, with no setting, key or proxy in the environment.

    The folders in it are named, and do not exist: most tests need none.
    """
    home = next(homes)
    home.mkdir()
    for name in [name for name in os.environ if SPOILERS.fullmatch(name)]:
        monkeypatch.delenv(name)
    for name in FOLDERS:
        folder = home if name in ("HOME", "USERPROFILE") else home / name.lower()
        monkeypatch.setenv(name, str(folder))
    yield home
    # Of thousands of homes, nearly all are still empty.
    with suppress(OSError):
        home.rmdir()


@pytest.fixture(autouse=True, scope="session")
def modules_by_name() -> Iterator[None]:
    """Find the module of a frame by its name.

    IPython asks for it for each frame of an error, and Python would go through all
    modules, of which there are thousands here.
    """
    found = inspect.getmodule

    def module_of(object: Any, _filename: str | None = None) -> ModuleType | None:
        if not isinstance(object, FrameType):
            return found(object, _filename)
        module = sys.modules.get(object.f_globals.get("__name__", ""))
        file = getattr(module, "__file__", None)
        return module if file == object.f_code.co_filename else None

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inspect, "getmodule", module_of)
        yield


class BeyondLoopback(AssertionError):
    """A test tried to leave the machine."""


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Let no socket of this process connect beyond loopback, and no name be looked up
    elsewhere.
    """
    connect, connect_ex, look_up = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def checked_connect(self: socket.socket, address: Any) -> None:
        _check(self, address)
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        _check(self, address)
        return connect_ex(self, address)

    def checked_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and name != "localhost" and not _is_address(name):
            raise socket.gaierror(
                socket.EAI_NONAME, "Name or service not known (tests look no name up)"
            )
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket.socket, "connect", checked_connect)
        patched.setattr(socket.socket, "connect_ex", checked_connect_ex)
        patched.setattr(socket, "getaddrinfo", checked_look_up)
        yield


def _check(connecting: socket.socket, address: Any) -> None:
    if connecting.family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = str(address[0]).split("%")[0]
    if not (
        host == "localhost"
        or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
    ):
        raise BeyondLoopback(f"A test tried to connect to {address}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    return True


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """An IPython shell in this process, as ``get_ipython()`` finds it."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(
        config=Config({"HistoryManager": {"enabled": False}})
    )
    yield shell
    InteractiveShell.clear_instance()
    # else all shells are kept to the end of the run, and each then collects garbage
    atexit.unregister(shell.atexit_operations)


@pytest.fixture
def buddy(tmp_path: Path) -> Iterator[Buddy]:
    """A Buddy whose providers are fakes."""
    buddy = buddy_with_fakes(tmp_path / "codebuddy.json")
    yield buddy
    buddy.close()


@pytest.fixture
def fake(buddy: Buddy) -> FakeProvider:
    """The provider that ``buddy`` asks; a test gives it its script."""
    return fake_of(buddy)


@pytest.fixture
def local_buddy(server: ScriptedServer, tmp_path: Path) -> Iterator[Buddy]:
    """A Buddy whose local provider asks the scripted server."""
    buddy = Buddy(settings_path=tmp_path / "codebuddy.json")
    local(buddy).base_url = server.url
    local(buddy).retries = 0
    yield buddy
    buddy.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Gives a Buddy in a new kernel of a notebook; all of them have one home."""
    buddies: list[Buddy] = []

    def start(notebook: str = "analysis.ipynb", **traits: Any) -> Buddy:
        buddy = buddy_with_fakes(tmp_path / "codebuddy.json")
        buddy.context = "none"
        for name, value in traits.items():
            setattr(buddy, name, value)
        path = tmp_path / notebook
        buddy.collector.session = NotebookSession(path, {})
        buddies.append(buddy)
        return buddy

    yield start
    for buddy in buddies:
        buddy.close()


@pytest.fixture
def file() -> Path:
    """The file of conversations in this test's home."""
    return Path(os.environ["JUPYTER_DATA_DIR"], "codebuddy", "chats.sqlite3")


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    """An event loop in a thread, shared by the tests of a module."""
    loop = Loop()
    yield loop
    loop.stop()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server of this test's own."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def well_server(server: ScriptedServer) -> ScriptedServer:
    """``server``, which answers each question as one that is well."""
    server.script(SHORT)
    return server


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small model for the embedded engine, which says `ANSWERS`."""
    file = tmp_path_factory.mktemp("models") / "small.gguf"
    write_recital(file, ANSWERS, n_ctx=4096, layers=16)
    return file


@pytest.fixture
def fresh(loop: Loop) -> Iterator[EmbeddedProvider]:
    """An embedded provider that has started no engine yet."""
    provider = EmbeddedProvider()
    yield provider
    loop.run(provider.close())


@pytest.fixture
def provider(server: ScriptedServer, tmp_path: Path) -> LocalProvider:
    """A local provider that asks ``server``, and keeps its keys in a file of this
    test's own.
    """
    provider = LocalProvider(base_url=server.url)
    provider.keys = Keys(tmp_path / "keys.json")
    return provider


@pytest.fixture
def notebook_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the notebook is saved, as Jupyter tells the kernel."""
    path = tmp_path / "sales.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    return path


@pytest.fixture
def session(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    """Return a session that listens; nothing has been run."""
    forget_outputs(shell)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    session = Session(shell)
    session.listen()
    yield session
    session.leave()
