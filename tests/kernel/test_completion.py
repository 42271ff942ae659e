"""Completion by Tab in real kernels, with jedi and without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.kernels import SECONDS, Kernel

INSTALL = """
from codebuddy_jupyter.commands import completion
completion.install(
    get_ipython(),
    names=lambda: [name for name in get_ipython().user_ns if name.startswith("sales")],
    folder=lambda: None,
    commands=("help", "models"),
)
sales, sales_2024 = 1, {"north": 1}
"""


def tab(kernel: Kernel, text: str) -> Mapping[str, Any]:
    """What the kernel answers to Tab at the end of a text.

    Without the types of what it names, which IPython leaves out if they take long.
    """
    answer = kernel.client.complete(text, reply=True, timeout=SECONDS)["content"]
    for described in answer["metadata"].get("_jupyter_types_experimental", []):
        del described["type"]
        described.pop("signature", None)
    return dict(answer)


def replaced(text: str, answer: Mapping[str, Any]) -> str:
    return text[answer["cursor_start"] : answer["cursor_end"]]


@pytest.fixture(params=[True, False], ids=["jedi", "no jedi"])
def completing(kernel: Kernel, request: pytest.FixtureRequest) -> Kernel:
    """A kernel that completes questions."""
    kernel.good(f"get_ipython().Completer.use_jedi = {request.param}\n{INSTALL}")
    return kernel


def test_variables_are_suggested_in_a_prompt(completing: Kernel) -> None:
    for text in (
        "%buddy why is @sal",
        "%%buddy -t 0\nfirst\nand @sal",
        "x = %buddy @sal",
    ):
        answer = tab(completing, text)
        # What was bound last is the likeliest.
        assert answer["matches"] == ["@sales_2024", "@sales"]
        assert replaced(text, answer) == "@sal"


def test_commands_cells_and_files_are_suggested_in_a_prompt(completing: Kernel) -> None:
    (completing.home / "a file.csv").touch()
    assert tab(completing, "%buddy /mo")["matches"] == ["/models"]
    assert tab(completing, '%%buddy\n@file:"a f')["matches"] == ['@file:"a file.csv"']
    assert "@In[1]" in tab(completing, "%%buddy\n@In[1")["matches"]


def test_ordinary_completion_is_the_same(completing: Kernel) -> None:
    texts = (
        "sales_2",
        "sales_2024['n",
        "%%time\nsales_2",
        "import o",
        "%%buddy\nsales_2",
        "%bud",
        "sales @ sal",
    )
    ours = [tab(completing, text) for text in texts]
    completing.good("completion.uninstall(get_ipython())")
    assert [tab(completing, text) for text in texts] == ours


def test_uninstalling_leaves_nothing(completing: Kernel) -> None:
    completing.good(
        "completion.uninstall(get_ipython())\n"
        "assert 'completions' not in vars(get_ipython().Completer)"
    )
    assert "@sales" not in tab(completing, "%buddy @sal")["matches"]
