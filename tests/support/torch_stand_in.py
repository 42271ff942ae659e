"""Small classes in place of torch's, which is too large to install for a test."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest


def torch_with(monkeypatch: pytest.MonkeyPatch, device: str = "cpu") -> Any:
    """Stand-ins for torch's tensor and module, in the modules where the real classes
    live.
    """

    class Tensor:
        shape, dtype, requires_grad = (2, 3), "torch.float32", False

        def __init__(self) -> None:
            self.device = device

        def numel(self) -> int:
            return 6

        def detach(self) -> Any:
            if device != "cpu":
                raise KeyboardInterrupt
            return np.arange(6.0)

    class Module:
        def __getattr__(self, name: str) -> Any:
            raise KeyboardInterrupt

    torch, nn = types.ModuleType("torch"), types.ModuleType("torch.nn")
    for cls, home in ((Tensor, torch), (Module, nn)):
        cls.__module__, cls.__qualname__ = home.__name__, cls.__name__
        home.__dict__[cls.__name__] = cls
        monkeypatch.setitem(sys.modules, home.__name__, home)
    return types.SimpleNamespace(Tensor=Tensor, Module=Module)
