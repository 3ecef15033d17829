"""`edgecnn compress --qat` of a network that is not one of edgecnn, and its export by the factory and the new weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra train")

import torch
from click.testing import CliRunner
from torch import Tensor, nn

from edgecnn.cli import main
from edgecnn.errors import ArtifactError, InputError
from edgecnn.export.config import ExportConfig, ModelOptions
from edgecnn.export.for_training import open_factory
from edgecnn.export.run import run_exports
from edgecnn.export.source import load_model
from edgecnn.models import factories
from edgecnn.models.checkpoint import load_checkpoint
from edgecnn.models.quantized import QuantizedModel
from edgecnn.runtime.model.card_inference import CardOptions

LABELS = ("dark", "light")
FACTORY = f"{__name__}:Own"


class Own(nn.Module):
    """Not one of the networks of edgecnn: a SiLU, a depthwise convolution, a sum."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU())
        self.depthwise, self.head = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.stem(x)
        logits: Tensor = self.head((x + self.depthwise(x).relu()).mean((2, 3)))
        return logits


class Pair(Own):
    """Two outputs."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Logits twice."""
        logits = super().forward(x)
        return logits, logits


def options(**more: Any) -> ModelOptions:
    card = CardOptions(**{"task": "classify", "labels": ",".join(LABELS), **more})
    return ModelOptions(card=card, input_shape=(1, 3, 16, 16))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for label, base in zip(LABELS, (30, 170), strict=True):
        (folder / label).mkdir()
        for index in range(24):
            cv2.imwrite(str(folder / label / f"{index}.png"), random.integers(base, base + 60, (16, 16, 3), np.uint8))
    return folder


@pytest.fixture(scope="module")
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "own"
    words = [
        "compress",
        FACTORY,
        "--input",
        "1x3x16x16",
        "--task",
        "classify",
        "--labels",
        ",".join(LABELS),
        "--qat",
        "--lr",
        "0.01",
    ]
    more = [
        "--qat-epochs",
        "1",
        "--data",
        str(images),
        "--val-fraction",
        "0.25",
        "--measure",
        "none",
        "--out",
        str(out),
    ]
    result = CliRunner().invoke(main, [*words, *more])
    assert result.exit_code == 0, result.output
    return out / "01-qat.safetensors"


def test_the_result_is_exported_by_factory_and_weights(trained: Path, images: Path, tmp_path: Path) -> None:
    model, card = load_model(FACTORY, ModelOptions(weights=trained))
    assert isinstance(model, QuantizedModel)
    assert (card.task, card.labels) == ("classify", LABELS)
    config = ExportConfig(
        model=FACTORY,
        formats=("onnx", "tflite", "openvino"),
        precisions=("int8",),
        out=tmp_path,
        verify=str(images),
        model_options=ModelOptions(weights=trained),
    )
    for artifact in run_exports(config):
        assert artifact.card.calibration["ranges"] == "trained"
        assert artifact.parity.passed


def test_a_checkpoint_alone_imports_nothing(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factories, "_named", {})
    with pytest.raises(ArtifactError, match=f"is made by {FACTORY}, which is not part of edgecnn") as caught:
        load_checkpoint(trained)
    assert caught.value.fix == f"name both: edgecnn export {FACTORY} --weights {trained}"


def test_options_beside_such_a_checkpoint_are_refused(trained: Path) -> None:
    with pytest.raises(InputError, match="--labels can't be used with a checkpoint"):
        load_model(FACTORY, ModelOptions(weights=trained, card=CardOptions(labels="a,b")))


@pytest.mark.parametrize(
    ("target", "given", "said"),
    [
        pytest.param(
            FACTORY, options(task="detect", decode="yolo"), "the task detect of your own code has no loss here", id="task"
        ),
        pytest.param(FACTORY, options(labels="a,b,c"), r"gives \(2, 2\) for two images, but there are 3 labels", id="labels"),
        pytest.param(f"{__name__}:Pair", options(), "gives tuple for two images, but there are 2 labels", id="two-outputs"),
        pytest.param(FACTORY, options(decode="probabilities"), "needs scores before softmax", id="decoder"),
    ],
)
def test_what_has_no_loss_is_one_line(target: str, given: ModelOptions, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_factory(target, given)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["cups", "--weights", "a.pth", "--qat"], "--weights is for package.module:factory", id="checkpoint"),
        pytest.param(
            [FACTORY, "--input", "1x3x16x16", "--task", "classify", "--labels", "a,b", "--target-macs", "2x"],
            "can only be trained for int8",
            id="pruning",
        ),
    ],
)
def test_other_uses_are_one_line(words: list[str], said: str, images: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["compress", *words, "--data", str(images), "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, InputError) or result.exit_code == 2
    assert said in f"{result.output}{result.exception}"
    assert not (tmp_path / "out").exists()
