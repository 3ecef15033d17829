"""A detector of rotated boxes from PyTorch to a file that is verified, tested, run and measured on labels with four corners."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.data import open_dataset
from edgecnn.export.config import ExportConfig, ModelOptions
from edgecnn.export.run import run_exports
from edgecnn.rotated import corners
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest
from edgecnn.tasks.evaluate import evaluate
from edgecnn.types import Detections, Image
from tests.export.conftest import pictures

STRIDES, SIZE = (8, 16, 32), (64, 96)


class TinyRotated(nn.Module):
    """Red and blue things in the layout of YOLO11-OBB, (1, 4 + 2 + 1, cells): boxes of 3 by 1.5 cells, turned the more the greener."""

    def __init__(self) -> None:
        super().__init__()
        self.hue, self.green = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 1, 1)
        with torch.no_grad():
            self.hue.weight.copy_(torch.tensor([[14.0, -7, -7], [-7, -7, 14]]).reshape(2, 3, 1, 1))
            self.hue.bias.copy_(torch.tensor([-4.0, -4]))  # type: ignore[union-attr]
            self.green.weight.copy_(torch.tensor([0.0, 1, 0]).reshape(1, 3, 1, 1))
            self.green.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Decoded boxes, and a raw map that a loss would need, as the class of such a network returns."""
        parts = []
        for stride in STRIDES:
            mean = nn.functional.avg_pool2d(x, stride)
            height, width = SIZE[0] // stride, SIZE[1] // stride
            y, x_ = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
            boxes = torch.stack([x_, y, torch.full_like(y, 3), torch.full_like(y, 1.5)])[None] * stride
            parts.append(torch.cat([boxes, self.hue(mean).sigmoid(), self.green(mean) + 0.2], 1).flatten(2))
        return torch.cat(parts, 2), [x]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for index, image in enumerate(pictures(8, SIZE, 5)):
        cv2.imwrite(str(folder / f"{index}.png"), image)
    return folder


@pytest.fixture(scope="module")
def artifact(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = ExportConfig(
        model=f"{__name__}:TinyRotated",
        formats=("onnx",),
        precisions=("int8",),
        out=tmp_path_factory.mktemp("out"),
        calibration=str(images),
        force_calibration=True,
        model_options=ModelOptions(
            card=CardOptions(task="detect", decode="yolo-obb", labels="red,blue"), input_shape=(1, 3, *SIZE)
        ),
    )
    (made,) = run_exports(config)
    return made.path


def test_the_file_is_verified_by_rotated_boxes(artifact: Path) -> None:
    backend = open_backend(artifact)
    try:
        from edgecnn.card import CARD_KEY, ModelCard

        card = ModelCard.from_json(backend.metadata[CARD_KEY])
        result = selftest(backend, card, artifact)
    finally:
        backend.close()
    assert not result.violations
    assert card.parity["passed"] is True
    assert [spec.shape for spec in card.outputs] == [(1, 7, 126)]
    assert card.decode.name == "yolo-obb"


def test_a_run_finds_the_boxes_and_labels_of_four_corners_measure_them(artifact: Path, images: Path, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    with Predictor(artifact) as predictor:
        found = {path: predictor(cv2.imread(str(path))) for path in sorted(images.iterdir())}
        _write(tmp_path, {path: one for path, one in found.items() if isinstance(one, Detections)})
        dataset = open_dataset(str(tmp_path))
        assert dataset.samples[0].boxes is not None
        assert dataset.samples[0].boxes.corners is not None
        again = evaluate(predictor, dataset)
        turned = evaluate(lambda image: _turned(predictor(image)), dataset)
    assert sum(len(one) for one in found.values() if isinstance(one, Detections)) > 4
    assert again.values["map"] > 0.98
    assert turned.values["map"] < 0.3


def _turned(found: object) -> Detections:
    assert isinstance(found, Detections)
    assert found.xywhr is not None
    return Detections(found.xyxy, found.score, found.class_id, xywhr=found.xywhr + np.float32([0, 0, 0, 0, np.pi / 2]))


def _write(folder: Path, found: dict[Path, Detections]) -> None:
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("red\nblue\n")
    for path, one in found.items():
        image: Image = cv2.imread(str(path))  # type: ignore[assignment]
        cv2.imwrite(str(folder / "images" / path.name), image)
        assert one.xywhr is not None
        points = corners(one.xywhr).reshape(-1, 8) / np.tile(np.float32([SIZE[1], SIZE[0]]), 4)
        lines = [" ".join(map(str, [int(label), *row])) for label, row in zip(one.class_id, points.tolist(), strict=True)]
        (folder / "labels" / f"{path.stem}.txt").write_text("\n".join(lines))
