"""The functions of ``import codebuddy_jupyter as buddy``.

They ask the Buddy of the magics, where there is one.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .buddy import Buddy
from .chat.reply import Reply
from .commands import no_panel
from .display.screens import Display
from .question.options import Options

if TYPE_CHECKING:
    from .widgets.panel import Panel

T = TypeVar("T", bound=Callable[[Any], str | Awaitable[str]])


def ask(
    prompt: str,
    *,
    model: str = "",
    provider: str = "",
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    format: str = "markdown",
    new: bool = False,
    context: str = "",
    extra: Mapping[str, Any] | None = None,
) -> Reply:
    """Ask the model; the request starts when the reply is first looked at.

    Iterate the reply for its pieces, ``str()`` it for the text, or end a cell with it
    to see it stream.

    Parameters
    ----------
    prompt
        The question, sent as it is: braces and mentions stay as they are.
    model, provider
        A model, ``provider/model`` or ``provider:model``, and a provider's name; empty:
        as the settings say.
    system
        What the model is told first; None: ``Buddy.system_prompt``.
    temperature
        0 (always the likeliest word) to 2; None: as the settings say.
    max_tokens
        The longest answer, in tokens; None: as the settings say.
    format
        How the answer shall look: markdown, text, code, json, html or math.
    new
        Begin a new conversation with this question.
    context
        Which parts of the notebook are sent: auto, none, or a list of sections; empty: as the
        settings say.
    extra
        Any other field of the request, by its wire name.

    Returns
    -------
    Reply
        Nothing has been sent yet.

    Raises
    ------
    codebuddy_jupyter.BuddyError
        For an empty prompt or an option that cannot be; when the reply is looked at,
        for what goes wrong then.
    """
    options = Options(
        model=model,
        provider=provider,
        system=system,
        temperature=temperature,
        max_tokens=max_tokens,
        extra=extra or {},
        format=format,
        new=new,
        context=context,
    )
    return _buddy().ask(prompt, options)


async def aask(prompt: str, **options: Any) -> Reply:
    """Ask the model, and await the whole reply; the parameters are those of `ask`.

    Raises
    ------
    codebuddy_jupyter.BuddyError
        For whatever goes wrong.
    """
    return await ask(prompt, **options).aresult()


def panel() -> Panel:
    """The panel with chat and settings, for the end of a cell of a notebook.

    Raises
    ------
    codebuddy_jupyter.BuddyError
        Where there is no notebook.
    """
    shell = _try_shell()
    if not hasattr(shell, "kernel"):
        raise no_panel()
    _buddy()
    opened: Panel = shell.codebuddy.panel()
    return opened


def describe(kind: type) -> Callable[[T], T]:
    """Have a function tell the model what the instances of a class are:

    ``@buddy.describe(MyType)``.

    The function gets the object and returns a short text, without the values in it. A
    plain function has a quarter of a second; an ``async`` one is awaited on the
    kernel's own event loop. One that fails costs its description only.

    Parameters
    ----------
    kind
        The class; classes derived from it are meant, too.

    Raises
    ------
    TypeError
        When it is no class.
    """

    def registered(function: T) -> T:
        _buddy().collector.describers.register(kind, function)
        return function

    return registered


def save() -> Path:
    """Save the settings as they are now as your defaults; gives the file.

    Keys are not in it.
    """
    return _buddy().save()


def _buddy() -> Buddy:
    shell = _try_shell()
    if shell is None:
        return _plain_buddy()
    if not hasattr(shell, "codebuddy"):
        shell.extension_manager.load_extension("codebuddy_jupyter")
    buddy: Buddy = shell.codebuddy.buddy
    return buddy


def _try_shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


@functools.cache
def _plain_buddy() -> Buddy:
    """The Buddy of a plain Python process."""
    return Buddy(display=Display())
