"""The panel in a live JupyterLab: asked, stopped, reloaded and attacked as a person's
would be.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.panels import (
    LOAD,
    STATE,
    Opens,
    settle,
    show_key_field,
    unfold_settings,
)
from tests.browser.recorder import Recorder
from tests.browser.test_attacks import reopened
from tests.browser.test_streaming import pieces
from tests.support.attacks import ATTACKS, attack
from tests.support.fakes import eventually
from tests.support.lab import Lab, Notebook
from tests.support.scripted_server import (
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    event,
    hang,
    model_list,
    reply,
)

PANEL = "%buddy /panel"
CODE = (
    "Try this:\n\n```python\ndf = orders.merge(clients)\ndf = df.dropna()\n"
    "print(len(df))\n```\n\nThat is all.\n"
)
CELL = "df = orders.merge(clients)\nprint(len(df))"
KEY = "sk-a-key-of-nobody-1234567890"
SOURCES = (
    "() => window.notebook.context.model.sharedModel.cells.map(cell => cell.source)"
)
DRAWN = (
    "() => [...document.querySelectorAll('.cb-settled')].filter(blocks => "
    "blocks.children.length).length"
)
CELLS = """() => window.notebook.context.model.sharedModel.cells
    .map(cell => [cell.source, cell.execution_count, cell.executionState])"""
WATCH_MEASURES = """() => {
    window.measures = [];
    window.notebook.sessionContext.session.kernel.anyMessage.connect((_, {msg, direction}) => {
        const content = msg.content.data?.content;
        if (direction === 'send' && content?.type === 'measure') window.measures.push(content);
    });
}"""
RUNS = (
    "index => window.notebook.content.widgets[index].model.executionState === 'running'"
)
# Shows an error with remedies of each kind in a panel that is called p.
TROUBLE = """
from codebuddy_jupyter.errors import ProviderError, Remedy
from codebuddy_jupyter.widgets.protocol import problem_of
error = ProviderError(
    "The model is gone.",
    Remedy("Show the versions", "%buddy /version"),
    Remedy("Leave offline mode", "%config Buddy.offline = False"),
    Remedy("Start the server", "ollama serve"),
    Remedy("Download it", "%buddy /pull NAME"),
)
p.form.view.show(trouble=problem_of(error))
p.chat.send({"type": "noted", "text": problem_of(error)})
"""
SAVED = "() => !window.notebook.context.model.dirty"


def ask(page: Page, text: str) -> None:
    """Type a question and send it."""
    page.locator(".cb-input").fill(text)
    page.locator(".cb-input").press("Enter")


def turns(page: Page) -> list[str]:
    """What each turn shows."""
    return [str(text) for text in page.locator(".cb-turn").all_inner_texts()]


def ended(page: Page, count: int = 1) -> None:
    """Wait until so many answers have ended."""
    expect(page.locator(".cb-foot .cb-line")).to_have_count(count)


def waiting(server: ScriptedServer) -> list[dict[str, Any]]:
    """The requests for models that have no answer."""
    requests = server.asked(MODELS)
    return [request for request in requests if request["ended"] is None]


def field(page: Page, label: str) -> str:
    """What stands in a field of the form."""
    return page.get_by_label(label, exact=True).input_value()


def test_an_answer_streams_with_the_front_ends_own_rendering(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(Answer(tokens=100, per_second=40))
    page = shared_panel().page
    ask(page, "why is df empty?")
    page.locator(".cb-blocks h2").wait_for()
    assert server.asked()[-1]["ended"] is None
    assert page.locator(".cb-turn").get_attribute("aria-busy") == "true"
    ended(page)
    page.locator(".cb-blocks mjx-container").first.wait_for()
    # the code is coloured
    page.locator(".cb-blocks pre span").first.wait_for()
    assert "100 tokens" in turns(page)[0]
    assert page.locator(".cb-blocks h2").count() == 1


def test_stop_ends_the_answer_at_the_server_while_a_cell_runs(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(Answer(pieces=[(0, event(delta("Once upon a time")))], end="hang"))
    notebook = shared_panel("import time\nfor _ in range(600): time.sleep(0.1)")
    notebook.begin(2)
    page = notebook.page
    page.wait_for_function(f"() => ({RUNS})(2)")
    ask(page, "a story")
    page.locator(".cb-tail", has_text="Once upon").wait_for()
    page.get_by_role("button", name="Stop the answer").click()
    server.wait_for("closed")
    ended(page)
    assert "stopped before its end" in turns(page)[0]
    assert page.evaluate(RUNS, 2)
    ask(page, "/version")
    expect(page.locator(".cb-turn").nth(1)).to_contain_text("codebuddy-jupyter")
    page.evaluate(
        "() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')"
    )
    notebook.wait_idle()


def test_stop_ends_a_command_and_meanwhile_one_can_ask(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    page = shared_panel().page
    # From here on only the command asks for the models.
    expect(page.locator(STATE)).to_have_text("reachable")
    expect(page.locator(".cb-meter")).to_contain_text("tokens")
    server.script(hang(), path=MODELS)
    ask(page, "/models")
    page.get_by_role("button", name="Stop the answer").wait_for()
    assert eventually(lambda: waiting(server), 20)
    server.script(model_list("llama3"), path=MODELS)
    ask(page, "hello")
    page.get_by_text("Hello from the scripted server.").wait_for()
    ended(page)
    page.locator(".cb-input").press("Escape")
    expect(page.locator(".cb-turn").first.locator(".cb-line")).to_have_text("stopped")
    expect(page.get_by_role("button", name="Stop the answer")).to_have_count(0)
    (request,) = waiting(server)
    assert eventually(lambda: request["closed"], 20)


def test_the_remedies_of_an_error_are_buttons_where_the_panel_can_do_them(
    shared_panel: Opens,
) -> None:
    notebook = shared_panel(
        "import codebuddy_jupyter as buddy\np = buddy.panel()\np",
        TROUBLE,
    )
    notebook.run(2)
    page = notebook.page
    page.locator(".cb-input").nth(1).wait_for()
    panel_below = page.locator(".codebuddy-panel").nth(1)
    expect(panel_below.locator(STATE)).to_have_text("reachable")
    notebook.run(3)
    # The settings have not been shown yet.
    note = panel_below.locator(".cb-chat")
    note.get_by_role("button", name="Leave offline mode").click()
    offline = panel_below.get_by_role("checkbox", name="Offline")
    expect(offline).to_be_focused()
    trouble = panel_below.locator(".cb-wrong").first
    expect(trouble.locator("> span")).to_have_text("The model is gone.")
    expect(trouble.locator("code")).to_have_text(["ollama serve", "%buddy /pull NAME"])
    trouble.get_by_role("button", name="Show the versions").click()
    expect(panel_below.locator(".cb-turn")).to_contain_text("codebuddy-jupyter")
    trouble.get_by_role("button", name="Leave offline mode").click()
    expect(offline).to_be_focused()
    panel_below.get_by_role("button", name="Settings", exact=True).click()
    expect(panel_below.get_by_label("Base URL", exact=True)).to_be_hidden()


def test_what_failed_before_any_text_can_be_asked_again_and_not_copied(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    failure = as_json({"error": {"message": "no such luck"}}, 400)
    server.script(failure, Answer(pieces=[(0, event(delta("Half")))], end="hang"))
    page = shared_panel().page
    ask(page, "hello")
    expect(page.locator(".cb-turn .cb-error")).to_contain_text("no such luck")
    expect(page.get_by_role("button", name="Copy the answer")).to_have_count(0)
    expect(
        page.get_by_role("button", name="Ask the same question again")
    ).to_be_visible()
    ask(page, "and now?")
    page.locator(".cb-tail", has_text="Half").wait_for()
    expect(
        page.get_by_role("button", name="Ask the same question again")
    ).to_have_count(0)
    page.get_by_role("button", name="Stop the answer").click()
    ended(page, 2)
    expect(page.get_by_role("button", name="Copy the answer")).to_have_count(1)
    expect(
        page.get_by_role("button", name="Ask the same question again")
    ).to_have_count(1)


def test_a_question_carries_cells_as_they_stand_in_the_page_saved_or_not(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    page = shared_panel("rate = 1", "# not run").page
    page.evaluate(
        "() => "
        "window.notebook.context.model.sharedModel.cells[2].setSource('rate = "
        "4711  # unsaved')"
    )
    ask(page, "what is the rate?")
    ended(page)
    told = str(server.asked()[-1]["body"]["messages"][-1]["content"])
    assert "rate = 4711  # unsaved" in told
    assert "Cell, not run" in told


def test_the_meter_shows_what_would_be_sent_and_sections_are_left_out_there(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(model_list("llama3"), path=MODELS)
    notebook = shared_panel("price = 12.5", "%config Buddy.context = 'auto'")
    notebook.run(2)
    page = notebook.page
    page.locator(".cb-input").fill("what is the price?")
    expect(page.locator(".cb-meter")).to_contain_text("of an assumed 4,096 tokens")
    expect(page.locator(".cb-gauge .cb-part[title^=variables]")).to_have_count(1)
    page.locator(".cb-meter").click()
    expect(page.locator(".cb-preview")).to_contain_text("Nothing was sent")
    page.get_by_text("The full text").click()
    expect(page.locator(".cb-preview pre").last).to_contain_text("price: float")
    page.get_by_role("checkbox", name="variables").uncheck()
    page.get_by_role("checkbox", name="cells").uncheck()
    expect(page.locator(".cb-preview")).not_to_contain_text("price: float")
    expect(page.locator(".cb-preview pre").last).to_be_visible()
    unfold_settings(page)
    page.get_by_role("button", name="More").click()
    expect(page.get_by_label("Context", exact=True)).to_have_value(
        "outline, outputs, error"
    )
    assert server.asked() == []
    ask(page, "what is the price?")
    ended(page)
    assert "price: float" not in str(server.asked()[-1]["body"]["messages"])
    notebook.run(3)
    expect(page.get_by_role("checkbox", name="variables")).to_be_checked()
    ask(page, "what is @prize?")
    expect(page.locator(".cb-refused .cb-error")).to_contain_text("prize")
    assert page.locator(".cb-input").input_value() == "what is @prize?"


def test_the_meter_follows_the_cells_that_run_while_it_is_in_view(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    notebook = shared_panel("price = 12.5", "label = 'wine'")
    page, meter = notebook.page, notebook.page.locator(".cb-meter")
    expect(meter).to_contain_text("of an assumed 4,096 tokens")
    before, asked = meter.inner_text(), len(server.requests)
    page.evaluate(WATCH_MEASURES)
    notebook.run(2)
    expect(meter).not_to_have_text(before)
    expect(page.locator(".cb-gauge .cb-part[title^=variables]")).to_have_count(1)
    page.locator(".cb-input").fill("what is the price?")
    page.wait_for_function("() => window.measures.length === 2")
    assert page.evaluate("() => window.measures.map(one => 'cells' in one)") == [
        True,
        False,
    ]
    page.evaluate(
        "() => { window.notebook.content.node.style.visibility = 'hidden'; "
        "window.notebook.hide(); }"
    )
    notebook.run(3)
    page.wait_for_timeout(1500)
    assert page.evaluate("() => window.measures.length") == 2
    page.evaluate(
        "() => { window.notebook.content.node.style.visibility = ''; window.notebook.show(); }"
    )
    page.wait_for_function("() => window.measures.length === 3")
    assert page.evaluate("() => window.measures.map(one => 'cells' in one)") == [
        True,
        False,
        True,
    ]
    assert len(server.requests) == asked
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".cb-input")).to_have_count(0)
    notebook.run(2)
    page.wait_for_timeout(1500)
    assert page.evaluate("() => window.measures.length") == 3


def test_conversations_are_chosen_deleted_and_there_again_after_a_restart(
    panel: Opens, server: ScriptedServer
) -> None:
    server.script(
        reply("To the first."), reply("To the second."), reply("To all of it.")
    )
    notebook = panel("panel_chats")
    page = notebook.page
    title = page.locator(".cb-chat-title")
    listed = page.locator(".cb-list button > span")
    ask(page, "the first")
    ended(page)
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".cb-turn")).to_have_count(0)
    ask(page, "the second")
    ended(page)
    title.click()
    expect(listed).to_have_text(["the second", "the first"])
    listed.nth(1).click()
    expect(page.locator(".cb-turn")).to_contain_text(["To the first."])
    ask(page, "and on")
    ended(page, 2)
    page.evaluate("() => window.notebook.sessionContext.restartKernel()")
    notebook.run(0)
    notebook.run(1)
    expect(page.locator(".cb-turn")).to_contain_text(["To the first.", "To all of it."])
    expect(title).to_have_text("the first")
    title.click()
    page.get_by_role("button", name="Delete this conversation").click()
    page.get_by_role("button", name="Delete this conversation").click()
    expect(page.locator(".cb-turn")).to_have_count(0)
    expect(listed).to_have_text(["the second"])
    expect(title).to_have_text("Conversation")


def test_a_front_end_without_subshells_says_that_the_question_waits(
    lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer
) -> None:
    cells = [
        LOAD.format(url=server.url),
        PANEL,
        "import time\nfor _ in range(50): time.sleep(0.1)",
    ]
    notebook = opened(lab.write("panel_waits.ipynb", cells))
    page = notebook.page
    page.evaluate(
        "() => { window.notebook.sessionContext.session.kernel.commsOverSubshells = 'disabled'; }"
    )
    notebook.run(0)
    notebook.run(1)
    page.locator(".cb-input").wait_for()
    notebook.begin(2)
    page.wait_for_function(f"() => ({RUNS})(2)")
    ask(page, "hello")
    expect(page.locator(".cb-note")).to_contain_text("Waiting for the running cell")
    assert server.asked() == []
    page.get_by_text("Hello from the scripted server.").wait_for()
    expect(page.locator(".cb-note")).to_have_text("")


def test_the_keyboard_does_it_all(shared_panel: Opens, server: ScriptedServer) -> None:
    server.script(
        Answer(pieces=[(0, event(delta("Coming")))], end="hang"), reply("Whole.")
    )
    notebook = shared_panel()
    page = notebook.page
    box = page.locator(".cb-input")
    box.focus()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("  two")
    assert box.input_value() == "one\n  two"
    page.keyboard.press("Enter")
    page.locator(".cb-tail", has_text="Coming").wait_for()
    page.keyboard.press("Escape")
    ended(page)
    assert server.asked()[-1]["body"]["messages"][-1]["content"].endswith("one\n  two")
    page.keyboard.press("ArrowUp")
    assert box.input_value() == "one\n  two"
    box.fill("")
    page.keyboard.type("/ver")
    page.get_by_role("option", name="/version").wait_for()
    page.keyboard.press("Enter")
    assert box.input_value() == "/version "
    box.fill("にほ")
    box.dispatch_event(
        "keydown", {"key": "Enter", "isComposing": True, "bubbles": True}
    )
    assert box.input_value() == "にほ"
    page.get_by_role("button", name="New conversation").focus()
    # JupyterLab's keys to delete a cell
    for key in "dd":
        page.keyboard.press(key)
    page.get_by_role("button", name="What the next question sends").press("Enter")
    page.locator(".cb-preview table").wait_for()
    assert len(page.evaluate(SOURCES)) == 2


def test_the_notebooks_own_keys_leave_it_alone_while_the_panel_has_the_focus(
    shared_panel: Opens,
) -> None:
    notebook = shared_panel("print('not run')")
    page = notebook.page
    page.evaluate(
        "() => window.notebook.context.model.sharedModel.cells[2].setSource('edited')"
    )
    unfold_settings(page)
    page.get_by_role("button", name="More", exact=True).click()
    expect(page.get_by_label("Temperature", exact=True)).to_be_visible()
    before = page.evaluate(CELLS)
    test, more = (
        page.get_by_role("button", name=name, exact=True)
        for name in ("Test connection", "More")
    )
    provider, fresh = (
        page.get_by_label("Provider"),
        page.get_by_label("Temperature", exact=True),
    )
    for control in (
        test,
        more,
        fresh,
        page.get_by_role("checkbox", name="Offline"),
        page.locator(".cb-log"),
        provider,
    ):
        control.focus()
        for key in (*"abddxz", "Enter", "Shift+Enter", "Control+Enter", "Control+z"):
            page.keyboard.press(key)
        assert page.evaluate(CELLS) == before
    page.locator(".cb-input").press("Control+s")
    page.wait_for_function(SAVED)


def test_retry_and_edit_take_the_place_of_the_last_question(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(reply("First."), reply("Second."), reply("Third."))
    notebook = shared_panel("%buddy and of a cell")
    page = notebook.page
    ask(page, "hello")
    page.get_by_text("First.").wait_for()
    page.get_by_role("button", name="Ask the same question again").click()
    page.get_by_text("Second.").wait_for()
    page.get_by_role("button", name="Edit the question").click()
    assert page.locator(".cb-input").input_value() == "hello"
    ask(page, "hello there")
    page.get_by_text("Third.").wait_for()
    ended(page)
    assert page.locator(".cb-question").all_inner_texts() == ["hello there"]
    (asked,) = server.asked()[-1]["body"]["messages"][1:]
    assert asked["content"].endswith("hello there")
    page.get_by_role("button", name="Edit the question").click()
    expect(page.locator(".cb-note")).to_contain_text("replaces the last question")
    page.locator(".cb-input").press("Escape")
    expect(page.locator(".cb-note")).to_have_text("")
    notebook.run(2)
    ask(page, "hello again")
    ended(page, 3)
    assert page.locator(".cb-question").all_inner_texts() == [
        "hello there",
        "and of a cell",
        "hello again",
    ]
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".cb-turn")).to_have_count(0)


def test_code_is_copied_inserted_below_and_compared_and_never_run(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(reply(CODE))
    notebook = shared_panel("y = 1", CELL, "z = 3")
    notebook.run(2)
    page = notebook.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page, "drop the gaps")
    ended(page)
    code = "df = orders.merge(clients)\ndf = df.dropna()\nprint(len(df))"
    page.get_by_role("button", name="Copy the code").click()
    page.wait_for_function(
        "async code => await navigator.clipboard.readText() === code", arg=code
    )
    page.get_by_role("button", name="Insert the code").click()
    assert page.evaluate(SOURCES)[2:] == ["y = 1", code, CELL, "z = 3"]
    page.get_by_role("button", name="Show what the code changes").click()
    expect(page.locator(".cb-diff .cb-added")).to_have_text("+ df = df.dropna()\n")
    page.get_by_role("button", name="Copy the answer").click()
    page.wait_for_function(
        "async text => (await navigator.clipboard.readText()) === text",
        arg=CODE.strip(),
    )
    assert notebook.outputs(3) == []
    assert "execution_count" not in page.evaluate(
        "() => window.notebook.content.widgets[3].model.toJSON().outputs"
    )


def test_a_reload_in_mid_stream_loses_nothing(
    panel: Opens, server: ScriptedServer, lab: Lab
) -> None:
    half = Answer(pieces=[(0, event(delta("## Half of it\n\nThe rest")))], end="hang")
    server.script(reply("The first."), half)
    notebook = panel("panel_reload")
    page = notebook.page
    ask(page, "one")
    page.get_by_text("The first.").wait_for()
    ask(page, "two")
    page.locator(".cb-tail", has_text="The rest").wait_for()
    reopened(notebook, "panel_reload.ipynb")
    page.locator(".cb-tail", has_text="The rest").wait_for()
    assert page.locator(".cb-question").all_inner_texts() == ["one", "two"]
    assert page.locator(".cb-blocks h2").count() == 1
    page.get_by_role("button", name="Stop the answer").click()
    server.wait_for("closed")
    ended(page, 2)
    ask(page, "/version")
    expect(page.locator(".cb-turn").nth(2)).to_contain_text("codebuddy-jupyter")


def test_two_panels_and_a_cell_share_one_conversation_and_closing_one_leaves_the_other(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(reply("To both."), reply("To the cell."))
    notebook = shared_panel(
        PANEL,
        "%buddy a question of a cell",
        "from ipywidgets import Widget",
    )
    notebook.run(2)
    page = notebook.page
    expect(page.locator(".cb-input")).to_have_count(2)
    page.locator(".cb-input").first.fill("for both")
    page.locator(".cb-input").first.press("Enter")
    expect(page.get_by_text("To both.")).to_have_count(2)
    notebook.run(3)
    expect(page.locator(".cb-question", has_text="a question of a cell")).to_have_count(
        2
    )
    page.get_by_role("button", name="Close").first.click()
    expect(page.locator(".cb-input")).to_have_count(1)
    notebook.run(1)
    notebook.run(1)
    expect(page.locator(".cb-input")).to_have_count(2)


def test_attacks_that_a_model_types_into_the_panel_do_nothing(
    shared_panel: Opens, server: ScriptedServer, recorder: Recorder
) -> None:
    text = "\n\n".join(
        attack(name, "window.pwned = true", f"http://127.0.0.1:{recorder.port}/{n}")
        for n, name in enumerate(ATTACKS)
    )
    code = text.replace("`", " ").encode("utf-8", "replace").decode()
    server.script(pieces(text, pause=0.002), reply(f"```python\n{code}\n```"))
    page = shared_panel().page
    ask(page, "hello <img src=x onerror='window.pwned = true'>")
    ended(page)
    ask(page, "and in code")
    ended(page, 2)
    page.get_by_role("button", name="Insert the code").last.click()
    page.wait_for_timeout(1000)
    assert page.evaluate("() => window.pwned") is None
    assert recorder.paths == []


def test_local_has_two_fields_which_hold_for_the_next_cell_and_once_saved_for_the_next_kernel(
    panel: Opens, server: ScriptedServer, lab: Lab
) -> None:
    server.script(model_list("llama3", "qwen"), path=MODELS)
    notebook = panel(
        "panel_settings",
        "%buddy hello",
        "%config LocalProvider.model = 'llama3'",
        "%config Buddy.provider = 'OpenAI'",
        "%buddy /use",
    )
    page = notebook.page
    unfold_settings(page)
    assert field(page, "Base URL") == server.url
    expect(page.locator(".cb-title")).to_have_text("reachable")
    page.get_by_label("Model", exact=True).fill("qwen")
    page.get_by_label("Model", exact=True).press("Tab")
    page.wait_for_timeout(200)
    notebook.run(2)
    assert server.asked()[-1]["body"]["model"] == "qwen"
    notebook.run(3)
    expect(page.get_by_label("Model", exact=True)).to_have_value("llama3")
    page.get_by_label("Provider").select_option(label="DeepSeek")
    expect(page.get_by_label("Base URL", exact=True)).to_have_count(0)
    expect(page.locator(".cb-where")).to_have_text("Requests go to api.deepseek.com.")
    notebook.run(4)
    expect(page.get_by_label("Provider")).to_have_value("OpenAI")
    page.get_by_label("Provider").select_option(label="Local LLM (Ollama/LM Studio)")
    expect(page.get_by_label("Base URL", exact=True)).to_have_value(server.url)
    page.get_by_role("button", name="More").click()
    assert field(page, "Temperature") == "0.1"
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator(".cb-report")).to_contain_text("Local is working.")
    page.get_by_role("button", name="Save as default").click()
    saved = lab.home / "jupyter_config_dir" / "codebuddy.json"
    expect(page.locator(".cb-notes")).to_contain_text(f"Saved to {saved}")
    page.evaluate("() => window.notebook.sessionContext.restartKernel()")
    notebook.run(0)
    notebook.run(5)
    assert (
        "| model | llama3 | saved |" in notebook.outputs(5)[0]["data"]["text/markdown"]
    )
    saved.unlink()


def test_a_key_is_in_no_notebook_and_on_no_page(
    panel: Opens, server: ScriptedServer, lab: Lab
) -> None:
    server.script(
        as_json({"error": {"message": "a key, please"}}, 401),
        model_list("llama3"),
        path=MODELS,
    )
    notebook = panel("panel_key", "1")
    page = notebook.page
    show_key_field(page)
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("API key").press("Enter")
    expect(page.locator(".cb-notes")).to_contain_text("The key for 127.0.0.1")
    ask(page, "hello")
    ended(page)
    assert server.asked()[-1]["headers"]["authorization"] == f"Bearer {KEY}"
    state = page.evaluate(
        """async () => {
            const {notebook, jupyterapp} = window;
            await jupyterapp.commands.execute('notebook:toggle-save-widget-state').catch(() => {});
            await jupyterapp.commands.execute('docmanager:save');
            return JSON.stringify(notebook.context.model.toJSON())
                + document.documentElement.outerHTML
                + [...document.querySelectorAll('input')].map(input => input.value).join();
        }"""
    )
    page.wait_for_function(SAVED)
    assert KEY not in state
    assert KEY not in (lab.root / "panel_key.ipynb").read_text(encoding="utf-8")
    assert KEY not in (lab.home / "lab.log").read_text(
        encoding="utf-8", errors="replace"
    )


def test_far_turns_are_drawn_when_they_are_scrolled_to(
    lab: Lab, opened: Callable[[str], Notebook], server: ScriptedServer
) -> None:
    server.script(reply("\n\n".join(f"Paragraph {n}." for n in range(20))))
    asks = (
        "import codebuddy_jupyter as buddy\n"
        "for _ in range(60): buddy.ask('q', remember=True).result()"
    )
    notebook = opened(
        lab.write("panel_long.ipynb", [LOAD.format(url=server.url), asks, PANEL])
    )
    for index in range(3):
        notebook.run(index)
    page = notebook.page
    expect(page.locator(".cb-turn")).to_have_count(60)
    expect(page.locator(".cb-turn").last).to_contain_text("Paragraph 19.")
    settle(page)
    assert page.evaluate(DRAWN) < 20
    page.evaluate("() => { document.querySelector('.cb-log').scrollTop = 0; }")
    expect(page.locator(".cb-turn").first).to_contain_text("Paragraph 19.")
    assert page.evaluate(DRAWN) < 40


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_is_accessible_in_light_and_dark_and_fits_a_narrow_window(
    shared_panel: Opens, server: ScriptedServer, theme: str, tmp_path: Path
) -> None:
    server.script(reply(CODE))
    notebook = shared_panel(CELL)
    page = notebook.page
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
        theme,
    )
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    ask(page, "drop the gaps")
    ended(page)
    unfold_settings(page)
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator(".cb-report li").last).to_be_visible(timeout=20_000)
    page.locator(".cb-meter").click()
    page.locator(".cb-preview table").wait_for()
    page.locator(".cb-chat-title").click()
    page.get_by_role("button", name="Rename this conversation").click()
    page.get_by_role("button", name="Show what the code changes").click()
    expect(page.locator(".cb-diff .cb-added")).to_have_count(1)
    page.wait_for_timeout(1000)
    found = (
        Axe()
        .run(page, context={"include": [[".codebuddy-panel"]]})
        .response["violations"]
    )
    violations = [
        (one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found
    ]
    assert [one[0] for one in violations] == []
    notebook.screenshot(tmp_path / "wide.png")
    page.evaluate(
        "() => { document.querySelector('.codebuddy-panel').style.width = '280px'; }"
    )
    page.wait_for_timeout(300)
    assert page.evaluate(
        "() => { const e = document.querySelector('.codebuddy-panel'); return "
        "e.scrollWidth <= e.clientWidth + 1; }"
    )
    notebook.screenshot(tmp_path / "narrow.png")


def test_it_works_in_notebook_7(
    context: BrowserContext, lab: Lab, server: ScriptedServer
) -> None:
    server.script(reply(CODE))
    path = lab.write("panel_seven.ipynb", [LOAD.format(url=server.url), PANEL])
    page = context.new_page()
    page.set_viewport_size({"width": 1000, "height": 800})
    page.goto(f"http://127.0.0.1:{lab.port}/notebooks/{path}?token={lab.token}")
    page.locator(".jp-Notebook .cm-content").first.click()
    # The indicator is idle before there is a kernel as well; what fades then is that
    # the kernel has been connected.
    page.locator(".jp-NotebookKernelStatus-fade:empty").wait_for(state="attached")
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(
        state="attached"
    )
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    page.locator(".cb-input").wait_for()
    ask(page, "drop the gaps")
    ended(page)
    page.get_by_role("button", name="Insert the code").click()
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(4)
    unfold_settings(page)
    page.get_by_role("button", name="More", exact=True).focus()
    for key in ("a", "b", "d", "d", "Shift+Enter"):
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(4)
    page.close()
    lab.clear()
