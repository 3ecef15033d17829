"""mAP of third-party detectors by `edgecnn evaluate`, against COCOeval of pycocotools on the annotation file itself.

``python -m edgecnn.benchmarks.figures.coco_agreement --data DIR --json FILE``

The boxes of one pass go both ways: through our dataset reader, matching and accumulation; and as COCO results into pycocotools, which
reads the annotations itself. DIR holds ``models/`` and ``coco-subset`` as the project's data folder does.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, OpenedModel, Outcomes, evaluate_file
from edgecnn.benchmarks.measure.progress import ProgressLine
from edgecnn.columns import align_columns
from edgecnn.files import check_writable
from edgecnn.labels import normalize
from edgecnn.metrics.ground_truth import GroundTruthSample
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.tasks.evaluate import Outcome
from edgecnn.types import Detections

WITHIN = 1e-4
ANNOTATIONS = "coco-subset/instances_val_first128.json"
MODELS = {
    "YOLOX-nano": ("yolox_nano_kazuhito/model/yolox_nano.onnx", None),
    "SSD MobileNet v1": ("ssd_mobilenet_v1_coco/detect.tflite", "ssd_mobilenet_v1_coco/labelmap.txt"),
    "FastestDet": ("fastestdet/example/onnx-runtime/FastestDet.onnx", None),
}
STATS = ("map", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")  # in the order of COCOeval.stats


class _Recorded:
    """Outcomes as they come, with the boxes kept as COCO results: ids of the annotation file by name of image and class."""

    not_finite = 0

    def __init__(self, model: OpenedModel, found: Outcomes, annotations: dict[str, Any], results: list[dict[str, Any]]) -> None:
        self._model, self._found, self._results = model, found, results
        self._images = {Path(one["file_name"]).name: one["id"] for one in annotations["images"]}
        self._categories = {normalize(one["name"]): one["id"] for one in annotations["categories"]}

    def __iter__(self) -> Iterator[tuple[GroundTruthSample, Outcome]]:
        for sample, outcome in self._found:
            assert isinstance(outcome, Detections)
            self._keep(self._images[Path(sample.name).name], outcome)
            yield sample, outcome

    def _keep(self, image: int, found: Detections) -> None:
        names = [normalize(name) for name in self._model.card.labels]
        for (x1, y1, x2, y2), score, class_id in zip(found.xyxy.tolist(), found.score.tolist(), found.class_id, strict=True):
            category = self._categories.get(names[class_id])
            if category is not None:
                bbox = [x1, y1, x2 - x1, y2 - y1]
                self._results.append({"image_id": image, "category_id": category, "bbox": bbox, "score": score})


@click.command()
@click.option("--data", "folder", type=click.Path(path_type=Path), required=True, help="Folder with models/ and coco-subset.")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of images, for a quick test.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(folder: Path, limit: int | None, json_path: Path | None) -> None:
    """Compare the accuracy of third-party detectors with that of pycocotools."""
    if json_path is not None:
        check_writable(json_path)
    rows: list[dict[str, Any]] = []
    with ProgressLine() as line:
        for name, (file, labels) in MODELS.items():
            line(name)
            places = folder / "models" / file, None if labels is None else folder / "models" / labels
            rows.append({"name": name, **compared(*places, folder / ANNOTATIONS, limit)})
    click.echo(table(rows))
    click.echo(f"\n{conclusion(rows)}")
    if json_path is not None:
        figure.record(json_path, "coco_agreement", {"within": WITHIN, "limit": limit, "rows": rows})


def compared(file: Path, labels: Path | None, annotations: Path, limit: int | None) -> dict[str, Any]:
    """The values of both, by metric, and the largest difference."""
    results: list[dict[str, Any]] = []
    content = json.loads(annotations.read_text(encoding="utf-8"))
    config = EvaluationConfig(
        file=file, data=DatasetSelection(str(annotations), limit=limit), options=CardOptions(labels=labels), threads=1
    )
    score = evaluate_file(config, watch=partial(_Recorded, annotations=content, results=results)).score
    theirs = by_pycocotools(annotations, results, score.n if limit else None)
    ours = {name: score.values[name] for name in STATS if name in score.values}
    gap = max(abs(ours[name] - theirs[name]) for name in ours)
    return {"images": score.n, "boxes": len(results), "ours": ours, "pycocotools": theirs, "difference": gap}


def by_pycocotools(annotations: Path, results: list[dict[str, Any]], images: int | None) -> dict[str, float]:
    """The metrics by COCOeval; ``images``: only of so many, in the order of their file names."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        if images is not None:
            by_name = sorted(truth.imgs, key=lambda number: truth.imgs[number]["file_name"])
            run.params.imgIds = sorted(by_name[:images])
        run.evaluate()
        run.accumulate()
        run.summarize()
    return {name: float(value) for name, value in zip(STATS, run.stats, strict=False)}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    cells = [["model", "images", "boxes", "mAP", "pycocotools", "largest difference of all metrics"]]
    for row in rows:
        numbers = [f"{row['ours']['map']:.6f}", f"{row['pycocotools']['map']:.6f}", f"{row['difference']:.1e}"]
        cells.append([row["name"], str(row["images"]), f"{row['boxes']:,}", *numbers])
    return align_columns(cells, left=1)


def conclusion(rows: list[dict[str, Any]]) -> str:
    """Whether all metrics of all detectors are equal within the limit."""
    wide = [row["name"] for row in rows if not row["difference"] <= WITHIN]
    return f"equal within {WITHIN:g}: " + (f"not {', '.join(wide)}" if wide else "all")


if __name__ == "__main__":
    figure.run(command)
