"""What a notebook keeps of the panel when JupyterLab saves the state of its widgets."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.panels import show_key_field, shown
from tests.browser.test_panel import KEY, ask, ended
from tests.support.lab import Lab, Notebook
from tests.support.scripted_server import ScriptedServer, as_json, delta, stream

QUESTION, THOUGHT, ANSWER, DRAFT = (
    "what the zebra eats",
    "grass or bark",
    "Herbs at dawn",
    "an unsent word",
)
STATE = "application/vnd.jupyter.widget-state+json"


def test_neither_key_nor_conversation_is_in_a_notebook_that_keeps_its_widgets(
    lab: Lab, opened_with_settings: Callable[[str], Notebook], server: ScriptedServer
) -> None:
    failure = as_json({"error": {"message": "the lion ate it"}}, 400)
    server.script(
        stream(
            delta(reasoning_content=THOUGHT),
            delta(f"{ANSWER}\n\n```python\n"),
            delta("herbs = 1\n```\n"),
        ),
        failure,
    )
    notebook = shown(lab, opened_with_settings, server, "panel_kept")
    page = notebook.page
    show_key_field(page)
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("API key").press("Enter")
    expect(page.locator(".cb-notes")).to_contain_text("The key for 127.0.0.1")
    ask(page, QUESTION)
    ended(page)
    assert server.asked()[-1]["headers"]["authorization"] == f"Bearer {KEY}"
    ask(page, "and then?")
    expect(page.locator(".cb-turn .cb-error").last).to_contain_text("the lion ate it")
    page.locator(".cb-input").fill(DRAFT)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.notebook.context.model.dirty")
    saved = (lab.root / "panel_kept.ipynb").read_text(encoding="utf-8")
    state = json.loads(saved)["metadata"]["widgets"][STATE]["state"]
    kept = str([widget["state"].get("_anywidget_id") for widget in state.values()])
    assert "ChatView" in kept
    assert "ProviderView" in kept
    secrets = [KEY, QUESTION, THOUGHT, ANSWER, "herbs = 1", "the lion ate it", DRAFT]
    assert [secret for secret in secrets if secret in saved] == []
    assert not [
        file
        for file in lab.root.rglob("*.ipynb")
        if KEY in file.read_text(encoding="utf-8")
    ]
