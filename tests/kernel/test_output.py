"""What an answer puts into the output of its cell, while it comes and in the end, and
what it leaves alone.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.kernels import Cell, Kernel
from tests.support.notebook_kernel import NotebookKernel
from tests.support.scripted_server import (
    Answer,
    ScriptedServer,
    delta,
    event,
    reply,
    stream,
    usage,
)

HELLO = "Hello from the scripted server."
TOKENS = 100


def test_an_answer_streams_and_leaves_one_output(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(Answer(tokens=TOKENS, per_second=80))
    cell = kernel.good("%%buddy\nwhy is df empty?")
    server.wait_for("ended")
    drawn = [message for message in cell.messages if message.markdown]
    assert drawn[0].at < server.asked()[0]["ended"]
    assert 5 < len(drawn) < TOKENS / 2
    assert {message.type for message in drawn} == {
        "display_data",
        "update_display_data",
    }
    assert [message.type for message in cell.messages[-2:]] == [
        "clear_output",
        "display_data",
    ]
    assert cell.messages[-2].content == {"wait": True}
    assert len(cell.outputs) == 1


def test_settled_blocks_are_not_sent_again(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(Answer(tokens=TOKENS, per_second=50, end="hang"))
    cell = kernel.begin("%buddy why is df empty?")
    kernel.wait_for(cell, lambda message: "$\\bar{x}" in message.markdown)
    drawn = [message.markdown for message in cell.messages]
    kernel.interrupt()
    kernel.end(cell)
    assert any("## Why" in text for text in drawn)
    assert not [text for text in drawn if "## Why" in text and "$\\bar{x}" in text]


def test_the_final_output_is_readable_without_the_kernel(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(
        stream(
            delta("The **mean** is"), delta(" 3."), delta(finish="stop"), usage(21, 4)
        )
    )
    answer = kernel.good("%buddy mean?").answer
    assert answer["type"] == "display_data"
    assert set(answer["data"]) == {"text/markdown", "text/plain"}
    assert html.unescape(answer["data"]["text/markdown"]).startswith(
        "The **mean** is 3.\n\n<small>llama3 · 4 tokens · first after "
    )
    assert answer["data"]["text/plain"].startswith(
        "The **mean** is 3.\n\nllama3 · 4 tokens · "
    )
    assert answer["metadata"]["codebuddy"] == {
        "provider": "Local",
        "model": "llama3",
        "prompt_tokens": 21,
        "completion_tokens": 4,
        "finish_reason": "stop",
        "complete": True,
    }


def test_reasoning_is_shown_while_it_comes_and_folded_away_in_the_end(
    kernel: Kernel, server: ScriptedServer
) -> None:
    thinking = [(0.0, event(delta(reasoning_content=f"step {i} "))) for i in range(3)]
    rest = [(0.7, event(delta("Ten."))), (0.0, event(delta(finish="stop")))]
    server.script(Answer(pieces=[*thinking, *rest]))
    cell = kernel.good("%buddy how many handshakes?")
    assert any("thinking" in message.markdown for message in cell.messages[:-1])
    data = cell.answer["data"]
    assert data["text/markdown"].startswith(
        "<details><summary>Thoughts before the answer</summary>"
    )
    assert "step 0 step 1 step 2" in data["text/markdown"]
    assert data["text/plain"].startswith("Ten.\n\n")


def test_a_silent_server_is_waited_for_visibly(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good("%buddy first, so that everything is there")
    server.script(
        Answer(
            pieces=[(0.0, event(delta("Here."))), (0.0, event(delta(finish="stop")))],
            wait=2.5,
        )
    )
    cell = kernel.good("%buddy hello")
    waiting = [
        message
        for message in cell.messages
        if message.content.get("transient", {}).get("codebuddy_waiting")
    ]
    assert "waiting for llama3… 1 s" in waiting[0].markdown
    assert len(cell.outputs) == 1
    assert cell.answer["data"]["text/plain"].startswith("Here.")


def test_what_a_model_writes_is_neutralised_in_every_output(
    kernel: Kernel, server: ScriptedServer
) -> None:
    evil = (
        "Look: <img src=x onerror=alert(1)>\n\n<script>alert(2)</script>\n\n"
        "[a](javascript:alert(3)) ![b](http://c.d/e)\n"
    )
    pieces = [(0.02, event(delta(character))) for character in evil]
    server.script(Answer(pieces=[*pieces, (0.0, event(delta(finish="stop")))]))
    cell = kernel.good("%buddy show me")
    shown = [message.markdown for message in cell.messages]
    assert any("onerror" in text for text in shown[:-1])
    dangers = re.compile(r"<(img|script)[^>]*>|\]\(javascript:|!\[")
    assert not [text for text in shown if dangers.search(text)]


def test_a_run_that_nobody_watches_gets_the_end_alone(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(Answer(tokens=30, per_second=60))
    cell = kernel.good("%buddy hello", stdin=False)
    assert [message.type for message in cell.messages] == ["display_data"]
    assert cell.answer["metadata"]["codebuddy"]["complete"]


OTHERS: dict[str, tuple[str, list[str]]] = {
    "printed before": ("print('before')\n%buddy hello", ["stream", "answer"]),
    "printed after": ("%buddy hello\nprint('after')", ["answer", "stream"]),
    "displayed": (
        "from IPython.display import display\ndisplay('shown')\n%buddy hello",
        ["display_data", "answer"],
    ),
    "in a loop": (
        "for i in range(2):\n    print(i)\n    %buddy hello {i}",
        ["stream", "answer", "stream", "answer"],
    ),
    "timed": ("%%time\nprint('before')\n%buddy hello", ["stream", "answer", "stream"]),
    "called": (
        "print('before')\nget_ipython().run_cell_magic('buddy', '', 'hello')",
        ["stream", "answer"],
    ),
    "a later value": ("%buddy hello\n'value'", ["answer", "execute_result"]),
    "assigned": ("x = %buddy hello", ["answer"]),
    "a list of them": ("for i in range(2):\n    x = %buddy hello {i}", ["answer"] * 2),
    "asked from Python": (
        "import codebuddy_jupyter as buddy\nprint('before')\nbuddy.ask('hello')",
        ["stream", "answer"],
    ),
}


@pytest.mark.parametrize(("code", "kinds"), OTHERS.values(), ids=OTHERS)
def test_an_answer_takes_away_no_other_output(
    kernel: Kernel, code: str, kinds: list[str]
) -> None:
    cell = kernel.good(code)
    assert "clear_output" not in [message.type for message in cell.messages]
    assert [_kind(output) for output in cell.outputs] == kinds
    # Consoles, which do not apply display updates, show the same.
    assert [_kind(output) for output in cell.outputs_without_updates] == kinds


ALONE = {
    "line": "%buddy hello",
    "cell": "%%buddy\nhello",
    "call": "buddy.ask('hello')",
}


@pytest.mark.parametrize("code", ALONE.values(), ids=ALONE)
def test_a_client_without_display_updates_shows_the_answer(
    kernel: Kernel, server: ScriptedServer, code: str
) -> None:
    kernel.good("import codebuddy_jupyter as buddy")
    server.script(reply("# One\n\nTwo.\n\n```python\nx = 3\n```\n\nFour."))
    cell = kernel.good(code)
    for outputs in (cell.outputs, cell.outputs_without_updates):
        (output,) = outputs
        assert "Four." in output["data"]["text/plain"]
    # Until then a console shows one sign of life, and not one for each block.
    growing = [
        message.content["data"].get("text/plain")
        for message in cell.messages
        if message.type == "display_data"
    ]
    assert growing[:-1].count("…") <= 1


def test_a_part_of_an_answer_is_shown_without_display_updates(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(stream(delta("Half of it"), done=False))
    cell = kernel.run("print('before')\nx = %buddy hello")
    assert cell.status == "error"
    kinds = [output["type"] for output in cell.outputs_without_updates]
    assert kinds == ["stream", "display_data", "error"]
    assert "Half of it" in cell.outputs_without_updates[1]["data"]["text/plain"]


def test_a_notebook_sees_the_answer_grow_among_other_outputs(
    python: Path, server: ScriptedServer, tmp_path: Path
) -> None:
    notebook = tmp_path / "nb.ipynb"
    notebook.write_text('{"cells": [], "nbformat": 4, "nbformat_minor": 5}')
    with NotebookKernel(notebook, copied=True, CODEBUDDY_BASE_URL=server.url) as kernel:
        kernel.good("%load_ext codebuddy_jupyter")
        server.script(Answer(tokens=TOKENS, per_second=80))
        cell = kernel.run_cell("a", "print('before')\nx = %buddy hello", stdin=True)
        assert [m.type for m in cell.messages].count("update_display_data") > 5
        assert [_kind_of_any(output) for output in cell.outputs] == ["stream", "answer"]


def _kind_of_any(output: dict[str, Any]) -> str:
    answered = "codebuddy" in output.get("metadata", {})
    return "answer" if answered else str(output["type"])


def _kind(output: dict[str, Any]) -> str:
    if "codebuddy" in output.get("metadata", {}):
        assert HELLO in output["data"]["text/plain"]
        return "answer"
    return str(output["type"])


def test_an_answer_can_be_captured(kernel: Kernel) -> None:
    kernel.good("from IPython.utils.capture import capture_output")
    cell = kernel.good(
        "print('before')\n"
        "with capture_output() as captured:\n"
        "    %buddy hello\n"
        "print(len(captured.outputs), captured.outputs[0].data['text/plain'].splitlines()[0])"
    )
    assert cell.printed == f"before\n1 {HELLO}\n"
    assert [message.type for message in cell.messages] == ["stream"] * len(
        cell.messages
    )


def test_a_captured_cell_shows_nothing(kernel: Kernel) -> None:
    assert (
        kernel.good("%%capture captured\nprint('before')\n%buddy hello").messages == []
    )
    assert kernel.good(
        "print(captured.stdout, *[output.data['text/plain'] for output in "
        "captured.outputs if output.data])"
    ).printed.startswith(f"before\n {HELLO}")


FORMATS: dict[str, tuple[str, str, dict[str, str]]] = {
    "text": ("text", "a *b* <i>", {"text/plain": "a *b* <i>"}),
    "code": (
        "code",
        "Here:\n\n```python\nx = 1\n```\n\nDone.",
        {"text/plain": "x = 1", "text/markdown": "```python\nx = 1\n```"},
    ),
    "json": (
        "json",
        '```json\n{"a": [1]}\n```',
        {"text/plain": '{"a": [1]}', "application/json": "{'a': [1]}"},
    ),
    "json that is none": (
        "json",
        "{oops",
        {"text/plain": "{oops", "text/markdown": "```json\n{oops\n```"},
    ),
    "html": (
        "html",
        "<b>x</b><script>y</script>",
        {"text/plain": "<b>x</b>", "text/html": '<iframe sandbox=""'},
    ),
    "math": (
        "math",
        "\\frac{1}{2}",
        {"text/plain": "$$\n\\frac{1}{2}\n$$", "text/markdown": "$$\n\\frac{1}{2}\n$$"},
    ),
}


@pytest.mark.parametrize(("name", "text", "data"), FORMATS.values(), ids=FORMATS)
def test_a_format_leaves_its_own_kind_of_output(
    kernel: Kernel, server: ScriptedServer, name: str, text: str, data: dict[str, str]
) -> None:
    server.script(reply(text))
    # Where somebody watches, code becomes a cell.
    answer = kernel.good(f"%%buddy -f {name}\ngo", stdin=name != "code").answer
    assert set(answer["data"]) == set(data)
    assert {
        kind: str(answer["data"][kind])[: len(start)] for kind, start in data.items()
    } == data


def test_html_is_shown_in_a_frame_that_may_do_nothing(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(
        reply('"></iframe><script>alert(1)</script><img src="http://example.com/x">')
    )
    cell = kernel.good("%buddy -f html a table")
    page = cell.answer["data"]["text/html"]
    assert page.count("<iframe") == page.count("</iframe>") == 1
    assert "<script" not in page
    assert "Content-Security-Policy" in page
    assert "default-src &#x27;none&#x27;" in page
    assert 'sandbox=""' in page
    assert not [
        m for m in cell.messages[:-1] if "text/html" in m.content.get("data", {})
    ]


CODE = "```python\nloaded = 1\n```\n"


def next_inputs(cell: Cell) -> list[tuple[str, bool]]:
    """What a cell puts into the notebook: the texts, and whether they replace it."""
    payloads = [dict(payload) for payload in cell.reply.get("payload", [])]
    return [
        (payload["text"], payload["replace"])
        for payload in payloads
        if payload["source"] == "set_next_input"
    ]


def test_code_becomes_a_new_cell_and_is_not_run(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(reply(CODE))
    cell = kernel.good("%%buddy -f code\nload a.csv")
    assert next_inputs(cell) == [("loaded = 1", False)]
    assert "new cell below" in cell.answer["data"]["text/markdown"]
    assert kernel.good("print('loaded' in globals())").printed == "False\n"
    cell = kernel.good("%buddy --replace load a.csv")
    assert next_inputs(cell) == [("loaded = 1", True)]


def test_where_nobody_watches_code_is_shown_and_becomes_no_cell(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(reply(CODE))
    cell = kernel.good("%%buddy -f code\nload a.csv", stdin=False)
    assert next_inputs(cell) == []
    assert "loaded = 1" in cell.answer["data"]["text/markdown"]


def test_apply_shows_the_difference_to_the_failed_cell(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.run("rows = [1, 2]\nsum(rows) / nothing")
    server.script(reply("```python\nrows = [1, 2]\nsum(rows) / 2\n```\n"))
    kernel.good("%buddy /fix")
    cell = kernel.good("%buddy /apply")
    (output,) = cell.outputs
    assert "- sum(rows) / nothing\n+ sum(rows) / 2" in output["data"]["text/markdown"]
    assert next_inputs(cell) == [("rows = [1, 2]\nsum(rows) / 2", False)]
