"""The kinds of local servers, each as a table of what it answers, taken from the
servers or from their documents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from codebuddy_jupyter.messages import Model
from tests.support.scripted_server import (
    ELSE,
    Answer,
    ScriptedServer,
    as_json,
    delta,
    plain,
    stream,
    usage,
)

TEXT = "One two three."


def listed(*names: str, owner: str = "", **fields: Any) -> Answer:
    """The plain list of models."""
    owned = {"owned_by": owner} if owner else {}
    return as_json(
        {
            "object": "list",
            "data": [
                {"id": name, "object": "model", **owned, **fields} for name in names
            ],
        }
    )


def lines(*values: Any, status: int = 200) -> Answer:
    """JSON values, each on a line and in a packet of its own."""
    pieces = [
        (0.0, (value if isinstance(value, str) else json.dumps(value)).encode() + b"\n")
        for value in values
    ]
    return Answer(
        status=status, headers={"Content-Type": "application/x-ndjson"}, pieces=pieces
    )


def said(first: Mapping[str, Any], *, finish: str = "stop") -> Answer:
    """A streamed reply that begins with this delta and says `TEXT`."""
    words = [delta("One "), delta("two "), delta("three.")]
    start = delta(**first)
    return stream(start, *words, delta(finish=finish), usage(9, 3))


@dataclass(frozen=True)
class Played:
    """A kind of server, played.

    Parameters
    ----------
    name, version
        What it is recognised as.
    models
        What it is found to offer, asked closely.
    chosen, window
        The model that is asked when none is named, and its window.
    too_long
        The answer to a prompt that is too long.
    widen
        The command that gives that model a window of 16,384 tokens.
    answers
        What it answers, by path.
    base
        The path of its base URL.
    chat
        The path of its own chat API, if it has one.
    reply
        Its answer to a question.
    """

    name: str
    version: str
    models: tuple[Model, ...]
    chosen: str
    window: int | None
    too_long: Answer
    widen: str
    answers: Mapping[str, Answer]
    base: str = "/v1"
    chat: str = ""
    reply: Answer = field(
        default_factory=lambda: said({"role": "assistant", "content": ""})
    )

    def on(self, server: ScriptedServer, prefix: str = "") -> str:
        """Let a server play it, at paths below ``prefix``; gives the base URL."""
        if f"{prefix}{self.base}" != "/v1":
            for path in ("/v1/models", "/v1/chat/completions"):
                server.script(plain("not found", status=404), path=path)
        for path, answer in self.answers.items():
            server.script(answer, path=path if path == ELSE else f"{prefix}{path}")
        server.script(self.reply, path=f"{prefix}{self.chat_path}")
        return f"{server.root}{prefix}{self.base}"

    def is_too_long_for(self, server: ScriptedServer) -> str:
        """Let a server play that the prompt is too long; gives the prompt to send."""
        server.script(self.too_long, path=self.chat_path)
        return "count"

    @property
    def chat_path(self) -> str:
        """The path to which questions are sent."""
        return self.chat or self.at("/chat/completions")

    def at(self, path: str) -> str:
        """A path below the base URL."""
        return f"{self.base}{path}"


def _error(message: str, status: int = 400, **fields: Any) -> Answer:
    return as_json({"error": {"message": message, **fields}}, status)


OVERFLOW = {
    "code": 400,
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 9020,
    "n_ctx": 8192,
    "message": (
        "request (9020 tokens) exceeds the available context size (8192 tokens), "
        "try increasing it"
    ),
}

OLLAMA_TAGS = {
    "models": [
        {
            "name": "nomic-embed-text:latest",
            "model": "nomic-embed-text:latest",
            "size": 274302450,
            "details": {
                "family": "nomic-bert",
                "parameter_size": "137M",
                "quantization_level": "F16",
            },
        },
        {
            "name": "qwen3:8b",
            "model": "qwen3:8b",
            "size": 5225388164,
            "details": {
                "family": "qwen3",
                "parameter_size": "8.2B",
                "quantization_level": "Q4_K_M",
            },
        },
    ]
}
OLLAMA_PS = {
    "models": [
        {
            "name": "qwen3:8b",
            "model": "qwen3:8b",
            "size": 6000000000,
            "size_vram": 6000000000,
            "context_length": 4096,
        }
    ]
}

OLLAMA_REPLY = lines(
    {"message": {"role": "assistant", "thinking": "Let me count. "}, "done": False},
    {"message": {"role": "assistant", "content": "One two "}, "done": False},
    {"message": {"role": "assistant", "content": "three."}, "done": False},
    {
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 9,
        "eval_count": 3,
    },
)

OLLAMA = Played(
    "Ollama",
    "0.12.3",
    (
        Model(
            "nomic-embed-text:latest",
            None,
            False,
            ("chat", "tools", "reasoning"),
            274302450,
            40960,
            137_000_000,
        ),
        Model(
            "qwen3:8b",
            4096,
            True,
            ("chat", "tools", "reasoning"),
            5225388164,
            40960,
            8_200_000_000,
        ),
    ),
    "qwen3:8b",
    4096,
    as_json({"error": json.dumps({"error": OVERFLOW})}, 400),
    "%config LocalProvider.num_ctx = 16384",
    {
        "/": plain("Ollama is running"),
        "/api/version": as_json({"version": "0.12.3"}),
        "/api/tags": as_json(OLLAMA_TAGS),
        "/api/ps": as_json(OLLAMA_PS),
        "/api/show": as_json(
            {
                "capabilities": ["completion", "tools", "thinking"],
                "model_info": {
                    "general.architecture": "qwen3",
                    "qwen3.context_length": 40960,
                },
            }
        ),
        "/v1/models": listed("nomic-embed-text:latest", "qwen3:8b", owner="library"),
    },
    chat="/api/chat",
    reply=OLLAMA_REPLY,
)

UNEXPECTED = as_json({"error": "Unexpected endpoint or method. (GET /)"})
LM_STUDIO_MODELS = {
    "models": [
        {
            "type": "llm",
            "publisher": "qwen",
            "key": "qwen/qwen3-4b",
            "size_bytes": 2500000000,
            "params_string": "4B",
            "loaded_instances": [],
            "max_context_length": 32768,
            "capabilities": {"vision": False, "trained_for_tool_use": True},
        },
        {
            "type": "llm",
            "publisher": "openai",
            "key": "openai/gpt-oss-20b",
            "size_bytes": 12109566624,
            "loaded_instances": [
                {"id": "openai/gpt-oss-20b", "config": {"context_length": 8192}}
            ],
            "max_context_length": 131072,
            "capabilities": {"vision": True, "trained_for_tool_use": True},
        },
        {
            "type": "embedding",
            "publisher": "nomic-ai",
            "key": "text-embedding-nomic-embed-text-v1.5",
            "size_bytes": 84106624,
            "loaded_instances": [],
            "max_context_length": 2048,
        },
    ]
}

LM_STUDIO = Played(
    "LM Studio",
    "",
    (
        Model(
            "qwen/qwen3-4b",
            None,
            False,
            ("chat", "tools"),
            2500000000,
            32768,
            4_000_000_000,
        ),
        Model(
            "openai/gpt-oss-20b",
            8192,
            True,
            ("chat", "images", "tools"),
            12109566624,
            131072,
        ),
        Model(
            "text-embedding-nomic-embed-text-v1.5",
            None,
            False,
            ("embeddings",),
            84106624,
            2048,
        ),
    ),
    "openai/gpt-oss-20b",
    8192,
    Answer(
        pieces=[
            (
                0.0,
                b"event: error\n"
                b'data: {"error":{"message":"Trying to keep the first 9020 '
                b"tokens when context the "
                b"overflows. However, the model is loaded with context length "
                b'of only 8192 tokens"}}\n\n',
            )
        ]
    ),
    "lms unload openai/gpt-oss-20b && lms load openai/gpt-oss-20b --context-length 16384",
    {
        "/api/v1/models": as_json(LM_STUDIO_MODELS),
        "/v1/models": listed(
            "qwen/qwen3-4b",
            "openai/gpt-oss-20b",
            "text-embedding-nomic-embed-text-v1.5",
        ),
        ELSE: UNEXPECTED,
    },
    reply=said({"role": "assistant", "reasoning_content": "Let me count."}),
)

LM_STUDIO_03 = Played(
    "LM Studio",
    "",
    (
        Model(
            "qwen2-vl-7b-instruct", None, False, ("chat", "images"), max_window=32768
        ),
        Model("llama-3.1-8b", 6000, True, ("chat", "tools"), max_window=131072),
    ),
    "llama-3.1-8b",
    6000,
    LM_STUDIO.too_long,
    "lms unload llama-3.1-8b && lms load llama-3.1-8b --context-length 16384",
    {
        "/api/v0/models": as_json(
            {
                "object": "list",
                "data": [
                    {
                        "id": "qwen2-vl-7b-instruct",
                        "type": "vlm",
                        "state": "not-loaded",
                        "max_context_length": 32768,
                    },
                    {
                        "id": "llama-3.1-8b",
                        "type": "llm",
                        "state": "loaded",
                        "max_context_length": 131072,
                        "loaded_context_length": 6000,
                        "capabilities": ["tool_use"],
                    },
                ],
            }
        ),
        "/v1/models": listed("qwen2-vl-7b-instruct", "llama-3.1-8b"),
        ELSE: UNEXPECTED,
    },
)

PROPS = {
    "default_generation_settings": {"n_ctx": 8192},
    "total_slots": 1,
    "modalities": {"vision": False, "audio": False},
    "chat_template_caps": {"supports_tools": True},
    "build_info": "b11549",
}

LLAMA_CPP = Played(
    "llama.cpp",
    "b11549",
    (
        Model(
            "/models/qwen.gguf",
            8192,
            True,
            ("chat", "tools"),
            4_700_000_000,
            32768,
            7_615_616_512,
        ),
    ),
    "/models/qwen.gguf",
    8192,
    as_json({"error": OVERFLOW}, 400, Server="llama.cpp"),
    "llama-server -m MODEL.gguf --jinja -c 16384",
    {
        "/v1/models": as_json(
            {
                "object": "list",
                "data": [
                    {
                        "id": "/models/qwen.gguf",
                        "owned_by": "llamacpp",
                        "meta": {
                            "n_ctx": 8192,
                            "n_ctx_train": 32768,
                            "n_params": 7_615_616_512,
                            "size": 4_700_000_000,
                        },
                    }
                ],
            },
            Server="llama.cpp",
        ),
        "/props": as_json(PROPS, Server="llama.cpp"),
        ELSE: as_json(
            {"error": {"code": 404, "message": "File Not Found"}},
            404,
            Server="llama.cpp",
        ),
    },
    reply=said({"role": "assistant", "content": None}),
)

LLAMA_CPP_ROUTER = Played(
    "llama.cpp",
    "b11549",
    (
        Model("phi-4", loaded=False),
        Model("ggml-org/qwen3:Q4_K_M", 8192, True, ("chat", "tools")),
    ),
    "ggml-org/qwen3:Q4_K_M",
    8192,
    LLAMA_CPP.too_long,
    LLAMA_CPP.widen,
    {
        "/v1/models": as_json(
            {
                "object": "list",
                "data": [
                    {
                        "id": "phi-4",
                        "owned_by": "llamacpp",
                        "status": {"value": "unloaded"},
                    },
                    {
                        "id": "ggml-org/qwen3:Q4_K_M",
                        "owned_by": "llamacpp",
                        "status": {"value": "loaded"},
                    },
                ],
            },
            Server="llama.cpp",
        ),
        "/props": as_json(
            {
                "role": "router",
                "default_generation_settings": {"n_ctx": 0},
                "build_info": "b11549",
            }
        ),
        "/props?model=ggml-org%2Fqwen3%3AQ4_K_M&autoload=false": as_json(
            PROPS, Server="llama.cpp"
        ),
        ELSE: LLAMA_CPP.answers[ELSE],
    },
)

LOCAL_AI = Played(
    "LocalAI",
    "v3.8.0",
    (Model("bge-m3", loaded=False), Model("qwen3-4b", loaded=True)),
    "qwen3-4b",
    None,
    _error("rpc error: the prompt exceeds the context size (4096)", 500, code=500),
    "context_size: 16384  # in models/qwen3-4b.yaml, then restart LocalAI",
    {
        "/": plain("<html><title>LocalAI</title></html>", "text/html"),
        "/.well-known/localai.json": as_json(
            {"version": "v3.8.0", "endpoints": {"chat": "/v1/chat/completions"}}
        ),
        "/system": as_json(
            {"backends": ["llama-cpp"], "loaded_models": [{"id": "qwen3-4b"}]}
        ),
        "/readyz": plain("OK"),
        "/version": as_json({"version": "v3.8.0"}),
        "/api/version": as_json({"version": "0.9.0"}),
        "/api/tags": as_json({"models": [{"name": "qwen3-4b"}]}),
        "/v1/models": listed("bge-m3", "qwen3-4b"),
    },
)

LOCAL_AI_2 = replace(
    LOCAL_AI,
    answers={
        name: answer
        for name, answer in LOCAL_AI.answers.items()
        if not name.startswith("/.well-known")
    },
)

VLLM_SERVER = Played(
    "vLLM",
    "0.11.0",
    (Model("Qwen/Qwen2.5-Coder-7B-Instruct", 8192, True),),
    "Qwen/Qwen2.5-Coder-7B-Instruct",
    8192,
    as_json(
        {
            "object": "error",
            "message": (
                "This model's maximum context length is 8192 tokens. However, you "
                "requested 9020 tokens."
            ),
            "type": "BadRequestError",
            "code": 400,
        },
        400,
    ),
    "vllm serve Qwen/Qwen2.5-Coder-7B-Instruct --max-model-len 16384",
    {
        "/version": as_json({"version": "0.11.0"}),
        "/v1/models": listed(
            "Qwen/Qwen2.5-Coder-7B-Instruct", owner="vllm", max_model_len=8192
        ),
        ELSE: as_json({"detail": "Not Found"}, 404),
    },
)

JAN = Played(
    "Jan",
    "",
    (Model("jan-v3-4b"),),
    "jan-v3-4b",
    None,
    LLAMA_CPP.too_long,
    "Settings > Model Providers > Llama.cpp > jan-v3-4b > Context Size = 16384",
    {
        "/v1/models": listed("jan-v3-4b", owner="llama.cpp"),
        ELSE: plain("Not Found", status=404),
    },
)

DOCKER = Played(
    "Docker Model Runner",
    "",
    (Model("docker.io/ai/llama3.2:latest", 8192),),
    "docker.io/ai/llama3.2:latest",
    8192,
    plain("the request exceeds the available context size, 8192 tokens", status=400),
    "docker model configure --context-size 16384 docker.io/ai/llama3.2:latest",
    {
        "/": plain("Docker Model Runner is running"),
        "/engines/v1/models": listed(
            "docker.io/ai/llama3.2:latest", owner="docker", dmr={"context_window": 8192}
        ),
        "/api/version": as_json({"version": "0.9.0"}),
        "/api/tags": as_json({"models": [{"name": "docker.io/ai/llama3.2:latest"}]}),
    },
    base="/engines/v1",
)

WEBUI = Played(
    "text-generation-webui",
    "",
    (Model("phi-4.gguf", loaded=False), Model("qwen3.gguf", loaded=True)),
    "qwen3.gguf",
    None,
    as_json({"detail": "the prompt exceeds the context length 8192"}, 400),
    "python server.py --api --model qwen3.gguf --ctx-size 16384",
    {
        "/v1/models": listed("phi-4.gguf", "qwen3.gguf", owner="user"),
        "/v1/internal/model/info": as_json(
            {"model_name": "qwen3.gguf", "lora_names": [], "loader": "llama.cpp"}
        ),
        "/v1/internal/model/list": as_json(
            {"model_names": ["phi-4.gguf", "qwen3.gguf"]}
        ),
        ELSE: as_json({"detail": "Not Found"}, 404),
    },
    reply=Answer(
        pieces=[
            (0.0, b": ping\n\n"),
            *said({"role": "assistant", "content": ""}).pieces,
        ]
    ),
)

KOBOLDCPP = Played(
    "KoboldCpp",
    "1.104",
    (Model("koboldcpp/qwen3", 8192, True),),
    "koboldcpp/qwen3",
    8192,
    _error("the prompt is too long: 9020 tokens exceed the context size of 8192"),
    "koboldcpp --model MODEL.gguf --contextsize 16384",
    {
        "/": plain("<html><title>KoboldAI Lite</title></html>", "text/html"),
        "/api/extra/version": as_json(
            {"result": "KoboldCpp", "version": "1.104", "protected": False}
        ),
        "/api/extra/true_max_context_length": as_json({"value": 8192}),
        "/api/version": as_json({"version": "0.7.0"}),
        "/api/tags": as_json({"models": [{"name": "koboldcpp"}]}),
        "/v1/models": listed("koboldcpp/qwen3", owner="koboldcpp"),
    },
)

UNKNOWN_SERVER = Played(
    "OpenAI-compatible server",
    "",
    (Model("some-model"),),
    "some-model",
    None,
    _error("context_length_exceeded"),
    "",
    {"/v1/models": listed("some-model", owner="me")},
)

PLAYED: dict[str, Played] = {
    "Ollama": OLLAMA,
    "LM Studio": LM_STUDIO,
    "LM Studio before 0.4": LM_STUDIO_03,
    "llama.cpp": LLAMA_CPP,
    "llama.cpp as a router": LLAMA_CPP_ROUTER,
    "LocalAI": LOCAL_AI,
    "LocalAI without a document": LOCAL_AI_2,
    "vLLM": VLLM_SERVER,
    "Jan": JAN,
    "Docker Model Runner": DOCKER,
    "text-generation-webui": WEBUI,
    "KoboldCpp": KOBOLDCPP,
    "unknown": UNKNOWN_SERVER,
}
