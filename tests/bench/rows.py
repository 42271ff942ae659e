"""The rows of the table.

Each is a function that measures the buddy and the raw client, one after the other or,
where only counts matter, side by side. Its docstring is what the page says about the
method.
"""

from __future__ import annotations

import asyncio
import random
import string
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai

from codebuddy_jupyter.messages import Message, Request
from codebuddy_jupyter.providers import kinds
from codebuddy_jupyter.providers.http.probe import probing
from codebuddy_jupyter.providers.local.provider import LocalProvider
from tests.support.kernels import Cell
from tests.support.kinds import PLAYED
from tests.support.scripted_server import BLOCK, DONE, Answer, delta, event

from . import (
    ahead,
    cells,
    completion,
    context,
    editor,
    inspection,
    looks,
    maps,
    models,
    panel,
    replay,
    serving,
    typed,
)
from .answers.rows import right_answers
from .browser import page_busy
from .kernel import MeasuredKernel, is_answer
from .server import PACE, PHASES, Server, deaf_server
from .table import Row, median, megabytes, milliseconds, seconds

SHORT = Answer(tokens=5, per_second=PACE, wait=0.05)
UNWANTED = ("openai", "ipywidgets", "pydantic")


def load(server: Server, quick: bool) -> Iterator[Row]:
    """`%load_ext` is timed inside a fresh kernel, without what goes on in the
    background after its cell; beside it, `import openai` in another fresh kernel. What
    was imported is read from `sys.modules` in the same cell.
    """
    timed = (
        "import sys, time; before = time.perf_counter(); {}; took = "
        "time.perf_counter() - before"
    )
    times: list[float] = []
    raw: list[float] = []
    unwanted: set[str] = set()
    for _ in range(3 if quick else 10):
        with MeasuredKernel(server.url) as kernel:
            loaded = "get_ipython().run_line_magic('load_ext', 'codebuddy_jupyter')"
            code = (
                timed.format(loaded)
                + f"; print(*[name for name in {UNWANTED} if name in sys.modules])"
            )
            unwanted |= set(kernel.good(code).printed.split())
            times.append(kernel.value("took"))
        with MeasuredKernel(server.url) as kernel:
            kernel.good(timed.format(cells.RAW_IMPORT))
            raw.append(kernel.value("took"))
    met = median(times) <= 0.015 and not unwanted
    told = f"{milliseconds(times)}; imports {', '.join(sorted(unwanted)) or 'none of them'}"
    yield Row(
        "`%load_ext` in a fresh kernel",
        "15 ms; imports none of openai, ipywidgets, pydantic",
        told,
        f"{milliseconds(raw)} (`import openai`)",
        met,
    )


def first(server: Server, quick: bool) -> Iterator[Row]:
    """From the moment at which the server writes its first token to the moment at which
    the first output message arrives at the kernel's client; one clock, one machine. The
    kernel has answered before. The raw cell displays its first chunk as soon as it has
    it. The two take turns.
    """
    rounds = 5 if quick else 20
    with MeasuredKernel(server.url) as buddy, MeasuredKernel(server.url) as raw:
        server.script(SHORT)
        _warm(buddy, raw, server)
        times, raw_times = [], []
        for _ in range(rounds):
            times.append(_first_output(buddy, cells.ASK, server))
            raw_times.append(_first_output(raw, cells.RAW_SHOW_FIRST, server))
    met = median(times) <= median(raw_times) + 0.005
    yield Row(
        "server's first token to first output, warm",
        "5 ms more than raw",
        milliseconds(times),
        milliseconds(raw_times),
        met,
    )


