"""Jan: https://jan.ai/docs/desktop/api-server."""

from __future__ import annotations

from .base import Kind


class Jan(Kind):
    """Jan, which requires a key and reports only the names of its models."""

    name = "Jan"
    ports = (1337,)
    # The engine that runs each model; llama.cpp's own server writes itself without a dot.
    owners = ("llama.cpp", "mlx", "remote")
    start_command = "Settings > Local API Server > Start Server"
    download_command = "Hub > Download"
    widen_command = (
        "Settings > Model Providers > Llama.cpp > {model} > Context Size = {tokens}"
    )
