"""Share of the mugs with a visible handle whose detected box holds the handle.

``python -m edgecnn.benchmarks.figures.handles FILE... --data "scene:cups?seed=9001&count=250&fps=1&cut=1" --json FILE``
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.progress import Progress, ProgressLine, no_progress
from edgecnn.benchmarks.measure.record import sha256_of
from edgecnn.columns import align_columns
from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.metrics.match import iou_matrix
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.scene import Scene, SceneGroundTruth, SceneOptions, parse_scene
from edgecnn.shipped import artifact
from edgecnn.types import Detections, Float32, Image

DATA = "scene:cups?seed=9001&count=250&fps=1&cut=1"
MUG = "mug"
LEAST_SHOWN = 0.25  # of a handle's length: less is hardly a visible handle
LEAST_HELD = 0.9  # of the area of the handle's box


@dataclass(slots=True)
class HandleCount:
    """Mugs with a visible handle, those of them with a detected mug (IoU 0.5), and those whose detected box holds the handle."""

    mugs: int = 0
    found: int = 0
    held: int = 0

    def add(self, detected: Float32, truth: SceneGroundTruth, label: int) -> None:
        """Add an image: boxes (n, 4) detected as mugs, and the ground truth, in which mugs have the class ``label``."""
        assert truth.boxes.crowd is not None
        wanted = (truth.boxes.class_id == label) & ~truth.boxes.crowd & (truth.handle_visible >= LEAST_SHOWN)
        overlaps = iou_matrix(truth.boxes.xyxy[wanted], detected)
        for handle, overlap in zip(truth.handles[wanted], overlaps, strict=True):
            self.mugs += 1
            best = int(overlap.argmax()) if len(overlap) else -1
            if best < 0 or not overlap[best]:
                continue
            self.found += bool(overlap[best] >= 0.5)
            self.held += share_inside(handle, detected[best]) >= LEAST_HELD

    def to_json(self) -> dict[str, Any]:
        """Counts and shares; the shares are None without a mug."""
        shares = {name: round(count / self.mugs, 4) if self.mugs else None for name, count in self._shares().items()}
        return {"mugs": self.mugs, "found": self.found, "held": self.held, "shares": shares}

    def _shares(self) -> dict[str, int]:
        return {"found": self.found, "held": self.held}


def share_inside(box: Float32, outer: Float32) -> float:
    """Share 0..1 of the area of ``box`` (4,) that lies in ``outer`` (4,); 0 for a box without area."""
    width, height = np.minimum(box[2:], outer[2:]) - np.maximum(box[:2], outer[:2])
    area = float((box[2:] - box[:2]).prod())
    return float(max(width, 0) * max(height, 0)) / area if area > 0 else 0.0


def count_handles(
    predict: Callable[[Image], Detections], label: int, options: SceneOptions, progress: Progress = no_progress
) -> HandleCount:
    """Count on all frames of the scene; ``label`` is the class index of mugs in the model. Raises ``InputError`` without ``count``."""
    if options.count is None:
        raise InputError("--data: a scene without count= never ends", f"add count=, such as {DATA}")
    scene, counted = Scene(options), HandleCount()
    for index in range(options.count):
        image, truth = scene.render(index * options.every)
        found = predict(image)
        counted.add(found.xyxy[found.class_id == label], truth, scene.labels.index(MUG))
        progress(f"frame {index + 1} of {options.count}")
    return counted


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--data", metavar="URI", default=DATA, show_default=True, help="Scene to measure with.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(files: tuple[str, ...], data: str, json_path: Path | None) -> None:
    """Measure detectors FILES, which may be shipped names, on rendered mugs with the score threshold of their cards."""
    options = parse_scene(data)
    if json_path is not None:
        check_writable(json_path)
    with ProgressLine() as status:
        rows = [_measure(file, options, status) for file in files]
    click.echo(table(rows))
    if json_path is not None:
        figure.record(json_path, "handles", {"data": data, "least_held": LEAST_HELD, "least_shown": LEAST_SHOWN, "rows": rows})


def _measure(file: str, options: SceneOptions, status: Progress) -> dict[str, Any]:
    path = artifact(file)
    with Predictor(path) as predictor:
        card = predictor.card
        if card.task != "detect" or MUG not in card.labels:
            raise InputError(f"{path.name} is no detector of the class {MUG}", "name another file")

        def predict(image: Image) -> Detections:
            found = predictor(image)
            assert isinstance(found, Detections)
            return found

        label = card.labels.index(MUG)
        counted = count_handles(predict, label, options, lambda text: status(f"{path.name}, {text}"))
    return {"file": path.name, "sha256": sha256_of(path), **counted.to_json()}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    head = ["model", "mugs with a visible handle", "found at IoU 0.5", "box holds the handle"]
    shown = [[row["file"], f"{row['mugs']:,}", *(_percent(row["shares"][name]) for name in ("found", "held"))] for row in rows]
    return align_columns([head, *shown], left=1)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    figure.run(command)