def fresh(server: Server, quick: bool) -> Iterator[Row]:
    """From sending the cell to its first output message, for the first question of a
    fresh kernel, 3 seconds after the cell with `%load_ext`, less the median of five
    warm ones in the same kernel. The server waits 50 ms and gives a token every 10 ms.
    The raw cell imports `openai` and makes its client, as a first cell by hand does.
    """
    more: list[float] = []
    raw_more: list[float] = []
    server.script(SHORT)
    for _ in range(2 if quick else 5):
        with MeasuredKernel(server.url) as kernel:
            kernel.good(cells.LOAD)
            time.sleep(3)
            more.append(_more_when_cold(kernel, cells.ASK, cells.ASK))
        with MeasuredKernel(server.url) as kernel:
            alone = f"{cells.raw_load(server.url)}\n{cells.RAW_SHOW_FIRST}"
            raw_more.append(_more_when_cold(kernel, alone, cells.RAW_SHOW_FIRST))
    yield Row(
        "first question in a fresh kernel, 3 s after `%load_ext`: more than a warm one",
        "50 ms",
        milliseconds(more),
        milliseconds(raw_more),
        median(more) <= 0.050,
    )


def bytes_out(server: Server, quick: bool) -> Iterator[Row]:
    """The output messages of the cell (display, update, clear): header, parent,
    metadata and content as JSON. Raw is the usual way by hand: the whole text displayed
    again as Markdown, 20 times a second. All four run side by side.
    """
    small, large = (200, 800) if quick else (2000, 8000)
    jobs = [(tokens, raw) for tokens in (small, large) for raw in (False, True)]
    counts = _side_by_side(lambda job: _bytes_for(job[0], raw=job[1]), jobs)
    few, few_raw, many, many_raw = counts
    yield Row(
        f"output messages for {small:,} tokens at 100 tokens/s",
        "0.3 MB",
        megabytes([few], 3),
        megabytes([few_raw], 3),
        few <= 0.3e6,
    )
    yield Row(
        f"output messages for {large:,} tokens at 100 tokens/s",
        f"4.2 times those for {small:,}",
        f"{megabytes([many], 3)}, {many / few:.2f} times",
        f"{megabytes([many_raw], 3)}, {many_raw / few_raw:.2f} times",
        many <= 4.2 * few,
    )


def cpu(server: Server, quick: bool) -> Iterator[Row]:
    """Processor time of the kernel process, all threads, for 2,000 tokens at 100
    tokens/s. The raw client only gathers the text and displays nothing; the last figure
    is with the usual redraw, 20 times a second. The three run side by side, each with a
    server of its own.
    """
    tokens, rounds = (200, 1) if quick else (2000, 3)
    jobs = [cells.ASK, cells.RAW_CONSUME, cells.RAW_REDRAW]
    measured = [
        _side_by_side(lambda code: _processor_time(code, tokens), jobs)
        for _ in range(rounds)
    ]
    times, raw, redraw = (list(column) for column in zip(*measured, strict=True))
    yield Row(
        f"kernel CPU for {tokens:,} tokens at 100 tokens/s",
        "twice the raw client's",
        f"{seconds(times)}, {median(times) / median(raw):.2f} times",
        f"{seconds(raw)}; with redraw {seconds(redraw)}",
        median(times) <= 2 * median(raw),
    )


def speed(server: Server, quick: bool) -> Iterator[Row]:
    """20,000 tokens as fast as the server can write them (in blocks of 16 kB): from
    sending the cell to its end. The raw client only gathers the text and displays
    nothing. The two take turns.
    """
    tokens, rounds = (4000, 2) if quick else (20000, 5)
    server.script(SHORT)
    times: list[float] = []
    raw_times: list[float] = []
    with MeasuredKernel(server.url) as buddy, MeasuredKernel(server.url) as raw:
        _warm(buddy, raw, server)
        server.script(Answer(tokens=tokens))
        for _ in range(rounds):
            times.append(_duration(buddy, cells.ASK))
            raw_times.append(_duration(raw, cells.RAW_CONSUME))
    rate, raw_rate = tokens / median(times), tokens / median(raw_times)
    yield Row(
        f"{tokens:,} tokens as fast as the server can",
        "0.8 of the raw client's speed",
        f"{rate:,.0f} tokens/s, {rate / raw_rate:.2f} of raw; {seconds(times)}",
        f"{raw_rate:,.0f} tokens/s; {seconds(raw_times)}",
        rate >= 0.8 * raw_rate,
    )


