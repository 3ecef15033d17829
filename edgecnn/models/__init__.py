"""Small CNNs and their checkpoints; torch is imported only when a model is built or loaded."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "create": "edgecnn.models.registry",
    "names": "edgecnn.models.registry",
    "find_checkpoint": "edgecnn.models.checkpoint",
    "load_checkpoint": "edgecnn.models.checkpoint",
    "read_card": "edgecnn.models.checkpoint",
    "save_checkpoint": "edgecnn.models.checkpoint",
    "shipped": "edgecnn.models.checkpoint",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'edgecnn.models' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
