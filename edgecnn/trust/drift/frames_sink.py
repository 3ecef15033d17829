"""Keeps frames of a drift that are worth labelling, with what the model said of them as a first label, as a COCO dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgecnn.errors import InputError
from edgecnn.files import write_error, write_file
from edgecnn.frame_choice import FrameChoice, KeptFrame
from edgecnn.images.writer import encode_image
from edgecnn.json_text import dump_json
from edgecnn.runtime.sinks.wall_clock import file_stamp
from edgecnn.tasks import for_prediction
from edgecnn.trust.drift.step import DriftEvidence
from edgecnn.types import Result

ANNOTATIONS = "annotations.json"
_QUALITY = (1, 95)  # cv2.IMWRITE_JPEG_QUALITY


class EvidenceSource(Protocol):
    """Says what a frame shows of a drift."""

    def take_evidence(self, index: int) -> DriftEvidence | None:
        """The evidence of frame ``index``, once; None for a frame without any."""
        ...


class DriftFramesSink:
    """Writes frames of a drift as .jpg into ``folder``, with ``annotations.json``: a COCO dataset of boxes, each with its score.

    At most ``most`` images of ``most_bytes`` in all; one that looks like another takes its place (``FrameChoice``). Each image says
    in "drift" what was found, and in "said" what a model without boxes said. Raises ``InputError`` where the folder can't be written,
    or holds an annotations.json of another program.
    """

    def __init__(self, folder: Path, source: EvidenceSource, labels: Sequence[str], *, most: int, most_bytes: int) -> None:
        self.folder, self._source, self._labels = folder, source, labels
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
        self._images, self._boxes = self._earlier()
        known = [KeptFrame(name, 0.0, np.empty(0, np.float32), _size(folder / name)) for name in self._images]
        self._choice = FrameChoice(most, most_bytes, known)

    def write(self, result: Result) -> None:
        """Keep the frame of a result, if it is worth it."""
        evidence = self._source.take_evidence(result.frame.index)
        if evidence is None or not self._choice.wants(evidence.at, evidence.place):
            return
        content = encode_image(result.frame.image, ".jpg", _QUALITY)
        name = f"{file_stamp(result.frame.captured_at)}_{result.frame.index}.jpg"
        write_file(self.folder / name, content)
        self._images[name] = self._image(name, result, evidence)
        self._boxes[name] = self._annotations(result)
        gone = self._choice.add(KeptFrame(name, evidence.at, evidence.place, len(content)))
        for other in gone:
            del self._images[other]
            self._boxes.pop(other, None)
        # the document first: it never names an image that is not there
        self._write_document()
        for other in gone:
            (self.folder / other).unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing: each file is complete when it is written."""

    def _image(self, name: str, result: Result, evidence: DriftEvidence) -> dict[str, Any]:
        height, width = result.frame.image.shape[:2]
        found: dict[str, Any] = {"file_name": name, "width": width, "height": height, "camera": result.camera}
        found |= {"frame": result.frame.index, "drift": [one.record(evidence.at) for one in evidence.findings]}
        if for_prediction(result.prediction).has_boxes:
            return found
        return found | {"said": for_prediction(result.prediction).record(result.prediction, self._labels)}

    def _annotations(self, result: Result) -> list[dict[str, Any]]:
        task = for_prediction(result.prediction)
        rows = task.record(result.prediction, self._labels)["detections"] if task.has_boxes else []
        return [_annotation(row["xyxy"], row["score"], row["class_id"]) for row in rows]

    def _write_document(self) -> None:
        images, annotations = [], []
        for number, (name, image) in enumerate(self._images.items(), 1):
            images.append({"id": number, **image})
            annotations += [{**box, "image_id": number} for box in self._boxes.get(name, ())]
        document = {
            "info": {"description": "frames of a drift kept by edgecnn run; the boxes are what the model said, not the truth"},
            "images": images,
            "annotations": [{"id": number, **box} for number, box in enumerate(annotations, 1)],
            "categories": [{"id": number, "name": name} for number, name in enumerate(self._labels, 1)],
        }
        write_file(self.folder / ANNOTATIONS, dump_json(document, indent=1))

    def _earlier(self) -> tuple[dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]]]:
        """Images and their boxes that an earlier run kept here."""
        path = self.folder / ANNOTATIONS
        if not path.exists():
            return {}, {}
        try:
            document = json.loads(path.read_text())
            if "drift" not in document["info"]["description"]:
                raise ValueError("it is of another program")
            names = {image["id"]: image["file_name"] for image in document["images"]}
            images = {
                image["file_name"]: {key: value for key, value in image.items() if key != "id"} for image in document["images"]
            }
            boxes: dict[str, list[dict[str, Any]]] = {name: [] for name in images}
            for row in document["annotations"]:
                boxes[names[row["image_id"]]].append({key: value for key, value in row.items() if key not in ("id", "image_id")})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"--drift-frames: {path} is not one of edgecnn run", "name another folder") from error
        return images, boxes


def _annotation(box: Sequence[float], score: float, class_id: int) -> dict[str, Any]:
    left, top, right, bottom = box
    bbox = [round(edge, 2) for edge in (left, top, right - left, bottom - top)]
    return {
        "category_id": class_id + 1,
        "bbox": bbox,
        "area": round(bbox[2] * bbox[3], 2),
        "iscrowd": 0,
        "score": round(score, 4),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