def parsing(server: Server, quick: bool) -> Iterator[Row]:
    """50,000 chunks of one character each, as fast as the server can write them (in
    blocks of 16 kB): from sending the cell to its end. Neither displays anything; the
    buddy reads them by `str(buddy.ask(…))`. The two take turns.
    """
    chunks, rounds = (5000, 2) if quick else (50000, 5)
    # A text that repeats itself without end would be stopped.
    letters = random.Random(1).choices(string.ascii_lowercase, k=chunks)
    begun = b"".join([event(delta(letter)) for letter in letters])
    body = begun + event(delta(finish="stop")) + DONE
    pieces = [
        (0.0, body[start : start + BLOCK]) for start in range(0, len(body), BLOCK)
    ]
    server.script(SHORT)
    times: list[float] = []
    raw_times: list[float] = []
    with MeasuredKernel(server.url) as buddy, MeasuredKernel(server.url) as raw:
        _warm(buddy, raw, server)
        server.script(Answer(pieces=pieces))
        for _ in range(rounds):
            times.append(_duration(buddy, cells.ASK_SILENTLY))
            raw_times.append(_duration(raw, cells.RAW_CONSUME))
    ratio = median(raw_times) / median(times)
    yield Row(
        f"parsing a stream with {chunks:,} chunks of 1 character",
        "0.8 of the raw client's speed",
        f"{ratio:.2f} of raw; {seconds(times)}",
        seconds(raw_times),
        ratio >= 0.8,
    )


def interrupt(server: Server, quick: bool) -> Iterator[Row]:
    """From the interrupt, as the stop button sends it half a second after the request,
    to the kernel's idle message, and to the moment at which the server sees the
    connection close; while connecting there is none to close. The raw client is the
    synchronous one, in the main thread.
    """
    rounds = 2 if quick else 10
    with MeasuredKernel(server.url) as buddy, MeasuredKernel(server.url) as raw:
        server.script(SHORT)
        _warm(buddy, raw, server)
        for phase, answer in PHASES.items():
            stops = [_stop(buddy, cells.ASK, server, answer) for _ in range(rounds)]
            raw_stops = [
                _stop(raw, cells.RAW_CONSUME, server, answer) for _ in range(rounds)
            ]
            (ended, closed), (raw_ended, raw_closed) = (
                zip(*stops, strict=True),
                zip(*raw_stops, strict=True),
            )
            yield Row(
                f"interrupt {phase}: cell ended; server sees the close",
                "0.2 s each",
                f"{seconds(ended)}; {seconds(closed)}",
                f"{seconds(raw_ended)}; {seconds(raw_closed)}",
                median(ended) <= 0.2 and median(closed) <= 0.2,
            )
        yield _interrupt_connecting(buddy, raw, rounds)


def browser(server: Server, quick: bool) -> Iterator[Row]:
    """Busy time of the page's main thread in a live JupyterLab, from sending the cell
    to its end (Chromium's `TaskDuration`; in brackets the part in which it really had a
    processor, `ThreadTime`). The text has formulas, code and tables; what JupyterLab
    loads at the first formula is counted. Raw is the usual redraw: the whole text as
    Markdown, 20 times a second.
    """
    tokens = 200 if quick else 2000
    server.script(Answer(tokens=tokens, per_second=PACE))
    buddy, raw = page_busy(
        server.url,
        [(cells.LOAD, cells.ASK), (cells.raw_load(server.url), cells.RAW_REDRAW)],
    )
    yield Row(
        f"browser main thread for {tokens:,} tokens at 100 tokens/s",
        "4.5 s of 20",
        str(buddy),
        str(raw),
        buddy.busy <= 4.5,
    )


def memory(server: Server, quick: bool) -> Iterator[Row]:
    """Memory of the kernel process that nothing else shares (USS), before `%load_ext`
    and after one answer. Raw: `import openai`, a client, one answer.
    """
    server.script(Answer(tokens=200))
    added: list[float] = []
    raw_added: list[float] = []
    for _ in range(1 if quick else 3):
        added.append(_memory_added(server, cells.LOAD, cells.ASK))
        raw_added.append(
            _memory_added(server, cells.raw_load(server.url), cells.RAW_REDRAW)
        )
    yield Row(
        "memory added to a kernel after one answer",
        "40 MB",
        megabytes(added),
        megabytes(raw_added),
        median(added) <= 40e6,
    )


