"""Blends pasted crops into images: into one in a loading process, and into a batch on the training device."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from edgecnn.train.copy_paste import PastedCrops
from edgecnn.train.device_geometry import CanvasMotion, Sampler, inside_canvas
from edgecnn.types import Float32, Image


def paste_into_image(canvas: Image, images: Image, crops: PastedCrops) -> Image:
    """A copy of ``canvas`` (H, W, C) uint8 with the crops of the first row, which come from ``images`` (n, h, w, C) uint8."""
    canvas = canvas.copy()
    parts = (crops.index, crops.scale, crops.offset, crops.box, crops.whole, crops.on)
    for index, scale, offset, box, whole, on in zip(*(part[0].numpy() for part in parts), strict=True):
        if on:
            _paste(canvas, images[index], scale, offset, box, whole)
    return canvas


def _paste(canvas: Image, image: Image, scale: Float32, offset: Float32, box: Float32, whole: Float32) -> None:
    height, width, channels = canvas.shape
    left, top = (int(side) for side in np.floor(whole[:2]).clip(0))
    right, bottom = (int(side) for side in np.ceil(whole[2:]).clip(None, [width, height]))
    # warpAffine maps pixel centres, our coordinates are pixel edges: hence the offset of scale / 2 - 0.5
    move = scale / 2 - 0.5 + offset - np.array([left, top], np.float32)
    matrix = np.array([[scale[0], 0, move[0]], [0, scale[1], move[1]]], np.float32)
    size = (right - left, bottom - top)
    crop = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    across, down = np.arange(left, right, dtype=np.float32) + 0.5, np.arange(top, bottom, dtype=np.float32) + 0.5
    alpha = _ramp(down, box[1::2], whole[1::2])[:, None] * _ramp(across, box[0::2], whole[0::2])
    behind = canvas[top:bottom, left:right].astype(np.float32)
    mixed = behind + alpha[..., None] * (crop.reshape(*behind.shape[:2], channels) - behind)
    canvas[top:bottom, left:right] = np.rint(mixed)


def _ramp(centres: Float32, box: Float32, whole: Float32) -> Float32:
    """From 0 at the ends of ``whole`` to 1 at those of ``box``, both (2,), at pixel centres (n,)."""
    rise = (centres - whole[0]) / max(box[0] - whole[0], 1e-3)
    fall = (whole[1] - centres) / max(whole[1] - box[1], 1e-3)
    alpha: Float32 = np.minimum(rise, fall).clip(0, 1)
    return alpha


def paste_into_batch(found: Tensor, pixels: Tensor, sampler: Sampler, canvas: CanvasMotion, crops: PastedCrops) -> Tensor:
    """The batch ``found`` (B, H, W, C) float32, sampled from moved canvases, with crops of ``pixels`` (n, h, w, C) uint8 on them."""
    points = sampler.points(canvas)
    inside = inside_canvas(points, canvas)
    mixed = found.flatten(1, 2)
    for number in range(crops.on.shape[1]):
        index, scale, offset, box, whole, on = (
            part[:, number] for part in (crops.index, crops.scale, crops.offset, crops.box, crops.whole, crops.on)
        )
        low, high, start, end = (part[:, None] for part in (box[:, :2], box[:, 2:], whole[:, :2], whole[:, 2:]))
        rise, fall = (points - start) / (low - start).clamp(min=1e-3), (end - points) / (end - high).clamp(min=1e-3)
        alpha = torch.minimum(rise, fall).clamp(0, 1).prod(-1) * (inside & on[:, None])
        place = (points - offset[:, None]) / scale[:, None]
        crop = sampler.bilinear(pixels, index[:, None].expand(points.shape[:2]), place[..., 0], place[..., 1])
        mixed = mixed + alpha[..., None] * (crop - mixed)
    return mixed.view_as(found)
