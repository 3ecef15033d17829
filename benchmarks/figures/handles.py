"""Share of the mugs with a visible handle whose detected box holds the handle.

``python -m edgecnn.benchmarks.figures.handles FILE... --data "scene:cups?seed=9001&count=250&fps=1&cut=1" --json FILE``
"""

from __future__ import annotations

import dataclasses
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
BESIDE = 0.1  # of the rim's width: a handle that reaches farther beyond the rim is beside the body, not in front of it


@dataclass(slots=True)
class HandleCount:
    """Mugs with a visible handle, those of them with a detected mug (IoU 0.5), and those whose detected box holds the handle.

    ``beside`` are the mugs whose handle is beside the body, where a box of the body alone does not hold it; ``beside_held`` those held.
    """

    mugs: int = 0
    found: int = 0
    held: int = 0
    beside: int = 0
    beside_held: int = 0

    def add(self, detected: Float32, truth: SceneGroundTruth, label: int) -> None:
        """Add an image: boxes (n, 4) detected as mugs, and the ground truth, in which mugs have the class ``label``."""
        assert truth.boxes.crowd is not None
        wanted = (truth.boxes.class_id == label) & ~truth.boxes.crowd & (truth.handle_visible >= LEAST_SHOWN)
        overlaps = iou_matrix(truth.boxes.xyxy[wanted], detected)
        for handle, points, overlap in zip(truth.handles[wanted], truth.points[wanted], overlaps, strict=True):
            beside = is_beside(handle, points)
            self.mugs += 1
            self.beside += beside
            best = int(overlap.argmax()) if len(overlap) else -1
            if best < 0 or not overlap[best]:
                continue
            held = share_inside(handle, detected[best]) >= LEAST_HELD
            self.found += bool(overlap[best] >= 0.5)
            self.held += held
            self.beside_held += held and beside

    def to_json(self) -> dict[str, Any]:
        """Counts and shares; the shares are None without a mug."""
        parts = {"found": (self.found, self.mugs), "held": (self.held, self.mugs), "beside_held": (self.beside_held, self.beside)}
        shares = {name: round(count / total, 4) if total else None for name, (count, total) in parts.items()}
        return {**dataclasses.asdict(self), "shares": shares}


def is_beside(handle: Float32, points: Float32) -> bool:
    """Whether the box (4,) of a handle reaches beyond the ends of the rim, the second and third of the key points (4, 3)."""
    if (points[1:3, 2] == 0).any():
        return False
    left, right = sorted(points[1:3, 0].tolist())
    slack = BESIDE * (right - left)
    return bool(handle[0] < left - slack or handle[2] > right + slack)


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
    head = ["model", "mugs with a visible handle", "found at IoU 0.5", "box holds the handle", "handles beside the body", "held"]
    shown = []
    for row in rows:
        found, held, beside_held = (_percent(row["shares"][name]) for name in ("found", "held", "beside_held"))
        shown.append([row["file"], f"{row['mugs']:,}", found, held, f"{row['beside']:,}", beside_held])
    return align_columns([head, *shown], left=1)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    figure.run(command)
