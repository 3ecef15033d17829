"""Runs a sweep: cell by cell, each kept when it is measured; a cell that fails does not end the others."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.errors import EdgeCnnError
from edgecnn.files import write_error
from edgecnn.sweep.cells import SweepCell, cell_key, cells_of
from edgecnn.sweep.config import SweepConfig
from edgecnn.sweep.hosts import Check, check_host, unreachable
from edgecnn.sweep.measure_cell import Digest, measure_cell, model_digest
from edgecnn.sweep.results import CellResult, read_result, write_result
from edgecnn.system_errors import explain

Measure = Callable[[SweepCell, SweepConfig, Digest, Progress, Progress], Mapping[str, Any]]


def run_sweep(
    config: SweepConfig,
    progress: Progress = no_progress,
    told: Progress = no_progress,
    *,
    measure: Measure = measure_cell,
    check: Check = check_host,
    now: Callable[[], float] = monotonic,
) -> list[CellResult]:
    """Measure all cells of ``config`` that were not measured before; the results in the order of the cells.

    Boards are connected to before the first cell; the cells of one that can't be reached fail at once, and the others go on.
    ``progress`` gets a line at each step, with the time left; ``told`` one line for each such board, and each other cell that fails.
    Raises ``InputError`` for a model that can't be read, and for an output folder that can't be written.
    """
    digest = functools.cache(model_digest)
    cells = cells_of(config)
    keys = [cell_key(cell, config, digest) for cell in cells]
    folder = config.out / "cells"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    found = {cell: read_result(folder, cell, key) for cell, key in zip(cells, keys, strict=True)}
    waiting = [cell for cell in cells if found[cell] is None]
    if len(waiting) < len(cells):
        told(f"{len(cells) - len(waiting)} of {len(cells)} cells were measured before")
    away = unreachable((cell.host for cell in waiting), config.remote_dir, progress, told, check)
    for cell in waiting:
        if cell.host in away:
            found[cell] = CellResult(cell, keys[cells.index(cell)], error=away[cell.host], is_new=True)
    waiting = [cell for cell in waiting if cell.host not in away]
    spent: list[float] = []
    for number, cell in enumerate(waiting):
        head = f"cell {number + 1} of {len(waiting)}, {cell.title}{time_left(spent, len(waiting) - number)}"
        result = _one(cell, keys[cells.index(cell)], config, digest, _below(progress, head), measure, now)
        if result.error:
            told(f"{cell.title}: {result.error}")
        write_result(folder, result)
        found[cell] = result
        spent.append(result.seconds)
    return [result for result in found.values() if result is not None]


def _below(progress: Progress, head: str) -> Progress:
    return lambda text: progress(f"{head}: {text}")


def time_left(spent: Sequence[float], cells: int) -> str:
    """The time for so many cells, by the mean of those that were measured; "" before the first."""
    if not spent:
        return ""
    seconds = sum(spent) / len(spent) * cells
    return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"


def _one(
    cell: SweepCell,
    key: str,
    config: SweepConfig,
    digest: Digest,
    progress: Progress,
    measure: Measure,
    now: Callable[[], float],
) -> CellResult:
    started = now()
    try:
        document = measure(cell, config, digest, progress, no_progress)
    except EdgeCnnError as error:
        return CellResult(cell, key, error=str(error), seconds=now() - started, is_new=True)
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        return CellResult(cell, key, error=str(known), seconds=now() - started, is_new=True)
    return CellResult(cell, key, document, seconds=now() - started, is_new=True)
