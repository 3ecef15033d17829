"""`--precision auto`: of the files of one format that are verified, the quickest on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgecnn.columns import align_columns
from edgecnn.export.budget.latency import latencies_ms
from edgecnn.export.budget.trial import size_of

PRECISIONS = ("fp32", "fp16", "int8")


def quickest(files: Mapping[str, Path]) -> tuple[str, str]:
    """The precision of the quickest of ``files`` (by precision), and the table of all, measured in turns.

    Where two are within 2 %, which rounds can't tell apart, the smaller file is taken.
    """
    times = dict(zip(files, latencies_ms(list(files.values())), strict=True))
    sizes = {precision: size_of(path) for precision, path in files.items()}
    least = min(times.values())
    near = [precision for precision in files if times[precision] <= least * 1.02]
    best = min(near, key=lambda precision: sizes[precision])
    rows = [["precision", "latency ms", "size MB", ""]]
    rows += [[name, f"{times[name]:.2f}", f"{sizes[name] / 1e6:.2f}", "chosen" if name == best else ""] for name in files]
    return best, align_columns(rows, left=1)
