"""An encoder and decoder with maps at a quarter of the input's size, for tasks that answer for each place of the image."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.models.blocks import conv_bn_relu, separable, separable_stages

STRIDE = 4  # of the finest map
MULTIPLE = 32  # of the input's sides: the stride of the coarsest map


class Pyramid(nn.Module):
    """Depthwise-separable stages at strides 4, 8, 16 and 32, fused from coarse to fine by sums: FPN, arXiv:1612.03144.

    In: (B, channels, H, W), H and W multiples of 32. Out: (B, ``neck``, H / 4, W / 4).
    """

    def __init__(self, channels: int, widths: tuple[int, ...], depths: tuple[int, ...], neck: int) -> None:
        super().__init__()
        self.stem, self.stages = separable_stages(channels, widths, depths)
        self.lateral = nn.ModuleList(conv_bn_relu(width, neck, 1) for width in widths[1:])
        self.fuse = nn.ModuleList(separable(neck, neck) for _ in widths[2:])

    def forward(self, x: Tensor) -> Tensor:
        """The finest map, which has seen the coarser ones."""
        x = self.stem(x)
        maps = []
        for stage, lateral in zip(self.stages, self.lateral, strict=True):
            x = stage(x)
            maps.append(lateral(x))
        found: Tensor = maps.pop()
        for fuse in self.fuse:
            found = fuse(maps.pop() + F.interpolate(found, scale_factor=2.0, mode="nearest"))
        return found


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) as it is; raises ``ValueError`` where a side is no multiple of 32."""
    if size[0] % MULTIPLE or size[1] % MULTIPLE:
        raise ValueError(f"size must be multiples of {MULTIPLE}, not {size}")
    return size[0], size[1]
