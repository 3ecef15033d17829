"""How soon `--drift` finds a planted change, and whether it stays silent for an hour in which nothing changes.

`python -m edgecnn.benchmarks.figures.drift cups --json RECORD.json`

The reference profile is made from images of the scene with another seed. Three kinds of streams are watched, each with several seeds: a
camera that looks at another table every eight seconds, a fixed one, and a fixed one whose light changes over the hour within what the
reference holds. Each runs for an hour without a change; after a quarter of an hour a copy of its state sees each of the planted changes,
among them moves of the camera of several distances. Fixed streams are also compared with what they showed in their first ten minutes
(`--drift learn:10m`). Time is that of the stream: frames are computed as fast as they can be.
"""

from __future__ import annotations

import copy
import statistics
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.drift_streams import CLAIMED, CUT_S, DRIFTS, SIZE, PlantedStream
from edgecnn.files import check_writable
from edgecnn.reference_profile.collect import ProfileCollector
from edgecnn.reference_profile.profile import ReferenceProfile
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.scene import Scene, SceneOptions
from edgecnn.thresholds import SHOWN_SCORE
from edgecnn.trust.drift.watch import DriftWatch, Observed
from edgecnn.types import Image

WITHIN_S = 60.0
PROFILE_IMAGES, PROFILE_SEED = 500, 11
PLANTED_AFTER_S, PLANTED_S = 900, 120
LEARN_S = 600.0
CARD, LEARNT = "card", "learn:10m"


@dataclass(slots=True)
class WatchedStreams:
    """Streams of frames through the model and the watches of each reference; ``ms`` are times by part, in milliseconds."""

    predictor: Predictor
    ms: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def see(self, watches: Mapping[str, DriftWatch], at: float, image: Image) -> dict[str, Observed | None]:
        """What each watch observes in a frame."""
        started = perf_counter()
        prediction = self.predictor(image)
        self.ms["task"].append((perf_counter() - started) * 1e3)
        found = {}
        for name, watch in watches.items():
            started = perf_counter()
            found[name] = watch.add(at, image, prediction)
            self.ms["drift"].append((perf_counter() - started) * 1e3)
        return found


def reference(predictor: Predictor) -> ReferenceProfile:
    """The profile of the scene with another seed, an image of each cut."""
    scene, found = Scene(SceneOptions(seed=PROFILE_SEED, fps=1, cut=1, size=SIZE)), ProfileCollector()
    for index in range(PROFILE_IMAGES):
        image, _ = scene.render(index)
        found.add(image, predictor(image))
    return found.profile("training", "scene:cups")


def watch_hour(watched: WatchedStreams, stream: PlantedStream, profile: ReferenceProfile, minutes: float) -> list[dict[str, Any]]:
    """Rows of one stream: for each reference the false alarms of the time without a change, and how soon each change was found."""
    watches = {CARD: DriftWatch(profile)}
    if stream.kind == "fixed":
        watches[LEARNT] = DriftWatch(None, learn_s=LEARN_S, camera=stream.kind)
    alarms: dict[str, list[dict[str, Any]]] = {name: [] for name in watches}
    planted: dict[str, dict[str, Any]] = {name: {} for name in watches}
    for index in range(round(minutes * 60 * stream.fps)):
        at = index / stream.fps
        if at == PLANTED_AFTER_S:
            for drift in planted_into(stream.kind):
                for name, delay in planted_drift(watched, stream, copy.deepcopy(watches), index, drift).items():
                    planted[name][drift] = delay
        for name, seen in watched.see(watches, at, stream.frame(index)).items():
            if seen is not None and seen.verdict.new:
                alarms[name].append({"at_s": at, "text": [one.text(at) for one in seen.verdict.new]})
    head = {"stream": stream.kind, "seed": stream.seed, "minutes": minutes}
    return [{**head, "reference": name, "false_alarms": alarms[name], "planted": planted[name]} for name in watches]


def opened(model: str) -> Predictor:
    """The model with one thread and the boxes that a profile counts."""
    return Predictor(model, threads=1, options=CardOptions(score_threshold=SHOWN_SCORE))


def one_stream(
    model: str, stream: PlantedStream, profile: ReferenceProfile, minutes: float
) -> tuple[list[dict[str, Any]], dict[str, list[float]]]:
    """The rows of one stream, and the times of its frames; runs in a process of its own."""
    with opened(model) as predictor:
        watched = WatchedStreams(predictor)
        return watch_hour(watched, stream, profile, minutes), dict(watched.ms)


