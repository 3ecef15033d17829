"""edgecnn's `--as benchmark_app` beside OpenVINO's real `benchmark_app`: the same files, settings and durations, in turn.

``python -m edgecnn.benchmarks.figures.same_definition A.xml B.xml C.xml --json FILE``

Both run as separate processes, alternately, first one and then the other first; each pair gives one ratio of the median latency and one
of the frames per second. The ratio of a file is the median over its pairs.
"""

from __future__ import annotations

import re
import statistics
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.throughput import BENCHMARK_APP, engine_precision, run_program
from edgecnn.benchmarks.measure.config import BenchmarkConfig
from edgecnn.benchmarks.measure.protocol import QUICK
from edgecnn.benchmarks.measure.tools.benchmark_app import DURATION_S
from edgecnn.benchmarks.measure.tools.run import measure_as
from edgecnn.columns import align_columns
from edgecnn.cpus import usable_cpus
from edgecnn.errors import BackendError
from edgecnn.files import check_writable

TARGET = 0.05  # largest difference of a ratio from 1
ONE_IMAGE = replace(QUICK, input_count=1)  # the inputs of benchmark_app are random, images need not be read
HINTS = ("latency", "throughput")
_MEDIAN = re.compile(r"Median:\s+([\d.]+) (ms|us)")
_RATE = re.compile(r"Throughput:\s+([\d.]+) FPS")


@dataclass(frozen=True, slots=True)
class DefinitionPair:
    """One file by both programs, one after the other; milliseconds and frames per second."""

    file: str
    hint: str
    tool_ms: float
    tool_fps: float
    edgecnn_ms: float
    edgecnn_fps: float


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Pairs of each file and hint.")
@click.option("--seconds", type=click.IntRange(1), default=5, show_default=True, help="Length of each measurement (-t).")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(files: tuple[Path, ...], rounds: int, seconds: int, json_path: Path | None) -> None:
    """Compare `edgecnn benchmark --as benchmark_app` with benchmark_app on OpenVINO FILES."""
    if json_path is not None:
        check_writable(json_path)
    pairs = []
    for number in range(rounds):
        for hint in HINTS:
            for path in files:
                pairs.append(_pair(path, hint, seconds, tool_first=number % 2 == 0))
                click.echo(f"{number + 1}/{rounds} {_text(pairs[-1])}", err=True)
    found = summary(pairs)
    click.echo(table(found))
    if json_path is not None:
        content = {
            "target": TARGET,
            "seconds": seconds,
            "threads": usable_cpus(),
            "files": found,
            "pairs": [asdict(one) for one in pairs],
        }
        figure.record(json_path, "same_definition", content)


def summary(pairs: list[DefinitionPair]) -> list[dict[str, float | str]]:
    """By file and hint: the medians of both programs, and of their ratios edgecnn/benchmark_app with the lowest and highest pair."""
    found: list[dict[str, float | str]] = []
    for file, hint in dict.fromkeys((one.file, one.hint) for one in pairs):
        own = [one for one in pairs if (one.file, one.hint) == (file, hint)]
        row: dict[str, float | str] = {"file": file, "hint": hint}
        for unit in ("ms", "fps"):
            ratios = [getattr(one, f"edgecnn_{unit}") / getattr(one, f"tool_{unit}") for one in own]
            row[f"tool_{unit}"] = statistics.median(getattr(one, f"tool_{unit}") for one in own)
            row[f"edgecnn_{unit}"] = statistics.median(getattr(one, f"edgecnn_{unit}") for one in own)
            row |= {
                f"ratio_{unit}": statistics.median(ratios),
                f"ratio_{unit}_min": min(ratios),
                f"ratio_{unit}_max": max(ratios),
            }
        found.append(row)
    return found


def table(found: list[dict[str, float | str]]) -> str:
    """The result for a terminal."""
    rows = [["file", "hint", "benchmark_app ms", "edgecnn ms", "ratio", "benchmark_app FPS", "edgecnn FPS", "ratio"]]
    for row in found:
        values = [
            f"{row[f'tool_{unit}']:.4g} {row[f'edgecnn_{unit}']:.4g} {row[f'ratio_{unit}']:.3f}".split() for unit in ("ms", "fps")
        ]
        rows.append([str(row["file"]), str(row["hint"]), *values[0], *values[1]])
    outside = [f"{row['file']} {row['hint']}" for row in found if not is_within(row)]
    verdict = f"not reached: {', '.join(outside)}" if outside else "reached"
    return f"{align_columns(rows, left=2)}\n\nwithin {TARGET:.0%}: {verdict}"


def is_within(row: dict[str, float | str]) -> bool:
    """Whether both ratios of a file are within the target."""
    return all(abs(float(row[f"ratio_{unit}"]) - 1) <= TARGET for unit in ("ms", "fps"))


def _pair(path: Path, hint: str, seconds: int, *, tool_first: bool) -> DefinitionPair:
    if tool_first:
        tool = by_benchmark_app(path, hint, seconds)
        return DefinitionPair(path.name, hint, *tool, *by_edgecnn(path, hint, seconds))
    own = by_edgecnn(path, hint, seconds)
    return DefinitionPair(path.name, hint, *by_benchmark_app(path, hint, seconds), *own)


def by_benchmark_app(path: Path, hint: str, seconds: int) -> tuple[float, float]:
    """Median latency in milliseconds and frames per second of the real tool. Raises ``BackendError`` where it fails."""
    arguments = ["-m", str(path), "-d", "CPU", "-hint", hint, "-t", str(seconds), "-infer_precision", engine_precision(path)]
    return parsed(run_program([sys.executable, "-c", BENCHMARK_APP, *arguments], "benchmark_app"))


def parsed(text: str) -> tuple[float, float]:
    """The two numbers of what benchmark_app printed. Raises ``BackendError`` where they are missing."""
    median, rate = _MEDIAN.search(text), _RATE.search(text)
    if median is None or rate is None:
        raise BackendError(f"benchmark_app printed no result: {text.strip()[-200:] or 'no output'}", "run it manually")
    return float(median[1]) / (1000 if median[2] == "us" else 1), float(rate[1])


def by_edgecnn(path: Path, hint: str, seconds: int) -> tuple[float, float]:
    """The same two numbers by edgecnn."""
    record = measure_as(BenchmarkConfig(files=(path,), protocol=ONE_IMAGE), "benchmark_app", hint, scale=seconds / DURATION_S)
    values = record.files[0].report.values
    return float(values["Median (ms)"]), float(values["Throughput (FPS)"])


def _text(pair: DefinitionPair) -> str:
    times = f"{pair.edgecnn_ms:.4g} against {pair.tool_ms:.4g} ms"
    return f"{pair.file} {pair.hint}: {times}, {pair.edgecnn_fps:.4g} against {pair.tool_fps:.4g} FPS"


if __name__ == "__main__":
    figure.run(command)
