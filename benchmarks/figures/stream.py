"""The cost of live runs: file to boxes against the engine alone, several cameras against one, frame age, a slow model, memory.

``python -m edgecnn.benchmarks.figures.stream NET.xml NET.onnx VIDEO --json FILE``

Each measurement is a process of its own (``stream_part``); compared measurements are interleaved within one run, because on a
shared machine only such ratios are reproducible. There are two kinds of ratio: of frames per second, and of processor time per frame,
which other programs disturb less. The floor is a bound for every program: the processor time of the engine plus that of decoding the
video on the same cores.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.target import TargetCheck
from edgecnn.columns import align_columns
from edgecnn.errors import BackendError
from edgecnn.files import check_writable
from edgecnn.json_text import dump_json
from edgecnn.types import nearest_rank

WHAT = ("throughput", "age", "slow", "memory")
SETTLED_S = 60.0  # growth of memory counts from here on: buffers and caches are filled by then
Parts = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """The files that are measured, and how long."""

    openvino: str
    onnx: str
    video: str
    rounds: int
    seconds: float
    minutes: float


@click.command()
@click.argument("openvino", type=click.Path(exists=True, dir_okay=False))
@click.argument("onnx", type=click.Path(exists=True, dir_okay=False))
@click.argument("video", type=click.Path(exists=True, dir_okay=False))
@click.option("--what", type=click.Choice(WHAT), multiple=True, help="Measure only this part; may be repeated.  [default: all]")
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True, help="Rounds of throughput and age.")
@click.option(
    "--seconds", type=click.FloatRange(1), default=5.0, show_default=True, help="Length of each measurement of a round."
)
@click.option(
    "--minutes", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Length of the parts slow and memory."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(what: tuple[str, ...], json_path: Path | None, **values: Any) -> None:
    """Measure the OpenVINO file and the ONNX file of one detector on VIDEO."""
    if json_path is not None:
        check_writable(json_path)
    settings = StreamSettings(**values)
    content: dict[str, Any] = {}
    figures: list[TargetCheck] = []
    for name in what or WHAT:
        found, own = MEASURES[name](settings)
        content[name] = found
        figures += own
    click.echo(table(figures))
    if json_path is not None:
        figure.record(json_path, "stream", {"figures": [one.to_json() for one in figures], **content})


def table(figures: list[TargetCheck]) -> str:
    """Figures for a terminal."""
    return align_columns([["figure", "median", "target", ""], *(one.cells() for one in figures)], left=1)


def run_part(part: str, **arguments: Any) -> dict[str, Any]:
    """One measurement in a fresh process; raises ``BackendError`` where it fails."""
    text = dump_json({"part": part, **arguments})
    limit = arguments["seconds"] * 3 + 120
    try:
        done = subprocess.run(
            [sys.executable, "-m", "edgecnn.benchmarks.figures.stream_part", text],
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackendError(
            f"the measurement {part} did not end within {limit:.0f} s", f"run stream_part '{text}' manually"
        ) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise BackendError(f"the measurement {part} failed: {last[:300]}", f"run stream_part '{text}' manually")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def interleaved(parts: Mapping[str, dict[str, Any]], rounds: int) -> Parts:
    """Every part once per round, forwards and backwards alternately."""
    found: Parts = {name: [] for name in parts}
    for number in range(rounds):
        for name in list(parts)[:: 1 if number % 2 == 0 else -1]:
            found[name].append(run_part(**parts[name]))
        click.echo(f"round {number + 1} of {rounds}: {_rates(found)}", err=True)
    return found


def _rates(found: Parts) -> str:
    return ", ".join(f"{name} {_rate(own[-1]):.0f}/s {_cpu_ms(own[-1]):.1f} ms" for name, own in found.items())


def _rate(part: dict[str, Any]) -> float:
    return float(part["frames"] / part["wall_s"])


def _cpu_ms(part: dict[str, Any]) -> float:
    return float(part["cpu_s"] / part["frames"] * 1e3)


def throughput(settings: StreamSettings) -> tuple[dict[str, Any], list[TargetCheck]]:
    """File to boxes over the floor, for both engines; four cameras over one."""
    arguments: dict[str, dict[str, Any]] = {
        "openvino alone": {"part": "engine_openvino", "model": settings.openvino},
        "onnxruntime alone": {"part": "engine_onnxruntime", "model": settings.onnx},
        "onnxruntime alone, 2 callers": {"part": "engine_onnxruntime", "model": settings.onnx, "callers": 2},
        "decode": {"part": "decode", "video": settings.video},
        "edgecnn openvino": {"part": "stream", "model": settings.openvino, "video": settings.video},
        "edgecnn onnxruntime": {"part": "stream", "model": settings.onnx, "video": settings.video},
        "edgecnn openvino, 4 cameras": {"part": "stream", "model": settings.openvino, "video": settings.video, "cameras": 4},
    }
    parts = interleaved({name: {**own, "seconds": settings.seconds} for name, own in arguments.items()}, settings.rounds)
    figures = [
        *_against_floor("OpenVINO", parts, "edgecnn openvino", "openvino alone", 0.95),
        *_against_floor("ONNX Runtime", parts, "edgecnn onnxruntime", _faster_onnxruntime(parts), 0.85),
        TargetCheck.of(
            "four cameras over one, frames/s", _paired(parts, _rate, "edgecnn openvino, 4 cameras", "edgecnn openvino"), 0.95
        ),
    ]
    return {"parts": parts}, figures


def _faster_onnxruntime(parts: Parts) -> str:
    """The faster way to call ONNX Runtime: one call with all threads, or two callers with one thread each."""
    names = ("onnxruntime alone", "onnxruntime alone, 2 callers")
    return max(names, key=lambda name: statistics.median(map(_rate, parts[name])))


def _against_floor(engine: str, parts: Parts, run: str, alone: str, target: float) -> list[TargetCheck]:
    engine_ms, decode_ms = ([_cpu_ms(part) for part in parts[name]] for name in (alone, "decode"))
    shares = [one / (one + other) for one, other in zip(engine_ms, decode_ms, strict=True)]
    over_engine = _paired(parts, _rate, run, alone)
    cpu = [(one + other) / _cpu_ms(part) for one, other, part in zip(engine_ms, decode_ms, parts[run], strict=True)]
    return [
        TargetCheck.of(f"{engine}: file to boxes over the engine alone, frames/s", over_engine),
        TargetCheck.of(f"{engine}: the floor, engine over engine and decoding", shares),
        TargetCheck.of(f"{engine}: frames/s over the floor", [a / b for a, b in zip(over_engine, shares, strict=True)], target),
        TargetCheck.of(f"{engine}: the floor's processor time over ours", cpu, target),
    ]


def _paired(parts: Parts, value: Callable[[dict[str, Any]], float], one: str, other: str) -> list[float]:
    return [value(a) / value(b) for a, b in zip(parts[one], parts[other], strict=True)]


def age(settings: StreamSettings) -> tuple[dict[str, Any], list[TargetCheck]]:
    """Frame age on a camera of 30 frames/s, against the inferences of the same run, and against a loop without a pipeline."""
    arguments = {
        f"{name}{', bare loop' if bare else ''}": {
            "part": "age", "model": path, "video": settings.video, "seconds": settings.seconds, "bare": bare,
        }
        for name, path in (("OpenVINO", settings.openvino), ("ONNX Runtime", settings.onnx))
        for bare in (False, True)
    }  # fmt: skip
    parts = interleaved(arguments, settings.rounds)
    figures = []
    for name in ("OpenVINO", "ONNX Runtime"):
        ours, bare = ([_age_p99(part) for part in parts[key]] for key in (name, f"{name}, bare loop"))
        over = [age / _allowed_age(part) for age, part in zip(ours, parts[name], strict=True)]
        bare_over = [age / _allowed_age(part) for age, part in zip(bare, parts[f"{name}, bare loop"], strict=True)]
        figures += [
            TargetCheck.of(f"{name}: age p99 over 1.5 inferences + 5 ms", over, 1.0, at_most=True),
            TargetCheck.of(f"{name}: the same of a loop without a pipeline", bare_over),
            TargetCheck.of(f"{name}: age p99 less that of the loop, ms", [a - b for a, b in zip(ours, bare, strict=True)]),
        ]
    return {"parts": parts}, figures


def _age_p99(part: dict[str, Any]) -> float:
    return nearest_rank(part["extra"]["ages_ms"], 99)


def _allowed_age(part: dict[str, Any]) -> float:
    """One and a half median inferences and 5 ms."""
    return 1.5 * float(statistics.median(part["extra"]["infers_ms"])) + 5


def slow(settings: StreamSettings) -> tuple[dict[str, Any], list[TargetCheck]]:
    """True age with a model that takes three frame intervals: edgecnn for the whole time, a plain OpenCV loop for at most a minute."""
    fps, times = 30.0, 3.0
    seconds = settings.minutes * 60
    ours = run_part("slow", model=settings.openvino, seconds=seconds, fps=fps, times=times)["extra"]["ages_ms"]
    plain = run_part("slow", model=settings.openvino, seconds=min(seconds, 60.0), fps=fps, times=times, plain=True)["extra"][
        "ages_ms"
    ]
    bound = 1e3 / fps + 2 * times * 1e3 / fps
    ages = [age_ms for _, age_ms in ours]
    tenth = max(len(ages) // 10, 1)
    drift = statistics.median(ages[-tenth:]) - statistics.median(ages[:tenth])
    figures = [
        TargetCheck.of(
            "age p99 over 1 interval + 2 inferences, model 3x slower", [nearest_rank(ages, 99) / bound], 1.0, at_most=True
        ),
        TargetCheck.of("median age of the last tenth less that of the first, ms", [drift], 1e3 / fps, at_most=True),
        TargetCheck.of("a plain OpenCV loop's age after a minute, ms", [plain[-1][1]]),
    ]
    return {
        "minutes": settings.minutes,
        "bound_ms": bound,
        "edgecnn": ours[:: max(len(ours) // 2000, 1)],
        "plain": plain,
    }, figures


def memory(settings: StreamSettings) -> tuple[dict[str, Any], list[TargetCheck]]:
    """Growth of resident memory, files and sockets at full rate, after the first minute."""
    found = run_part("memory", model=settings.openvino, video=settings.video, seconds=settings.minutes * 60)["extra"]
    samples = found["samples"]
    early = [one for one in samples if one["s"] <= SETTLED_S][-1]
    late = samples[-1]
    figures = [
        TargetCheck.of(f"growth of memory in {settings.minutes:g} minutes, MiB", [late["mib"] - early["mib"]], 5.0, at_most=True),
        TargetCheck.of("growth of open files", [late["files"] - early["files"]], 0.0, at_most=True),
        TargetCheck.of("growth of sockets", [late["sockets"] - early["sockets"]], 0.0, at_most=True),
    ]
    return {"minutes": settings.minutes, **found}, figures


MEASURES: dict[str, Callable[[StreamSettings], tuple[dict[str, Any], list[TargetCheck]]]] = {
    "throughput": throughput,
    "age": age,
    "slow": slow,
    "memory": memory,
}


if __name__ == "__main__":
    figure.run(command)
