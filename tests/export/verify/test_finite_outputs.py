"""A model that returns NaN or infinite values in PyTorch itself is refused before any file is made, and the message says where."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.export import ExportConfig, evidence_of, prepare
from edgecnn.export.config import GraphOptions
from edgecnn.export.run import export_all
from edgecnn.types import Image


class Everywhere(nn.Module):
    """The outputs of another network, in which one output is NaN."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        """As ``model``, with NaN for its logits or scores."""
        found: Tensor | dict[str, Tensor] = self.model(x)
        return found * float("nan") if isinstance(found, Tensor) else {**found, "scores": found["scores"] * float("nan")}


class Scaled(nn.Module):
    """Scores divided by the brightness of the image; a black image gives ``top`` / 0."""

    def __init__(self, model: nn.Module, top: float) -> None:
        super().__init__()
        self.model, self.top = model, top

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Boxes and scores."""
        found: dict[str, Tensor] = self.model(x)
        bright = x.sum()
        return {**found, "scores": (found["scores"] * bright + self.top * (bright == 0)) / bright}


@pytest.fixture
def photos(tmp_path: Path, images: list[Image]) -> str:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index}.png"), image)
    return str(folder)


def test_no_file_of_any_format_and_precision_is_tried(
    classifier: tuple[nn.Module, ModelCard], photos: str, tmp_path: Path
) -> None:
    config = ExportConfig(
        model="",
        formats=("onnx", "tflite", "openvino"),
        precisions=("fp32", "fp16", "int8"),
        calibration=photos,
        force_calibration=True,
        out=tmp_path / "out",
    )
    said: list[str] = []
    with pytest.raises(InputError) as caught:
        export_all(config, Everywhere(classifier[0]), classifier[1], said.append)
    assert caught.value.problem.startswith("the model itself returns NaN in PyTorch: output logits, on all ")
    assert caught.value.exit_code == 2
    assert not said
    assert not (tmp_path / "out").exists()


def evidence_error(model: nn.Module, card: ModelCard, images: list[Image], options: GraphOptions | None = None) -> str:
    with pytest.raises(InputError) as caught:
        evidence_of(prepare(model, card, "fp32", options), images, "blocks")
    return str(caught.value)


@pytest.mark.parametrize(("top", "what"), [(0.0, "NaN"), (1.0, "infinite values")])
def test_the_output_and_the_input_are_named(
    top: float, what: str, detector: tuple[nn.Module, ModelCard], images: list[Image]
) -> None:
    model, card = detector
    dark = [*images, images[0] * 0]
    filled = card.replace(preprocess=dataclasses.replace(card.preprocess, resize="stretch"))  # without gray borders
    text = evidence_error(Scaled(model, top), filled, dark)
    assert text.startswith(
        f'the model itself returns {what} in PyTorch: output scores, on the inputs "real" (1 of {len(dark)}), "black"; mend'
    )


def test_decoder_and_nms_in_the_graph_hide_nothing(detector: tuple[nn.Module, ModelCard], images: list[Image]) -> None:
    text = evidence_error(Everywhere(detector[0]), detector[1], images, GraphOptions(nms=True))
    assert "returns NaN in PyTorch: output scores, on all" in text


def test_weights_that_are_not_finite_are_named(classifier: tuple[nn.Module, ModelCard], images: list[Image]) -> None:
    model = nn.Sequential(classifier[0], nn.Linear(3, 3))
    with torch.no_grad():
        model[1].bias[1] = float("nan")
    text = evidence_error(model.eval(), classifier[1], images)
    assert "its weights are not finite either (1.bias); load weights without NaN" in text
