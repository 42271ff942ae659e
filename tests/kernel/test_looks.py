"""``%%buddy --look`` in a real kernel, by a schema and by calls of tools: what the server
is asked, and what the cell shows.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.kernels import Kernel
from tests.support.scripted_server import (
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    begun,
    delta,
    model_list,
    reply,
    stream,
)

SETUP = "orders, limits = {'price': [1, 2], 'city': ['Bern', 'Lyon']}, [3]"
ASK = "%%buddy --look\nWhat is in orders, and what in limits?"
LINE = "looked at orders: dict of 2 keys"
CHOSEN = json.dumps({"look": "variable", "name": "orders", "part": "schema"})
NONE = json.dumps({"look": "explain"})
PROPS = {"chat_template_caps": {"supports_tools": True}, "build_info": "b1"}
META = {"n_ctx_train": 8_192, "n_params": 8_000_000_000}


def called(name: str, /, **arguments: Any) -> Answer:
    """A reply that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": "call-1", "type": "function", "function": function}
    return stream(delta(tool_calls=[call]), delta(finish="tool_calls"))


def large(server: ScriptedServer) -> None:
    """Let the server be a llama.cpp with a large model that calls tools."""
    fields = {"owned_by": "llamacpp", "meta": META}
    server.script(model_list("llama3", **fields), path=MODELS)
    server.script(as_json(PROPS), path="/props")


def bodies(server: ScriptedServer) -> list[Any]:
    return [record["body"] for record in server.asked()]


def shown(kernel: Kernel, code: str) -> tuple[str, str]:
    """The Markdown and the plain text that a cell shows in the end."""
    (output,) = kernel.good(code).outputs
    return output["data"]["text/markdown"], output["data"]["text/plain"]


def test_a_small_model_chooses_by_a_schema(
    kernel: Kernel, server: ScriptedServer
) -> None:
    kernel.good(SETUP)
    server.script(reply(CHOSEN), reply(NONE), reply("Two **columns**."))
    markdown, plain = shown(kernel, ASK)
    assert markdown.startswith("<details><summary>looked at ")
    assert "Two **columns**." in markdown
    assert plain.startswith(f"{LINE}\n\nTwo **columns**.")
    first, second, third = bodies(server)
    assert first["response_format"]["type"] == "json_schema"
    # Of what was looked at, nothing is left to choose.
    assert "limits" in str(second["response_format"])
    assert "orders" not in str(second["response_format"])
    assert not {"response_format", "tools"} & set(third)
    assert "Looked up in the kernel for this question:" in str(third["messages"][-1])


def test_a_large_model_calls_tools(kernel: Kernel, server: ScriptedServer) -> None:
    kernel.good(SETUP)
    large(server)
    server.script(called("variable", name="orders"), reply("Two **columns**."))
    markdown, plain = shown(kernel, ASK)
    assert markdown.startswith("<details><summary>looked at ")
    assert plain.startswith(f"{LINE}\n\nTwo **columns**.")
    first, second = bodies(server)
    names = {tool["function"]["name"] for tool in first["tools"]}
    assert {"variable", "cell", "error", "signature"} <= names
    assert "response_format" not in first
    made, result = second["messages"][-2:]
    assert made["tool_calls"][0]["function"]["name"] == "variable"
    assert result["role"] == "tool"
    assert result["tool_call_id"] == made["tool_calls"][0]["id"]


@pytest.mark.parametrize("native", [False, True], ids=["schema", "native"])
def test_an_interrupt_between_two_looks_ends_the_cell(
    kernel: Kernel, server: ScriptedServer, native: bool
) -> None:
    kernel.good(SETUP)
    if native:
        large(server)
    look = called("variable", name="orders") if native else reply(CHOSEN)
    server.script(look, begun('{"look": '))
    cell = kernel.begin(ASK)
    assert kernel.wait_for(cell, lambda message: LINE[:9] in str(message.content))
    kernel.interrupt()
    ended = kernel.end(cell)
    assert ended.status == "error"
    assert "looked at" in str(ended.outputs)
    # The kernel answers on, and a look that was shown stays in the conversation.
    server.script(reply("Well."))
    assert "Well." in shown(kernel, "%buddy and now?")[0]
