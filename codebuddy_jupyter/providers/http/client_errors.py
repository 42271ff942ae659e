"""Why no HTTP client can be made: a file that is imported instead of a package, a proxy or a
certificate file of the environment that cannot be used.
"""

from __future__ import annotations

import os
import ssl
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import BuddyError, ExtraMissing, Remedy, SettingError
from .address import without_login

PROXY_VARIABLES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# What the packages that send requests import.
PACKAGES = frozenset(
    {
        "annotated_types",
        "anyio",
        "certifi",
        "distro",
        "h11",
        "h2",
        "httpcore",
        "httpcore2",
        "httpx",
        "httpx2",
        "idna",
        "jiter",
        "openai",
        "pydantic",
        "pydantic_core",
        "sniffio",
        "socksio",
        "tqdm",
        "typing_extensions",
        "typing_inspection",
    }
)
INSTALLED = ("site-packages", "dist-packages")
# A chain of causes that refers to itself has no end.
MAX_CHAIN = 12
# Characters of an error that are shown.
MAX_REASON = 200


def cannot_import(name: str, error: BaseException) -> ExtraMissing:
    """Return the error for a package that cannot be imported, or is another one."""
    path = stand_in(error)
    if path is not None:
        return ExtraMissing(
            f"{path} is imported instead of the package {path.stem}, which is needed to "
            "ask a model.",
            Remedy("Rename it, then restart the kernel"),
        )
    if _resolved("") is None:
        return ExtraMissing(
            f"The package {name} cannot be imported, since the kernel's working "
            "directory no longer exists.",
            Remedy("Change to another one", "%cd ~"),
        )
    return ExtraMissing(
        f"The package {name} cannot be imported ({_reason(error)}).",
        Remedy(
            "Install it again, then restart the kernel",
            f"%pip install --upgrade --force-reinstall {name}",
        ),
    )


def cannot_make_client(error: BaseException, library: Any) -> BuddyError:
    """Return the error for a client that cannot be made.

    Parameters
    ----------
    error
        What making it raised.
    library
        The HTTP library.
    """
    if stand_in(error) is not None:
        return cannot_import("openai", error)
    return (
        _proxy_error(library)
        or _certificate_error()
        or SettingError(f"No connection can be set up ({_reason(error)}).")
    )


def stand_in(error: BaseException) -> Path | None:
    """Return the file or folder beside the notebook that was imported in place of a
    package, if that can explain an error.
    """
    folders = {_resolved(""), *map(_resolved, sys.path[:1])}
    for name in [*_files_of(error), *_files_of_packages()]:
        path = _resolved(name)
        for folder in folders:
            if path is None or folder is None:
                continue
            found = _module_in(folder, path)
            if found is not None:
                return found
    return None


def _resolved(name: str) -> Path | None:
    """Return an absolute path; None for a relative one if the working directory was
    deleted.
    """
    try:
        return Path(name).resolve()
    except OSError:
        return None


def _module_in(folder: Path, path: Path) -> Path | None:
    """Return the module or package in a folder to which a file belongs, if it has the
    name of another package.
    """
    if not path.is_relative_to(folder):
        return None
    if set(path.parts).intersection(INSTALLED):
        return None
    top = folder / path.relative_to(folder).parts[0]
    if top.stem in PACKAGES or top.stem in sys.stdlib_module_names:
        return top
    return None


def _files_of(error: BaseException) -> Iterator[str]:
    """Yield the files that an error and its causes name, or passed through."""
    current: BaseException | None = error
    for _ in range(MAX_CHAIN):
        if current is None:
            return
        path = getattr(current, "path", None)
        module_file = getattr(getattr(current, "obj", None), "__file__", None)
        for name in (path, module_file):
            if isinstance(name, str):
                yield name
        for frame, _ in traceback.walk_tb(current.__traceback__):
            yield frame.f_code.co_filename
        current = current.__cause__ or current.__context__


def _files_of_packages() -> Iterator[str]:
    for name in PACKAGES:
        name_of_file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(name_of_file, str):
            yield name_of_file


def _proxy_error(library: Any) -> SettingError | None:
    """Return the error for the first proxy of the environment that cannot be used."""
    for name, value in _variables(PROXY_VARIABLES):
        url = value
        if "://" not in value:
            url = f"http://{value}"
        try:
            library.AsyncHTTPTransport(proxy=library.Proxy(url), verify=False)
        except Exception as error:  # noqa: BLE001 - of the library, or one it imports
            return SettingError(
                f"The environment variable {name} holds a proxy that cannot be used: "
                f"{without_login(value)} ({_reason(error)}).",
                _remedy_for_proxy(name, value, error),
                Remedy("Unset it", f"%env {name}="),
            )
    return None


def _remedy_for_proxy(name: str, value: str, error: BaseException) -> Remedy:
    scheme, _, address = without_login(value).rpartition("://")
    if isinstance(error, ImportError):
        return Remedy(
            "Install what it needs, then restart the kernel", "%pip install socksio"
        )
    if scheme.startswith("socks"):
        return Remedy("Name the version", f"%env {name}=socks5://{address}")
    return Remedy("Correct it", f"%env {name}=http://HOST:PORT")


def _certificate_error() -> SettingError | None:
    """Return the error for certificates of the environment that cannot be used."""
    for name, value in _variables(CERTIFICATE_VARIABLES):
        try:
            if name.endswith("DIR"):
                ssl.create_default_context(capath=value)
            else:
                ssl.create_default_context(cafile=value)
        except (OSError, ValueError) as error:
            # An ssl.SSLError, which is an OSError, has a reason.
            why = getattr(error, "reason", "") or getattr(error, "strerror", "")
            return SettingError(
                f"The environment variable {name} names {value}, which cannot be used "
                f"({why or error}).",
                Remedy("Correct it", f"%env {name}=/path/to/ca.pem"),
                Remedy("Unset it", f"%env {name}="),
            )
    return None


def _variables(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the variables of the environment by these names, in any case."""
    for name, value in os.environ.items():
        if name.upper() in names and value:
            yield name, value


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    reason = text[:MAX_REASON].rstrip(".")
    return reason or type(error).__name__
