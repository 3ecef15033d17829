from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.cli import main

pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper, save_model

LEVELS = (20, 120, 220)
NAMES = ("dark", "grey", "bright")


def _save(path: Path, nodes: list[Any], constants: dict[str, Any], output: tuple[str, tuple[int, ...]], card: ModelCard) -> Path:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, (1, 32, 32, 3))
    value = helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])
    fixed = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "tiny", [image], [value], fixed), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    save_model(model, str(path))
    return path


def _card(task: Any, labels: tuple[str, ...], decode: Decode) -> ModelCard:
    return ModelCard(
        name="tiny",
        task=task,
        labels=labels,
        preprocess=Preprocess((32, 32), resize="stretch", color="bgr", input_dtype="uint8"),
        decode=decode,
    )


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """Tells the mean brightness of an image: the nearest of three levels has the highest logit."""
    levels = np.float32(LEVELS)
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["column"]),
        helper.make_node("MatMul", ["column", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    constants = {"shape": np.array([1, 1]), "weight": 2 * levels[None] / 1000, "bias": -(levels**2)[None] / 1000}
    card = _card("classify", NAMES, Decode("softmax"))
    return _save(tmp_path / "classifier.onnx", nodes, constants, ("logits", (1, 3)), card)


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """Finds a face in the left half of any image, sure, and a hat in the right half, with a score of 0.1."""
    table = np.float32([[0, 1, 0.9, 0, 0, 0.5, 1], [0, 2, 0.1, 0.5, 0, 1, 1]]).reshape(1, 1, 2, 7)
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "table"], ["found"]),
    ]
    card = _card("detect", ("face", "hat"), Decode("ssd", {"score_threshold": 0.5}))
    return _save(tmp_path / "detector.onnx", nodes, {"zero": np.float32(0), "table": table}, ("found", (1, 1, 2, 7)), card)


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    """Class folders with a test split: four images a class, one bright one in the folder of the dark."""
    for index, (name, level) in enumerate(zip(NAMES, LEVELS, strict=True)):
        folder = tmp_path / "shades" / "test" / name
        folder.mkdir(parents=True)
        for number in range(4):
            value = LEVELS[2] if (index, number) == (0, 3) else level
            cv2.imwrite(str(folder / f"{number}.png"), np.full((10, 20, 3), value, np.uint8))
    (tmp_path / "shades" / "train" / "dark").mkdir(parents=True)
    return tmp_path / "shades"


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """VOC: four images with a masked face in the left half, the second also with a box without extent."""
    for folder in ("images", "annotations"):
        (tmp_path / "masks" / folder).mkdir(parents=True)
    for number in range(4):
        boxes = [("with_mask", 0, 0, 20, 20)] + [("without_mask", 5, 5, 5, 5)] * (number == 1)
        objects = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>\n"
            for name, x1, y1, x2, y2 in boxes
        )
        (tmp_path / "masks" / "annotations" / f"{number}.xml").write_text(f"<annotation>\n{objects}</annotation>")
        cv2.imwrite(str(tmp_path / "masks" / "images" / f"{number}.png"), np.full((20, 40, 3), 90, np.uint8))
    return tmp_path / "masks"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def refused(*arguments: object) -> str:
    """The one line of an error that a user can act on."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: "), result.output
    return line


def test_a_classifier_on_the_part_held_out(classifier: Path, shades: Path, tmp_path: Path) -> None:
    result = run(classifier, "--data", shades, "--json", tmp_path / "score.json")
    assert result.exit_code == 0, result.output
    assert "classifier.onnx (onnx, fp32) on shades, split test: 12 images, 3 classes" in result.output
    assert "top-1                     91.67 %" in result.output
    record = json.loads((tmp_path / "score.json").read_text())
    assert record["score"]["values"]["top1"] == pytest.approx(11 / 12)
    assert record["score"]["per_class"] == {"bright": 1, "dark": 0.75, "grey": 1}
    assert record["score"]["confusion"] == [[4, 0, 0], [1, 3, 0], [0, 0, 4]]
    assert record["dataset"]["split"] == "test"


def test_a_detector_is_measured_below_the_threshold_of_its_card(detector: Path, masks: Path, tmp_path: Path) -> None:
    result = run(detector, "--data", masks, "--map", "with_mask=face,without_mask=hat", "--json", tmp_path / "score.json")
    assert result.exit_code == 0, result.output
    assert "mAP@50-95                100.00 %" in result.output
    assert json.loads((tmp_path / "score.json").read_text())["decode"]["options"]["score_threshold"] == 0.001


def test_merged_classes_match_one_of_the_model(detector: Path, masks: Path) -> None:
    result = run(detector, "--data", masks, "--merge", "Face")
    assert "4 images, 1 class" in result.output
    assert "mAP@50-95                100.00 %" in result.output
    assert "note: 1 of the model's 2 classes are not in the dataset, they are ignored: hat" in result.output


def test_every_and_limit_choose_images(detector: Path, masks: Path) -> None:
    assert "2 images" in run(detector, "--data", masks, "--merge", "face", "--every", 2).output
    assert "1 image," in run(detector, "--data", masks, "--merge", "face", "--every", 2, "--limit", 1).output


def test_problems_are_shown_and_stop_where_strict(detector: Path, masks: Path) -> None:
    result = run(detector, "--data", masks, "--merge", "face")
    assert result.exit_code == 0
    assert "1 problem in masks:\n  1.xml:3: a box without extent: (5, 5, 5, 5); left out" in result.stderr
    assert "--strict: masks has 1 problem, the first 1.xml:3" in refused(detector, "--data", masks, "--merge", "face", "--strict")


def test_no_class_in_common_shows_both_sides(detector: Path, masks: Path) -> None:
    assert (
        "no class in common: the model has face, hat; the dataset has with_mask, without_mask; map the classes in the address"
        in refused(detector, "--data", masks)
    )


def test_a_classifier_does_not_fit_boxes(classifier: Path, masks: Path) -> None:
    assert "a dataset of boxes needs a detector, but the model is a classifier" in refused(
        classifier, "--data", masks, "--merge", "dark"
    )


def test_images_alone_measure_nothing(classifier: Path, masks: Path) -> None:
    assert "name a labelled dataset" in refused(classifier, "--data", masks / "images")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"--data": "nowhere"}, "the dataset nowhere does not exist", id="no dataset"),
        pytest.param(
            {"--split": "val"},
            "has no split 'val'; name one that it has (train, test)",
            id="no such split",
        ),
        pytest.param({"--map": "dark"}, "write name=name", id="map without a name"),
        pytest.param({"--map": "black=dark"}, "black is not a class of shades", id="map of an unknown class"),
        pytest.param(
            {"--json": "nowhere/score.json"},
            "can't write nowhere/score.json: the folder nowhere does not exist; create it",
            id="no folder for the JSON",
        ),
    ],
)
def test_a_wrong_option_is_one_line(classifier: Path, shades: Path, change: dict[str, str], said: str) -> None:
    arguments = {"--data": str(shades), **change}
    assert said in refused(classifier, *(word for pair in arguments.items() for word in pair))


def test_a_missing_model_is_said_before_the_data_is_read(tmp_path: Path) -> None:
    assert "none.onnx does not exist" in refused(tmp_path / "none.onnx", "--data", "nowhere")


def test_a_failure_leaves_the_old_json(detector: Path, masks: Path, tmp_path: Path) -> None:
    (tmp_path / "score.json").write_text("old")
    before = sorted(path.name for path in tmp_path.iterdir())
    refused(detector, "--data", masks, "--json", tmp_path / "score.json")
    assert (tmp_path / "score.json").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_unreadable_image_is_noted(classifier: Path, shades: Path, damage_pixels: Callable[[Path], None]) -> None:
    damage_pixels(shades / "test" / "dark" / "0.png")
    result = run(classifier, "--data", shades)
    assert result.exit_code == 0
    assert "note: images that could not be read are left out (1): test/dark/0.png" in result.output
    assert "dark/0.png" in refused(classifier, "--data", shades, "--strict")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a.onnx", "b.onnx", "c.onnx"), "3 files are named; evaluate takes one, or two to compare"),
        (("a.onnx", "b.onnx", "--parts", "kept"), "--parts takes one file; leave it out to compare two"),
        (("a.onnx", "--group-by", "class", "--parts", "kept"), "--group-by and --parts do not go together"),
        (("a.onnx", "--ray=local", "--parts", "kept"), "--ray and --parts do not go together"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(main, ["evaluate", *words, "--data", "scene:cups"])
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
