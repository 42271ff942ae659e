"""ES modules joined into one text, as anywidget takes a widget's script as one text.

There is no build step: the modules are read when the widget's class is made. Each may
import names of others, written on one line::

    import { make, button } from "../shared/elements.js";

All of them share one scope once joined, so a name may be declared in one module only,
and cannot be imported under another name. Every widget carries its script to the page,
and front ends may write it into the notebook, so comments stay in the sources, and the
rest is compressed.
"""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

STATIC = Path(__file__).parent / "static"

IMPORT = re.compile(r'^import \{ \w+(?:, \w+)* \} from "(?P<path>\.[\w./]+)";$')
IMPORT_LINE = re.compile(r"^import.*\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)
COMMENT = re.compile(r"^ *(?:/\*\*(?:[^*]|\*(?!/))*\*/|//.*)\n", re.MULTILINE)
TYPE_COMMENT = re.compile(r"/\*\*(?:[^*]|\*(?!/))*\*/ ?")
CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
AROUND_CSS_SIGNS = re.compile(r"\s*([{};,>])\s*")

# A module that unpacks another, and is what that one is.
UNPACKED = """\
const packed = Uint8Array.from(atob("{packed}"), sign => sign.charCodeAt(0));
const unpacking = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
const script = await new Response(unpacking).text();
const url = URL.createObjectURL(new Blob([script], {{ type: "text/javascript" }}));
const {{ default: widget }} = await import(url);
URL.revokeObjectURL(url);
export default widget;
"""


def joined_script(name: str) -> str:
    """Return a module of ``static`` with all that it imports, dependencies first.

    Raises
    ------
    ValueError
        If modules import each other in a circle, or an import has another form.
    """
    return "".join(_joined(STATIC / name, (), set()))


def packed_script(name: str) -> str:
    """Return the module that `joined_script` returns as one that unpacks it.

    Needs a browser of 2023 or later, for ``DecompressionStream``.
    """
    script = joined_script(name).encode()
    packed = base64.b64encode(gzip.compress(script, mtime=0)).decode()
    return UNPACKED.format(packed=packed)


def joined_styles(*names: str) -> str:
    """Return style sheets of ``static`` as one text."""
    text = "".join(_text(STATIC / name) for name in names)
    text = CSS_COMMENT.sub("", text)
    text = AROUND_CSS_SIGNS.sub(r"\1", text.strip())
    return text.replace(": ", ":").replace(";}", "}")


def imports_of(module: Path) -> list[Path]:
    """Return the modules that a module imports.

    Raises
    ------
    ValueError
        If an import has a form that cannot be joined.
    """
    imported = []
    for line in _text(module).splitlines():
        if not line.startswith("import"):
            continue
        match = IMPORT.match(line)
        if match is None:
            raise ValueError(f"{module.name} cannot be joined: {line}")
        path = module.parent / match["path"]
        imported.append(path.resolve())
    return imported


def _joined(
    module: Path,
    importers: tuple[Path, ...],
    done: set[Path],
) -> Iterator[str]:
    """Yield the texts of the modules that are not ``done``, dependencies first."""
    if module in importers:
        raise ValueError(f"{module.name} imports itself through other modules.")
    importers = (*importers, module)
    for imported in imports_of(module):
        if imported not in done:
            yield from _joined(imported, importers, done)
    done.add(module)
    yield _body(module)


def _body(module: Path) -> str:
    """Return a module without imports, the word ``export``, and comments."""
    text = IMPORT_LINE.sub("", _text(module))
    text = COMMENT.sub("", text)
    text = EXPORT.sub("", text)
    return TYPE_COMMENT.sub("", text).lstrip("\n")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
