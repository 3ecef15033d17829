"""EdgeDet: the project's own detector, anchor-free, single stage, depthwise-separable, made to be run in int8."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import Task
from edgecnn.models.blocks import conv_bn_relu, separable

STRIDES = (8, 16, 32)
PRIOR = 0.01  # chance of an object in a cell at the start of training: focal loss, arXiv:1708.02002


class Backbone(nn.Module):
    """MobileNet-like features at strides 8, 16 and 32."""

    def __init__(self, channels: int, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        stem, *stages = widths
        self.stem = conv_bn_relu(channels, stem, 3, 2)
        self.stages = nn.ModuleList()
        last = stem
        for width, depth in zip(stages, depths, strict=True):
            self.stages.append(nn.Sequential(separable(last, width, 2), *(separable(width, width) for _ in range(depth - 1))))
            last = width

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, channels, H, W) to three maps, finest first."""
        maps = []
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[-3:]


class Neck(nn.Module):
    """Mixes the levels, coarse into fine and back: FPN, arXiv:1612.03144, and the path of PANet, arXiv:1803.01534, with sums."""

    def __init__(self, inputs: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(conv_bn_relu(channels, width, 1) for channels in inputs)
        self.down = nn.ModuleList(separable(width, width) for _ in inputs[1:])
        self.stride = nn.ModuleList(separable(width, width, 2) for _ in inputs[1:])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of the backbone to maps of equal width, finest first."""
        fine, middle, coarse = (lateral(x) for lateral, x in zip(self.lateral, maps, strict=True))
        middle = self.down[1](middle + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        fine = self.down[0](fine + F.interpolate(middle, scale_factor=2.0, mode="nearest"))
        middle = middle + self.stride[0](fine)
        coarse = coarse + self.stride[1](middle)
        return [fine, middle, coarse]


class Head(nn.Module):
    """Scores and boxes of one level in two branches (decoupled: YOLOX, arXiv:2107.08430), without weights shared between levels.

    Each level has its own range of values, and own weights let each be quantized by its own.
    """

    def __init__(self, width: int, classes: int, depth: int) -> None:
        super().__init__()
        self.score = nn.Sequential(*(separable(width, width) for _ in range(depth)), nn.Conv2d(width, classes, 1))
        self.box = nn.Sequential(*(separable(width, width) for _ in range(depth)), nn.Conv2d(width, 4, 1))
        self._start()

    def _start(self) -> None:
        score, box = self.score[-1], self.box[-1]
        assert isinstance(score, nn.Conv2d)
        assert isinstance(box, nn.Conv2d)
        for layer, bias in ((score, -math.log((1 - PRIOR) / PRIOR)), (box, 2.0)):
            nn.init.normal_(layer.weight, std=0.01)
            assert layer.bias is not None
            nn.init.constant_(layer.bias, bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, h*w, classes) and distances (B, h*w, 4) of the cells of one map, row by row."""
        return self.score(x).permute(0, 2, 3, 1).flatten(1, 2), self.box(x).permute(0, 2, 3, 1).flatten(1, 2)


class EdgeDet(nn.Module):
    """Boxes and scores of objects for each cell of strides 8, 16 and 32.

    In: (B, channels, H, W) float32 RGB or gray divided by 255, H and W multiples of 32. Out, in eval mode: ``boxes`` (B, N, 4),
    distances from the cell's centre to left, top, right, bottom in units of its stride (FCOS, arXiv:1904.01355), and ``scores``
    (B, N, classes) after the sigmoid. In train mode logits take the place of scores. Distances are clipped to 0..``reach``: a known
    range loses least in int8.
    """

    task: Task = "detect"
    stem_parts = ("backbone.stem",)
    backbone_parts = ("backbone",)

    def __init__(
        self,
        classes: int = 4,
        size: tuple[int, int] = (256, 320),
        widths: tuple[int, ...] = (16, 32, 96, 192, 448),
        depths: tuple[int, ...] = (2, 3, 4, 3),
        neck: int = 96,
        head_depth: int = 2,
        reach: float = 8.0,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if size[0] % STRIDES[-1] or size[1] % STRIDES[-1]:
            raise ValueError(f"wanted a size of multiples of {STRIDES[-1]}, found {size}")
        self.size, self.reach = (size[0], size[1]), reach
        self.backbone = Backbone(channels, tuple(widths), tuple(depths))
        self.neck = Neck(tuple(widths[-3:]), neck)
        self.heads = nn.ModuleList(Head(neck, classes, head_depth) for _ in STRIDES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Distances (B, N, 4) and scores, or logits while training, (B, N, classes)."""
        levels = [head(level) for head, level in zip(self.heads, self.neck(self.backbone(x)), strict=True)]
        logits = torch.cat([level[0] for level in levels], 1)
        boxes = torch.cat([level[1] for level in levels], 1).clamp(0.0, self.reach)
        return boxes, logits if self.training else logits.sigmoid()
