"""An answer in a live JupyterLab: seen while it comes, one output in the end, and
harmless all the way.
"""

from __future__ import annotations

import json

from tests.browser.panels import SHARED, Opens
from tests.browser.recorder import Recorder
from tests.support.attacks import ATTACKS, attack
from tests.support.lab import Lab
from tests.support.scripted_server import Answer, ScriptedServer, delta, event, reply

SHOWN = "index => window.notebook.content.widgets[index].outputArea.node.innerText"
# characters: splits tags, links and fences in the middle
PIECE = 9


def pieces(text: str, pause: float = 0.0) -> Answer:
    """A stream of the text in small pieces, with a pause before each."""
    cut = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return Answer(
        pieces=[
            *((pause, event(json.dumps(delta(part)).encode())) for part in cut),
            (0, event(delta(finish="stop"))),
        ]
    )


def test_an_answer_is_seen_while_it_comes_and_leaves_one_output(
    lab: Lab, shared_loaded: Opens, server: ScriptedServer
) -> None:
    server.script(Answer(tokens=150, per_second=40))
    notebook = shared_loaded("%%buddy\nwhy is df empty?")
    notebook.begin(1)
    page = notebook.page
    page.wait_for_function(f"() => ({SHOWN})(1).includes('key columns')")
    assert server.asked()[-1]["ended"] is None
    assert page.evaluate(
        "() => window.notebook.content.widgets[1].outputArea.node.querySelector('h2') !== null"
    )
    notebook.wait_idle()
    page.wait_for_function(f"() => ({SHOWN})(1).includes('tokens/s')")
    assert [output["output_type"] for output in notebook.outputs(1)] == ["display_data"]
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.notebook.context.model.dirty")
    (output,) = json.loads((lab.root / SHARED).read_text(encoding="utf-8"))["cells"][1][
        "outputs"
    ]
    assert set(output["data"]) == {"text/markdown", "text/plain"}
    assert output["metadata"]["codebuddy"]["model"] == "llama3"


def test_stopping_keeps_what_came_on_the_page(
    shared_loaded: Opens, server: ScriptedServer
) -> None:
    server.script(Answer(pieces=[(0, event(delta("Once upon a time")))], end="hang"))
    notebook = shared_loaded("%buddy tell me a story")
    notebook.begin(1)
    notebook.page.wait_for_function(f"() => ({SHOWN})(1).includes('Once upon')")
    notebook.page.evaluate(
        "() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')"
    )
    server.wait_for("closed")
    notebook.wait_idle()
    notebook.page.wait_for_function(
        f"() => ({SHOWN})(1).includes('The part that was received is kept')"
    )
    shown = notebook.page.evaluate(SHOWN, 1)
    assert "Once upon a time" in shown
    assert "stopped before its end" in shown
    assert "Traceback" not in shown


def test_attacks_that_a_model_streams_do_nothing(
    shared_loaded: Opens, server: ScriptedServer, recorder: Recorder
) -> None:
    text = "\n\n".join(
        attack(name, "window.pwned = true", f"http://127.0.0.1:{recorder.port}/{n}")
        for n, name in enumerate(ATTACKS)
    )
    server.script(pieces(text, pause=0.002))
    notebook = shared_loaded("%%buddy\nhello", "%%buddy -f text\nhello")
    notebook.run(1)
    notebook.page.wait_for_timeout(1000)
    notebook.run(2)
    assert notebook.page.evaluate("() => window.pwned") is None
    assert recorder.paths == []


def test_html_is_shown_in_a_frame_that_can_do_nothing(
    shared_loaded: Opens, server: ScriptedServer, recorder: Recorder
) -> None:
    url = f"http://127.0.0.1:{recorder.port}"
    page = (
        "<h1>Report</h1><script>parent.pwned = true; "
        f"fetch('{url}/fetch')</script><img src='{url}/image'>"
        f"<img src=x onerror='parent.pwned = true'><link rel=stylesheet href='{url}/style'>"
        f"<meta http-equiv=refresh content='0; url={url}/refresh'><iframe "
        f"src='{url}/frame'></iframe>"
        f"<style>@import '{url}/import'; h1 {{ background: url({url}/background) }}</style>"
        f"<link rel=preload as=image href='{url}/preload'><object data='{url}/object'></object>"
    )
    server.script(reply(page))
    notebook = shared_loaded("%%buddy -f html\na report")
    notebook.run(1)
    outer = notebook.page.frame_locator(".jp-OutputArea iframe")
    frame = outer.frame_locator("iframe")
    frame.locator("h1").wait_for()
    notebook.page.wait_for_timeout(1000)
    assert frame.locator("h1").inner_text() == "Report"
    assert notebook.page.evaluate("() => window.pwned") is None
    assert recorder.paths == []
