"""A network with the operators, shapes and size of YOLO11n (2.6 M weights, 640 px, 80 classes, output 1x84x8400), random weights.

Written for measurements of the export: ``edgecnn.benchmarks.figures.yolo_graph:network`` is a factory for ``edgecnn export``. The blocks
follow the published description of the architecture. Batch-norm statistics are computed on frames of the scene, so that activations
stay in the range of a trained network.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.scene import Scene, parse_scene

SIZE, CLASSES, BINS, CELLS = 640, 80, 16, 100
STRIDES = (8, 16, 32)


def unit(inputs: int, outputs: int, size: int = 1, stride: int = 1, *, groups: int = 1, active: bool = True) -> nn.Sequential:
    """Convolution, batch-norm and SiLU."""
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs, eps=1e-3), nn.SiLU() if active else nn.Identity())


class Bottleneck(nn.Module):
    """Two convolutions beside the input."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(unit(channels, hidden, 3), unit(hidden, channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        out: Tensor = x + self.body(x)
        return out


class CrossStage(nn.Module):
    """Half of the channels pass two bottlenecks, the other half none."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.first, self.second, self.last = unit(channels, half), unit(channels, half), unit(channels, channels)
        self.body = nn.Sequential(*(Bottleneck(half, half) for _ in range(2)))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        out: Tensor = self.last(torch.cat([self.body(self.first(x)), self.second(x)], 1))
        return out


class Split(nn.Module):
    """Splits the channels, adds a deeper version of one half, and mixes all three."""

    def __init__(self, inputs: int, outputs: int, *, deep: bool = False, share: float = 0.5) -> None:
        super().__init__()
        self.part = int(outputs * share)
        self.first, self.last = unit(inputs, 2 * self.part), unit(3 * self.part, outputs)
        self.deeper = CrossStage(self.part) if deep else Bottleneck(self.part, self.part // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w)."""
        left, right = self.first(x).split((self.part, self.part), 1)
        out: Tensor = self.last(torch.cat([left, right, self.deeper(right)], 1))
        return out


