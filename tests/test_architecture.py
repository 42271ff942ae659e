"""The rooms of the package, and who may import whom: the table of the design, kept
true.
"""

from __future__ import annotations

import ast
import graphlib
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import codebuddy_jupyter

PACKAGE = Path(codebuddy_jupyter.__file__).parent
TESTS = Path(__file__).parent

# Each room with the rooms that it may import, from the bottom up. A room is a module or
# a folder of modules; the modules of a folder may import each other, never in a circle.
ROOMS: dict[str, set[str]] = {
    # The ground: plain values, errors, background threads, settings
    "errors": set(),
    "messages": set(),
    "background": set(),
    "settings": {"errors"},
    # Pure text
    "secrets": set(),
    "markdown": {"background"},
    # What is known of the notebook
    "context.describe": set(),
    "context.inspection": {"context.describe", "markdown"},
    "context": {
        "context.describe",
        "context.inspection",
        "errors",
        "markdown",
        "messages",
        "secrets",
    },
    # Where answers come from
    "providers.http": {"errors", "messages", "secrets", "settings"},
    "providers.kinds": {"errors", "messages", "providers.http"},
    "providers": {"errors", "messages", "providers.http", "settings"},
    "providers.local": {
        "errors",
        "messages",
        "providers",
        "providers.http",
        "providers.kinds",
        "settings",
    },
    "providers.embedded": {
        "errors",
        "messages",
        "providers",
        "providers.http",
        "providers.kinds",
        "settings",
    },
    # The conversation, and a question on its way to a model
    "chat": {"background", "context", "errors", "messages", "settings"},
    "values": {"chat", "context", "errors", "messages", "providers", "secrets"},
    "tools": {
        "context",
        "context.describe",
        "context.inspection",
        "errors",
        "markdown",
        "messages",
        "values",
    },
    "question": {
        "background",
        "chat",
        "context",
        "context.inspection",
        "errors",
        "messages",
        "providers",
        "settings",
        "tools",
        "values",
    },
    "buddy": {
        "background",
        "chat",
        "context",
        "errors",
        "providers",
        "question",
        "settings",
    },
    # Code that is completed while it is typed
    "completion": {
        "buddy",
        "context",
        "errors",
        "markdown",
        "messages",
        "providers",
        "question",
    },
    # The notebook for agents
    "tools.server": {
        "buddy",
        "context",
        "errors",
        "messages",
        "question",
        "settings",
        "tools",
    },
    # One question about many rows
    "values.batch": {
        "background",
        "buddy",
        "chat",
        "context",
        "errors",
        "messages",
        "providers",
        "question",
        "settings",
        "values",
    },
    # What is shown, and what is examined
    "display": {
        "chat",
        "context",
        "errors",
        "markdown",
        "messages",
        "question",
        "settings",
        "tools",
    },
    "doctor": {"errors", "markdown", "messages", "providers", "secrets", "settings"},
    "commands": {
        "buddy",
        "chat",
        "context",
        "context.describe",
        "context.inspection",
        "display",
        "doctor",
        "errors",
        "markdown",
        "messages",
        "providers",
        "question",
        "tools",
        "tools.server",
    },
    # The faces: none imports another, except that each may open the panel
    "widgets": {
        "background",
        "buddy",
        "chat",
        "commands",
        "completion",
        "context",
        "context.describe",
        "display",
        "doctor",
        "errors",
        "markdown",
        "messages",
        "providers",
        "providers.http",
        "question",
        "settings",
        "tools",
    },
    "api": {
        "buddy",
        "chat",
        "commands",
        "display",
        "question",
        "values.batch",
        "widgets",
    },
    "ipython": {
        "buddy",
        "chat",
        "commands",
        "completion",
        "context",
        "display",
        "errors",
        "question",
        "values",
        "widgets",
    },
    "cli": {
        "__init__",
        "buddy",
        "commands",
        "display",
        "errors",
        "question",
        "settings",
        "tools.server",
    },
    "__init__": {"api", "chat", "errors", "ipython", "messages", "providers"},
}
FOLDERS_IN_FOLDERS = {room for room in ROOMS if "." in room}
TOP_LEVEL = 24
"""Entries of the package's folder, at most."""