def doctor(server: Server, quick: bool) -> Iterator[Row]:
    """`%buddy /doctor` from sending the cell to its end, in a kernel that has asked
    before: with a server that answers at once, and where nothing listens and the usual
    ports are looked at. There is no raw counterpart.
    """
    rounds = 3 if quick else 10
    with MeasuredKernel(server.url) as kernel:
        server.script(SHORT)
        kernel.good(cells.LOAD)
        kernel.good(cells.ASK)
        well = [_duration(kernel, "%buddy /doctor") for _ in range(rounds)]
        # "discard", which nobody runs
        kernel.good('%config LocalProvider.base_url = "http://localhost:9/v1"')
        silent = [_duration(kernel, "%buddy /doctor") for _ in range(rounds)]
    yield Row(
        "`/doctor` on a healthy server", "1 s", seconds(well), "", median(well) <= 1
    )
    yield Row(
        "`/doctor` with nothing listening",
        "1.5 s",
        seconds(silent),
        "",
        median(silent) <= 1.5,
    )


def recognise(server: Server, quick: bool) -> Iterator[Row]:
    """Each known kind of server is played, and a new look recognises it five times
    (twice when quick); beside it, the raw client's `models.list()`. Then each kind is
    asked two questions: counted are the requests of the second.
    """
    rounds = 2 if quick else 5
    times: list[float] = []
    raw: list[float] = []
    more = 0
    for kind in PLAYED.values():
        url = server.play(kind)
        # what is imported at the first time is not the server's
        asyncio.run(_recognised(url, kind.name, 1))
        times += asyncio.run(_recognised(url, kind.name, rounds))
        raw += _listed_by_raw(url, rounds)
        more = max(more, asyncio.run(_requests_of_the_second(server, url)) - 1)
    told, beside = milliseconds(times), milliseconds(raw)
    yield Row(
        "recognising a server",
        "100 ms",
        told,
        f"{beside} (a list of models)",
        median(times) <= 0.1,
    )
    yield Row(
        "extra requests per question, once the server is known",
        "0",
        str(more),
        "0",
        more == 0,
    )


ROWS: dict[str, Callable[[Server, bool], Iterator[Row]]] = {
    "load": load,
    "first": first,
    "fresh": fresh,
    "bytes": bytes_out,
    "cpu": cpu,
    "speed": speed,
    "parsing": parsing,
    "interrupt": interrupt,
    "browser": browser,
    "memory": memory,
    "doctor": doctor,
    "recognise": recognise,
    "snapshot": context.snapshot,
    "describing": context.describing,
    "redacting": context.redacting,
    "innocent": context.innocent,
    "growing": context.growing,
    "facts": context.facts,
    "ahead": ahead.first_words,
    "completion": completion.completions,
    "answers": right_answers,
    "typed": typed.valid_answers,
    "checking": inspection.checking,
    "looks": looks.choices,
    "looking": serving.looking,
    "serving": serving.serving,
    "panel": panel.moments,
    "panel_page": panel.page,
    "panel_bytes": panel.sent,
    "editor": editor.sidebar,
    "editor_load": editor.loading,
    "editor_completion": editor.suggestions,
    "pull": models.pull,
    "replay": replay.run_again,
    "map": maps.two_servers,
    "map_kept": maps.kept,
    "map_overhead": maps.overhead,
    "map_real": maps.real_model,
    "map_dask": maps.on_dask,
}


