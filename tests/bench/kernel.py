"""A real kernel whose costs can be read: bytes of output, processor time, memory."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import psutil

from tests.support.kernels import Kernel, Message

SHOWN = ("display_data", "update_display_data", "execute_result", "stream")
OUTPUTS = (*SHOWN, "clear_output", "comm_msg")


class MeasuredKernel(Kernel):
    """A fresh kernel of this Python, with an empty home; ``url`` is the server that the
    buddy finds there.
    """

    def __init__(self, url: str) -> None:
        self._folder = tempfile.TemporaryDirectory(
            prefix="bench", ignore_cleanup_errors=True
        )
        self.bytes = 0
        super().__init__(
            Path(sys.executable), Path(self._folder.name), CODEBUDDY_BASE_URL=url
        )

    def __enter__(self) -> Self:
        super().__enter__()
        self.process = psutil.Process(int(self.value("__import__('os').getpid()")))
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._folder.cleanup()

    def value(self, expression: str) -> float:
        """A number out of the kernel."""
        return float(self.good(f"print({expression})").printed.split()[-1])

    def processor_time(self) -> float:
        """Seconds that all threads of the kernel have used."""
        return self.value("__import__('time').process_time()")

    def memory(self) -> float:
        """Bytes that would be free without this kernel."""
        return float(self.process.memory_full_info().uss)

    def output_bytes(self, code: str, seconds: float) -> int:
        """Run a cell, and give the bytes of its output messages: header, parent,
        metadata and content as JSON.
        """
        before = self.bytes
        cell = self.end(self.begin(code), seconds)
        assert cell.status == "ok", cell.outputs
        return self.bytes - before

    def _take(self, raw: Mapping[str, Any]) -> None:
        super()._take(raw)
        if raw["msg_type"] in OUTPUTS:
            pack = self.client.session.pack
            self.bytes += sum(
                len(pack(raw[part]))
                for part in ("header", "parent_header", "metadata", "content")
            )


def is_answer(message: Message) -> bool:
    """Whether a message shows something of an answer, not only that one is waited for."""
    transient = message.content.get("transient", {})
    return message.type in SHOWN and not transient.get("codebuddy_waiting")
