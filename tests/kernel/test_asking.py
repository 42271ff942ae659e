"""What is typed in a real kernel, and what reaches the model; what a cell that asks is
worth.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kernels import Kernel
from tests.support.scripted_server import (
    MODELS,
    ScriptedServer,
    begun,
    model_list,
    question_in,
    reply,
)


def asked(server: ScriptedServer) -> str:
    """The last question as it came to the server."""
    return question_in(server.asked()[-1]["body"]["messages"][-1])


PROMPTS = {
    "question mark": (
        "%buddy why is df empty after the merge?",
        "why is df empty after the merge?",
    ),
    "two question marks": ("%buddy really??", "really??"),
    "question mark apart": ("%buddy why is it empty ?", "why is it empty ?"),
    "assigned": ("answer = %buddy why is df empty?", "why is df empty?"),
    "in a block": ("if True:\n    %buddy why is df empty?", "why is df empty?"),
    "assigned in a block": (
        "for i in [1]:\n    answer = %buddy is it {i}?",
        "is it 1?",
    ),
    "among other code": (
        "import os\n%buddy why is df empty?\nprint(1)",
        "why is df empty?",
    ),
    "apostrophe": ("%buddy why can't I merge?", "why can't I merge?"),
    "apostrophes and quotes": (
        "%buddy what's \"it's\" in Bob's code",
        "what's \"it's\" in Bob's code",
    ),
    "open bracket": ("%buddy what does df[ mean?", "what does df[ mean?"),
    "open string": ('%buddy what does """ begin?', 'what does """ begin?'),
    "comment sign": ("%buddy what is # for?", "what is # for?"),
    "backslash": (
        r"%buddy what does \n mean in C:\temp?",
        r"what does \n mean in C:\temp?",
    ),
    "shell signs": (
        "%buddy what do !ls, $HOME and %time do?",
        "what do !ls, $HOME and %time do?",
    ),
    "other scripts": ("%buddy 平均は何ですか 😀", "平均は何ですか 😀"),
    "a cell": (
        "%%buddy\nline one\n  line 'two'?\n\nend",
        "line one\n  line 'two'?\n\nend",
    ),
    "line and cell": ("%%buddy explain this:\nx = 1", "explain this:\nx = 1"),
    "value": (
        "n = 3\nnames = ['a']\n%buddy {n} and {names[0]} but not {other} or {{n}}",
        "3 and a but not {other} or {n}",
    ),
    "braces everywhere": (
        "%%buddy\n{ } {{ }} {0} {} {x {y} z} {'a': {1: 2}}",
        "{ } {{ }} {0} {} {x {y} z} {'a': {1: 2}}",
    ),
    "value that looks like a field": ("a, b = '{b}', 'no'\n%buddy {a}", "{b}"),
    "timed": ("%time %buddy why is it empty?", "why is it empty?"),
    "timed loop": ("%timeit -n1 -r1 %buddy why is it empty?", "why is it empty?"),
    "profiled": ("%prun -q %buddy why isn't it empty?", "why isn't it empty?"),
    "timed, assigned": ("%time x = %buddy why?\nassert str(x)", "why?"),
    "timed cell": ("%%time\n# the question\n%buddy why is it?", "why is it?"),
    "captured": ("%%capture out\n%buddy why is it empty?", "why is it empty?"),
    "without a sign": ("buddy why is it empty?", "why is it empty?"),
    "cell magic below a comment": (
        "# my question\n\n%%buddy\nwhy isn't it empty?",
        "why isn't it empty?",
    ),
    "cell magic below an import": (
        "import os\n%%buddy\nwhy is {os.sep} empty?",
        "why is / empty?",
    ),
    "cell magic in a timed cell": ("%%time\n# c\n%%buddy\nwhy?", "why?"),
    "cell magic without lines": ("%%buddy why is it empty?", "why is it empty?"),
    "a dash first": ("%buddy -- -t is which option?", "-t is which option?"),
}


@pytest.mark.parametrize(("code", "prompt"), PROMPTS.values(), ids=PROMPTS)
def test_the_prompt_reaches_the_model_as_it_was_typed(
    kernel: Kernel, server: ScriptedServer, code: str, prompt: str
) -> None:
    kernel.good(code)
    assert asked(server).rstrip("\n") == prompt


OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "model": ("-m phi4", {"model": "phi4"}),
    "provider and model": ("--model=ollama/qwen2.5-coder", {"model": "qwen2.5-coder"}),
    "temperature and length": (
        "-t 0 --max-tokens 5",
        {"temperature": 0.0, "max_tokens": 5},
    ),
    "any field": (
        '-o top_p=0.5 -o stop=\'["THE END"]\' -o user="you and me"',
        {"top_p": 0.5, "stop": ["THE END"], "user": "you and me"},
    ),
}


@pytest.mark.parametrize("first_line", [True, False], ids=["cell", "line"])
@pytest.mark.parametrize(("options", "fields"), OPTIONS.values(), ids=OPTIONS)
def test_options_reach_the_model(
    kernel: Kernel,
    server: ScriptedServer,
    options: str,
    fields: dict[str, Any],
    first_line: bool,
) -> None:
    kernel.good(
        f"%%buddy {options}\nwhat's up?"
        if first_line
        else f"%buddy {options} what's up?"
    )
    body = server.asked()[-1]["body"]
    assert asked(server).strip() == "what's up?"
    assert {name: body.get(name) for name in fields} == fields


def test_a_system_prompt_holds_for_its_question(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good('%buddy -s "You\'re a parrot" hello')
    kernel.good("%buddy hello again")
    first, second = (
        record["body"]["messages"][0]["content"] for record in server.asked()
    )
    assert first == "You're a parrot"
    assert "coding buddy" in second


@pytest.mark.parametrize("code", ["%buddy?", "%%buddy?", "?%buddy"])
def test_a_question_mark_alone_shows_help(
    kernel: Kernel, server: ScriptedServer, code: str
) -> None:
    page = kernel.good(code).reply["payload"][0]["data"]["text/plain"]
    assert "--temperature T" in page
    assert not server.asked()


def test_help_on_other_things_stays_as_it_was(kernel: Kernel) -> None:
    assert "Docstring" in kernel.good("len?").reply["payload"][0]["data"]["text/plain"]


def test_the_conversation_goes_on(kernel: Kernel, server: ScriptedServer) -> None:
    server.script(reply("First answer."), reply("Second answer."))
    kernel.good("%buddy first question")
    kernel.good("%%buddy\nsecond question")
    roles = [
        (message["role"], question_in(message).strip())
        for message in server.asked()[-1]["body"]["messages"]
    ]
    assert roles[1:] == [
        ("user", "first question"),
        ("assistant", "First answer."),
        ("user", "second question"),
    ]


@pytest.mark.parametrize(
    "code",
    ["%buddy --new again", "%buddy /reset\n%buddy again"],
    ids=["--new", "/reset"],
)
def test_a_new_conversation_knows_nothing_of_the_old(
    kernel: Kernel, server: ScriptedServer, code: str
) -> None:
    kernel.good("%buddy first question")
    kernel.good(code)
    assert [message["role"] for message in server.asked()[-1]["body"]["messages"]] == [
        "system",
        "user",
    ]


def test_two_questions_at_once_are_answered_in_turn(
    kernel: Kernel, server: ScriptedServer
) -> None:
    cells = [kernel.begin("%buddy first"), kernel.begin("%buddy second")]
    assert [kernel.end(cell).status for cell in cells] == ["ok", "ok"]
    assert [len(record["body"]["messages"]) for record in server.asked()] == [2, 4]


def test_the_value_of_a_cell_is_the_reply(kernel: Kernel) -> None:
    cell = kernel.good("%buddy hello")
    assert [message.type for message in cell.messages].count("execute_result") == 0
    shown = kernel.good(
        f"print(type(_).__name__, str(_), _ is Out[{cell.reply['execution_count']}])"
    ).printed
    assert shown == "Reply Hello from the scripted server. True\n"


def test_an_assigned_reply_is_shown_once(kernel: Kernel) -> None:
    assert "Hello" in kernel.good("answer = %buddy hello").answer["data"]["text/plain"]
    assert (
        kernel.good("print(str(answer))").printed == "Hello from the scripted server.\n"
    )


def test_a_reply_on_a_later_line_is_shown_again(
    kernel: Kernel, server: ScriptedServer
) -> None:
    first = kernel.good("answer = %buddy hello").answer
    again = kernel.good("answer").answer
    assert again["data"] == first["data"]
    assert again["metadata"] == first["metadata"]
    assert len(server.asked()) == 1


def test_a_cell_that_ends_in_a_reply_streams(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(begun("Hello there."))
    kernel.good("import codebuddy_jupyter as buddy")
    cell = kernel.begin("buddy.ask('hello')")
    kernel.wait_for(cell, lambda message: "Hello there." in message.markdown)
    assert cell.ended is None
    kernel.interrupt()
    kernel.end(cell)


def test_asking_from_python_gives_pieces_and_text(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(reply("One two three."))
    kernel.good("import codebuddy_jupyter as buddy")
    assert (
        kernel.good("print(list(buddy.ask('count')))").printed
        == "['One ', 'two ', 'three.']\n"
    )
    assert kernel.good("print(str(buddy.ask('count')))").printed == "One two three.\n"


def test_a_reply_can_be_awaited_at_the_top_level(kernel: Kernel) -> None:
    kernel.good("import codebuddy_jupyter as buddy")
    kernel.good("answer = await buddy.aask('hello')")
    assert (
        kernel.good("print(str(answer))").printed == "Hello from the scripted server.\n"
    )
    assert (
        "Hello" in kernel.good("await buddy.aask('hello')").answer["data"]["text/plain"]
    )


def test_replies_can_be_awaited_side_by_side(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good("import asyncio, codebuddy_jupyter as buddy")
    code = (
        "print(*map(str, await asyncio.gather(*(buddy.aask(f'{i}', new=True) for i "
        "in range(3)))), sep='|')"
    )
    assert (
        kernel.good(code).printed
        == "|".join(["Hello from the scripted server."] * 3) + "\n"
    )
    assert len(server.asked()) == 3


def test_a_thread_can_ask_while_the_main_thread_is_busy(kernel: Kernel) -> None:
    kernel.good("import threading, codebuddy_jupyter as buddy\nanswers = []")
    cell = kernel.good(
        "thread = threading.Thread(target=lambda: answers.append(str(buddy.ask('hello'))))\n"
        "thread.start()\n"
        "while thread.is_alive(): sum(range(1000))\n"
        "print(answers)"
    )
    assert cell.printed == "['Hello from the scripted server.']\n"


def test_commands_show_what_they_find(kernel: Kernel, server: ScriptedServer) -> None:
    shown = {
        line: kernel.good(f"%buddy {line}").outputs
        for line in ("/help", "/models", "/use", "/version", "/reset")
    }
    assert all(len(outputs) == 1 for outputs in shown.values())
    texts = {line: outputs[0]["data"]["text/plain"] for line, outputs in shown.items()}
    assert "%%buddy" in texts["/help"]
    assert "llama3" in texts["/models"]
    assert str(server.port) in texts["/use"]
    assert "CODEBUDDY_BASE_URL" in texts["/use"]
    assert "0.1.0" in texts["/version"]
    assert not server.asked()


def test_use_switches_the_model_in_this_kernel(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(model_list("llama3", "phi4"), path=MODELS)
    kernel.good("%buddy /use local/phi4")
    kernel.good("%buddy hello")
    assert server.asked()[-1]["body"]["model"] == "phi4"


SAVING = """
import copy, pickle
import codebuddy_jupyter as buddy
asked = buddy.ask('hello')
unsent = buddy.ask('never')
panel = buddy.panel()
str(asked), list(asked)
try:
    str(buddy.ask('hello', model='m', provider='xyz'))
except buddy.BuddyError as error:
    caught = error
kept = [Out, _, x, asked, asked.chunks, asked.usage, unsent, panel, caught]
for value in kept:
    pickle.loads(pickle.dumps(value))
    copy.deepcopy(value)
saved = {name: value for name, value in globals().items()
         if 'codebuddy' in type(value).__module__}
print(len(pickle.loads(pickle.dumps(saved))), f'{x:>40}|')
"""


def test_a_session_with_answers_can_be_saved(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good("x = %buddy hello")
    kernel.good("%buddy hello")
    printed = kernel.good(SAVING).printed
    assert printed.endswith("         Hello from the scripted server.|\n")
    assert len(server.asked()) == 3


def test_logging_at_debug_leaves_the_answer_alone(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(reply("# One\n\n- two `three`\n\n```python\nx = 1\n```\n"))
    kernel.good("import logging\nlogging.basicConfig(level=logging.DEBUG, force=True)")
    try:
        cell = kernel.good("%buddy hello")
        assert {output["type"] for output in cell.outputs} == {"display_data"}
    finally:
        kernel.good("logging.basicConfig(level=logging.WARNING, force=True)")
