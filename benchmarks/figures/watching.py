"""The cost of live viewers for a run: ``python -m edgecnn.benchmarks.figures.watching --json FILE``.

A 768x432 camera at 25 frames per second with a model that takes 10 ms, with no viewer, one, four, and four plus one that never reads.
Each viewer is a separate process. The cases are interleaved in rounds; frame age and processor time are those of the run.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.target import TargetCheck
from edgecnn.columns import align_columns
from edgecnn.files import check_writable
from edgecnn.runtime.draw.painter import Painter
from edgecnn.runtime.pipeline.multi_camera import CameraSetup, MultiCamera
from edgecnn.runtime.testing import FakePredictor, FakeSource
from edgecnn.runtime.view.auth import Access
from edgecnn.runtime.view.live_view import LiveView
from edgecnn.types import Frame, nearest_rank

NO_VIEWER = "no viewer"
CASES = {NO_VIEWER: (0, 0), "one viewer": (1, 0), "four viewers": (4, 0), "four and one who never reads": (4, 1)}
FPS, SIZE, INFERENCE_S = 25.0, (432, 768), 0.010
SETTLE_S = 1.0


class NoiseSource(FakeSource):
    """Frames as hard to encode as those of a camera: enlarged noise."""

    def _frames(self) -> Generator[Frame, None, None]:
        small = np.random.default_rng(0).integers(0, 256, (8, SIZE[0] // 8, SIZE[1] // 8, 3), np.uint8)
        large = small.repeat(8, 1).repeat(8, 2)
        for frame in super()._frames():
            yield Frame(frame.index, frame.captured_at, large[frame.index % len(large)])


@click.command()
@click.option("--seconds", type=click.FloatRange(0.1), default=5.0, show_default=True, help="Seconds per case and round.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(seconds: float, rounds: int, json_path: Path | None) -> None:
    """Measure frame age and processor time of a run with no, one and several viewers."""
    if json_path is not None:
        check_writable(json_path)
    parts: dict[str, list[dict[str, Any]]] = {way: [] for way in CASES}
    for number in range(rounds):
        for way, (viewers, stalled) in CASES.items():
            parts[way].append(measure(seconds, viewers, stalled))
        last = ", ".join(f"{way} {own[-1]['age_p50_ms']:.1f} ms" for way, own in parts.items())
        click.echo(f"round {number + 1} of {rounds}: {last}", err=True)
    figures = [one for way in list(CASES)[1:] for one in _over_no_viewer(way, parts)]
    click.echo(align_columns([["figure", "median", "target", ""], *(one.cells() for one in figures)], left=1))
    if json_path is not None:
        figure.record(json_path, "watching", {"figures": [one.to_json() for one in figures], "parts": parts})


def _over_no_viewer(way: str, parts: dict[str, list[dict[str, Any]]]) -> Iterator[TargetCheck]:
    for name, key in {"frame age p50": "age_p50_ms", "frame age p99": "age_p99_ms", "processor time": "cpu_ms"}.items():
        pairs = zip(parts[way], parts[NO_VIEWER], strict=True)
        yield TargetCheck.of(f"{way}: {name} over that without viewers", [own[key] / without[key] for own, without in pairs])


def measure(seconds: float, viewers: int, stalled: int) -> dict[str, Any]:
    """Number of frames, percentiles of their age in milliseconds, and processor time of this process per frame in milliseconds."""
    cameras = MultiCamera([CameraSetup("camera", NoiseSource(None, fps=FPS, size=SIZE), FakePredictor(delay=INFERENCE_S))])
    view = LiveView(cameras, cameras.controls, Access("127.0.0.1", 0))
    view.add_camera("camera", ("cup",), Painter(("cup",)))
    ages: list[float] = []
    with view, ExitStack() as stack, cameras:
        assert view.server is not None
        port = view.server.access.port
        for _ in range(viewers):
            stack.enter_context(viewer(port))
        for _ in range(stalled):
            stack.enter_context(never_reads(port))
        started, cpu = time.perf_counter() + SETTLE_S, 0.0
        for result in cameras:
            view.write(result)
            if time.perf_counter() < started:
                cpu = time.process_time()
                continue
            ages.append(result.age_ms)
            if time.perf_counter() > started + seconds:
                break
        spent = time.process_time() - cpu
    return {
        "frames": len(ages),
        "age_p50_ms": nearest_rank(ages, 50),
        "age_p99_ms": nearest_rank(ages, 99),
        "cpu_ms": spent / len(ages) * 1e3,
    }


@contextmanager
def viewer(port: int) -> Iterator[None]:
    """A process that requests frames and statistics as the page does."""
    # a process, not a thread: its processor time must not count as that of the run
    process = subprocess.Popen([sys.executable, "-m", "edgecnn.benchmarks.figures.viewer", str(port)])
    try:
        yield
    finally:
        process.kill()
        process.wait(5)


@contextmanager
def never_reads(port: int) -> Iterator[None]:
    """A connection that sends requests until its buffer is full, and reads no response."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # small: the server soon can't send any more
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /api/frame?camera=camera HTTP/1.1\r\nhost: localhost\r\n\r\n" * 100)
        yield


if __name__ == "__main__":
    figure.run(command)
