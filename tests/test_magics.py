"""The magics in a shell of this process: what is typed, and what becomes of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.display.screens import Display
from codebuddy_jupyter.errors import ProviderError, SettingError
from codebuddy_jupyter.ipython.extension import Extension
from codebuddy_jupyter.ipython.line import PARSER
from codebuddy_jupyter.ipython.magics import BuddyMagics
from tests.support.fakes import FakeProvider, texts


class StillExtension(Extension):
    """An extension whose panels only take note of being opened."""

    opened = 0

    def panel(self) -> Any:
        """Count a panel."""
        self.opened += 1
        return "a panel"


@pytest.fixture
def extension(shell: InteractiveShell, buddy: Buddy) -> Iterator[StillExtension]:
    """The extension, loaded into a shell, with fakes for providers."""
    extension = StillExtension(shell)
    extension._buddy_and_display = buddy, Display()
    yield extension
    extension.unload()


def ask(extension: Extension, line: str, cell: str | None = None) -> Any:
    if cell is None:
        return extension.shell.run_line_magic("buddy", line)
    return extension.shell.run_cell_magic("buddy", line, cell)


COMMANDS = {
    "line": ("/version", None),
    "blanks before": ("   /version", None),
    "cell": ("", "/version\n"),
    "blank line": ("", "\n/version\n"),
    "blank lines and blanks": ("  ", "\n  \n  /version\n"),
    "option": ("-p local /version", None),
    "option, blank line": ("-p local", "\n/version\n"),
    "in capitals": ("/VERSION", None),
}


@pytest.mark.parametrize(("line", "cell"), COMMANDS.values(), ids=COMMANDS)
def test_a_slash_after_blanks_and_blank_lines_is_a_command(
    extension: Extension,
    fake: FakeProvider,
    capsys: pytest.CaptureFixture[str],
    line: str,
    cell: str | None,
) -> None:
    assert ask(extension, line, cell) is None
    assert capsys.readouterr().out.startswith("codebuddy-jupyter ")
    assert not fake.requests


def test_a_task_after_blank_lines_is_asked(
    extension: Extension, fake: FakeProvider
) -> None:
    ask(extension, "", "\n /review be brief\nx = 1\n")
    prompt = texts(fake.requests[0])[-1][1]
    assert "Review the code below" in prompt
    assert "be brief" in prompt
    assert "x = 1" in prompt


def test_an_unknown_command_is_not_sent(
    extension: Extension, fake: FakeProvider
) -> None:
    with pytest.raises(SettingError, match=r"Did you mean /version\?"):
        extension.shell.magics_manager.magics["cell"]["buddy"]("", "\n/versoin")
    assert not fake.requests


@pytest.mark.parametrize("line", ["--help", "-h", "-t 0 --help", "--help /version"])
def test_the_option_help_shows_the_help(
    extension: Extension, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    ask(extension, line)
    assert "%buddy /models" in capsys.readouterr().out


def test_panel_opens_in_a_kernel(
    extension: StillExtension, capsys: pytest.CaptureFixture[str]
) -> None:
    extension.shell.kernel = SimpleNamespace()
    ask(extension, "", "\n/panel")
    assert extension.opened == 1
    assert "a panel" in capsys.readouterr().out


def test_panel_explains_itself_elsewhere(
    extension: StillExtension, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(extension, "/panel")
    assert extension.opened == 0
    assert "only in a cell of a notebook" in capsys.readouterr().out


def test_a_dry_run_shows_what_a_task_would_send(
    extension: Extension, fake: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(extension, "--dry-run /explain", "x = 1")
    assert "Explain the code below" in capsys.readouterr().out
    assert not fake.requests


def test_the_documentation_lists_every_option_as_it_is_declared() -> None:
    documented = inspect.getdoc(BuddyMagics.ask) or ""
    described = {}
    for line in documented.splitlines():
        option, _, description = line.strip().partition("  ")
        described[option] = description.strip()
    for action in PARSER._actions:
        flags = ", ".join(action.option_strings)
        found = [option for option in described if f"{option} ".startswith(f"{flags} ")]
        assert [described[option] for option in found] == [action.help]


USED = "has no effect now, since Local is in use. Switch: `%buddy /use openai`"


def test_a_setting_of_a_provider_that_is_not_in_use_says_so_once(
    extension: StillExtension, capsys: pytest.CaptureFixture[str]
) -> None:
    def ran(source: str) -> str:
        extension.shell.run_cell(source)
        return capsys.readouterr().out.strip()

    ran("%config")
    unused, used = "FakeCloud", "FakeProvider"
    assert ran(f"%config {used}.model = 'a'") == ""
    expected = f"`{unused}.model` {USED}"
    assert (
        ran(f"%config {unused}.model = 'b'\n%config {unused}.model = 'c'") == expected
    )
    assert ran(f"%config {unused}.temperature = 1") == ""
    assert ran("%buddy /version").startswith("codebuddy")
    extension.buddy.change({"provider": "OpenAI"})
    assert "since OpenAI is in use" in ran(f"%config {used}.model = 'a'")


def test_a_cell_that_sets_a_provider_and_then_uses_it_says_nothing(
    extension: StillExtension, capsys: pytest.CaptureFixture[str]
) -> None:
    extension.shell.run_cell("%config")
    capsys.readouterr()
    unused = "FakeCloud"
    source = f"%config {unused}.model = 'b'\n%config Buddy.provider = 'openai'"
    extension.shell.run_cell(source)
    assert capsys.readouterr().out == ""


class AddingDisplay(Display):
    """A display that adds cells, which are kept here."""

    def __init__(self) -> None:
        super().__init__()
        self.added: list[tuple[str, bool]] = []

    def can_add_cell(self) -> bool:
        """Return True."""
        return True

    def add_cell(self, source: str, *, replace: bool = False) -> None:
        """Keep a cell."""
        self.added.append((source, replace))


@pytest.fixture
def adding(extension: StillExtension, buddy: Buddy) -> AddingDisplay:
    """The display of the extension, in a front end that adds cells."""
    display = AddingDisplay()
    extension._buddy_and_display = buddy, display
    return display


@pytest.mark.parametrize(
    ("line", "replaces"),
    [("-f code load a.csv", False), ("--replace load a.csv", True)],
)
def test_code_becomes_a_cell_which_is_not_run(
    extension: StillExtension,
    fake: FakeProvider,
    adding: AddingDisplay,
    line: str,
    replaces: bool,
) -> None:
    fake.replies.append(["```python\nloaded = 1\n```"])
    reply = ask(extension, line)
    assert adding.added == [("loaded = 1", replaces)]
    assert "loaded" not in extension.shell.user_ns
    assert reply.format == "code"


def test_other_answers_become_no_cell(
    extension: StillExtension, fake: FakeProvider, adding: AddingDisplay
) -> None:
    fake.replies += [["```python\nx = 1\n```"], ["```python\nx = 1\n```"]]
    ask(extension, "how?")
    ask(extension, "-f text how?")
    assert adding.added == []


def test_code_that_broke_off_becomes_no_cell(
    extension: StillExtension, fake: FakeProvider, adding: AddingDisplay
) -> None:
    fake.replies.append(["```python\nx = 1\n```", ProviderError("It is gone.")])
    with pytest.raises(ProviderError):
        extension.shell.magics_manager.magics["line"]["buddy"]("-f code load")
    assert adding.added == []


def test_apply_puts_the_new_text_below(
    extension: StillExtension, fake: FakeProvider, adding: AddingDisplay
) -> None:
    fake.replies.append(["```bash\nls\n```"])
    ask(extension, "how?")
    ask(extension, "/apply")
    assert adding.added == [("%%bash\nls", False)]


def test_replace_takes_no_other_format(extension: Extension) -> None:
    with pytest.raises(SettingError, match="--replace takes code"):
        PARSER.read("--replace -f json load a.csv")