TESTED_ELSEWHERE: dict[str, str] = {
    "__init__": "test_exports",
    "chat.sqlite_file": "test_store",
    "commands": "test_commands_table",
    "context.describe": "test_describers",
    "context.inspection.abstract": "test_code_check",
    "context.inspection.attributes": "test_code_check",
    "context.inspection.calls": "test_code_check",
    "context.inspection.columns": "test_code_check",
    "context.inspection.expressions": "test_code_check",
    "context.inspection.finding": "test_code_check",
    "context.inspection.pandas_columns": "test_code_check",
    "context.inspection.pandas_groups": "test_code_check",
    "context.inspection.pandas_steps": "test_code_check",
    "context.inspection.plots": "test_code_check",
    "context.inspection.polars_steps": "test_code_check",
    "context.inspection.reader": "test_code_check",
    "context.inspection.report": "test_code_check",
    "context.inspection.stored": "test_code_check",
    "messages": "declarations only",
    "providers.checks": "test_connection_check",
    "providers.kinds": "test_kinds",
    "providers.kinds.base": "test_kinds",
    "providers.kinds.docker": "test_kinds",
    "providers.kinds.jan": "test_kinds",
    "providers.kinds.koboldcpp": "test_kinds",
    "providers.kinds.llama_cpp": "test_kinds",
    "providers.kinds.lm_studio": "test_kinds",
    "providers.kinds.local_ai": "test_kinds",
    "providers.kinds.vllm": "test_kinds",
    "providers.kinds.webui": "test_kinds",
    "values.batch.call": "test_mapping",
    "values.batch.estimate": "test_mapping",
    "question.question": "test_pipeline",
    "secrets.syntax_formats": "test_secrets",
    "secrets.vendor_formats": "test_secrets",
    "tools.counts": "test_tools_notebook",
    "tools.search": "test_tools_notebook",
    "values.data": "test_form",
    "values.frames": "test_form",
    "values.schema": "test_form",
    "settings.configured": "test_settings",
    "tools.server.exchange": "test_visits",
    "widgets.editor_protocol": "test_protocol",
    "widgets.received": "test_protocol",
    "widgets.subshell": "test_page",
}
"""Modules without a ``test_<module>.py`` of their own: the test file that shows what they
do, or ``declarations only`` for a module that has no behaviour.
"""

LATE = {
    "__init__": "the extension's door: %load_ext must be instant",
    "ipython.extension": "the same: what it needs is imported when it is first used",
    "ipython.magics": "the same: loading the extension imports it",
    "ipython.suggest_key": "a terminal whose key is not used needs nothing of it",
    "api": "only marimo needs its own panel",
    "cli.command_line": "the demo needs packages that are optional",
    "display.screens": "only a terminal needs what renders Markdown there",
    "tools.server.notebook_server": "the SDK of MCP is optional, and slow to import",
}
"""Modules that may import their own package inside functions, with the reason."""

OPENAI = {"providers.openai_client", "providers.http.transport"}
"""Modules that may know openai and its HTTP library, imported only when they are used."""
DISPLAY = ("display", "ipython", "api", "cli")
"""Rooms that may know IPython, nbclient or nbformat."""
FACES = ("doctor", "widgets", "cli", "api", "ipython", "commands", "display")
"""Rooms that show providers to users, and must show those of other packages as well."""
WIDGETS = ("ipywidgets", "anywidget")
"""Packages that only the panel knows; nothing imports them before it is opened."""
DENSE = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.IfExp)
"""Expressions of which a line has one at most."""


@dataclass(frozen=True)
class Import:
    """What is imported, and when: ``at once``, ``later`` or ``for types``."""

    name: str
    when: str


@cache
def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        is_door = len(parts) > 1 and parts[-1] == "__init__"
        found[".".join(parts[:-1] if is_door else parts)] = path
    return found


