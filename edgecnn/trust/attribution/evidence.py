"""How much of an attribution map lies on the object: the energy-based pointing game and the pointing game."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecnn.types import Float32


@dataclass(frozen=True, slots=True)
class MapEvidence:
    """``inside`` is the share of the positive values of a map that lie in the object's boxes (energy-based pointing game, Wang et al.
    2020, arXiv:1910.01279), ``area`` the boxes' share of the image, ``pointed`` whether the highest value lies in them (pointing game,
    Zhang et al. 2018, arXiv:1608.00507).
    """

    inside: float
    area: float
    pointed: bool


def evidence_in(heat: Float32, boxes: Float32, content: tuple[int, int, int, int]) -> MapEvidence | None:
    """The evidence of the map ``heat`` (h, w) in ``boxes`` (n, 4) xyxy pixels.

    ``content`` is the part of the input that shows the image (left, top, right, bottom), without the padding of a letterbox. None where
    the map has no positive value there: then it says nothing.
    """
    left, top, right, bottom = content
    part = np.maximum(heat[top:bottom, left:right], 0)
    total = float(part.sum())
    if not total > 0:
        return None
    inside = box_mask(boxes, heat.shape)[top:bottom, left:right]
    return MapEvidence(float(part[inside].sum() / total), float(inside.mean()), bool(inside.flat[int(part.argmax())]))


def box_mask(boxes: Float32, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which pixels (h, w) lie in one of ``boxes`` (n, 4) xyxy, rounded outwards."""
    mask = np.zeros(shape[:2], np.bool_)
    for x1, y1, x2, y2 in boxes:
        mask[max(int(np.floor(y1)), 0) : int(np.ceil(y2)), max(int(np.floor(x1)), 0) : int(np.ceil(x2))] = True
    return mask
