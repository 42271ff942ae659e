"""The inline completions of the JupyterLab extension, in a plain page with a scripted
kernel: what JupyterLab would call is called here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

import codebuddy_jupyter

SCRIPT = (
    Path(codebuddy_jupyter.__file__).parent
    / "labextension"
    / "static"
    / "completion.js"
)
# Nobody is asked for it, the test answers.
ADDRESS = "http://plain.invalid/"
SETUP = """async source => {
    const blob = new Blob([source], {type: 'text/javascript'});
    const { InlineCompletions } = await import(URL.createObjectURL(blob));
    window.asked = [];
    const ask = (kind, content, { onPart, signal }) => new Promise((resolve, reject) => {
        const request = { kind, content, onPart, resolve, reject, isAborted: false };
        signal.addEventListener('abort', () => {
            request.isAborted = true;
            reject(signal.reason);
        });
        window.asked.push(request);
    });
    window.isLoaded = true;
    window.provider = new InlineCompletions(async () => window.isLoaded ? ask : null, 1);
    const watching = new Set();
    const iopubMessage = {
        connect: look => { watching.add(look); }, disconnect: look => { watching.delete(look); },
    };
    window.said = (msg_type, execution_state) => {
        const message = { content: { execution_state }, parent_header: { msg_type } };
        for (const look of [...watching]) look(null, message);
        return watching.size;
    };
    const cell = { model: { id: 'c1' } };
    window.widget = { content: { activeCell: cell }, sessionContext: { iopubMessage } };
    window.fetch_ = (text, more = {}) => window.provider.fetch(
        { text, offset: text.length, mimeType: 'text/x-ipython', ...more.request },
        { triggerKind: more.kind ?? 1, widget: window.widget });
    window.request = async number => {
        while (window.asked.length <= number) await new Promise(go => setTimeout(go, 1));
        return window.asked[number];
    };
}"""


@pytest.fixture(scope="module")
def plain(browser: Browser) -> Iterator[Page]:
    """A page of nothing, for all tests here."""
    page = browser.new_page()
    page.route(ADDRESS, lambda route: route.fulfill(body="<!doctype html>"))
    yield page
    page.close()


@pytest.fixture
def page(plain: Page) -> Page:
    """The page loaded anew, with the provider, and a kernel that the test plays."""
    plain.goto(ADDRESS)
    plain.evaluate(SETUP, SCRIPT.read_text(encoding="utf-8"))
    return plain


def test_a_completion_is_shown_while_it_is_written(page: Page) -> None:
    outcome: Any = page.evaluate("""async () => {
        const fetched = window.fetch_('df.');
        const request = await window.request(0);
        request.onPart({ text: 'he' });
        const { items } = await fetched;
        const [item] = items;
        const shown = [item.insertText];
        const stream = window.provider.stream(item.token);
        await stream.next();
        request.onPart({ text: 'head(' });
        shown.push((await stream.next()).value.response.insertText);
        request.resolve({ text: 'head()', off: false });
        shown.push((await stream.next()).value.response.insertText);
        const last = await stream.next();
        return { shown, isEnd: last.done, isIncomplete: item.isIncomplete,
                 kind: request.kind, content: request.content };
    }""")
    assert outcome["shown"] == ["he", "head(", "head()"]
    assert outcome["isEnd"]
    assert outcome["isIncomplete"]
    assert outcome["kind"] == "complete"
    assert outcome["content"] == {
        "code": "df.",
        "cursor": 3,
        "cell": "c1",
        "asked": False,
    }


def test_the_next_key_cancels_the_request_at_once(page: Page) -> None:
    outcome: Any = page.evaluate("""async () => {
        const first = window.fetch_('d');
        const request = await window.request(0);
        const second = window.fetch_('df');
        const wasAborted = request.isAborted;
        (await window.request(1)).resolve({ text: '.head()', off: false });
        return [wasAborted, (await first).items, (await second).items];
    }""")
    assert outcome == [True, [], [{"insertText": ".head()"}]]


def test_keys_in_quick_succession_make_one_request(page: Page) -> None:
    outcome: Any = page.evaluate("""async () => {
        window.provider.delay = 50;
        const fetched = ['d', 'df', 'df.'].map(text => window.fetch_(text));
        (await window.request(0)).resolve({ text: 'x', off: false });
        const items = (await Promise.all(fetched)).map(({ items }) => items.length);
        return [items, window.asked.map(({ content }) => content.code)];
    }""")
    assert outcome == [[0, 0, 1], ["df."]]


def test_a_cursor_is_counted_in_characters(page: Page) -> None:
    cursor = page.evaluate("""async () => {
        window.fetch_('x = "\\u{1F600}"');
        return (await window.request(0)).content.cursor;
    }""")
    assert cursor == 7


@pytest.mark.parametrize("kind", [0, 1], ids=["by a key", "by typing"])
def test_a_kernel_that_completes_nothing_is_asked_only_by_a_key(
    page: Page, kind: int
) -> None:
    count = page.evaluate(
        """async kind => {
        const first = window.fetch_('df.');
        (await window.request(0)).resolve({ text: '', off: true });
        await first;
        const second = window.fetch_('df.', { kind });
        if (kind === 0) (await window.request(1)).resolve({ text: '', off: true });
        await second;
        return window.asked.length;
    }""",
        kind,
    )
    assert count == (2 if kind == 0 else 1)


def test_a_kernel_without_codebuddy_is_looked_at_again_once_something_has_run(
    page: Page,
) -> None:
    counts: Any = page.evaluate("""async () => {
        window.isLoaded = false;
        await window.fetch_('df.');
        window.isLoaded = true;
        await window.fetch_('df.');
        window.said('complete_request', 'idle');
        window.said('execute_request', 'busy');
        await window.fetch_('df.');
        const before = window.asked.length;
        const watching = window.said('execute_request', 'idle');
        const fetched = window.fetch_('df.');
        (await window.request(0)).resolve({ text: 'x', off: false });
        return [before, watching, (await fetched).items.length];
    }""")
    assert counts == [0, 0, 1]


def test_a_kernel_that_completes_nothing_is_watched_once(page: Page) -> None:
    watching = page.evaluate("""async () => {
        for (const number of [0, 1]) {
            const fetched = window.fetch_('df.', { kind: 0 });
            (await window.request(number)).resolve({ text: '', off: true });
            await fetched;
        }
        return window.said('execute_request', 'busy');
    }""")
    assert watching == 1


@pytest.mark.parametrize("type", ["text/x-rsrc", "text/markdown"])
def test_only_python_is_completed(page: Page, type: str) -> None:
    outcome = page.evaluate(
        """async mimeType => {
        const { items } = await window.fetch_('df.', { request: { mimeType } });
        return [items, window.asked.length];
    }""",
        type,
    )
    assert outcome == [[], 0]


def test_an_error_shows_nothing(page: Page) -> None:
    items = page.evaluate("""async () => {
        const fetched = window.fetch_('df.');
        (await window.request(0)).reject(new Error('no model'));
        return (await fetched).items;
    }""")
    assert items == []
