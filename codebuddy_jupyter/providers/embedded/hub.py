"""Model files on the Hugging Face hub: find them on this machine, and download them.

Nothing is downloaded except by `HubFile.download`.

``huggingface_hub`` is imported at the first use, since that takes long and most users
do not need it.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import errors
from ...errors import Remedy
from ...messages import Progress
from ..http.server_error import quote
from ..http.transport import Access

PREFIX = "hf:"
HUB = "https://huggingface.co"
# Seconds in which the hub must answer. Its client tries for half a minute, and many
# company networks do not let it through.
ANSWER_TIMEOUT = 5.0

Report = Callable[[int, int], None]
"""Called with how many bytes are downloaded, and of how many."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the hub.

    Parameters
    ----------
    repository
        ``OWNER/REPO``.
    path
        The file, which may be in folders.
    """

    repository: str
    path: str

    @classmethod
    def parse(cls, text: str) -> HubFile:
        """Return the file that ``hf:OWNER/REPO/FILE.gguf`` names.

        Raises
        ------
        SettingError
            If the text does not have that form.
        """
        match = re.fullmatch(rf"{PREFIX}([\w.-]+/[\w.-]+)/([^\\]+\.gguf)", text)
        if not match:
            raise errors.SettingError(
                f"{text!r} does not name a model on the hub.",
                Remedy("Write hf:OWNER/REPO/FILE.gguf"),
            )
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}/{self.path}"

    def try_find(self) -> Path | None:
        """Return the file on this machine, or None if it was not downloaded yet."""
        path = _hub().try_to_load_from_cache(self.repository, self.path)
        return Path(path) if isinstance(path, str) else None

    def may_be_here(self) -> bool:
        """Return whether anything of the repository is in the cache; `try_find` takes a
        second for the first time, since it imports the hub's client.
        """
        folder = f"models--{self.repository.replace('/', '--')}"
        return (cache_folder() / folder).exists()

    async def download(
        self,
        progress: Progress,
        *,
        offline: bool,
        allowed: tuple[str, ...] = (),
        name: str = "",
    ) -> Path:
        """Download the file if it is not on this machine; an interrupted download
        resumes.

        Parameters
        ----------
        progress
            Called on the running loop.
        offline, allowed
            Whether requests must stay on this machine, and the hosts that are exempt.
        name
            What the user typed for it; empty: its name on the hub.

        Raises
        ------
        ProviderError
            If the file is not available.
        ExtraMissing
            If ``huggingface_hub`` is not installed.
        """
        if file := await asyncio.to_thread(self.try_find):
            return file
        hub = os.environ.get("HF_ENDPOINT") or HUB
        access = Access(hub, offline=offline, allowed=allowed)
        access.check(hub)
        loop = asyncio.get_running_loop()
        stopped = threading.Event()

        def report(done: int, total: int) -> None:
            if stopped.is_set():
                raise _StoppedError
            step = f"downloading {name or self.path}"
            loop.call_soon_threadsafe(progress, step, done, total)

        progress(f"looking up {self.path} at {hub}", 0, 0)
        try:
            with _quiet_library():
                await self._check_answer(access)
                file = await asyncio.to_thread(self._download, access, report)
        finally:
            stopped.set()
        return file

    async def _check_answer(self, access: Access) -> None:
        """Check within seconds that the hub answers and has the file."""
        looking = asyncio.to_thread(self._look_up, access)
        try:
            await asyncio.wait_for(looking, ANSWER_TIMEOUT)
        except TimeoutError as error:
            raise self._unreachable(access.url, "no answer") from error

    def _look_up(self, access: Access) -> None:
        """Ask the hub for the file, and check where offline mode would fetch it."""
        library = _hub()
        url = library.hf_hub_url(self.repository, self.path, endpoint=access.url)
        with self._library_errors(access.url):
            metadata = library.get_hf_file_metadata(
                url, endpoint=access.url, timeout=ANSWER_TIMEOUT
            )
        if access.offline:
            self._check_storage(access, metadata)

    def _download(self, access: Access, report: Report) -> Path:
        """Download the file in this thread."""
        library = _hub()
        with self._library_errors(access.url):
            path = library.hf_hub_download(
                self.repository,
                self.path,
                endpoint=access.url,
                tqdm_class=_progress_bar(report),
            )
        return Path(path)

    @contextmanager
    def _library_errors(self, hub: str) -> Iterator[None]:
        """Translate the errors of ``huggingface_hub``."""
        library = importlib.import_module("huggingface_hub.errors")
        page = f"{hub}/{self.repository}"
        try:
            yield
        except library.GatedRepoError as error:
            raise errors.KeyRefused(
                f"{self.repository} requires that you accept its terms.",
                Remedy(f"Accept them at {page} and set HF_TOKEN to an access token"),
            ) from error
        except (
            library.RepositoryNotFoundError,
            library.RemoteEntryNotFoundError,
        ) as error:
            raise errors.ModelNotFound(
                f"The hub has no {self}.", Remedy(f"See its files at {page}")
            ) from error
        except library.HFValidationError as error:
            raise errors.SettingError(
                f"{self} does not name a model on the hub: {error}"
            ) from error
        except (library.HTTPError, library.XetDownloadError, OSError) as error:
            raise self._unreachable(hub, _first_line(error)) from error

    def _unreachable(self, hub: str, reason: str) -> errors.Unreachable:
        return errors.Unreachable(
            f"{self} could not be downloaded from {hub}: {reason}",
            Remedy("Try again", f"%buddy /pull {self}"),
        )

    def _check_storage(self, access: Access, metadata: Any) -> None:
        """Check that the hub sends the file itself, or redirects to a host that may be
        reached.
        """
        library = _hub()
        access.check(metadata.location)
        is_xet = metadata.xet_file_data is not None
        if is_xet and not library.constants.HF_HUB_DISABLE_XET:
            raise errors.Offline(
                f"The buddy is offline, and {self} would be downloaded from hosts that "
                "the hub does not name in advance.",
                Remedy(
                    "To download it from the hub's own hosts, "
                    "set HF_HUB_DISABLE_XET=1 before the kernel starts"
                ),
            )


def cache_folder() -> Path:
    """Return the folder in which the client of the hub keeps files."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if folder := os.environ.get(variable):
            return Path(folder).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


class _StoppedError(Exception):
    """The download was cancelled."""


def _hub() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise errors.ExtraMissing(
            "Downloading models needs huggingface_hub, which is not installed.",
            Remedy("Install it", 'pip install "codebuddy-jupyter[embedded]"'),
        ) from error


@contextmanager
def _quiet_library() -> Iterator[None]:
    """Silence the warnings of ``huggingface_hub`` about each of its retries, which take
    half a minute; an error is shown when it gives up.
    """
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _progress_bar(report: Report) -> type[Any]:
    """Return a progress bar for ``huggingface_hub`` that draws nothing and reports each
    step.
    """
    tqdm: type[Any] = importlib.import_module("tqdm.std").tqdm

    class Bar(tqdm):  # type: ignore[misc]
        """Reports how much of the file is downloaded."""

        # Start no thread.
        monitor_interval = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            """Count, and report."""
            is_drawn: bool | None = super().update(n)
            report(int(self.n), int(self.total or 0))
            return is_drawn

        def update_transfer(self, n: float) -> None:
            """Ignore what came over the network: only what is in the file counts."""

    return Bar


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return quote(text.splitlines()[0])
