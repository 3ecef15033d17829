from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from edgecnn.errors import ArtifactError, InputError
from edgecnn.models import create, names, read_card, save_checkpoint
from edgecnn.models.new_card import new_card
from edgecnn.models.registry import task_of
from edgecnn.train.config import TrainConfig
from edgecnn.train.run import train
from edgecnn.train.transfer import FrozenLayers, layers_of, reuse

SMALL = {"widths": (4, 8), "depths": (1, 1), "size": (28, 28)}


def options(data: Path, out: Path, **changes: Any) -> TrainConfig:
    base: dict[str, Any] = {"model": "resnet-s", "model_options": SMALL, "epochs": 2, "batch": 32, "limit": 96, "workers": 1}
    return TrainConfig(data=(str(data),), out=out, **{**base, **changes})


def run_training(wanted: TrainConfig) -> list[str]:
    lines: list[str] = []
    train(wanted, lines.append)
    return lines


def checkpoint(path: Path, name: str = "resnet-s", classes: int = 3, **changes: Any) -> str:
    given = {**SMALL, "classes": classes, **changes}
    torch.manual_seed(1)
    model = create(name, **given)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
                layer.running_mean.uniform_(-0.1, 0.1)
    save_checkpoint(path, model, new_card(name, given, tuple("abcdefghij"[:classes])))
    return str(path)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


# --- what is taken over ----------------------------------------------------------------------------------------------------------


def test_another_number_of_classes_leaves_the_head_new(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "three.safetensors")
    model = create("resnet-s", **SMALL, classes=10)
    found = reuse(model, path)
    assert found.new == ("head.2.weight", "head.2.bias")
    assert len(found.kept) == len([key for key in model.state_dict() if not key.endswith("tracked")]) - 2
    stored = load_file(path)
    assert all(torch.equal(model.state_dict()[key], stored[key]) for key in found.kept)


def test_other_widths_fit_as_far_as_shapes_do(tmp_path: Path) -> None:
    """A network with fewer channels than the checkpoint: which of them it should keep is a question for pruning."""
    path = checkpoint(tmp_path / "wide.safetensors", widths=(4, 12))
    found = reuse(create("resnet-s", **SMALL, classes=3), path)
    assert "stem.0.weight" in found.kept
    assert "stages.1.first.0.weight" in found.new
    assert str(found).startswith(f"reuses {len(found.kept)} of {len(found.kept) + len(found.new)} tensors of resnet-s (wide")
    assert str(found).endswith(f"and {len(found.new) - 4} more")


def test_nothing_that_fits_is_one_line(tmp_path: Path) -> None:
    other = {"classes": 3, "hidden": 8, "size": (4, 4)}
    save_checkpoint(tmp_path / "mlp.safetensors", create("mlp", **other), new_card("mlp", other, ("a", "b", "c")))
    with pytest.raises(
        InputError, match=r"none of the 6 tensors of .*, a mlp, fits this network \(such as stem.0.weight \(4, 1, 3, 3\)\)"
    ) as caught:
        reuse(create("resnet-s", **SMALL), str(tmp_path / "mlp.safetensors"))
    assert "\n" not in str(caught.value)


def test_shipped_detector_fills_a_new_one_but_for_its_classes() -> None:
    found = reuse(create("edgedet-s", classes=2, size=(64, 64)), "cups")
    assert all(".score.2." in key for key in found.new)
    assert len(found.new) == 6


def test_a_broken_checkpoint_is_one_line(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match="broken"):
        train(options(digits, tmp_path / "run", init=str(tmp_path / "x.safetensors")))


# --- what is frozen --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_every_model_has_a_stem_and_a_backbone(name: str) -> None:
    model = create(name, size=(32, 32))
    stem, backbone = (set(layers_of(model, part)) for part in ("stem", "backbone"))
    everything = {name for name, layer in model.named_modules() if list(layer.parameters(recurse=False))}
    assert stem < backbone < everything
    assert any(isinstance(model.get_submodule(name), nn.Conv2d | nn.Linear) for name in stem)
    if task_of(name) == "classify":
        assert all(isinstance(model.get_submodule(name), nn.Linear) for name in everything - backbone)


