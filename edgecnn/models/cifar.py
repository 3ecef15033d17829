"""The CIFAR ResNets of He et al. 2015 (arXiv:1512.03385, section 4.2) for 32x32 images: ResNet-8, 20, 32, 56."""

from __future__ import annotations

from torch import Tensor, nn

from edgecnn.models.blocks import Residual, conv_bn_relu, scale_channels
from edgecnn.models.heads import HeadKind, task_for

WIDTHS = (16, 32, 64)


class CifarResNet(nn.Module):
    """A stem and three stages of ``blocks`` residual blocks with shortcuts that have no parameters: 6 * ``blocks`` + 2 layers.

    (B, channels, H, W) in, logits (B, classes) out; any size works, ``size`` is the one it was trained for. ``width`` multiplies the
    channels 16, 32, 64 of the stages.
    """

    stem_parts = ("stem",)
    backbone_parts = ("stem", "stages")

    def __init__(
        self,
        classes: int = 10,
        channels: int = 3,
        size: tuple[int, int] = (32, 32),
        blocks: int = 3,
        width: float = 1.0,
        head: HeadKind = "classify",
    ) -> None:
        super().__init__()
        self.size, self.task = (size[0], size[1]), task_for(head)
        widths = [scale_channels(channels, width) for channels in WIDTHS]
        self.stem = conv_bn_relu(channels, widths[0])
        stages: list[nn.Module] = []
        last = widths[0]
        for stage, outputs in enumerate(widths):
            for index in range(blocks):
                stages.append(Residual(last, outputs, 2 if stage and not index else 1, parameter_free=True))
                last = outputs
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, channels, H, W)."""
        out: Tensor = self.head(self.stages(self.stem(x)))
        return out
