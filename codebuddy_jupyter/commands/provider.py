"""The commands about the provider: which is used, and whether it works."""

from __future__ import annotations

import difflib
from dataclasses import replace

from ..buddy import Buddy
from ..doctor.examination import examine
from ..doctor.report import Report, versions
from ..doctor.sidebar_check import check_sidebar
from ..errors import SIMILAR, ModelNotFound, Remedy, SettingError
from ..markdown.safe import escape, fence
from ..messages import Progress
from ..providers.base import Provider
from ..question.options import Options
from .command import Invocation, command
from .text_table import Row, text_table

# Names of models in an error.
MOST_NAMES = 8
# How similar the misspelt name of a provider is to the right one, from 0 to 1.
MISSPELT = 0.8


@command(
    "use",
    "[PROVIDER][/MODEL]",
    "switch provider or model in this kernel; alone: show which are used, and which "
    "setting decides it",
)
def use(invocation: Invocation, target: str) -> str:
    """Switch provider or model, and show which are used."""
    buddy = invocation.buddy
    if target:
        _switch(buddy, target, invocation.progress)
    provider = buddy.current()
    buddy.loop.run(provider.settle())
    rows = _target_rows(buddy, provider)
    table = text_table(("", "", "set by"), rows)
    problems = buddy.problems + provider.problems
    paragraphs = [table, *map(escape, problems)]
    return "\n\n".join(paragraphs)


def _switch(buddy: Buddy, target: str, progress: Progress) -> None:
    """Use this provider, model or both in this kernel; an error changes nothing."""
    provider_name = buddy.registry.try_name(target.strip("/"))
    if provider_name:
        options = Options(provider=provider_name)
    else:
        options = Options(model=_model_of(buddy, target))
    resolution = buddy.resolve(options)
    name, provider, model = buddy.loop.run(resolution)
    if model:
        _check_offered(buddy, target, provider, model)
    preparation = provider.prepare(model or provider.model, progress)
    buddy.loop.run(preparation)
    buddy.change({"provider": name})
    if model:
        provider.change({"model": model})
    buddy.loop.submit(provider.load_ahead(model))


def _model_of(buddy: Buddy, target: str) -> str:
    """Return the model in ``/MODEL``; a path, which some servers have as the name of a
    model, stays as it was typed.
    """
    name = target.removeprefix("/")
    head, slash, _ = name.partition("/")
    if name == target or not slash:
        return name
    offered = buddy.loop.run(buddy.current().is_offered(target))
    is_path = not buddy.registry.try_name(head)
    if offered or is_path:
        return target
    return name


def _check_offered(buddy: Buddy, target: str, provider: Provider, model: str) -> None:
    """Refuse a model that the server does not list, and what is probably the misspelt
    name of a provider.
    """
    is_offered = buddy.loop.run(provider.is_offered(model))
    if is_offered:
        return
    suggestion = _provider_meant(buddy, target)
    where = provider.where()
    if is_offered is None:
        if suggestion is not None and not any(map(str.isdigit, target)):
            raise SettingError(f"There is no provider {target!r}.", suggestion)
        return
    models = buddy.loop.run(provider.models())
    names = [offered.name for offered in models]
    similar = difflib.get_close_matches(model, names, n=MOST_NAMES, cutoff=SIMILAR)
    names = list(dict.fromkeys([*similar, *names]))
    listed = ", ".join(names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    if more > 0:
        listed += f" and {more} more"
    remedies = [Remedy("Switch", f"%buddy /use {names[0]}")]
    if suggestion is not None:
        remedies.insert(0, suggestion)
    what = f"There is no model {model!r} at {where}. It has {listed}."
    raise ModelNotFound(what, *remedies)


def _provider_meant(buddy: Buddy, target: str) -> Remedy | None:
    """Return how to use the provider whose name is nearly what was typed."""
    head, mark, model = target.strip("/").partition("/")
    if buddy.registry.try_name(head):
        return None
    by_lower = {name.lower(): name for name in buddy.registry.names()}
    near = difflib.get_close_matches(head.lower(), by_lower, n=1, cutoff=MISSPELT)
    if not near:
        return None
    name = by_lower[near[0]]
    command = f"%buddy /use {name}{mark}{model}"
    return Remedy(f"Did you mean the provider {name}?", command)


def _target_rows(buddy: Buddy, provider: Provider) -> list[Row]:
    """Return where requests go: a label, a value, and which setting decides it."""
    address_origin = ""
    if provider.has_trait("base_url"):
        address_origin = provider.origin("base_url")
    model = provider.model or "(chosen automatically)"
    rows: list[Row] = [
        ("provider", buddy.provider, buddy.origin("provider")),
        ("requests go to", provider.where(), address_origin),
        ("model", model, provider.origin("model")),
    ]
    if buddy.offline:
        promise = "nothing leaves this machine"
        if buddy.allowed_hosts:
            promise += f", except to {', '.join(buddy.allowed_hosts)}"
        row = ("offline", promise, buddy.origin("offline"))
        rows.append(row)
    return rows


@command(
    "doctor",
    "[PROVIDER] [--json]",
    "check the connection to the provider, and show how to fix what fails",
)
def doctor(invocation: Invocation, arguments: str) -> str:
    """Check whether the provider works."""
    words = arguments.split()
    as_json = "--json" in words
    name = " ".join(word for word in words if word != "--json")
    if " " in name or name.startswith("-"):
        raise SettingError(
            f"/doctor takes a provider and --json, not {name}.",
            Remedy("For example", "%buddy /doctor local --json"),
        )
    report = doctor_report(invocation.buddy, name, progress=invocation.progress)
    if as_json:
        return fence(report.json(), "json")
    return report.markdown()


def doctor_report(buddy: Buddy, name: str = "", *, progress: Progress) -> Report:
    """Examine a provider and return the report.

    Parameters
    ----------
    buddy
        The Buddy whose settings hold.
    name
        The provider's name, in any case; empty for the one in use.
    progress
        Called at each step that takes long.

    Raises
    ------
    SettingError
        When there is no such provider.
    """
    buddy.read_environment()
    provider_name = buddy.registry.name(name or buddy.provider)
    provider = buddy.ready(provider_name)
    examination = examine(provider, buddy.needed(), progress)
    report = buddy.loop.run(examination)
    sidebar = check_sidebar(report.versions.get("codebuddy-jupyter", ""))
    return replace(report, checks=(*report.checks, sidebar))


@command("version", "", "show the versions that a bug report needs")
def show_version(invocation: Invocation, arguments: str) -> str:
    """Show the versions of this package and of what it uses."""
    parts = []
    for name, version in versions().items():
        parts.append(f"{name} {version}")
    return escape(" · ".join(parts))
