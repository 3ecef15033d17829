"""Where the pixels of an augmented batch come from: flips, crops, affine maps and mosaics as matrices, sampled in one pass.

Coordinates are pixels from the top left corner of an image, so that the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from edgecnn.train.augment import MAX_SCALE, MIN_SCALE
from edgecnn.train.augment_policy import AugmentPolicy

MOSAIC_CENTRE = (0.35, 0.65)  # of the side
MOSAIC_SCALE = (0.9, 1.2)
CROP_RATIO = (0.8, 1.25)
AFFINE_CHANCE, CROP_CHANCE = 0.8, 0.5


@dataclass(frozen=True, slots=True, eq=False)
class CanvasMotion:
    """The movement of a batch of canvases of ``size`` (height, width): ``matrix`` (B, 3, 3) maps a canvas to the output."""

    size: tuple[int, int]
    matrix: Tensor

    def mirrored(self) -> Tensor:
        """(B,) bool: whether the map turns left into right."""
        m = self.matrix
        return m[:, 0, 0] * m[:, 1, 1] - m[:, 0, 1] * m[:, 1, 0] < 0

    def move(self, points: Tensor) -> Tensor:
        """Points (B, n, 2) of the canvas in the output."""
        return points @ self.matrix[:, :2, :2].transpose(1, 2) + self.matrix[:, None, :2, 2]


def draw_canvas(policy: AugmentPolicy, count: int, size: tuple[int, int], device: torch.device) -> CanvasMotion:
    """Random movements of ``count`` canvases by a policy."""
    height, width = size
    matrix = torch.eye(3, device=device).repeat(count, 1, 1)
    if policy.flip:
        matrix = _axis(_chance(count, policy.flip, device), 0, float(width)) @ matrix
    if policy.flip_vertical:
        matrix = _axis(_chance(count, policy.flip_vertical, device), 1, float(height)) @ matrix
    if policy.crop:
        matrix = _crop(policy.crop, count, size, device) @ matrix
    if policy.scale or policy.rotate:
        matrix = _affine(policy, count, size, device) @ matrix
    elif policy.shift:  # by whole pixels, which does not blur small images
        matrix = _whole_pixels(policy.shift, count, size, device) @ matrix
    return CanvasMotion(size, matrix)


def _uniform(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.rand(count, device=device) * (high - low) + low


def _chance(count: int, chance: float, device: torch.device) -> Tensor:
    return torch.rand(count, device=device) < chance


def _rows(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """(B, 3, 3) of the two upper rows, each of three (B,)."""
    upper = torch.stack([torch.stack(row, -1) for row in rows], 1)
    last = torch.zeros_like(upper[:, :1])
    last[..., 2] = 1
    return torch.cat([upper, last], 1)


def _axis(mirror: Tensor, axis: int, side: float) -> Tensor:
    """Mirroring of one axis where ``mirror`` (B,) is set."""
    sign, offset = 1.0 - 2.0 * mirror, mirror * side
    one, zero = torch.ones_like(sign), torch.zeros_like(sign)
    return _rows((sign, zero, offset), (zero, one, zero)) if axis == 0 else _rows((one, zero, zero), (zero, sign, offset))


def _crop(share: float, count: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """A random part of at least ``1 - share`` of the area, scaled to the whole, for half of the images."""
    height, width = size
    area = _uniform(count, 1 - share, 1.0, device) * height * width
    ratio = _uniform(count, math.log(CROP_RATIO[0]), math.log(CROP_RATIO[1]), device).exp()
    on = _chance(count, CROP_CHANCE, device)
    wide = torch.where(on, (area * ratio).sqrt().clamp(max=float(width)), float(width))
    tall = torch.where(on, (area / ratio).sqrt().clamp(max=float(height)), float(height))
    left, top = torch.rand_like(wide) * (width - wide), torch.rand_like(wide) * (height - tall)
    x, y, zero = width / wide, height / tall, torch.zeros_like(wide)
    return _rows((x, zero, -left * x), (zero, y, -top * y))


def _affine(policy: AugmentPolicy, count: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """Scaling and rotation about the centre, then a shift, for most images; enlarged as often as reduced."""
    height, width = size
    on = _chance(count, AFFINE_CHANCE, device)
    smaller, larger = _uniform(count, 1 / (1 + policy.scale), 1.0, device), _uniform(count, 1.0, 1 + policy.scale, device)
    factor = torch.where(on, torch.where(_chance(count, 0.5, device), smaller, larger), 1.0)
    angle = _uniform(count, -policy.rotate, policy.rotate, device).deg2rad() * on
    across, down = (_uniform(count, -policy.shift, policy.shift, device) * side * on for side in (width, height))
    cos, sin = angle.cos() * factor, angle.sin() * factor
    x, y = width / 2, height / 2
    return _rows((cos, -sin, across + x - cos * x + sin * y), (sin, cos, down + y - sin * x - cos * y))


def _whole_pixels(shift: float, count: int, size: tuple[int, int], device: torch.device) -> Tensor:
    one, zero = torch.ones(count, device=device), torch.zeros(count, device=device)
    offsets = []
    for side in size:
        most = max(round(shift * side), 1)
        offsets.append((torch.rand(count, device=device) * (2 * most + 1)).floor() - most)
    return _rows((one, zero, offsets[1]), (zero, one, offsets[0]))


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The images on each canvas, one or the four of a mosaic, Q in all.

    ``index`` (B, Q) int64; ``split`` (B, 2) the x and y where a mosaic is divided; ``corner`` and ``extent`` (B, Q, 2) of each cell;
    ``scale`` (B, Q, 2) and ``offset`` (B, Q, 2) place an image: canvas = image * scale + offset.
    """

    index: Tensor
    split: Tensor
    corner: Tensor
    extent: Tensor
    scale: Tensor
    offset: Tensor

    @classmethod
    def whole(cls, indices: Tensor, size: tuple[int, int], source: tuple[int, int]) -> Cells:
        """One image on each canvas of ``size``, scaled from ``source``."""
        count, device = len(indices), indices.device
        side = sides(size, device).expand(count, 1, 2)
        scale = side / sides(source, device)
        zero = torch.zeros_like(scale)
        return cls(indices[:, None], side[:, 0], zero, side, scale, zero)

    @classmethod
    def mosaic(cls, indices: Tensor, content: Tensor, chance: float, size: tuple[int, int], source: tuple[int, int]) -> Cells:
        """The images ``indices`` (B, 4) around a random centre with a probability, else the first of them alone.

        ``content`` (n, 4) is the part of each image that is not a bar of its letterbox. Mosaic: YOLOv4, arXiv:2004.10934.
        """
        count, device = len(indices), indices.device
        side = sides(size, device)
        on = _chance(count, chance, device)[:, None]
        low, high = MOSAIC_CENTRE
        split = torch.where(on, (torch.rand(count, 2, device=device) * (high - low) + low) * side, side).round()
        zero = torch.zeros_like(split)
        # in the order top left, top right, bottom left, bottom right
        x, y = (torch.stack([zero[:, axis], split[:, axis]], -1) for axis in (0, 1))
        corner = torch.stack([x.repeat(1, 2), y.repeat_interleave(2, 1)], -1)
        extent = torch.where(corner > 0, side - split[:, None], split[:, None])
        base = side / sides(source, device)
        box = content[indices] * base.repeat(2)
        inner = (box[..., 2:] - box[..., :2]).clamp(min=1.0)
        cover = (extent / inner).amax(-1, keepdim=True)
        jitter = torch.rand(count, 4, 1, device=device) * (MOSAIC_SCALE[1] - MOSAIC_SCALE[0]) + MOSAIC_SCALE[0]
        factor = cover.clamp(MIN_SCALE, MAX_SCALE) * jitter
        room = (inner * factor - extent).clamp(min=0)
        start = box[..., :2] * factor + torch.rand(count, 4, 2, device=device) * room
        alone = on[:, None]
        scale = torch.where(alone, factor, 1.0) * base
        offset = torch.where(alone, corner - start, 0.0)
        return cls(indices, split, corner, extent, scale, offset)


