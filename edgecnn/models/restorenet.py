"""A small image-to-image network: super-resolution and denoising."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RestoreNet(nn.Module):
    """Plain 3x3 convolutions that predict what to add to the input: the anchor-based plain net of Du et al. 2021, arXiv:2105.09750.

    (B, channels, H, W) in 0..1 in, (B, channels, upscale H, upscale W) out. No batch-norm, which shifts colours, and one addition
    that repeats the input: both keep int8 precise. ``noise`` is the standard deviation in grey levels that it is trained to remove.
    Raises ``ValueError`` for an ``upscale`` below 1.
    """

    task = "restore"
    stem_parts = ("first",)
    backbone_parts = ("first", "body")

    def __init__(
        self,
        channels: int = 3,
        size: tuple[int, int] = (120, 160),
        upscale: int = 2,
        noise: float = 0.0,
        width: int = 24,
        depth: int = 4,
    ) -> None:
        super().__init__()
        if upscale < 1:
            raise ValueError(f"upscale must be at least 1, not {upscale}")
        self.size, self.upscale = (size[0], size[1]), upscale
        self.first = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True))
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv2d(width, channels * upscale**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Restored images (B, channels, upscale H, upscale W)."""
        change: Tensor = self.head(self.body(self.first(x)))
        if self.upscale == 1:
            return x + change
        # each channel once for each pixel of its block: nearest-neighbour enlargement before the shuffle
        anchor = torch.cat([x[:, index : index + 1] for index in range(x.shape[1]) for _ in range(self.upscale**2)], 1)
        return F.pixel_shuffle(anchor + change, self.upscale)