class Pools(nn.Module):
    """Three 5x5 maxima after each other, concatenated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.last = unit(channels, channels // 2), unit(channels * 2, channels)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        parts = [self.first(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        out: Tensor = self.last(torch.cat(parts, 1))
        return out


class Attention(nn.Module):
    """Self-attention over the cells of a map, with a depthwise convolution as the position's code."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads, self.value = heads, channels // heads
        self.key = self.value // 2
        self.qkv = unit(channels, channels + 2 * self.key * heads, active=False)
        self.position = unit(channels, channels, 3, groups=channels, active=False)
        self.last = unit(channels, channels, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        batch, channels, height, width = x.shape
        parts = self.qkv(x).view(batch, self.heads, 2 * self.key + self.value, height * width)
        query, key, value = parts.split((self.key, self.key, self.value), 2)
        weights = (query.transpose(2, 3) @ key * self.key**-0.5).softmax(-1)
        mixed = (value @ weights.transpose(2, 3)).view(batch, channels, height, width)
        out: Tensor = self.last(mixed + self.position(value.reshape(batch, channels, height, width)))
        return out


class AttentionBlock(nn.Module):
    """Attention and two convolutions on half of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.part = channels // 2
        self.first, self.last = unit(channels, channels), unit(channels, channels)
        self.attention = Attention(self.part, max(self.part // 64, 1))
        self.mix = nn.Sequential(unit(self.part, self.part * 2), unit(self.part * 2, self.part, active=False))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        left, right = self.first(x).split((self.part, self.part), 1)
        right = right + self.attention(right)
        out: Tensor = self.last(torch.cat([left, right + self.mix(right)], 1))
        return out


class Head(nn.Module):
    """Boxes as expected distances over ``BINS`` bins, and class scores, decoded: (B, 4 + classes, cells), xywh in pixels."""

    cells: Tensor
    strides: Tensor
    bins: Tensor

    def __init__(self, channels: tuple[int, ...], classes: int, size: int) -> None:
        super().__init__()
        hidden, wide = max(16, channels[0] // 4, BINS * 4), max(channels[0], min(classes, 100))
        self.classes = classes
        self.boxes = nn.ModuleList(
            nn.Sequential(unit(c, hidden, 3), unit(hidden, hidden, 3), nn.Conv2d(hidden, 4 * BINS, 1)) for c in channels
        )
        self.scores = nn.ModuleList(
            nn.Sequential(
                *(unit(c, c, 3, groups=c), unit(c, wide), unit(wide, wide, 3, groups=wide), unit(wide, wide)),
                nn.Conv2d(wide, classes, 1),
            )
            for c in channels
        )
        grids = [torch.stack(torch.meshgrid(*[torch.arange(size // s) + 0.5] * 2, indexing="xy")).flatten(1) for s in STRIDES]
        self.register_buffer("cells", torch.cat(grids, 1)[None])
        self.register_buffer(
            "strides", torch.cat([torch.full((1, g.shape[1]), float(s)) for g, s in zip(grids, STRIDES, strict=True)], 1)
        )
        self.register_buffer("bins", torch.arange(BINS, dtype=torch.float32).reshape(1, BINS, 1, 1))

    def raw(self, maps: list[Tensor]) -> list[Tensor]:
        """The map of each stride, (B, 4 * BINS + classes, h, w): distributions of distances, and scores before the sigmoid."""
        heads = zip(self.boxes, self.scores, maps, strict=True)
        return [torch.cat([boxes(x), scores(x)], 1) for boxes, scores, x in heads]

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Decoded boxes and scores."""
        return self.decoded(self.raw(maps))

    def decoded(self, raw: list[Tensor]) -> Tensor:
        """Boxes and scores of the maps of ``raw``."""
        rows = torch.cat([one.flatten(2) for one in raw], 2)
        boxes, scores = rows[:, : 4 * BINS], rows[:, 4 * BINS :]
        shares = boxes.view(boxes.shape[0], 4, BINS, -1).transpose(1, 2).softmax(1)
        near, far = (shares * self.bins).sum(1).chunk(2, 1)
        top, bottom = self.cells - near, self.cells + far
        placed = torch.cat([(top + bottom) / 2, bottom - top], 1) * self.strides
        return torch.cat([placed, scores.sigmoid()], 1)


class YoloGraph(nn.Module):
    """Backbone, feature pyramid and head for square images of ``size`` pixels."""

    def __init__(self, classes: int = CLASSES, size: int = SIZE) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            [
                nn.Sequential(unit(3, 16, 3, 2), unit(16, 32, 3, 2), Split(32, 64, share=0.25)),
                nn.Sequential(unit(64, 64, 3, 2), Split(64, 128, share=0.25)),
                nn.Sequential(unit(128, 128, 3, 2), Split(128, 128, deep=True)),
                nn.Sequential(unit(128, 256, 3, 2), Split(256, 256, deep=True), Pools(256), AttentionBlock(256)),
            ]
        )
        self.up = nn.Upsample(scale_factor=2)
        self.middle, self.small = Split(384, 128), Split(256, 64)
        self.down, self.further = unit(64, 64, 3, 2), unit(128, 128, 3, 2)
        self.medium, self.large = Split(192, 128), Split(384, 256, deep=True)
        self.head = Head((64, 128, 256), classes, size)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, size, size) in 0..1 to (B, 4 + classes, cells)."""
        out: Tensor = self.head(self.features(x))
        return out

    def features(self, x: Tensor) -> list[Tensor]:
        """The maps that the head reads."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        middle = self.middle(torch.cat([self.up(maps[3]), maps[2]], 1))
        small = self.small(torch.cat([self.up(middle), maps[1]], 1))
        medium = self.medium(torch.cat([self.down(small), middle], 1))
        large = self.large(torch.cat([self.further(medium), maps[3]], 1))
        return [small, medium, large]


class WithMaps(nn.Module):
    """What the class of such a network returns in eval mode: decoded boxes, and the maps that they were decoded from."""

    def __init__(self, model: YoloGraph) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, 3, size, size) in 0..1 to (B, 4 + classes, cells) and three maps."""
        raw = self.model.head.raw(self.model.features(x))
        return self.model.head.decoded(raw), raw


def network() -> YoloGraph:
    """The network in eval mode, the same at each call; about ``CELLS`` cells of a frame have a score above 0.25."""
    torch.manual_seed(0)
    model = YoloGraph()
    batch = _frames()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # statistics are the mean over all batches, here one
    with torch.no_grad():
        model.train()(batch)
        scores = model.eval()(batch)[:, 4:].logit().amax(1)
        least = scores.quantile(1 - CELLS / scores.shape[1])
        for head in model.head.scores:
            head[-1].bias -= least + math.log(3)  # type: ignore[index]
    return model


def with_maps() -> nn.Module:
    """The same network in the form of its class, with several outputs."""
    return WithMaps(network()).eval()


def _frames() -> Tensor:
    """Four frames of the scene, (4, 3, SIZE, SIZE) in 0..1."""
    scene = Scene(parse_scene(f"scene:cups?size={SIZE}x{SIZE}"))
    frames = np.stack([scene.render(number * 100)[0][..., ::-1] for number in range(4)])
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
