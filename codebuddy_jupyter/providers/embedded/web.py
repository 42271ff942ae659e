"""Models from an address, or from another folder."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ... import errors
from ..http.address import without_login
from ..http.server_error import quote
from ..http.transport import Access
from .store import SUFFIX, ArrivingFile, Job, check_space, pieces_of, reported

SCHEMES = ("http://", "https://")
# Seconds without a byte, after which a connection is given up.
TIMEOUT = 60.0
PARTIAL_CONTENT = 206
RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True)
class WebDownload:
    """Downloads a GGUF file from an address.

    Parameters
    ----------
    url
        The address.
    offline, allowed
        Whether requests must stay on this machine, and the hosts that are exempt.
    """

    url: str
    offline: bool = False
    allowed: tuple[str, ...] = ()

    @property
    def model_name(self) -> str:
        """The name of the model: that of the file, without ``.gguf``."""
        path = unquote(urlsplit(self.url).path)
        name = path.rpartition("/")[2]
        file = Path(name.replace("\\", "/"))
        return file.name.removesuffix(SUFFIX)

    @property
    def place(self) -> str:
        """The address as it is shown: without login and query."""
        return without_login(self.url).partition("?")[0]

    def run(self, file: ArrivingFile, job: Job) -> None:
        """Download what has not arrived yet.

        Raises
        ------
        ProviderError
            If the address gives no file.
        """
        access = Access(self.url, offline=self.offline, allowed=self.allowed)
        access.check(self.url)
        request = urllib.request.Request(self.url)
        if file.size and file.tag:
            request.add_header("Range", f"bytes={file.size}-")
            # Another version of the file is sent as a whole.
            request.add_header("If-Range", file.tag)
        try:
            with _opener(access).open(request, timeout=TIMEOUT) as response:
                self._receive(response, file, job)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == RANGE_NOT_SATISFIABLE and file.size:
                # All had arrived.
                return
            raise self._failed(f"{error.code} {error.reason}", job) from error
        except urllib.error.URLError as error:
            raise self._failed(str(error.reason), job) from error
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise self._failed(reason, job) from error

    def _receive(self, response: Any, file: ArrivingFile, job: Job) -> None:
        if response.status != PARTIAL_CONTENT:
            file.discard()
        headers = response.headers
        rest = int(headers.get("Content-Length") or 0)
        total = 0
        if rest:
            total = file.size + rest
        check_space(file.target.parent, rest, job)
        tag = headers.get("ETag") or ""
        # A weak tag does not say that the bytes are the same.
        if tag.startswith("W/"):
            tag = ""
        pieces = reported(
            pieces_of(response),
            f"downloading {job.name}",
            done=file.size,
            total=total,
            job=job,
        )
        try:
            file.append(pieces, job)
        finally:
            # An interrupted download resumes where it ended.
            file.note(tag=tag)
        if total and file.size < total:
            raise self._failed("the connection ended too early", job)

    def _failed(self, reason: str, job: Job) -> errors.ProviderError:
        return errors.Unreachable(
            f"{self.place} could not be downloaded: {quote(reason)}", job.again()
        )


@dataclass(frozen=True)
class FileCopy:
    """Copies a GGUF file from another folder, such as one of the network."""

    path: Path

    @property
    def model_name(self) -> str:
        """The name of the model: that of the file, without ``.gguf``."""
        return self.path.stem

    def run(self, file: ArrivingFile, job: Job) -> None:
        """Copy the file; an earlier part is copied again."""
        file.discard()
        size = self.path.stat().st_size
        check_space(file.target.parent, size, job)
        with self.path.open("rb") as source:
            pieces = reported(
                pieces_of(source),
                f"copying {job.name}",
                done=0,
                total=size,
                job=job,
            )
            file.append(pieces, job)


def _opener(access: Access) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [_CheckedRedirects(access)]
    if access.offline:
        # The proxies of the environment would take requests to 127.0.0.1 as well.
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to a host that may be reached."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """Check where the redirect leads."""
        self._access.check(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
