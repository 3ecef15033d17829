"""A small 1-D network for windows of sensor signals and sound."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

FIRST_KERNEL = 64  # samples: a wide first kernel suppresses noise


class SignalNet(nn.Module):
    """Convolutions along time, the first with a wide kernel: WDCNN, Zhang et al. 2017, doi:10.3390/s17020425.

    (B, 1, C, N) in, a row for each of the C channels of the signal (the height of ``size``); logits (B, classes) out. The first layer
    sees all rows at once; the 1-D convolutions after it are 2-D ones of height 1, which every engine and every int8 quantizer has.
    The first layer keeps each ``stride``-th sample, each of ``widths`` after it halves the length.
    """

    task = "signal"
    stem_parts = ("stem",)
    backbone_parts = ("stem", "stages")

    def __init__(
        self,
        classes: int = 4,
        size: tuple[int, int] = (1, 2048),
        widths: tuple[int, ...] = (16, 32, 48, 64),
        stride: int = 8,
    ) -> None:
        super().__init__()
        self.size = (size[0], size[1])
        self.stem = _block(1, widths[0], FIRST_KERNEL, stride, size[0])
        stages = [_block(inputs, outputs, 5, 2) for inputs, outputs in itertools.pairwise(widths)]
        self.stages = nn.Sequential(*stages, _block(widths[-1], widths[-1], 3, 1))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of windows (B, 1, C, N)."""
        out: Tensor = self.head(self.stages(self.stem(x)))
        return out


def _block(inputs: int, outputs: int, kernel: int, stride: int, rows: int = 1) -> nn.Sequential:
    """A convolution along time over ``rows`` channels of the signal, batch-norm and ReLU."""
    padding = (0, (kernel - 1) // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, (rows, kernel), (1, stride), padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
