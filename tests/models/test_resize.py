"""A pruned network comes back from its file alone; a file whose layers do not fit each other is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edgecnn.card import CARD_KEY
from edgecnn.compress.cost import count_macs
from edgecnn.compress.prune import mark_pruned, prune_to
from edgecnn.errors import ArtifactError
from edgecnn.models import create, load_checkpoint, read_card, save_checkpoint
from edgecnn.models.checkpoint import digest
from edgecnn.models.new_card import new_card

NETWORKS: dict[str, dict[str, Any]] = {
    "lecture": {"size": (16, 16), "classes": 3},
    "resnet-8": {"size": (16, 16), "classes": 3},
    "mobilenet": {"size": (16, 16), "width": 0.25, "classes": 3},
    "edgedet": {
        "size": (64, 64),
        "widths": (8, 16, 16, 24, 32),
        "depths": (1, 1, 1, 1),
        "neck": 16,
        "head_depth": 1,
        "classes": 3,
    },
}


def pruned(name: str, path: Path) -> tuple[nn.Module, Tensor]:
    """A pruned network and an input of it; its checkpoint is at ``path``."""
    torch.manual_seed(0)
    card = new_card(name, NETWORKS[name], ("a", "b", "c"))
    model, example = create(name, **NETWORKS[name]), torch.rand(card.inputs[0].shape)
    found = prune_to(model, example, target_macs=count_macs(model, example) // 2, finetune=lambda _: None, rounds=1)
    save_checkpoint(path, found.model, mark_pruned(card))
    return found.model, example


@pytest.mark.parametrize("name", NETWORKS)
def test_a_pruned_network_comes_back(name: str, tmp_path: Path) -> None:
    model, example = pruned(name, tmp_path / "p.safetensors")
    loaded, card = load_checkpoint(tmp_path / "p.safetensors")
    assert card.model["pruned"] is True
    with torch.no_grad():
        torch.testing.assert_close(loaded(example), model(example), rtol=0, atol=0)
    layers = [layer for layer in loaded.modules() if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d)]
    assert [str(layer) for layer in layers] == [str(layer) for layer in model.modules() if type(layer) in map(type, layers)]


def _unmarked(path: Path) -> None:
    card = read_card(path)
    plain = card.replace(model={key: value for key, value in card.model.items() if key != "pruned"})
    save_file(load_file(path), path, {CARD_KEY: plain.to_json()})


def _cut(name: str, size: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        weights = load_file(path)
        weights[name] = weights[name][:size].contiguous()
        save_file(weights, path, {CARD_KEY: read_card(path).replace(sha256=digest(weights)).to_json()})

    return change


def _missing(path: Path) -> None:
    weights = load_file(path)
    del weights["features.3.running_mean"]
    save_file(weights, path, {CARD_KEY: read_card(path).replace(sha256=digest(weights)).to_json()})


def _other_kernel(path: Path) -> None:
    weights = load_file(path)
    weights["features.0.weight"] = weights["features.0.weight"][:, :, :1].contiguous()
    save_file(weights, path, {CARD_KEY: read_card(path).replace(sha256=digest(weights)).to_json()})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(_unmarked, "fit the model lecture", id="card-that-does-not-say-pruned"),
        pytest.param(_cut("features.3.running_mean", 2), "fit the model lecture", id="batch-norm-of-two-minds"),
        pytest.param(_cut("head.3.bias", 2), "fit the model lecture", id="bias-that-does-not-fit-its-weights"),
        pytest.param(_missing, "fit the model lecture", id="missing-tensor"),
        pytest.param(_other_kernel, "fit the model lecture", id="kernel-of-another-size"),
    ],
)
def test_a_spoilt_file_of_a_pruned_network_is_refused(spoil: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    pruned("lecture", path)
    spoil(path)
    with pytest.raises(ArtifactError, match=message) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_layers_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    pruned("lecture", path)
    weights = load_file(path)
    for name in ("features.0.weight", "features.0.bias"):
        weights[name] = weights[name][:2].contiguous()
    save_file(weights, path, {CARD_KEY: read_card(path).replace(sha256=digest(weights)).to_json()})
    with pytest.raises(ArtifactError, match="do not fit each other"):
        load_checkpoint(path)
