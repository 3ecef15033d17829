"""A detailed evaluation as one self-contained HTML page; no scripts, no external resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np

from edgecnn.benchmarks.report.contact_sheet import SheetTile, sheet_tile
from edgecnn.benchmarks.report.evaluation_table import heading
from edgecnn.benchmarks.report.plot_curves import CurveAxes, CurveSeries, curve_plot
from edgecnn.benchmarks.report.template import WIDE, render, responsive
from edgecnn.data import Dataset
from edgecnn.errors import InputError
from edgecnn.metrics.class_matches import RECALL_LEVELS
from edgecnn.metrics.report import MAX_CLASSES, value_lines
from edgecnn.trust.accuracy.boxes import BoxDetail
from edgecnn.trust.accuracy.labels import ConfusedPair, LabelDetail
from edgecnn.trust.accuracy.measure import DetailedEvaluation
from edgecnn.trust.accuracy.text import class_columns, error_cells, percent
from edgecnn.types import Image

CURVES: Final = 8  # classes with most objects
STEP: Final = 5  # every so many recall levels are drawn
TILE: Final = 160  # pixels
TALL, LOW = 340.0, 280.0


def accuracy_page(found: DetailedEvaluation) -> str:
    """The page as text; images of confused classes are read once more. Raises ``MissingExtraError`` without jinja2."""
    score, detail = found.evaluation.score, found.detail
    labels = detail if isinstance(detail, LabelDetail) else None
    boxes = detail if isinstance(detail, BoxDetail) else None
    columns = class_columns(detail)
    names = sorted(score.per_class, key=lambda name: -score.support[name])
    return render(
        "edgecnn.trust.accuracy",
        "accuracy.html",
        name=found.evaluation.file.name,
        heading=heading(found.evaluation),
        figures=[line.split("   95 % interval ") for line in value_lines(score)],
        notes=score.notes,
        counted=score.counted,
        measured=score.measured,
        columns=list(columns),
        classes=[
            (
                name,
                f"{score.support[name]:,}",
                percent(score.per_class[name]),
                [cells.get(name, "-") for cells in columns.values()],
            )
            for name in names
        ],
        many=len(names) > MAX_CLASSES,
        reliability=responsive(reliability_plot(labels) if labels is not None and labels.reliability else None),
        confused=[] if labels is None else [(one, _tiles(one, found.dataset)) for one in labels.confused],
        curves=responsive(None if boxes is None else recall_plot(boxes)),
        threshold="" if boxes is None else "that of its class" if boxes.class_thresholds else f"{boxes.threshold:g}",
        errors=[] if boxes is None else [(error_cells(one), round(100 * max(one.cost.value, 0.0))) for one in boxes.errors],
        seed=found.seed,
    )


def reliability_plot(detail: LabelDetail) -> Callable[[float], str]:
    """Accuracy against score, for a page of any width."""
    bins = detail.reliability
    band = tuple(
        None if one.accuracy.interval is None else (100 * one.accuracy.interval.low, 100 * one.accuracy.interval.high)
        for one in bins
    )
    series = [
        CurveSeries("accuracy", tuple(100 * one.score for one in bins), tuple(100 * one.accuracy.value for one in bins), band),
        CurveSeries("as sure as right", (0.0, 100.0), (0.0, 100.0)),
    ]
    axes = CurveAxes("score in %", "accuracy in %")
    return lambda width: curve_plot(series, width, TALL if width == WIDE else LOW, axes)


def recall_plot(detail: BoxDetail) -> Callable[[float], str]:
    """Precision against recall of the classes with most objects, for a page of any width."""
    names = sorted(detail.curves, key=lambda name: -detail.support[name])
    recall = tuple((100 * RECALL_LEVELS[::STEP]).tolist())
    series = [
        CurveSeries(name, recall, tuple(100 * value for value in detail.curves[name].precision[::STEP]))
        for name in names[:CURVES]
    ]
    axes = CurveAxes("recall in %", "precision in %")
    return lambda width: curve_plot(series, width, TALL if width == WIDE else LOW, axes)


def _tiles(pair: ConfusedPair, dataset: Dataset) -> list[SheetTile]:
    """The images of a pair that can be read."""
    tiles: list[SheetTile] = []
    for index, name in zip(pair.images, pair.names, strict=True):
        try:
            tiles.append(sheet_tile(_small(dataset.samples[index].read()), name))
        except InputError:
            continue
    return tiles


def _small(image: Image) -> Image:
    factor = TILE / max(image.shape[:2])
    size = max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1)
    resized: Any = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST)
    return np.asarray(resized, np.uint8)
