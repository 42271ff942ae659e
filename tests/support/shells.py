"""The parts of a kernel's shell that a display uses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class Publisher:
    """Collects what is published, as a kernel's display publisher would send it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    def publish(
        self, data: dict[str, Any], metadata: dict[str, Any] | None = None, **rest: Any
    ) -> None:
        self.sent.append(
            ("update" if rest.get("update") else "display", data, metadata or {})
        )

    def clear_output(self, wait: bool = False) -> None:
        self.sent.append(("clear", {}, {"wait": wait}))


def a_shell(
    code: str, allow_stdin: bool = True, message_id: str = "", cell_id: str = ""
) -> Any:
    """Return the parts of a kernel's shell that a display uses."""
    parent = {
        "header": {"msg_id": message_id},
        "metadata": {"cellId": cell_id} if cell_id else {},
        "content": {"code": code, "allow_stdin": allow_stdin},
    }
    return SimpleNamespace(
        kernel=object(),
        display_pub=Publisher(),
        execution_count=1,
        user_ns={},
        get_parent=lambda: parent,
    )
