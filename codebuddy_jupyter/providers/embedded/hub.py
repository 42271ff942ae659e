"""A model file on the Hugging Face hub: is it here, and fetch it.

Nothing is fetched but by `HubFile.fetch`.

``huggingface_hub`` is imported at the first use, since that takes long and most have no
need of it.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import logging
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import errors
from ...messages import Progress
from ..http.transport import Access

PREFIX = "hf:"
HUB = "https://huggingface.co"


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the hub:

    ``hf:OWNER/REPO/FILE.gguf``, where FILE may lie in folders.
    """

    repository: str
    path: str

    @classmethod
    def parse(cls, text: str) -> HubFile:
        """Read ``hf:OWNER/REPO/FILE.gguf``.

        Raises
        ------
        SettingError
            When it is not of that form.
        """
        match = re.fullmatch(rf"{PREFIX}([\w.-]+/[\w.-]+)/([^\\]+\.gguf)", text)
        if not match:
            raise errors.SettingError(
                f"{text!r} names no model on the hub. Write hf:OWNER/REPO/FILE.gguf"
            )
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}/{self.path}"

    def try_find(self) -> Path | None:
        """The file on this machine, or None when it was not fetched yet."""
        found = _hub().try_to_load_from_cache(self.repository, self.path)
        return Path(found) if isinstance(found, str) else None

    async def fetch(
        self, progress: Progress, *, offline: bool, allowed: tuple[str, ...] = ()
    ) -> Path:
        """Fetch the file, unless it is here already; a connection that drops is taken
        up where it broke off.

        Parameters
        ----------
        progress
            Called on the running loop with what is fetched, and how many bytes of how
            many are here.
        offline, allowed
            Whether this must not leave the machine, and the hosts that may be reached
            all the same.

        Raises
        ------
        ProviderError
            When it cannot be had.
        ExtraMissing
            When ``huggingface_hub`` is not installed.
        """
        if found := await asyncio.to_thread(self.try_find):
            return found
        hub = os.environ.get("HF_ENDPOINT") or HUB
        access = Access(hub, offline=offline, allowed=allowed)
        access.check(hub)
        loop, stopped = asyncio.get_running_loop(), threading.Event()

        def tell(done: int, total: int) -> None:
            if stopped.is_set():
                raise _StoppedError
            loop.call_soon_threadsafe(progress, f"fetching {self.path}", done, total)

        progress(f"asking {hub} for {self.path}", 0, 0)
        # The library warns of each of its own tries, for half a minute; our one line
        # comes when it gives up.
        logger = logging.getLogger("huggingface_hub")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            return await asyncio.to_thread(self._download, access, tell)
        finally:
            stopped.set()
            logger.setLevel(level)

    def _download(self, access: Access, tell: Callable[[int, int], None]) -> Path:
        hub, library, trouble = (
            access.url,
            _hub(),
            importlib.import_module("huggingface_hub.errors"),
        )
        try:
            if access.offline:
                self._check_store(access)
            return Path(
                library.hf_hub_download(
                    self.repository, self.path, endpoint=hub, tqdm_class=_bar(tell)
                )
            )
        except trouble.GatedRepoError as error:
            raise errors.KeyRefused(
                f"{self.repository} wants its terms accepted at "
                f"{hub}/{self.repository}, and then a token in HF_TOKEN"
            ) from error
        except (
            trouble.RepositoryNotFoundError,
            trouble.RemoteEntryNotFoundError,
        ) as error:
            raise errors.ModelNotFound(
                f"The hub has no {self}. Look at its files: {hub}/{self.repository}"
            ) from error
        except trouble.HFValidationError as error:
            raise errors.SettingError(
                f"{self} names no model on the hub: {error}"
            ) from error
        except (trouble.HTTPError, trouble.XetDownloadError, OSError) as error:
            raise errors.Unreachable(
                f"{self} could not be fetched from {hub}: {_first_line(error)} "
                f"Try again: %buddy /use embedded/{self}"
            ) from error

    def _check_store(self, access: Access) -> None:
        """See to it that the hub hands the file out itself, or by a host that may be
        reached too.
        """
        library = _hub()
        url = library.hf_hub_url(self.repository, self.path, endpoint=access.url)
        told = library.get_hf_file_metadata(url, endpoint=access.url)
        access.check(told.location)
        if told.xet_file_data is not None and not library.constants.HF_HUB_DISABLE_XET:
            raise errors.Offline(
                f"The buddy is offline, and {self} would come from hosts that "
                "the hub does not name. Have it come from "
                "the hub's own: set HF_HUB_DISABLE_XET=1 before the kernel starts"
            )


class _StoppedError(Exception):
    """Nobody waits for the file any more."""


def _hub() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise errors.ExtraMissing(
            "Models are fetched with huggingface_hub, which is not installed: "
            'pip install "codebuddy-jupyter[embedded]"'
        ) from error


def _bar(tell: Callable[[int, int], None]) -> type[Any]:
    """A progress bar as the hub's library wants it, which draws nothing and tells each
    step.
    """
    tqdm: type[Any] = importlib.import_module("tqdm.std").tqdm

    class Bar(tqdm):  # type: ignore[misc]
        """Tells how far the file is."""

        # no thread of its own
        monitor_interval = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            """Count, and tell."""
            drawn: bool | None = super().update(n)
            tell(int(self.n), int(self.total or 0))
            return drawn

        def update_transfer(self, n: float) -> None:
            """Leave aside what came over the network: only what is in the file counts."""

    return Bar


def _first_line(error: BaseException) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if line.endswith(".") else f"{line}."
