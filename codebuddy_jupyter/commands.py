"""What can be typed after a slash, in the magic and in the panel alike. It gives Markdown, and displays nothing."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable

from .buddy import Buddy
from .doctor import examine
from .errors import SettingError, Unreachable
from .markdown import escape, fence
from .messages import Model
from .options import Options
from .providers.base import Provider
from .report import Report, versions

Progress = Callable[[str, int, int], None]
Command = Callable[[Buddy, str, Progress], str]


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
        near = difflib.get_close_matches(name.lower(), COMMANDS, n=1, cutoff=0.5)
        hint = f"did you mean /{near[0]}?" if near else "see %buddy /help."
        raise SettingError(f"There is no command /{name}: {hint} (To ask about a path, put a word before it.)")
    try:
        return command(buddy, rest.strip(), progress)
    except Unreachable as error:
        raise buddy.loop.run(buddy.current().instead(error)) from error.__cause__


def show_help(buddy: Buddy, rest: str, progress: Progress) -> str:
    """What can be typed."""
    rows = "\n".join(f"| `{usage}` | {escape(text)} |" for usage, text in HELP)
    return f"| type | what it does |\n|---|---|\n{rows}"


def show_version(buddy: Buddy, rest: str, progress: Progress) -> str:
    """The versions that a report of a problem needs."""
    return escape(" · ".join(f"{name} {version}" for name, version in versions().items()))


def doctor(buddy: Buddy, rest: str, progress: Progress) -> str:
    """Whether the provider can be asked, and what to do where it cannot."""
    words = rest.split()
    names = [word for word in words if word != "--json"]
    if len(names) > 1 or any(word.startswith("-") for word in names):
        raise SettingError(f"/doctor takes a provider and --json, not {' '.join(names)}: %buddy /doctor local --json")
    report = examined(buddy, *names, progress=progress)
    return fence(report.json(), "json") if "--json" in words else report.markdown()


def examined(buddy: Buddy, name: str = "", *, progress: Progress) -> Report:
    """What an examination of a provider finds; by default of the one in use. A step that takes long is told.

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
        options = Options(provider=target) if target else Options(model=rest.removeprefix("/"))
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
        ("requests go to", provider.where(), provider.origin("base_url") if provider.has_trait("base_url") else ""),
        ("model", provider.model or "(the provider's choice)", provider.origin("model")),
    ]
    if buddy.offline:
        hosts = f", save to {', '.join(buddy.allowed_hosts)}" if buddy.allowed_hosts else ""
        rows.append(("offline", f"nothing leaves this machine{hosts}", buddy.origin("offline")))
    lines = [f"| {what} | {escape(value)} | {escape(origin)} |" for what, value, origin in rows]
    problems = [f"\n\n{escape(problem)}" for problem in (*buddy.problems, *provider.problems)]
    return "\n".join(["| | | set by |", "|---|---|---|", *lines]) + "".join(problems)


def show_models(buddy: Buddy, rest: str, progress: Progress) -> str:
    """The models that the provider offers now."""
    buddy.read_environment()
    name = buddy.registry.name(rest or buddy.provider)
    models = buddy.loop.run(buddy.ready(name).catalogue())
    if not models:
        return f"{escape(name)} offers no model now."
    rows = "\n".join(_model_row(model) for model in models)
    return f"| {escape(name)} model | window | at most | size | can | |\n|---|---:|---:|---:|---|---|\n{rows}"


def _model_row(model: Model) -> str:
    window, most = (f"{tokens:,}" if tokens else "" for tokens in (model.window, model.max_window))
    size = f"{model.size / 1e9:,.1f} GB" if model.size else ""
    state = "loaded" if model.loaded else ""
    return f"| {escape(model.name)} | {window} | {most} | {size} | {escape(', '.join(model.abilities))} | {state} |"


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


def reset(buddy: Buddy, rest: str, progress: Progress) -> str:
    """Begin a new conversation."""
    turns = buddy.reset()
    return f"A new conversation begins; the last one had {turns} turn{'' if turns == 1 else 's'}."


COMMANDS: dict[str, Command] = {
    "help": show_help,
    "version": show_version,
    "use": use,
    "models": show_models,
    "pull": pull,
    "load": load,
    "unload": unload,
    "doctor": doctor,
    "reset": reset,
}

HELP = (
    ("%buddy why is df empty?", "ask"),
    ("%%buddy -m llama3 -t 0", "ask with options; the prompt is the rest of the cell"),
    ("%buddy?", "all options"),
    ("{name}, {name.attr}, {name[0]}", "put a value into the prompt; {{name}} is sent as {name}"),
    ("%buddy /use [provider][/model]", "switch, in this kernel; alone: where requests go now, and why"),
    ("%buddy /models [provider]", "the models that can be asked now"),
    ("%buddy /pull NAME", "have the server fetch a model (Ollama); after an interrupt, the same again goes on"),
    ("%buddy /load [NAME], %buddy /unload [NAME]", "have the server load a model, or free its memory"),
    ("%buddy /doctor [provider] [--json]", "whether the server can be asked, and what to do where it cannot"),
    ("%buddy /reset", "begin a new conversation"),
    ("%buddy /version", "versions"),
    ("%config LocalProvider", "the settings of the local provider"),
)