def room_of(module: str) -> str:
    first, *rest = module.split(".")
    inner = ".".join([first, *rest[:1]])
    return inner if inner in FOLDERS_IN_FOLDERS else first


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def imports_of(module: str) -> list[Import]:
    """All imports of a module; those of its own package begin with a dot."""
    return [
        Import(name, when)
        for node, when in _import_nodes(tree_of(module), "at once")
        for name in _names(node, module)
    ]


def _import_nodes(node: ast.AST, when: str) -> Iterator[tuple[ast.AST, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom) or _is_by_text(child):
            yield child, when
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _import_nodes(child, "later")
        elif isinstance(child, ast.If) and _is_for_types(child):
            yield from _import_nodes(child, "for types")
        else:
            yield from _import_nodes(child, when)


def _is_for_types(node: ast.If) -> bool:
    return ast.unparse(node.test) == "TYPE_CHECKING"


def _is_by_text(node: ast.AST) -> bool:
    """Whether this is ``importlib.import_module("…")``, under any of its names."""
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__")
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
    )


def _names(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Call):
        yield str(ast.literal_eval(node.args[0]))
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield node.module or ""
    elif isinstance(node, ast.ImportFrom):
        is_door = modules()[module].name == "__init__.py"
        inside = [] if module == "__init__" else module.split(".")
        package = [*inside, ""] if is_door and inside else inside
        place = [*package[: -node.level], *([node.module] if node.module else [])]
        for alias in node.names:
            inner, outer = ".".join([*place, alias.name]), ".".join(place)
            yield f".{inner if inner in modules() else outer or '__init__'}"


def own_imports(module: str) -> list[Import]:
    return [
        Import(found.name[1:], found.when)
        for found in imports_of(module)
        if found.name.startswith(".")
    ]


def neighbours(module: str) -> set[str]:
    """The rooms of the package that a module imports, its own left out."""
    return {room_of(found.name) for found in own_imports(module)} - {room_of(module)}


