"""What ``%load_ext`` adds to a real kernel, and ``%unload_ext`` removes."""

from __future__ import annotations

import pytest

from tests.support.kernels import Kernel
from tests.support.scripted_server import ScriptedServer, begun

SNAPSHOT = """
import threading, time
before = after = end = None
def snapshot():
    shell = get_ipython()
    manager, transforms = shell.magics_manager, shell.input_transformer_manager
    return {
        "magics": {kind: sorted(names) for kind, names in manager.magics.items()},
        "magic classes": sorted(manager.registry),
        "configurables": sorted(type(item).__name__ for item in shell.configurables),
        "events": {
            name: sorted(map(repr, hooks))
            for name, hooks in shell.events.callbacks.items()
        },
        "cleanup": [repr(item) for item in transforms.cleanup_transforms],
        "lines": [repr(item) for item in transforms.line_transforms],
        "tokens": [repr(item) for item in transforms.token_transformers],
        "attributes": sorted(vars(shell)),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "names": sorted(name for name in shell.user_ns if not name.startswith("_")),
    }
"""


def test_loading_imports_nothing_slow(fresh: Kernel) -> None:
    cell = fresh.good(
        "import sys\n"
        "before = set(sys.modules)\n"
        "%load_ext codebuddy_jupyter\n"
        "print(sorted({'openai', 'ipywidgets', 'pydantic', 'markdown_it', "
        "'httpx'} & (set(sys.modules) - before)))"
    )
    assert cell.printed == "[]\n"


def test_openai_is_imported_in_the_background_once_the_loading_cell_has_ended(
    fresh: Kernel,
) -> None:
    fresh.good("%load_ext codebuddy_jupyter")
    fresh.good(
        "import sys, time\n"
        "end = time.monotonic() + 50\n"
        "while 'openai' not in sys.modules and time.monotonic() < end: time.sleep(0.05)\n"
        "assert 'openai' in sys.modules"
    )


def test_loading_twice_changes_nothing(kernel: Kernel, server: ScriptedServer) -> None:
    kernel.good("%buddy remember this")
    kernel.good("%load_ext codebuddy_jupyter")
    kernel.good("%buddy and now?")
    assert [len(record["body"]["messages"]) for record in server.asked()] == [2, 4]


def test_reloading_starts_a_new_conversation(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good("%buddy remember this")
    kernel.good("%reload_ext codebuddy_jupyter")
    kernel.good("%buddy and now?")
    assert [len(record["body"]["messages"]) for record in server.asked()] == [2, 2]


def test_unloading_leaves_no_trace(copy: Kernel, server: ScriptedServer) -> None:
    copy.good(SNAPSHOT)
    # loads what IPython itself loads lazily
    copy.good("%config")
    copy.good("before = snapshot()")
    copy.good("%load_ext codebuddy_jupyter")
    copy.good("%buddy hello?")
    copy.good("%config LocalProvider.temperature = 1")
    copy.good("%unload_ext codebuddy_jupyter")
    cell = copy.good(
        "end = time.monotonic() + 20\n"
        "while (after := snapshot())['threads'] != before['threads'] and "
        "time.monotonic() < end: time.sleep(0.1)\n"
        "print({key: (before[key], after[key]) for key in before if before[key] != after[key]})"
    )
    assert cell.printed == "{}\n"
    assert server.wait_for("closed")


def test_unloading_stops_the_current_answer(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.script(begun("Once"))
    kernel.good(
        "import codebuddy_jupyter as buddy\n"
        "reply = buddy.ask('tell me').start()\nreply.wait(30, beyond=0)"
    )
    kernel.good("%unload_ext codebuddy_jupyter")
    assert server.wait_for("closed")
    assert kernel.good("print(reply.done, reply.text)").printed == "True Once\n"


def test_after_unloading_the_magic_is_unknown(kernel: Kernel) -> None:
    kernel.good("%unload_ext codebuddy_jupyter")
    assert "`%buddy` not found" in str(kernel.run("%buddy hello").outputs)


def test_a_magic_of_the_same_name_comes_back(kernel: Kernel) -> None:
    kernel.good("%unload_ext codebuddy_jupyter")
    kernel.good(
        "from IPython.core.magic import register_line_magic\n"
        "@register_line_magic\ndef buddy(line): print('mine')"
    )
    kernel.good("%load_ext codebuddy_jupyter")
    kernel.good("%unload_ext codebuddy_jupyter")
    assert kernel.good("%buddy hello").printed == "mine\n"
    kernel.good("del get_ipython().magics_manager.magics['line']['buddy']")


@pytest.mark.parametrize(
    "between", ["\n", "\nimport os\n"], ids=["at once", "after an import"]
)
def test_config_works_in_the_cell_that_loads(copy: Kernel, between: str) -> None:
    with ScriptedServer() as other:
        copy.good(
            f'%load_ext codebuddy_jupyter{between}%config LocalProvider.base_url = "{other.url}"'
        )
        copy.good("%buddy hello")
        assert len(other.asked()) == 1


def test_config_refuses_a_bad_value_and_keeps_the_old_one(
    kernel: Kernel, server: ScriptedServer
) -> None:
    cell = kernel.run("%config LocalProvider.first_token_timeout = -1")
    assert "first_token_timeout" in str(cell.outputs)
    kernel.good("%config LocalProvider.temperature = 0.5")
    kernel.good("%buddy hello")
    assert server.asked()[-1]["body"]["temperature"] == 0.5


def test_config_lists_the_settings_of_every_provider(kernel: Kernel) -> None:
    printed = kernel.good("%config").printed
    assert {"Buddy", "LocalProvider", "EmbeddedProvider", "OpenAIProvider"} <= set(
        printed.split()
    )
