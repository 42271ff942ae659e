"""The kinds of servers that write what stands between two texts, played."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.kinds import lines, listed
from tests.support.scripted_server import (
    MODELS,
    Answer,
    ScriptedServer,
    as_json,
    plain,
    stream,
)

INFILL, GENERATE, COMPLETIONS = "/infill", "/api/generate", "/v1/completions"


@dataclass(frozen=True)
class Filled:
    """A kind of server that writes ``  rted`` between two texts.

    Parameters
    ----------
    name
        What it is.
    path
        Where it is asked.
    probe, reply
        Its answers to a probe, if it is probed there, and to a request.
    body
        What the request has.
    answers
        What it answers elsewhere, by path.
    """

    name: str
    path: str
    reply: Answer
    body: Mapping[str, Any]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    probe: Answer = field(default_factory=Answer)

    def on(self, server: ScriptedServer) -> None:
        """Let a server play it."""
        for path, answer in self.answers.items():
            server.script(answer, path=path)
        probes = [self.probe] if self.probe.pieces else []
        server.script(*probes, self.reply, path=self.path)


LLAMA_CPP = Filled(
    "llama.cpp",
    INFILL,
    stream(
        {"index": 0, "content": "  r", "tokens": [1], "stop": False},
        {"index": 0, "content": "ted", "tokens": [2], "stop": False},
        {
            "index": 0,
            "content": "",
            "stop": True,
            "stop_type": "eos",
            "tokens_predicted": 2,
            "tokens_evaluated": 9,
            "timings": {"prompt_n": 4, "prompt_ms": 20.0},
        },
        done=False,
    ),
    {
        "input_prefix": "x = so",
        "input_suffix": "(y)\n",
        "n_predict": 48,
        "cache_prompt": True,
        "temperature": 0,
        "stream": True,
    },
    {
        MODELS: Answer(
            headers={"Content-Type": "application/json", "Server": "llama.cpp"},
            pieces=[
                (0.0, json.dumps({"data": [{"id": "coder"}]}).encode()),
            ],
            framing="length",
        ),
        "/props": as_json({"build_info": "b1", "total_slots": 1}),
    },
    as_json({"content": "1", "stop": True}),
)

OLLAMA = Filled(
    "Ollama",
    GENERATE,
    lines(
        {"model": "coder", "response": "  r", "done": False},
        {"model": "coder", "response": "ted", "done": False},
        {
            "model": "coder",
            "response": "",
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 9,
            "prompt_eval_duration": 20_000_000,
            "eval_count": 2,
        },
    ),
    {
        "prompt": "x = so",
        "suffix": "(y)\n",
        "raw": False,
        "stream": True,
        "options": {"temperature": 0, "num_predict": 48},
    },
    {
        "/": plain("Ollama is running"),
        "/api/version": as_json({"version": "0.12.3"}),
        "/api/show": as_json({"capabilities": ["completion", "insert"]}),
        MODELS: listed("coder", owner="library"),
    },
)


def _completions() -> Answer:
    def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
        return {"choices": [{"index": 0, "text": text, "finish_reason": finish}]}

    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    return stream(chunk("  r"), chunk("ted"), {**chunk("", "stop"), "usage": usage})


SUFFIX = Filled(
    "a server with a suffix",
    COMPLETIONS,
    _completions(),
    {
        "prompt": "x = so",
        "suffix": "(y)\n",
        "max_tokens": 48,
        "temperature": 0,
        "stream": True,
    },
    {MODELS: listed("coder", owner="somebody")},
    as_json({"choices": [{"text": "1"}], "usage": {"prompt_tokens": 90}}),
)

PLAYED = (LLAMA_CPP, OLLAMA, SUFFIX)