def functions_of(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def conditionals_in(tree: ast.AST) -> Iterator[ast.IfExp]:
    for node in ast.walk(tree):
        if isinstance(node, ast.IfExp):
            yield node


def each_module(check: Callable[[str], None]) -> Callable[[], None]:
    """Make a test of a check of one module: it tells all modules that fail."""

    def test() -> None:
        failed = []
        for module in sorted(modules()):
            try:
                check(module)
            except AssertionError as error:
                failed.append(f"{module}: {error}")
        assert not failed, "\n".join(failed)

    return test


def test_the_table_names_the_rooms_that_there_are() -> None:
    assert {room_of(module) for module in modules()} == set(ROOMS)


def test_the_table_of_rooms_for_contributors_is_complete() -> None:
    text = (TESTS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.findall(r"(?m)^\| `([\w/]+)` \| \S", text)
    rooms = [room.rstrip("/").replace("/", ".") for room in listed]
    assert sorted(rooms) == sorted(ROOMS)
    for number, room in enumerate(rooms):
        assert not ROOMS[room] & set(rooms[:number]) - {"__init__"}, room
    for room, name in zip(rooms, listed, strict=True):
        assert name.endswith("/") == (PACKAGE / room.replace(".", "/")).is_dir()


def test_the_top_level_stays_small() -> None:
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= TOP_LEVEL


def test_imports_point_down() -> None:
    above: set[str] = set()
    for room, below in reversed(ROOMS.items()):
        assert not below & {*above, room} - {"__init__"}, f"{room} imports upwards"
        above.add(room)


@each_module
def test_a_module_imports_only_the_rooms_that_the_table_allows(module: str) -> None:
    assert neighbours(module) <= ROOMS[room_of(module)]


def test_the_table_allows_nothing_that_nobody_needs() -> None:
    needed: dict[str, set[str]] = {room: set() for room in ROOMS}
    for module in modules():
        needed[room_of(module)] |= neighbours(module)
    needed["__init__"] |= {room_of(home) for home in codebuddy_jupyter._HOMES.values()}
    assert needed == ROOMS


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        module: {
            found.name for found in own_imports(module) if found.when != "for types"
        }
        - {"__init__", module}
        for module in modules()
    }
    assert list(graphlib.TopologicalSorter(graph).static_order())


@each_module
def test_an_import_inside_a_function_has_its_reason(module: str) -> None:
    late = [found for found in own_imports(module) if found.when == "later"]
    assert module in LATE or not late


@each_module
def test_openai_is_imported_in_two_places_and_only_when_used(module: str) -> None:
    names = ("openai", "httpx", "httpx2")
    openai = [one for one in imports_of(module) if one.name.split(".")[0] in names]
    assert module in OPENAI or not openai
    assert all(found.when != "at once" for found in openai)


def test_the_check_sees_an_import_by_text() -> None:
    assert "openai" in {found.name for found in imports_of("providers.http.transport")}


@pytest.mark.parametrize("face", FACES)
def test_a_face_knows_providers_by_their_contract_alone(face: str) -> None:
    checks = [
        ast.unparse(node)
        for module in modules()
        if room_of(module) == face
        for node in ast.walk(tree_of(module))
        if _checks_for_provider(node)
    ]
    assert checks == []


def _checks_for_provider(node: ast.AST) -> bool:
    """Whether this is ``isinstance(…, SomeProvider)``, alone, in a tuple or a union."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "isinstance":
        return False
    names = re.findall(r"\w+", ast.unparse(node.args[1]))
    return any(name.endswith("Provider") for name in names)


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(provider, LocalProvider)",
        "isinstance(self.provider, (int, cloud.CloudProvider))",
        "isinstance(provider, LocalProvider | None)",
    ],
)
def test_the_check_sees_a_provider_s_class(code: str) -> None:
    assert _checks_for_provider(ast.parse(code, mode="eval").body)


@each_module
def test_only_what_stands_at_the_shell_knows_it(module: str) -> None:
    names = ("IPython", "nbclient", "nbformat")
    shell = [one for one in imports_of(module) if one.name.split(".")[0] in names]
    assert room_of(module) in DISPLAY or not shell


@each_module
def test_only_the_panel_knows_widgets(module: str) -> None:
    if room_of(module) != "widgets":
        names = {found.name.split(".")[0] for found in imports_of(module)}
        assert not names & set(WIDGETS)
        assert not [
            found
            for found in own_imports(module)
            if room_of(found.name) == "widgets" and found.when == "at once"
        ]


@each_module
def test_a_module_has_a_test_file_of_its_name(module: str) -> None:
    folder, _, name = module.rpartition(".")
    names = {f"test_{name}", f"test_{folder.rpartition('.')[2]}_{name}"}
    named = [TESTS / f"{name}.py" for name in names]
    if module not in TESTED_ELSEWHERE:
        is_door = modules()[module].name == "__init__.py"
        has_code = any(not isinstance(node, ast.Expr) for node in tree_of(module).body)
        assert any(map(Path.exists, named)) or (is_door and not has_code)
    elif TESTED_ELSEWHERE[module] != "declarations only":
        assert list(TESTS.rglob(f"{TESTED_ELSEWHERE[module]}.py"))


def test_the_tests_for_colab_are_there() -> None:
    makefile = (TESTS.parent / "Makefile").read_text(encoding="utf-8")
    line = next(row for row in makefile.splitlines() if row.startswith("ROOMS := "))
    for name in line.removeprefix("ROOMS := ").split():
        assert (TESTS / f"test_{name}.py").exists(), name


@each_module
def test_a_module_is_at_most_600_lines(module: str) -> None:
    text = modules()[module].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 600


@each_module
def test_a_function_is_at_most_60_lines(module: str) -> None:
    lengths = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in functions_of(module)
    }
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}


def test_the_buddy_is_at_most_250_lines() -> None:
    (buddy,) = [
        node
        for node in tree_of("buddy").body
        if isinstance(node, ast.ClassDef) and node.name == "Buddy"
    ]
    assert (buddy.end_lineno or 0) - buddy.lineno + 1 <= 250


@each_module
def test_no_conditional_expression_is_inside_another(module: str) -> None:
    nested = [
        inner.lineno
        for outer in conditionals_in(tree_of(module))
        for inner in conditionals_in(outer)
        if inner is not outer
    ]
    assert nested == []


def test_the_check_sees_a_nested_conditional_expression() -> None:
    tree = ast.parse("a if b else [c if d else e]\nf if g else h")
    assert [len(list(conditionals_in(node))) for node in tree.body] == [2, 1]


def dense_lines(tree: ast.AST) -> list[int]:
    """The lines on which several comprehensions or conditional expressions begin."""
    found = Counter(node.lineno for node in ast.walk(tree) if isinstance(node, DENSE))
    return [line for line, count in found.items() if count > 1]


@each_module
def test_a_line_has_at_most_one_comprehension_or_conditional_expression(
    module: str,
) -> None:
    assert dense_lines(tree_of(module)) == []


def test_the_check_sees_a_dense_line() -> None:
    tree = ast.parse("[a for a in b]\n[c if d else e for c in f]\n")
    assert dense_lines(tree) == [2]


# These are no part of what stands on a line of code.
NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_size(text: str) -> tuple[int, int]:
    """Count the tokens, and the lines with tokens, of a text.

    Docstrings are left out; an f-string is one token, as in Python 3.11.
    """
    docstrings = set(_docstring_starts(ast.parse(text)))
    tokens = 0
    lines: set[int] = set()
    f_strings = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in NOT_CODE or token.start[0] in docstrings:
            continue
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_END":
            f_strings -= 1
        elif not f_strings:
            tokens += 1
        if kind == "FSTRING_START":
            f_strings += 1
        lines.update(range(token.start[0], token.end[0] + 1))
    return tokens, len(lines)


def _docstring_starts(tree: ast.AST) -> Iterator[int]:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            yield node.body[0].lineno


def test_a_line_of_code_has_on_average_at_most_7_5_tokens() -> None:
    sizes = [code_size(path.read_text(encoding="utf-8")) for path in modules().values()]
    tokens = sum(size[0] for size in sizes)
    lines = sum(size[1] for size in sizes)
    assert tokens / lines <= 7.5


def test_the_count_of_tokens_leaves_out_what_is_no_code() -> None:
    text = '"""What it is."""\n\n# A reason\nx = [\n    f"{y:>{width}}",\n]\n'
    assert code_size(text) == (6, 3)


@each_module
def test_a_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(tree_of(module))


@each_module
def test_a_module_is_named_after_what_is_in_it(module: str) -> None:
    vague = {"util", "utils", "helper", "helpers", "common", "misc"}
    assert not vague & set(module.split("."))


@each_module
def test_a_class_is_named_after_what_it_is(module: str) -> None:
    vague = ("Manager", "Handler", "Service", "Helper", "Util", "Utils")
    classes = [
        node for node in ast.walk(tree_of(module)) if isinstance(node, ast.ClassDef)
    ]
    assert [node.name for node in classes if node.name.endswith(vague)] == []


@each_module
def test_nobody_sets_a_global(module: str) -> None:
    assert not [
        node for node in ast.walk(tree_of(module)) if isinstance(node, ast.Global)
    ]


# Python 3.11.0 to 3.11.4 does not match such a group where it should:
# https://github.com/python/cpython/issues/106052
POSSESSIVE_GROUP = re.compile(r"\)\s*(?:[*+?]|\{+[\d,]+\}+)\+")


@each_module
def test_no_group_is_repeated_possessively(module: str) -> None:
    assert not POSSESSIVE_GROUP.search(modules()[module].read_text(encoding="utf-8"))


@pytest.mark.parametrize("pattern", ["(?:a|b)*+", "( a )\n{3,9}+", "(a){{1,2}}+"])
def test_the_check_sees_a_possessive_group(pattern: str) -> None:
    assert POSSESSIVE_GROUP.search(pattern)
