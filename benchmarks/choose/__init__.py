"""Chooses which file of a model to run on this device, in which engine, precision and number of threads.

``choose(ChooseConfig(files=(Path("exported"),), budget=Budget(max_latency_ms=20)))`` does the work of `edgecnn benchmark --choose`.
"""

from __future__ import annotations

from edgecnn.lazy import lazy_names

_PUBLIC = {
    "Budget": "edgecnn.benchmarks.choose.budget",
    "ChooseConfig": "edgecnn.benchmarks.choose.config",
    "choose": "edgecnn.benchmarks.choose.choice",
}

__getattr__, __dir__, __all__ = lazy_names(__name__, _PUBLIC)
