"""Throughput of ``edgecnn run`` from file to boxes, no frame dropped, against the engine alone: the cost of decoding and Python.

``python -m edgecnn.benchmarks.figures.throughput cups-int8.xml car-detection.mp4 --json FILE``

The engine alone is OpenVINO's own ``benchmark_app`` with the throughput hint in the same precision: one input again and again, no
video, no resize, no boxes. Both run as separate processes, alternately; each pair gives one ratio.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.card import CARD_KEY
from edgecnn.columns import align_columns
from edgecnn.engine_device import CPU
from edgecnn.errors import BackendError, InputError
from edgecnn.files import check_writable
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.backends.ov import open_file

TARGET = 0.75
# edgecnn switches off what OpenVINO would send
BENCHMARK_APP = "import edgecnn; from openvino.tools.benchmark.main import main; main()"


@dataclass(frozen=True, slots=True)
class ThroughputPair:
    """Frames per second of the engine alone and of ``edgecnn run``, one right after the other."""

    engine_fps: float
    run_fps: float

    @property
    def ratio(self) -> float:
        """Share of the engine's throughput that ``edgecnn run`` reaches."""
        return self.run_fps / self.engine_fps


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("video", type=click.Path(path_type=Path))
@click.argument("run_options", nargs=-1, type=click.UNPROCESSED)
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True, help="Pairs of measurements.")
@click.option("--seconds", type=click.IntRange(1), default=8, show_default=True, help="Length of each measurement.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(model: Path, video: Path, run_options: tuple[str, ...], rounds: int, seconds: int, json_path: Path | None) -> None:
    """Compare edgecnn run of the OpenVINO file MODEL on VIDEO with benchmark_app; other options go to edgecnn run."""
    if json_path is not None:
        check_writable(json_path)
    precision = engine_precision(model)
    pairs = []
    for number in range(rounds):
        pairs.append(_pair(model, video, precision, seconds, run_options, engine_first=number % 2 == 0))
        click.echo(
            f"{number + 1}/{rounds}: engine {pairs[-1].engine_fps:.1f}, run {pairs[-1].run_fps:.1f}, ratio {pairs[-1].ratio:.3f}",
            err=True,
        )
    found = summary(pairs)
    click.echo(table(pairs, found))
    if json_path is not None:
        rows = [{**asdict(pair), "ratio": pair.ratio} for pair in pairs]
        figure.record(json_path, "throughput", {"target": TARGET, "engine_precision": precision, **found, "pairs": rows})


def summary(pairs: list[ThroughputPair]) -> dict[str, float]:
    """Medians over the pairs, and the lowest and highest ratio."""
    ratios = [pair.ratio for pair in pairs]
    return {
        "engine_fps": statistics.median(pair.engine_fps for pair in pairs),
        "run_fps": statistics.median(pair.run_fps for pair in pairs),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def table(pairs: list[ThroughputPair], found: dict[str, float]) -> str:
    """The result for a terminal."""
    rows = [
        ["", "frames/s"],
        ["engine alone (benchmark_app)", f"{found['engine_fps']:.1f}"],
        ["edgecnn run, nothing dropped", f"{found['run_fps']:.1f}"],
    ]
    reached = "reached" if found["ratio"] >= TARGET else "not reached"
    spread = f"{found['ratio_min']:.2f}-{found['ratio_max']:.2f} over {len(pairs)} pairs"
    return f"{align_columns(rows, left=1)}\n\nratio {found['ratio']:.3f} ({spread}); at least {TARGET}: {reached}"


def _pair(
    model: Path, video: Path, precision: str, seconds: int, run_options: tuple[str, ...], *, engine_first: bool
) -> ThroughputPair:
    if engine_first:
        engine = engine_alone(model, precision, seconds)
        return ThroughputPair(engine, whole_run(model, video, seconds, run_options))
    run = whole_run(model, video, seconds, run_options)
    return ThroughputPair(engine_alone(model, precision, seconds), run)


def engine_alone(model: Path, precision: str, seconds: int) -> float:
    """Frames per second by benchmark_app; raises ``BackendError`` where it fails."""
    arguments = ["-m", str(model), "-d", "CPU", "-hint", "throughput", "-t", str(seconds), "-infer_precision", precision]
    done = run_program([sys.executable, "-c", BENCHMARK_APP, *arguments], "benchmark_app")
    rate = re.search(r"Throughput:\s+([\d.]+) FPS", done)
    if rate is None:
        raise BackendError(f"benchmark_app printed no throughput: {done.strip()[-200:] or 'no output'}", "run it manually")
    return float(rate[1])


def whole_run(model: Path, video: Path, seconds: int, run_options: tuple[str, ...]) -> float:
    """Frames per second of a whole ``edgecnn run``, from the first decoded frame to the last boxes; raises ``BackendError``."""
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.json"
        arguments = [
            "--source",
            str(video),
            "--policy",
            "all",
            "--repeat",
            "0",
            "--duration",
            str(seconds),
            "--stats",
            str(stats),
        ]
        run_program([sys.executable, "-m", "edgecnn", "run", str(model), *arguments, *run_options], "edgecnn run")
        record: dict[str, Any] = json.loads(stats.read_text())
    ledger = record["ledger"]
    # frames that were still in the pipeline when --duration ended are dropped, too
    if ledger["dropped"] > ledger["unfinished"] or ledger["failed"]:
        raise BackendError(f"frames were lost: {ledger}", "check the source with edgecnn run")
    return float(record["throughput_fps"])


def run_program(command: list[str], name: str) -> str:
    """What a program printed. Raises ``BackendError`` where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise BackendError(f"{name} failed with exit code {done.returncode}: {last[:300]}", "run it manually")
    return done.stdout


def engine_precision(model: Path) -> str:
    """The precision hint that ``edgecnn run`` gives OpenVINO for this file, f32 or f16; raises what opening it raises."""
    if file_format(model) != "openvino":
        raise InputError(f"{model.name} is not an OpenVINO file (.xml)", "export one with --format openvino")
    backend = open_file(model, CPU, threads=None, requests=1)
    backend.close()
    if '"precision":"fp16"' not in backend.metadata.get(CARD_KEY, ""):
        return "f32"
    import openvino

    return "f16" if "FP16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


if __name__ == "__main__":
    figure.run(command)
