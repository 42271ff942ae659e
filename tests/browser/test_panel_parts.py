"""The parts of the panel in a live JupyterLab: questions that wait, conversations that
branch, the difference that is applied, the kernel that is restarted.
"""

from __future__ import annotations

import math

from playwright.sync_api import Page, expect

from tests.browser.panels import (
    NOT_EDITABLE,
    TO_MARKDOWN,
    Opens,
    make_read_only,
    picture,
    unfold_settings,
)
from tests.browser.test_panel import CELL, CODE, SOURCES, ask, ended
from tests.support.infill import COMPLETIONS, SUFFIX
from tests.support.lab import Lab
from tests.support.scripted_server import (
    DONE,
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    event,
    model_list,
    reply,
)

UNDO = """index => {
    const cell = window.notebook.context.model.sharedModel.cells[index];
    cell.undo();
    return cell.source;
}"""
IN_TAB = """async () => {
    const {jupyterapp, notebook} = window;
    notebook.content.activeCellIndex = 1;
    await jupyterapp.commands.execute('notebook:create-output-view');
}"""
HEIGHTS = """() => {
    const view = document.querySelector('.jp-LinkedOutputView');
    const panel = view.querySelector('.codebuddy-panel');
    const composer = panel.querySelector('.cb-composer').getBoundingClientRect();
    const box = view.getBoundingClientRect();
    return {
        fills: Math.abs(panel.getBoundingClientRect().height - box.height) < 2,
        composerIsInView: composer.bottom <= box.bottom,
        scrolls: [...panel.querySelectorAll('*')]
            .filter(part => part.scrollHeight > part.clientHeight + 1)
            .filter(part => ['auto', 'scroll'].includes(getComputedStyle(part).overflowY))
            .map(part => part.className),
    };
}"""


def questions(page: Page) -> list[str]:
    """The questions of the conversation."""
    return [str(text) for text in page.locator(".cb-question").all_inner_texts()]


def half(text: str) -> Answer:
    """An answer that begins, and never ends."""
    return Answer(pieces=[(0, event(delta(text)))], end="hang")


def test_a_question_waits_for_the_answer_and_is_asked_then(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    words = [(0, event(delta("Half "))), (math.inf, event(delta("and half.")))]
    server.script(
        Answer(pieces=[*words, (0, DONE)]), reply("To the second."), half("No")
    )
    page = shared_panel().page
    ask(page, "the first")
    page.get_by_role("button", name="Stop the answer").wait_for()
    ask(page, "the second")
    ask(page, "the third")
    waiting = page.locator(".cb-queue .cb-waiting")
    expect(waiting).to_have_text(["the second", "the third"])
    page.screenshot(path=picture("queue"))
    page.get_by_role("button", name="Remove: the third").click()
    expect(waiting).to_have_text(["the second"])
    server.release()
    page.get_by_text("To the second.").wait_for()
    ended(page, 2)
    expect(waiting).to_have_count(0)
    assert questions(page) == ["the first", "the second"]
    # Stop keeps what waits, and asks nothing.
    ask(page, "a story")
    page.locator(".cb-tail", has_text="No").wait_for()
    ask(page, "another")
    page.get_by_role("button", name="Stop the answer").click()
    ended(page, 3)
    expect(page.locator(".cb-input")).to_have_value("another")
    assert len(server.asked()) == 3
    # So does another conversation.
    server.script(half("Once"))
    ask(page, "a tale")
    page.locator(".cb-tail", has_text="Once").wait_for()
    ask(page, "about this conversation")
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".cb-turn")).to_have_count(0)
    expect(page.locator(".cb-input")).to_have_value("about this conversation")
    assert len(server.asked()) == 4


