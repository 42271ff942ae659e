"""The panel's script in front ends that offer less than JupyterLab, or something else:
stand-ins for what the widget managers of VS Code and others give.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from codebuddy_jupyter.widgets.modules import joined_script, joined_styles

ADDRESS = "http://plain.invalid/"
# A front end with a notebook that is a sham, and either VS Code's renderer, or the one of
# JupyterLab without a parser of Markdown.
SHOW = """async ([source, kind]) => {
    const listeners = new Set();
    const rendermime = {createRenderer: () => { throw new Error('not asked'); }};
    const renderer = {renderOutputItem: (item, element) => {
        if (kind === 'broken') throw new Error('broken');
        const root = element.shadowRoot ?? element.attachShadow({mode: 'open'});
        const block = document.createElement('code');
        block.className = 'language-python';
        block.textContent = item.text().replace(/^```.*\\n|```$/gm, '');
        const pre = document.createElement('pre');
        pre.append(block);
        root.replaceChildren(pre);
    }};
    delete globalThis.jupyter_vscode_rendererContext;
    if (kind !== 'without parser') {
        const getRenderer = async () => (kind === 'no renderer' ? undefined : renderer);
        globalThis.jupyter_vscode_rendererContext = {getRenderer};
    }
    window.inserted = [];
    const sharedModel = {cells: [], insertCell: (...cell) => window.inserted.push(cell)};
    window.sent = [];
    const model = {
        on: (name, listener) => { if (name === 'msg:custom') listeners.add(listener); },
        off: (name, listener) => listeners.delete(listener),
        get: () => undefined,
        send: content => window.sent.push(content),
        widget_manager: {rendermime, context: {model: {sharedModel}}},
    };
    window.fromKernel = message => { for (const listener of listeners) listener(message); };
    const module = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
    const panel = document.body.appendChild(document.createElement('div'));
    panel.className = 'codebuddy-panel';
    const el = panel.appendChild(document.createElement('div'));
    module.default.render({model, el});
}"""
ANSWER = """text => {
    const {view} = window.sent.find(({type}) => type === 'ready');
    const turn = {turn: 1, question: 'why?', from: 0, blocks: [text], tail: '', done: true,
        line: 'llama3', error: null, has_text: true};
    const languages = {python: '', bash: '%%bash'};
    window.fromKernel({type: 'all', view, turns: [turn], cell: '', languages});
}"""
KEYS = """() => {
    window.keys = [];
    window.addEventListener('keydown', ({key}) => window.keys.push(key));
}"""
CODE = "```python\nx = 1\n```\n"


@pytest.fixture(scope="module")
def plain(browser: Browser) -> Iterator[Page]:
    """A page of nothing, for all tests here."""
    page = browser.new_page()
    page.route(
        "**/*",
        lambda route: route.fulfill(
            body="<!doctype html><body>", content_type="text/html"
        ),
    )
    yield page
    page.close()


def shown(page: Page, kind: str) -> Page:
    """The page with a chat in a front end of this kind."""
    page.goto(ADDRESS)
    page.add_style_tag(content=joined_styles("base.css", "chat/chat.css"))
    page.evaluate(SHOW, [joined_script("chat/view.js"), kind])
    return page


def sent(page: Page, kind: str) -> list[dict[str, Any]]:
    """What the page has sent of a kind."""
    messages: list[dict[str, Any]] = page.evaluate("() => window.sent")
    return [message for message in messages if message["type"] == kind]


def test_code_in_a_shadow_root_has_its_buttons(plain: Page) -> None:
    page = shown(plain, "shadow")
    page.evaluate(ANSWER, CODE)
    expect(page.locator(".cb-code button")).to_have_text(["Copy", "Insert below"])
    # The styles of the page reach them.
    assert page.locator(".cb-code").evaluate("row => row.getRootNode() === document")


def test_a_notebook_of_no_file_is_neither_sent_nor_written_to(plain: Page) -> None:
    page = shown(plain, "shadow")
    page.evaluate(ANSWER, CODE)
    page.locator(".cb-input").fill("why?")
    page.locator(".cb-input").press("Enter")
    assert sent(page, "ask")[0]["cells"] is None
    page.get_by_role("button", name="Insert the code").click()
    assert [message["code"] for message in sent(page, "insert")] == ["x = 1"]
    assert page.evaluate("() => window.inserted") == []


@pytest.mark.parametrize("kind", ["without parser", "no renderer", "broken"])
def test_without_a_renderer_of_markdown_prose_is_plain_text(
    plain: Page, kind: str
) -> None:
    page = shown(plain, kind)
    page.evaluate(ANSWER, "Just *prose*.\n")
    expect(page.locator(".cb-plain")).to_have_text("Just *prose*.")
    expect(page.locator(".cb-code")).to_have_count(0)


def test_languages_that_no_cell_can_run_have_no_button_to_insert(plain: Page) -> None:
    page = shown(plain, "without parser")
    page.evaluate(ANSWER, "```bash\nls\n```\n\nThen:\n\n```sql\nSELECT 1\n```\n")
    expect(page.locator(".cb-code")).to_have_count(2)
    inserts = page.get_by_role("button", name="Insert the code")
    expect(inserts).to_have_count(1)
    inserts.click()
    assert sent(page, "insert")[0]["code"] == "%%bash\nls"


@pytest.mark.parametrize(
    ("is_vscode", "keys"),
    [
        (True, ["F1", "Control", "P", "Control", "f"]),
        (False, ["Control", "Control"]),
    ],
    ids=["VS Code", "elsewhere"],
)
def test_keys_of_vs_code_reach_it_from_the_composer(
    plain: Page, is_vscode: bool, keys: list[str]
) -> None:
    page = shown(plain, "shadow")
    if is_vscode:
        page.evaluate(
            "() => { document.body.dataset.vscodeThemeKind = 'vscode-dark'; }"
        )
    page.evaluate(KEYS)
    page.evaluate(
        """() => {
            const area = document.querySelector('.cb-input');
            const press = (key, more = {}) => area.dispatchEvent(
                new KeyboardEvent('keydown', {key, bubbles: true, ...more}));
            press('F1');
            press('Control', {ctrlKey: true});
            press('P', {ctrlKey: true, shiftKey: true});
            press('Control', {ctrlKey: true});
            press('f', {ctrlKey: true});
            press('d');
        }"""
    )
    reached = page.evaluate("() => window.keys")
    assert [key for key in reached if key != "Control"] == [
        key for key in keys if key != "Control"
    ]


def test_the_colours_are_those_of_vs_code_where_it_sets_them(plain: Page) -> None:
    page = shown(plain, "shadow")
    page.add_style_tag(
        content=":root { --jp-layout-color1: white; --vscode-editor-background: #123456; }"
    )
    colour = page.locator(".cb-input").evaluate(
        "area => getComputedStyle(area).backgroundColor"
    )
    assert colour == "rgb(18, 52, 86)"
