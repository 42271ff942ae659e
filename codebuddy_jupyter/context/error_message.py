"""The message of an exception, without running the user's code for it."""

from __future__ import annotations

import builtins
import os
import sys
import sysconfig
from collections.abc import Iterable
from typing import Any

from .outputs import plain_text, shorten

MAX_MESSAGE_CHARACTERS = 2_000
# Arguments that are not plain values; each is named by its type.
MAX_OTHER_ARGUMENTS = 3
# Elements of a tuple that is still a plain value.
MAX_TUPLE = 20
# Bits of an integer that Python still writes as text.
MAX_INTEGER_BITS = 1_000

STDLIB = os.path.join(sysconfig.get_paths()["stdlib"], "")
LIBRARY_FOLDERS = ("site-packages", "dist-packages")


def _native_str_methods() -> frozenset[Any]:
    methods = set()
    for value in vars(builtins).values():
        if isinstance(value, type) and issubclass(value, BaseException):
            methods.add(value.__str__)
    return frozenset(methods)


_NATIVE_STR_METHODS = _native_str_methods()


def message_of(exception: BaseException) -> str:
    """Return the message of an exception, of at most `MAX_MESSAGE_CHARACTERS`.

    No code of the user's runs for it: of an exception of theirs with a ``__str__``, and
    of one that carries objects, the message is the plain values among its arguments.
    """
    cls = type(exception)
    is_native = any(cls.__str__ is method for method in _NATIVE_STR_METHODS)
    args = _arguments(exception, is_native)
    if is_native and not all(map(_is_plain, args)):
        return _plain_arguments(args)
    if not is_native and not _is_of_library(cls):
        return _plain_arguments(args)
    try:
        return shorten(str(exception), MAX_MESSAGE_CHARACTERS)
    except Exception as error:  # noqa: BLE001 - a library's __str__ may fail in any way
        return f"(its message cannot be read: {type(error).__name__})"


def _arguments(exception: BaseException, is_native: bool) -> tuple[Any, ...]:
    """Return the arguments that are in the text of an exception."""
    cls = type(exception)
    args: tuple[Any, ...] = exception_part(exception, "args")
    if is_native and issubclass(cls, BaseExceptionGroup):
        args = (exception_part(exception, "message", BaseExceptionGroup),)
    if issubclass(cls, OSError):
        args += (
            exception_part(exception, "filename", OSError),
            exception_part(exception, "filename2", OSError),
        )
    return args


def _plain_arguments(args: Iterable[Any]) -> str:
    plain: list[str] = []
    others: list[str] = []
    for value in args:
        if not _is_plain(value):
            others.append(f"<{type(value).__name__}>")
        elif type(value) is str:
            plain.append(shorten(value, MAX_MESSAGE_CHARACTERS))
        elif value is not None:
            plain.append(str(value))
    return ", ".join(plain + others[:MAX_OTHER_ARGUMENTS])


def _is_plain(value: Any) -> bool:
    """Return whether Python itself writes this value as text."""
    if type(value) is tuple:
        return len(value) < MAX_TUPLE and all(map(_is_plain_element, value))
    if type(value) is int:
        return value.bit_length() < MAX_INTEGER_BITS
    return value is None or type(value) in (str, bytes, float, bool)


def _is_plain_element(value: Any) -> bool:
    return type(value) is not tuple and _is_plain(value)


def _is_of_library(cls: type) -> bool:
    name = cls.__module__
    if type(name) is not str or name == "__main__":
        return False
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and is_library_file(file)


def is_library_file(file: str) -> bool:
    """Return whether a file belongs to Python or to an installed package."""
    if file.startswith(STDLIB):
        return True
    return any(folder in file for folder in LIBRARY_FOLDERS)


def exception_part(
    exception: BaseException, name: str, defined_by: type = BaseException
) -> Any:
    """Return an attribute of an exception as the interpreter set it.

    A class of the user's may have put a property over it.

    Parameters
    ----------
    exception
        Any exception.
    name
        The attribute's name.
    defined_by
        The built-in class that defines the attribute.
    """
    return vars(defined_by)[name].__get__(exception)


def rendered_message(name: str, last_line: str) -> str | None:
    """Return the message in the traceback that the shell rendered.

    Parameters
    ----------
    name
        The name of the exception's class.
    last_line
        The last entry of the traceback.

    Returns
    -------
    str or None
        The message; None if the traceback is that of another exception.
    """
    text = plain_text(last_line).strip()
    prefix = f"{name}: "
    if not text.startswith(prefix):
        return None
    return text.removeprefix(prefix)
