"""What it costs a run to be watched: ``python -m edgecnn.benchmarks.watching``.

A camera of 768x432 at 25 frames per second whose model takes 10 ms, served to no viewer, to one, to four, and to four beside one that
never reads. The viewers are processes of their own. Each way takes its turn in rounds; frame age and processor time are of the run.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager

import click
import numpy as np

from edgecnn.runtime.draw import Painter
from edgecnn.runtime.fake import FakePredictor, FakeSource
from edgecnn.runtime.station import CameraPlan, Station
from edgecnn.runtime.view.access import Access
from edgecnn.runtime.view.live import LiveView
from edgecnn.types import Frame, nearest_rank

WAYS = {"nobody watches": (0, 0), "one viewer": (1, 0), "four viewers": (4, 0), "four and one who never reads": (4, 1)}
FPS, SIZE, INFERENCE_S = 25.0, (432, 768), 0.010
SETTLE_S = 1.0


class Noise(FakeSource):
    """Frames that are as hard to encode as those of a camera: noise, blurred by enlarging it."""

    def _frames(self) -> Generator[Frame, None, None]:
        small = np.random.default_rng(0).integers(0, 256, (8, SIZE[0] // 8, SIZE[1] // 8, 3), np.uint8)
        large = small.repeat(8, 1).repeat(8, 2)
        for frame in super()._frames():
            yield Frame(frame.index, frame.captured_at, large[frame.index % len(large)])


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="How long each way is measured in a round.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(seconds: float, rounds: int, as_json: bool) -> None:
    """Measure and print."""
    ages: dict[str, list[float]] = {way: [] for way in WAYS}
    cpu: dict[str, float] = dict.fromkeys(WAYS, 0.0)
    for _ in range(rounds):
        for way, (viewers, lazy) in WAYS.items():
            found, spent = measure(seconds, viewers, lazy)
            ages[way] += found
            cpu[way] += spent
    rows = {
        way: {
            "frames": len(ages[way]),
            "age_p50_ms": round(nearest_rank(ages[way], 50), 2),
            "age_p99_ms": round(nearest_rank(ages[way], 99), 2),
            "cpu_ms_per_frame": round(cpu[way] / len(ages[way]) * 1e3, 2),
        }
        for way in WAYS
    }
    if as_json:
        click.echo(json.dumps(rows))
        return
    for way, row in rows.items():
        click.echo(f"{way:<30}" + "".join(f"{name} {value:<10}" for name, value in row.items()))


def measure(seconds: float, viewers: int, lazy: int) -> tuple[list[float], float]:
    """Frame ages in milliseconds, and processor seconds of this process meanwhile."""
    station = Station([CameraPlan("camera", Noise(None, fps=FPS, size=SIZE), FakePredictor(delay=INFERENCE_S))])
    view = LiveView(station, station.controls, Access("127.0.0.1", 0))
    view.join("camera", ("thing",), Painter(("thing",)))
    ages: list[float] = []
    with view, ExitStack() as stack, station:
        assert view.server is not None
        port = view.server.access.port
        for _ in range(viewers):
            stack.enter_context(viewer(port))
        for _ in range(lazy):
            stack.enter_context(never_reads(port))
        started, cpu = time.perf_counter() + SETTLE_S, 0.0
        for result in station:
            view.write(result)
            if time.perf_counter() < started:
                cpu = time.process_time()
                continue
            ages.append(result.age_ms)
            if time.perf_counter() > started + seconds:
                break
        spent = time.process_time() - cpu
    return ages, spent


@contextmanager
def viewer(port: int) -> Iterator[None]:
    """A process that asks for pictures and numbers as the page does."""
    process = subprocess.Popen([sys.executable, "-m", "edgecnn.benchmarks.watching", "look", str(port)])
    try:
        yield
    finally:
        process.kill()
        process.wait(5)


@contextmanager
def never_reads(port: int) -> Iterator[None]:
    """A connection that asks until nothing more goes in, and reads nothing."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /api/picture?camera=camera HTTP/1.1\r\nhost: localhost\r\n\r\n" * 100)
        yield


def look(port: int) -> None:
    """Ask for ever."""
    connection, number, asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10), 0, 0.0
    while True:
        connection.request("GET", f"/api/picture?camera=camera&after={number}")
        answer = connection.getresponse()
        number = int(answer.headers.get("x-picture", number))
        answer.read()
        if time.monotonic() - asked > 0.5:
            asked = time.monotonic()
            connection.request("GET", "/api/state?tick=999999999")
            connection.getresponse().read()


if __name__ == "__main__":
    if sys.argv[1:2] == ["look"]:
        look(int(sys.argv[2]))
    main()
