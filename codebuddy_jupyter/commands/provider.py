"""The commands about the provider: which is used, and whether it works."""

from __future__ import annotations

from ..buddy import Buddy
from ..doctor.examination import examine
from ..doctor.report import Report, versions
from ..errors import Remedy, SettingError
from ..markdown.safe import escape, fence
from ..messages import Progress
from ..providers.base import Provider
from ..question.options import Options
from .command import Invocation, command
from .text_table import Row, text_table


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
    options = Options(model=target.removeprefix("/"))
    provider_name = buddy.registry.try_name(target.strip("/"))
    if provider_name:
        options = Options(provider=provider_name)
    resolution = buddy.resolve(options)
    name, provider, model = buddy.loop.run(resolution)
    preparation = provider.prepare(model or provider.model, progress)
    buddy.loop.run(preparation)
    buddy.change({"provider": name})
    if model:
        provider.change({"model": model})
    buddy.loop.submit(provider.load_ahead(model))


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
    return buddy.loop.run(examination)


@command("version", "", "show the versions that a bug report needs")
def show_version(invocation: Invocation, arguments: str) -> str:
    """Show the versions of this package and of what it uses."""
    parts = []
    for name, version in versions().items():
        parts.append(f"{name} {version}")
    return escape(" · ".join(parts))
