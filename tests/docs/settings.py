"""The settings table of the README with the clouds below it, from the traits that declare the settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from traitlets import TraitType

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.providers.cloud import CloudProvider
from codebuddy_jupyter.providers.embedded import EmbeddedProvider
from codebuddy_jupyter.providers.local import LocalProvider
from codebuddy_jupyter.settings import Configured

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- settings: written by `make docs` -->\n", "<!-- end of settings -->\n"
LONGEST = 30  # characters of a default that are shown


def write() -> Path:
    """Put the table as it should be into the README; gives the file."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}{table()}{END}{after}", encoding="utf-8")
    return README


def written() -> str:
    """The table as it stands in the README."""
    return README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def table() -> str:
    """The table as it should be."""
    settings = [row for owner in (Buddy, LocalProvider, EmbeddedProvider) for row in _rows(owner)]
    clouds = f"Clouds, each with the variable for its key and the model that is asked: {', '.join(_clouds())}."
    return "\n".join(["| setting | default | |", "|---|---|---|", *settings, "", clouds, ""])


def _rows(owner: type[Configured]) -> Iterator[str]:
    """A row for each setting; of the embedded provider only what the local one has not told already."""
    told = {} if owner is LocalProvider else LocalProvider.class_traits(config=True)
    for name, trait in sorted(owner.class_traits(config=True).items(), key=lambda item: _order(owner, item[0])):
        if name not in told or told[name].help != trait.help:
            variable = f" Environment: `{owner.environment[name]}`." if name in owner.environment else ""
            yield f"| `{owner.__name__}.{name}` | {_default(trait)} | {trait.help}{variable} |"


def _order(owner: type[Configured], name: str) -> int:
    """Settings of a class in the order in which it declares them, before those that it inherits."""
    declared = [name for kind in owner.__mro__ for name in vars(kind)]
    return declared.index(name)


def _default(trait: TraitType[object, object]) -> str:
    value = trait.default()
    if value in (None, "", [], {}):
        return ""
    text = str(value)
    return f"`{text}`" if len(text) <= LONGEST else f"`{text[:LONGEST].rstrip()}…`"


def _clouds() -> Iterator[str]:
    for provider in CloudProvider.__subclasses__():
        name = provider.__name__.removesuffix("Provider")
        yield f"{name} (`{provider.key_variable}`, {_default(provider.class_traits()['model'])})"
