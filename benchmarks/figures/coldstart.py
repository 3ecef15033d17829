"""From process start to the first detection: ``edgecnn run`` against a bare ONNX Runtime script, in time and in peak memory.

``python -m edgecnn.benchmarks.figures.coldstart cups-int8.onnx photo.png --json FILE``

Both are fresh processes on the same file and image, started alternately. The time runs from just before the process start until the
first line of its output can be read. The result is the median over the rounds. ``edgecnn --help`` is timed until its end.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.columns import align_columns
from edgecnn.errors import BackendError, InputError
from edgecnn.files import check_writable
from edgecnn.runtime.backends import file_format

TARGET_TIME, TARGET_MEMORY, TARGET_HELP_S = 1.4, 1.4, 0.25
BARE = Path(__file__).with_name("bare_onnxruntime.py")


@dataclass(frozen=True, slots=True)
class ProcessStart:
    """One fresh process: seconds to its first line, seconds to its end, peak resident memory in MiB.

    The kernel's peak includes the memory of the starting process before exec, so a peak below that (about 40 MiB here) is not visible.
    """

    first_line_s: float
    end_s: float
    peak_memory_mib: float


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--rounds", type=click.IntRange(1), default=21, show_default=True, help="Starts of each command.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(model: Path, image: Path, rounds: int, json_path: Path | None) -> None:
    """Compare edgecnn run of the .onnx file MODEL on IMAGE with a script that uses only numpy, cv2 and onnxruntime."""
    if file_format(model) != "onnx":
        raise InputError(f"{model.name} is not an ONNX file", "export one with --format onnx")
    if not image.is_file():
        raise InputError(f"{image} does not exist", "check the path of the image")
    if json_path is not None:
        check_writable(json_path)
    starts = measure(commands(model, image), rounds)
    found = summary(starts)
    click.echo(table(found))
    if json_path is not None:
        samples = {name: [asdict(start) for start in own] for name, own in starts.items()}
        figure.record(json_path, "coldstart", {**found, "starts": samples})


def commands(model: Path, image: Path) -> dict[str, list[str]]:
    """The processes that are compared, by name."""
    return {
        "bare": [sys.executable, str(BARE), str(model), str(image)],
        "run": [sys.executable, "-m", "edgecnn", "run", str(model), "--source", str(image)],
        "help": [sys.executable, "-m", "edgecnn", "--help"],
    }


def measure(asked: dict[str, list[str]], rounds: int) -> dict[str, list[ProcessStart]]:
    """Start all alternately, ``rounds`` times after one start that fills the page cache; raises ``BackendError`` where one fails."""
    starts: dict[str, list[ProcessStart]] = {name: [] for name in asked}
    for number in range(rounds + 1):
        for name in asked if number % 2 else reversed(asked):
            start = start_once(asked[name])
            if number:
                starts[name].append(start)
        click.echo(f"\r{number}/{rounds}", err=True, nl=number == rounds)
    return starts


def start_once(command: list[str]) -> ProcessStart:
    """Run a command to its end and time its first line of output."""
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }  # as where it is installed
    started = perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert child.stdout is not None
    with child.stdout:
        line = child.stdout.readline()
        first = perf_counter() - started
        child.stdout.read()
    # wait4 gives the peak memory of this one child; getrusage(RUSAGE_CHILDREN) is the maximum over all of them
    _, status, usage = os.wait4(child.pid, 0)
    end = perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)  # os.wait4 has reaped the child, tell Popen
    if child.returncode or not line:
        raise BackendError(
            f"{' '.join(command[1:])} printed nothing and ended with exit code {child.returncode}", "run it manually"
        )
    return ProcessStart(first, end, usage.ru_maxrss / 1024)


def summary(starts: dict[str, list[ProcessStart]]) -> dict[str, Any]:
    """Medians and ratios, with their targets."""
    middle = {
        name: {
            field: statistics.median(asdict(start)[field] for start in own)
            for field in ("first_line_s", "end_s", "peak_memory_mib")
        }
        for name, own in starts.items()
    }
    paired = zip(starts["run"], starts["bare"], strict=True)
    ratios = sorted(run.first_line_s / bare.first_line_s for run, bare in paired)
    return {
        "medians": middle,
        "time_ratio": middle["run"]["first_line_s"] / middle["bare"]["first_line_s"],
        "time_ratio_of_pairs": [ratios[0], statistics.median(ratios), ratios[-1]],
        "memory_ratio": middle["run"]["peak_memory_mib"] / middle["bare"]["peak_memory_mib"],
        "help_s": middle["help"]["end_s"],
        "target": {"time_ratio": TARGET_TIME, "memory_ratio": TARGET_MEMORY, "help_s": TARGET_HELP_S},
    }


def table(found: dict[str, Any]) -> str:
    """The result for a terminal."""
    middle = found["medians"]
    names = {"bare": "bare onnxruntime script", "run": "edgecnn run", "help": "edgecnn --help"}
    rows = [["", "first line s", "end s", "peak MiB"]]
    for name, title in names.items():
        own = middle[name]
        peak = "" if name == "help" else f"{own['peak_memory_mib']:.0f}"
        rows.append([title, f"{own['first_line_s']:.3f}", f"{own['end_s']:.3f}", peak])
    verdicts = [
        _verdict("time", found["time_ratio"], TARGET_TIME, "x"),
        _verdict("memory", found["memory_ratio"], TARGET_MEMORY, "x"),
        _verdict("--help", found["help_s"], TARGET_HELP_S, " s"),
    ]
    return align_columns(rows, left=1) + "\n\n" + "\n".join(verdicts)


def _verdict(name: str, found: float, target: float, unit: str) -> str:
    return f"{name} {found:.2f}{unit}, at most {target:g}{unit}: {'reached' if found <= target else 'not reached'}"


if __name__ == "__main__":
    figure.run(command)
