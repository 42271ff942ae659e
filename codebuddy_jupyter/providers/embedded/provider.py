"""Models without a server: llama.cpp in a child process.

No model is ever loaded inside the kernel.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, cast

from traitlets import Int, Unicode

from ... import errors
from ...keys import NO_KEY, Key
from ...messages import Chunk, Model, Progress, Request
from ..http.probe import probing
from ..http.server_error import as_mapping
from ..kinds.llama_cpp import LlamaCpp
from ..openai_chat import OpenAIChatProvider
from .demo_model import NAME as DEMO
from .demo_model import demo_model
from .engine import Engine, EngineError, Order, start_engine
from .hub import PREFIX, HubFile

MAGIC = b"GGUF"
# seconds between a broken connection and the end of the engine behind it
LAST_GASP = 1.0
INSTALL = 'pip install "codebuddy-jupyter[embedded]"'


class EmbeddedProvider(OpenAIChatProvider):
    """llama.cpp's own server, started with the first question, one model at a time."""

    label = "Embedded llama.cpp (no server needed)"

    base_url = Unicode(
        "", read_only=True, help="The engine's own affair: it takes a free port."
    )
    model = Unicode(
        "",
        help=(
            "A GGUF file, or one on the hub as hf:OWNER/REPO/FILE.gguf. Empty: the "
            "demo model, which recites."
        ),
    ).tag(config=True, affects="target")
    n_ctx = Int(
        8192,
        min=0,
        help=(
            "The window in tokens, at most what the model can; 0: that. A larger "
            "one takes more memory."
        ),
    ).tag(config=True, affects="target")
    threads = Int(
        0, min=0, help="How many threads compute; 0: the engine's choice."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        self._engine: Engine | None = None
        self._files: dict[str, Path] = {}
        self._starting = asyncio.Lock()
        self._window: int | None = None
        self._news = ""
        super().__init__(**kwargs)

    def where(self) -> str:
        """That requests stay on this machine."""
        return "llama.cpp on this machine, in a process beside the kernel"

    def stays_here(self) -> bool:
        """Always: the engine listens on loopback alone."""
        return True

    async def choose(self, model: str) -> str:
        """The name of the model that is meant: the stem of its file.

        Raises
        ------
        ModelNotFound
            When the file is not here, or is no GGUF file.
        """
        file = await asyncio.to_thread(_find, model or self.model)
        name = DEMO if (model or self.model) in ("", DEMO) else file.stem
        self._files[name] = file
        return name

    async def prepare(self, model: str, progress: Progress) -> None:
        """Fetch a model of the hub, unless it is here; make sure of any other."""
        if model.startswith(PREFIX):
            await HubFile.parse(model).fetch(
                progress, offline=self.offline, allowed=self.allowed_hosts
            )
        await self.choose(model)

    async def models(self) -> list[Model]:
        """The demo model, and the one that the settings name."""
        running = self._engine.order.name if self._engine and self._engine.alive else ""
        names = dict.fromkeys([DEMO, self.model or DEMO])
        return [
            Model(
                name, loaded=running == name or self._files.get(running) == Path(name)
            )
            for name in names
        ]

    async def window(self, model: str) -> int | None:
        """How many tokens the model can see, as the engine runs it; starts the engine."""
        engine = await self._running(model)
        if self._window is None:
            props = as_mapping(
                await self.get(await self.server(), f"{engine.url}/props")
            )
            window = as_mapping(props.get("default_generation_settings")).get("n_ctx")
            self._window = window if isinstance(window, int) else None
        return self._window

    async def count(self, model: str, text: str) -> int | None:
        """How many tokens a text has, by the engine's own tokenizer."""
        engine = await self._running(model)
        async with probing((await self.server()).access) as probe:
            return await LlamaCpp().count(probe, f"{engine.url}/v1", model, text)

    async def endpoint(self) -> tuple[str, Key]:
        """Where the engine listens, and its key."""
        if self._engine is None:
            await self._running(await self.choose(""))
        engine = cast(Engine, self._engine)
        return f"{engine.url}/v1", Key(engine.key)

    def remedy(self) -> str:
        """Nothing to do but to ask again."""
        return "Ask again: that starts the engine anew"

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Ask the engine, which is started when it does not run; see `Provider.stream`."""
        engine = await self._running(request.model)
        if self._news:
            news, self._news = self._news, ""
            yield Chunk(note=news)
        try:
            async with aclosing(cast(Any, super().stream(request))) as chunks:
                async for chunk in chunks:
                    yield chunk
        except (errors.CutOff, errors.NoReply, errors.Unreachable) as error:
            if not await engine.ends_within(LAST_GASP):
                raise
            raise errors.CutOff(
                f"The engine stopped before the answer was whole ({engine.ending}). "
                "What came is kept; ask again: the next question starts it anew"
            ) from error

    def warm(self) -> None:
        """Import what the first request needs, and make the demo model when that is
        what will be asked.
        """
        super().warm()
        if not self.model:
            # the first question will say so
            with suppress(errors.ModelNotFound):
                _find("")

    def find_key(self) -> Key:
        """No key of the user's: each engine has its own."""
        return NO_KEY

    async def close(self) -> None:
        """End the engine."""
        await super().close()
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    async def _running(self, name: str) -> Engine:
        """The engine that serves the model: the one that runs, or a new one."""
        if name not in self._files:
            name = await self.choose(name)
        order = Order(
            self._files[name], name, self.n_ctx, 1 if name == DEMO else self.threads
        )
        async with self._starting:
            old = self._engine
            if old is not None and old.alive and old.order == order:
                return old
            if old is not None:
                if not old.alive:
                    self._news = (
                        f"The engine had stopped ({old.ending}); it was started anew."
                    )
                await self.close()
            self._engine, self._window = await _started(order), None
            return self._engine


async def _started(order: Order) -> Engine:
    if importlib.util.find_spec("xllamacpp") is None:
        raise errors.ExtraMissing(f"The embedded engine is not installed: {INSTALL}")
    try:
        return await start_engine(order)
    except EngineError as error:
        if "libgomp" in str(error):
            raise errors.ExtraMissing(
                "The embedded engine needs the system's OpenMP library: sudo "
                "apt-get install libgomp1"
            ) from error
        raise errors.ServerError(
            f"The engine cannot run {order.name}: {error}. Choose another "
            "model: %buddy /use embedded/FILE.gguf"
        ) from error


def _find(model: str) -> Path:
    """The file of a model, which must be here."""
    if model in ("", DEMO):
        try:
            return demo_model()
        except OSError as error:
            raise errors.ModelNotFound(
                f"The demo model cannot be written ({error}). Name a model of "
                "your own: %buddy /use embedded/FILE.gguf"
            ) from error
    if not model.startswith(PREFIX):
        return _checked(Path(model).expanduser())
    file = HubFile.parse(model).try_find()
    if file is None:
        raise errors.ModelNotFound(
            f"{model} is not on this machine yet. Fetch it: %buddy /use embedded/{model}"
        )
    return _checked(file)


def _checked(file: Path) -> Path:
    try:
        with file.open("rb") as opened:
            magic = opened.read(len(MAGIC))
    except OSError as error:
        raise errors.ModelNotFound(
            f"There is no model file {file} ({error.strerror}). Name a GGUF "
            "file, or one on the hub: "
            "%buddy /use embedded/hf:OWNER/REPO/FILE.gguf"
        ) from error
    if magic != MAGIC:
        raise errors.ModelNotFound(
            f"{file} is no GGUF file. The engine runs models in that format only"
        )
    return file.absolute()
