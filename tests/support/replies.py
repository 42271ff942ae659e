"""Replies whose provider answers as a test says."""

from __future__ import annotations

import asyncio
from typing import Any

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.messages import Chunk

Step = str | Chunk | BaseException | float
"""A text, a chunk, an error to raise, or seconds to wait."""


def a_reply(loop: Loop, *steps: Step, format: str = "markdown") -> Reply:
    """Return a reply that has not started; its source gives these steps."""

    async def source(reply: Reply) -> Any:
        reply.provider, reply.model = "Local", "llama3"
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            yield Chunk(text=step) if isinstance(step, str) else step

    return Reply("why?", source, loop, format=format)


def ended(loop: Loop, *steps: Step, format: str = "markdown") -> Reply:
    """Return a reply of these steps that has ended."""
    reply = a_reply(loop, *steps, format=format).start()
    assert reply.wait(10)
    return reply
