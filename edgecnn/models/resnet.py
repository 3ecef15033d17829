"""Small residual networks for images of about 32x32 pixels, with tens of thousands to a million parameters."""

from __future__ import annotations

from torch import Tensor, nn

from edgecnn.models.blocks import Residual, conv_bn_relu
from edgecnn.models.heads import HeadKind, task_for


class ResNetS(nn.Module):
    """A stem and three stages of residual blocks, the ResNet-20 layout of arXiv:1512.03385 with a light first stage.

    (B, channels, H, W) in, logits (B, classes) out; any size works, ``size`` is the one it was trained for. ``widths`` are the
    channels of the stages, ``depths`` their numbers of blocks, ``depth`` of each where ``depths`` is None; each stage after the first
    halves the size. Raises ``ValueError`` where widths and depths differ in number.
    """

    stem_parts = ("stem",)
    backbone_parts = ("stem", "stages")

    def __init__(
        self,
        classes: int = 10,
        channels: int = 1,
        size: tuple[int, int] = (28, 28),
        widths: tuple[int, ...] = (16, 32, 80),
        depth: int = 2,
        depths: tuple[int, ...] | None = None,
        head: HeadKind = "classify",
    ) -> None:
        super().__init__()
        self.size, self.task = (size[0], size[1]), task_for(head)
        self.stem = conv_bn_relu(channels, widths[0])
        blocks: list[nn.Module] = []
        last = widths[0]
        for stage, (width, blocks_here) in enumerate(zip(widths, _depths(len(widths), depth, depths), strict=True)):
            for index in range(blocks_here):
                # the first block of each stage but the first halves the size
                blocks.append(Residual(last, width, 2 if stage and not index else 1))
                last = width
        self.stages = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, channels, H, W)."""
        out: Tensor = self.head(self.stages(self.stem(x)))
        return out


def _depths(stages: int, depth: int, depths: tuple[int, ...] | None) -> tuple[int, ...]:
    """The number of blocks of each stage."""
    if depths is None:
        return (depth,) * stages
    if len(depths) != stages:
        raise ValueError(f"there must be a depth for each of {stages} widths, not {len(depths)}")
    return tuple(depths)
