"""Whole attacks on a tiny checkpoint, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main
from edgecnn.metrics.classmap import identity
from edgecnn.trust.attack.measure import AttackedModel
from edgecnn.trust.attack.result import NONE
from edgecnn.trust.attack.target import target_of
from tests.trust.attack.networks import card, dataset, halves


def attacked(*words: str) -> Result:
    return CliRunner().invoke(main, ["attack", *words])


@pytest.fixture(scope="module")
def digits(make_digits: Callable[[int, int], Path]) -> Path:
    return make_digits(320, 60)


@pytest.fixture(scope="module")
def checkpoint(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that reads the digits well."""
    pytest.importorskip("torch")
    from edgecnn.train.config import TrainConfig
    from edgecnn.train.run import train

    out = tmp_path_factory.mktemp("net")
    config = TrainConfig(
        model="mlp", data=(str(digits),), out=out, epochs=6, batch=32, ema=0.9, workers=1, lr=1e-2, flip=False, augment="none"
    )
    return train(config, lambda _: None)


def test_files_are_measured_side_by_side_with_a_page(checkpoint: Path, digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    words = [str(checkpoint), "--data", str(digits), "--method", "pgd,square", "--eps", "8,64", "--steps", "4", "--queries", "20"]
    words += ["--limit", "20", "--smooth", "0.1", "--samples", "40", "--smoothed-images", "4"]
    done = attacked(*words, "--json", str(tmp_path / "a.json"), "--html", str(tmp_path / "a.html"))
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "a.json").read_text())
    assert (found["schema"], found["version"], found["gradients_from"]) == ("edgecnn.attack", 1, checkpoint.name)
    levels = {(one["method"], one["eps_grey_levels"]): one for one in found["files"][0]["levels"]}
    assert set(levels) == {("none", 0), *((method, eps) for method in ("noise", "pgd", "square") for eps in (8, 64))}
    assert levels["pgd", 64]["value"] < levels["none", 0]["value"] - 0.3
    assert levels["pgd", 64]["value"] <= levels["noise", 64]["value"]
    assert levels["square", 64]["value"] <= levels["square", 8]["value"]
    certified = found["files"][0]["certified"]
    assert certified["accuracy"] == sorted(certified["accuracy"], reverse=True)
    assert certified["images"] == 4
    assert "projected gradient descent (PGD), 4 steps" in done.output
    page = (tmp_path / "a.html").read_text()
    assert page.count("<img ") == 6 * (1 + 2 * 3)
    assert "http" not in page.replace("http://www.w3.org", "")
    again = attacked(*words, "--json", str(tmp_path / "b.json"))
    assert again.exit_code == 0
    assert json.loads((tmp_path / "b.json").read_text()) == found


def test_a_file_without_gradients_asks_for_the_checkpoint() -> None:
    done = attacked("cups", "--data", "scene:cups?seed=1&count=2", "--method", "pgd")
    assert done.exit_code == 2
    assert "--method pgd needs gradients, which cups.onnx does not have; name the checkpoint" in done.output


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--method", "magic"], "there is no attack called magic"),
        (["--eps", "0"], "from 1 to 255"),
        (["--eps", "x"], "not a list of whole grey levels"),
        (["--model", "nowhere.safetensors"], "nowhere.safetensors does not exist"),
    ],
)
def test_what_does_not_fit_is_one_line(words: list[str], problem: str) -> None:
    done = attacked("cups", "--data", "scene:cups?seed=1&count=2", *words)
    assert done.exit_code == 2
    assert problem in done.output
    assert "Traceback" not in done.output


def test_models_of_other_tasks_and_other_networks_are_refused(checkpoint: Path, digits: Path) -> None:
    done = attacked("bearing", "--data", "scene:bearing")
    assert done.exit_code == 2
    assert "for which there is no attack" in done.output
    done = attacked("cups", str(checkpoint), "--data", str(digits))
    assert done.exit_code == 2
    assert "can't be attacked with the same images: they differ in task" in done.output


def test_an_unreadable_image_is_left_out_and_the_rest_is_measured() -> None:
    data = dataset(4)
    targets = [target_of(index, sample, card(), identity(2)) for index, sample in enumerate(data.samples)]
    model = AttackedModel("halves", halves, card(), identity(2))
    model.see(NONE, 0, [target.pixels for target in targets])
    level = model.level(NONE, 0, data, targets)
    assert (level.value, level.images, level.metric) == (1.0, 4, "top1")
    assert level.too_few
