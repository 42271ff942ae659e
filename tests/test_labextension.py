"""The JupyterLab extension without a JupyterLab: its files fit together, are small,
compare texts rightly, and do what they should to fakes of JupyterLab's objects.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from codebuddy_jupyter import __version__
from tests.support.labextension import SOURCES

STATIC = SOURCES / "static"
SCHEMA = SOURCES / "schemas" / "codebuddy-jupyter" / "plugin.json"
MODULES = sorted(STATIC.glob("*.js"))
# What a page loads before anything is used, and its bytes at most.
AT_LOAD = ("remoteEntry.js", "plugin.js", "shared.js", "links.js", "link.js")
MOST_BYTES = 25_000
MOST_LINES = 220
IMPORT = re.compile(r'(?:from |import\()"(\./[\w.]+)"')
COMPARE = """
import { hunksOf, withHunks } from "MODULE";
import { readFileSync } from "node:fs";
const pairs = JSON.parse(readFileSync(0, "utf8"));
const results = pairs.map(([before, after]) => {
    const hunks = hunksOf(before, after);
    return { hunks, all: withHunks(before, hunks), none: withHunks(before, []) };
});
process.stdout.write(JSON.stringify(results));
"""
# A kernel that has loaded codebuddy, and messages of it or of the server.
RESTARTS = """
import { Link } from "MODULE";
import { readFileSync } from "node:fs";
const messages = JSON.parse(readFileSync(0, "utf8"));
const listeners = new Set();
const statuses = [];
const comm = {
    open() { this.onMsg({ content: { data: { type: "done", id: "0", content: {} } } }); },
    close() {},
};
const kernel = {
    info: Promise.resolve({}),
    createComm: () => comm,
    iopubMessage: {
        connect: listener => listeners.add(listener),
        disconnect: listener => listeners.delete(listener),
    },
    requestKernelInfo: async () => {},
    _updateStatus: status => statuses.push(status),
};
const link = await Link.open(kernel);
for (const [session, content] of messages) {
    for (const listener of [...listeners]) listener(kernel, { header: { session }, content });
}
process.stdout.write(JSON.stringify({ isClosed: link.isClosed, statuses }));
"""
BUSY, IDLE = {"execution_state": "busy"}, {"execution_state": "idle"}
TOO_FAST = {"name": "stderr", "text": "IOPub data rate exceeded."}
# A notebook of one cell, in which the user selects that cell again whenever it can be.
BELOW = """
import { askBelow } from "MODULE";
const cell = { model: { id: "failed" } };
const ran = [];
const content = {
    widgets: [cell],
    activeCellIndex: 0,
    deselectAll() {},
    async scrollToItem() { this.activeCellIndex = 0; },
};
const sharedModel = {
    insertCell: (index, added) => content.widgets.splice(index, 0, { added }),
};
const notebook = { content, context: { model: { readOnly: false, sharedModel } } };
const link = { ask: async () => ({ text: "/fix" }) };
const run = ({ widgets, activeCellIndex }) => ran.push(widgets[activeCellIndex].added);
const lab = { links: { of: async () => link }, actions: { run } };
const isAsked = await askBelow(lab, notebook, cell, { task: "fix" });
process.stdout.write(JSON.stringify({ isAsked, ran }));
"""
PAIRS = {
    "equal": ("a\nb", "a\nb", 0),
    "a line changed": ("a\nb\nc", "a\nx\nc", 1),
    "two places": ("a\nb\nc\nd\ne", "x\nb\nc\nd\ny", 2),
    "all added": ("", "a\nb", 1),
    "all removed": ("a\nb", "", 1),
    "a line added at the end": ("a", "a\nb", 1),
    "a newline at the end": ("a\n", "a", 1),
    "a repeated line": ("a\na\na", "a\na", 1),
    "moved": ("a\nb\nc", "b\nc\na", 2),
}


def run_script(script: str, module: str, given: object = None) -> Any:
    """What a script writes that imports a module and reads what is given, as JSON."""
    done = subprocess.run(
        [
            "node",
            "--input-type=module",
            "--eval",
            script.replace("MODULE", (STATIC / module).as_uri()),
        ],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def compare(pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """What the extension's own code says about each pair of texts."""
    results: list[dict[str, Any]] = run_script(COMPARE, "difference.js", pairs)
    return results


