"""Exports networks of other people in every format and precision: how many files are kept, and why the others are not.

``PYTHONPATH=DIR python -m edgecnn.benchmarks.figures.architectures --precision fp32 --json FILE``

``--nine`` takes only the networks of the table of nine files. ``architecture_list`` says which networks and how DIR is made. Each network
is a process of its own. ``--json`` is written after each, and what it holds is not done again, so that a stopped run can go on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.architecture_list import ARCHITECTURES, Architecture
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.columns import align_columns
from edgecnn.export.config import DEFAULT_FORMATS as FORMATS
from edgecnn.export.config import file_name
from edgecnn.files import check_writable
from edgecnn.integrity.sections import split

KEPT = "kept"
REFUSED = ("OUT OF TOLERANCE", "OVER THE BUDGET")  # of `edgecnn export`; anything else is a failure
Results = dict[str, dict[str, Any]]  # by network and format


@dataclass(frozen=True, slots=True)
class ArchitectureTrial:
    """How each network is exported: precisions, words for `edgecnn export`, labelled images of detectors and seconds at most.

    ``logs`` is the folder for what each export says.
    """

    precisions: tuple[str, ...]
    options: tuple[str, ...]
    evaluate: str | None
    seconds: int
    logs: Path | None = None

    def command(self, one: Architecture, formats: Sequence[str], folder: str) -> list[str]:
        """The command line of one network."""
        labels = ",".join(one.labels or (f"class{index}" for index in range(one.classes)))
        measured = ["--evaluate", self.evaluate] if self.evaluate and one.labels and "int8" in self.precisions else []
        return [
            sys.executable, "-m", "edgecnn", "export", f"edgecnn.benchmarks.figures.architecture_list:{one.name}",
            "--format", ",".join(formats), "--precision", ",".join(self.precisions), "--input", f"1x3x{one.size}x{one.size}",
            "--task", one.task, "--labels", labels, *one.options, "--name", one.name, "--out", folder, *self.options, *measured,
        ]  # fmt: skip


def try_export(one: Architecture, formats: Sequence[str], trial: ArchitectureTrial) -> Results:
    """Export one network: for each format the precisions with "kept", or the lines that say why not, and what int8 cost."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        began = perf_counter()
        log = Path(trial.logs or folder, f"{one.name}.txt")
        code, said = _run(trial.command(one, formats, folder), trial.seconds, log)
        seconds = round(perf_counter() - began, 1)
        found: Results = {}
        for format in formats:
            paths = {precision: Path(folder, file_name(one.name, format, precision)) for precision in trial.precisions}
            cells = {name: KEPT if path.exists() else _reason(said, path.name) for name, path in paths.items()}
            int8 = paths.get("int8")
            found[f"{one.name} {format}"] = {
                "cells": cells,
                "int8": _cost(int8) if int8 is not None and int8.exists() else None,
                "seconds_of_all_formats": seconds,
                "code": code,
                "load_average": round(os.getloadavg()[0], 1),
            }
        left = sorted(path.name for path in Path(folder).iterdir() if path.name.startswith("."))
    if left:
        found[f"{one.name} {formats[0]}"]["left_behind"] = left
    return found