def test_a_number_counts_layers_with_their_norms() -> None:
    model = create("resnet-s", **SMALL)
    assert layers_of(model, "1") == ("stem.0", "stem.1")
    assert layers_of(model, "2") == ("stem.0", "stem.1", "stages.0.first.0", "stages.0.first.1")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        pytest.param("neck", "stem, backbone or a number", id="unknown"),
        pytest.param("0", "1 to 6", id="nothing"),
        pytest.param("7", "1 to 6", id="everything"),
        pytest.param("-1", "stem, backbone or a number", id="negative"),
    ],
)
def test_a_part_that_is_none(part: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        layers_of(create("resnet-s", **SMALL), part)


def test_frozen_norms_keep_their_statistics_until_they_thaw() -> None:
    model = create("resnet-s", **SMALL).train()
    norm = model.get_submodule("stem.1")
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    frozen = FrozenLayers(model, layers_of(model, "stem"), 2)
    for epoch, moved in ((0, False), (1, False), (2, True)):
        frozen.at(epoch)
        before = norm.running_mean.clone()
        model.train()(torch.rand(4, 1, 28, 28)).sum().backward()
        assert bool((norm.running_mean != before).any()) == moved
        assert (model.get_submodule("stem.0").weight.grad is not None) == moved


@pytest.mark.parametrize("part", ["stem", "backbone", "2"])
def test_frozen_part_is_as_it_was_in_the_checkpoint(digits: Path, tmp_path: Path, part: str) -> None:
    init = checkpoint(tmp_path / "three.safetensors")
    lines = run_training(options(digits, tmp_path / "run", init=init, freeze=part))
    before, after = load_file(init), weights(tmp_path / "run")
    held = layers_of(create("resnet-s", **SMALL), part)
    inside = [key for key in before if key.rpartition(".")[0] in held]
    assert inside
    assert all(torch.equal(before[key], after[key]) for key in inside)
    outside = [key for key in before if key.endswith("weight") and key not in inside and before[key].shape == after[key].shape]
    assert all(not torch.equal(before[key], after[key]) for key in outside)
    assert lines[1].startswith("reuses ")
    assert lines[2].startswith("frozen: ")


def test_part_thaws_after_its_epochs(digits: Path, tmp_path: Path) -> None:
    init = checkpoint(tmp_path / "three.safetensors")
    for epochs, moved in ((1, False), (2, True)):
        run_training(options(digits, tmp_path / str(epochs), init=init, freeze="stem", freeze_epochs=1, epochs=epochs))
        same = torch.equal(load_file(init)["stem.0.weight"], weights(tmp_path / str(epochs))["stem.0.weight"])
        assert same != moved


def test_new_tensors_are_not_frozen(digits: Path, tmp_path: Path) -> None:
    init = checkpoint(tmp_path / "colour.safetensors", channels=3)
    with pytest.raises(InputError, match=r"stem.0.weight is new, .* has no weights for it; freeze fewer layers"):
        train(options(digits, tmp_path / "run", init=init, freeze="stem"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            {"freeze": "stem"},
            "--freeze: there are no trained layers to freeze; name a checkpoint with --init",
            id="freeze-alone",
        ),
        pytest.param({"freeze_epochs": 2, "init": "cups"}, "--freeze-epochs: there is nothing to freeze", id="epochs-alone"),
    ],
)
def test_half_a_request_is_refused(digits: Path, tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(options(digits, tmp_path / "run", **given))


# --- as a part of a training -----------------------------------------------------------------------------------------------------


def test_card_says_what_was_taken_over(digits: Path, tmp_path: Path) -> None:
    init = checkpoint(tmp_path / "three.safetensors")
    run_training(options(digits, tmp_path / "run", init=init, freeze="stem", epochs=1))
    training = read_card(tmp_path / "run/model.safetensors").training
    assert training["init"]["sha256"] == read_card(init).sha256
    assert (training["init"]["file"], training["init"]["new"]) == ("three.safetensors", ["head.2.weight", "head.2.bias"])
    assert training["command"].endswith("--init three.safetensors --freeze stem")
    assert str(tmp_path) not in read_card(tmp_path / "run/model.safetensors").to_json()


def test_pixels_are_scaled_as_the_re_used_layers_know_them(digits: Path, tmp_path: Path) -> None:
    given = {**SMALL, "classes": 3}
    card = new_card("resnet-s", given, ("a", "b", "c"))
    card = card.replace(preprocess=dataclasses.replace(card.preprocess, mean=(100.0,), std=(50.0,)))
    save_checkpoint(tmp_path / "other.safetensors", create("resnet-s", **given), card)
    run_training(options(digits, tmp_path / "run", init=str(tmp_path / "other.safetensors"), epochs=1))
    found = read_card(tmp_path / "run/model.safetensors").preprocess
    assert (found.mean, found.std) == ((100.0,), (50.0,))


def test_killed_transfer_goes_on_to_the_same_bits(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init = checkpoint(tmp_path / "three.safetensors")
    wanted = options(digits, tmp_path / "whole", init=init, freeze="stem", freeze_epochs=2, epochs=4)
    run_training(wanted)
    from edgecnn.train.engine import Engine

    save = Engine._save

    def stop(self: Engine, folder: Path) -> None:
        save(self, folder)
        if self.epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "_save", stop)
        with pytest.raises(KeyboardInterrupt):
            run_training(dataclasses.replace(wanted, out=tmp_path / "cut"))
    run_training(dataclasses.replace(wanted, out=tmp_path / "cut", resume=True))
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_resume_wants_the_same_start(digits: Path, tmp_path: Path) -> None:
    init = checkpoint(tmp_path / "three.safetensors")
    run_training(options(digits, tmp_path / "run", init=init, epochs=1))
    checkpoint(tmp_path / "three.safetensors", classes=4)  # another file of that name
    with pytest.raises(InputError, match="init"):
        train(options(digits, tmp_path / "run", init=init, epochs=1, resume=True))
