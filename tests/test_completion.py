"""Completion by Tab: in a prompt by the buddy, everywhere else as IPython does it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.commands import COMMANDS
from codebuddy_jupyter.commands.completion import (
    Completions,
    Offers,
    Suggestion,
    install,
    uninstall,
)

NAMES = ("df", "df_clean", "x")
SHELL = SimpleNamespace(
    history_manager=SimpleNamespace(input_hist_parsed=["", "a"], output_hist={})
)


@pytest.fixture
def shell(shell: InteractiveShell) -> InteractiveShell:
    """A shell without jedi, which takes seconds; kernels complete with it in their tests."""
    shell.Completer.use_jedi = False
    return shell


@pytest.fixture
def completing(shell: InteractiveShell, tmp_path: Path) -> InteractiveShell:
    """A shell that completes prompts; three cells have run, and one returned a value."""
    for name in ("sales.csv", "my notes.txt", ".hidden", "data/more.csv"):
        path = tmp_path / "book" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    history: Any = shell.history_manager
    history.input_hist_parsed[:] = ["", "a = 1", "a", "", "print(a)"]
    history.output_hist.clear()
    history.output_hist[2] = 1
    install(
        shell,
        names=lambda: NAMES,
        folder=lambda: tmp_path / "book",
    )
    return shell


def offered(shell: InteractiveShell, text: str, offset: int | None = None) -> list[Any]:
    """The completions at the end of a text, or at an offset."""
    with provisionalcompleter():
        return list(
            shell.Completer.completions(text, len(text) if offset is None else offset)
        )


def texts(found: Iterable[Any]) -> list[str]:
    return [completion.text for completion in found]


@pytest.mark.parametrize(
    "text",
    [
        "%buddy why is @d",
        "answer = %buddy @d",
        "%%buddy @d",
        "%%buddy -m x\nfirst line\n(see @d",
        "\n %%buddy\n@d",
    ],
)
def test_variables_are_suggested_in_every_kind_of_prompt(
    completing: InteractiveShell, text: str
) -> None:
    completions = offered(completing, text)
    assert texts(completions) == ["@df", "@df_clean"]
    assert {(text[found.start : found.end], found.type) for found in completions} == {
        ("@d", "instance")
    }


def test_everything_that_can_be_mentioned_is_suggested(
    completing: InteractiveShell,
) -> None:
    assert texts(offered(completing, "%buddy @")) == [
        *("@df", "@df_clean", "@x", "@error", "@plot", "@file:", "@pkg:"),
        *("@In[4]", "@In[2]", "@In[1]", "@Out[2]"),
    ]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("@I", ["@In[4]", "@In[2]", "@In[1]"]),
        ("@In[", ["@In[4]", "@In[2]", "@In[1]"]),
        ("@In[2", ["@In[2]"]),
        ("@Out[", ["@Out[2]"]),
        ("@e", ["@error"]),
        ("@file:", ["@file:data/", '@file:"my notes.txt"', "@file:sales.csv"]),
        ("@file:s", ["@file:sales.csv"]),
        ("@file:.", ["@file:.hidden"]),
        ("@file:data/", ["@file:data/more.csv"]),
        ('@file:"my', ['@file:"my notes.txt"']),
        ("@file:'my n", ["@file:'my notes.txt'"]),
        ('@file:"da', ['@file:"data/']),
    ],
)
def test_each_kind_of_mention_is_completed(
    completing: InteractiveShell, typed: str, found: list[str]
) -> None:
    text = f"%%buddy\nlook at {typed}"
    got = offered(completing, text)
    assert texts(got) == found
    assert {text[found.start : found.end] for found in got} == {typed}


def test_an_absolute_path_is_completed(
    completing: InteractiveShell, tmp_path: Path
) -> None:
    typed = f"{(tmp_path / 'book').as_posix()}/sa"
    assert texts(offered(completing, f"%buddy @file:{typed}")) == [
        f"@file:{typed}les.csv"
    ]


@pytest.mark.parametrize("typed", ["../", "nowhere/", "\0/", "sales.csv/"])
def test_a_path_that_would_be_refused_is_not_suggested(
    completing: InteractiveShell, typed: str
) -> None:
    completions = vars(completing.Completer)["completions"]
    assert (
        completions.suggestions(f"%buddy @file:{typed}", len(f"%buddy @file:{typed}"))
        == []
    )


@pytest.mark.parametrize(
    "text",
    [
        "%buddy /",
        "%%buddy /",
        "%%buddy\n/",
        "%buddy -n /",
        "%buddy -m ollama/qwen:7b -t 0 /",
        "x = %buddy /",
    ],
)
def test_commands_are_suggested_at_the_start_of_a_prompt(
    completing: InteractiveShell, text: str
) -> None:
    assert texts(offered(completing, text)) == [f"/{name}" for name in COMMANDS]
    assert texts(offered(completing, f"{text}mo")) == ["/models"]


def test_the_cursor_may_be_inside_the_text(completing: InteractiveShell) -> None:
    text = "%%buddy\nis @d right?\nmore"
    assert [
        (found.start, found.end, found.text) for found in offered(completing, text, 13)
    ] == [
        (11, 13, "@df"),
        (11, 13, "@df_clean"),
    ]


def test_other_code_is_completed_as_before(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    others = (
        "va",
        "value @ val",
        "@val",
        "# %buddy\nval",
        "%buddy hello\nval",
        "%%buddy me",
        "%%time\nval",
        "%bud",
        "%%bud",
        "%buddyish @val",
        "mail@",
        "%buddy mail@va",
        r"%buddy \@va",
        "import o",
        "'abc'.up",
        "%buddy why /he",
    )
    shell.user_ns.update(value=1, value_two={"a": 1})
    before = {text: offered(shell, text) for text in others}
    assert before["va"]
    install(shell, names=lambda: ["value"], folder=lambda: tmp_path, commands=())
    assert {text: offered(shell, text) for text in others} == before
    found = [one for completions in before.values() for one in completions]
    assert not any(isinstance(one, Suggestion) for one in found)


def test_a_prompt_without_suggestions_is_completed_as_before(
    completing: InteractiveShell,
) -> None:
    assert not any(
        isinstance(found, Suggestion) for found in offered(completing, "%buddy @zzz")
    )


def test_uninstalling_restores_the_completer(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    before = dict(vars(shell.Completer))
    for _ in range(2):
        install(shell, names=lambda: NAMES, folder=lambda: tmp_path, commands=())
    uninstall(shell)
    assert vars(shell.Completer) == before
    uninstall(shell)
    assert vars(shell.Completer) == before


def test_a_later_replacement_of_the_completer_stays(
    completing: InteractiveShell,
) -> None:
    over = vars(completing.Completer)["completions"].original
    vars(completing.Completer)["completions"] = over
    uninstall(completing)
    assert vars(completing.Completer)["completions"] is over


def test_commands_and_variables_are_looked_up_at_each_tab(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    names: list[str] = []
    commands: dict[str, int] = {}
    install(shell, names=lambda: names, folder=lambda: tmp_path, commands=commands)
    names.append("later")
    commands["mine"] = 1
    assert texts(offered(shell, "%buddy @la")) == ["@later"]
    assert texts(offered(shell, "%buddy /m")) == ["/mine"]


@given(
    st.text(alphabet="%buddy @/\n-mfile:\"'In[3]. \\", max_size=40), st.integers(0, 40)
)
def test_any_text_is_completed(text: str, offset: int) -> None:
    offers = Offers(SHELL, lambda: NAMES, lambda: Path.cwd() / "nowhere", ("help",))
    completions = Completions(lambda text, offset: iter(()), offers)
    cell = f"%%buddy {text}"
    at = min(offset + 8, len(cell))
    assert all(0 <= found.start <= found.end == at for found in completions(cell, at))


@pytest.mark.parametrize("piece", ["@", '@file:"', "-m ", " ", "- a", "@a/"])
def test_a_long_line_is_completed(piece: str) -> None:
    completions = Completions(
        lambda text, offset: iter(()),
        Offers(SHELL, lambda: NAMES, lambda: None, ("help",)),
    )
    text = f"%buddy {piece * 50_000}"
    list(completions(text, len(text)))


def test_what_installed_packages_have_is_completed(
    completing: InteractiveShell,
) -> None:
    found = texts(offered(completing, "%buddy how does @pkg:json.du"))
    assert found == ["@pkg:json.dump", "@pkg:json.dumps"]
    assert "@pkg:json" in texts(offered(completing, "%buddy @pkg:jso"))
    assert "@pkg:" in texts(offered(completing, "%buddy @pk"))


def test_each_completion_says_what_it_is(shell: InteractiveShell) -> None:
    shell.user_ns.update(df=[1], n=[2])
    history: Any = shell.history_manager
    history.input_hist_parsed[:] = ["", "n = 1\nm = 2", "%buddy why?"]
    offers = Offers(shell, lambda: ["df", "n"], lambda: None)

    def described(typed: str) -> dict[str, str]:
        _, completions = offers.find(typed)
        return {found[0]: offers.description(found) for found in completions}

    names = described("why is @")
    # The one that the last cell of the user has comes first.
    assert list(names)[:2] == ["@n", "@df"]
    assert names["@df"] == "list"
    assert names["@error"] == "the last error"
    assert names["@In[1]"] == "n = 1"
    assert described("/fi") == {"/fix": COMMANDS["fix"].description}
    assert described("@file:x") == {}


def test_what_a_cell_was_that_is_gone_is_not_said() -> None:
    offers = Offers(SHELL, lambda: NAMES, lambda: None)
    assert offers.description(("@In[7]", "cell")) == ""
    assert offers.description(("@file:a.csv", "path")) == ""
