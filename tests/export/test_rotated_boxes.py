"""A detector of rotated boxes from PyTorch to a file that is verified, tested, run and measured on labels with four corners."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import CARD_KEY, ModelCard, Precision
from edgecnn.data import open_dataset
from edgecnn.export.config import ExportConfig, ModelOptions
from edgecnn.export.run import run_exports
from edgecnn.rotated import corners
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest
from edgecnn.tasks.evaluate import evaluate
from edgecnn.types import Detections, Float32, Int64
from tests.export.conftest import pictures

STRIDES, SIZE = (8, 16, 32), (64, 96)
FORMATS: tuple[str, ...] = ("onnx", "tflite", "openvino")
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
FILES = [f"{name} {precision}" for name in FORMATS for precision in PRECISIONS]


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
def artifacts(images: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    config = _config(images, tmp_path_factory.mktemp("out"), FORMATS, PRECISIONS)
    return {f"{made.format} {made.card.precision}": made.path for made in run_exports(config)}


def _config(calibration: Path, out: Path, formats: tuple[str, ...], precisions: tuple[Precision, ...]) -> ExportConfig:
    return ExportConfig(
        model=f"{__name__}:TinyRotated",
        formats=formats,
        precisions=precisions,
        out=out,
        calibration=str(calibration),
        force_calibration=True,
        model_options=ModelOptions(
            card=CardOptions(task="detect", decode="yolo-obb", labels="red,blue"), input_shape=(1, 3, *SIZE)
        ),
    )


@pytest.fixture(params=FILES)
def artifact(request: pytest.FixtureRequest, artifacts: dict[str, Path]) -> Path:
    return artifacts[request.param]


def test_the_file_is_verified_by_rotated_boxes(artifact: Path) -> None:
    backend = open_backend(artifact)
    try:
        card = ModelCard.from_json(backend.metadata[CARD_KEY])
        result = selftest(backend, card, artifact)
    finally:
        backend.close()
    assert not result.violations
    assert card.parity["passed"] is True
    assert [spec.shape for spec in card.outputs] == [(1, 7, 126)]
    assert card.decode.name == "yolo-obb"


@pytest.fixture(scope="module", params=["dota", "yolo"])
def labelled(
    request: pytest.FixtureRequest, artifacts: dict[str, Path], images: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The images, labelled with what the fp32 ONNX file finds."""
    folder = tmp_path_factory.mktemp(request.param)
    with Predictor(artifacts["onnx fp32"]) as predictor:
        found = {path: predictor(cv2.imread(str(path))) for path in sorted(images.iterdir())}
    write = {"dota": _dota, "yolo": _yolo}[request.param]
    assert sum(len(one) for one in found.values()) > 4  # type: ignore[arg-type]
    for path, one in found.items():
        assert isinstance(one, Detections)
        assert one.xywhr is not None
        write(folder, path, one.class_id, corners(one.xywhr))
    return folder


def test_a_run_finds_the_boxes_and_labels_of_four_corners_measure_them(artifact: Path, labelled: Path) -> None:
    pytest.importorskip("pycocotools")
    dataset = open_dataset(str(labelled), labels="red,blue")
    assert all(one.what.endswith("clipped") for one in dataset.problems)
    with Predictor(artifact) as predictor:
        right = evaluate(predictor, dataset)
        turned = evaluate(lambda image: _turned(predictor(image)), dataset)
    assert right.values["map"] > 0.9
    assert turned.values["map"] < 0.3


def test_rotated_labels_calibrate(labelled: Path, tmp_path: Path) -> None:
    (made,) = run_exports(_config(labelled, tmp_path, ("openvino",), ("int8",)))
    assert made.card.parity["passed"] is True


def _turned(found: object) -> Detections:
    assert isinstance(found, Detections)
    assert found.xywhr is not None
    return Detections(found.xyxy, found.score, found.class_id, xywhr=found.xywhr + np.float32([0, 0, 0, 0, np.pi / 2]))


def _dota(folder: Path, image: Path, class_id: Int64, points: Float32) -> None:
    rows = [
        " ".join([*map(str, row), ("red", "blue")[index], "0"])
        for index, row in zip(class_id, points.reshape(-1, 8), strict=True)
    ]
    _write(folder, image, "labelTxt", ["imagesource:GoogleEarth", "gsd:0.1", *rows])


def _yolo(folder: Path, image: Path, class_id: Int64, points: Float32) -> None:
    (folder / "classes.txt").write_text("red\nblue\n")
    fractions = (points / np.float32(SIZE[::-1])).reshape(-1, 8)
    rows = [" ".join(map(str, [index, *row])) for index, row in zip(class_id, fractions, strict=True)]
    _write(folder, image, "labels", rows)


def _write(folder: Path, image: Path, labels: str, lines: list[str]) -> None:
    for name in ("images", labels):
        (folder / name).mkdir(exist_ok=True)
    shutil.copy(image, folder / "images")
    (folder / labels / f"{image.stem}.txt").write_text("\n".join(lines))
