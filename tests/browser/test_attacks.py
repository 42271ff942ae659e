"""Attacks in a live JupyterLab: shown as they are, they run and fetch; neutralised,
they do nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.display.formats import final_output
from codebuddy_jupyter.markdown.safe import neutralise
from tests.browser.panels import Opens
from tests.browser.recorder import Recorder
from tests.support.attacks import ATTACKS, DEFINITIONS, INNOCENTS, attack
from tests.support.lab import POLLING, READY, Lab, Notebook
from tests.support.replies import ended

# JupyterLab folds the outputs of a cell away after 50
OUTPUTS_PER_CELL = 40
SHOW = """
import json
for text in json.load(open({name!r}, encoding="utf-8"))[{start}:{end}]:
    display({{"text/markdown": text, "text/plain": ""}}, raw=True)
"""
COUNT = "window.ran = window.ran ?? []; window.pwned = name => { window.ran.push(name); }; void 0"
SCROLL = """async () => {
    const {content} = window.notebook;
    for (const [index, cell] of content.widgets.entries()) {
        content.activeCellIndex = index;
        await content.scrollToCell(cell);
        cell.outputArea.node.scrollIntoView({block: 'end'});
        await new Promise(resolve => setTimeout(resolve, 300));
    }
}"""
HAPPENED = (
    "() => [window.ran.length, document.querySelectorAll('mjx-container').length]"
)
TOUCH = """() => {
    const shown = document.querySelectorAll('.jp-OutputArea-output.jp-RenderedMarkdown *');
    let links = 0;
    for (const element of shown) {
        for (const type of ['mouseover', 'mouseenter', 'focus', 'focusin'])
            element.dispatchEvent(new MouseEvent(type, {bubbles: true}));
        if (element.tagName.toLowerCase() !== 'a') continue;
        links += 1;
        const href = element.getAttribute('href') ?? element.getAttribute('xlink:href') ?? '';
        if (/^(https?|mailto):|^#/.test(href)) {
            element.addEventListener('click', event => event.preventDefault());
        }
        element.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));
    }
    return links;
}"""


def texts(recorder: Recorder) -> list[str]:
    """All attacks; each reports under its number."""
    return [
        attack(name, f"pwned({number})", f"http://127.0.0.1:{recorder.port}/{number}")
        for number, name in enumerate(ATTACKS)
    ]


def showing(lab: Lab, name: str, shown: list[str]) -> list[str]:
    """Cells that display these texts as Markdown, and each a formula at its end."""
    parts = [
        [*shown[start : start + OUTPUTS_PER_CELL], "The end: $1 + 1$"]
        for start in range(0, len(shown), OUTPUTS_PER_CELL)
    ]
    (lab.root / f"{name}.json").write_text(
        json.dumps([text for part in parts for text in part]), encoding="utf-8"
    )
    sizes = [len(part) for part in parts]
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return [
        SHOW.format(name=f"{name}.json", start=start, end=start + size)
        for start, size in zip(starts, sizes, strict=True)
    ]


def show(notebook: Notebook, recorder: Recorder) -> set[int]:
    """Run all cells, look at and touch everything; gives the numbers of the attacks
    that ran or fetched.
    """
    notebook.page.add_init_script(COUNT)
    notebook.page.evaluate(COUNT)
    notebook.page.route(
        re.compile(r"^https?://(?!127\.0\.0\.1|localhost)"), lambda route: route.abort()
    )
    for index in range(
        int(notebook.page.evaluate("() => window.notebook.content.widgets.length"))
    ):
        notebook.run(index)
    return look(notebook, recorder)


def look(notebook: Notebook, recorder: Recorder) -> set[int]:
    """Bring every output into view, point at all in it, and click on all links."""
    page = notebook.page
    page.evaluate(SCROLL)
    settle(lambda: (page.evaluate(HAPPENED), len(recorder.paths)))
    page.evaluate(TOUCH)
    settle(lambda: (page.evaluate(HAPPENED), len(recorder.paths)))
    fetched = {
        int(found[1]) for path in recorder.paths if (found := re.match(r"/(\d+)", path))
    }
    return {*page.evaluate("() => window.ran"), *fetched}


def settle(state: Callable[[], object]) -> None:
    """Wait until nothing has happened for two seconds; for twenty at most."""
    end = time.monotonic() + 20
    last, since = state(), time.monotonic()
    while time.monotonic() < min(end, since + 2):
        time.sleep(0.2)
        if (now := state()) != last:
            last, since = now, time.monotonic()


def reopened(notebook: Notebook, path: str) -> None:
    """Save, load the page again, and open the notebook again."""
    notebook.page.evaluate(
        "() => window.jupyterapp.commands.execute('docmanager:save')"
    )
    # What JupyterLab opens again by itself could come after what the next test opens.
    workspace, _, _ = notebook.page.url.partition("/tree/")
    notebook.page.goto(f"{workspace}?reset")
    notebook.page.wait_for_function(
        "() => window.jupyterapp !== undefined", polling=POLLING
    )
    notebook.page.evaluate(READY, path)
    notebook.wait_idle()


def is_rendered(notebook: Notebook) -> bool:
    """Tell whether maths has been typeset, which is the last that happens to an output."""
    return bool(
        notebook.page.evaluate(
            "() => document.querySelectorAll('mjx-container').length > 0"
        )
    )


def names(numbers: set[int]) -> list[str]:
    return [name for number, name in enumerate(ATTACKS) if number in numbers]


# Definitions

FORMULA = "$\\beta$ and $$y \\label{beta}$$ and $\\begin{cases}a\\end{cases}$"
BETA = "1D6FD"


def before_formula(lab: Lab, name: str, shown: list[str]) -> list[str]:
    """A cell that displays these texts, and one with a formula of the user's."""
    text = json.dumps([*shown, FORMULA])
    (lab.root / f"{name}.json").write_text(text, encoding="utf-8")
    size = len(shown)
    return [
        SHOW.format(name=f"{name}.json", start=start, end=end)
        for start, end in ((0, size), (size, size + 1))
    ]