async def _recognised(url: str, name: str, rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        async with probing(url) as look:
            found = await kinds.recognise(look)
        times.append(time.perf_counter() - began)
        assert found.kind.name == name, found
    return times


def _listed_by_raw(url: str, rounds: int) -> list[float]:
    times = []
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        for _ in range(rounds):
            began = time.perf_counter()
            client.models.list()
            times.append(time.perf_counter() - began)
    return times


async def _requests_of_the_second(server: Server, url: str) -> int:
    provider = LocalProvider(base_url=url)
    before = 0
    for _ in range(2):
        before = len(server.paths())
        model = await provider.choose("")
        await provider.window(model)
        async for _ in provider.stream(Request((Message("user", "hello"),), model)):
            pass
    await provider.close()
    return len(server.paths()) - before


def _warm(buddy: MeasuredKernel, raw: MeasuredKernel, server: Server) -> None:
    buddy.good(cells.LOAD)
    raw.good(cells.raw_load(server.url))
    for _ in range(3):
        buddy.good(cells.ASK)
        raw.good(cells.RAW_SHOW_FIRST)


def _first_output(kernel: MeasuredKernel, code: str, server: Server) -> float:
    cell = kernel.good(code)
    return _shown(cell) - float(server.last()["first"])


def _shown(cell: Cell) -> float:
    return next(message.at for message in cell.messages if is_answer(message))


def _more_when_cold(kernel: MeasuredKernel, cold: str, warm: str) -> float:
    def wait(code: str) -> float:
        sent = time.monotonic()
        return _shown(kernel.good(code)) - sent

    first = wait(cold)
    return first - median([wait(warm) for _ in range(5)])


def _side_by_side(work: Callable[[Any], float], jobs: list[Any]) -> list[float]:
    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(work, jobs))


def _bytes_for(tokens: int, *, raw: bool) -> int:
    with Server() as server, MeasuredKernel(server.url) as kernel:
        kernel.good(cells.raw_load(server.url) if raw else cells.LOAD)
        server.script(Answer(tokens=tokens, per_second=PACE))
        return kernel.output_bytes(
            cells.RAW_REDRAW if raw else cells.ASK, 3 * tokens / PACE + 60
        )


def _processor_time(code: str, tokens: int) -> float:
    with Server() as server, MeasuredKernel(server.url) as kernel:
        kernel.good(cells.LOAD if code == cells.ASK else cells.raw_load(server.url))
        server.script(SHORT)
        kernel.good(code)
        server.script(Answer(tokens=tokens, per_second=PACE))
        before = kernel.processor_time()
        kernel.good(code)
        return kernel.processor_time() - before


def _duration(kernel: MeasuredKernel, code: str) -> float:
    sent = time.monotonic()
    cell = kernel.good(code)
    assert cell.ended is not None
    return cell.ended - sent


def _stop(
    kernel: MeasuredKernel, code: str, server: Server, answer: Answer
) -> tuple[float, float]:
    """Seconds from the interrupt to the end of the cell, and until the server saw the
    connection close.
    """
    server.script(answer)
    cell = kernel.begin(code)
    at = server.wait_for("arrived") + 0.5
    ended = _interrupted(kernel, cell, at)
    return ended, server.wait_for("closed") - at


def _interrupt_connecting(
    buddy: MeasuredKernel, raw: MeasuredKernel, rounds: int
) -> Row:
    with deaf_server() as url:
        buddy.good(f"%config LocalProvider.base_url = {url!r}")
        raw.good(cells.raw_load(url))
        ended = [
            _interrupted(buddy, buddy.begin(cells.ASK), time.monotonic() + 0.5)
            for _ in range(rounds)
        ]
        raw_ended = [
            _interrupted(raw, raw.begin(cells.RAW_CONSUME), time.monotonic() + 0.5)
            for _ in range(rounds)
        ]
    figure = "interrupt while connecting: cell ended"
    return Row(
        figure, "0.2 s", seconds(ended), seconds(raw_ended), median(ended) <= 0.2
    )


def _interrupted(kernel: MeasuredKernel, cell: Cell, at: float) -> float:
    """Interrupt a cell at this moment, and give the seconds until it has ended."""
    time.sleep(max(0.0, at - time.monotonic()))
    kernel.interrupt()
    kernel.end(cell)
    assert cell.status == "error", cell.outputs
    assert cell.ended is not None
    assert cell.ended > at, cell.outputs
    return cell.ended - at


def _memory_added(server: Server, load: str, ask: str) -> float:
    with MeasuredKernel(server.url) as kernel:
        kernel.good("pass")
        before = kernel.memory()
        kernel.good(load)
        kernel.good(ask)
        # what goes on in the background has ended
        time.sleep(1)
        return kernel.memory() - before
