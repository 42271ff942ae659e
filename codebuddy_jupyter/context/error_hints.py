"""What the kernel can tell about an error, read from the exception without running the
user's code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .error_message import exception_part
from .failure import Failure, innermost_code, locals_of
from .inspection.hints import ErrorFacts, error_hints
from .traceback_frames import Sources

HEADING = "Facts about it:"


def hints_text(
    exception: BaseException,
    failure: Failure,
    sources: Sources,
    folder: Path | None,
    namespace: Mapping[Any, Any],
) -> str:
    """Return lines about an error with nearest names and real signatures; often empty.

    Parameters
    ----------
    exception
        As it was raised, with its traceback.
    failure
        The same as text.
    sources, folder
        As for `failure_of`.
    namespace
        The kernel's variables; they are only looked at.
    """
    # An exception may have a __class__ of its own, which isinstance() would read.
    if issubclass(type(exception), KeyboardInterrupt | SyntaxError):
        return ""
    try:
        source, line = innermost_code(exception, sources, folder)
        names = {**namespace, **locals_of(exception, sources, folder)}
        facts = ErrorFacts(
            failure.name,
            failure.message,
            source,
            line,
            _key(exception),
            *_attribute(exception),
        )
        lines = error_hints(facts, names)
    except Exception:  # noqa: BLE001 - the error counts more than what is known about it
        return ""
    return "\n".join([HEADING, *lines]) if lines else ""


def _key(exception: BaseException) -> str:
    """Return the key that was not found, if it is a plain text."""
    args = exception_part(exception, "args")
    first = args[0] if args else None
    if not issubclass(type(exception), KeyError) or type(first) is not str:
        return ""
    return first


def _attribute(exception: BaseException) -> tuple[str, object]:
    """Return the attribute that was not found, and the object that lacks it."""
    if not issubclass(type(exception), AttributeError):
        return "", None
    name = exception_part(exception, "name", AttributeError)
    owner = exception_part(exception, "obj", AttributeError)
    if type(name) is not str:
        return "", None
    return name, owner
