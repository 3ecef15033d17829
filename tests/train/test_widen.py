"""Wider networks start with the outputs of the narrower one that was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgecnn.models.checkpoint import load_checkpoint, save_checkpoint
from edgecnn.models.new_card import new_card
from edgecnn.models.registry import create
from edgecnn.train.transfer import reuse
from edgecnn.train.widen import widened

NARROW: dict[str, dict[str, Any]] = {
    "resnet-s": {"widths": (4, 8), "depths": (1, 2), "size": (28, 28)},
    "mobilenet": {"width": 0.5, "size": (32, 32)},
    "edgedet": {"widths": (8, 8, 16, 16, 24), "depths": (1, 2, 1, 1), "neck": 16, "size": (64, 64)},
    "edgeseg": {"widths": (8, 8, 16, 16, 24), "neck": 8, "size": (64, 64)},
    "mlp": {"hidden": 12, "size": (8, 8)},
}
WIDE: dict[str, dict[str, Any]] = {
    "resnet-s": {"widths": (6, 20), "depths": (1, 2), "size": (28, 28)},
    "mobilenet": {"width": 1.0, "size": (32, 32)},
    "edgedet": {"widths": (8, 12, 24, 40, 48), "depths": (1, 2, 1, 1), "neck": 24, "size": (64, 64)},
    "edgeseg": {"widths": (8, 12, 24, 16, 48), "neck": 20, "size": (64, 64)},
    "mlp": {"hidden": 30, "size": (8, 8)},
}


def made(name: str, options: dict[str, Any], classes: int = 3, seed: int = 1) -> nn.Module:
    """A network whose norms have statistics of their own, as after a training."""
    torch.manual_seed(seed)
    model = create(name, **options, classes=classes).eval()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_mean.uniform_(-0.5, 0.5)
                layer.running_var.uniform_(0.2, 1.0)
                layer.weight.uniform_(0.5, 2)
                layer.bias.uniform_(-0.2, 0.5)
    return model


def stored(path: Path, name: str, model: nn.Module, options: dict[str, Any]) -> str:
    save_checkpoint(path, model, new_card(name, {**options, "classes": 3}, ("a", "b", "c")))
    return str(path)


def outputs(model: nn.Module, inputs: Tensor) -> list[Tensor]:
    with torch.no_grad():
        found = model(inputs)
    return list(found) if isinstance(found, tuple) else [found]


@pytest.mark.parametrize("name", NARROW)
def test_outputs_stay_and_all_tensors_are_reused(name: str, tmp_path: Path) -> None:
    old = made(name, NARROW[name])
    path = stored(tmp_path / "narrow.safetensors", name, old, NARROW[name])
    wide = made(name, WIDE[name], seed=2)
    reused = reuse(wide, path)
    assert not reused.new
    assert reused.widened
    assert f"{len(reused.widened)} of them widened" in str(reused)
    assert reused.record()["widened"] == len(reused.widened)
    channels = load_checkpoint(path)[1].preprocess.channels
    inputs = torch.rand(2, channels, *NARROW[name]["size"])
    for ours, theirs in zip(outputs(wide.eval(), inputs), outputs(old, inputs), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
        assert ours.std() > 1e-4  # not equal because nothing passes through


def test_copies_are_told_apart_by_the_layers_that_read_them() -> None:
    """Two copies with the same weights everywhere would have the same gradients, and the network would stay as narrow as it was."""
    old = made("resnet-s", NARROW["resnet-s"])
    wide = made("resnet-s", WIDE["resnet-s"], seed=2)
    wide.load_state_dict({**old.state_dict(), **widened(wide, old, torch.zeros(1, 1, 28, 28))})
    read = wide.get_submodule("stages.1.second.0").weight
    assert isinstance(read, Tensor)
    columns = read.detach().transpose(0, 1).flatten(1)
    assert len(torch.unique(columns, dim=0)) == len(columns)
    torch.manual_seed(0)
    wide.train()(torch.rand(4, 1, 28, 28)).square().sum().backward()
    gradient = wide.get_submodule("stages.1.first.0").weight.grad
    assert gradient is not None
    assert len(torch.unique(gradient.flatten(1), dim=0)) == len(gradient)


def test_seed_chooses_the_copies() -> None:
    old, wide = made("resnet-s", NARROW["resnet-s"]), made("resnet-s", WIDE["resnet-s"])
    first, again, other = (widened(wide, old, torch.zeros(1, 1, 28, 28), seed) for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_other_classes_are_new_and_the_rest_is_widened(tmp_path: Path) -> None:
    path = stored(tmp_path / "three.safetensors", "edgedet", made("edgedet", NARROW["edgedet"]), NARROW["edgedet"])
    reused = reuse(create("edgedet", **WIDE["edgedet"], classes=7), path)
    assert {key.rsplit(".", 2)[0].partition(".")[0] for key in reused.new} == {"heads"}
    assert len(reused.new) == 6  # weight and bias of the scores of three levels
    assert reused.widened


def test_more_blocks_are_new_ones(tmp_path: Path) -> None:
    """Channels can be copied; a block that did not exist starts random, and is named."""
    path = stored(tmp_path / "short.safetensors", "resnet-s", made("resnet-s", NARROW["resnet-s"]), NARROW["resnet-s"])
    reused = reuse(create("resnet-s", widths=(6, 20), depths=(1, 3), size=(28, 28), classes=3), path)
    assert reused.new
    assert {key.rsplit(".", 3)[0] for key in reused.new} == {"stages.3"}
    assert reused.widened


def test_padded_shortcuts_are_not_widened() -> None:
    """Their zero channels lie between the others: no channel of the sum has one place in both."""
    old, wide = create("resnet-8", classes=3).eval(), create("resnet-8", classes=3).eval()
    assert widened(wide, old, torch.zeros(1, 3, 32, 32)) == {}  # nothing is wider
    torch_pruned = create("resnet-8", classes=3, size=(32, 32))
    layer = torch_pruned.get_submodule("stem.0")
    assert isinstance(layer, nn.Conv2d)
    layer.weight = nn.Parameter(torch.zeros(24, 3, 3, 3))
    assert widened(torch_pruned, old, torch.zeros(1, 3, 32, 32)) == {}
