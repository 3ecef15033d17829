"""Tracking quality on the same detections of a sequence: our ByteTrack compared with that of the package `trackers`.

``python -m edgecnn.benchmarks.figures.tracking YOLOX_NANO.onnx --data TUD-Campus --json FILE``
``python -m edgecnn.benchmarks.figures.tracking --data PETS09-S2L1 --detections det.txt --fps 7`` (no images needed)
``python -m edgecnn.benchmarks.figures.tracking cups --data "scene:cups?seed=9200&cut=20" --limit 600``

`trackers` is the successor of supervision's ByteTrack (pip install --no-deps trackers supervision); TrackEval scores both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, TypeAlias

import click
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.columns import align_columns
from edgecnn.data import Dataset, open_dataset
from edgecnn.data.formats.mot import frame_rate
from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.metrics.tracking import TrackedBoxes, TrackScore, read_mot, read_mot_detections, score_tracks
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.tracking import ByteTrack, TrackOptions
from edgecnn.types import Detections, nearest_rank

FLOOR = 0.05  # low, because the trackers apply their own thresholds
FIGURES = ("mota", "idf1", "hota")
TrackFunction: TypeAlias = Callable[[Detections, int], Detections]


@dataclass(frozen=True, slots=True)
class TrackerResult:
    """One tracker: name, options, score, and time per frame (the median over the rounds)."""

    name: str
    options: dict[str, float]
    score: TrackScore
    p50_us: float
    p99_us: float


@dataclass(frozen=True, slots=True)
class TrackedSequence:
    """The ground truth and the detections of each frame, and the frame rate."""

    name: str
    truth: list[TrackedBoxes]
    found: list[Detections]
    fps: float


@click.command()
@click.argument("model", required=False)
@click.option("--data", required=True, help="A sequence in MOT Challenge layout, or a scene with one cut.")
@click.option(
    "--detections",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Detections in MOT Challenge text instead of MODEL; --data then needs only gt/gt.txt or gt.txt.",
)
@click.option("--fps", type=click.FloatRange(0, min_open=True), help="Frames per second.  [default: from seqinfo.ini]")
@click.option("--limit", type=click.IntRange(2), help="Maximum number of frames.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Times each tracker runs, in turns.")
@click.option("--note", help="Where detections and ground truth come from, for the record.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(
    model: str | None,
    data: str,
    detections: Path | None,
    fps: float | None,
    limit: int | None,
    rounds: int,
    note: str | None,
    json_path: Path | None,
) -> None:
    """Track the detections of MODEL in a sequence, for the classes that are labelled in it."""
    if (model is None) == (detections is None):
        raise InputError("one of MODEL and --detections is needed", "name a detector, or a file of detections")
    if json_path is not None:
        check_writable(json_path)
    if detections is not None:
        sequence = read_sequence(Path(data), detections, fps, limit)
    else:
        assert model is not None
        sequence = detected_sequence(model, data, fps, limit)
    rows = compare(sequence, rounds)
    click.echo(table(rows))
    click.echo(f"\n{conclusion(rows)}")
    if json_path is not None:
        source = {"model": Path(model).name} if model else {"detections": describe(detections)}
        content = {**source, "dataset": sequence.name, "frames": len(sequence.truth), "fps": sequence.fps, "score_from": FLOOR}
        record = {**content, "rounds": rounds, "note": note, "rows": [asdict(row) for row in rows]}
        figure.record(json_path, "tracking", record)


def detected_sequence(model: str, data: str, fps: float | None, limit: int | None) -> TrackedSequence:
    """A dataset of one sequence with the boxes that ``model`` detects; raises ``InputError`` for several sequences or no boxes."""
    dataset = open_dataset(data, limit=limit)
    if len({sample.group for sample in dataset.samples}) > 1:
        raise InputError(
            f"--data: {dataset.name} holds several sequences", "name the folder of one, or a scene with a longer cut="
        )
    truth = [_true(sample.boxes) for sample in dataset.samples]
    _check_counted(truth, dataset.name)
    with ProgressLine() as status:
        status("detecting")
        found = detect(model, dataset)
    return TrackedSequence(dataset.name, truth, found, fps or frame_rate(Path(data)) or 30.0)


def read_sequence(folder: Path, detections: Path, fps: float | None, limit: int | None) -> TrackedSequence:
    """A sequence without images: the ground truth in ``folder`` and a file of detections, both as MOT Challenge text.

    Raises ``InputError`` where a file is missing or has a bad line, where the frame rate is not known, or where no box counts.
    """
    places = [place for place in (folder / "gt" / "gt.txt", folder / "gt.txt") if place.is_file()]
    if not places:
        raise InputError(f"--data: {folder} has neither gt/gt.txt nor gt.txt", "name the folder of a sequence")
    rate = fps or frame_rate(folder)
    if rate is None:
        raise InputError(f"--data: {folder} has no seqinfo.ini with a frame rate", "add --fps")
    truth_text, found_text = places[0].read_text(), detections.read_text()
    frames = max(_last_frame(truth_text), _last_frame(found_text))
    truth, found = read_mot(truth_text, frames)[:limit], read_mot_detections(found_text, frames)[:limit]
    _check_counted(truth, folder.name)
    above = [boxes[boxes.score >= FLOOR] for boxes in found]
    if not any(map(len, above)):
        raise InputError(f"--detections: {detections} has no box with a score of {FLOOR} or more", "name another file")
    return TrackedSequence(folder.resolve().name, truth, above, rate)


def _last_frame(text: str) -> int:
    numbers = [line.split(",", 1)[0].strip() for line in text.splitlines()]
    # a line that is no row is reported by the reader, by its number
    return max((int(float(number)) for number in numbers if number.replace(".", "", 1).isdigit()), default=1)


def describe(file: Path | None) -> dict[str, str]:
    """Name and SHA-256 of a file."""
    assert file is not None
    return {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def compare(sequence: TrackedSequence, rounds: int) -> list[TrackerResult]:
    """Each tracker on the same detections; the trackers take turns, so that a slow phase of the machine slows all of them."""
    runs = [[measure(*one, sequence.found, sequence.truth) for one in trackers(sequence.fps)] for _ in range(rounds)]
    return [
        replace(
            first,
            p50_us=median(run[index].p50_us for run in runs),
            p99_us=median(run[index].p99_us for run in runs),
        )
        for index, first in enumerate(runs[0])
    ]


def detect(model: str, dataset: Dataset) -> list[Detections]:
    """The detections of the dataset's classes in each frame."""
    with Predictor(model, options=CardOptions(score_threshold=FLOOR)) as predictor:
        class_ids = [index for index, label in enumerate(predictor.card.labels) if label in dataset.labels]
        if not class_ids:
            raise InputError(f"{model} detects none of {', '.join(dataset.labels)}", "name another model")
        found = []
        for sample in dataset.samples:
            prediction = predictor(sample.read())
            if not isinstance(prediction, Detections):
                raise InputError(f"{model} is a model to {predictor.card.task}, not a detector", "name another model")
            found.append(prediction[np.isin(prediction.class_id, class_ids)])
    return found


