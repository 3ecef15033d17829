"""Training: one loop, an objective for each task (classify, detect, regress), resumable state, plots.

``train(TrainConfig(...))`` does the same as `edgecnn train`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecnn.lazy import lazy_names

if TYPE_CHECKING:
    from edgecnn.train.config import TrainConfig
    from edgecnn.train.run import train


_PUBLIC = {"TrainConfig": "edgecnn.train.config", "train": "edgecnn.train.run"}

__all__ = ["TrainConfig", "train"]

__getattr__, __dir__, _ = lazy_names(__name__, _PUBLIC)
