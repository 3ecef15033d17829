"""Latency, throughput, memory and accuracy of model files on this device, and reports of them.

``benchmark(BenchmarkConfig(files=(Path("cups-int8.onnx"),)))`` gives a ``Record``; ``to_table``, ``write_json`` and ``write_html`` make
reports of it. ``evaluate_file(EvaluationConfig(...))`` measures accuracy alone.
"""

from __future__ import annotations

from edgecnn.lazy import lazy_names

# Imported on first use: a measuring process imports this package before it starts the clock of its imports.
_PUBLIC = {
    "BenchmarkConfig": "edgecnn.benchmarks.measure.config",
    "DatasetSelection": "edgecnn.benchmarks.measure.dataset_selection",
    "Evaluation": "edgecnn.benchmarks.measure.evaluation",
    "EvaluationConfig": "edgecnn.benchmarks.measure.evaluation",
    "FULL": "edgecnn.benchmarks.measure.protocol",
    "Protocol": "edgecnn.benchmarks.measure.protocol",
    "ProgressLine": "edgecnn.benchmarks.measure.progress",
    "QUICK": "edgecnn.benchmarks.measure.protocol",
    "Record": "edgecnn.benchmarks.measure.record",
    "benchmark": "edgecnn.benchmarks.run",
    "evaluate_file": "edgecnn.benchmarks.measure.evaluation",
    "to_document": "edgecnn.benchmarks.report.document",
    "to_table": "edgecnn.benchmarks.report.table",
    "write_html": "edgecnn.benchmarks.run",
    "write_json": "edgecnn.benchmarks.run",
}

__getattr__, __dir__, __all__ = lazy_names(__name__, _PUBLIC)
