"""Throughput of ``edgecnn run --ray`` with two workers on two processors against one local run, on a folder of 12 videos.

``python -m edgecnn.benchmarks.figures.ray_throughput person-face-vehicle car-detection.mp4 --json FILE``

The videos are cut from VIDEO. Both run all of them with the same threads for each inference, alternately; each pair gives one ratio.
The time of Ray is that from the first part to the last result, as for a long archive; the start of its workers is recorded beside it.
The lines of results have to be equal, apart from times.
"""

from __future__ import annotations

import io
import itertools
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.cli.options import ModelFile
from edgecnn.cluster.connection import ClusterOptions, connected
from edgecnn.cluster.run import run_on_cluster
from edgecnn.columns import align_columns
from edgecnn.errors import BackendError
from edgecnn.files import check_writable
from edgecnn.live import CameraConfig, OutputConfig, RunConfig, run
from edgecnn.runtime.sinks.files.video_writer import VideoWriter
from edgecnn.runtime.sources import open_source

TARGET = 0.9
VIDEOS, WORKERS = 12, 2
OF_THE_CLOCK = ("time", "time_s", "stage_ms", "age_ms")


@dataclass(frozen=True, slots=True)
class RayPair:
    """Frames per second of the local run and of Ray, one right after the other, and the seconds that Ray's workers took to start."""

    local_fps: float
    ray_fps: float
    start_s: float

    @property
    def ratio(self) -> float:
        """Share of the local throughput that Ray reaches."""
        return self.ray_fps / self.local_fps


@click.command()
@click.argument("model", type=ModelFile())
@click.argument("video", type=click.Path(path_type=Path))
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Pairs of measurements.")
@click.option("--frames", type=click.IntRange(1), default=150, show_default=True, help="Frames of each video.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Record everything here.")
def command(model: Path, video: Path, rounds: int, frames: int, json_path: Path | None) -> None:
    """Compare edgecnn run --ray of MODEL with a local run, on 12 videos cut from VIDEO."""
    if json_path is not None:
        check_writable(json_path)
    pairs: list[RayPair] = []
    with tempfile.TemporaryDirectory() as name, connected("local"):
        folder = Path(name)
        videos = cut(video, folder / "videos", frames)
        for number in range(rounds):
            pairs.append(measured(model, videos, folder, ray_first=number % 2 == 1))
            click.echo(f"{number + 1}/{rounds}: {pairs[-1]}, ratio {pairs[-1].ratio:.3f}", err=True)
    found = summary(pairs)
    click.echo(table(found, len(pairs)))
    if json_path is not None:
        rows = [{**asdict(pair), "ratio": pair.ratio} for pair in pairs]
        setting = {"target": TARGET, "videos": VIDEOS, "frames_each": frames, "workers": WORKERS, "results_equal": True}
        figure.record(json_path, "ray_throughput", {**setting, **found, "pairs": rows})


def cut(video: Path, folder: Path, frames: int, count: int = VIDEOS) -> list[Path]:
    """``count`` H.264 videos of ``frames`` frames each, one after the other from ``video``, which begins again at its end."""
    folder.mkdir()
    source = iter(open_source(video, repeat=0))
    paths = [folder / f"clip{number:02}.mp4" for number in range(1, count + 1)]
    for path in paths:
        writer = None
        for place, frame in enumerate(itertools.islice(source, frames)):
            writer = writer or VideoWriter(path, frame.image, 25.0)
            writer.add(frame.image, place / 25.0)
        assert writer is not None
        writer.close()
    source.close()
    return paths


def measured(model: Path, videos: list[Path], folder: Path, *, ray_first: bool) -> RayPair:
    """One pair. Raises ``BackendError`` where results differ."""
    ray: tuple[float, float] | None = by_ray(model, videos, folder / "ray.jsonl") if ray_first else None
    local = by_local_run(model, videos, folder / "local.jsonl")
    ray = ray or by_ray(model, videos, folder / "ray.jsonl")
    if results(folder / "ray.jsonl") != results(folder / "local.jsonl"):
        raise BackendError("the results of Ray and of the local run differ", "compare their lines")
    return RayPair(local, *ray)


def by_local_run(model: Path, videos: list[Path], out: Path) -> float:
    """Frames per second of one run of all videos, with loading the model."""
    began = time.perf_counter()
    found = run(configured(model, videos, out), out=io.StringIO(), err=io.StringIO())
    seconds = time.perf_counter() - began
    return sum(camera.statistics.ledger.processed for camera in found.cameras) / seconds


def by_ray(model: Path, videos: list[Path], out: Path) -> tuple[float, float]:
    """Frames per second from the first part to the last result, and the seconds of the start."""
    options = ClusterOptions(workers=WORKERS, parts=out.parent / "parts")
    done = run_on_cluster(configured(model, videos, out), options)
    return done.frames / done.seconds, done.start_seconds


def configured(model: Path, videos: list[Path], out: Path) -> RunConfig:
    """The run of all videos with one file of lines."""
    outputs = OutputConfig(jsonl=str(out))
    cameras = tuple(CameraConfig(source=str(path), model=model, outputs=outputs) for path in videos)
    return RunConfig(cameras=cameras, log="off")


def results(path: Path) -> list[dict[str, Any]]:
    """The lines video by video, without what the clock says."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [{name: value for name, value in line.items() if name not in OF_THE_CLOCK} for line in lines]
    return sorted(kept, key=lambda line: str(line["camera"]))


def summary(pairs: list[RayPair]) -> dict[str, float]:
    """Medians over the pairs, and the lowest and highest ratio."""
    ratios = [pair.ratio for pair in pairs]
    return {
        "local_fps": statistics.median(pair.local_fps for pair in pairs),
        "ray_fps": statistics.median(pair.ray_fps for pair in pairs),
        "start_s": statistics.median(pair.start_s for pair in pairs),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def table(found: dict[str, float], count: int) -> str:
    """The result for a terminal."""
    rows = [["", "frames/s"], ["one local run", f"{found['local_fps']:.1f}"], ["Ray, two workers", f"{found['ray_fps']:.1f}"]]
    reached = "reached" if found["ratio"] >= TARGET else "not reached"
    spread = f"{found['ratio_min']:.2f} to {found['ratio_max']:.2f} over {count} pairs"
    return (
        f"{align_columns(rows, left=1)}\n\nresults equal; ratio {found['ratio']:.3f} ({spread}), at least {TARGET}: {reached}; "
        f"Ray's workers started in {found['start_s']:.1f} s"
    )


if __name__ == "__main__":
    figure.run(command)
