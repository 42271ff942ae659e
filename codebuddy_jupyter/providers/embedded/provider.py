"""Models without a server: llama.cpp in a child process.

No model is ever loaded inside the kernel.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, cast

from traitlets import Int, Unicode

from ... import errors
from ...errors import Remedy
from ...keys import NO_KEY, Key
from ...messages import Chunk, Model, Progress, Request
from ..base import LOCAL_TEMPERATURE, temperature_setting
from ..http.probe import probing
from ..http.server_error import as_mapping
from ..kinds.llama_cpp import LlamaCpp
from ..openai_chat import OpenAIChatProvider
from .demo_model import NAME as DEMO
from .demo_model import demo_model
from .engine import Engine, EngineConfig, EngineError, start_engine
from .hub import PREFIX, HubFile

# The first bytes of a GGUF file.
MAGIC = b"GGUF"
# Seconds between a broken connection and the end of the engine behind it.
ENDING_TIMEOUT = 1.0
# Tokens of a prompt that one thread reads in a second with a model of 1 GB: a model of
# 1.1 GB was measured at 65 with two threads.
SPEED_OF_A_GIGABYTE = 30.0
# More threads share the memory's bandwidth, so that each of them reads more slowly.
MOST_THREADS = 8
INSTALL = 'pip install "codebuddy-jupyter[embedded]"'
OTHER_MODEL = "%buddy /use embedded/FILE.gguf"


class EmbeddedProvider(OpenAIChatProvider):
    """llama.cpp's own server, started with the first question, one model at a time."""

    label = "Embedded llama.cpp (no server needed)"

    base_url = Unicode(
        "", read_only=True, help="Not used: the engine chooses a free port."
    )
    model = Unicode(
        "",
        help=(
            "A GGUF file, or one on the Hugging Face hub as hf:OWNER/REPO/FILE.gguf. "
            "Empty: the demo model, which recites fixed answers."
        ),
    ).tag(config=True, affects="target")
    n_ctx = Int(
        8192,
        min=0,
        help=(
            "The context window in tokens, limited by the model; 0: the model's "
            "largest. More tokens take more memory."
        ),
    ).tag(config=True, affects="target")
    threads = Int(0, min=0, help="The number of threads; 0: the engine's default.").tag(
        config=True, affects="target"
    )

    temperature = temperature_setting(LOCAL_TEMPERATURE, "the engine's default")

    def __init__(self, **kwargs: Any) -> None:
        self._engine: Engine | None = None
        self._files: dict[str, Path] = {}
        self._starting = asyncio.Lock()
        self._window: int | None = None
        # A line for the user, shown with the next reply.
        self._note = ""
        super().__init__(**kwargs)

    def address(self) -> None:
        """Return None: the engine has no address that users see or set."""

    def secrets(self) -> dict[str, Key]:
        """Return the key of the running engine."""
        return {"engine key": Key(self._engine.key)} if self._engine else {}

    def where(self) -> str:
        """Return where requests go, for a person."""
        return "llama.cpp on this machine, in a process beside the kernel"

    def stays_here(self) -> bool:
        """Return True: the engine listens on loopback only."""
        return True

    async def choose(self, model: str) -> str:
        """Return the name of the model to ask: the stem of its file.

        Raises
        ------
        ModelNotFound
            If the file does not exist, or is not a GGUF file.
        """
        wanted = model or self.model
        file = await asyncio.to_thread(_find, wanted)
        name = DEMO if wanted in ("", DEMO) else file.stem
        self._files[name] = file
        return name

    async def prepare(self, model: str, progress: Progress) -> None:
        """Download a model from the hub if it is not on this machine; check that any
        other model exists.
        """
        if model.startswith(PREFIX):
            await HubFile.parse(model).download(
                progress, offline=self.offline, allowed=self.allowed_hosts
            )
        await self.choose(model)

    async def models(self) -> list[Model]:
        """Return the demo model, and the model of the settings."""
        names = dict.fromkeys([DEMO, self.model or DEMO])
        return [Model(name, loaded=self._is_running(name)) for name in names]

    def _is_running(self, name: str) -> bool:
        if self._engine is None or not self._engine.alive:
            return False
        running = self._engine.config.name
        return running == name or self._files.get(running) == Path(name)

    def keeps_prompts(self) -> bool:
        """Return True: llama.cpp has a prompt cache."""
        return True

    async def can_read_ahead(self, model: str) -> bool:
        """Return whether the engine runs with this model."""
        return self._is_running(model)

    def expected_speed(self, model: str) -> float | None:
        """Return how fast a model of this size reads on so many threads, carefully."""
        file = self._files.get(model)
        try:
            size = file.stat().st_size if file else 0
        except OSError:
            return None
        threads = self.threads or min(os.cpu_count() or 1, MOST_THREADS)
        return threads * SPEED_OF_A_GIGABYTE * 1e9 / size if size else None

    def body(self, request: Request) -> dict[str, Any]:
        """Return the JSON of a request: the engine is to tell how far it has read."""
        return {**LlamaCpp.chat_fields, **super().body(request)}

    async def is_model_loading(self, model: str) -> bool | None:
        """Return whether the engine does not run yet with this model."""
        return not self._is_running(model)

    async def window(self, model: str) -> int | None:
        """Return the context window of the model in tokens; starts the engine."""
        engine = await self._running(model)
        if self._window is None:
            answer = await self.get(await self.server(), f"{engine.url}/props")
            settings = as_mapping(answer).get("default_generation_settings")
            window = as_mapping(settings).get("n_ctx")
            self._window = window if isinstance(window, int) else None
        return self._window

    async def count(self, model: str, text: str) -> int | None:
        """Return the number of tokens of a text, by the engine's own tokenizer."""
        await self._running(model)
        async with probing((await self.server()).access) as probe:
            return await LlamaCpp().count(probe, model, text)

    async def endpoint(self) -> tuple[str, Key]:
        """Return where the engine listens, and its key."""
        if self._engine is None:
            await self._running(await self.choose(""))
        engine = cast(Engine, self._engine)
        return f"{engine.url}/v1", Key(engine.key)

    def remedies(self) -> tuple[Remedy, ...]:
        """Return what to do when nothing answers."""
        return (Remedy("Ask again, which restarts the engine"),)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Ask the engine, which is started if it does not run; see `Provider.stream`."""
        engine = await self._running(request.model)
        if self._note:
            note, self._note = self._note, ""
            yield Chunk(note=note)
        try:
            async with aclosing(cast(Any, super().stream(request))) as chunks:
                async for chunk in chunks:
                    yield chunk
        except (errors.CutOff, errors.NoReply, errors.Unreachable) as error:
            if not await engine.ends_within(ENDING_TIMEOUT):
                raise
            raise errors.CutOff(
                f"The engine stopped before the end of the reply ({engine.ending}). "
                "The part that was received is kept.",
                *self.remedies(),
            ) from error

    def warm(self) -> None:
        """Import what the first request needs, and write the demo model if that will be
        asked.
        """
        super().warm()
        if not self.model:
            # The first question will report the error.
            with suppress(errors.ModelNotFound):
                _find("")

    def find_key(self) -> Key:
        """Return no key: each engine has one of its own."""
        return NO_KEY

    async def close(self) -> None:
        """End the engine."""
        await super().close()
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    async def _running(self, name: str) -> Engine:
        """Return the engine that serves the model: the one that runs, or a new one."""
        if name not in self._files:
            name = await self.choose(name)
        threads = 1 if name == DEMO else self.threads
        config = EngineConfig(self._files[name], name, self.n_ctx, threads)
        async with self._starting:
            engine = self._engine
            if engine is not None and engine.alive and engine.config == config:
                return engine
            if engine is not None:
                if not engine.alive:
                    self._note = (
                        f"The engine had stopped ({engine.ending}) and was restarted."
                    )
                await self.close()
            self._engine = await _started(config)
            self._window = None
            return self._engine


async def _started(config: EngineConfig) -> Engine:
    if importlib.util.find_spec("xllamacpp") is None:
        raise errors.ExtraMissing(
            "The embedded engine is not installed.", Remedy("Install it", INSTALL)
        )
    try:
        return await start_engine(config)
    except EngineError as error:
        if "libgomp" in str(error):
            raise errors.ExtraMissing(
                "The embedded engine needs the system's OpenMP library.",
                Remedy("Install it", "sudo apt-get install libgomp1"),
            ) from error
        raise errors.ServerError(
            f"The engine cannot run {config.name}: {error}.",
            Remedy("Choose another model", OTHER_MODEL),
        ) from error


def _find(model: str) -> Path:
    """Return the file of a model, which must be on this machine."""
    if model in ("", DEMO):
        return _demo_file()
    if not model.startswith(PREFIX):
        return _checked(Path(model).expanduser())
    file = HubFile.parse(model).try_find()
    if file is None:
        raise errors.ModelNotFound(
            f"{model} is not on this machine yet.",
            Remedy("Download it", f"%buddy /use embedded/{model}"),
        )
    return _checked(file)


def _demo_file() -> Path:
    try:
        return demo_model()
    except OSError as error:
        raise errors.ModelNotFound(
            f"The demo model cannot be written ({error}).",
            Remedy("Use a model of your own", OTHER_MODEL),
        ) from error


def _checked(file: Path) -> Path:
    """Return the absolute path of a GGUF file, after checking its first bytes."""
    try:
        with file.open("rb") as opened:
            magic = opened.read(len(MAGIC))
    except OSError as error:
        raise errors.ModelNotFound(
            f"There is no model file {file} ({error.strerror}).",
            Remedy("Use a GGUF file", OTHER_MODEL),
            Remedy(
                "Download one from the hub",
                "%buddy /use embedded/hf:OWNER/REPO/FILE.gguf",
            ),
        ) from error
    if magic != MAGIC:
        raise errors.ModelNotFound(
            f"{file} is not a GGUF file, the only format that the engine supports.",
            Remedy("Use a GGUF file", OTHER_MODEL),
        )
    return file.absolute()
