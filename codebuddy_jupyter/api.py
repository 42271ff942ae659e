"""The functions of ``import codebuddy_jupyter as buddy``.

In IPython they use the Buddy of the magics, elsewhere a Buddy of their own.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from .buddy import Buddy
from .chat.reply import Reply
from .commands import no_panel
from .display.screens import Display
from .question.options import Options
from .values.batch.call import call_map

if TYPE_CHECKING:
    from .widgets.marimo_chat import MarimoChat
    from .widgets.panel import Panel

T = TypeVar("T", bound=Callable[[Any], str | Awaitable[str]])
NO_NOTEBOOK = (
    "context has no effect here: only IPython knows the notebook. Put what matters into "
    "the prompt."
)


def ask(
    prompt: str,
    *,
    into: Any = None,
    model: str = "",
    provider: str = "",
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    extra: Mapping[str, Any] | None = None,
    format: str = "markdown",
    context: str = "none",
    remember: bool = False,
    new: bool = False,
    look: bool = False,
    replay: str = "",
) -> Reply:
    """Ask the model a question outside the conversation, or with ``remember`` in it.

    The request is sent when the reply is first read: iterate the reply for its pieces,
    ``str()`` it for the text, or end a cell with it to see it stream.

    Parameters
    ----------
    prompt, into
        The question, whose braces and mentions are sent as they are; and the type of
        ``reply.value``: ``bool``, ``list[Person]``, ``"name, age int"``…
    model, provider, system
        A model, ``provider/model`` or ``provider:model``; a provider's name; the system
        prompt. Here and below, empty or None: as the settings say.
    temperature, max_tokens, extra
        0 (always the likeliest word) to 2; the longest answer in tokens; other fields.
    format, context
        The form of the answer: markdown, text, code, json, html or math; the parts of
        the notebook that are sent: none, auto or a list such as ``cells,variables``.
    remember, new, look, replay
        Ask in the notebook's conversation, or in a new one; let the model look things up
        in the kernel; and give a kept answer again: on, prompt, only or off.

    Raises
    ------
    codebuddy_jupyter.BuddyError
        For an empty prompt or an invalid option, and when the reply is read.
    """
    options = Options(
        into=into,
        model=model,
        provider=provider,
        system=system,
        temperature=temperature,
        max_tokens=max_tokens,
        extra=extra or {},
        format=format,
        context=context,
        remember=remember,
        new=new,
        look=look,
        replay=replay,
    )
    return _buddy_for(context).ask(prompt, options)


async def aask(prompt: str, **options: Any) -> Reply:
    """Ask the model as `ask` does, and await the complete reply.

    Raises
    ------
    codebuddy_jupyter.BuddyError
        If the request fails.
    """
    return await ask(prompt, **options).aresult()


@overload
def map(
    items: Any, prompt: str, *, stream: Literal[True], **options: Any
) -> Iterator[tuple[Any, Any]]: ...


@overload
def map(items: Any, prompt: str, **options: Any) -> Any: ...


def map(
    items: Any,
    prompt: str,
    *,
    sample: int | None = None,
    dry_run: bool = False,
    stream: bool = False,
    **options: Any,
) -> Any:
    """Ask one question about each row of a frame, a list, a dict or an iterable.

    Equal rows are asked about once, and answers are kept on disk: the same map again
    asks only about the rows that have none.

    Parameters
    ----------
    items
        A DataFrame or Series of pandas or polars, a list, a dict, any iterable, a table
        of pyarrow, a relation of DuckDB, or lazily a frame or bag of Dask. A row
        without a value (None, NaN, blank) is not asked about; its value is None.
    prompt
        The question, with ``{column}`` in place of the row's value in a column, or
        ``{item}`` for a row that is one value; without a field, such a row stands at
        the end.
    sample
        Ask about so many rows only, the first, and tell what all of them would cost.
    dry_run
        Ask nothing, and return an estimate of requests, tokens and time.
    stream
        Return a generator that gives the key and the value (or the error) of each row
        as they come, also of an endless iterable.
    options
        ``into``, the type of each answer; ``model`` and ``provider``, or lists of them;
        ``system``, ``temperature``, ``max_tokens`` and ``extra`` as for `ask`;
        ``max_failures``, the share of rows that may fail (0.5) before the map stops;
        ``ask=False`` for the answers on disk alone; ``progress=False`` for no bar;
        ``replay`` as for `ask`: the notebook's file is looked into first.

    Returns
    -------
    Any
        The values in the kind of the input, with its index: a Series, a DataFrame of
        records, a list, a dict. ``.errors`` has the error of each row that failed,
        ``.usage`` the tokens; ``.retry()`` asks about those rows again, ``.forget()``
        deletes the answers. Tables of pyarrow and DuckDB have the errors in a column.

    Raises
    ------
    codebuddy_jupyter.MapStopped
        If no server answers any more or too many rows fail; ``.result`` is what came.
    codebuddy_jupyter.BuddyError
        For an invalid question, type or option.
    """
    return call_map(
        _buddy(), items, prompt, options, sample=sample, dry_run=dry_run, stream=stream
    )


def panel() -> Panel | MarimoChat:
    """Return the panel with chat and settings, for the end of a cell of a notebook.

    In marimo, it is the chat alone.

    Raises
    ------
    codebuddy_jupyter.BuddyError
        Outside a notebook.
    """
    shell = _try_shell()
    if hasattr(shell, "kernel"):
        _buddy()
        opened: Panel = shell.codebuddy.panel()
        return opened
    if not _is_marimo():
        raise no_panel()
    from .widgets.marimo_chat import MarimoChat

    return MarimoChat(Buddy(display=Display()))


def describe(cls: type) -> Callable[[T], T]:
    """Register a function that describes the instances of a class to the model.

    ::

        @buddy.describe(MyType)
        def describe_mine(mine):
            return f"MyType with {len(mine)} rows"

    The function takes the object and returns a short text without the values in it. A
    plain function has a quarter of a second; an ``async`` one is awaited on the
    kernel's own event loop. If it fails, only this description is missing.

    Parameters
    ----------
    cls
        The class; the function describes its subclasses, too.

    Raises
    ------
    TypeError
        If ``cls`` is not a class.
    """

    def register(function: T) -> T:
        _buddy().collector.describers.register(cls, function)
        return function

    return register


def save() -> Path:
    """Save the present settings as your defaults, without keys; return the file.

    Warns
    -----
    UserWarning
        When the file that was there could not be read, and was renamed.
    """
    buddy = _buddy()
    path = buddy.save()
    if buddy.saved.aside is not None:
        aside = f"The settings that could not be used are now in {buddy.saved.aside}."
        warnings.warn(aside, stacklevel=2)
    return path


def _buddy_for(context: str) -> Buddy:
    """Return the Buddy; warn where it cannot know these parts of the notebook."""
    if context != "none" and _try_shell() is None:
        warnings.warn(NO_NOTEBOOK, stacklevel=3)
    return _buddy()


def _buddy() -> Buddy:
    shell = _try_shell()
    if shell is None:
        return _plain_buddy()
    if not hasattr(shell, "codebuddy"):
        shell.extension_manager.load_extension("codebuddy_jupyter")
    buddy: Buddy = shell.codebuddy.buddy
    return buddy


def _is_marimo() -> bool:
    """Return whether this runs in a marimo notebook."""
    marimo = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())


def _try_shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


@functools.cache
def _plain_buddy() -> Buddy:
    """Return the Buddy of a Python process without IPython."""
    return Buddy(display=Display())
