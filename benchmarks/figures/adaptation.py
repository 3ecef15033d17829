"""What `edgecnn adapt` gains on a camera, by the labels of its teacher and by true labels.

``python -m edgecnn.benchmarks.figures.adaptation --out runs/adaptation --json FILE``

The camera is the built-in scene, which knows what it shows: it looks down steeply at turned objects in changing light. The model is the
network of the teacher at half of its input size, trained shortly on upright, bright, level pictures; the teacher keeps its size.
Adaptation sees the teacher's labels only. Afterwards the held-out frames are measured once more with the scene's own boxes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgecnn.adapt.config import AdaptConfig
from edgecnn.adapt.run import Adapted, adapt
from edgecnn.adapt.text import lines
from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.target import TargetCheck
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.data import open_dataset
from edgecnn.data.coco_writer import Written, coco_record
from edgecnn.files import check_writable, write_file
from edgecnn.json_text import dump_json
from edgecnn.models import read_card
from edgecnn.shipped import artifact
from edgecnn.train.config import TrainConfig
from edgecnn.train.hardware import use_all_cpus
from edgecnn.train.recorder import CHECKPOINT
from edgecnn.train.run import train
from edgecnn.trust.paired.config import PairConfig
from edgecnn.trust.paired.measure import MeanChange
from edgecnn.trust.paired.run import evaluate_pair

LEVEL = "scene:cups?seed=311&size=320x240&fps=1&cut=1&rotate=0&light=0.1&noise=0.1&blur=0.1"
CAMERA = "scene:cups?seed=9303&size=320x240&fps=1&cut=2&pitch=75&rotate=45&light=0.6&noise=0.4"
FPS = 1  # of the camera: its frames are named by the millisecond


@click.command()
@click.option(
    "--teacher", default="cups", show_default=True, help="A detector that labels the frames; its checkpoint is the start."
)
@click.option(
    "--images", type=click.IntRange(50), default=300, show_default=True, help="Pictures that the model is trained on first."
)
@click.option("--frames", type=click.IntRange(60), default=320, show_default=True, help="Frames of the camera.")
@click.option("--epochs", type=click.IntRange(1), default=12, show_default=True, help="Of the adaptation.")
@click.option("--lr", type=click.FloatRange(0, min_open=True), default=1e-3, show_default=True, help="Of the adaptation.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder; an interrupted run goes on.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(teacher: str, images: int, frames: int, epochs: int, lr: float, out: Path, json_path: Path | None) -> None:
    """Train a model on level pictures, adapt it to a camera, and measure the gain by true labels."""
    if json_path is not None:
        check_writable(json_path)
    use_all_cpus()
    with ProgressLine() as line:
        student = out / "student" / CHECKPOINT
        if not student.exists():
            train(_student(teacher, images, student.parent), line.above)
        config = AdaptConfig(
            model=str(student),
            source=f"{CAMERA}&count={frames}",
            out=out / "camera",
            teachers=(teacher,),
            minutes=frames / FPS / 60,
            frames=frames,
            epochs=epochs,
            lr=lr,
            workers=1,
        )
        found = adapt(config, line.above, lambda what, done, total: line(f"{what}: {done:.0f} of {total:.0f}"))
        truth = _truth(found)
        line("measuring by true labels")
        by_truth = _compared(found.pair.before, found.pair.after, truth)
        taught = _compared(found.pair.before, artifact(teacher), truth)
    click.echo("\n".join(lines(found)))
    rows = {
        "by the teacher's labels": found.change,
        "by true labels": by_truth,
        "the teacher in place of it, by true labels": taught,
    }
    for name, change in rows.items():
        click.echo(f"{name}: {_words(change)}")
    if json_path is not None:
        figure.record(
            json_path, "adaptation", _content(found, teacher, {name: _row(change) for name, change in rows.items()}, by_truth)
        )


def _student(teacher: str, images: int, out: Path) -> TrainConfig:
    height, width = read_card(teacher).model["options"]["size"]
    return TrainConfig(
        model="edgedet",
        model_options={"size": (height // 2, width // 2)},
        init=teacher,
        data=(f"{LEVEL}&count={images}",),
        out=out,
        name="level",
        epochs=2,
        batch=16,
        lr=1e-3,
        ema=0.95,
        val_fraction=0.0,
        multiscale_fraction=0.0,
        workers=1,
    )


def _truth(found: Adapted) -> Path:
    """A COCO file beside that of the held-out frames, with the boxes of the scene."""
    camera = open_dataset(found.config.source)
    record: dict[str, Any] = json.loads(found.held_out.data.read_text())
    written = []
    for image in record["images"]:
        sample = camera.samples[round(int(Path(image["file_name"]).stem) / 1000 * FPS)]
        size = image["width"], image["height"]
        written.append(Written(sample, image["file_name"], size, size))
    path = found.held_out.data.with_name("truth.json")
    write_file(path, dump_json(coco_record(written, camera.labels, [])))
    return path


def _compared(before: Path, after: Path, data: Path) -> MeanChange:
    mean = evaluate_pair(PairConfig(before=before, after=after, data=DatasetSelection(str(data)))).mean
    assert mean is not None
    return mean


def _words(change: MeanChange) -> str:
    interval = change.interval
    shown = "" if interval is None else f", 95 % interval {100 * interval.low:+.1f} to {100 * interval.high:+.1f}"
    return f"mAP {100 * change.before.primary:.1f} -> {100 * change.after.primary:.1f} ({100 * change.difference:+.1f} points{shown})"


def _row(change: MeanChange) -> dict[str, Any]:
    interval = None if change.interval is None else [change.interval.low, change.interval.high]
    scores = {"before": dict(change.before.values), "after": dict(change.after.values)}
    return {**scores, "images": change.before.n, "difference": change.difference, "interval": interval}


def _content(found: Adapted, teacher: str, rows: dict[str, Any], by_truth: MeanChange) -> dict[str, Any]:
    gain = (
        TargetCheck.of("lower end of the interval of the gain in mAP, by true labels", [by_truth.interval.low], 0.0)
        if (by_truth.interval)
        else None
    )
    document = found.to_document()
    return {
        "teacher": teacher,
        "level": LEVEL,
        "camera": found.config.source,
        "settings": document["settings"],
        "frames": document["frames"],
        "taken": found.better,
        "rows": rows,
        "figures": [] if gain is None else [gain.to_json()],
    }


if __name__ == "__main__":
    figure.run(command)
