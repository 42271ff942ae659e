"""The built wheel in an environment that holds nothing but what it asks for: it is
whole, and it answers.

Nothing is downloaded: the packages that the wheel depends on are copied from the
environment of the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_string
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support import labextension
from tests.support.kernels import ROOT, clean_environment
from tests.support.scripted_server import ScriptedServer

# a bound for what hangs
SECONDS = 120
HELLO = "Hello from the scripted server."


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(ROOT),
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment in which the wheel is installed."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=os.name != "nt")
    places = {"base": str(environment), "platbase": str(environment)}
    site = Path(sysconfig.get_path("purelib", "venv", places))
    for package in needed(wheel).values():
        copy(package, site)
    scripts = Path(sysconfig.get_path("scripts", "venv", places))
    pip(scripts, "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    return scripts


def needed(wheel: Path) -> dict[str, Distribution]:
    """All packages that a wheel asks for, and those that they need."""
    found: dict[str, Distribution] = {}
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (
            name for name in archive.namelist() if name.endswith(".dist-info/METADATA")
        )
        text = archive.read(metadata).decode()
    waiting = message_from_string(text).get_all("Requires-Dist") or []
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.name not in found and (
            not requirement.marker or requirement.marker.evaluate({"extra": ""})
        ):
            found[requirement.name] = distribution(requirement.name)
            waiting += found[requirement.name].requires or []
    return found


def copy(package: Distribution, site: Path) -> None:
    """Put the files of an installed package into another environment; its commands stay
    behind.
    """
    for file in package.files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), site / file)


def run(*command: str, **environment: str) -> str:
    """What a command that must not fail writes."""
    env = {**os.environ, **environment}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(scripts: Path, *words: str) -> str:
    """Let pip work on the environment of the wheel."""
    python = str(scripts / "python")
    return run(
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        python,
        *words,
    )


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        tour = archive.read("codebuddy_jupyter/cli/tour.ipynb")
    package = ROOT / "codebuddy_jupyter"
    sources = {
        path.relative_to(ROOT).as_posix()
        for kind in ("py", "js", "css")
        for path in package.rglob(f"*.{kind}")
        if labextension.SOURCES not in path.parents
    }
    assert {Path(source).suffix for source in sources} == {".py", ".js", ".css"}
    assert sources | {"codebuddy_jupyter/py.typed"} <= names
    assert tour == (ROOT / "notebooks" / "tour.ipynb").read_bytes()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"codebuddy_jupyter"}


def test_the_extension_lies_where_jupyterlab_looks(scripts: Path) -> None:
    place = scripts.parent / "share" / "jupyter" / "labextensions" / labextension.NAME
    sources = [path for path in labextension.SOURCES.rglob("*") if path.is_file()]
    installed = [path for path in place.rglob("*") if path.is_file()]
    assert len(sources) == len(installed) > 0
    for path in sources:
        name = path.relative_to(labextension.SOURCES)
        assert (place / name).read_bytes() == path.read_bytes()


def test_what_the_wheel_needs_is_all_that_it_asks_for(scripts: Path) -> None:
    assert "No broken requirements found" in pip(scripts, "check")


def test_pip_shows_licence_versions_and_no_address(scripts: Path) -> None:
    shown = pip(scripts, "show", "--verbose", "codebuddy-jupyter")
    assert "License: MIT" in shown
    versions = {
        f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)
    }
    assert versions <= {line.strip() for line in shown.splitlines()}
    assert "codebuddy = codebuddy_jupyter.cli.command_line:main" in shown
    # The project owns no address on the web yet.
    assert "http" not in shown


def test_the_licence_comes_along(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (
            name for name in archive.namelist() if name.endswith("/licenses/LICENSE")
        )
        assert "MIT" in archive.read(name).decode()


def test_the_command_answers(
    scripts: Path, server: ScriptedServer, tmp_path: Path
) -> None:
    environment = clean_environment(tmp_path, CODEBUDDY_BASE_URL=server.url)
    done = subprocess.run(
        [scripts / "codebuddy", "ask", "hello"],
        capture_output=True,
        timeout=SECONDS,
        env=environment,
        cwd=tmp_path,
    )
    assert done.stdout.decode().startswith(HELLO), done.stderr.decode()


def test_doctor_finds_the_extension_of_jupyterlab(
    scripts: Path, well_server: ScriptedServer, tmp_path: Path
) -> None:
    environment = clean_environment(tmp_path, CODEBUDDY_BASE_URL=well_server.url)
    done = subprocess.run(
        [scripts / "codebuddy", "doctor"],
        capture_output=True,
        timeout=SECONDS,
        env=environment,
        cwd=tmp_path,
    )
    assert "JupyterLab extension  installed" in done.stdout.decode()


def test_the_extension_loads_and_answers(
    scripts: Path, server: ScriptedServer, tmp_path: Path
) -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "where = 'import codebuddy_jupyter; print(codebuddy_jupyter.__file__)'\n"
        "for cell in ('%load_ext codebuddy_jupyter', '%buddy hello', where):\n"
        "    shell.run_cell(cell).raise_error()\n"
    )
    environment = clean_environment(tmp_path, CODEBUDDY_BASE_URL=server.url)
    command = [str(scripts / "python"), "-c", code]
    done = subprocess.run(
        command, capture_output=True, timeout=SECONDS, env=environment, cwd=tmp_path
    )
    out = done.stdout.decode()
    assert HELLO in out, done.stderr.decode()
    assert str(scripts.parent) in out


def test_what_an_extra_is_missing_for_is_told(
    scripts: Path, server: ScriptedServer, tmp_path: Path
) -> None:
    environment = clean_environment(tmp_path, CODEBUDDY_BASE_URL=server.url)
    for words, extra in (
        (["ask", "-p", "embedded", "hello"], "embedded"),
        (["demo", "--headless"], "demo"),
    ):
        done = subprocess.run(
            [scripts / "codebuddy", *words],
            capture_output=True,
            timeout=SECONDS,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 1
        assert f'pip install "codebuddy-jupyter[{extra}]"' in done.stderr.decode()
        assert done.stderr.count(b"\n") == 1
