from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from edgecnn.errors import InputError
from edgecnn.models import create, names
from edgecnn.models.registry import defaults, task_of


@pytest.mark.parametrize("name", ["mlp", "lecture", "resnet-s"])
@pytest.mark.parametrize(
    ("channels", "size"), [pytest.param(1, (28, 28), id="gray-28x28"), pytest.param(3, (32, 48), id="rgb-32x48")]
)
def test_classifier_gives_logits_for_each_class(name: str, channels: int, size: tuple[int, int]) -> None:
    model = create(name, classes=7, channels=channels, size=size).eval()
    with torch.inference_mode():
        logits = model(torch.rand(2, channels, *size))
    assert logits.shape == (2, 7)
    assert logits.dtype == torch.float32


def test_lecture_is_the_network_of_the_lecture() -> None:
    layers = list(create("lecture").modules())
    convolutions = [layer for layer in layers if isinstance(layer, torch.nn.Conv2d)]
    assert [(layer.out_channels, layer.kernel_size) for layer in convolutions] == [(16, (3, 3)), (16, (3, 3))]
    for kind in (torch.nn.LeakyReLU, torch.nn.MaxPool2d, torch.nn.BatchNorm2d, torch.nn.Linear):
        assert any(isinstance(layer, kind) for layer in layers), kind


def test_residual_network_is_small() -> None:
    count = sum(parameter.numel() for parameter in create("resnet-s").parameters())
    assert 100_000 < count < 300_000


def test_defaults_are_the_options_of_the_model() -> None:
    assert defaults("edgedet")["size"] == (256, 320)
    create("edgedet", **defaults("edgedet"))


def test_task_is_known_without_building() -> None:
    assert [task_of(name) for name in names()] == ["classify", "classify", "classify", "detect"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        pytest.param("yolo", {}, "wanted a model of mlp, lecture, resnet-s, edgedet, found 'yolo'", id="unknown-name"),
        pytest.param("mlp", {"depth": 3}, "depth", id="unknown-option"),
        pytest.param("edgedet", {"size": (250, 320)}, "multiples of 32", id="size-that-strides-do-not-divide"),
    ],
)
def test_wrong_request_is_explained(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create(name, **options)


def test_listing_models_does_not_import_torch() -> None:
    code = "import sys, edgecnn.models as m; m.names(); m.shipped(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
