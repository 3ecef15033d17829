"""Pseudo-labels (Lee 2013): a detector adds boxes of the classes that a dataset does not label."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.files import write_error, write_file
from edgecnn.json_text import dump_json
from edgecnn.labels import normalize
from edgecnn.metrics.match import iou_matrix
from edgecnn.tasks import find
from edgecnn.types import Array, Boxes, Detections, Image

SAME_OBJECT_IOU = 0.5  # the usual threshold for a match, as in AP50
Predict = Callable[[Image], Detections]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class PseudoLabeler:
    """A detector that labels images, with its class names as in the dataset, its file name and SHA-256.

    Boxes with a score of at least ``threshold`` become objects; those from ``lower`` up to it become crowd boxes, which training
    ignores because they are uncertain.
    """

    predict: Predict
    labels: tuple[str, ...]
    name: str
    sha256: str = ""
    threshold: float = 0.5
    lower: float = 0.2

    def classes(self, labels: Sequence[str]) -> dict[int, int]:
        """Map the detector's class ids to the ids of the same names in ``labels``; raises ``InputError`` if no name matches."""
        ids = {normalize(name): index for index, name in enumerate(labels)}
        found = {index: ids[normalize(name)] for index, name in enumerate(self.labels) if normalize(name) in ids}
        if not found:
            raise InputError(
                f"the teacher {self.name} knows none of {', '.join(labels)}, but {', '.join(self.labels)}",
                "map them with rename=",
            )
        return found


@dataclass(frozen=True, slots=True, eq=False)
class PseudoLabelled:
    """A dataset with pseudo-labels: ``boxes`` objects and ``ignored`` crowd boxes were added by class name, in ``images`` images."""

    dataset: Dataset
    boxes: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)
    images: int = 0


def pseudo_label(
    dataset: Dataset,
    predict: Predict,
    classes: Mapping[int, int],
    threshold: float,
    *,
    lower: float | None = None,
    cache: Path | None = None,
    key: str = "",
    progress: Progress | None = None,
) -> PseudoLabelled:
    """Add the boxes that ``predict`` finds of the classes that are not labelled in an image.

    ``classes`` maps classes of the predictor to classes of the dataset; others are left out. A box with an IoU of at least 0.5 with
    a true box of its class is the same object. ``cache`` is a COCO .json file with predictions; it is ignored and written again if it
    is of another predictor (``key``), threshold ``lower`` or other classes.
    Raises ``ValueError`` for thresholds that are not 0 < lower <= threshold <= 1, ``InputError`` for a dataset without boxes.
    """
    lower = threshold if lower is None else lower
    if not 0 < lower <= threshold <= 1:
        raise ValueError(f"lower {lower} and threshold {threshold} are not 0 < lower <= threshold <= 1")
    if not find(dataset.task).has_boxes:
        raise InputError(f"pseudo-labels need a dataset of boxes, but {dataset.name} is one to {dataset.task}", "name another")
    info = {"key": key, "lower": lower, "classes": {str(own): wanted for own, wanted in sorted(classes.items())}}
    found = _Cache(cache, info, dataset.labels)
    filled = frozenset(classes.values())
    samples = []
    for index, sample in enumerate(dataset.samples):
        wanted = sample.unlabelled & filled
        samples.append(_fill(sample, found.get(sample, predict, classes, lower), wanted, threshold) if wanted else sample)
        if progress is not None:
            progress(index + 1, len(dataset))
    found.write()
    return _counted(dataset, samples, filled)


def _fill(sample: Sample, found: Detections, wanted: frozenset[int], threshold: float) -> Sample:
    assert sample.boxes is not None
    true = sample.boxes
    # boxes of other classes may overlap: only a true box of the same class is the same object
    overlap = iou_matrix(found.xyxy, true.xyxy) * (found.class_id[:, None] == true.class_id[None])
    new = found[np.isin(found.class_id, list(wanted)) & (overlap.max(1, initial=0) < SAME_OBJECT_IOU)]
    crowd = np.zeros(len(true), np.bool_) if true.crowd is None else true.crowd
    boxes = Boxes(
        np.concatenate([true.xyxy, new.xyxy]).astype(np.float32),
        np.concatenate([true.class_id, new.class_id]),
        # uncertain boxes become crowds: the loss ignores these regions, as the object may be real or not
        crowd=np.concatenate([crowd, new.score < threshold]),
    )
    return dataclasses.replace(sample, boxes=boxes, unlabelled=sample.unlabelled - wanted)


def _counted(dataset: Dataset, samples: list[Sample], filled: frozenset[int]) -> PseudoLabelled:
    boxes, ignored, images = dict.fromkeys(sorted(filled), 0), dict.fromkeys(sorted(filled), 0), 0
    for before, after in zip(dataset.samples, samples, strict=True):
        if after.unlabelled == before.unlabelled or after.boxes is None or before.boxes is None:
            continue
        images += 1
        added = after.boxes.pick(np.arange(len(before.boxes), len(after.boxes)))
        assert added.crowd is not None
        for class_id, is_crowd in zip(added.class_id.tolist(), added.crowd.tolist(), strict=True):
            (ignored if is_crowd else boxes)[class_id] += 1
    named = [{dataset.labels[index]: count for index, count in counts.items()} for counts in (boxes, ignored)]
    whole = dataclasses.replace(dataset, samples=samples, unlabelled=dataset.unlabelled - filled)
    return PseudoLabelled(whole, named[0], named[1], images)


class _Cache:
    """A cache of predictions by image name, stored as a COCO .json file whose annotations also have a score."""

    def __init__(self, path: Path | None, info: dict[str, Any], labels: tuple[str, ...]) -> None:
        self._path, self._info, self._labels = path, info, labels
        self._found = _read(path, info) if path is not None and path.is_file() else {}
        self._changed = False

    def get(self, sample: Sample, predict: Predict, classes: Mapping[int, int], lower: float) -> Detections:
        """Boxes of the dataset's classes with a score of at least ``lower``, predicted if they are not cached."""
        if sample.name not in self._found:
            self._found[sample.name] = _known(predict(sample.read()), classes, lower)
            self._changed = True
        return self._found[sample.name]

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


def _known(found: Detections, classes: Mapping[int, int], lower: float) -> Detections:
    ids = np.array([classes.get(int(class_id), -1) for class_id in found.class_id], np.int64)
    kept = (ids >= 0) & (found.score >= lower)
    return Detections(found.xyxy[kept], found.score[kept], ids[kept])


def _rows(found: Detections) -> list[tuple[int, float, list[float]]]:
    sizes = np.concatenate([found.xyxy[:, :2], found.xyxy[:, 2:] - found.xyxy[:, :2]], 1)
    # two decimals of a pixel and four of a score keep the JSON small
    numbers: Array = np.round(sizes.astype(np.float64), 2)
    scores = np.round(found.score.astype(np.float64), 4)
    return list(zip(found.class_id.tolist(), scores.tolist(), numbers.tolist(), strict=True))


def _read(path: Path, info: dict[str, Any]) -> dict[str, Detections]:
    """Boxes by image name; {} if the file is of another predictor or other classes. Raises ``InputError`` for a broken file."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["info"] != info:
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
