"""The buddy's own cells and errors, which are no part of the notebook."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.context.buddy_cells import is_buddy_cell, is_buddy_error
from codebuddy_jupyter.errors import PromptError

OURS = {
    "cell magic": ("%%buddy -t 0\nwhy?", True),
    "after blank lines": ("\n\n%%buddy\nwhy?", True),
    "line magic": ("%buddy why is df empty?", True),
    "its value kept": ("x = %buddy why?", True),
    "set up": (
        (
            "# the model\n%load_ext codebuddy_jupyter\n"
            "%config LocalProvider.model = 'a'\n%config Buddy.offline=1"
        ),
        True,
    ),
    "timed": ("%time %buddy why?", True),
    "timed with options": ("%timeit -n1 -r 1 %buddy why?", True),
    "timed, its value kept": ("%time x = %buddy why?", True),
    "timed value": ("x = %time %buddy why?", True),
    "below a magic": ("%%time\n# the question\n%buddy why?", True),
    "cell magic below a magic": ("%%time\n%%buddy\nwhy?", True),
    "cell magic below comments": ("# one\n\n# two\n%%buddy\nwhy?", True),
    "in a shell": ("!%buddy why?", True),
    "without a sign": ("buddy why is it empty?", True),
    "cell magic below code": ("import os\n%%buddy\nwhy?", False),
    "magic alone": ("%%time\nbuddy = 1", False),
    "loaded again": ("%reload_ext codebuddy_jupyter", True),
    "mixed": ("import os\n%buddy why?", False),
    "other magic": ("%%time\n1", False),
    "other that begins alike": ("%%buddys\n1", False),
    "other setting": ("%config InlineBackend.figure_format = 'svg'", False),
    "python": ("buddy = 1", False),
    "a remainder": ("a %buddy", False),
    "comment": ("# %buddy", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("source", "ours"), OURS.values(), ids=OURS)
def test_a_cell_that_only_talks_to_the_buddy_is_known(source: str, ours: bool) -> None:
    assert is_buddy_cell(source) is ours


def test_an_error_of_this_package_is_the_buddys() -> None:
    assert is_buddy_error(PromptError("no"))
    assert not is_buddy_error(ValueError("no"))


def test_an_error_whose_class_hides_its_module_is_the_users() -> None:
    hidden = type("Hidden", (Exception,), {"__module__": None})
    assert not is_buddy_error(hidden())
