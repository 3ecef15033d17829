"""Small CNNs and their checkpoints; torch is imported only when a model is built or loaded."""

from __future__ import annotations

from edgecnn.lazy import lazy_names

_PUBLIC = {
    "create": "edgecnn.models.registry",
    "names": "edgecnn.models.registry",
    "find_checkpoint": "edgecnn.models.checkpoint",
    "load_checkpoint": "edgecnn.models.checkpoint",
    "read_card": "edgecnn.models.checkpoint",
    "save_checkpoint": "edgecnn.models.checkpoint",
    "shipped": "edgecnn.models.checkpoint",
}

__getattr__, __dir__, __all__ = lazy_names(__name__, _PUBLIC)
