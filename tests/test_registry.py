"""Which providers there are, with those of a package that is installed for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from unittest.mock import Mock

import pytest

from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.providers import registry
from codebuddy_jupyter.providers.registry import ALIASES, GROUP, Registry

PACKAGE = Path(__file__).with_name("third_party")
# seconds
ENOUGH = 120.0


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the package of a third party is installed."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-index",
    ]
    done = subprocess.run(
        [
            *pip,
            "--no-deps",
            "--no-build-isolation",
            "--target",
            str(folder),
            str(PACKAGE),
        ],
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def run_cells(installed: Path, *cells: str) -> list[str]:
    """What each cell shows, in an IPython shell where the third party's package is
    installed.
    """
    code = (
        "from IPython.core.interactiveshell import InteractiveShell as Shell\n"
        "shell = Shell.instance()\n"
    )
    code += "".join(
        f"print('----', flush=True)\nshell.run_cell({cell!r})\n" for cell in cells
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONIOENCODING": "utf-8"},
    )
    assert done.stderr == ""
    return [shown.strip() for shown in done.stdout.split("----\n")[1:]]


LOAD = "%load_ext codebuddy_jupyter"


def test_a_third_partys_provider_answers(installed: Path) -> None:
    shown = run_cells(
        installed,
        LOAD,
        "%%buddy -p echo\nsay it again",
        "%config EchoProvider.shout = True",
        "%buddy /use echo",
        "%buddy and louder",
        (
            "import codebuddy_jupyter as buddy\n"
            "print(str(buddy.ask('from Python', model='echo/echo-2')))"
        ),
    )
    assert shown[0] == ""
    assert "say it again" in shown[1]
    assert "Echo" in shown[3]
    assert "AND LOUDER" in shown[4]
    assert shown[5].strip().endswith("FROM PYTHON")


def test_a_broken_one_costs_one_line_and_not_the_extension(installed: Path) -> None:
    shown = run_cells(
        installed,
        LOAD,
        "%config EchoProvider.shout = True",
        "%buddy /use echo",
        "%buddy hello",
    )
    told = [
        line
        for line in shown[2].splitlines()
        if "cannot be loaded" in line or "not a subclass" in line
    ]
    assert len(told) == 5
    assert all(
        f"The provider {name} " in shown[2]
        for name in ("Missing", "Nameless", "Broken", "Picky", "Function")
    )
    assert "HELLO" in shown[3]


NAMES = ("Missing", "Broken", "Picky", "Function")


@pytest.fixture(scope="module")
def broken(installed: Path) -> dict[str, str]:
    """What is shown where each of the broken ones is asked."""
    asking = [f"%buddy -p {name} hello" for name in NAMES]
    _, *shown = run_cells(installed, LOAD, *asking)
    return dict(zip(NAMES, shown, strict=True))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "Missing",
            (
                "The provider Missing cannot be loaded: ModuleNotFoundError: No "
                "module named 'codebuddy_echo.nowhere'"
            ),
        ),
        (
            "Broken",
            "The provider Broken cannot be loaded: RuntimeError: two lines of trouble",
        ),
        ("Picky", "The provider Picky cannot be loaded: KeyError: 'PICKY_HOME'"),
        (
            "Function",
            "The provider Function is not a subclass of codebuddy_jupyter.providers.base.Provider",
        ),
    ],
)
def test_asking_a_broken_one_is_one_line(
    broken: dict[str, str], name: str, told: str
) -> None:
    assert broken[name].splitlines() == [f"\x1b[31mbuddy:\x1b[0m {told}"]


def test_a_built_in_name_cannot_be_taken_over(installed: Path) -> None:
    code = (
        "from codebuddy_jupyter.buddy import Buddy\n"
        "buddy = Buddy()\n"
        "buddy.registry.discover()\n"
        "for name in ('openai', 'OpenAI', 'Local', 'local', 'ollama', 'echo'):\n"
        "    print(type(buddy.provider_named(name)).__module__)\n"
        "print(len([name for name in buddy.registry.names() if name.lower() == 'openai']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=True,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )
    cloud, local = (
        "codebuddy_jupyter.providers.cloud",
        "codebuddy_jupyter.providers.local.provider",
    )
    assert done.stdout.split() == [
        cloud,
        cloud,
        local,
        local,
        local,
        "codebuddy_echo",
        "1",
    ]


# By itself


def entry(name: str) -> EntryPoint:
    return EntryPoint(name, "tests.support.fakes:FakeProvider", GROUP)


def test_other_packages_are_looked_for_only_when_a_name_is_not_known() -> None:
    registry = Registry([entry("Mine")])
    assert registry.try_name("mine") == "Mine"
    assert registry.known() == ["Mine"]
    assert registry.try_name("local") == "Local"
    assert len(registry.known()) > 5


def test_packages_are_read_again_only_after_one_was_installed_or_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = Mock(wraps=entry_points)
    monkeypatch.setattr(registry, "entry_points", searches)
    monkeypatch.syspath_prepend(tmp_path)
    assert "Late" not in Registry([]).names()
    assert "Late" not in Registry([]).names()
    assert searches.call_count == 1
    package = tmp_path / "late-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Name: late\n")
    (package / "entry_points.txt").write_text(f"[{GROUP}]\nLate = late:Late\n")
    os.utime(tmp_path, ns=(1, 1))
    assert "Late" in Registry([]).names()
    shutil.rmtree(package)
    os.utime(tmp_path, ns=(2, 2))
    assert "Late" not in Registry([]).names()
    assert searches.call_count == 3


@pytest.mark.parametrize("alias", ALIASES)
def test_the_names_of_local_servers_mean_the_local_provider(alias: str) -> None:
    assert Registry().name(alias.upper()) == "Local"


def test_an_unknown_name_tells_the_nearest_or_all() -> None:
    registry = Registry()
    with pytest.raises(SettingError, match="Did you mean Anthropic"):
        registry.name("antropic")
    with pytest.raises(
        SettingError,
        match="Choose one of Anthropic, DeepSeek, ",
    ):
        registry.name("zzz")
