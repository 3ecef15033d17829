from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.cli import main

pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper, save_model

LEVELS, NAMES = (20, 120, 220), ("dark", "grey", "bright")
EACH = 12


def classifier(path: Path, grey: float = 0.0, names: tuple[str, ...] = NAMES) -> Path:
    """Names the level that is nearest to the mean of the image; ``grey`` is added to the logit of grey."""
    levels = np.float32(LEVELS)
    constants = {
        "shape": np.array([1, 1]),
        "weight": 2 * levels[None] / 1000,
        "bias": -(levels**2)[None] / 1000 + np.float32([0, grey, 0]),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["column"]),
        helper.make_node("MatMul", ["column", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, (1, 32, 32, 3))
    value = helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 3))
    fixed = [
        numpy_helper.from_array(np.asarray(array, np.int64 if name == "shape" else np.float32), name)
        for name, array in constants.items()
    ]
    graph = helper.make_graph(nodes, "tiny", [image], [value], fixed)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    preprocess = Preprocess((32, 32), resize="stretch", color="bgr", input_dtype="uint8")
    card = ModelCard(name="tiny", task="classify", labels=names, preprocess=preprocess, decode=Decode("softmax"))
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    save_model(model, str(path))
    return path


def folder(path: Path, *, labelled: bool = True, each: int = EACH) -> Path:
    random = np.random.default_rng(1)
    for name, level in zip(NAMES, LEVELS, strict=True):
        place = path / name if labelled else path
        place.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            image = np.clip(random.normal(level, 3, (32, 32, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(place / f"{name}{number}.png"), image)
    return path


def call(*words: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


def test_the_class_that_pays_is_named(tmp_path: Path) -> None:
    before, after = classifier(tmp_path / "before.onnx"), classifier(tmp_path / "after.onnx", grey=-20)
    page, document = tmp_path / "page.html", tmp_path / "pair.json"
    result = call(before, after, "--data", folder(tmp_path / "set"), "--html", page, "--json", document)
    assert result.exit_code == 0, result.output
    assert "top-1 100.00 -> 66.67: -33.33 points" in result.output
    found = json.loads(document.read_text())
    changed = [change["name"] for change in found["classes"] if change["p_corrected"] < 0.05]
    assert changed == ["grey"]
    grey = found["classes"][0]
    assert (grey["instances"], grey["lost"], grey["gained"], grey["difference"]) == (12, 12, 0, -1.0)
    assert grey["p"] == pytest.approx(2 / 2**12)
    assert grey["p_corrected"] == pytest.approx(3 * 2 / 2**12)
    low, high = found["mean"]["interval"]
    assert low < -1 / 3 < high < 0
    assert {image["name"] for image in found["images"]} == {f"grey/grey{number}.png" for number in range(EACH)}
    assert all(image["lost"] == ["grey"] for image in found["images"])
    assert page.read_text().count("data:image/jpeg") == 24
    assert "http" not in page.read_text().replace("http://www.w3.org", "")


def test_equal_files_show_no_loss(tmp_path: Path) -> None:
    before, after = classifier(tmp_path / "before.onnx"), classifier(tmp_path / "after.onnx", grey=-0.5)
    result = call(before, after, "--data", folder(tmp_path / "set"))
    assert "mean +0.00 points, no class shows a loss beyond chance" in result.output
    assert "the files agree on every image" in result.output
    assert "100.0% of the labels agree" in result.output


def test_without_labels_the_files_are_compared_with_each_other(tmp_path: Path) -> None:
    before, after = classifier(tmp_path / "before.onnx"), classifier(tmp_path / "after.onnx", grey=-20)
    result = call(before, after, "--data", folder(tmp_path / "flat", labelled=False))
    assert result.exit_code == 0, result.output
    assert "66.7% of the labels agree, 95 % interval" in result.output
    assert "the dataset has no labels: the two files are compared with each other" in result.output
    assert "grey0.png" in result.output
    assert "only before: grey; only after:" in result.output


def test_few_images_say_nothing_of_a_class(tmp_path: Path) -> None:
    before, after = classifier(tmp_path / "before.onnx"), classifier(tmp_path / "after.onnx", grey=-20)
    result = call(before, after, "--data", folder(tmp_path / "set", each=2))
    assert "too few" in result.output


@pytest.fixture
def cameras(tmp_path: Path) -> Path:
    """Grey images and a fifth of the dark ones are of camera g, the others of camera o; camera c has no image."""
    data = folder(tmp_path / "set")
    own = [(file.name, "g" if "grey" in file.name or file.stem in ("dark0", "dark1") else "o") for file in data.rglob("*.png")]
    lines = ["file,camera", "nowhere.png,c", *(f"{name},{camera}" for name, camera in own)]
    (data / "cameras.csv").write_text("\n".join(lines))
    return data


def test_the_group_that_pays_is_named(cameras: Path, tmp_path: Path) -> None:
    before, after = classifier(tmp_path / "before.onnx"), classifier(tmp_path / "after.onnx", grey=-20)
    page, document = tmp_path / "page.html", tmp_path / "pair.json"
    result = call(before, after, "--data", cameras, "--group-by", "camera", "--html", page, "--json", document, "--seed", 7)
    assert result.exit_code == 0, result.output
    assert "by camera: g -85.7 points (p = 0.00098, corrected)" in result.output
    assert "the group c is empty: nothing to compare" in result.output
    found = json.loads(document.read_text())
    assert (found["seed"], found["groups"]["by"], found["groups"]["empty"]) == (7, "camera", ["c"])
    paying, other = found["groups"]["changes"]
    assert [paying[name] for name in ("name", "instances", "before", "after", "lost", "gained")] == ["g", 14, 14, 2, 12, 0]
    assert paying["p_corrected"] == pytest.approx(2 * 2 / 2**12)
    low, high = paying["interval"]
    assert low < -12 / 14 < high < 0
    assert (other["name"], other["difference"], other["p_corrected"]) == ("o", 0.0, 1.0)
    assert "Groups by camera" in page.read_text()


def test_groups_need_labels_and_a_key_that_is_there(cameras: Path, tmp_path: Path) -> None:
    before = classifier(tmp_path / "before.onnx")
    flat = folder(tmp_path / "flat", labelled=False)
    for data, key, words in ((flat, "brightness", "needs images with classes or boxes"), (cameras, "site", "no CSV file beside")):
        result = call(before, before, "--data", data, "--group-by", key)
        assert result.exit_code == 2
        assert words in result.output.splitlines()[-1]


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    before = classifier(tmp_path / "before.onnx")
    other = classifier(tmp_path / "other.onnx", names=("cat", "dog", "cow"))
    data = folder(tmp_path / "set", each=1)
    for files, words in (((before, other), "the two files have other classes"), ((before, before, other), "3 files are named")):
        result = call(*files, "--data", data)
        assert result.exit_code == 2
        assert words in result.output
        assert len(result.output.strip().splitlines()) == 1
