"""Pruned networks go into every format, verified, with the outputs that the whole network has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from edgecnn.compress.cost import count_macs
from edgecnn.compress.prune import mark_pruned, prune_to
from edgecnn.export import export
from edgecnn.export.prepared import PreparedModel, prepare
from edgecnn.models import create, load_checkpoint, save_checkpoint
from edgecnn.models.new_card import new_card
from edgecnn.runtime.backends import open_backend

NETWORKS: dict[str, dict[str, Any]] = {
    "lecture": {"size": (16, 16), "classes": 3, "filters": 8},
    "resnet-s": {"size": (16, 16), "classes": 3, "widths": (8, 16, 16), "depths": (1, 1, 1)},
    "edgedet": {"size": (64, 64), "widths": (8, 8, 16, 16, 16), "depths": (1, 1, 1, 1), "neck": 8, "head_depth": 1, "classes": 3},
}


@pytest.fixture(scope="module", params=NETWORKS)
def pruned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PreparedModel:
    """A pruned network as its checkpoint gives it back."""
    name, path = str(request.param), tmp_path_factory.mktemp("pruned") / "p.safetensors"
    torch.manual_seed(0)
    card = new_card(name, NETWORKS[name], ("a", "b", "c"))
    model, example = create(name, **NETWORKS[name]), torch.rand(card.inputs[0].shape)
    found = prune_to(model, example, target_macs=count_macs(model, example) * 2 // 3, finetune=lambda _: None, rounds=1)
    assert found.macs_after < found.macs_before
    save_checkpoint(path, found.model, mark_pruned(card))
    return prepare(*load_checkpoint(path))


@pytest.mark.parametrize("format", ["onnx", "tflite", "openvino"])
def test_a_pruned_network_is_exported(format: str, pruned: PreparedModel, tmp_path: Path) -> None:
    card = pruned.reference.card
    artifact = export(pruned, card, tmp_path, format=format)
    assert artifact.parity.passed
    backend = open_backend(artifact.path)
    found = {spec.name: spec.shape for spec in backend.outputs}
    backend.close()
    assert found == {spec.name: spec.shape for spec in card.outputs}