def trackers(fps: float) -> list[tuple[str, dict[str, float], TrackFunction]]:
    """The compared trackers: ours, the peer with its defaults, and the peer with our thresholds."""
    ours = TrackOptions()
    same = {"high_conf_det_threshold": ours.high, "track_activation_threshold": ours.new}
    return [
        ("edgecnn", {"high": ours.high, "new": ours.new, "low": ours.low}, _ours(ours, fps)),
        ("trackers", {}, _peer(fps, {})),
        ("trackers, our thresholds", same, _peer(fps, same)),
    ]


def _ours(options: TrackOptions, fps: float) -> TrackFunction:
    tracker = ByteTrack(options)
    return lambda found, index: tracker.update(found, index / fps)


def _peer(fps: float, options: dict[str, float]) -> TrackFunction:
    try:
        boxes, peer = import_module("supervision").Detections, import_module("trackers").ByteTrackTracker
    except ImportError as error:
        fix = "run: pip install --no-deps trackers supervision"
        raise InputError("trackers and supervision are not installed", fix) from error
    tracker = peer(frame_rate=fps, **options)

    def follow(found: Detections, index: int) -> Detections:
        tracked = tracker.update(boxes(xyxy=found.xyxy, confidence=found.score, class_id=found.class_id))
        named = tracked.tracker_id >= 0  # -1: a detection without a confirmed track
        xyxy = np.asarray(tracked.xyxy[named], np.float32).reshape(-1, 4)
        identity = np.asarray(tracked.tracker_id[named], np.int64)
        return Detections(xyxy, np.ones(len(xyxy), np.float32), np.zeros(len(xyxy), np.int64), identity)

    return follow


