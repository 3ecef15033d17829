"""What a frame of the scene really shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgecnn.types import Array, Boxes, Float32, Image

LEAST_VISIBLE = 0.25
LEAST_SIDE = 6


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The true boxes of a frame, and of each box how much of its thing can be seen.

    A box encloses the pixels that show the thing: what others hide and what lies outside the picture does not count. A thing
    of which no pixel shows has no box. ``boxes.identity`` stays the same during a cut and never returns in another cut.
    ``boxes.crowd`` marks what is not to be judged: less than LEAST_VISIBLE of it shows, or a side is under LEAST_SIDE pixels.
    ``visible`` (n,) float32 is the share of the thing's own pixels that show, the part outside the picture counted as hidden.
    ``handle_visible`` (n,) float32 is the share of a mug's handle that shows; 0 where there is none.
    """

    boxes: Boxes
    visible: Float32
    handle_visible: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """A labelled thing as it was painted: number, label, identity, its full area in pixels, the part of the picture it was painted in.

    ``handle`` (n, 2) are the pixels of its handle's middle that it does not hide itself, of ``handle_points`` in all.
    """

    number: int
    label: int
    identity: int
    area: float
    box: tuple[int, int, int, int]
    handle: Array | None
    handle_points: int


def truth(ids: Image, painted: list[Painted]) -> Truth:
    """The truth of a frame from its id picture (H, W) uint8, where a thing's number + 1 stands."""
    rows: list[tuple[float, float, float, float]] = []
    kept: list[Painted] = []
    visible: list[float] = []
    for thing in painted:
        x0, y0, x1, y1 = thing.box
        shows = (ids[y0:y1, x0:x1] == thing.number + 1).view(np.uint8)
        x, y, width, height = cv2.boundingRect(shows)
        if not width:
            continue
        rows.append((x0 + x, y0 + y, x0 + x + width, y0 + y + height))
        kept.append(thing)
        visible.append(min(1.0, cv2.countNonZero(shows) / max(thing.area, 1.0)))
    xyxy = np.array(rows, np.float32).reshape(-1, 4)
    share = np.array(visible, np.float32)
    sides = (xyxy[:, 2:] - xyxy[:, :2]).min(1, initial=1e9)
    boxes = Boxes(
        xyxy,
        np.array([thing.label for thing in kept], np.int64),
        np.array([thing.identity for thing in kept], np.int64),
        (share < LEAST_VISIBLE) | (sides < LEAST_SIDE),
    )
    return Truth(boxes, share, np.array([_handle(ids, thing) for thing in kept], np.float32))


def _handle(ids: Image, thing: Painted) -> float:
    if thing.handle is None or not len(thing.handle):
        return 0.0
    height, width = ids.shape
    x, y = np.round(thing.handle).astype(np.int64).T
    within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return float((ids[y[within], x[within]] == thing.number + 1).sum() / thing.handle_points)
