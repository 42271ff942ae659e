"""A conversation as a file: readable and safe; no other file is overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.conversation import Chat, Turn
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.display.export import as_markdown, as_notebook, export
from codebuddy_jupyter.errors import SettingError
from codebuddy_jupyter.markdown.safe import neutralise
from codebuddy_jupyter.messages import Chunk
from tests.support.attacks import ATTACKS
from tests.support.command_line import run_line
from tests.support.fakes import fake_of

CODE = "%timeit f('x')\n\n```not a fence```\nprint(1)"
ANSWER = (
    f"Two ways.\n\n````python\n{CODE}\n````\n\nor\n\n```bash\nls\n```\n\n"
    "- in a list:\n\n  ```python\n  inside\n  ```\n"
)


def chat(
    *turns: tuple[str, str], complete: bool = True, format: str = "markdown"
) -> Chat:
    made = []
    for question, answer in turns:
        reply = Reply.ended_with(
            question, Chunk(answer), Loop(), complete=complete, format=format
        )
        reply.provider, reply.model = "Local", "llama3"
        made.append(Turn(question, reply, asked=0.0))
    return Chat(made)


def unchanged(text: str) -> str:
    return text


def cells(text: str) -> list[tuple[str, str]]:
    notebook: Any = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_markdown_holds_every_turn_in_order() -> None:
    text = as_markdown(chat(("1?\nin two lines", "One."), ("2?", ANSWER)), unchanged)
    assert text.startswith("> 1?\n> in two lines\n\nOne.\n\nLocal · llama3 · ")
    assert text.index("One.") < text.index("> 2?") < text.index("Two ways.")
    assert CODE in text


def test_a_notebook_has_the_python_in_code_cells_that_were_not_run() -> None:
    text = as_notebook(chat(("2?", ANSWER)), unchanged)
    exported = cells(text)
    assert [type for type, _ in exported] == [
        "markdown",
        "markdown",
        "code",
        "markdown",
        "markdown",
    ]
    assert exported[2] == ("code", CODE)
    assert "```bash\nls\n```" in exported[3][1]
    assert "inside" in exported[3][1]
    assert [
        cell["outputs"]
        for cell in json.loads(text)["cells"]
        if cell["cell_type"] == "code"
    ] == [[]]


@pytest.mark.parametrize("make", [as_markdown, as_notebook])
def test_an_answer_that_broke_off_says_so(make: Callable[..., str]) -> None:
    assert "*This answer broke off.*" in make(
        chat(("1?", "```python\nhalf"), complete=False), unchanged
    )
    assert "broke off" not in make(chat(("1?", "whole")), unchanged)


@pytest.mark.parametrize("format", ["text", "json", "html"])
def test_an_answer_of_another_format_is_fenced(format: str) -> None:
    text = as_markdown(chat(("1?", "<b>[1]</b>"), format=format), unchanged)
    assert f"```{'' if format == 'text' else format}\n<b>[1]</b>\n```" in text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "![x](https://evil.example/x.png)",
        "<img src=x onerror=a>",
    ],
)
@pytest.mark.parametrize("make", [as_markdown, as_notebook])
def test_answers_and_questions_are_neutralised(
    make: Callable[..., str], text: str
) -> None:
    made = make(chat((text, text)), unchanged)
    prose = (
        made if make is as_markdown else "\n".join(source for _, source in cells(made))
    )
    assert "<script" not in prose
    assert "<img" not in prose
    assert "![x](http" not in prose


def test_secrets_in_questions_are_redacted(buddy: Buddy) -> None:
    secret = "sk-proj-" + "aB3dE5gH7jK9mN1pQ3sT5vW7" * 2
    for make in (as_markdown, as_notebook):
        assert secret not in make(
            chat((f"why does {secret} fail?", "Well.")), buddy.redacted
        )


@pytest.mark.parametrize("name", ["chat.md", "chat.ipynb", "CHAT.MD"])
def test_no_file_is_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    files = [export(chat(("1?", "One.")), tmp_path / name, unchanged) for _ in range(2)]
    stem, _, suffix = name.partition(".")
    assert [file.name for file in files] == [f"{stem}-2.{suffix}", f"{stem}-3.{suffix}"]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["chat.txt", "chat", "missing/chat.md", ".md", "a\0b.md"]
)
def test_what_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError) as caught:
        export(chat(("1?", "One.")), tmp_path / name, unchanged)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_another_kind_of_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        export(chat(("1?", "One.")), tmp_path / "chat.txt", unchanged)
    assert str(caught.value) == (
        "/export writes .md and .ipynb files, not chat.txt. "
        "Choose a name such as: %buddy /export notes.md"
    )


def test_half_a_character_can_be_written(tmp_path: Path) -> None:
    for name in ("chat.md", "chat.ipynb"):
        assert export(
            chat(("\ud800?", "so \udfff\0")), tmp_path / name, unchanged
        ).exists()


def test_the_command_writes_the_conversation_and_says_where(
    buddy: Buddy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match="There is no conversation yet"):
        run_line(buddy, "/export")
    fake_of(buddy).replies = [["Well."]]
    buddy.ask("why?").result()
    for line, name in (
        ("/export", "chat.md"),
        ("/export 'my notes.ipynb'", "my notes.ipynb"),
    ):
        assert "is written to" in run_line(buddy, line)
        assert "Well." in (tmp_path / name).read_text(encoding="utf-8")


def test_a_mark_in_one_answer_frees_no_code_in_the_next() -> None:
    for mark in ("$$", "\\[", "\\begin{align}", "```", "~~~~"):
        made = as_markdown(
            chat(
                ("1?", f"costs {mark}"),
                ("2?", f"```html\n{mark}<img src=x onerror=a>\n```"),
            ),
            unchanged,
        )
        assert neutralise(made) == made


def test_every_attack_is_made_safe() -> None:
    for attack in ATTACKS.values():
        made = as_markdown(chat((attack, attack), ("2?", attack)), unchanged)
        assert neutralise(made) == made
        for type, source in cells(as_notebook(chat((attack, attack)), unchanged)):
            assert type == "code" or neutralise(source) == source


@pytest.mark.skipif(os.name != "posix", reason="this system has no permission bits")
def test_an_exported_file_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        file = export(chat(("1?", "One.")), tmp_path / "chat.md", unchanged)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["chat.md"]