def measure(
    name: str, options: dict[str, float], follow: TrackFunction, found: Sequence[Detections], truth: Sequence[TrackedBoxes]
) -> TrackerResult:
    """Run one tracker over all frames."""
    tracked, spent = [], []
    for index, boxes in enumerate(found):
        started = perf_counter()
        result = follow(boxes, index)
        spent.append((perf_counter() - started) * 1e6)
        identity = np.empty(0, np.int64) if result.track_id is None else result.track_id
        tracked.append(TrackedBoxes(result.xyxy, identity))
    return TrackerResult(name, options, score_tracks(truth, tracked), nearest_rank(spent, 50), nearest_rank(spent, 99))


def table(rows: Sequence[TrackerResult]) -> str:
    """The rows for a terminal."""
    cells = [["tracker", "MOTA %", "IDF1 %", "HOTA %", "switches", "missed", "false", "tracks", "p50 us"]]
    for row in rows:
        score = row.score
        shares = [f"{100 * getattr(score, name):.1f}" for name in FIGURES]
        counts = [str(value) for value in (score.switches, score.missed, score.false, score.tracks)]
        cells.append([row.name, *shares, *counts, f"{row.p50_us:.0f}"])
    return align_columns(cells, left=1)


def conclusion(rows: Sequence[TrackerResult]) -> str:
    """Whether ours, the first, reaches every other row in each figure; not where nothing was counted or a figure is no number."""
    ours, *peers = rows
    if not ours.score.boxes:
        return "nothing was counted: the ground truth has no box"
    behind = {
        f"{name.upper()} of {peer.name}"
        for peer in peers
        for name in FIGURES
        if not getattr(ours.score, name) >= getattr(peer.score, name)
    }
    slower = max(ours.p50_us / peer.p50_us for peer in peers)
    figures = f"not reached: {', '.join(sorted(behind))}" if behind else "reached"
    return f"MOTA, IDF1 and HOTA at least the peer's: {figures}; time per frame at most {slower:.2f} times the peer's"


def counted(boxes: TrackedBoxes) -> int:
    """How many boxes of a frame are not ignored."""
    return len(boxes.xyxy) if boxes.crowd is None else int((~boxes.crowd).sum())


def _check_counted(truth: Sequence[TrackedBoxes], name: str) -> None:
    if not any(counted(boxes) for boxes in truth):
        raise InputError(f"--data: no box of {name} counts: all are to be ignored, or there are none", "name another sequence")


def _true(boxes: Any) -> TrackedBoxes:
    if boxes is None or boxes.identity is None:
        raise InputError("--data: the boxes have no identities", "name a MOT Challenge sequence")
    return TrackedBoxes(boxes.xyxy, boxes.identity, boxes.crowd)


if __name__ == "__main__":
    figure.run(command)