def test_an_earlier_question_is_edited_in_a_branch(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(*[reply(f"Answer {number}.") for number in range(1, 5)])
    page = shared_panel().page
    for number, text in enumerate(("one", "two", "three"), 1):
        ask(page, text)
        ended(page, number)
    page.locator(".cb-turn").nth(1).hover()
    page.get_by_role("button", name="Edit the question").nth(1).click()
    expect(page.locator(".cb-note")).to_contain_text("in a new conversation")
    assert page.locator(".cb-input").input_value() == "two"
    ask(page, "two, but better")
    page.get_by_text("Answer 4.").wait_for()
    assert questions(page) == ["one", "two, but better"]
    page.locator(".cb-chat-title").click()
    rows = page.locator(".cb-list button")
    expect(rows).to_have_text(["two, but better2 questions", "one3 questions"])
    page.screenshot(path=picture("branches"))
    rows.nth(1).click()
    expect(page.locator(".cb-question")).to_have_text(["one", "two", "three"])


def test_conversations_are_named_searched_and_exported(
    shared_panel: Opens, server: ScriptedServer, lab: Lab
) -> None:
    server.script(reply("It is the merge."), reply("Blue."))
    page = shared_panel().page
    ask(page, "why is it empty?")
    ended(page)
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".cb-turn")).to_have_count(0)
    ask(page, "which colour?")
    ended(page)
    page.locator(".cb-chat-title").click()
    rows = page.locator(".cb-list button > span")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Rename this conversation").click()
    name = page.get_by_label("Name of this conversation")
    expect(name).to_have_value("which colour?")
    name.fill("Colours")
    name.press("Enter")
    expect(rows).to_have_text(["Colours", "why is it empty?"])
    expect(page.locator(".cb-chat-title")).to_have_text("Colours")
    search = page.get_by_label("Search conversations")
    search.fill("colou")
    expect(rows).to_have_text(["Colours"])
    # The words of an answer are found, too.
    search.fill("MERGE")
    expect(rows).to_have_text(["why is it empty?"])
    search.fill("nowhere")
    expect(rows).to_have_count(0)
    page.get_by_role("button", name="Write this conversation to a file").click()
    expect(page.locator(".cb-turn").last).to_contain_text("panel-chat.md")
    assert "Blue." in (lab.root / "panel-chat.md").read_text(encoding="utf-8")


