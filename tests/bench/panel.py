"""The rows about the panel: how soon it does what somebody asks of it, and what it
costs the page.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.comms import PANEL, PageKernel
from tests.support.lab import RUN, Notebook
from tests.support.scripted_server import Answer, delta, event

from . import cells
from .browser import REST, busy_during, notebooks, seconds_ahead
from .kernel import MeasuredKernel
from .server import PACE, PHASES, Server
from .table import Row, median, megabytes, milliseconds

# answers
BEFORE = 100
# tokens/s: slowly enough that an open panel is told of each answer before it has ended
WATCHED = 600
# ms between two looks at a page whose work is measured; by default each of its frames
# is looked at
POLLING = 250
WORD = "Zebra"
ONE_WORD = Answer(
    pieces=[(0.05, event(delta(WORD))), (0.05, event(delta(finish="stop")))]
)
WORKING = "import time\nfor _ in range(3000): time.sleep(0.1)"
ENDED = "count => document.querySelectorAll('.cb-foot .cb-line').length === count"
STOP = (
    "() => { document.querySelector('[aria-label^=\"Stop\"]').click(); return "
    "performance.now() / 1000; }"
)
RUNS = (
    "index => window.notebook.content.widgets[index].model.executionState === 'running'"
)

# Each frame is looked at before it is painted; what is put off by a timeout then comes
# after that.
OPEN = f"""index => new Promise(resolve => {{
    const began = performance.now();
    const look = () => {{
        const panel = document.querySelector('.codebuddy-panel');
        const input = panel?.querySelector('.cb-input');
        const usable = input && panel.querySelector('.cb-summary .cb-name')?.textContent;
        if (usable) setTimeout(() => resolve((performance.now() - began) / 1000));
        else requestAnimationFrame(look);
    }};
    look();
    ({RUN})(index);
}})"""
SEND = """text => {
    const box = document.querySelector('.cb-input');
    box.value = text;
    box.dispatchEvent(new Event('input', {bubbles: true}));
    window.clicked = performance.now() / 1000;
    document.querySelector('[aria-label^="Send"]').click();
}"""
WATCH = """([text, word]) => {
    const painted = window.painted = {};
    const note = name => setTimeout(() => { painted[name] ??= performance.now() / 1000; });
    const look = () => {
        const turn = [...document.querySelectorAll('.cb-turn')].pop();
        const asked = turn?.querySelector('.cb-question').textContent === text;
        if (asked) note('question');
        if (asked && turn.textContent.includes(word)) note('answer');
        if (!painted.answer) requestAnimationFrame(look);
    };
    look();
}"""


@dataclass
class Times:
    """Seconds from `/panel` to its use, from Send to the question, from the first token
    to its picture, from Stop to the close by phase.
    """

    usable: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    stopped: dict[str, list[float]] = field(default_factory=dict)


class PanelKernel(MeasuredKernel, PageKernel):
    """A measured kernel with a page that shows the panel."""


def moments(server: Server, quick: bool) -> Iterator[Row]:
    """In a live JupyterLab, each time in a fresh kernel and a fresh page, 3 seconds
    after `%load_ext`: from running the cell with `/panel` to a painted panel that has
    had an answer of the kernel. Then questions: from the click on Send to the painted
    question, and from the moment at which the server writes the first token to the
    painted token. Then Stop, half a second after the server got the question, to the
    moment at which the server sees the close. The click is made in the page; page and
    server have one clock.
    """
    times = Times()
    pages, rounds = (2, 2) if quick else (5, 4)
    with notebooks(server.url) as opened:
        for number in range(pages):
            with opened(f"moments{number}", cells.LOAD, PANEL, WORKING) as notebook:
                notebook.run(0)
                time.sleep(REST)
                times.usable.append(float(notebook.page.evaluate(OPEN, 1)))
                notebook.wait_idle()
                _time_questions(notebook, server, rounds, times)
                _time_stops(notebook, server, times)
    yield Row("`/panel` to a panel that can be used", "1 s", *_told(times.usable, 1.0))
    yield Row("click on Send to the question shown", "100 ms", *_told(times.asked, 0.1))
    yield Row(
        "server's first token to its painting in the panel",
        "150 ms",
        *_told(times.answered, 0.15),
    )
    for phase, stops in times.stopped.items():
        yield Row(
            f"Stop in the panel, {phase}: server sees the close",
            "300 ms",
            *_told(stops, 0.3),
        )


def page(server: Server, quick: bool) -> Iterator[Row]:
    """As `browser`, with the panel: from typing the question to the end of its answer.

    First in a fresh panel, with what JupyterLab loads at the first formula; then the
    same again; then once more after a cell has asked for so many answers of 200 tokens
    that there are 100, all of which the open panel has shown as they came. The ratio is
    of the last to the second in `ThreadTime`, on which other work of the machine does
    not tell.
    """
    tokens, before = (200, 10) if quick else (2000, BEFORE)
    many = (
        "import codebuddy_jupyter as buddy\n"
        f"for _ in range({before - 2}): buddy.ask('And what else?', remember=True).result()"
    )
    with (
        notebooks(server.url) as opened,
        opened("page", cells.LOAD, PANEL, many) as notebook,
    ):
        notebook.run(0)
        notebook.page.evaluate(OPEN, 1)
        server.script(Answer(tokens=tokens, per_second=PACE))
        first = busy_during(notebook, lambda: _ask(notebook, "Why is df empty?", 1))
        second = busy_during(notebook, lambda: _ask(notebook, "Why is df empty?", 2))
        server.script(Answer(tokens=200, per_second=WATCHED))
        notebook.run(2)
        notebook.page.wait_for_function(ENDED, arg=before)
        server.script(Answer(tokens=tokens, per_second=PACE))
        last = busy_during(
            notebook, lambda: _ask(notebook, "Why is df empty?", before + 1)
        )
    figure = f"browser main thread for {tokens:,} tokens at 100 tokens/s in the panel"
    yield Row(figure, "4.5 s of 20", f"{first}; again {second}", "", first.busy <= 4.5)
    ratio = last.worked / second.worked
    yield Row(
        f"with {before} answers before it",
        "1.3 times",
        f"{last}, {ratio:.2f} times",
        "",
        ratio <= 1.3,
    )


def sent(server: Server, quick: bool) -> Iterator[Row]:
    """As `bytes`, with the panel in a kernel without a browser: the widgets' messages
    from the question to the end of its answer.
    """
    tokens = 200 if quick else 2000
    with PanelKernel(server.url) as kernel:
        kernel.good(cells.LOAD)
        kernel.open_panel()
        time.sleep(REST)
        server.script(Answer(tokens=tokens, per_second=PACE))
        before = kernel.bytes
        kernel.ask("Why is df empty?")
        kernel.hear_end()
        count = kernel.bytes - before
    figure = f"messages for {tokens:,} tokens at 100 tokens/s in the panel"
    yield Row(figure, "0.4 MB", megabytes([count], 3), "", count <= 0.4e6)


def _time_questions(
    notebook: Notebook, server: Server, rounds: int, times: Times
) -> None:
    server.script(ONE_WORD)
    for number in range(1, rounds + 1):
        question = f"Question {number}"
        notebook.page.evaluate(WATCH, [question, WORD])
        _ask(notebook, question, number)
        notebook.page.wait_for_function("() => window.painted.answer")
        painted = notebook.page.evaluate(
            "() => ({...window.painted, clicked: window.clicked})"
        )
        times.asked.append(painted["question"] - painted["clicked"])
        times.answered.append(
            painted["answer"] + seconds_ahead(notebook) - float(server.last()["first"])
        )


def _time_stops(notebook: Notebook, server: Server, times: Times) -> None:
    for phase, answer in PHASES.items():
        times.stopped.setdefault(phase, []).append(_stop(notebook, server, answer))
    notebook.begin(2)
    notebook.page.wait_for_function(RUNS, arg=2)
    times.stopped.setdefault("mid-stream, while a cell runs", []).append(
        _stop(notebook, server, answer)
    )


def _stop(notebook: Notebook, server: Server, answer: Answer) -> float:
    """Seconds from the click on Stop until the server saw the connection close."""
    server.script(answer)
    notebook.page.evaluate(SEND, "Tell me a story")
    time.sleep(max(0.0, server.wait_for("arrived") + 0.5 - time.monotonic()))
    clicked = float(notebook.page.evaluate(STOP)) + seconds_ahead(notebook)
    closed = server.wait_for("closed")
    notebook.page.wait_for_function(
        "() => !document.querySelector('[aria-label^=\"Send\"]').hidden"
    )
    return closed - clicked


def _ask(notebook: Notebook, text: str, count: int) -> None:
    """Ask, and wait until the page shows so many answers that have ended."""
    notebook.page.evaluate(SEND, text)
    notebook.page.wait_for_function(ENDED, arg=count, polling=POLLING)


def _told(times: list[float], most: float) -> tuple[str, str, bool]:
    return milliseconds(times), "", median(times) <= most
