"""Models without a server: llama.cpp in a child process.

No model is ever loaded inside the kernel.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

from traitlets import Int, Unicode

from ... import errors
from ...errors import Remedy
from ...messages import Chunk, Infill, Model, Progress, Request
from ...settings.keys import NO_KEY, Key
from ..base import LOCAL_TEMPERATURE, temperature_setting
from ..http import error_lines
from ..http.infill import InfillWay, find_marks
from ..http.probe import probing
from ..http.server_error import as_mapping
from ..infilling import INFILL_TIMEOUT, check_answered
from ..kinds.llama_cpp import LlamaCpp
from ..openai_chat import OpenAIChatProvider
from .catalogue import CATALOGUE, readable_size, try_catalogued
from .engine import BATCH, CACHE_MIB, Engine, EngineConfig, EngineError, start_engine
from .gguf import MAGIC, GGUFError, Header, header_of
from .hub import PREFIX, HubFile
from .index import PREFIX as INDEX
from .index import IndexPackages
from .on_disk import ModelOnDisk, downloaded, models_on_disk, try_named
from .pulling import Pull, can_pull, offers, try_find
from .resources import SMALLEST_WINDOW, Need, available_memory, physical_cores
from .store import SUFFIX, file_of

BYTES_PER_MIB = 1 << 20
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
    environment: ClassVar[Mapping[str, str]] = {"model": "CODEBUDDY_EMBEDDED_MODEL"}

    base_url = Unicode(
        "", read_only=True, help="Not used: the engine chooses a free port."
    )
    model = Unicode(
        "",
        help=(
            "A model that /pull downloaded, a GGUF file, or one of the Hugging Face hub as "
            "hf:OWNER/REPO/FILE.gguf. Empty: a model that /pull downloaded."
        ),
    ).tag(config=True, affects="target")
    n_ctx = Int(
        8192,
        min=0,
        help=(
            "The context window in tokens, limited by the model and by the free memory; "
            "0: the model's largest. More tokens take more memory."
        ),
    ).tag(config=True, affects="target")
    threads = Int(
        0, min=0, help="The number of threads; 0: one for each physical core."
    ).tag(config=True, affects="target")

    parallel = Int(
        1,
        min=1,
        max=64,
        help=(
            "The number of requests that the engine answers at a time, as buddy.map "
            "sends them; they share the context window."
        ),
    ).tag(config=True, affects="target", label="Requests at a time")

    temperature = temperature_setting(LOCAL_TEMPERATURE, "the engine's default")

    def __init__(self, **kwargs: Any) -> None:
        self._engine: Engine | None = None
        # What the engine was started for: with these settings it need not be again.
        self._served: EngineConfig | None = None
        # The files of the models, and the names of those that were asked for.
        self._files: dict[str, Path] = {}
        self._names: dict[str, str] = {}
        self._starting = asyncio.Lock()
        self._window: int | None = None
        # A line for the user, shown with the next reply.
        self._note = ""
        super().__init__(**kwargs)

    def address(self) -> None:
        """Return None: the engine has no address that users see or set."""

    def secrets(self) -> dict[str, Key]:
        """Return the key of the running engine."""
        engine = self._engine
        if engine is None:
            return {}
        return {"engine key": Key(engine.key)}

    def where(self) -> str:
        """Return where requests go, for a person."""
        return "llama.cpp on this machine, in a process beside the kernel"

    def stays_here(self) -> bool:
        """Return True: the engine listens on loopback only."""
        return True

    async def choose(self, model: str) -> str:
        """Return the name of the model to ask: without one, the first of those that were
        downloaded.

        Raises
        ------
        ModelNotFound
            If it is not on this machine, or is not a GGUF file.
        ExtraMissing
            If there is no engine to run it.
        """
        wanted = model or self.model
        try:
            name, file = await asyncio.to_thread(_find, wanted)
        except errors.ModelNotFound:
            # An engine that runs does not need its file any more.
            name = self._names.get(wanted, wanted)
            if self._is_running(name):
                return name
            _check_engine()
            raise
        self._files[name] = file
        self._names[wanted] = name
        return name

    async def prepare(self, model: str, progress: Progress) -> None:
        """Download a model from the hub if it is not on this machine; check that any
        other model exists.
        """
        if model.startswith(PREFIX):
            await self.pull(model, progress)
        await self.choose(model)

    async def models(self) -> list[Model]:
        """Return the models on this machine, and that of the settings."""
        found = await asyncio.to_thread(models_on_disk)
        if self.model:
            with suppress(errors.BuddyError):
                name, file = await asyncio.to_thread(_find, self.model)
                names = {model.name for model in found}
                if not names & {name, self.model}:
                    found.append(ModelOnDisk(self.model, file))
        return [await self._described(model) for model in found]

    async def _described(self, model: ModelOnDisk) -> Model:
        described = await asyncio.to_thread(model.described)
        engine = self._engine
        if engine is None or not engine.alive or engine.config.model != model.path:
            return replace(described, loaded=False)
        return replace(described, loaded=True, window=self._window)

    def _is_running(self, wanted: str) -> bool:
        if self._engine is None or not self._engine.alive:
            return False
        return self._engine.config.name == self._names.get(wanted, wanted)

    async def pull(self, model: str, progress: Progress) -> str:
        """Download a model to this machine; see `Pull.run`."""
        pull = Pull(progress, self.offline, self.allowed_hosts)
        name = await pull.run(model)
        return f"{self.name.lower()}/{name}"

    def can_pull(self, model: str) -> bool:
        """Return whether a text can only mean a model for this engine."""
        return can_pull(model)

    def about_download(self, model: str) -> str:
        """Return size and licence of a model of the catalogue."""
        catalogued = try_catalogued(model)
        if catalogued is None:
            return ""
        return catalogued.summary

    def without_models(self) -> tuple[Remedy, ...]:
        """Return how to download a model."""
        return offers()

    def other_models(self) -> list[str]:
        """Return the models of the catalogue that are not on this machine."""
        lines = []
        for model in CATALOGUE:
            if try_find(model) is None:
                lines.append(f"{model.name} ({model.summary}): {model.purpose}")
        return lines

    def keeps_prompts(self) -> bool:
        """Return True: llama.cpp has a prompt cache."""
        return True

    async def can_read_ahead(self, model: str) -> bool:
        """Return whether the engine runs with this model."""
        return self._is_running(model)

    def tokens_at_once(self) -> int | None:
        """Return the engine's batch."""
        return BATCH

    def expected_speed(self, model: str) -> float | None:
        """Return how fast a model of this size reads on so many threads, carefully."""
        name = self._names.get(model, model)
        file = self._files.get(name)
        if file is None:
            return None
        try:
            size = file.stat().st_size
        except OSError:
            return None
        if not size:
            return None
        threads = self.threads or min(physical_cores(), MOST_THREADS)
        return threads * SPEED_OF_A_GIGABYTE * 1e9 / size

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
            server = await self.server()
            answer = await self.get(server, f"{engine.url}/props")
            settings = as_mapping(answer).get("default_generation_settings")
            window = as_mapping(settings).get("n_ctx")
            if not isinstance(window, int):
                window = None
            self._window = window
        return self._window

    async def count(self, model: str, text: str) -> int | None:
        """Return the number of tokens of a text, by the engine's own tokenizer."""
        await self._running(model)
        server = await self.server()
        async with probing(server.access) as probe:
            return await LlamaCpp().count(probe, model, text)

    async def slots(self, model: str) -> int | None:
        """Return how many requests the engine answers at a time; starts the engine."""
        await self._running(model)
        server = await self.server()
        async with probing(server.access) as probe:
            return await LlamaCpp().slots(probe, model)

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
            note = self._note
            self._note = ""
            yield Chunk(note=note)
        reply = cast(Any, super().stream(request))
        try:
            async with aclosing(reply) as chunks:
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

    async def infill(self, request: Infill) -> AsyncIterator[Chunk]:
        """Write what stands between two texts; see `Provider.infill`."""
        await self._running(request.model)
        reply = cast(Any, super().infill(request))
        async with aclosing(reply) as chunks:
            async for chunk in chunks:
                yield chunk

    async def find_infill(
        self, server: error_lines.Server, model: str
    ) -> InfillWay | None:
        """Return the control tokens that the model was trained with.

        Not llama.cpp's ``/infill``: that cuts the text before the gap to three quarters
        of a batch, and the engine's batch is small.
        """
        async with probing(server.access, INFILL_TIMEOUT) as probe:
            way = await find_marks(partial(LlamaCpp().count, probe, model))
            return check_answered(server, probe, way)

    def find_key(self) -> Key:
        """Return no key: each engine has one of its own."""
        return NO_KEY

    async def close(self) -> None:
        """End the engine."""
        await super().close()
        engine = self._engine
        self._engine = None
        if engine is not None:
            await engine.close()

    async def _running(self, name: str) -> Engine:
        """Return the engine that serves the model: the one that runs, or a new one."""
        if name not in self._files:
            name = await self.choose(name)
        threads = self.threads or physical_cores()
        wanted = EngineConfig(
            self._files[name],
            name,
            self.n_ctx,
            threads,
            slots=self.parallel,
        )
        async with self._starting:
            engine = self._engine
            if engine is not None:
                if engine.alive and self._served == wanted:
                    return engine
                if not engine.alive:
                    self._note = (
                        f"The engine had stopped ({engine.ending}) and was restarted."
                    )
                await self.close()
            config = await asyncio.to_thread(_fitted, wanted)
            self._engine = await _started(config)
            self._served = wanted
            self._window = None
            self._note_window(config)
            return self._engine

    def _note_window(self, config: EngineConfig) -> None:
        """Tell the user of a context window that the memory made smaller."""
        most = header_of(config.model).window or self.n_ctx
        wanted = min(self.n_ctx or most, most)
        if config.n_ctx < wanted:
            note = (
                f"The context window is {config.n_ctx:,} tokens: the free memory allows "
                "no more."
            )
            self._note = f"{self._note} {note}".strip()