def test_the_arrows_go_through_all_questions(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    page = shared_panel().page
    for number, text in enumerate(("one", "two"), 1):
        ask(page, text)
        ended(page, number)
    box = page.locator(".cb-input")
    for key, text in (
        ("ArrowUp", "two"),
        ("ArrowUp", "one"),
        ("ArrowUp", "one"),
        ("ArrowDown", "two"),
        ("ArrowDown", ""),
        ("ArrowDown", ""),
    ):
        box.press(key)
        expect(box).to_have_value(text)
    box.fill("typed")
    box.press("ArrowUp")
    expect(box).to_have_value("typed")


def test_completions_say_what_they_are_and_the_likeliest_is_first(
    shared_panel: Opens,
) -> None:
    notebook = shared_panel(
        "import math\nclass Frame: pass\ndf = Frame()\nfor i in [1]: df"
    )
    notebook.run(2)
    page = notebook.page
    box = page.locator(".cb-input")
    box.press_sequentially("what is in @")
    first = page.locator(".cb-offers li").first
    expect(first).to_contain_text("@df")
    expect(first).to_contain_text("Frame")
    # The panel does not cut it off.
    assert page.evaluate(
        "() => document.querySelector('.cb-offers').getBoundingClientRect().top"
        " >= document.querySelector('.codebuddy-panel').getBoundingClientRect().top"
    )
    page.screenshot(path=picture("mentions"))
    box.fill("")
    box.press_sequentially("/ex")
    expect(first).to_contain_text("ask the model to explain")
    page.screenshot(path=picture("commands"))


def test_the_difference_is_applied_to_the_cell_as_one_step_and_not_run(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(reply(CODE))
    page = shared_panel("y = 1", CELL).page
    ask(page, "drop the gaps")
    ended(page)
    page.get_by_role("button", name="Show what the code changes").click()
    expect(page.locator(".cb-diff .cb-added")).to_have_text("+ df = df.dropna()\n")
    choice = page.get_by_label("Compare with cell")
    expect(choice.locator("option:checked")).to_contain_text("df = orders.merge")
    # Another cell can be chosen.
    choice.select_option(label="[ ] y = 1")
    expect(page.locator(".cb-diff .cb-removed")).to_have_text("- y = 1\n")
    choice.select_option(index=0)
    expect(page.locator(".cb-diff .cb-added")).to_have_count(1)
    page.screenshot(path=picture("difference"))
    page.get_by_role("button", name="Put the code into this cell").click()
    expect(page.locator(".cb-note")).to_contain_text("it was not run")
    code = "df = orders.merge(clients)\ndf = df.dropna()\nprint(len(df))"
    assert page.evaluate(SOURCES)[3] == code
    assert (
        page.evaluate(
            "() => window.notebook.context.model.sharedModel.cells[3].execution_count"
        )
        is None
    )
    assert page.evaluate(UNDO, 3) == CELL


def test_what_cannot_be_changed_has_no_apply_and_says_why(
    panel: Opens, server: ScriptedServer
) -> None:
    server.script(reply(CODE))
    page = panel("parts_refused", "y = 1", CELL, "text").page
    page.evaluate(TO_MARKDOWN, 4)
    page.evaluate(NOT_EDITABLE, 3)
    ask(page, "drop the gaps")
    ended(page)
    page.get_by_role("button", name="Show what the code changes").click()
    expect(page.locator(".cb-diff .cb-added")).to_have_count(1)
    apply = page.locator(".cb-changes .cb-primary")
    refusal = page.locator(".cb-refusal")
    expect(refusal).to_contain_text("The cell is read-only.")
    expect(apply).to_be_hidden()
    choice = page.get_by_label("Compare with cell")
    # The likeliest is the first, and a Markdown cell cannot be chosen.
    titles = choice.locator("option").all_inner_texts()
    assert titles[0] == "[ ] df = orders.merge(clients)"
    assert "[ ] text" not in titles
    choice.select_option(label="[ ] y = 1")
    expect(refusal).to_be_hidden()
    expect(apply).to_be_visible()
    make_read_only(page)
    choice.select_option(index=0)
    choice.select_option(label="[ ] y = 1")
    expect(refusal).to_contain_text("The notebook is read-only")
    expect(apply).to_be_hidden()


def test_a_cell_that_has_changed_meanwhile_is_not_overwritten(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(reply(CODE))
    page = shared_panel(CELL).page
    ask(page, "drop the gaps")
    ended(page)
    page.get_by_role("button", name="Show what the code changes").click()
    expect(page.locator(".cb-diff .cb-added")).to_have_count(1)
    edited = f"{CELL}\n# mine"
    page.evaluate(
        "text => window.notebook.context.model.sharedModel.cells[2].setSource(text)",
        edited,
    )
    page.get_by_role("button", name="Put the code into this cell").click()
    expect(page.locator(".cb-note")).to_contain_text("has changed since then")
    expect(page.locator(".cb-diff .cb-removed")).to_have_text("- # mine\n")
    assert page.evaluate(SOURCES)[2] == edited


def test_after_fix_the_failed_cell_is_compared_however_little_stays(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(reply("```python\nx = 1\ny = x + 2\nz = 5\n```\n"))
    notebook = shared_panel("x = 1\n1 / 0\na = 3\nb = 4", "y = 2")
    notebook.run(2)
    page = notebook.page
    ask(page, "/fix")
    ended(page)
    page.get_by_role("button", name="Show what the code changes").click()
    choice = page.get_by_label("Compare with cell")
    expect(choice.locator("option:checked")).to_contain_text("x = 1")


def test_the_model_is_chosen_in_the_line_and_the_settings_are_folded(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(model_list("llama3", "qwen", "/models/small/tiny.gguf"), path=MODELS)
    page = shared_panel().page
    line = page.locator(".cb-summary")
    expect(line).to_contain_text("stays on this machine")
    expect(line.locator(".cb-name")).to_have_text("Local")
    expect(page.get_by_label("Base URL", exact=True)).to_be_hidden()
    choice = page.get_by_label("Model in use")
    expect(choice).to_have_value("llama3")
    expect(choice.locator("option")).to_have_text(["llama3", "qwen", "tiny.gguf"])
    page.screenshot(path=picture("line"))
    choice.select_option("qwen")
    unfold_settings(page)
    expect(page.locator(".cb-facts")).to_contain_text("qwen")
    ask(page, "hello")
    ended(page)
    assert server.asked()[-1]["body"]["model"] == "qwen"


def test_trouble_at_the_beginning_unfolds_the_settings_and_has_its_buttons_once(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(as_json({"error": {"message": "broken"}}, 500), path=MODELS)
    server.script(as_json({"error": {"message": "broken"}}, 500))
    page = shared_panel().page
    trouble = page.locator(".cb-provider .cb-wrong")
    expect(trouble).to_be_visible()
    page.screenshot(path=picture("trouble"))
    ask(page, "hello")
    expect(page.locator(".cb-turn .cb-error")).to_be_visible()
    what = page.locator(".cb-turn .cb-error > span").inner_text()
    page.screenshot(path=picture("trouble-asked"))
    remedies = page.locator(".codebuddy-panel .cb-remedy:visible")
    texts = remedies.all_inner_texts()
    assert len(texts) == len(set(texts)), (what, texts)


def test_after_a_restart_the_panel_opens_again_and_the_draft_is_kept(
    panel: Opens, server: ScriptedServer
) -> None:
    page = panel("parts_restart").page
    page.locator(".cb-input").fill("a draft")
    page.evaluate("() => window.notebook.sessionContext.restartKernel()")
    gone = page.locator(".cb-gone")
    expect(gone).to_contain_text("The kernel was restarted.")
    expect(page.locator(".cb-bar .cb-primary").first).to_be_disabled()
    page.screenshot(path=picture("restarted"))
    page.get_by_role("button", name="Open the panel again").click()
    expect(gone).to_be_hidden()
    expect(page.locator(".cb-input")).to_have_value("a draft")
    expect(page.locator(".cb-summary .cb-name")).to_have_text("Local")


def test_in_a_tab_of_its_own_the_log_alone_scrolls(
    panel: Opens, server: ScriptedServer
) -> None:
    server.script(reply("\n\n".join(f"Paragraph {n}." for n in range(60))))
    notebook = panel("parts_tab")
    page = notebook.page
    ask(page, "a long story")
    ended(page)
    page.evaluate(IN_TAB)
    page.locator(".jp-LinkedOutputView .cb-foot .cb-line").wait_for()
    expect(page.locator(".jp-LinkedOutputView .cb-settled")).to_contain_text(
        "Paragraph 59."
    )
    page.screenshot(path=picture("tab"))
    assert page.evaluate(HEIGHTS) == {
        "fills": True,
        "composerIsInView": True,
        "scrolls": ["cb-log"],
    }


def test_the_list_of_models_shows_all_whatever_the_field_says(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    server.script(model_list("llama3", "qwen"), path=MODELS)
    page = shared_panel().page
    unfold_settings(page)
    field = page.get_by_label("Model", exact=True)
    field.fill("qwen")
    field.press("Enter")
    field.blur()
    expect(page.locator(".cb-facts")).to_contain_text("qwen")
    # The browser offers what fits the text in the field.
    field.focus()
    expect(field).to_have_value("")
    expect(field).to_have_attribute("placeholder", "qwen")
    options = field.evaluate("field => [...field.list.options].map(({value}) => value)")
    assert options == ["llama3", "qwen"]
    field.blur()
    expect(field).to_have_value("qwen")
    field.focus()
    field.press("End")
    expect(field).to_have_value("qwen")
    field.press("Backspace")
    expect(field).to_have_value("qwe")
    field.press("n")
    field.blur()
    field.focus()
    field.press("Backspace")
    expect(field).to_have_value("")
    field.blur()
    choice = page.get_by_label("Model in use")
    expect(choice).to_have_value("llama3")
    expect(field).to_have_value("")
    expect(field).to_have_attribute("placeholder", "chosen automatically")


def test_completion_is_turned_on_by_one_click_and_off_again(
    shared_panel: Opens, server: ScriptedServer
) -> None:
    SUFFIX.on(server)
    page = shared_panel().page
    unfold_settings(page)
    box = page.locator(".codebuddy-completion input")
    notes = page.locator(".cb-notes")
    expect(box).not_to_be_checked()
    box.check()
    expect(notes).to_contain_text("coder completes code while you type.")
    page.screenshot(path=picture("completion"))
    box.uncheck()
    expect(notes).to_contain_text("Code is not completed while you type.")
    server.script(as_json({"error": {"message": "no"}}, 404), path=COMPLETIONS)
    server.script(model_list("llama3"), path=MODELS)
    page.get_by_label("Model", exact=True).fill("llama3")
    page.get_by_label("Model", exact=True).press("Enter")
    # The list of facts goes away and comes back: what is below moves.
    expect(page.locator(".cb-facts")).to_contain_text("llama3")
    box.click()
    expect(notes).to_contain_text("llama3 cannot write in the middle of a text")
    expect(box).not_to_be_checked()
    expect(notes.get_by_role("button", name="Download one")).to_be_visible()
