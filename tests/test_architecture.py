"""The rooms of the package, and who may import whom: the table of the design, kept true."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import codebuddy_jupyter

PACKAGE = Path(codebuddy_jupyter.__file__).parent

# Each room with the rooms that it may import. Every one stands below those that import it, so there is no cycle.
ROOMS: dict[str, set[str]] = {
    # Plain values, the error tree, the background loop
    "errors": set(),
    "messages": set(),
    "loop": set(),
    "readers": set(),
    "markdown": {"readers"},
    # What is known of the notebook
    "tokens": {"messages"},
    "context": set(),
    "context.items": {"messages"},
    "context.fit": {"context.items"},
    "context.envelope": {"context.fit", "context.items"},
    "context.relevance": set(),
    "context.secrets.words": set(),
    "context.secrets.forms": {"context.secrets.words"},
    "context.secrets.assignments": {"context.secrets.words"},
    "context.secrets.written": set(),
    "context.secrets": {
        "context.secrets.assignments",
        "context.secrets.forms",
        "context.secrets.words",
        "context.secrets.written",
    },
    "context.describe.types": set(),
    "context.describe.text": {"context.describe.types"},
    "context.describe.plain": {"context.describe.text", "context.describe.types"},
    "context.describe.code": {"context.describe.text", "context.describe.types"},
    "context.describe.frames": {"context.describe.text", "context.describe.types"},
    "context.describe.arrays": {"context.describe.text", "context.describe.types"},
    "context.describe.models": {"context.describe.text", "context.describe.types"},
    "context.describe.databases": {"context.describe.text", "context.describe.types"},
    "context.describe.foreign": set(),
    "context.describe": {
        "context.describe.arrays",
        "context.describe.code",
        "context.describe.databases",
        "context.describe.foreign",
        "context.describe.frames",
        "context.describe.models",
        "context.describe.plain",
        "context.describe.text",
        "context.describe.types",
    },
    "context.outputs": {"context.items", "messages"},
    "context.saved": {"context.items", "context.outputs"},
    "context.failure": {"context.outputs"},
    "context.snapshot": {"context.failure", "context.items", "context.relevance"},
    "context.runs": {"context.items", "context.outputs"},
    "context.matching": {"context.items", "context.runs", "context.saved"},
    "context.session": {
        "context.failure",
        "context.items",
        "context.matching",
        "context.outputs",
        "context.runs",
        "context.saved",
        "messages",
    },
    "context.tables": {"context.describe.text", "errors"},
    "context.attached": {
        "context.describe.text",
        "context.outputs",
        "context.saved",
        "context.tables",
        "errors",
        "messages",
    },
    "context.mentions": {"context.attached", "context.describe.text", "context.items", "errors", "messages"},
    "context.observer": {
        "context.describe",
        "context.failure",
        "context.fit",
        "context.items",
        "context.mentions",
        "context.relevance",
        "context.secrets",
        "context.session",
        "context.snapshot",
    },
    # Settings, keys, and what can be set for one question
    "settings": {"errors"},
    "keys": {"errors", "settings"},
    "prompts": {"errors"},
    "options": {"context.items", "errors", "prompts"},
    # Providers
    "providers": set(),
    "providers.base": {"errors", "messages", "settings"},
    "providers.registry": {"errors", "providers.base"},
    "providers.address": set(),
    "providers.complaint": set(),
    "providers.transport": {"errors", "keys", "providers.address"},
    "providers.patience": {"errors", "providers.complaint"},
    "providers.explain": {
        "errors",
        "keys",
        "providers.address",
        "providers.complaint",
        "providers.patience",
        "providers.transport",
    },
    "providers.chat_stream": {"messages", "providers.complaint"},
    "providers.openai_chat": {
        "errors",
        "keys",
        "messages",
        "providers.address",
        "providers.base",
        "providers.chat_stream",
        "providers.complaint",
        "providers.explain",
        "providers.patience",
        "providers.transport",
    },
    "providers.private": {"keys", "providers.openai_chat", "providers.transport"},
    "providers.kinds.look": {"providers.complaint", "providers.transport"},
    "providers.kinds.base": {"messages", "providers.complaint", "providers.kinds.look"},
    "providers.kinds.ollama": {
        "errors",
        "messages",
        "providers.address",
        "providers.complaint",
        "providers.kinds.base",
        "providers.kinds.look",
    },
    "providers.kinds.ollama_chat": {"messages", "providers.chat_stream", "providers.complaint"},
    "providers.kinds.lm_studio": {
        "errors",
        "messages",
        "providers.address",
        "providers.complaint",
        "providers.kinds.base",
        "providers.kinds.look",
    },
    "providers.kinds.llama_cpp": {
        "messages",
        "providers.address",
        "providers.complaint",
        "providers.kinds.base",
        "providers.kinds.look",
    },
    "providers.kinds.local_ai": {
        "errors",
        "messages",
        "providers.address",
        "providers.complaint",
        "providers.kinds.base",
        "providers.kinds.look",
    },
    "providers.kinds.vllm": {"messages", "providers.address", "providers.kinds.base", "providers.kinds.look"},
    "providers.kinds.jan": {"providers.kinds.base", "providers.kinds.look"},
    "providers.kinds.docker": {
        "messages",
        "providers.address",
        "providers.complaint",
        "providers.kinds.base",
        "providers.kinds.look",
    },
    "providers.kinds.webui": {"messages", "providers.kinds.base", "providers.kinds.look"},
    "providers.kinds.koboldcpp": {"messages", "providers.address", "providers.kinds.base", "providers.kinds.look"},
    "providers.kinds": {
        "providers.kinds.base",
        "providers.kinds.docker",
        "providers.kinds.jan",
        "providers.kinds.koboldcpp",
        "providers.kinds.llama_cpp",
        "providers.kinds.lm_studio",
        "providers.kinds.local_ai",
        "providers.kinds.look",
        "providers.kinds.ollama",
        "providers.kinds.vllm",
        "providers.kinds.webui",
    },
    "providers.finding": {"providers.address", "providers.complaint", "providers.kinds", "providers.kinds.look"},
    "providers.local": {
        "errors",
        "keys",
        "messages",
        "providers.address",
        "providers.chat_stream",
        "providers.complaint",
        "providers.explain",
        "providers.finding",
        "providers.kinds",
        "providers.kinds.look",
        "providers.kinds.ollama",
        "providers.kinds.ollama_chat",
        "providers.private",
    },
    "providers.cloud": {"messages", "providers.openai_chat"},
    "providers.recital": set(),
    "providers.demo_model": {"providers.recital"},
    "providers.engine": set(),
    "providers.hub": {"errors", "providers.transport"},
    "providers.embedded": {
        "errors",
        "keys",
        "messages",
        "providers.complaint",
        "providers.demo_model",
        "providers.engine",
        "providers.hub",
        "providers.kinds.llama_cpp",
        "providers.kinds.look",
        "providers.openai_chat",
    },
    "report": {"keys", "markdown"},
    # The conversation, and what shows it
    "chat": {"context.fit", "errors", "loop", "messages"},
    "draft": {"chat", "context.envelope", "context.fit", "context.items", "messages", "tokens"},
    "preview": {"context.items", "draft", "markdown"},
    "store": {"errors", "messages"},
    "chats": {"chat", "errors", "loop", "messages", "store"},
    "export": {"chat", "errors", "markdown", "readers"},
    "show": {"chat", "errors", "markdown"},
    # The owner
    "asked": {"chat", "draft", "errors", "messages", "providers.base", "tokens"},
    "buddy": {
        "asked",
        "chat",
        "chats",
        "context.fit",
        "context.items",
        "context.mentions",
        "context.observer",
        "draft",
        "errors",
        "loop",
        "messages",
        "options",
        "prompts",
        "providers.base",
        "providers.registry",
        "settings",
        "tokens",
    },
    "doctor": {
        "errors",
        "keys",
        "messages",
        "providers.address",
        "providers.base",
        "providers.complaint",
        "providers.explain",
        "providers.finding",
        "providers.kinds",
        "providers.kinds.look",
        "providers.local",
        "providers.openai_chat",
        "providers.transport",
        "report",
    },
    # Its faces: none imports another
    "commands": {
        "buddy",
        "chat",
        "doctor",
        "errors",
        "export",
        "markdown",
        "messages",
        "options",
        "preview",
        "prompts",
        "providers.base",
        "report",
    },
    "completion": {"context.attached"},
    "line": {"errors", "options"},
    # The panel: a face too, which the magics and the functions open
    "widgets": set(),
    "widgets.page": set(),
    "widgets.meter": {
        "buddy",
        "commands",
        "context.items",
        "draft",
        "errors",
        "options",
        "preview",
        "providers.base",
    },
    "widgets.transcript": {"chat", "errors", "markdown", "show"},
    "widgets.chat_view": {
        "buddy",
        "chat",
        "commands",
        "completion",
        "errors",
        "widgets.meter",
        "widgets.page",
        "widgets.transcript",
    },
    "widgets.provider_view": {
        "buddy",
        "doctor",
        "errors",
        "messages",
        "providers.address",
        "providers.base",
        "providers.complaint",
        "providers.kinds.look",
        "providers.openai_chat",
        "report",
        "widgets.page",
    },
    "widgets.field": {"settings", "widgets.page"},
    "widgets.settings_form": {
        "buddy",
        "chat",
        "errors",
        "messages",
        "providers.address",
        "providers.base",
        "settings",
        "widgets.field",
        "widgets.page",
        "widgets.provider_view",
    },
    "widgets.panel": {"buddy", "widgets.chat_view", "widgets.page", "widgets.settings_form"},
    "api": {"buddy", "chat", "commands", "errors", "options", "show", "widgets.panel"},
    "magics": {
        "buddy",
        "chat",
        "commands",
        "completion",
        "context.session",
        "errors",
        "line",
        "show",
        "widgets.panel",
    },
    "demo": {"buddy", "errors", "show"},
    "cli": {
        "__init__",
        "buddy",
        "commands",
        "demo",
        "errors",
        "options",
        "providers.address",
        "providers.openai_chat",
        "show",
    },
    "__init__": {"api", "chat", "errors", "magics"},
}

LATE = {
    "__init__": "the extension's door: %load_ext shall be instant",
    "magics": "the other side of that door: what does the work is imported when it is first needed",
    "cli": "the demo needs packages that are optional",
}
"""Rooms that may import their own package inside functions, with the reason."""

OPENAI = {"providers.openai_chat"}
DISPLAY = {"show", "magics", "line", "api", "demo"}
"""Rooms that may know IPython, nbclient or nbformat: what displays, and what stands at the user's shell."""
WIDGETS = ("ipywidgets", "anywidget")
"""Packages that only the panel's rooms may know; no other room imports those before somebody opens one."""


