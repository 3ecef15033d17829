"""What may be exported: checkpoints, anybody's factory with weights, .pt2 programs, and all that can be wrong with them."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.export import prepare
from edgecnn.export.config import ModelOptions
from edgecnn.export.graph import output_names
from edgecnn.export.program import read_program
from edgecnn.export.source import load_model
from edgecnn.export.summary import describe
from edgecnn.models import create, save_checkpoint
from edgecnn.models.new_card import new_card
from edgecnn.runtime.model.card_inference import CardOptions

FACTORY = """
import torch
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

def picky(size):
    return small()

def fails():
    raise RuntimeError("no such backbone\\nin this version")

def text():
    return "a model"

def hidden():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = small()
            self.shift = torch.randn(1, 3, 1, 1)  # in no state dict
        def forward(self, x):
            return self.net(x + self.shift)
    return Hidden()

def lazy():
    return nn.Sequential(nn.LazyConv2d(4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3))

def training():
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = small()
        def forward(self, x):
            return nn.functional.dropout(self.net(x))
    return Stubborn().train()

value = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of factories, a labels file and weights, as the current one."""
    (tmp_path / "my_models.py").write_text(FACTORY)
    (tmp_path / "labels.txt").write_text("cat\ndog\nbird\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    torch.save(network().state_dict(), tmp_path / "w.pt")
    return tmp_path


def network() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def options(**changes: Any) -> ModelOptions:
    given = {"task": "classify", "labels": Path("labels.txt")} | {key: changes.pop(key) for key in list(changes) if key in CARD}
    return ModelOptions(**{"card": CardOptions(**given), "weights": Path("w.pt"), "input_shape": (1, 3, 32, 48), **changes})


CARD = CardOptions.__slots__


def test_a_factory_with_weights(here: Path) -> None:
    model, card = load_model("my_models:small", options(mean=(10.0, 20.0, 30.0), std=(50.0,), color="bgr"))
    torch.testing.assert_close(model.state_dict(), network().state_dict())
    assert not model.training
    assert card.labels == ("cat", "dog", "bird")
    assert card.preprocess == Preprocess(size=(32, 48), resize="crop", color="bgr", mean=(10.0, 20.0, 30.0), std=(50.0,))
    assert (card.name, card.decode.name, len(card.sha256)) == ("small", "softmax", 64)
    assert str(here) not in sys.path


def test_a_factory_for_values(here: Path) -> None:
    _, card = load_model("my_models:small", options(task="regress"))
    assert (card.task, card.decode.name) == ("regress", "values")
    assert output_names(torch.zeros(1, 3), card) == ("values",)


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda weights: {"state_dict": weights, "epoch": 3}, id="nested"),
        pytest.param(lambda weights: {f"module.{name}": tensor for name, tensor in weights.items()}, id="data-parallel"),
        pytest.param(
            lambda weights: {"model": {f"_orig_mod.{name}": w for name, w in weights.items()}}, id="nested-and-compiled"
        ),
    ],
)
def test_weights_as_training_scripts_save_them(here: Path, wrap: Callable[[Any], Any]) -> None:
    torch.save(wrap(network().state_dict()), here / "w.pt")
    model, _ = load_model("my_models:small", options())
    torch.testing.assert_close(model.state_dict(), network().state_dict())


def test_a_program_for_four_images_is_refused_with_what_to_do(here: Path) -> None:
    torch.export.save(torch.export.export(network().eval(), (torch.zeros(4, 3, 32, 48),)), here / "net.pt2")
    with pytest.raises(InputError, match=r"traced with a batch of 4 images; trace it with one: an example input of 1x3x32x48"):
        load_model("net.pt2", options(weights=None, input_shape=None))


def test_what_was_taken_is_told_and_recorded(here: Path) -> None:
    raw = {name: tensor + 1 for name, tensor in network().state_dict().items()}
    torch.save({"model": raw, "ema": {"module": network().state_dict()}}, here / "w.pt")
    model, card = load_model("my_models:small", options())
    torch.testing.assert_close(model.state_dict(), network().state_dict())
    expected = {"file": "w.pt", "key": "ema.module", "tensors": 4, "average": True, "beside": ["model"]}
    assert card.training["weights"] == expected
    assert "weights: w.pt, key ema.module, 4 tensors, a moving average; not taken: model\n" in describe(card)
    _, card = load_model("my_models:small", options(weights_key="model"))
    assert card.training["weights"]["key"] == "model"


def test_random_weights_are_told(here: Path) -> None:
    _, card = load_model("my_models:small", options(weights=None))
    assert "weights: random, the factory draws new ones on each call" in describe(card)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        pytest.param("my_models:hidden", r"leaves numbers to chance that are not in --weights", id="tensor-outside-the-state"),
        pytest.param("my_models:training", "is not fixed even in eval mode: it has 1 x", id="dropout-in-eval-mode"),
    ],
)
def test_nothing_is_left_to_chance(target: str, message: str, here: Path) -> None:
    torch.save({f"net.{name}": tensor for name, tensor in network().state_dict().items()}, here / "w.pt")
    with pytest.raises(InputError, match=message):
        load_model(target, options())


def test_lazy_layers_are_made_before_they_are_filled(here: Path) -> None:
    model, _ = load_model("my_models:lazy", options())
    torch.testing.assert_close(dict(model.state_dict()), dict(network().state_dict()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"weights": Path("w.pt")}, "--weights can't be used with a .pt2 program", id="weights"),
        pytest.param({"weights": None, "input_shape": (1, 3, 64, 64)}, "--input 1x3x64x64 is not the input of", id="input"),
    ],
)
def test_options_that_a_program_has_inside(changes: dict[str, Any], message: str, here: Path) -> None:
    torch.export.save(torch.export.export(network().eval(), (torch.zeros(1, 3, 32, 48),)), here / "net.pt2")
    with pytest.raises(InputError, match=message):
        load_model("net.pt2", options(**changes))


def test_weights_as_safetensors(here: Path) -> None:
    from safetensors.torch import save_file

    save_file(network().state_dict(), here / "w.safetensors")
    model, _ = load_model("my_models:small", options(weights=Path("w.safetensors")))
    torch.testing.assert_close(model.state_dict(), network().state_dict())


def test_a_program(here: Path) -> None:
    torch.export.save(torch.export.export(network().eval(), (torch.zeros(1, 3, 32, 48),)), here / "net.pt2")
    model, card = load_model("net.pt2", options(weights=None, input_shape=None))
    image = torch.rand(1, 3, 32, 48)
    torch.testing.assert_close(model(image), network()(image))
    assert card.preprocess.size == (32, 48)
    assert prepare(model, card).card.outputs[0].name == "logits"


def test_a_checkpoint_may_get_other_thresholds_and_nothing_else(tmp_path: Path) -> None:
    card = new_card("lecture", {"channels": 1}, [str(index) for index in range(10)])
    save_checkpoint(tmp_path / "net.safetensors", create("lecture", channels=1), card)
    _, loaded = load_model(str(tmp_path / "net.safetensors"), ModelOptions(card=CardOptions(score_threshold=0.3)))
    assert loaded.decode == Decode("softmax", {"score_threshold": 0.3})
    with pytest.raises(InputError, match="--color can't be used with a checkpoint"):
        load_model(str(tmp_path / "net.safetensors"), ModelOptions(card=CardOptions(color="bgr")))


@pytest.mark.parametrize(
    ("target", "changes", "message"),
    [
        pytest.param(
            "no_such_module:net", {}, "no_such_module can't be imported: no module named no_such_module", id="no-module"
        ),
        pytest.param("my_models:missing", {}, "my_models has no function or class 'missing'", id="no-factory"),
        pytest.param("my_models:value", {}, "my_models has no function or class 'value'", id="not-callable"),
        pytest.param("my_models:picky", {}, "callable without arguments", id="wants-arguments"),
        pytest.param("my_models:fails", {}, "RuntimeError: no such backbone; make it", id="factory-fails"),
        pytest.param("my_models:text", {}, "returned str, not a torch.nn.Module", id="not-a-model"),
        pytest.param("my_models:small", {"input_shape": None}, "--input 1x3x224x224", id="no-input"),
        pytest.param(
            "my_models:small", {"input_shape": (2, 3, 32, 32)}, "input shape 2x3x32x32 is not 1xCxHxW", id="a-batch-of-two"
        ),
        pytest.param("my_models:small", {"task": None}, "the task of the model is unknown", id="no-task"),
        pytest.param("my_models:small", {"labels": None}, "the class names are unknown", id="no-labels"),
        pytest.param("my_models:small", {"labels": Path("none.txt")}, "none.txt", id="missing-labels"),
        pytest.param(
            "my_models:small", {"task": "detect"}, "the decoder of the outputs is unknown", id="detector-without-decoder"
        ),
        pytest.param("my_models:small", {"decode": "guess"}, "'guess'", id="unknown-decoder"),
        pytest.param(
            "my_models:small", {"mean": (1.0, 2.0)}, "mean (1.0, 2.0) and std (255.0,) do not fit 3 channels", id="two-means"
        ),
        pytest.param("my_models:small", {"weights": Path("none.pt")}, "does not exist", id="missing-weights"),
        pytest.param("none.pt2", {}, "does not exist", id="missing-program"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(target: str, changes: dict[str, Any], message: str, here: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_model(target, options(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


class Bomb:
    """Unpickling it would write a file."""

    def __reduce__(self) -> Any:
        return Path.write_text, (Path("boom"), "boom")


def garbage(path: Path) -> None:
    path.write_bytes(b"garbage" * 50)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def bomb(path: Path) -> None:
    path.write_bytes(pickle.dumps(Bomb()))


def bomb_of_torch(path: Path) -> None:
    torch.save({"state_dict": Bomb()}, path)


def whole_model(path: Path) -> None:
    torch.save(network(), path)


def numbers(path: Path) -> None:
    torch.save([1, 2, 3], path)


def of_another_model(path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), path)


@pytest.mark.parametrize("write", [garbage, empty, bomb, bomb_of_torch, numbers, of_another_model])
def test_weights_that_are_none_are_refused_and_run_no_code(write: Callable[[Path], None], here: Path) -> None:
    write(here / "w.pt")
    with pytest.raises(InputError, match=r"w\.pt") as caught:
        load_model("my_models:small", options())
    assert "\n" not in str(caught.value)
    assert not (here / "boom").exists()


@pytest.mark.parametrize("write", [garbage, empty, bomb, bomb_of_torch, whole_model])
def test_programs_that_are_none_are_refused_and_run_no_code(write: Callable[[Path], None], here: Path) -> None:
    write(here / "net.pt2")
    with pytest.raises(InputError, match=r"net\.pt2"):
        load_model("net.pt2", options(weights=None, input_shape=None))
    assert not (here / "boom").exists()


def test_a_program_with_pickled_objects_inside_is_refused(here: Path) -> None:
    import zipfile

    torch.export.save(torch.export.export(network().eval(), (torch.zeros(1, 3, 32, 48),)), here / "net.pt2")
    with zipfile.ZipFile(here / "net.pt2", "a") as archive:
        archive.writestr("net/data/constants/opaque_obj_0", pickle.dumps(Bomb()))
    with pytest.raises(InputError, match="which could run code"):
        load_model("net.pt2", options(weights=None, input_shape=None))
    assert not (here / "boom").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"labels": ("a", "b")}, "2 class names for 3 classes", id="labels"),
        pytest.param(
            {"labels": ("a", "b"), "task": "regress", "decode": Decode("values")},
            "2 names for 3 values .* give one name for each value",
            id="values",
        ),
        pytest.param(
            {"preprocess": Preprocess(size=(32, 32), color="gray")},
            "the model does not accept a 1x1x32x32 float32 input",
            id="channels",
        ),
    ],
)
def test_a_card_that_does_not_fit_its_model(changes: dict[str, Any], message: str) -> None:
    card = ModelCard(
        name="net", task="classify", labels=("a", "b", "c"), preprocess=Preprocess(size=(32, 32)), decode=Decode("softmax")
    )
    with pytest.raises(InputError, match=message):
        prepare(network(), card.replace(**changes))


def test_the_callers_model_is_untouched() -> None:
    model = network().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    card = ModelCard(
        name="net",
        task="classify",
        labels=("a", "b", "c"),
        preprocess=Preprocess(size=(32, 32), std=(255.0,)),
        decode=Decode("softmax"),
    )
    prepared = prepare(model, card)
    with torch.no_grad():
        for weight in prepared.graph.parameters():
            weight.add_(1.0)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert np.all([not module._forward_hooks for module in model.modules()])


def test_a_damaged_program_is_one_line(here: Path) -> None:
    torch.export.save(torch.export.export(network().eval(), (torch.zeros(1, 3, 32, 48),)), here / "net.pt2")
    whole = (here / "net.pt2").read_bytes()
    refused: list[str] = []
    for seed in range(40):
        content, random = bytearray(whole), np.random.default_rng(seed)
        place = len(content) - 4 - int(random.integers(1200))  # in the directory of the archive
        content[place : place + 4] = random.bytes(4)
        (here / "net.pt2").write_bytes(content)
        try:
            read_program(here / "net.pt2")
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert not any("\n" in text for text in refused)
