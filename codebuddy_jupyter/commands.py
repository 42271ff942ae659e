"""What can be typed after a slash, in the magic and in the panel alike.

It gives Markdown, and displays nothing.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .buddy import Buddy
from .chat.conversation import titled
from .display.export import export
from .display.preview import preview
from .doctor.examination import examine
from .doctor.report import Report, versions
from .errors import PromptError, SettingError, Unreachable
from .markdown.safe import escape, fence
from .messages import Model, Progress
from .providers.base import Provider
from .question import prompts
from .question.options import Options

NO_PANEL = (
    "The panel opens in a cell of a notebook: %buddy /panel. Elsewhere type "
    "the question: %buddy why is df empty? "
    "Settings: %buddy /use, %buddy /models, %buddy /doctor, %config LocalProvider."
)
Command = Callable[[Buddy, str, Progress], str]


@dataclass(frozen=True)
class Call:
    """A command as it was typed: its name, the rest of its line, the lines below."""

    name: str
    rest: str = ""
    body: str = ""

    def prompt(self, buddy: Buddy) -> str | None:
        """Return what a task such as ``/fix`` asks the model; None for other commands.

        Raises
        ------
        PromptError
            When there is neither code nor a cell to ask about.
        """
        return question(buddy, f"/{self.name} {self.rest}\n{self.body}")


def read(text: str) -> Call | None:
    """Read what was typed: a command, or None for a prompt.

    A command begins with a slash, after any blanks and blank lines.

    Raises
    ------
    SettingError
        For an unknown command; it suggests the nearest.
    """
    typed = text.lstrip()
    if not typed.startswith("/"):
        return None
    line, _, body = typed.partition("\n")
    name, rest = [*line.removeprefix("/").split(None, 1), "", ""][:2]
    return Call(name.lower(), rest.strip(), body)


def run(buddy: Buddy, line: str, progress: Progress) -> str:
    """Run a command, such as ``/use local``, and give what to show, as Markdown.

    Raises
    ------
    SettingError
        When there is no such command; it names the nearest.
    """
    name, rest = [*line.strip().removeprefix("/").split(None, 1), "", ""][:2]
    command = COMMANDS.get(name.lower())
    if command is None:
        near = difflib.get_close_matches(
            name.lower(), [*COMMANDS, *TASKS], n=1, cutoff=0.5
        )
        hint = f"did you mean /{near[0]}?" if near else "see %buddy /help."
        raise SettingError(
            f"There is no command /{name}: {hint} (To ask about a path, put a word before it.)"
        )
    try:
        return command(buddy, rest.strip(), progress)
    except Unreachable as error:
        raise buddy.loop.run(buddy.current().instead(error)) from error.__cause__


def question(buddy: Buddy, line: str) -> str | None:
    """What a command such as ``/fix`` asks the model, with what it attaches; None for a
    command that asks nothing.

    The words after the command are a wish, the lines below it the code. Without code it
    is about the last error, where that is to be fixed or explained, or else about the
    cell that ran last.

    Raises
    ------
    PromptError
        When there is neither code nor a cell.
    """
    first, _, code = line.partition("\n")
    name, wish = [*first.strip().removeprefix("/").split(None, 1), "", ""][:2]
    name = name.lower()
    if name not in TASKS:
        return None
    if code.strip():
        return f"{prompts.task(name, 'the code below', wish)}\n\n{fence(code.strip(), 'python')}"
    session = buddy.collector.session
    if (
        session is not None
        and name in ("fix", "explain")
        and session.failure() is not None
    ):
        return prompts.task(name, "@error", wish)
    ran = (
        [cell.number for cell in session.notebook().cells if cell.number is not None]
        if session is not None
        else []
    )
    if not ran:
        raise PromptError(
            f"There is no code to {name} yet: put it below the line, as %%buddy /{name}"
        )
    return prompts.task(name, f"the code of @In[{max(ran)}]", wish)


def show_help(buddy: Buddy, rest: str, progress: Progress) -> str:
    """What can be typed."""
    rows = "\n".join(f"| `{usage}` | {escape(text)} |" for usage, text in HELP)
    return f"| type | what it does |\n|---|---|\n{rows}"


def show_version(buddy: Buddy, rest: str, progress: Progress) -> str:
    """The versions that a report of a problem needs."""
    return escape(
        " · ".join(f"{name} {version}" for name, version in versions().items())
    )


def doctor(buddy: Buddy, rest: str, progress: Progress) -> str:
    """Whether the provider can be asked, and what to do where it cannot."""
    words = rest.split()
    names = [word for word in words if word != "--json"]
    if len(names) > 1 or any(word.startswith("-") for word in names):
        raise SettingError(
            f"/doctor takes a provider and --json, not {' '.join(names)}: "
            "%buddy /doctor local --json"
        )
    report = examined(buddy, *names, progress=progress)
    return fence(report.json(), "json") if "--json" in words else report.markdown()


def examined(buddy: Buddy, name: str = "", *, progress: Progress) -> Report:
    """What an examination of a provider finds; by default of the one in use.

    A step that takes long is told.

    Raises
    ------
    SettingError
        When there is no such provider.
    """
    buddy.read_environment()
    provider = buddy.ready(buddy.registry.name(name or buddy.provider))
    return buddy.loop.run(examine(provider, buddy.needed(), progress))


def use(buddy: Buddy, rest: str, progress: Progress) -> str:
    """Switch provider or model in this kernel; alone: where requests go, and why."""
    if rest:
        target = buddy.registry.try_name(rest.strip("/"))
        options = (
            Options(provider=target)
            if target
            else Options(model=rest.removeprefix("/"))
        )
        name, provider, model = buddy.loop.run(buddy.resolve(options))
        buddy.loop.run(provider.prepare(model or provider.model, progress))
        buddy.change({"provider": name})
        if model:
            provider.change({"model": model})
        buddy.loop.submit(provider.load_ahead(model))
    provider = buddy.current()
    buddy.loop.run(provider.settle())
    rows = [
        ("provider", buddy.provider, buddy.origin("provider")),
        (
            "requests go to",
            provider.where(),
            provider.origin("base_url") if provider.has_trait("base_url") else "",
        ),
        (
            "model",
            provider.model or "(the provider's choice)",
            provider.origin("model"),
        ),
    ]
    if buddy.offline:
        hosts = (
            f", save to {', '.join(buddy.allowed_hosts)}" if buddy.allowed_hosts else ""
        )
        rows.append(
            ("offline", f"nothing leaves this machine{hosts}", buddy.origin("offline"))
        )
    lines = [
        f"| {what} | {escape(value)} | {escape(origin)} |"
        for what, value, origin in rows
    ]
    problems = [
        f"\n\n{escape(problem)}" for problem in (*buddy.problems, *provider.problems)
    ]
    return "\n".join(["| | | set by |", "|---|---|---|", *lines]) + "".join(problems)


def show_models(buddy: Buddy, rest: str, progress: Progress) -> str:
    """The models that the provider offers now."""
    buddy.read_environment()
    name = buddy.registry.name(rest or buddy.provider)
    models = buddy.loop.run(buddy.ready(name).catalogue())
    if not models:
        return f"{escape(name)} offers no model now."
    rows = "\n".join(_model_row(model) for model in models)
    return (
        f"| {escape(name)} model | window | at most | size | can | |\n"
        f"|---|---:|---:|---:|---|---|\n{rows}"
    )


def _model_row(model: Model) -> str:
    window, most = (
        f"{tokens:,}" if tokens else "" for tokens in (model.window, model.max_window)
    )
    size = f"{model.size / 1e9:,.1f} GB" if model.size else ""
    state = "loaded" if model.loaded else ""
    return (
        f"| {escape(model.name)} | {window} | {most} | {size} | "
        f"{escape(', '.join(model.abilities))} | {state} |"
    )


def pull(buddy: Buddy, rest: str, progress: Progress) -> str:
    """Have the server fetch a model."""
    provider, model = _named(buddy, rest, "pull")
    buddy.loop.run(provider.pull(model, progress))
    return escape(f"{model} is there. To ask it: %buddy /use {model}")


def load(buddy: Buddy, rest: str, progress: Progress) -> str:
    """Have the server load a model."""
    provider, model = _named(buddy, rest, "load")
    began = time.monotonic()
    buddy.loop.run(provider.load(model))
    return f"{escape(model)} is loaded; that took {time.monotonic() - began:.1f} s."


def unload(buddy: Buddy, rest: str, progress: Progress) -> str:
    """Have the server free the memory that a model takes."""
    provider, model = _named(buddy, rest, "unload")
    buddy.loop.run(provider.unload(model))
    return f"{escape(model)} is unloaded."


def _named(buddy: Buddy, rest: str, command: str) -> tuple[Provider, str]:
    """The provider in use, and the model that a command names, or else the one in use."""
    provider = buddy.current()
    model = rest or provider.model
    if not model:
        raise SettingError(f"Which model? Name it: %buddy /{command} NAME")
    return provider, model


def context(buddy: Buddy, rest: str, progress: Progress) -> str:
    """What would be sent with a question, section by section, and what not; sends
    nothing.
    """
    session = buddy.collector.session
    return previewed(buddy, rest, Options(), session.namespace() if session else {})


def previewed(
    buddy: Buddy, prompt: str, options: Options, names: Mapping[str, Any] | None = None
) -> str:
    """What would be sent for a prompt, as Markdown.

    Raises
    ------
    BuddyError
        As for asking it.
    """
    draft, provider, model = buddy.preview(prompt, options, names)
    return preview(draft, model, provider.where())


def reset(buddy: Buddy, rest: str, progress: Progress) -> str:
    """Begin a new conversation."""
    turns = buddy.reset()
    return f"A new conversation begins; the last one had {turns} turn{'' if turns == 1 else 's'}."


def panel(buddy: Buddy, rest: str, progress: Progress) -> str:
    """What to do where there is no notebook that could show a panel; in one, the magic
    opens it.
    """
    return escape(NO_PANEL)


def chats(buddy: Buddy, rest: str, progress: Progress) -> str:
    """This notebook's conversations; switch to one, or delete some for good."""
    verb, _, which = rest.lower().partition(" ")
    if verb == "delete":
        number = None if which.strip() == "all" else _numbered(which)
        count = buddy.history.delete(number)
        if number is not None and not count:
            raise SettingError(f"There is no conversation {number}: see %buddy /chats")
        return (
            f"{count} conversation{' is' if count == 1 else 's are'} deleted for good."
        )
    if rest:
        chat = buddy.history.switch(_numbered(rest))
        turns = f"{len(chat.turns)} turn{'' if len(chat.turns) == 1 else 's'}"
        return escape(f"The conversation “{chat.title}” goes on; it has {turns}.")
    current, found = buddy.chat.id, buddy.history.listed()
    if not found:
        return "No conversation of this notebook is kept yet."
    rows = "\n".join(
        f"| {chat.number} | {escape(titled(chat.question))} | {chat.turns} | "
        f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(chat.used))} | "
        f"{'goes on' if chat.id == current else ''} |"
        for chat in found
    )
    return f"| | conversation | turns | last used | |\n|---:|---|---:|---|---|\n{rows}"


