"""Compresses networks: distillation, structured pruning and quantization-aware training, with a report.

``compress(CompressConfig(...))`` runs the steps and returns their checkpoints; ``edgecnn.variants.compress_and_report`` also exports
and measures them.
"""

from __future__ import annotations

from edgecnn.compress.config import CompressConfig
from edgecnn.compress.distill import DistillConfig
from edgecnn.compress.run import compress

__all__ = ["CompressConfig", "DistillConfig", "compress"]
