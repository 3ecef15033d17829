"""How much the latency of one file differs from process to process: the estimate behind ``PROCESS_TO_PROCESS`` of `edgecnn compare`.

``python -m edgecnn.benchmarks.figures.process_spread benchmarks/results/DEVICE/comparisons-equal.json``

A record of the figure ``comparisons`` holds the ratio of each pair of fresh processes, whose rounds took turns, so that it is free of
what changes slowly. Of equal files, the deviation of its logarithm is that of two processes; other programs only add to it, so the
calmest comparisons come nearest to the true value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from edgecnn.benchmarks.compare.separate import MAD_TO_DEVIATION
from edgecnn.errors import InputError
from edgecnn.text_files import read_text


def process_deviation(ratios: Sequence[float]) -> float:
    """The standard deviation of the logarithm of the latency of one process, from ratios of pairs; by the median, not by outliers."""
    logs = np.log(ratios)
    return float(MAD_TO_DEVIATION * np.median(np.abs(logs - np.median(logs))) / math.sqrt(2))


def deviations(path: Path) -> list[float]:
    """One value for each comparison of a record, the smallest first. Raises ``InputError`` for another file."""
    try:
        rows = json.loads(read_text(path))["rows"]
        return sorted(process_deviation(row["ratios"]) for row in rows)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no record of comparisons", "give one of edgecnn.benchmarks.figures.comparisons") from error


@click.command()
@click.argument("records", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(records: tuple[Path, ...]) -> None:
    """Print the deviations of all comparisons of the RECORDS."""
    for path in records:
        found = deviations(path)
        quarter, middle = found[len(found) // 4], found[len(found) // 2]
        click.echo(
            f"{path.name}: {len(found)} comparisons; from process to process {100 * found[0]:.1f} % in the calmest one, "
            f"{100 * quarter:.1f} % in the calmest quarter, median {100 * middle:.1f} %"
        )


if __name__ == "__main__":
    main()