@dataclass(frozen=True)
class Import:
    """An import: of what, and whether it happens when the module is imported, later, or only for the type checker."""

    name: str
    when: str


@cache
def rooms() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree_of(room: str) -> ast.Module:
    return ast.parse(rooms()[room].read_text(encoding="utf-8"))


@cache
def imports_of(room: str) -> list[Import]:
    """All imports of a room; those of its own package by the name of the room, others by their whole name."""
    return [Import(name, when) for node, when in _import_nodes(tree_of(room), "at once") for name in _names(node, room)]


def _import_nodes(node: ast.AST, when: str) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, when
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _import_nodes(child, "later")
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from _import_nodes(child, "for types")
        else:
            yield from _import_nodes(child, when)


def _names(node: ast.Import | ast.ImportFrom, room: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif not node.level:
        yield node.module or ""
    else:
        # What a package's own door calls `.name` stands within it; for any other room, beside it.
        inside = [] if room == "__init__" else [*room.split("."), *(["door"] if _is_package(room) else [])]
        package = inside[: -node.level]
        for alias in node.names:
            inner = ".".join([*package, *([node.module] if node.module else []), alias.name])
            outer = ".".join([*package, *([node.module] if node.module else [])]) or "__init__"
            yield f"codebuddy_jupyter:{inner if inner in rooms() else outer}"


def _is_package(room: str) -> bool:
    return rooms()[room].name == "__init__.py"


def own_imports(room: str) -> list[Import]:
    own = "codebuddy_jupyter:"
    return [Import(one.name.removeprefix(own), one.when) for one in imports_of(room) if one.name.startswith(own)]


def functions_of(room: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree_of(room)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.fixture(params=sorted(rooms()))
def room(request: pytest.FixtureRequest) -> str:
    """Each room in turn."""
    return str(request.param)


def test_the_table_holds_the_rooms_that_there_are() -> None:
    assert sorted(rooms()) == sorted(ROOMS)


def test_imports_point_down() -> None:
    above: set[str] = set()
    for name, below in reversed(ROOMS.items()):
        assert name not in below
        assert not below & above - {"__init__"}, f"{name} imports what stands above it"
        above.add(name)


def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    assert {one.name for one in own_imports(room)} <= ROOMS[room]


def test_the_table_allows_nothing_that_nobody_needs(room: str) -> None:
    assert ROOMS[room] <= {one.name for one in own_imports(room)} | _by_name(room)


def _by_name(room: str) -> set[str]:
    """The rooms that the package's door names as texts, to import them when they are asked for."""
    return set(codebuddy_jupyter._HOMES.values()) if room == "__init__" else set()


def test_an_import_inside_a_function_has_its_reason(room: str) -> None:
    assert room in LATE or not [one for one in own_imports(room) if one.when == "later"]


def test_one_room_imports_openai_and_only_when_it_is_used(room: str) -> None:
    openai = [one for one in imports_of(room) if one.name.split(".")[0] in ("openai", "httpx", "httpx2")]
    assert room in OPENAI or not openai
    assert all(one.when == "for types" for one in openai)


def test_only_what_stands_at_the_shell_knows_it(room: str) -> None:
    shell = [one for one in imports_of(room) if one.name.split(".")[0] in ("IPython", "nbclient", "nbformat")]
    assert room in DISPLAY or not shell


def test_only_the_panel_knows_widgets(room: str) -> None:
    if not room.startswith("widgets"):
        assert not [one for one in imports_of(room) if one.name.split(".")[0] in WIDGETS]
        assert not [one for one in own_imports(room) if one.name.startswith("widgets") and one.when == "at once"]


def test_a_room_is_at_most_600_lines(room: str) -> None:
    assert len(rooms()[room].read_text(encoding="utf-8").splitlines()) <= 600


def test_a_function_is_at_most_60_lines(room: str) -> None:
    long = [node.name for node in functions_of(room) if (node.end_lineno or 0) - node.lineno >= 60]
    assert long == []


def test_a_room_says_what_it_is(room: str) -> None:
    assert ast.get_docstring(tree_of(room))


def test_a_room_is_named_after_what_is_in_it(room: str) -> None:
    assert not {"util", "utils", "helper", "helpers", "common", "misc"} & set(room.split("."))


def test_a_class_is_named_after_what_it_is(room: str) -> None:
    vague = ("Manager", "Handler", "Service", "Helper", "Util", "Utils")
    assert [
        node.name for node in ast.walk(tree_of(room)) if isinstance(node, ast.ClassDef) and node.name.endswith(vague)
    ] == []


def test_nobody_sets_a_global(room: str) -> None:
    assert not [node for node in ast.walk(tree_of(room)) if isinstance(node, ast.Global)]
