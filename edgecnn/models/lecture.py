"""The CNN of the lecture: two 3x3 convolutions with 16 filters, leaky ReLU, max pooling, batch-norm, and a dense head."""

from __future__ import annotations

from torch import Tensor, nn

from edgecnn.models.heads import HeadKind, task_for


class Lecture(nn.Module):
    """A first CNN for teaching; (B, channels, *size) in, logits (B, classes) out."""

    stem_parts = ("features.0", "features.3")
    backbone_parts = ("features",)

    def __init__(
        self,
        classes: int = 10,
        channels: int = 1,
        size: tuple[int, int] = (28, 28),
        filters: int = 16,
        head: HeadKind = "classify",
    ) -> None:
        super().__init__()
        self.size, self.task = (size[0], size[1]), task_for(head)
        self.features = nn.Sequential(
            nn.Conv2d(channels, filters, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(filters),
            nn.Conv2d(filters, filters, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(filters),
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(filters * (size[0] // 4) * (size[1] // 4), 64),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Linear(64, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, channels, H, W)."""
        out: Tensor = self.head(self.features(x))
        return out