def planted_drift(
    watched: WatchedStreams, stream: PlantedStream, watches: Mapping[str, DriftWatch], first: int, drift: str
) -> dict[str, dict[str, Any]]:
    """Seconds until each watch found the drift (None: not in two minutes) and what it said first."""
    found: dict[str, dict[str, Any]] = {name: {"found_after_s": None, "text": ""} for name in watches}
    for index in range(first, first + round(PLANTED_S * stream.fps)):
        at = index / stream.fps
        for name, seen in watched.see(watches, at, stream.frame(index, drift)).items():
            if seen is not None and seen.verdict.new and found[name]["found_after_s"] is None:
                found[name] = {"found_after_s": at - first / stream.fps, "text": seen.verdict.new[0].text(at)}
        if all(one["found_after_s"] is not None for one in found.values()):
            break
    return found


def planted_into(kind: str) -> tuple[str, ...]:
    """What is planted into a kind of stream: one that sees another table all the time has no place that it is pushed from."""
    return tuple(drift for drift in DRIFTS if kind != "cuts" or not drift.startswith("pushed"))


def found_by_change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each kind of stream, reference and change: how many were found in time, and the delays in seconds."""
    found = defaultdict[tuple[str, str, str], list[float | None]](list)
    for row in rows:
        for drift, one in row["planted"].items():
            found[row["stream"], row["reference"], drift].append(one["found_after_s"])
    return [
        {
            "stream": kind,
            "reference": reference,
            "change": drift,
            "claimed": drift in CLAIMED[kind],
            "planted": len(delays),
            "found_in_time": sum(delay is not None and delay <= WITHIN_S for delay in delays),
            "found_after_s": delays,
        }
        for (kind, reference, drift), delays in found.items()
    ]


def summary(rows: list[dict[str, Any]], ms: Mapping[str, list[float]]) -> dict[str, Any]:
    """Counts over all rows, and the cost of a measured frame."""
    found = found_by_change(rows)
    claimed = [one for one in found if one["claimed"]]
    delays = [delay for one in claimed for delay in one["found_after_s"] if delay is not None]
    drift_ms, task_ms = statistics.median(ms["drift"]), statistics.median(ms["task"])
    return {
        "hours_without_change": sum(row["minutes"] for row in rows) / 60,
        "streams_with_false_alarm": sum(bool(row["false_alarms"]) for row in rows),
        "planted": sum(one["planted"] for one in claimed),
        "found_in_time": sum(one["found_in_time"] for one in claimed),
        "slowest_s": max(delays, default=None),
        "by_change": found,
        "drift_ms": drift_ms,
        "task_ms": task_ms,
        # two frames of 30 in a second are measured
        "share_of_processing_30fps": 2 * drift_ms / (30 * task_ms),
        "share_of_frame_time_30fps": 2 * drift_ms / 1000,
    }


@click.command()
@click.argument("model")
@click.option("--seeds", default="101,102,103,104,105", show_default=True, help="Seeds of the streams of each kind.")
@click.option("--minutes", default=60.0, show_default=True, help="Length of the time without a change.")
@click.option("--fps", default=1.0, show_default=True, help="Frames per second of a stream.")
@click.option("--jobs", default=1, show_default=True, help="Streams at the same time.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the record.")
def command(model: str, seeds: str, minutes: float, fps: float, jobs: int, json_path: Path | None) -> None:
    """Plant drifts into streams of the scene, and watch streams without any."""
    if json_path is not None:
        check_writable(json_path)
    with opened(model) as predictor:
        profile = reference(predictor)
    rows, ms = list[dict[str, Any]](), defaultdict[str, list[float]](list)
    streams = [PlantedStream(int(seed), kind, fps) for seed in seeds.split(",") for kind in CUT_S]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for found in as_completed([pool.submit(one_stream, model, stream, profile, minutes) for stream in streams]):
            new, times = found.result()
            for row in new:
                delays = {drift: one["found_after_s"] for drift, one in row["planted"].items()}
                head = f"{row['stream']} {row['seed']}, {row['reference']}"
                click.echo(f"{head}: {len(row['false_alarms'])} false alarms; found after s: {delays}")
            rows += new
            for name, values in times.items():
                ms[name] += values
    rows.sort(key=lambda row: (row["stream"], row["reference"], row["seed"]))
    content = {"target": {"found_within_s": WITHIN_S, "false_alarms": 0}, "fps": fps, "rows": rows, **summary(rows, ms)}
    for one in content["by_change"]:
        told = "" if one["claimed"] else ", not claimed"
        click.echo(
            f"{one['stream']}, {one['reference']}, {one['change']}: {one['found_in_time']} of {one['planted']} within 60 s{told}"
        )
    click.echo({key: value for key, value in content.items() if key not in ("rows", "target", "by_change")})
    if json_path is not None:
        figure.record(json_path, "drift", content)


if __name__ == "__main__":
    figure.run(command)
