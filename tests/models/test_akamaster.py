from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from edgecnn.data import open_dataset
from edgecnn.errors import ArtifactError, InputError
from edgecnn.models import create, load_checkpoint
from edgecnn.models.akamaster import LABELS, convert, renamed
from edgecnn.tasks.evaluate import evaluate
from edgecnn.train.predict import EagerPredictor


def original(name: str, blocks: int, classes: int = 10) -> dict[str, torch.Tensor]:
    """The weights of one of our networks under the names of the original."""
    torch.manual_seed(0)
    network = create(name, blocks=blocks, classes=classes)
    ours = {key: torch.rand_like(value) for key, value in network.state_dict().items() if value.is_floating_point()}
    names = ["conv1.weight", "linear.weight", "linear.bias"]
    kinds = ("weight", "bias", "running_mean", "running_var")
    names += [f"bn1.{kind}" for kind in kinds]
    for place in (f"layer{stage}.{index}" for stage in (1, 2, 3) for index in range(blocks)):
        names += [f"{place}.conv{layer}.weight" for layer in (1, 2)]
        names += [f"{place}.bn{layer}.{kind}" for layer in (1, 2) for kind in kinds]
    return {f"module.{key}": ours[renamed(key, blocks)] for key in names}


@pytest.mark.parametrize(("name", "blocks"), [pytest.param("resnet-8", 1, id="8"), pytest.param("resnet-20", 3, id="20")])
def test_every_tensor_comes_over(tmp_path: Path, name: str, blocks: int) -> None:
    stored = original(name, blocks)
    torch.save({"state_dict": stored, "best_prec1": 91.5}, tmp_path / "net.th")
    card = convert(tmp_path / "net.th", tmp_path / "net.safetensors")
    model, found = load_checkpoint(tmp_path / "net.safetensors")
    assert found.model["name"] == card.model["name"] == name
    assert found.labels == LABELS
    assert found.training["published_top1"] == pytest.approx(0.915)
    weights = model.state_dict()
    assert all(torch.equal(weights[renamed(key.removeprefix("module."), blocks)], value) for key, value in stored.items())


@pytest.mark.parametrize("blocks", [pytest.param(2, id="14"), pytest.param(7, id="44")])
def test_depths_without_a_name_of_their_own(tmp_path: Path, blocks: int) -> None:
    stored = original("resnet-20", blocks)
    torch.save(stored, tmp_path / "net.th")
    card = convert(tmp_path / "net.th", tmp_path / "net.safetensors")
    model, found = load_checkpoint(tmp_path / "net.safetensors")
    assert card.name == found.name == f"resnet-{6 * blocks + 2}"
    weights = model.state_dict()
    assert all(torch.equal(weights[renamed(key.removeprefix("module."), blocks)], value) for key, value in stored.items())


def test_other_classes_need_their_names(tmp_path: Path) -> None:
    torch.save(original("resnet-8", 1, classes=3), tmp_path / "net.th")
    with pytest.raises(InputError, match="has 3 classes, 0 names were given; name them with --labels"):
        convert(tmp_path / "net.th", tmp_path / "net.safetensors")
    assert convert(tmp_path / "net.th", tmp_path / "net.safetensors", ("a", "b", "c")).labels == ("a", "b", "c")


def _nothing(path: Path) -> None:
    path.write_bytes(b"")


def _other_network(path: Path) -> None:
    torch.save({"state_dict": {"features.0.weight": torch.zeros(1)}}, path)


def _one_tensor_less(path: Path) -> None:
    stored = original("resnet-8", 1)
    del stored["module.layer2.0.bn1.weight"]
    torch.save({"state_dict": stored}, path)


def _no_weights(path: Path) -> None:
    torch.save({"epoch": 3}, path)


@pytest.mark.parametrize("spoil", [_nothing, _other_network, _one_tensor_less, _no_weights])
def test_another_file_is_refused(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = tmp_path / "net.th"
    spoil(path)
    with pytest.raises(ArtifactError, match="akamaster"):
        convert(path, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.real_data
def test_published_weights_score_as_on_lossy_pictures(real_data: Path, tmp_path: Path) -> None:
    """Published 91.78 % is on lossless pictures; a wrong channel order, scale, or shortcut would leave far less than 75 %."""
    weights = real_data / "models" / "cifar10_resnet_akamaster" / "pretrained_models" / "resnet20-12fca82f.th"
    archive = real_data / "cifar10-jpeg" / "cifar10-jpeg-test.tar.xz"
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes()), mode="r:xz") as tar:
        if hasattr(tarfile, "data_filter"):  # Python 3.11.4 and later
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(tmp_path / "cifar", members=[item for item in tar if item.name[-6:] in ("00.jpg", "50.jpg")])
    convert(weights, tmp_path / "net.safetensors")
    model, card = load_checkpoint(tmp_path / "net.safetensors")
    score = evaluate(EagerPredictor(model, card), open_dataset(str(tmp_path / "cifar"), split="test"), strict=True)
    assert score.n == 200
    assert 0.72 < score.primary < 0.92
