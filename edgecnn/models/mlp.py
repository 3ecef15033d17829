"""A fully connected baseline (multilayer perceptron), which does not use the neighbourhood of pixels."""

from __future__ import annotations

from torch import Tensor, nn

from edgecnn.models.heads import HeadKind, task_for


class Mlp(nn.Module):
    """Two hidden layers with ReLU; (B, channels, *size) in, logits (B, classes) out."""

    stem_parts = ("layers.1",)
    backbone_parts = ("layers.1", "layers.3")

    def __init__(
        self,
        classes: int = 10,
        channels: int = 1,
        size: tuple[int, int] = (28, 28),
        hidden: int = 256,
        head: HeadKind = "classify",
    ) -> None:
        super().__init__()
        self.size, self.task = (size[0], size[1]), task_for(head)
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * size[0] * size[1], hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden // 2),
            nn.ReLU(inplace=True),
            nn.Linear(hidden // 2, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, channels, H, W)."""
        out: Tensor = self.layers(x)
        return out
