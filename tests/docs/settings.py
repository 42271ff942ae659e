"""Write the tables of settings from the traits that declare them: the common settings in
the README, all of them in ``docs/SETTINGS.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from traitlets import TraitType

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.providers.cloud import CloudProvider
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.settings.configured import Configured

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "SETTINGS.md"
# The settings of providers that the README lists.
COMMON = {"base_url", "model", "num_ctx", "temperature", "max_tokens"}
# Those of the Buddy that it does not list.
UNCOMMON = {"reading_seconds", "replay_file", "completion_model", "looks", "proposals"}
BEGIN = "<!-- settings: written by `make docs` -->\n"
END = "<!-- end of settings -->\n"
HEADER = ("| setting | default | meaning |", "|---|---|---|")
# Characters of a default that are shown.
MAX_DEFAULT = 30


def write() -> Path:
    """Write the tables into both files; return the page with all settings."""
    for page in (README, PAGE):
        text = page.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        after = rest.partition(END)[2]
        page.write_text(f"{before}{BEGIN}{table(page)}{END}{after}", encoding="utf-8")
    return PAGE


def written(page: Path) -> str:
    """Return the table that is in a file now."""
    return page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def table(page: Path) -> str:
    """Return the table that should be in a file."""
    only_common = page is README
    lines = list(HEADER)
    for owner in (Buddy, LocalProvider, EmbeddedProvider):
        lines += _rows(owner, only_common)
    if not only_common:
        lines += ["", _cloud_providers()]
    return "\n".join([*lines, ""])


def _rows(owner: type[Configured], only_common: bool) -> Iterator[str]:
    """Yield a row for each setting, except the settings of the embedded provider that
    are those of the local one.
    """
    traits = owner.class_traits(config=True)
    listed: dict[str, TraitType[object, object]] = {}
    if owner is not LocalProvider:
        listed = LocalProvider.class_traits(config=True)
    for name in sorted(traits, key=lambda name: _order(owner, name)):
        is_common = name not in UNCOMMON if owner is Buddy else name in COMMON
        if only_common and not is_common:
            continue
        if name not in listed or listed[name].help != traits[name].help:
            yield _row(owner, name, traits[name])


def _row(owner: type[Configured], name: str, trait: TraitType[object, object]) -> str:
    meaning = trait.help
    if name in owner.environment:
        meaning += f" Environment variable: `{owner.environment[name]}`."
    return f"| `{owner.__name__}.{name}` | {_default(trait)} | {meaning} |"


def _order(owner: type[Configured], name: str) -> int:
    """Return the position of a setting: in the order of declaration, those of the class
    before those that it inherits.
    """
    declared = [name for cls in owner.__mro__ for name in vars(cls)]
    return declared.index(name)


def _default(trait: TraitType[object, object]) -> str:
    value = trait.default()
    if value in (None, "", [], {}):
        return ""
    text = str(value)
    if len(text) > MAX_DEFAULT:
        text = f"{text[:MAX_DEFAULT].rstrip()}…"
    return f"`{text}`"


def _cloud_providers() -> str:
    """Return a sentence that lists the cloud providers."""
    providers = []
    for provider in CloudProvider.__subclasses__():
        name = provider.__name__.removesuffix("Provider")
        model = _default(provider.class_traits()["model"])
        providers.append(f"{name} (`{provider.key_variable}`, {model})")
    listed = ", ".join(providers)
    return (
        "Cloud providers, each with the environment variable for its API key and the "
        f"default model: {listed}."
    )
