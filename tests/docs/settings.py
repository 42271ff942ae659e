"""The tables of settings, from the traits that declare them: in the README the usual
ones, on their own page all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from traitlets import TraitType

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.providers.cloud import CloudProvider
from codebuddy_jupyter.providers.embedded.provider import EmbeddedProvider
from codebuddy_jupyter.providers.local.provider import LocalProvider
from codebuddy_jupyter.settings import Configured

ROOT = Path(__file__).parents[2]
README, PAGE = ROOT / "README.md", ROOT / "docs" / "SETTINGS.md"
USUAL = {"base_url", "model", "num_ctx", "temperature", "max_tokens"}
"""The settings of a provider that the README tells of."""
BEGIN, END = "<!-- settings: written by `make docs` -->\n", "<!-- end of settings -->\n"
# characters of a default that are shown
LONGEST = 30


def write() -> Path:
    """Put the tables as they should be into both files; gives the page of all."""
    for page in (README, PAGE):
        text = page.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        after = rest.partition(END)[2]
        page.write_text(f"{before}{BEGIN}{table(page)}{END}{after}", encoding="utf-8")
    return PAGE


def written(page: Path) -> str:
    """The table as it stands in a file."""
    return page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def table(page: Path) -> str:
    """The table as it should be in a file."""
    settings = [
        row
        for owner in (Buddy, LocalProvider, EmbeddedProvider)
        for row in _rows(owner, page is README)
    ]
    if page is README:
        return "\n".join(["| setting | default | |", "|---|---|---|", *settings, ""])
    clouds = (
        "Clouds, each with the variable for its key and the model that is asked: "
        f"{', '.join(_clouds())}."
    )
    return "\n".join(
        ["| setting | default | |", "|---|---|---|", *settings, "", clouds, ""]
    )


def _rows(owner: type[Configured], usual: bool) -> Iterator[str]:
    """A row for each setting, or each usual one; of the embedded provider what the
    local one has not told already.
    """
    told = {} if owner is LocalProvider else LocalProvider.class_traits(config=True)
    for name, trait in sorted(
        owner.class_traits(config=True).items(), key=lambda item: _order(owner, item[0])
    ):
        if usual and owner is not Buddy and name not in USUAL:
            continue
        if name not in told or told[name].help != trait.help:
            variable = (
                f" Environment: `{owner.environment[name]}`."
                if name in owner.environment
                else ""
            )
            yield f"| `{owner.__name__}.{name}` | {_default(trait)} | {trait.help}{variable} |"


def _order(owner: type[Configured], name: str) -> int:
    """Settings of a class in the order in which it declares them, before those that it
    inherits.
    """
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
