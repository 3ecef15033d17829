"""Keeps frames of a drift that are worth labelling, with what the model said of them as a first label, as a COCO dataset."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgecnn.errors import InputError
from edgecnn.files import write_error, write_file
from edgecnn.frame_choice import FrameChoice, KeptFrame
from edgecnn.images.header import UnreadableImage
from edgecnn.images.reader import decode_image
from edgecnn.images.writer import encode_image
from edgecnn.json_text import dump_json
from edgecnn.reference_profile.image_measures import measure_image
from edgecnn.runtime.sinks.wall_clock import file_stamp
from edgecnn.tasks import for_prediction
from edgecnn.trust.drift.frame_place import ALIKE, place_of
from edgecnn.trust.drift.step import DriftEvidence
from edgecnn.types import Result

ANNOTATIONS = "annotations.json"
_QUALITY = (1, 95)  # cv2.IMWRITE_JPEG_QUALITY
Record = dict[str, Any]


class EvidenceSource(Protocol):
    """Says what a frame shows of a drift."""

    def take_evidence(self, index: int) -> DriftEvidence | None:
        """The evidence of frame ``index``, once; None for a frame without any."""
        ...


class DriftFramesSink:
    """Writes frames of a drift as .jpg into ``folder``, with ``annotations.json``: a COCO dataset of boxes, each with its score.

    At most ``most`` images of ``most_bytes`` in all; one that looks like another takes its place (``FrameChoice``), also of those that an
    earlier run kept. Each image says in "drift" what was found, in "positions" where it lies in the reference, and in "said" what a
    model without boxes said. Raises ``InputError`` where the folder can't be written, or holds an annotations.json of another program.
    """

    def __init__(self, folder: Path, source: EvidenceSource, labels: Sequence[str], *, most: int, most_bytes: int) -> None:
        self.folder, self._source, self._labels = folder, source, labels
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
        self._images, self._boxes = self._earlier()
        known = [_earlier_frame(folder / name, image) for name, image in self._images.items()]
        self._choice = FrameChoice(most, most_bytes, known, alike=ALIKE)

    def write(self, result: Result) -> None:
        """Keep the frame of a result, if it is worth it."""
        evidence = self._source.take_evidence(result.frame.index)
        if evidence is None or not self._choice.wants(evidence.at, evidence.place):
            return
        content = encode_image(result.frame.image, ".jpg", _QUALITY)
        farthest = evidence.findings[0].measure.replace(" ", "-")
        name = f"{file_stamp(result.frame.captured_at)}_{result.frame.index}_{farthest}.jpg"
        frame = KeptFrame(name, evidence.at, evidence.place, len(content))
        gone = self._choice.room_for(frame)
        images = {other: image for other, image in self._images.items() if other not in gone}
        boxes = {other: found for other, found in self._boxes.items() if other not in gone}
        images[name], boxes[name] = self._image(name, result, evidence), self._annotations(result)
        write_file(self.folder / name, content)
        try:
            # the document before others are deleted: it never names an image that is not there
            self._write_document(images, boxes)
        except InputError:  # a full disk: all stays as it was
            (self.folder / name).unlink(missing_ok=True)
            raise
        self._images, self._boxes = images, boxes
        self._choice.add(frame)
        for other in gone:
            (self.folder / other).unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing: each file is complete when it is written."""

    def _image(self, name: str, result: Result, evidence: DriftEvidence) -> Record:
        height, width = result.frame.image.shape[:2]
        found: Record = {
            "file_name": name,
            "width": width,
            "height": height,
            "camera": result.camera,
            "frame": result.frame.index,
        }
        found |= {"drift": [one.record(evidence.at) for one in evidence.findings], "positions": evidence.positions}
        if for_prediction(result.prediction).has_boxes:
            return found
        return found | {"said": for_prediction(result.prediction).record(result.prediction, self._labels)}

    def _annotations(self, result: Result) -> list[Record]:
        task = for_prediction(result.prediction)
        rows = task.record(result.prediction, self._labels)["detections"] if task.has_boxes else []
        return [_annotation(row["xyxy"], row["score"], row["class_id"]) for row in rows]

    def _write_document(self, known: Mapping[str, Record], boxes: Mapping[str, Sequence[Record]]) -> None:
        images, annotations = [], []
        for number, (name, image) in enumerate(known.items(), 1):
            images.append({"id": number, **image})
            annotations += [{**box, "image_id": number} for box in boxes.get(name, ())]
        document = {
            "info": {"description": "frames of a drift kept by edgecnn run; the boxes are what the model said, not the truth"},
            "images": images,
            "annotations": [{"id": number, **box} for number, box in enumerate(annotations, 1)],
            "categories": [{"id": number, "name": name} for number, name in enumerate(self._labels, 1)],
        }
        write_file(self.folder / ANNOTATIONS, dump_json(document, indent=1))

    def _earlier(self) -> tuple[dict[str, Record], dict[str, list[Record]]]:
        """Images and their boxes that an earlier run kept here; without those that were taken away since."""
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
            boxes: dict[str, list[Record]] = {name: [] for name in images}
            for row in document["annotations"]:
                boxes[names[row["image_id"]]].append({key: value for key, value in row.items() if key not in ("id", "image_id")})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"--drift-frames: {path} is not one of edgecnn run", "name another folder") from error
        there = [name for name in images if (self.folder / name).is_file()]
        return {name: images[name] for name in there}, {name: boxes[name] for name in there}


def _annotation(box: Sequence[float], score: float, class_id: int) -> Record:
    left, top, right, bottom = box
    bbox = [round(edge, 2) for edge in (left, top, right - left, bottom - top)]
    return {
        "category_id": class_id + 1,
        "bbox": bbox,
        "area": round(bbox[2] * bbox[3], 2),
        "iscrowd": 0,
        "score": round(score, 4),
    }


def _earlier_frame(path: Path, record: Record) -> KeptFrame:
    """A frame of an earlier run, compared by its picture and what the record says of it."""
    size = path.stat().st_size if path.exists() else 0
    try:
        measured = measure_image(decode_image(path.read_bytes()))
        place = place_of(measured.thumbnail, measured.values["contrast"], record["positions"])
    except (OSError, UnreadableImage, KeyError, TypeError, ValueError):
        place = np.empty(0, np.float32)
    return KeptFrame(path.name, -math.inf, place, size)
