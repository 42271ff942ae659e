"""A look: a function that tells something and changes nothing, as a model can call it.

Its JSON schema is made of its types, its description of its docstring. What it tells is
redacted, inert and short, whoever wrote the function.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import threading
import typing
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any

from ..errors import BuddyError, printable
from ..messages import Looked, Proposal, Tool
from ..values.form import Form, NotValid, form_of

# Characters of what a look tells a model, and of a line for people.
MAX_TEXT = 2_000
MAX_LINE = 80
# Characters of a look's text that are redacted before it is cut.
MAX_READ = 20_000
# Seconds for a look of another package.
TIMEOUT = 2.0
CUT = "\n… (cut)"


class NothingThere(LookupError):
    """There is nothing to look at; the message is one line that says why."""


class TooSlow(Exception):
    """A look took longer than its time limit."""


@dataclass(frozen=True)
class Found:
    """What a look has found, before it is made safe.

    Parameters
    ----------
    title, summary
        As in `Looked`.
    text
        The text for the model.
    proposal
        What was proposed, if that is what was found.
    """

    title: str
    summary: str
    text: str
    proposal: Proposal | None = None


Function = Callable[..., "str | Found"]


@dataclass(frozen=True)
class Look:
    """A look.

    Parameters
    ----------
    name, description
        What it is called, and what it does, for a model.
    parameters
        The JSON schema of its arguments, which are an object.
    function
        Finds what is asked for, on any thread; it may raise anything.
    safe
        Redacts secrets in a text and makes it inert.
    timeout
        The seconds that it may take; None: it is known to be quick.
    proposes
        Whether it shows code to the user instead of finding something.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    function: Function
    safe: Callable[[str], str]
    timeout: float | None = None
    proposes: bool = False

    @property
    def tool(self) -> Tool:
        """The look as a tool that a model may call."""
        return Tool(self.name, self.description, self.parameters)

    def run(self, arguments: Mapping[str, Any]) -> str:
        """Return the text of what `look` returns."""
        return self.look(arguments).text

    def look(self, arguments: Mapping[str, Any]) -> Looked:
        """Return what is found; never raises.

        Parameters
        ----------
        arguments
            As a model or a client gave them.
        """
        try:
            read = self._read(arguments)
            found = self._found(read)
        except BuddyError as error:
            # Its remedies are for people, and can name folders.
            return self._failed(arguments, error.what)
        except (NothingThere, NotValid) as error:
            return self._failed(arguments, str(error))
        except TooSlow:
            why = f"{self.name} took longer than {self.timeout:g} s."
            return self._failed(arguments, why)
        except Exception as error:  # noqa: BLE001 - a look costs no answer, whatever it meets
            why = f"{self.name} failed: {type(error).__name__}."
            return self._failed(arguments, why)
        title = self._line(found.title)
        summary = self._line(found.summary)
        text = self._text(found.text)
        if found.proposal is None:
            return Looked(title or self.name, summary, text)
        return Looked(title, summary, text, verb="proposed", proposal=found.proposal)

    def _read(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the arguments in the types of the function."""
        known = self.parameters.get("properties", {})
        for name in arguments:
            if name not in known:
                listed = ", ".join(known) or "none"
                what = f"{self.name} has no argument {self._line(str(name))!r}"
                raise NothingThere(f"{what}; it takes {listed}.")
        for name in self.parameters.get("required", ()):
            if name not in arguments:
                raise NothingThere(f"{self.name} needs the argument {name!r}.")
        form = form_of_arguments(self.function)
        if form is None:
            return {}
        return form.record(form.read(json.dumps(dict(arguments))))

    def _found(self, arguments: Mapping[str, Any]) -> Found:
        call = functools.partial(self.function, **arguments)
        if self.timeout is None:
            result = call()
        else:
            result = _limited(call, self.timeout)
        if isinstance(result, Found):
            return result
        if type(result) is not str or not result.strip():
            raise NothingThere(f"{self.name} found nothing.")
        given = filter(None, arguments.values())
        title = str(next(given, self.name))
        lines = result.strip().splitlines()
        return Found(title, lines[0], result)

    def _failed(self, arguments: Mapping[str, Any], reason: str) -> Looked:
        texts = (value for value in arguments.values() if type(value) is str)
        first = next(texts, "")
        line = self._line(reason, len(reason))
        title = self._line(first) or self.name
        return Looked(title, "nothing found", line[:MAX_TEXT], is_error=True)

    def _line(self, text: str, most: int = MAX_LINE) -> str:
        """Return a text as one safe line without backticks."""
        safe = printable(self.safe(text[:MAX_READ]))
        line = " ".join(safe.split()).replace("`", "'")
        if len(line) > most:
            return f"{line[: most - 1]}…"
        return line

    def _text(self, text: str) -> str:
        if len(text) > MAX_READ:
            # In a part of a line, a secret could not be recognised.
            text, _, _ = text[:MAX_READ].rpartition("\n")
        safe = self.safe(text).strip()
        if len(safe) <= MAX_TEXT:
            return safe
        most = MAX_TEXT - len(CUT)
        return safe[:most].rstrip() + CUT


def look_of(
    function: Function, safe: Callable[[str], str], *, proposes: bool = False
) -> Look:
    """Return a function of this package as a look; parameters as those of `Look`.

    Raises
    ------
    codebuddy_jupyter.errors.SettingError
        If the type of an argument has no schema.
    """
    return Look(
        name=function.__name__,
        description=description_of(function),
        parameters=parameters_of(function),
        function=function,
        safe=safe,
        proposes=proposes,
    )


def parameters_of(function: Function) -> dict[str, Any]:
    """Return the JSON schema of a function's arguments.

    Raises
    ------
    codebuddy_jupyter.errors.SettingError
        If the type of one has no schema.
    """
    form = form_of_arguments(function)
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    if form is not None:
        schema |= form.schema
        schema.pop("description", None)
    required = []
    for parameter in _parameters(function):
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    schema["required"] = required
    schema["additionalProperties"] = False
    return schema


def description_of(function: Function) -> str:
    """Return the first paragraph of a function's docstring as one line."""
    doc = inspect.cleandoc(function.__doc__ or "")
    paragraph, _, _ = doc.partition("\n\n")
    return " ".join(paragraph.split())


def form_of_arguments(function: Function) -> Form | None:
    """Return the form of a function's arguments; None if it takes none."""
    return _form_of_arguments(getattr(function, "__func__", function))


@functools.cache
def _form_of_arguments(function: Function) -> Form | None:
    types = typing.get_type_hints(function, include_extras=True)
    fields: list[Any] = []
    for parameter in _parameters(function):
        kind = types.get(parameter.name, str)
        if parameter.default is parameter.empty:
            fields.append((parameter.name, kind))
        else:
            default = dataclasses.field(default=parameter.default)
            fields.append((parameter.name, kind, default))
    if not fields:
        return None
    return form_of(dataclasses.make_dataclass(function.__name__, fields))


def _parameters(function: Function) -> list[inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return [parameter for parameter in parameters if parameter.name != "self"]


def _limited(call: Callable[[], Any], seconds: float) -> Any:
    """Return what a call returns, made on a thread that is abandoned if it is slow."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - a future carries what its call raised
            future.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - it must not end the thread that waits
            future.set_exception(RuntimeError(type(error).__name__))

    threading.Thread(target=run, name="buddy-look", daemon=True).start()
    if not wait([future], seconds).done:
        raise TooSlow
    return future.result()
