"""Pictures of a dataset with their labels drawn, as JPEG data for a page."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.data.check.dataset import DatasetCheck, Place
from edgecnn.data.check.text import odd_line
from edgecnn.data.sample import Sample
from edgecnn.errors import InputError
from edgecnn.rotated import from_corners
from edgecnn.runtime.draw.captions import class_color
from edgecnn.runtime.draw.painter import draw
from edgecnn.types import Boxes, Detections, Image

MOST_PICTURES = 120  # of all classes together
PER_CLASS = 6
WIDTH = 404  # pixels; drawn in twice this size where the image is large, so that captions stay sharp
LONGEST, SHORTEST = 840, 320
QUALITY = 82
LOOKED_AT = 5000  # images of a part, at random, among which those of each class are chosen
MOST_CAPTIONS = 25  # with more boxes in an image the captions hide the objects: then only the boxes are drawn
CLOSE_UP = 3.0  # a box to look at is shown with so much around it


@dataclass(frozen=True, slots=True)
class SheetTile:
    """A data URI with its size in the page, and the words under it."""

    uri: str
    width: int
    height: int
    words: str


def class_pictures(check: DatasetCheck, seed: int = 0) -> list[tuple[str, list[SheetTile]]]:
    """A few images of each class with all their boxes, by class, chosen at random; of classes without images there are none."""
    random = np.random.default_rng(seed)
    places: dict[int, list[Place]] = defaultdict(list)
    taken: Counter[tuple[int, int]] = Counter()
    for number, part in enumerate(check.parts):
        for index in random.permutation(len(part.dataset))[:LOOKED_AT].tolist():
            for class_id in _classes(part.dataset.samples[index]):
                taken[number, class_id] += 1
                if taken[number, class_id] <= PER_CLASS:
                    places[class_id].append(Place(number, index))
    count = max(min(PER_CLASS, MOST_PICTURES // max(len(places), 1)), 1)
    found = []
    for class_id in sorted(places)[:MOST_PICTURES]:
        chosen = [places[class_id][index] for index in random.permutation(len(places[class_id]))[:count]]
        name = check.labels[class_id] if check.labels and class_id >= 0 else "images"
        found.append((name, [picture for place in chosen if (picture := _whole(check, place))]))
    return [(name, pictures) for name, pictures in found if pictures]


def odd_pictures(check: DatasetCheck, most: int = 12) -> list[SheetTile]:
    """Close-ups of boxes to look at, each kind in turn."""
    kinds = defaultdict(list)
    for one in check.odd:
        kinds[one.kind].append(one)
    chosen = [row[turn] for turn in range(most) for row in kinds.values() if turn < len(row)][:most]
    found = []
    for one in chosen:
        boxes = check.sample(one.place).boxes
        image = _read(check, one.place)
        if image is None or boxes is None:
            continue
        found.append(sheet_tile(_close_up(image, boxes, one.box, check.labels), odd_line(check, one)))
    return found


def copy_pictures(check: DatasetCheck, most: int = 8) -> list[list[SheetTile]]:
    """Images that occur more than once, beside each other: copies in several splits and with other labels first."""
    ordered = dict.fromkeys([*check.leaks, *check.conflicts, *check.near_copies, *check.copies])
    rows = ([_whole(check, place) for place in places[:2]] for places in list(ordered)[:most])
    return [[picture for picture in row if picture] for row in rows]


def _classes(sample: Sample) -> set[int]:
    """The classes of an image; -1 where it has neither boxes nor a label."""
    return set(sample.classes) or {-1}


def _read(check: DatasetCheck, place: Place) -> Image | None:
    try:
        return check.sample(place).read()
    except InputError:
        return None


def _whole(check: DatasetCheck, place: Place) -> SheetTile | None:
    """The whole image with its boxes, or under it its label."""
    image, sample = _read(check, place), check.sample(place)
    if image is None:
        return None
    words = check.shown(place)
    if sample.boxes is None:
        own = ", ".join(check.labels[index] for index in sorted(sample.classes)) or (
            "" if sample.value is None else f"{sample.value:g}"
        )
        return sheet_tile(to_tile_size(image)[0], f"{own}: {words}" if own else words)
    scaled, factor = to_tile_size(image)
    captions = len(sample.boxes) <= MOST_CAPTIONS
    return sheet_tile(_drawn(scaled, sample.boxes, (0, 0), factor, check.labels, captions), words)


def _drawn(image: Image, boxes: Boxes, corner: tuple[int, int], factor: float, labels: Sequence[str], captions: bool) -> Image:
    """The boxes in an image that begins at ``corner`` and was enlarged by ``factor``."""
    start = np.array(corner, np.float32)
    xyxy = ((boxes.xyxy - np.tile(start, 2)) * factor).astype(np.float32)
    turned = None if boxes.corners is None else from_corners((boxes.corners - start) * factor)
    truth = Detections(xyxy, np.full(len(xyxy), np.nan, np.float32), boxes.class_id, xywhr=turned)
    return draw(image, truth, labels, captions=captions)


def to_tile_size(image: Image, longest: int = LONGEST) -> tuple[Image, float]:
    """The image with a longer side of ``SHORTEST`` to ``longest`` pixels, and the factor."""
    longer = max(image.shape[:2])
    factor = min(longest / longer, 1.0) if longer > SHORTEST else SHORTEST / longer
    if factor == 1.0:
        return image, factor
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST if longer < SHORTEST / 4 else cv2.INTER_LINEAR
    size = max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1)
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8), factor


def _close_up(image: Image, boxes: Boxes, index: int, labels: Sequence[str]) -> Image:
    """The surroundings of one box, with it drawn."""
    x1, y1, x2, y2 = boxes.xyxy[index].tolist()
    reach = max(CLOSE_UP * max(x2 - x1, y2 - y1) / 2, 24.0)
    left, top = (max(int(centre - reach), 0) for centre in ((x1 + x2) / 2, (y1 + y2) / 2))
    part = np.ascontiguousarray(image[top : int((y1 + y2) / 2 + reach) + 1, left : int((x1 + x2) / 2 + reach) + 1])
    scaled, factor = to_tile_size(part)
    one = boxes.pick(np.array([index]))
    return _drawn(scaled, one, (left, top), factor, labels, captions=True)


def sheet_tile(image: Image, words: str) -> SheetTile:
    """The image as a tile of a page, with ``words`` under it."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise InputError("an image can't be written as JPEG", "free some memory")
    height, width = image.shape[:2]
    shown = min(width, WIDTH)
    uri = f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
    return SheetTile(uri, shown, round(height * shown / width), words)


def legend(check: DatasetCheck) -> Iterator[tuple[str, str]]:
    """Name and CSS colour of each class with boxes."""
    used = sorted({class_id for part in check.parts for class_id in part.class_boxes})
    for class_id in used:
        blue, green, red = class_color(class_id)
        yield check.labels[class_id], f"rgb({red}, {green}, {blue})"
