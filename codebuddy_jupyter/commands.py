"""What can be typed after a slash, in the magic and in the panel alike. It gives Markdown, and displays nothing."""

from __future__ import annotations

import difflib
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from .buddy import Buddy
from .errors import SettingError
from .markdown import escape
from .messages import Model
from .options import Options

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
    return command(buddy, rest.strip(), progress)


def show_help(buddy: Buddy, rest: str, progress: Progress) -> str:
    """What can be typed."""
    rows = "\n".join(f"| `{usage}` | {escape(text)} |" for usage, text in HELP)
    return f"| type | what it does |\n|---|---|\n{rows}"


def show_version(buddy: Buddy, rest: str, progress: Progress) -> str:
    """The versions that a report of a problem needs."""
    names = ("codebuddy-jupyter", "openai", "ipython", "ipykernel", "xllamacpp")
    told = [f"{name} {found}" for name in names if (found := _try_version(name))]
    return escape(" · ".join([*told, f"Python {platform.python_version()}", platform.system()]))


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
    provider = buddy.current()
    rows = [
        ("provider", buddy.provider, buddy.origin("provider")),
        ("requests go to", provider.where(), provider.origin("base_url") if provider.has_trait("base_url") else ""),
        ("model", provider.model or "(the provider's choice)", provider.origin("model")),
    ]
    if buddy.offline:
        rows.append(("offline", "nothing leaves this machine", buddy.origin("offline")))
    lines = [f"| {what} | {escape(value)} | {escape(origin)} |" for what, value, origin in rows]
    problems = [f"\n\n{escape(problem)}" for problem in (*buddy.problems, *provider.problems)]
    return "\n".join(["| | | set by |", "|---|---|---|", *lines]) + "".join(problems)


def show_models(buddy: Buddy, rest: str, progress: Progress) -> str:
    """The models that the provider offers now."""
    buddy.read_environment()
    name = buddy.registry.name(rest or buddy.provider)
    models = buddy.loop.run(buddy.ready(name).models())
    if not models:
        return f"{escape(name)} offers no model now."
    rows = "\n".join(_model_row(model) for model in models)
    return f"| {escape(name)} model | window | |\n|---|---:|---|\n{rows}"


def _model_row(model: Model) -> str:
    window = f"{model.window:,}" if model.window else ""
    about = ", ".join([*(["loaded"] if model.loaded else []), *model.abilities])
    return f"| {escape(model.name)} | {window} | {escape(about)} |"


def reset(buddy: Buddy, rest: str, progress: Progress) -> str:
    """Begin a new conversation."""
    turns = buddy.reset()
    return f"A new conversation begins; the last one had {turns} turn{'' if turns == 1 else 's'}."


def _try_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


COMMANDS: dict[str, Command] = {
    "help": show_help,
    "version": show_version,
    "use": use,
    "models": show_models,
    "reset": reset,
}

HELP = (
    ("%buddy why is df empty?", "ask"),
    ("%%buddy -m llama3 -t 0", "ask with options; the prompt is the rest of the cell"),
    ("%buddy?", "all options"),
    ("{name}, {name.attr}, {name[0]}", "put a value into the prompt; {{name}} is sent as {name}"),
    ("%buddy /use [provider][/model]", "switch, in this kernel; alone: where requests go now, and why"),
    ("%buddy /models [provider]", "the models that can be asked now"),
    ("%buddy /reset", "begin a new conversation"),
    ("%buddy /version", "versions"),
    ("%config LocalProvider", "the settings of the local provider"),
)