def test_it_has_the_version_of_the_package() -> None:
    package = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == __version__
    assert (SOURCES / package["jupyterlab"]["_build"]["load"]).exists()


def test_modules_import_what_is_there_and_each_is_imported_and_short() -> None:
    imported = {"remoteEntry.js", "plugin.js"}
    for module in MODULES:
        text = module.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= MOST_LINES, module.name
        names = {Path(found).name for found in IMPORT.findall(text)}
        for name in names:
            is_declaration = (STATIC / name.replace(".js", ".d.ts")).exists()
            assert is_declaration or (STATIC / name).exists(), name
        imported |= names
    assert {module.name for module in MODULES} <= imported


def test_a_page_loads_little_before_it_is_used() -> None:
    assert sum((STATIC / name).stat().st_size for name in AT_LOAD) < MOST_BYTES


def test_each_command_of_the_schema_is_there() -> None:
    text = (STATIC / "plugin.js").read_text(encoding="utf-8")
    named = set(re.findall(r'"codebuddy:([a-z]+)"', SCHEMA.read_text(encoding="utf-8")))
    tasks = set(re.findall(r"(?m)^  ([a-z]+): \"", text))
    assert named == {"open", *tasks}


def test_the_shortcut_is_not_taken_by_jupyterlab() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    (shortcut,) = schema["jupyter.lab.shortcuts"]
    (keys,) = shortcut["keys"]
    spec = find_spec("jupyterlab")
    assert spec is not None
    assert spec.origin is not None
    schemas = list(Path(spec.origin).parent.rglob("schemas/**/*.json"))
    assert schemas
    for file in schemas:
        assert f'"{keys}"' not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAIRS)
def test_a_difference_has_the_changes_and_gives_the_new_text(name: str) -> None:
    before, after, count = PAIRS[name]
    (result,) = compare([(before, after)])
    assert len(result["hunks"]) == count
    assert (result["all"], result["none"]) == (after, before)


def test_any_difference_gives_the_new_text() -> None:
    source = random.Random(4)
    pairs = []
    for _ in range(300):
        texts = [
            "\n".join(source.choices("abc ", k=source.randrange(12))) for _ in "ab"
        ]
        pairs.append((texts[0], texts[1]))
    long = "\n".join(map(str, range(3000)))
    pairs.append((long, "\n".join(reversed(long.split("\n")))))
    for (before, after), result in zip(pairs, compare(pairs), strict=True):
        assert (result["all"], result["none"]) == (after, before)


def test_a_kernel_that_another_page_has_restarted_is_noticed() -> None:
    messages = [("old", BUSY), ("old", IDLE), ("new", {"execution_state": "starting"})]
    result = run_script(RESTARTS, "link.js", messages)
    assert result == {"isClosed": True, "statuses": ["restarting"]}


@pytest.mark.parametrize(
    "sent", [TOO_FAST, {"execution_state": "restarting"}], ids=["limit", "restarting"]
)
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
def test_a_message_of_the_server_is_no_restart(
    sent: dict[str, str], is_first: bool
) -> None:
    before = [] if is_first else [("kernel", BUSY)]
    messages = [*before, ("page", sent), ("kernel", IDLE)]
    result = run_script(RESTARTS, "link.js", messages)
    assert result == {"isClosed": False, "statuses": []}


def test_an_error_is_asked_about_in_a_cell_of_code_that_runs_at_once() -> None:
    result = run_script(BELOW, "cell_question.js")
    assert result["isAsked"]
    (cell,) = result["ran"]
    assert (cell["cell_type"], cell["source"]) == ("code", "%buddy /fix")