def _numbered(text: str) -> int:
    if not (text.strip().isdecimal() and len(text) < 10):
        raise SettingError(
            "/chats takes the number of a conversation: %buddy /chats 3, %buddy /chats delete 3"
        )
    return int(text)


def write_export(buddy: Buddy, rest: str, progress: Progress) -> str:
    """Write the conversation to a file; nothing that is there is written over."""
    if not buddy.chat.turns:
        raise SettingError(
            "There is no conversation yet. To choose an earlier one: %buddy /chats"
        )
    session = buddy.collector.session
    notebook = session.path() if session is not None else None
    folder = (session.folder() if session is not None else None) or Path()
    name = rest.strip("\"'") or (f"{notebook.stem}-chat.md" if notebook else "chat.md")
    try:
        path = folder / Path(name).expanduser()
    except RuntimeError as error:
        # a home that nobody knows
        raise SettingError(f"{name} cannot be written: {error}") from error
    return (
        "The conversation is written to "
        f"{escape(str(export(buddy.chat, path, buddy.redacted)))}."
    )


TASKS = tuple(prompts.TASKS)
"""The commands that ask the model."""

COMMANDS: dict[str, Command] = {
    "help": show_help,
    "version": show_version,
    "use": use,
    "models": show_models,
    "pull": pull,
    "load": load,
    "unload": unload,
    "doctor": doctor,
    "context": context,
    "reset": reset,
    "panel": panel,
    "chats": chats,
    "export": write_export,
}

