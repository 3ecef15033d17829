"""Keeps the predictions of a detector for the images of a dataset in a COCO .json file, whose annotations also have a score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.data.sample import Sample
from edgecnn.errors import InputError
from edgecnn.files import write_error, write_file
from edgecnn.json_text import dump_json
from edgecnn.types import Array, Detections


class PredictionCache:
    """Predictions by image name, in the file ``path`` or, without one, in memory.

    ``key`` names the predictor and ``classes`` its classes as those of the dataset with ``labels``; scores are at least ``lower``. A file
    of another predictor, of other classes or of a higher ``lower`` is ignored and written again.
    """

    def __init__(self, path: Path | None, key: str, classes: dict[int, int], lower: float, labels: tuple[str, ...]) -> None:
        self._path, self._labels = path, labels
        self._info = {"key": key, "lower": lower, "classes": {str(own): wanted for own, wanted in sorted(classes.items())}}
        self._found = _read(path, self._info) if path is not None and path.is_file() else {}
        self._changed = False

    def get(self, sample: Sample) -> Detections | None:
        """The kept predictions for an image."""
        return self._found.get(sample.name)

    def add(self, sample: Sample, found: Detections) -> None:
        """Keep predictions, in classes of the dataset."""
        self._found[sample.name] = found
        self._changed = True

    def write(self) -> None:
        """Write the file atomically if predictions were added; raises ``InputError``."""
        if self._path is None or not self._changed:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self._path, error) from error
        write_file(self._path, dump_json(self._record()))

    def _record(self) -> dict[str, Any]:
        rows = [(number, *row) for number, found in enumerate(self._found.values(), 1) for row in _rows(found)]
        return {
            "info": self._info,
            "images": [{"id": number, "file_name": name} for number, name in enumerate(self._found, 1)],
            "categories": [{"id": number, "name": name} for number, name in enumerate(self._labels)],
            "annotations": [
                {"id": number, "image_id": image, "category_id": class_id, "bbox": bbox, "score": score}
                for number, (image, class_id, score, bbox) in enumerate(rows, 1)
            ],
        }


def _rows(found: Detections) -> list[tuple[int, float, list[float]]]:
    sizes = np.concatenate([found.xyxy[:, :2], found.xyxy[:, 2:] - found.xyxy[:, :2]], 1)
    # two decimals of a pixel and four of a score keep the JSON small
    numbers: Array = np.round(sizes.astype(np.float64), 2)
    scores = np.round(found.score.astype(np.float64), 4)
    return list(zip(found.class_id.tolist(), scores.tolist(), numbers.tolist(), strict=True))


def _fits(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    # predictions from a lower score on hold those from a higher one on
    return {**found, "lower": 0} == {**wanted, "lower": 0} and float(found["lower"]) <= wanted["lower"]


def _read(path: Path, info: dict[str, Any]) -> dict[str, Detections]:
    """Boxes by image name; {} if the file is of another predictor or other classes. Raises ``InputError`` for a broken file."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not _fits(record["info"], info):
            return {}
        names = {image["id"]: image["file_name"] for image in record["images"]}
        rows: dict[str, list[Any]] = {name: [] for name in names.values()}
        for one in record["annotations"]:
            x, y, w, h = one["bbox"]
            rows[names[one["image_id"]]].append(((x, y, x + w, y + h), one["score"], one["category_id"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the pseudo-labels {path} can't be read ({error})", "delete the file, it will be made again") from error
    return {name: _detections(found) for name, found in rows.items()}


def _detections(rows: list[Any]) -> Detections:
    xyxy = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return Detections(xyxy, np.array([row[1] for row in rows], np.float32), np.array([row[2] for row in rows], np.int64))
