from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from edgecnn.errors import InputError
from edgecnn.models import create, names
from edgecnn.models.blocks import Subsample
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


@pytest.mark.parametrize(
    ("name", "blocks", "count"),
    [
        pytest.param("resnet-8", 1, 75_290, id="8"),
        pytest.param("resnet-20", 3, 269_722, id="20"),
        pytest.param("resnet-32", 5, 464_154, id="32"),
        pytest.param("resnet-56", 9, 853_018, id="56"),
    ],
)
def test_cifar_family_has_the_sizes_of_the_paper(name: str, blocks: int, count: int) -> None:
    """Table 6 of arXiv:1512.03385 has 0.27 M, 0.46 M and 0.85 M; 6n + 2 layers."""
    model = create(name)
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == 6 * blocks + 2
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_free_shortcut_has_zeros_on_both_sides() -> None:
    x = torch.rand(1, 4, 6, 6)
    found = Subsample(4, 10, 2)(x)
    assert found.shape == (1, 10, 3, 3)
    assert torch.equal(found[:, 3:7], x[:, :, ::2, ::2])
    assert not found[:, :3].any()
    assert not found[:, 7:].any()


def test_mobilenet_is_the_one_of_the_paper() -> None:
    """Table 4 of arXiv:1801.04381: 3.4 M parameters (300 M multiply-adds) for 1000 classes at 224 x 224."""
    model = create("mobilenet", classes=1000, size=(224, 224), width=1.0)
    assert sum(parameter.numel() for parameter in model.parameters()) == 3_504_872


@pytest.mark.parametrize(
    ("size", "cells"),
    [
        pytest.param((28, 28), (4, 4), id="28"),
        pytest.param((32, 32), (4, 4), id="32"),
        pytest.param((48, 64), (6, 8), id="48x64"),
        pytest.param((96, 96), (6, 6), id="96"),
        pytest.param((160, 192), (5, 6), id="160x192"),
        pytest.param((4, 4), (4, 4), id="as-small-as-can-be"),
    ],
)
def test_mobilenet_keeps_cells_of_small_images(size: tuple[int, int], cells: tuple[int, int]) -> None:
    model = create("mobilenet", channels=1, size=size, width=0.1).eval()
    with torch.inference_mode():
        assert model.stages(model.stem(torch.rand(1, 1, *size))).shape[2:] == cells


@pytest.mark.parametrize("name", ["resnet-8", "mobilenet"])
def test_width_makes_it_smaller(name: str) -> None:
    whole, half = (sum(p.numel() for p in create(name, width=width).parameters()) for width in (1.0, 0.5))
    assert whole / 5 < half < whole / 3
    with pytest.raises(InputError, match="width must be above 0, not"):
        create(name, width=0)


@pytest.mark.parametrize("name", [name for name in names() if task_of(name) == "classify"])
def test_head_for_values(name: str) -> None:
    assert create(name, classes=1, head="regress").task == task_of(name, {"head": "regress"}) == "regress"
    assert create(name, classes=3, head="multilabel").task == task_of(name, {"head": "multilabel"}) == "multilabel"
    with pytest.raises(InputError, match="head must be one of classify, regress, multilabel, not 'detect'"):
        create(name, head="detect")


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
        pytest.param("yolo", {}, "there is no model 'yolo'; use one of mlp, lecture, .*edgedet", id="unknown-name"),
        pytest.param("mlp", {"depth": 3}, "depth", id="unknown-option"),
        pytest.param("resnet-m", {"depths": (1, 2)}, "a depth for each of 3 widths, not 2", id="depths-that-widths-do-not-have"),
        pytest.param("edgedet", {"size": (250, 320)}, "multiples of 32", id="size-that-strides-do-not-divide"),
    ],
)
def test_wrong_request_is_explained(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create(name, **options)


def test_listing_models_does_not_import_torch() -> None:
    code = "import sys, edgecnn.models as m; m.names(); m.shipped(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
