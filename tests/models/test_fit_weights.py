"""Weights as training scripts leave them: every wrapper in every order, averages beside raw weights, and what does not fit."""

from __future__ import annotations

import argparse
import collections
import enum
import itertools
import pathlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from edgecnn.errors import InputError
from edgecnn.models.fit_weights import LoadedWeights, load_weights_file

Weights = Mapping[str, torch.Tensor]


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    made = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    for tensor in made.state_dict().values():
        if tensor.is_floating_point():
            tensor.data.copy_(torch.rand_like(tensor) + 0.1)
    return made


class Inner(nn.Module):
    """Its own attribute is called model, as the wrappers of some trainers are."""

    def __init__(self) -> None:
        super().__init__()
        self.model = network()


TRAINED = network(1).state_dict()
RAW = network(2).state_dict()


def prefixed(prefix: str, weights: Weights = TRAINED) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


def load(tmp_path: Path, stored: Any, key: str = "", model: nn.Module | None = None) -> tuple[LoadedWeights, dict[str, Any]]:
    torch.save(stored, tmp_path / "w.pt")
    model = model or network()
    loaded = load_weights_file(model, tmp_path / "w.pt", key)
    return loaded, {name.removeprefix("model."): value for name, value in model.state_dict().items()}


def assert_trained(found: Mapping[str, Any]) -> None:
    for name, tensor in TRAINED.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


WRAPPERS = ("module.", "_orig_mod.", "model.", "net.")
ORDERS = ["".join(order) for count in range(3) for order in itertools.permutations(WRAPPERS, count)]


@pytest.mark.parametrize("make", [network, Inner])
@pytest.mark.parametrize("prefix", ORDERS)
def test_wrappers_in_any_order(prefix: str, make: Callable[[], nn.Module], tmp_path: Path) -> None:
    loaded, found = load(tmp_path, {"state_dict": prefixed(prefix), "epoch": 3}, model=make())
    assert_trained(found)
    assert loaded.key == "state_dict"
    assert loaded.tensors == 7


class Colour(enum.Enum):
    RED = 1


class Settings(dict[str, Any]):
    """A dictionary of a class of its own, as configuration packages have."""


class Lists:
    """The parameters of an average, without their names."""


@pytest.mark.parametrize(
    ("stored", "key"),
    [
        pytest.param(TRAINED, "", id="plain"),
        pytest.param({"ema": {"module": TRAINED, "updates": 10}}, "ema.module", id="module-of-an-average"),
        pytest.param({"trainer": {"nets": [{"weights": TRAINED}]}}, "trainer.nets.0.weights", id="deep"),
        pytest.param({"n_averaged": torch.tensor(3), **prefixed("module.")}, "", id="AveragedModel"),
        pytest.param({"model": TRAINED, "best": np.float64(0.9)}, "model", id="numpy-scalar"),
        pytest.param({"model": TRAINED, "args": argparse.Namespace(lr=0.1)}, "model", id="namespace"),
        pytest.param({"model": TRAINED, "at": pathlib.Path("runs") / "a"}, "model", id="path"),
        pytest.param({"model": TRAINED, "kind": Colour.RED}, "model", id="enum"),
        pytest.param({"model": TRAINED, "config": Settings(lr=0.1)}, "model", id="dictionary-of-another-class"),
        pytest.param({"model": TRAINED, "log": collections.defaultdict(list, loss=[1.0])}, "model", id="defaultdict"),
        pytest.param({"model": TRAINED, "rng": np.random.RandomState(0).get_state()}, "model", id="random-state"),
        pytest.param({name: tensor.numpy() for name, tensor in TRAINED.items()}, "", id="numpy-arrays"),
        pytest.param(list(TRAINED.values()), "", id="list"),
        pytest.param(network(1), "", id="pickled-module"),
        pytest.param({"model": nn.DataParallel(network(1)), "epoch": 2}, "model", id="pickled-and-wrapped"),
        pytest.param({name: value for name, value in TRAINED.items() if "tracked" not in name}, "", id="without-counters"),
        pytest.param(prefixed("backbone.module."), "", id="wrapper-of-the-trainers-own"),
        pytest.param({"a": TRAINED, "b": {name: value.clone() for name, value in TRAINED.items()}}, "a", id="two-equal-sets"),
        pytest.param({"model": TRAINED, "optimizer": {"momentum": RAW}}, "model", id="optimizer-by-name"),
        pytest.param({"state_dict": TRAINED, "current_model_state": RAW}, "state_dict", id="lightning-averaging"),
    ],
)
def test_what_lies_around_the_weights(stored: Any, key: str, tmp_path: Path) -> None:
    loaded, found = load(tmp_path, stored)
    assert_trained(found)
    assert loaded.key == key


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision(half: torch.dtype, tmp_path: Path) -> None:
    small = {name: value.to(half) if value.is_floating_point() else value for name, value in TRAINED.items()}
    _, found = load(tmp_path, small)
    assert found["0.weight"].dtype == torch.float32
    torch.testing.assert_close(found["0.weight"], small["0.weight"].float(), rtol=0, atol=0)


