from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from edgecnn.errors import InputError
from edgecnn.models import create, names
from edgecnn.models.registry import defaults, task_of


@pytest.mark.parametrize("name", [name for name in names() if task_of(name) == "classify"])
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


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        pytest.param("resnet-xs", 80_000, 100_000, id="xs"),
        pytest.param("resnet-s", 100_000, 300_000, id="s"),
        pytest.param("resnet-m", 800_000, 1_000_000, id="m"),
    ],
)
def test_residual_networks_have_their_sizes(name: str, low: int, high: int) -> None:
    assert low < sum(parameter.numel() for parameter in create(name, channels=3).parameters()) < high


def test_depths_by_stage() -> None:
    same = create("resnet-s", widths=(4, 8), depths=(2, 2)).state_dict()
    assert {key: value.shape for key, value in same.items()} == {
        key: value.shape for key, value in create("resnet-s", widths=(4, 8), depth=2).state_dict().items()
    }
    assert len(create("resnet-s", widths=(4, 8, 8), depths=(1, 3, 2)).stages) == 6


def test_defaults_are_the_options_of_the_model() -> None:
    assert defaults("edgedet")["size"] == (256, 320)
    create("edgedet", **defaults("edgedet"))


def test_defaults_of_a_preset_are_its_own() -> None:
    """A card keeps them: the weights of today load although the preset may change."""
    assert defaults("resnet-m")["widths"] == (24, 48, 160)
    assert defaults("resnet-s")["widths"] == (16, 32, 80)


def test_task_is_known_without_building() -> None:
    assert {name: task_of(name) for name in ("mlp", "lecture", "resnet-m", "edgedet")} == {
        "mlp": "classify",
        "lecture": "classify",
        "resnet-m": "classify",
        "edgedet": "detect",
    }


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        pytest.param("yolo", {}, "wanted a model of mlp, lecture, .*edgedet.*, found 'yolo'", id="unknown-name"),
        pytest.param("mlp", {"depth": 3}, "depth", id="unknown-option"),
        pytest.param(
            "resnet-m", {"depths": (1, 2)}, "a depth for each of 3 widths, found 2", id="depths-that-widths-do-not-have"
        ),
        pytest.param("edgedet", {"size": (250, 320)}, "multiples of 32", id="size-that-strides-do-not-divide"),
    ],
)
def test_wrong_request_is_explained(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create(name, **options)


def test_listing_models_does_not_import_torch() -> None:
    code = "import sys, edgecnn.models as m; m.names(); m.shipped(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
