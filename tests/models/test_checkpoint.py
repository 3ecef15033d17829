from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgecnn.card import CARD_KEY
from edgecnn.errors import ArtifactError, EdgeCnnError, InputError
from edgecnn.models import create, find_checkpoint, load_checkpoint, read_card, save_checkpoint, shipped
from edgecnn.models.checkpoint import digest
from edgecnn.models.new_card import new_card

OPTIONS = {"classes": 3, "hidden": 8, "size": (4, 4)}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, create("mlp", **OPTIONS), new_card("mlp", OPTIONS, ("a", "b", "c")))
    return path


def test_weights_and_card_come_back(tmp_path: Path) -> None:
    model = create("mlp", **OPTIONS)
    card = save_checkpoint(tmp_path / "m.safetensors", model, new_card("mlp", OPTIONS, ("a", "b", "c")))
    loaded, found = load_checkpoint(tmp_path / "m.safetensors")
    assert found.labels == card.labels
    assert found.sha256 == card.sha256 != ""
    assert not loaded.training
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True))


def test_card_is_read_without_the_weights(checkpoint: Path) -> None:
    assert read_card(checkpoint) == load_checkpoint(checkpoint)[1]


def test_digest_is_of_the_weights(tmp_path: Path) -> None:
    card = new_card("mlp", OPTIONS, ("a", "b", "c"))
    first = save_checkpoint(tmp_path / "a.safetensors", create("mlp", **OPTIONS), card)
    second = save_checkpoint(tmp_path / "b.safetensors", create("mlp", **OPTIONS), card)
    assert first.sha256 != second.sha256


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garble(path: Path) -> None:
    path.write_bytes(b"not a model at all" * 100)


def _huge_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")


def _pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weights": "anything"}))


def _other_weight(path: Path) -> None:
    weights = load_file(path)
    weights["layers.1.bias"][0] += 1e-6
    save_file(weights, path, {CARD_KEY: read_card(path).to_json()})


def _no_card(path: Path) -> None:
    save_file(load_file(path), path)


def _bad_card(path: Path) -> None:
    save_file(load_file(path), path, {CARD_KEY: '{"version": 1}'})


def _future_card(path: Path) -> None:
    card = json.loads(read_card(path).to_json()) | {"version": 99}
    save_file(load_file(path), path, {CARD_KEY: json.dumps(card)})


def _other_shape(path: Path) -> None:
    card = read_card(path)
    other = card.replace(model={"name": "mlp", "options": {**OPTIONS, "hidden": 16}})
    save_file(load_file(path), path, {CARD_KEY: other.to_json()})


def _missing_tensor(path: Path) -> None:
    weights = load_file(path)
    del weights["layers.1.bias"]
    save_file(weights, path, {CARD_KEY: read_card(path).replace(sha256=digest(weights)).to_json()})


def _nameless(path: Path) -> None:
    save_file(load_file(path), path, {CARD_KEY: read_card(path).replace(model={}).to_json()})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda path: path.write_bytes(b""), "is empty", id="empty"),
        pytest.param(_truncate, "broken or truncated", id="truncated"),
        pytest.param(_garble, "broken or truncated", id="garbage"),
        pytest.param(_huge_header, "broken or truncated", id="header-length-of-an-exabyte"),
        pytest.param(_pickled, "broken or truncated", id="pickle"),
        pytest.param(_no_card, "holds weights without a card", id="no-card"),
        pytest.param(_bad_card, "name is missing", id="incomplete-card"),
        pytest.param(_future_card, "version 99", id="card-of-a-later-version"),
        pytest.param(_other_shape, "do not fit the model mlp", id="card-of-another-shape"),
        pytest.param(_missing_tensor, "missing", id="missing-tensor"),
        pytest.param(_other_weight, "SHA-256 differs from the card's", id="changed-weight"),
        pytest.param(_nameless, "does not name its model", id="card-without-a-model"),
    ],
)
def test_spoilt_checkpoint_gives_one_line(checkpoint: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(checkpoint)
    with pytest.raises(ArtifactError, match=message) as caught:
        load_checkpoint(checkpoint)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("nothing-of-that-name", "the checkpoint nothing-of-that-name does not exist", id="missing"),
        pytest.param(".", "is a folder, not a checkpoint", id="folder"),
        pytest.param(__file__, "test_checkpoint.py", id="another-kind-of-file"),
    ],
)
def test_no_checkpoint_there(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_checkpoint(name)


def test_weights_of_others_are_told_the_way(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"x")
    with pytest.raises(InputError, match=r"is not a checkpoint.*; weights alone are exported with .*:factory --weights FILE"):
        find_checkpoint(tmp_path / "net.pth")


def test_writing_where_it_can_not_be_keeps_what_is_there(checkpoint: Path) -> None:
    before = checkpoint.read_bytes()
    with pytest.raises(InputError, match="--out"):
        save_checkpoint(checkpoint / "below-a-file.safetensors", create("mlp", **OPTIONS), read_card(checkpoint))
    assert checkpoint.read_bytes() == before
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]


@pytest.mark.parametrize("name", shipped())
def test_shipped_checkpoint_loads_and_fits_its_card(name: str) -> None:
    try:
        model, card = load_checkpoint(name)
    except EdgeCnnError as error:
        pytest.fail(str(error))
    with torch.inference_mode():
        found = model(torch.zeros(card.inputs[0].shape))
    outputs = found if isinstance(found, tuple) else (found,)
    assert [tuple(tensor.shape) for tensor in outputs] == [spec.shape for spec in card.outputs]
    assert card.training["command"].startswith(("edgecnn train ", "edgecnn compress "))
    assert card.training["scores"]
    assert find_checkpoint(name).stat().st_size < 5e6