def test_files_of_older_versions_and_safetensors(tmp_path: Path) -> None:
    torch.save(prefixed("module."), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    save_file(prefixed("model."), tmp_path / "new.safetensors")
    (tmp_path / "new.safetensors").rename(tmp_path / "model.bin")  # known by its content
    for name in ("old.pth", "model.bin"):
        model = network()
        load_weights_file(model, tmp_path / name)
        assert_trained(model.state_dict())


@pytest.mark.parametrize(
    ("stored", "key", "beside"),
    [
        pytest.param({"model": RAW, "ema": TRAINED}, "ema", ("model",), id="ema"),
        pytest.param({"state_dict": RAW, "state_dict_ema": TRAINED}, "state_dict_ema", ("state_dict",), id="timm"),
        pytest.param({"params": RAW, "params_ema": TRAINED}, "params_ema", ("params",), id="basicsr"),
        pytest.param({"a": {**prefixed("model.", RAW), **prefixed("model_ema.")}}, "a", ("a.model",), id="one-dictionary"),
        pytest.param({"net": RAW, "swa_model": prefixed("module.")}, "swa_model", ("net",), id="swa"),
        pytest.param({"model": network(2), "ema": network(1)}, "ema", ("model",), id="pickled"),
    ],
)
def test_an_average_is_taken_and_told(stored: Any, key: str, beside: tuple[str, ...], tmp_path: Path) -> None:
    loaded, found = load(tmp_path, stored)
    assert_trained(found)
    assert (loaded.key, loaded.average, loaded.beside) == (key, True, beside)


def test_an_average_of_parameters_gets_the_other_buffers(tmp_path: Path) -> None:
    names = [name for name, _ in network().named_parameters()]
    statistics = {name: value if "running" in name else RAW[name] for name, value in TRAINED.items()}
    for average in ({name: TRAINED[name] for name in names}, [TRAINED[name] for name in names]):
        loaded, found = load(tmp_path, {"model": statistics, "ema": {"shadow_params": average, "decay": 0.99}})
        assert_trained(found)
        assert any("batch-norm statistics and other buffers from model" in text for text in loaded.remarks)


def test_an_incomplete_average_is_not_mixed_in(tmp_path: Path) -> None:
    loaded, found = load(tmp_path, {"model": TRAINED, "ema": {"0.weight": RAW["0.weight"]}})
    assert_trained(found)
    assert loaded.remarks == ("the average in ema is incomplete and was not taken",)


def test_several_sets_are_refused_until_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 different sets of weights that fit the model \(best, last\); name .* --weights-key"):
        load(tmp_path, {"best": TRAINED, "last": RAW})
    loaded, found = load(tmp_path, {"best": TRAINED, "last": RAW}, "best")
    assert_trained(found)
    assert loaded.key == "best"
    with pytest.raises(InputError, match="no weights under the key 'first'; its keys are best, last"):
        load(tmp_path, {"best": TRAINED, "last": RAW}, "first")


def test_what_only_training_uses_is_left_out_and_told(tmp_path: Path) -> None:
    loaded, found = load(tmp_path, {"state_dict": {**prefixed("model."), "criterion.weight": torch.ones(3)}})
    assert_trained(found)
    assert loaded.left_out == ("state_dict.criterion.weight (3,)",)
    _, found = load(tmp_path, {**TRAINED, "val_loss.weight": torch.ones(3), "epoch": torch.tensor(4)})
    assert_trained(found)


def test_tensors_that_two_layers_share_may_be_stored_once(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    stored = {"0.weight": torch.ones(2, 2), "0.bias": torch.ones(2), "1.bias": torch.ones(2)}
    load(tmp_path, stored, model=model)
    assert all(bool((tensor == 1).all()) for tensor in model.state_dict().values())


class Versioned(nn.Linear):
    """Takes weights without a version for those of an older layer, as some networks of torchvision do."""

    _version = 2

    def _load_from_state_dict(self, state: Any, prefix: str, metadata: Any, *rest: Any) -> None:
        if metadata.get("version") is None:
            raise ValueError("version should be set to 1 or 2 instead of None")
        super()._load_from_state_dict(state, prefix, metadata, *rest)


def test_layers_with_a_version_of_their_own(tmp_path: Path) -> None:
    model = nn.Sequential(Versioned(2, 2))
    load(tmp_path, {"module.0.weight": torch.ones(2, 2), "module.0.bias": torch.ones(2)}, model=model)
    assert all(bool((tensor == 1).all()) for tensor in model.state_dict().values())


def without(*names: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in TRAINED.items() if name not in names}


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        pytest.param(
            {**TRAINED, "9.weight": torch.ones(2)}, r"1 that the model does not have \(9\.weight \(2,\)\)", id="left-over"
        ),
        pytest.param(without("1.bias"), r"1 missing in the file \(1\.bias \(4,\)\)", id="missing"),
        pytest.param(
            without("1.running_mean", "1.running_var"),
            r"2 missing in the file \(1\.running_mean \(4,\), 1\.running",
            id="statistics",
        ),
        pytest.param(
            {**TRAINED, "0.weight": torch.ones(5, 3, 3, 3)},
            r"1 of another shape or type \(0\.weight \(5, 3, 3, 3\) is \(4, 3, 3, 3\) in the model\)",
            id="shape",
        ),
        pytest.param(
            {**TRAINED, "4.weight": torch.ones(10, 4), "4.bias": torch.ones(10)},
            "only the last layer differs: make the model with 10 classes, not 3",
            id="classes",
        ),
        pytest.param({**TRAINED, "0.weight": torch.ones(4, 3, 3, 3, dtype=torch.int8)}, "int8", id="whole-numbers"),
        pytest.param({**TRAINED, "4.bias": torch.tensor([1.0, torch.nan, 0.0])}, "hold NaN or infinite numbers", id="nan"),
        pytest.param({"layer1.0.conv3.weight": torch.ones(2)}, "bottleneck blocks", id="another-family"),
        pytest.param({"model": {"x": torch.ones(2)}}, r"none of the 1 tensors .*the file has model\.x \(2,\)", id="no-name"),
        pytest.param({"epoch": 3}, "holds no tensors", id="no-tensors"),
        pytest.param({**TRAINED, "0.weight": TRAINED["0.weight"].to("meta")}, "do not fit", id="without-data"),
    ],
)
def test_what_does_not_fit_is_listed(stored: Any, message: str, tmp_path: Path) -> None:
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path, stored, model=model)
    assert "\n" not in str(caught.value)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        pytest.param("net/constants.pkl", "is a TorchScript program", id="torchscript"),
        pytest.param("net/models/model.json", "is a program of torch.export", id="program"),
        pytest.param("word/document.xml", "not one of torch.save", id="any-archive"),
    ],
)
def test_other_archives_are_no_weights(member: str, message: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr(member, b"")
    with pytest.raises(InputError, match=message):
        load_weights_file(network(), tmp_path / "w.pt")


def test_a_changed_byte_of_an_archive_is_noticed(tmp_path: Path) -> None:
    torch.save(TRAINED, tmp_path / "w.pt")
    content = bytearray((tmp_path / "w.pt").read_bytes())
    content[content.index(TRAINED["0.weight"].numpy().tobytes())] ^= 1
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(InputError, match="do not match their checksum; save or copy it again"):
        load_weights_file(network(), tmp_path / "w.pt")


def test_a_dictionary_that_holds_itself_ends(tmp_path: Path) -> None:
    stored: dict[str, Any] = {"model": dict(TRAINED)}
    stored["self"] = stored
    _, found = load(tmp_path, stored)
    assert_trained(found)
