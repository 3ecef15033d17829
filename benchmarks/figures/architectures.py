"""Exports networks of other people in every format and precision: how many files are kept, and why the others are not.

``PYTHONPATH=DIR python -m edgecnn.benchmarks.figures.architectures --precision fp32 --json FILE``

``architecture_list`` says which networks and how DIR is made. Each network and format is a process of its own. ``--json`` is written
after each, and what it holds is not done again, so that a stopped run can go on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.architecture_list import ARCHITECTURES, Architecture
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.columns import align_columns
from edgecnn.export.config import DEFAULT_FORMATS as FORMATS
from edgecnn.export.config import SUFFIXES
from edgecnn.files import check_writable

MEAN, STD = "123.675,116.28,103.53", "58.395,57.12,57.375"  # of torchvision and timm


def try_export(one: Architecture, format: str, precisions: list[str], data: list[str], seconds: int) -> dict[str, Any]:
    """Export one network in one format: for each precision "kept", or the line that says why not."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        target = f"edgecnn.benchmarks.figures.architecture_list:{one.name}"
        labels = ",".join(f"class{index}" for index in range(one.classes))
        command = [
            sys.executable, "-m", "edgecnn", "export", target, "--format", format, "--precision", ",".join(precisions),
            "--input", f"1x3x{one.size}x{one.size}", "--task", one.task, "--labels", labels, "--mean", MEAN, "--std", STD,
            "--resize", "stretch", "--name", one.name, "--out", folder, *data,
        ]  # fmt: skip
        began = perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
            code, said = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            code, said = -1, f"did not finish in {seconds} s"
        cells = {
            precision: "kept" if Path(folder, f"{one.name}-{precision}{SUFFIXES[format]}").exists() else _reason(said, precision)
            for precision in precisions
        }
        left = sorted(path.name for path in Path(folder).iterdir() if path.name.startswith("."))
    return {"seconds": round(perf_counter() - began, 1), "code": code, "cells": cells, "left_behind": left}


def _reason(said: str, precision: str) -> str:
    """The line of an output that says why the file of a precision is not there."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    own = [line for line in lines if f"-{precision}." in line and "OUT OF TOLERANCE" in line]
    errors = [line for line in lines if line.startswith("error:")]
    return (own or errors or lines or ["ended without a word"])[-1][:300]


def table(results: dict[str, dict[str, Any]], precisions: list[str]) -> str:
    """A row for each network, a column for each format, a word for each precision."""
    rows = [["network", *(f"{format} {'/'.join(precisions)}" for format in FORMATS)]]
    for one in ARCHITECTURES:
        if any(f"{one.name} {format}" in results for format in FORMATS):
            rows.append([one.name, *(_cells(results.get(f"{one.name} {format}"), precisions) for format in FORMATS)])
    return align_columns(rows, left=len(rows[0]))


def _cells(result: dict[str, Any] | None, precisions: list[str]) -> str:
    cells = {} if result is None else result["cells"]
    return " ".join(
        "-" if name not in cells else "ok" if cells[name] == "kept" else "R" if "TOLERANCE" in cells[name] else "X"
        for name in precisions
    )


@click.command()
@click.option("--precision", "precisions", default="fp32", show_default=True, help="Precisions, separated by commas.")
@click.option("--format", "formats", default=",".join(FORMATS), show_default=True, help="Formats, separated by commas.")
@click.option("--only", default="", help="Networks, separated by commas; all by default.")
@click.option("--verify-data", help="Real images, as for `edgecnn export`.")
@click.option("--calibration", help="Calibration images of int8, as for `edgecnn export`.")
@click.option("--option", "options", multiple=True, help="A further word for `edgecnn export`; several times.")
@click.option("--timeout", "seconds", default=900, show_default=True, help="Seconds for one network and format.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), required=True, help="Record, also of a stopped run.")
def command(
    precisions: str, formats: str, only: str, verify_data: str | None, calibration: str | None, options: tuple[str, ...],
    seconds: int, json_path: Path,
) -> None:  # fmt: skip
    """Export every network of the list and record which files are kept."""
    check_writable(json_path)
    names, wanted = precisions.split(","), set(filter(None, only.split(",")))
    data = [*(["--verify-data", verify_data] if verify_data else []), *(["--calibration", calibration] if calibration else [])]
    results: dict[str, Any] = json.loads(json_path.read_text())["results"] if json_path.exists() else {}
    with ProgressLine() as show:
        for one in ARCHITECTURES:
            for format in formats.split(","):
                key = f"{one.name} {format}"
                if (wanted and one.name not in wanted) or set(names) <= set(results.get(key, {}).get("cells", ())):
                    continue
                show(key)
                results[key] = try_export(one, format, names, [*data, *options], seconds)
                show.above(f"{key}: {results[key]['cells']} ({results[key]['seconds']} s)")
                kept = sum(text == "kept" for found in results.values() for text in found["cells"].values())
                total = sum(len(found["cells"]) for found in results.values())
                figure.record(json_path, "architectures", {"kept": kept, "of": total, "results": results})
    click.echo(table(results, names))


if __name__ == "__main__":
    figure.run(command)