def formula_of(notebook: Notebook) -> str:
    """The HTML of the formula once both cells have run."""
    page = notebook.page
    count = "() => document.querySelectorAll('mjx-container').length"
    for index in range(2):
        notebook.run(index)
        page.evaluate(SCROLL)
        settle(lambda: page.evaluate(count))
    return notebook.output_html(1)


def test_maths_shown_as_it_is_defines_something_for_the_page(
    opened_in_new_page: Callable[[str], Notebook], lab: Lab
) -> None:
    cells = before_formula(lab, "defining", list(DEFINITIONS.values()))
    html = formula_of(opened_in_new_page(lab.write("defining.ipynb", cells)))
    assert "mjx-container" in html
    assert BETA not in html


def test_attacks_run_when_they_are_shown_as_they_are(
    opened_in_new_page: Callable[[str], Notebook], lab: Lab, recorder: Recorder
) -> None:
    cells = showing(lab, "plain", texts(recorder))
    notebook = opened_in_new_page(lab.write("plain.ipynb", cells))
    assert len(names(show(notebook, recorder))) >= 60


def test_maths_of_an_answer_defines_nothing_outside_it(shared: Opens, lab: Lab) -> None:
    shown = [neutralise(text) for text in DEFINITIONS.values()]
    html = formula_of(shared(*before_formula(lab, "defined", shown)))
    assert html.count("<mjx-container") == 3
    assert BETA in html
    assert "merror" not in html


# Attacks


def test_attacks_do_nothing_when_they_are_neutralised(
    opened: Callable[[str], Notebook], lab: Lab, recorder: Recorder
) -> None:
    harmless = [neutralise(text) for text in texts(recorder)]
    path = lab.write("neutralised.ipynb", showing(lab, "neutralised", harmless))
    notebook = opened(path)
    assert names(show(notebook, recorder)) == []
    assert is_rendered(notebook)
    reopened(notebook, path)
    assert names(look(notebook, recorder)) == []
    assert is_rendered(notebook)


def test_the_blocks_of_attacks_do_nothing_when_they_are_neutralised_together(
    shared: Opens, lab: Lab, recorder: Recorder
) -> None:
    whole = "\n\n".join(texts(recorder))
    notebook = shared(*showing(lab, "together", [neutralise(whole)]))
    assert names(show(notebook, recorder)) == []
    assert is_rendered(notebook)


def test_innocent_maths_and_code_are_shown_as_such(
    shared: Opens, lab: Lab, recorder: Recorder
) -> None:
    harmless = [neutralise(INNOCENTS[name]) for name in ("maths", "fence of HTML")]
    notebook = shared(*showing(lab, "innocent", harmless))
    assert names(show(notebook, recorder)) == []
    html = notebook.output_html(0)
    assert html.count("<mjx-container") == 3
    assert "onclick" in re.sub(r"<[^>]*>", "", html)


# Pages in a frame

LINKS = {
    "a link": '<a href="URL">x</a>',
    "a link to itself": '<a href="URL" target="_self">x</a>',
    "a link to the parent": '<a href="URL" target="_parent">x</a>',
    "a link to the top": '<a href="URL" target="_top">x</a>',
    "a link after a base": '<base target="_self" href="URL/"><a href="y">x</a>',
    "a link in a drawing": (
        '<svg width="99" height="99"><a href="URL" target="_self">'
        '<rect width="99" height="99"/></a></svg>'
    ),
    "a frame": '<iframe src="URL"></iframe><a href="URL" target="_self">x</a>',
}
FRAMED = """
import json
display(json.load(open({name!r}, encoding="utf-8"))[{index}], raw=True)
"""


def test_a_click_in_an_html_answer_loads_no_page(
    shared: Opens, lab: Lab, recorder: Recorder
) -> None:
    loop = Loop()
    bundles = []
    for number, link in enumerate(LINKS.values()):
        page = link.replace("URL", f"http://127.0.0.1:{recorder.port}/{number}")
        data, _ = final_output(ended(loop, page, format="html"))
        bundles.append(data)
    loop.stop()
    # The same link in a frame alone, which shows that the click would be seen.
    alone = f'<a href="http://127.0.0.1:{recorder.port}/alone">x</a>'
    html = f"<iframe sandbox='' srcdoc='{alone}'></iframe>"
    bundles.append({"text/html": html, "text/plain": ""})
    (lab.root / "frames.json").write_text(json.dumps(bundles), encoding="utf-8")
    cells = [
        FRAMED.format(name="frames.json", index=index) for index in range(len(bundles))
    ]
    notebook = shared(*cells)
    for index in range(len(bundles)):
        notebook.run(index)
        cell = notebook.page.locator(".jp-CodeCell").nth(index)
        cell.scroll_into_view_if_needed()
        frame = cell.frame_locator(".jp-OutputArea iframe")
        if index < len(LINKS):
            frame = frame.frame_locator("iframe")
        frame.locator("a").click()
    settle(lambda: len(recorder.paths))
    assert recorder.paths == ["/alone"]
