"""The rows about the JupyterLab extension: what it costs a page, and how soon the
sidebar, a difference and a suggestion are there.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, Route

from tests.support.infill import INFILL, LLAMA_CPP
from tests.support.lab import READY, Lab, Notebook
from tests.support.scripted_server import FOREVER, Answer, event

from . import cells
from .browser import REST, live_lab, notebooks, seconds_ahead
from .server import Server
from .table import Row, median, milliseconds

# ms for each wait of a page
PATIENCE = 60_000
# microseconds between two samples of a profile
SAMPLING = 200
EXTENSION = "codebuddy-jupyter"
CONFIG = re.compile(
    r'(?<=<script id="jupyter-config-data" type="application/json">)[^<]+'
)
LOADED = """async name => {
    while (!window.jupyterapp) await new Promise(go => setTimeout(go, 1));
    await window.jupyterapp.restored;
    const seconds = performance.now() / 1000;
    await new Promise(go => setTimeout(go, 500));
    const sizes = performance.getEntriesByType('resource')
        .filter(entry => entry.name.includes(`/${name}/`))
        .map(entry => entry.transferSize);
    return [seconds, sizes.reduce((sum, size) => sum + size, 0)];
}"""
# Each frame is looked at before it is painted; what is put off by a timeout then comes
# after that.
PAINTED = """const painted = holds => new Promise(resolve => {
    const look = () => {
        if (holds()) setTimeout(() => resolve(performance.now()));
        else requestAnimationFrame(look);
    };
    look();
});
const visible = css => [...document.querySelectorAll(css)].find(one => one.offsetParent);"""
OPEN = f"""async () => {{
    {PAINTED}
    const began = performance.now();
    window.jupyterapp.commands.execute('codebuddy:open');
    const ended = await painted(() => visible('#codebuddy-sidebar .cb-input')
        && visible('#codebuddy-sidebar .cb-summary .cb-name')?.textContent);
    return (ended - began) / 1000;
}}"""
# The sidebar of a notebook is known by the text in its composer.
DRAFT = """text => {
    const inputs = [...document.querySelectorAll('#codebuddy-sidebar .cb-input')];
    inputs.find(input => input.offsetParent).value = text;
}"""
SWITCH = f"""async ([path, draft]) => {{
    {PAINTED}
    const {{shell}} = window.jupyterapp;
    const panel = [...shell.widgets('main')].find(widget => widget.context?.path === path);
    const began = performance.now();
    shell.activateById(panel.id);
    const ended = await painted(() =>
        visible('#codebuddy-sidebar .cb-input')?.value === draft && panel.isVisible);
    return (ended - began) / 1000;
}}"""
APPLY = f"""async code => {{
    {PAINTED}
    const {{content}} = window.notebook;
    content.activeCellIndex = 1;
    const {{sharedModel}} = content.widgets[1].model;
    const panel = document.querySelector('#codebuddy-sidebar .codebuddy-panel');
    const detail = {{code, likely: null, ranked: []}};
    const before = sharedModel.source;
    const began = performance.now();
    panel.dispatchEvent(new CustomEvent('codebuddy-apply', {{bubbles: true, detail}}));
    const shown = await painted(() => visible('.codebuddy-hunk'));
    const accepted = performance.now();
    document.querySelector('.codebuddy-difference [aria-label^="Accept all"]').click();
    const changed = await painted(() => !document.querySelector('.codebuddy-difference'));
    const isApplied = sharedModel.source === code;
    sharedModel.undo();
    const isUndone = sharedModel.source === before;
    return [(shown - began) / 1000, (changed - accepted) / 1000, isApplied && isUndone];
}}"""
EDIT = """index => {
    const {content} = window.notebook;
    content.activeCellIndex = index;
    content.activeCell.model.sharedModel.setSource('');
    content.mode = 'edit';
    content.activeCell.editor.focus();
}"""
WATCH = f"""() => {{
    {PAINTED}
    window.suggested = null;
    painted(() => document.querySelector('.jp-GhostText')?.textContent)
        .then(moment => {{ window.suggested = moment / 1000; }});
}}"""
CLEARED = "() => !document.querySelector('.jp-GhostText')"
RUNS = (
    "index => window.notebook.content.widgets[index].model.executionState === 'running'"
)
COMPLETING = f"{cells.LOAD}\n%config Buddy.completion_model = 'Local/coder'"
WORKING = "import time\nfor _ in range(3000): time.sleep(0.1)"
FIRST = event({"content": "rted(y)", "stop": False})


def loading(server: Server, quick: bool) -> Iterator[Row]:
    """A JupyterLab without open documents is loaded in a fresh page, in turn with the
    extension and without it, until JupyterLab says that it is restored; the
    difference of the medians. Single page loads differ by more than that is to be, so
    the time of the page's main thread in the scripts of the extension, and in what they
    call, is told beside it (Chromium's profiler, in five other page loads). The bytes
    are those of the extension's files over the network, with their headers.
    """
    rounds, profiled = (2, 1) if quick else (15, 5)
    times: dict[bool, list[float]] = {True: [], False: []}
    sizes: list[float] = []
    with live_lab(server.url) as (browser, lab):
        # What the machine reads from the disk, it then has in memory.
        _load(browser, lab, is_on=True)
        for _ in range(rounds):
            for is_on in (True, False):
                seconds, size = _load(browser, lab, is_on=is_on)
                times[is_on].append(seconds)
                if is_on:
                    sizes.append(size)
        own = [_seconds_of_scripts(browser, lab) for _ in range(profiled)]
    added = median(times[True]) - median(times[False])
    size = median(sizes)
    yield Row(
        "page load with the JupyterLab extension, added",
        "20 ms, 25 kB",
        f"{1000 * added:.0f} ms, {size / 1000:.1f} kB; in its scripts {milliseconds(own)}",
        f"{milliseconds(times[False])} (without it)",
        added <= 0.02 and size <= 25_000,
    )


def _load(browser: Browser, lab: Lab, *, is_on: bool) -> tuple[float, float]:
    """Return the seconds of a page load, and the bytes of the extension."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)

    def answer(route: Route) -> None:
        response = route.fetch()
        page_text = CONFIG.sub(with_extensions, response.text())
        route.fulfill(response=response, body=page_text)

    def with_extensions(match: re.Match[str]) -> str:
        config = json.loads(match[0])
        extensions = config["federated_extensions"]
        config["federated_extensions"] = [
            one for one in extensions if is_on or one["name"] != EXTENSION
        ]
        return json.dumps(config).replace("<", r"\u003c")

    # JupyterLab loads the files of an extension that is disabled in its settings, too.
    page.route("**/lab?**", answer)
    page.goto(f"http://127.0.0.1:{lab.port}/lab?token={lab.token}&reset")
    seconds, size = page.evaluate(LOADED, EXTENSION)
    context.close()
    assert bool(size) == is_on
    return float(seconds), float(size)


def _seconds_of_scripts(browser: Browser, lab: Lab) -> float:
    """Return the seconds of a page load that the main thread is in the scripts of the
    extension, or in what they call.
    """
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    chromium = context.new_cdp_session(page)
    chromium.send("Profiler.enable")
    chromium.send("Profiler.setSamplingInterval", {"interval": SAMPLING})
    chromium.send("Profiler.start")
    page.goto(f"http://127.0.0.1:{lab.port}/lab?token={lab.token}&reset")
    page.evaluate(LOADED, EXTENSION)
    profile = chromium.send("Profiler.stop")["profile"]
    context.close()
    # A node of the tree of calls comes before those that it calls.
    own: set[int] = set()
    for node in profile["nodes"]:
        if node["id"] in own or EXTENSION in node["callFrame"]["url"]:
            own |= {node["id"], *node.get("children", ())}
    samples = zip(profile["samples"], profile["timeDeltas"], strict=True)
    return float(sum(delta for node, delta in samples if node in own)) / 1e6


def sidebar(server: Server, quick: bool) -> Iterator[Row]:
    """In a live JupyterLab, 3 seconds after `%load_ext` in a fresh kernel and a fresh
    page: from the command that opens the sidebar to a painted panel that has had an
    answer of the kernel; then, with two notebooks whose panels were shown, from
    activating the other notebook to its painted panel. Then the code of an answer is
    applied that changes 200 lines of a cell of 400 in 20 places: from its button to the
    painted changes, and from accepting all to the changed cell; one undo brings the old
    text back.
    """
    pages, rounds = (1, 2) if quick else (5, 4)
    opened_after: list[float] = []
    switched: list[float] = []
    applied: list[tuple[float, float, bool]] = []
    old, new = _texts()
    with notebooks(server.url) as opened:
        for number in range(pages):
            with opened(f"sidebar{number}", cells.LOAD, old) as notebook:
                notebook.run(0)
                time.sleep(REST)
                opened_after.append(float(notebook.page.evaluate(OPEN)))
                for _ in range(rounds):
                    applied.append(tuple(notebook.page.evaluate(APPLY, new)))
                # Any notebook will do as the other one.
                switched += _switches(notebook, f"sidebar{number}.ipynb", rounds)
    yield Row(
        "the sidebar opened to a panel that can be used",
        "0.7 s",
        milliseconds(opened_after),
        "",
        median(opened_after) <= 0.7,
    )
    yield Row(
        "another notebook activated to its panel in the sidebar",
        "0.2 s",
        milliseconds(switched),
        "",
        median(switched) <= 0.2,
    )
    yield _applied_row(applied)


def _applied_row(applied: list[tuple[float, float, bool]]) -> Row:
    shown = [one[0] for one in applied]
    changed = [one[1] for one in applied]
    is_one_step = all(one[2] for one in applied)
    told = f"{milliseconds(shown)} to the changes, {milliseconds(changed)} to the cell"
    if not is_one_step:
        told += "; not one undo step"
    return Row(
        "a difference of 200 lines: shown, and applied",
        "0.2 s, one undo step",
        told,
        "",
        is_one_step and median(shown) + median(changed) <= 0.2,
    )


def _texts() -> tuple[str, str]:
    """Return a cell of 400 lines, and the same with 200 others in 20 places."""
    old = [f"value_{number} = {number}" for number in range(400)]
    new = []
    for number, line in enumerate(old):
        is_changed = number // 10 % 2 == 0
        new.append(f"{line} + 1" if is_changed else line)
    return "\n".join(old), "\n".join(new)


def _switches(notebook: Notebook, path: str, rounds: int) -> list[float]:
    """Return the seconds of each switch between this notebook and another one."""
    page = notebook.page
    page.evaluate(DRAFT, path)
    page.evaluate(_CREATE)
    other = str(page.evaluate(_CURRENT))
    page.evaluate(READY, other)
    notebook.wait_idle()
    page.evaluate(_SET_FIRST, cells.LOAD)
    notebook.run(0)
    page.wait_for_function(_SHOWN)
    page.evaluate(DRAFT, other)
    seconds = []
    for _ in range(rounds):
        for target in (path, other):
            time.sleep(REST / 3)
            seconds.append(float(page.evaluate(SWITCH, [target, target])))
    return seconds


_CREATE = """async () => {
    const options = {kernelName: 'python3'};
    await window.jupyterapp.commands.execute('notebook:create-new', options);
}"""
_CURRENT = """async () => {
    const {shell} = window.jupyterapp;
    await shell.currentWidget.context.ready;
    return shell.currentWidget.context.path;
}"""
_SET_FIRST = """text => {
    window.notebook.content.widgets[0].model.sharedModel.setSource(text);
}"""
_SHOWN = """() => [...document.querySelectorAll('#codebuddy-sidebar .cb-input')]
    .some(input => input.offsetParent && !input.value)"""


def suggestions(server: Server, quick: bool) -> Iterator[Row]:
    """In a live JupyterLab with a scripted llama.cpp: from the moment at which the
    server writes the first token of a completion to the moment at which the page has
    painted it behind the cursor, while the kernel is idle and while a cell runs; page
    and server have one clock.
    """
    rounds = 5 if quick else 20
    server.fill(LLAMA_CPP, Answer(pieces=[(0.02, FIRST), (FOREVER, b"")]))
    with (
        notebooks(server.url) as opened,
        opened("suggest", COMPLETING, WORKING, "") as notebook,
    ):
        notebook.run(0)
        idle = [_suggested_after(notebook, server) for _ in range(rounds)]
        notebook.begin(1)
        notebook.page.wait_for_function(RUNS, arg=1)
        busy = [_suggested_after(notebook, server) for _ in range(rounds)]
    for told, times, most in (
        ("the kernel is idle", idle, 0.06),
        ("a cell runs", busy, 0.1),
    ):
        yield Row(
            f"completion in the page while {told}: server's first token to its painting",
            f"{1000 * most:.0f} ms",
            milliseconds(times),
            "",
            median(times) <= most,
        )


def _suggested_after(notebook: Notebook, server: Server) -> float:
    page = notebook.page
    # A suggestion stays where a cell is emptied by a script.
    page.keyboard.press("Escape")
    page.wait_for_function(CLEARED)
    page.evaluate(EDIT, 2)
    # The first of all requests follows a probe.
    index = max(server.count(INFILL), 1)
    page.evaluate(WATCH)
    page.keyboard.type("x = so", delay=5)
    page.wait_for_function("() => window.suggested")
    painted: Any = page.evaluate("() => window.suggested")
    seconds = painted + seconds_ahead(notebook)
    return float(seconds - server.wait_for("first", path=INFILL, number=index))
