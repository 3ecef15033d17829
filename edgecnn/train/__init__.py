"""Training: one loop, an objective for each task (classify, detect, regress), resumable state, plots.

``train(TrainConfig(...))`` does the same as `edgecnn train`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecnn.train.config import TrainConfig
    from edgecnn.train.run import train

__all__ = ["TrainConfig", "train"]

_PUBLIC = {"TrainConfig": "edgecnn.train.config", "train": "edgecnn.train.run"}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'edgecnn.train' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
