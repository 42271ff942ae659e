"""Scripts of the page: ES modules that are joined into one text per widget."""

from __future__ import annotations

import base64
import gzip
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from codebuddy_jupyter.widgets import modules
from codebuddy_jupyter.widgets.modules import (
    STATIC,
    imports_of,
    joined_script,
    joined_styles,
    packed_script,
)

WIDGETS = ("chat/view.js", "provider/view.js")
DECLARATION = re.compile(
    r"^(?:export )?(?:async )?(?:const|let|class|function) (\w+)", re.MULTILINE
)
MOST_LINES = 180


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules in place of the package's own."""
    monkeypatch.setattr(modules, "STATIC", tmp_path)
    return tmp_path


def reachable(module: Path) -> set[Path]:
    """A module and all that it imports."""
    found = {module}
    for imported in imports_of(module):
        found |= reachable(imported)
    return found


def test_dependencies_come_first_and_once(folder: Path) -> None:
    (folder / "a.js").write_text("export const a = 1;\n")
    (folder / "b.js").write_text('import { a } from "./a.js";\nexport const b = a;\n')
    (folder / "c.js").write_text(
        'import { b } from "./b.js";\nimport { a } from "./a.js";\n'
        "export default { a, b };\n"
    )
    joined = "const a = 1;\nconst b = a;\nexport default { a, b };\n"
    assert joined_script("c.js") == joined


def test_a_widget_carries_its_script_packed(folder: Path) -> None:
    (folder / "a.js").write_text('const a = "·";\nexport default { a };\n')
    packed = re.search(r'atob\("([^"]+)"\)', packed_script("a.js"))
    assert packed
    script = gzip.decompress(base64.b64decode(packed[1])).decode()
    assert script == joined_script("a.js")
    assert packed_script("a.js") == packed_script("a.js")


def test_style_sheets_lose_comments_and_blanks(folder: Path) -> None:
    (folder / "a.css").write_text('/* A, b. */\n.a > b, c { d: "e ·"; f: 1px 2px; }\n')
    assert joined_styles("a.css") == '.a>b,c{d:"e ·";f:1px 2px}'


def test_comments_stay_in_the_sources(folder: Path) -> None:
    (folder / "a.js").write_text(
        "/** A module. */\n"
        "\n"
        "/**\n * A *function*.\n */\n"
        "export function a() {\n"
        "  // The reason.\n"
        '  const url = "http://a"; // beside code\n'
        "  return () =>\n"
        "    /** @type {string} */ (url);\n"
        "}\n"
    )
    assert joined_script("a.js") == (
        "function a() {\n"
        '  const url = "http://a"; // beside code\n'
        "  return () =>\n"
        "    (url);\n"
        "}\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        'import a from "./a.js";',
        'import { a as b } from "./a.js";',
        'import * as a from "./a.js";',
        'import { a } from "a";',
    ],
)
def test_an_import_that_cannot_be_joined_is_refused(folder: Path, line: str) -> None:
    (folder / "b.js").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"b\.js cannot be joined"):
        joined_script("b.js")


def test_a_circle_of_imports_is_refused(folder: Path) -> None:
    (folder / "a.js").write_text('import { b } from "./b.js";\n')
    (folder / "b.js").write_text('import { a } from "./a.js";\n')
    with pytest.raises(ValueError, match="imports itself"):
        joined_script("a.js")


@pytest.mark.parametrize("widget", WIDGETS)
def test_a_name_is_declared_in_one_module_of_a_widget(widget: str) -> None:
    names: list[str] = []
    for module in reachable(STATIC / widget):
        names += DECLARATION.findall(module.read_text(encoding="utf-8"))
    assert sorted(names) == sorted(set(names))


def test_each_module_belongs_to_a_widget_and_is_short() -> None:
    used = set().union(*(reachable(STATIC / widget) for widget in WIDGETS))
    assert used == set(STATIC.rglob("*.js"))
    for module in used:
        assert len(module.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("widget", WIDGETS)
@pytest.mark.parametrize("script_of", [joined_script, packed_script])
def test_a_joined_script_is_a_module(
    script_of: Callable[[str], str], widget: str, tmp_path: Path
) -> None:
    script = tmp_path / "joined.mjs"
    script.write_text(script_of(widget), encoding="utf-8")
    subprocess.run(["node", "--check", str(script)], check=True)
