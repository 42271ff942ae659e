"""Find out what a reply waits for before its first token: whether the model loads.

It asks the server beside the question, and only where that takes long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from ..chat.reply import Reply
from ..errors import BuddyError
from ..providers.base import Provider

# Seconds before the server is asked for the first time, and between two times.
FIRST_LOOK = 1.0
NEXT_LOOK = 2.0


@asynccontextmanager
async def watched(
    reply: Reply,
    provider: Callable[[str], Provider],
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> AsyncIterator[None]:
    """Keep ``reply.loading`` up to date until its first token.

    Parameters
    ----------
    reply
        The reply.
    provider
        Gives the provider of a name.
    pause
        Waits for so many seconds.
    """
    task = asyncio.create_task(_watch(reply, provider, pause))
    try:
        yield
    finally:
        task.cancel()


async def _watch(
    reply: Reply,
    provider: Callable[[str], Provider],
    pause: Callable[[float], Awaitable[object]],
) -> None:
    await pause(FIRST_LOOK)
    while reply.first is None and not reply.done:
        # The question itself reports what is wrong.
        with suppress(BuddyError):
            if reply.reading is not None:
                # A model that reads is loaded.
                reply.loading = False
            elif reply.model:
                asked = provider(reply.provider)
                reply.loading = await asked.is_model_loading(reply.model)
        await pause(NEXT_LOOK)