def sides(size: tuple[int, int], device: torch.device) -> Tensor:
    """(2,) width and height; made on the device, since a copy from the host can't be captured in a graph."""
    return torch.cat([torch.full((1,), float(side), device=device) for side in size[::-1]])


@dataclass(frozen=True, slots=True, eq=False)
class BatchLayout:
    """Canvases, how they move to the output, and the images on them."""

    canvas: CanvasMotion
    cells: Cells


class Sampler:
    """Reads an output batch of ``size`` from images of the size ``source``; both (height, width)."""

    def __init__(self, size: tuple[int, int], source: tuple[int, int]) -> None:
        self.size, self.source = size, source

    def __call__(self, pixels: Tensor, layout: BatchLayout, pad: float) -> Tensor:
        """The batch (B, H, W, C) float32 of images (n, h, w, c) uint8, interpolated bilinearly; ``pad`` outside of the images."""
        index, x, y, inside = self._places(layout)
        found = torch.where(inside[..., None], self.bilinear(pixels, index, x, y), pad)
        return found.view(len(found), *self.size, -1)

    def bilinear(self, pixels: Tensor, index: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """(B, p, C) float32 at the places ``x`` and ``y`` (B, p) of the images ``index`` (B, p); borders continue outside of them."""
        table = pixels.flatten(0, 2)
        x, y = x - 0.5, y - 0.5
        left, top = x.floor(), y.floor()
        right_share, bottom_share = x - left, y - top
        found = torch.zeros((), device=pixels.device)
        for row, row_share in ((top, 1 - bottom_share), (top + 1, bottom_share)):
            for column, column_share in ((left, 1 - right_share), (left + 1, right_share)):
                taken = table[self._flat(index, column, row)].float()
                found = found + taken * (row_share * column_share)[..., None]
        return found

    def nearest(self, maps: Tensor, layout: BatchLayout, pad: int) -> Tensor:
        """The values (B, H, W) of the maps (n, h, w) at the nearest pixels; ``pad`` outside of the images."""
        index, x, y, inside = self._places(layout)
        taken = maps.flatten()[self._flat(index, x.floor(), y.floor())]
        return torch.where(inside, taken, torch.full_like(taken, pad)).view(-1, *self.size)

    def _flat(self, index: Tensor, column: Tensor, row: Tensor) -> Tensor:
        height, width = self.source
        column, row = column.clamp(0, width - 1).long(), row.clamp(0, height - 1).long()
        return (index * height + row) * width + column

    def points(self, canvas: CanvasMotion) -> Tensor:
        """(B, H W, 2): where the centre of each output pixel lies on its canvas."""
        rows, columns = (torch.arange(side, device=canvas.matrix.device) + 0.5 for side in self.size)
        grid = torch.stack([columns.repeat(self.size[0]), rows.repeat_interleave(self.size[1])], -1)
        return CanvasMotion(self.size, _inverse(canvas.matrix)).move(grid[None].expand(len(canvas.matrix), -1, -1))

    def _places(self, layout: BatchLayout) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """For each output pixel (B, H W): the image, x and y in it, and whether it lies in it."""
        cells, canvas = layout.cells, layout.canvas
        points = self.points(canvas)
        inside = inside_canvas(points, canvas)
        if cells.index.shape[1] == 1:
            index = cells.index.expand(-1, points.shape[1])
            scale, offset = cells.scale, cells.offset
        else:
            beyond = (points >= cells.split[:, None]).long()
            which = beyond[..., 0] + 2 * beyond[..., 1]
            index = cells.index.gather(1, which)
            pairs = which[..., None].expand(-1, -1, 2)
            scale, offset = cells.scale.gather(1, pairs), cells.offset.gather(1, pairs)
        place = (points - offset) / scale
        inside = inside & ((place >= 0) & (place < sides(self.source, points.device))).all(-1)
        return index, place[..., 0], place[..., 1], inside


def inside_canvas(points: Tensor, canvas: CanvasMotion) -> Tensor:
    """(B, n) bool: whether points (B, n, 2) lie on their canvas."""
    return ((points >= 0) & (points < sides(canvas.size, points.device))).all(-1)


def _inverse(matrix: Tensor) -> Tensor:
    """The inverse of affine maps (B, 3, 3); ``torch.linalg.inv`` waits for the device."""
    a, b, c = matrix[:, 0].unbind(-1)
    d, e, f = matrix[:, 1].unbind(-1)
    size = a * e - b * d
    return _rows((e / size, -b / size, (b * f - e * c) / size), (-d / size, a / size, (d * c - a * f) / size))


def content_boxes(pixels: Tensor, pad: int) -> Tensor:
    """(n, 4) float32 left, top, right, bottom of the part of each image (n, h, w, c) that is not ``pad``."""
    found = []
    for part in torch.split(pixels, 256):
        other = (part != pad).any(-1)
        sides = []
        for axis in (1, 2):  # rows seen along y for columns, and the other way round
            line = other.any(axis).float()
            length = line.shape[1]
            empty = line.sum(1) == 0
            first = torch.where(empty, 0, line.argmax(1))
            last = torch.where(empty, length, length - line.flip(1).argmax(1))
            sides.append((first, last))
        (left, right), (top, bottom) = sides
        found.append(torch.stack([left, top, right, bottom], -1).float())
    return torch.cat(found)
