"""Makes the COCO document (https://cocodataset.org/#format-data) of images and their boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import edgecnn
from edgecnn.data.formats.coco_record import OPEN
from edgecnn.data.sample import Dataset, Sample

DECIMALS = 2  # of a pixel


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A sample whose image was written as ``file_name``; ``original`` and ``size`` are (width, height) before and after scaling."""

    sample: Sample
    file_name: str
    original: tuple[int, int]
    size: tuple[int, int]


def coco_record(images: Sequence[Written], labels: Sequence[str], sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The document: boxes in pixels of the written images, ignored ones with iscrowd 1, category ids from 1.

    Classes that are not labelled in an image are its ``not_exhaustive_category_ids``, as in LVIS (Gupta et al. 2019, arXiv:1908.03195).
    """
    rows = [row for number, one in enumerate(images, 1) for row in _annotations(one, number)]
    return {
        "info": {"description": "written by edgecnn data convert", "version": edgecnn.__version__, "sources": list(sources)},
        "licenses": [],
        "images": [_image(one, number) for number, one in enumerate(images, 1)],
        "annotations": [{"id": number, **row} for number, row in enumerate(rows, 1)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(labels, 1)],
    }


def count_boxes(dataset: Dataset) -> dict[str, Any]:
    """The boxes and the ignored boxes of each class that is labelled in some image."""
    found, ignored = Counter[int](), Counter[int]()
    for sample in dataset.samples:
        if sample.boxes is not None:
            crowd = sample.boxes.crowd
            for index, class_id in enumerate(sample.boxes.class_id.tolist()):
                (ignored if crowd is not None and crowd[index] else found)[class_id] += 1
    names = {index: name for index, name in enumerate(dataset.labels) if index not in dataset.unlabelled}
    return {
        "boxes": {name: found[index] for index, name in names.items()},
        "ignored": {name: ignored[index] for index, name in names.items() if ignored[index]},
    }


def _image(one: Written, number: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": number, "file_name": one.file_name, "width": one.size[0], "height": one.size[1]}
    unlabelled = sorted(class_id + 1 for class_id in one.sample.unlabelled)
    return entry | ({OPEN: unlabelled} if unlabelled else {})


def _annotations(one: Written, image: int) -> Iterator[dict[str, Any]]:
    """The boxes of an image, rotated ones with a polygon of four points; one equal to an earlier one after rounding is written once."""
    boxes = one.sample.boxes
    if boxes is None:
        return
    across, down = one.size[0] / one.original[0], one.size[1] / one.original[1]
    seen = set()
    for index, corners in enumerate(boxes.xyxy.astype(float).tolist()):
        x1, y1, x2, y2 = (value * scale for value, scale in zip(corners, (across, down) * 2, strict=True))
        bbox = [round(value, DECIMALS) for value in (x1, y1, x2 - x1, y2 - y1)]
        crowd = int(boxes.crowd is not None and boxes.crowd[index])
        category = int(boxes.class_id[index]) + 1
        if min(bbox[2:]) <= 0 or (key := (category, crowd, *bbox)) in seen:
            continue
        seen.add(key)
        area = bbox[2] * bbox[3] if boxes.area is None else float(boxes.area[index]) * across * down
        row = {"image_id": image, "category_id": category, "bbox": bbox, "area": round(area, DECIMALS), "iscrowd": crowd}
        if boxes.corners is not None:
            polygon = (boxes.corners[index].astype(float) * (across, down)).round(DECIMALS).reshape(-1).tolist()
            row["segmentation"] = [polygon]
        yield row
