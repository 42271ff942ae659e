"""Kernels in the newest Jupyter and in one as Colab pins it, and the server that they
ask.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.kernels import PYTHONS, Kernel, python_named
from tests.support.scripted_server import ScriptedServer


@pytest.fixture(scope="session", params=PYTHONS)
def python(request: pytest.FixtureRequest) -> Path:
    """The interpreter of each environment."""
    return python_named(request.param)


@pytest.fixture(scope="session")
def shared(
    python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Kernel]]:
    """Gives the kernel that the tests of an environment share; a new one after a test
    that broke it.
    """
    with contextlib.ExitStack() as kernels:
        running: list[Kernel] = []

        def get() -> Kernel:
            if not (running and running[-1].is_at_rest):
                running.append(
                    kernels.enter_context(
                        Kernel(python, tmp_path_factory.mktemp("home"))
                    )
                )
            return running[-1]

        yield get


@pytest.fixture
def kernel(shared: Callable[[], Kernel], server: ScriptedServer) -> Kernel:
    """A kernel with a new buddy that asks the scripted server."""
    kernel = shared()
    # %reset collects garbage twice: the next one need not look at what is here now
    kernel.good(
        "%reset -f\nimport gc, os\ngc.freeze()\n"
        f"os.environ['CODEBUDDY_BASE_URL'] = {server.url!r}\n"
        "%reload_ext codebuddy_jupyter"
    )
    return kernel


@pytest.fixture
def copy(python: Path, server: ScriptedServer, tmp_path: Path) -> Iterator[Kernel]:
    """As ``fresh``, but a copy of a process that has imported its libraries: for tests in
    which its start and its imports do not matter.
    """
    with Kernel(python, tmp_path, copied=True, CODEBUDDY_BASE_URL=server.url) as kernel:
        yield kernel


@pytest.fixture
def fresh(python: Path, server: ScriptedServer, tmp_path: Path) -> Iterator[Kernel]:
    """A kernel of this test's own, where nothing has been loaded yet."""
    with Kernel(python, tmp_path, CODEBUDDY_BASE_URL=server.url) as kernel:
        yield kernel
