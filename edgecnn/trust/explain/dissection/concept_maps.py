"""Which concepts an image shows where, on a grid over the network's input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.card import Preprocess
from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.preprocess import geometry
from edgecnn.scene.pixel_concepts import OBJECT, PART, TEXTURE
from edgecnn.trust.colours import COLOURS, colour_map
from edgecnn.trust.shortcuts.subject import subject
from edgecnn.types import Boxes, Image

COLOUR = "colour"
KINDS = (COLOUR, TEXTURE, PART, OBJECT)
LONGEST = 112  # cells of the longer side of the grid, as many as the concepts of the paper have
Labels: TypeAlias = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class ConceptImage:
    """``image`` (h, w, 3) uint8 BGR of the size of the network's input, and for each kind the concepts on a grid (H, W) uint16.

    A map has 0 for no concept, else the place of its name + 1. ``content`` (H, W) bool is the part without the padding of a letterbox,
    which is ``part`` (left, top, right, bottom) of the image.
    """

    image: Image
    maps: Mapping[str, Labels]
    content: NDArray[np.bool_]
    part: tuple[int, int, int, int]


class ConceptReader:
    """Reads the images of a dataset with their concepts; ``names`` has those of each kind.

    Where what renders the images knows textures, parts and objects, it says so; other datasets have the classes of boxes as objects,
    those without boxes only colours, which are those of the pixels. Raises ``InputError`` for a dataset without an image.
    """

    def __init__(self, dataset: Dataset, preprocess: Preprocess) -> None:
        if not len(dataset):
            raise InputError(f"{dataset.name} has no image", "name another dataset")
        self._preprocess = preprocess
        height, width = preprocess.size
        factor = min(LONGEST / max(height, width), 1.0)
        self.grid = (max(round(height * factor), 1), max(round(width * factor), 1))
        first = dataset.samples[0]
        others = (
            first.concepts().names if first.concepts is not None else {OBJECT: dataset.labels} if first.boxes is not None else {}
        )
        self.names: Mapping[str, tuple[str, ...]] = {COLOUR: COLOURS, **others}

    def __call__(self, sample: Sample) -> ConceptImage:
        """The image of a sample with its concepts; raises ``InputError`` where it can't be read."""
        image = sample.read()
        shown = subject(sample, image, self._preprocess)
        rows, columns = source_cells(self._preprocess, image, self.grid)
        content = (rows >= 0)[:, None] & (columns >= 0)[None]
        small = cv2.resize(shown.image, self.grid[::-1], interpolation=cv2.INTER_AREA)
        maps: dict[str, Labels] = {COLOUR: np.where(content, colour_map(np.asarray(small, np.uint8)) + 1, 0).astype(np.uint16)}
        if sample.concepts is not None:
            known = sample.concepts()
            for kind, pixels in known.maps.items():
                maps[kind] = np.where(content, pixels[rows][:, columns], 0).astype(np.uint16)
        elif OBJECT in self.names:
            maps[OBJECT] = np.where(content, self._classes(shown.sample.boxes), 0).astype(np.uint16)
        return ConceptImage(shown.image, maps, content, shown.content)

    def _classes(self, boxes: Boxes | None) -> Labels:
        """The class + 1 of the smallest box over each cell."""
        found = np.zeros(self.grid, np.uint16)
        if boxes is None:
            return found
        scale = np.array(self.grid[::-1], np.float64) / self._preprocess.size[::-1]
        counted = np.ones(len(boxes), np.bool_) if boxes.crowd is None else ~boxes.crowd
        xyxy = boxes.xyxy * np.tile(scale, 2)
        areas = (xyxy[:, 2:] - xyxy[:, :2]).prod(1)
        for index in np.argsort(-areas, kind="stable"):
            if counted[index]:
                # the cells whose centre lies in the box
                left, top, right, bottom = np.ceil(xyxy[index] - 0.5).astype(np.int64).clip(0)
                found[top:bottom, left:right] = boxes.class_id[index] + 1
        return found


def source_cells(preprocess: Preprocess, image: Image, grid: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of the image at the centre of each row and column of a grid over the network's input, -1 where it has none."""
    place = geometry(preprocess, image.shape[1], image.shape[0])
    offsets, scales = (place.offset_y, place.offset_x), (place.scale_y, place.scale_x)
    found = []
    for cells, side, offset, scale, length in zip(grid, preprocess.size, offsets, scales, image.shape[:2], strict=True):
        at = np.floor(((np.arange(cells) + 0.5) * side / cells - offset) / scale).astype(np.int64)
        found.append(np.where((at >= 0) & (at < length), at, -1))
    return found[0], found[1]
