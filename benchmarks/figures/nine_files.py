"""How long nine files take: a network like YOLO11n (640 px) in three formats and three precisions by one `edgecnn export`.

``python -m edgecnn.benchmarks.figures.nine_files --before TREE --json FILE``

TREE is another checkout of edgecnn, timed in turns with this one; ``--times 3`` ends its export after three times the time of this one,
which then is a lower limit. Processor time is the stricter clock on a machine with other work. Images are frames of the scene.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from edgecnn.benchmarks.figures import figure, yolo_graph
from edgecnn.columns import align_columns
from edgecnn.cpus import usable_cpus
from edgecnn.files import check_writable

SUFFIXES = (".onnx", ".tflite", ".xml")
HERE = Path(figure.__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Export:
    """One export: wall and processor seconds, the files that were kept, and whether it was ended before its end."""

    wall_s: float
    processor_s: float
    files: tuple[str, ...]
    ended: bool
    load_average: float

    def record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "wall_s": round(self.wall_s, 1),
            "processor_s": round(self.processor_s, 1),
            "kept": len(self.files),
            "files": self.files,
            "ended": self.ended,
            "load_average": self.load_average,
        }


def export(tree: Path, calibration: int, seconds: float | None = None) -> Export:
    """Export the nine files with the code of ``tree``; ended after ``seconds``."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        # the network is a module of its own, as a user's is; another tree may not have it
        Path(folder, "net.py").write_text(Path(yolo_graph.__file__).read_text())
        words = [
            *("export", "net:network", "--precision", "fp32,fp16,int8", "--format", "onnx,tflite,openvino", "--out", "files"),
            *("--task", "detect", "--decode", "yolo", "--labels", ",".join(f"class{index}" for index in range(yolo_graph.CLASSES))),
            *("--input", f"1x3x{yolo_graph.SIZE}x{yolo_graph.SIZE}", "--calibration", "scene:cups?seed=11&every=40"),
            *("--calibration-count", str(calibration)),
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, str(tree)])}
        before, began = _processor_s(), perf_counter()
        with (
            Path(folder, "log.txt").open("w") as log,
            subprocess.Popen(
                [sys.executable, "-m", "edgecnn", *words],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ) as process,
        ):
            try:
                process.wait(seconds)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
        ended = process.returncode < 0  # by a signal
        wall, spent = perf_counter() - began, _processor_s() - before
        kept = tuple(sorted(path.name for path in Path(folder, "files").glob("*") if path.suffix in SUFFIXES))
        if not kept and not ended:
            click.echo(Path(folder, "log.txt").read_text(), err=True)
    return Export(wall, spent, kept, ended, round(os.getloadavg()[0], 1))


def _processor_s() -> float:
    """Processor seconds of all commands that have ended; helpers of a command that was killed are not among them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@click.command()
@click.option("--before", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another checkout to compare with.")
@click.option("--rounds", default=1, show_default=True, help="Exports of each tree.")
@click.option(
    "--times", default=3.0, show_default=True, help="End an export of the other tree after this many times the time here."
)
@click.option("--calibration-count", "calibration", default=128, show_default=True, help="Calibration images of int8.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(before: Path | None, rounds: int, times: float, calibration: int, json_path: Path | None) -> None:
    """Time the export of nine files."""
    if json_path is not None:
        check_writable(json_path)
    now: list[Export] = []
    other: list[Export] = []
    for _ in range(rounds):
        now.append(export(HERE, calibration))
        if before is not None:
            other.append(export(before.resolve(), calibration, now[-1].wall_s * times))
    runs = {"now": now, "before": other}
    rows = [["tree", "wall s", "processor s", "files", "load", ""]]
    rows += [
        [
            name,
            f"{one.wall_s:.0f}",
            f"{one.processor_s:.0f}",
            str(len(one.files)),
            str(one.load_average),
            "ended" if one.ended else "",
        ]
        for name, found in runs.items()
        for one in found
    ]
    click.echo(align_columns(rows, left=1))
    if json_path is not None:
        content = {name: [one.record() for one in found] for name, found in runs.items() if found}
        head = {"target_times": 3.0, "calibration_images": calibration, "usable_cpus": usable_cpus()}
        figure.record(json_path, "nine_files", head | content)


if __name__ == "__main__":
    figure.run(command)
