"""The commands that ask the model, and what they ask about."""

from __future__ import annotations

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.commands import COMMANDS, Call
from codebuddy_jupyter.commands.tasks import TASKS, task_prompt
from codebuddy_jupyter.errors import PromptError
from codebuddy_jupyter.question import prompts
from tests.support.command_line import run_line


def test_every_task_asks_the_model_and_no_other_command_does(buddy: Buddy) -> None:
    asking = {name for name, command in COMMANDS.items() if command.asks_model}
    assert asking == set(prompts.TASKS)
    for name in COMMANDS:
        prompt = Call(name, body="x = 1").prompt(buddy)
        assert (prompt is not None) == (name in prompts.TASKS)
    with pytest.raises(ValueError, match=r"Call\.prompt"):
        run_line(buddy, "/fix")


def test_code_below_a_task_is_fenced_below_its_prompt(buddy: Buddy) -> None:
    prompt = task_prompt(buddy, "explain", "be brief", "\nx = 1\n")
    request, _, code = prompt.partition("\n\n```python\n")
    assert request.startswith("Explain the code below")
    assert "be brief" in request
    assert code == "x = 1\n```\n"


@pytest.mark.parametrize("name", [command.name for command in TASKS])
def test_a_task_without_any_code_says_where_to_type_it(buddy: Buddy, name: str) -> None:
    with pytest.raises(PromptError) as caught:
        task_prompt(buddy, name, "", " \n")
    assert str(caught.value) == (
        f"There is no code to {name} yet. "
        f"Type the code below this line: %%buddy /{name}"
    )