HELP = (
    ("%buddy why is df empty?", "ask"),
    ("%%buddy -m llama3 -t 0", "ask with options; the prompt is the rest of the cell"),
    ("%buddy?", "all options"),
    (
        "{name}, {name.attr}, {name[0]}",
        "put a value into the prompt; {{name}} is sent as {name}",
    ),
    (
        "%buddy /use [provider][/model]",
        "switch, in this kernel; alone: where requests go now, and why",
    ),
    ("%buddy /models [provider]", "the models that can be asked now"),
    (
        "%buddy /pull NAME",
        "have the server fetch a model (Ollama); after an interrupt, the same again goes on",
    ),
    (
        "%buddy /load [NAME], %buddy /unload [NAME]",
        "have the server load a model, or free its memory",
    ),
    (
        "%buddy /doctor [provider] [--json]",
        "whether the server can be asked, and what to do where it cannot",
    ),
    (
        "@df, @In[3], @Out[3], @error, @plot, @file:data.csv",
        "attach a thing to the prompt",
    ),
    (
        "%buddy /context [question]",
        "what would be sent, and what not; sends nothing. --dry-run shows it for a prompt",
    ),
    (
        f"%buddy {', '.join(f'/{task}' for task in TASKS)}",
        "the last error, or the code below or above",
    ),
    ("%buddy /reset", "begin a new conversation"),
    (
        "%buddy /chats [N]",
        "this notebook's conversations, or switch to one; delete N, delete all: for good",
    ),
    (
        "%buddy /export [FILE.md or FILE.ipynb]",
        "write the conversation to a file, by default beside the notebook",
    ),
    ("%buddy /panel", "chat and settings beside the code, in a notebook"),
    ("%buddy /version", "versions"),
    ("%config LocalProvider", "the settings of the local provider"),
)