def _fitted(wanted: EngineConfig) -> EngineConfig:
    """Return the configuration with a context window for which there is memory.

    Raises
    ------
    ProviderError
        If the memory does not suffice for the model; before the system swaps.
    """
    try:
        header = header_of(wanted.model)
        size = wanted.model.stat().st_size
    except (GGUFError, OSError) as error:
        raise _cannot_run(wanted, str(error)) from error
    need = Need(size, header)
    memory = available_memory()
    if memory is None:
        return wanted
    window = need.window_within(memory, wanted.n_ctx)
    if not window:
        needed = need.bytes_for(SMALLEST_WINDOW)
        raise errors.ProviderError(
            f"{wanted.name} needs {readable_size(needed)} of memory, and "
            f"{readable_size(memory)} are free.",
            *_fitting_models(memory),
            Remedy("Free some memory, such as that of other kernels, and ask again"),
        )
    rest = max(0, memory - need.bytes_for(window)) // BYTES_PER_MIB
    # Half of what is left stays for the notebook.
    return replace(wanted, n_ctx=window, cache_mib=min(CACHE_MIB, rest // 2))


def _fitting_models(memory: int) -> Iterator[Remedy]:
    """Yield how to use the models of the catalogue for which there is memory."""
    for model in CATALOGUE:
        need = Need(model.size, Header(0))
        if not need.window_within(memory, SMALLEST_WINDOW):
            continue
        command = f"%buddy /use embedded/{model.name}"
        if try_find(model) is None:
            command = f"%buddy /pull {model.name}"
        yield Remedy(f"Use a smaller one, {model.name}", command)


def _check_engine() -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        raise errors.ExtraMissing(
            "The embedded engine is not installed.", Remedy("Install it", INSTALL)
        )


async def _started(config: EngineConfig) -> Engine:
    _check_engine()
    try:
        return await start_engine(config)
    except EngineError as error:
        if "libgomp" in str(error):
            raise errors.ExtraMissing(
                "The embedded engine needs the system's OpenMP library.",
                Remedy("Install it", "sudo apt-get install libgomp1"),
            ) from error
        raise _cannot_run(config, str(error)) from error


def _cannot_run(config: EngineConfig, reason: str) -> errors.ServerError:
    """Return the error for a model that the engine does not load."""
    header = Header(0)
    with suppress(GGUFError, OSError):
        header = header_of(config.model)
    what = f"The engine cannot run {config.name}"
    if header.architecture:
        what += f" (GGUF version {header.version}, architecture {header.architecture})"
    return errors.ServerError(
        f"{what}: {reason}.", Remedy("Choose another model", OTHER_MODEL)
    )


def _find(model: str) -> tuple[str, Path]:
    """Return the name and the file of a model, which must be on this machine."""
    if not model:
        return _find_any()
    catalogued = try_catalogued(model)
    if catalogued is not None:
        found = try_find(catalogued)
        if found is None:
            raise _not_here(catalogued.name, f"%buddy /pull {catalogued.name}")
        return catalogued.name, _checked(found)
    if model.startswith(PREFIX):
        found = HubFile.parse(model).try_find()
        if found is None:
            raise _not_here(model, f"%buddy /use embedded/{model}")
        return found.stem, _checked(found)
    if model.startswith(INDEX):
        name = IndexPackages.parse(model).model_name
        if not file_of(name).exists():
            raise _not_here(model, f"%buddy /pull {model}")
        return name, _checked(file_of(name))
    path = Path(model).expanduser()
    if path.suffix != SUFFIX or ":" in model:
        named = try_named(model)
        if named is not None:
            return model, _checked(named)
    return path.stem, _checked(path)


def _find_any() -> tuple[str, Path]:
    """Return the first model that was downloaded."""
    for model in downloaded():
        return model.name, _checked(model.path)
    raise errors.ModelNotFound(
        "There is no model for the built-in engine on this machine yet.", *offers()
    )


def _not_here(name: str, command: str) -> errors.ModelNotFound:
    return errors.ModelNotFound(
        f"{name} is not on this machine yet.", Remedy("Download it", command)
    )


def _checked(file: Path) -> Path:
    """Return the absolute path of a GGUF file, after checking its first bytes."""
    try:
        with file.open("rb") as opened:
            magic = opened.read(len(MAGIC))
    except OSError as error:
        raise errors.ModelNotFound(
            f"There is no model file {file} ({error.strerror}).",
            Remedy("See the models", "%buddy /models embedded"),
            *offers()[:1],
        ) from error
    if magic != MAGIC:
        raise errors.ModelNotFound(
            f"{file} is not a GGUF file, the only format that the engine supports.",
            Remedy("Use a GGUF file", OTHER_MODEL),
        )
    return file.absolute()