def _run(command: Sequence[str], seconds: int, log: Path) -> tuple[int, str]:
    """Exit code and output, which is written to ``log``; a command that takes too long is ended with its helpers."""
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) as process:
        late = ""
        try:
            process.wait(seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            late = f"\nerror: did not finish in {seconds} s"
    return process.returncode, log.read_text() + late


def _reason(said: str, file: str) -> str:
    """The lines of an output that say why a file is not there."""
    lines = [line.strip() for line in said.splitlines()]
    start = next((index for index, line in enumerate(lines) if line.startswith(f"{file}: ")), None)
    if start is None:
        errors = [line for line in lines if line.startswith("error:")]
        return (errors or [line for line in lines if line] or ["ended without a word"])[-1][:300]
    end = next((index for index in range(start, len(lines)) if not lines[index]), len(lines))
    block = [line for line in lines[start:end] if not line.endswith(("ok", "warning")) and not line.startswith("input ")]
    return "; ".join(block)[:600]


def _cost(path: Path) -> dict[str, Any]:
    """What int8 lost and kept in float, from the card of the file."""
    card = ModelCard.from_json(split(path).texts[CARD_KEY].decode(), path.name)
    record: dict[str, Any] = card.calibration.get("budget", {})
    real: dict[str, Any] = next((row for row in card.parity.get("rows", ()) if row["input"].startswith("real")), {})
    method, kept, tried = card.calibration.get("method"), len(record.get("layers_in_float", ())), record.get("tried", ())
    mine = [one["outputs_db"] for one in tried if (one["method"], one["layers_in_float"]) == (method, kept)]
    return {
        "budget_points": record.get("points"),
        "of": record.get("of"),
        "drop_points": record.get("drop_points"),
        "agree": real.get("agree"),
        "outputs_db": mine[0] if mine else None,
        "layers_in_float": kept,
        "layers": record.get("layers"),
        "method": method,
        "tried": len(tried),
        "costs": record.get("costs"),
    }


def table(results: Results, precisions: Sequence[str]) -> str:
    """A row for each network, a column for each format, a word for each precision."""
    rows = [["network", *(f"{format} {'/'.join(precisions)}" for format in FORMATS)]]
    for one in ARCHITECTURES:
        if any(f"{one.name} {format}" in results for format in FORMATS):
            rows.append([one.name, *(_cells(results.get(f"{one.name} {format}"), precisions) for format in FORMATS)])
    return align_columns(rows, left=len(rows[0]))


def _cells(result: dict[str, Any] | None, precisions: Sequence[str]) -> str:
    """ "ok" or "ok+3" (layers in float) for a kept file, "R" for a refused one, "X" for a failure, "-" where it was not tried."""
    cells = {} if result is None else result["cells"]
    kept = ((result or {}).get("int8") or {}).get("layers_in_float")
    words = {name: f"ok+{kept}" if name == "int8" and kept else "ok" for name in precisions}
    for name in precisions:
        if name not in cells:
            words[name] = "-"
        elif cells[name] != KEPT:
            words[name] = "R" if any(word in cells[name] for word in REFUSED) else "X"
    return " ".join(words.values())


def counts(results: Results) -> dict[str, int]:
    """Files that were kept, refused and failed."""
    cells = [text for found in results.values() for text in found["cells"].values()]
    kept, refused = cells.count(KEPT), sum(any(word in text for word in REFUSED) for text in cells)
    return {"kept": kept, "refused": refused, "failed": len(cells) - kept - refused, "of": len(cells)}


@click.command()
@click.option("--precision", "precisions", default="fp32", show_default=True, help="Precisions, separated by commas.")
@click.option("--format", "formats", default=",".join(FORMATS), show_default=True, help="Formats, separated by commas.")
@click.option("--nine", is_flag=True, help="Only the networks of the table of nine files.")
@click.option("--only", default="", help="Networks, separated by commas; all by default.")
@click.option("--again", default="", help="Networks whose results in the record are replaced.")
@click.option(
    "--add", "others", multiple=True, type=click.Path(exists=True, path_type=Path), help="Records whose results are taken over."
)
@click.option("--verify-data", help="Real images, as for `edgecnn export`.")
@click.option("--verify-count", default=32, show_default=True, help="Number of these images.")
@click.option("--calibration", help="Calibration images of int8, as for `edgecnn export`.")
@click.option("--calibration-count", default=64, show_default=True, help="Number of these images.")
@click.option(
    "--evaluate", help="Labelled images for the budget of detectors with published weights; others are judged by agreement."
)
@click.option("--max-drop", type=float, help="The budget of int8, as for `edgecnn export`.")
@click.option("--timeout", "seconds", default=3600, show_default=True, help="Seconds for one network.")
@click.option("--logs", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder for what each export says.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), required=True, help="Record, also of a stopped run.")
def command(
    precisions: str, formats: str, nine: bool, only: str, again: str, others: tuple[Path, ...],
    verify_data: str | None, verify_count: int, calibration: str | None, calibration_count: int, evaluate: str | None,
    max_drop: float | None, seconds: int, logs: Path | None, json_path: Path,
) -> None:  # fmt: skip
    """Export every network of the list and record which files are kept."""
    check_writable(json_path)
    data = {
        "--verify-data": verify_data,
        "--verify-count": verify_count,
        "--calibration": calibration,
        "--calibration-count": calibration_count if calibration else None,
        "--max-drop": max_drop,
    }
    words = tuple(word for name, value in data.items() if value is not None for word in (name, str(value)))
    trial = ArchitectureTrial(tuple(precisions.split(",")), words, evaluate, seconds, logs)
    results: Results = {}
    for path in (*others, *([json_path] if json_path.exists() else [])):
        results.update(json.loads(path.read_text())["results"])
    wanted, replaced = set(filter(None, only.split(","))), set(again.split(","))
    with ProgressLine() as show:
        for one in ARCHITECTURES:
            missing = [format for format in formats.split(",") if one.name in replaced or not _has(results, one, format, trial)]
            if not missing or (nine and not one.nine) or (wanted and one.name not in wanted):
                continue
            show(one.name)
            results.update(try_export(one, missing, trial))
            show.above(table({key: found for key, found in results.items() if key.split()[0] == one.name}, trial.precisions))
            figure.record(json_path, "architectures", counts(results) | {"results": results})
    if others:
        figure.record(json_path, "architectures", counts(results) | {"results": results})
    click.echo(table(results, trial.precisions))


def _has(results: Results, one: Architecture, format: str, trial: ArchitectureTrial) -> bool:
    return set(trial.precisions) <= set(results.get(f"{one.name} {format}", {}).get("cells", ()))


if __name__ == "__main__":
    figure.run(command)
