"""Two tiny models with known behaviour, pictures for them, and their conversions, made once for all tests of the export."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export import Calibration, evidence_of, prepare
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.verify.reference import Evidence
from edgecnn.types import Image

COLORS = ((30, 30, 220), (220, 30, 30), (30, 200, 30))  # BGR: red, blue, green


def block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Convolution, batch-norm with statistics that are not trivial, ReLU."""
    norm = nn.BatchNorm2d(outputs)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    nn.init.normal_(norm.running_mean, std=0.1)
    nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), norm, nn.ReLU())


class TinyDetector(nn.Module):
    """Finds red and blue things: the scores of a cell are how red and how blue it is on average, with a little of a random network."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(block(3, 8, 2), block(8, 16, 2), block(16, 16, 2))
        self.noise = nn.Conv2d(16, 2, 1)
        self.hue = nn.Conv2d(3, 2, 1)
        nn.init.normal_(self.noise.weight, std=0.02)
        self.hue.weight.data = torch.tensor([[14.0, -7.0, -7.0], [-7.0, -7.0, 14.0]]).reshape(2, 3, 1, 1)
        self.hue.bias.data = torch.tensor([-4.0, -4.0])  # type: ignore[union-attr]
        self.sides = nn.Conv2d(3, 4, 1)
        self.sides.weight.data = torch.rand(4, 3, 1, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Distances and scores of the cells of strides 8, 16 and 32."""
        extra = self.noise(self.features(x))
        boxes, scores = [], []
        for stride in (8, 16, 32):
            mean = nn.functional.avg_pool2d(x, stride)
            part = nn.functional.avg_pool2d(extra, stride // 8)
            scores.append((self.hue(mean) + part).sigmoid().permute(0, 2, 3, 1).flatten(1, 2))
            boxes.append((self.sides(mean) + 0.5).relu().permute(0, 2, 3, 1).flatten(1, 2))
        return {"boxes": torch.cat(boxes, 1), "scores": torch.cat(scores, 1)}


class TinyClassifier(nn.Module):
    """Says which colour an image has; mean and std are ImageNet's, most weights are in one wide layer, one convolution sees the image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 19, 3, 2, 1)
        self.features = nn.Sequential(block(16, 160, 2), block(160, 160, 2), nn.Conv2d(160, 160, 3, 2, 1))
        self.head = nn.Linear(160, 3)
        nn.init.normal_(self.head.weight, std=0.05)
        hue = 1.5 * torch.eye(3)[[0, 2, 1]] - 0.5  # how much more of one colour than of the others
        self.stem.weight.data[:3] = (hue / 9)[:, :, None, None].expand(3, 3, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 3): red, blue, green."""
        maps = self.stem(x)
        logits: Tensor = self.head(self.features(maps[:, 3:].relu()).mean((2, 3))) + 4 * maps[:, :3].mean((2, 3))
        return logits


def pictures(count: int, size: tuple[int, int], seed: int) -> list[Image]:
    """Coloured blocks on a gray, grainy ground."""
    rng = np.random.default_rng(seed)
    return [_picture(rng, *size) for _ in range(count)]


def _picture(rng: np.random.Generator, height: int, width: int) -> Image:
    grain = rng.normal(0, 12, (height // 4 + 1, width // 4 + 1, 1)).repeat(3, 2)
    image = np.full((height, width, 3), rng.integers(70, 160), np.float64) + cv2.resize(grain, (width, height))
    for _ in range(rng.integers(1, 4)):
        y, x = rng.integers(0, height * 2 // 3), rng.integers(0, width * 2 // 3)
        image[y : y + height // 3, x : x + width // 4] = COLORS[rng.integers(0, 3)]
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads gain nothing on models this small, and on a busy machine they wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def detector() -> tuple[nn.Module, ModelCard]:
    torch.manual_seed(1)
    card = ModelCard(
        name="tiny-detector",
        task="detect",
        labels=("red", "blue"),
        preprocess=Preprocess(size=(64, 96), resize="letterbox", color="rgb", std=(255.0,)),
        decode=Decode("fcos", {"strides": [8, 16, 32], "score_threshold": 0.2, "iou_threshold": 0.5, "max_detections": 50}),
    )
    return TinyDetector().eval(), card


@pytest.fixture(scope="session")
def classifier() -> tuple[nn.Module, ModelCard]:
    torch.manual_seed(2)
    preprocess = Preprocess(
        size=(32, 32), resize="crop", color="rgb", mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
    )
    card = ModelCard(
        name="tiny-classifier", task="classify", labels=("red", "blue", "green"), preprocess=preprocess, decode=Decode("softmax")
    )
    return TinyClassifier().eval(), card


@pytest.fixture(scope="session")
def images() -> list[Image]:
    return pictures(12, (90, 120), 3)


@pytest.fixture(scope="session")
def calibration() -> Calibration:
    return Calibration(pictures(48, (90, 120), 4), "coloured blocks", force=True)


@pytest.fixture(scope="session")
def prepared_detector(detector: tuple[nn.Module, ModelCard]) -> PreparedModel:
    return prepare(*detector)


@pytest.fixture(scope="session")
def prepared_classifier(classifier: tuple[nn.Module, ModelCard]) -> PreparedModel:
    return prepare(*classifier)


@pytest.fixture(scope="session")
def detector_evidence(prepared_detector: PreparedModel, images: list[Image]) -> Evidence:
    return evidence_of(prepared_detector, images, "coloured blocks")


@pytest.fixture(scope="session")
def classifier_evidence(prepared_classifier: PreparedModel, images: list[Image]) -> Evidence:
    return evidence_of(prepared_classifier, images, "coloured blocks")
