from __future__ import annotations

import io
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn import Detector
from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.cli import main
from edgecnn.errors import InputError
from edgecnn.postprocess import decode
from edgecnn.postprocess.cells import cell_count
from edgecnn.preprocess import Preprocessor, tensor_shape
from edgecnn.runtime.model.description import describe
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.snippets.program import snippet
from edgecnn.runtime.snippets.python_decoders import decoding
from edgecnn.runtime.snippets.python_program import preprocessing
from edgecnn.scene import Scene, parse_scene
from edgecnn.shipped import artifact
from edgecnn.types import TensorSpec
from tests.contracts import tiny


def card_of(
    task: Any = "classify", decoder: str = "softmax", labels: tuple[str, ...] = ("a", "b", "c"), **changes: Any
) -> ModelCard:
    pre = Preprocess(size=(8, 8), color="bgr", input_dtype="uint8")
    return ModelCard(name="tiny", task=task, labels=labels, preprocess=pre, decode=Decode(decoder)).replace(**changes)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (31, 18, 3), np.uint8))
    return path


@pytest.mark.parametrize("kind", tiny.WRITERS)
@pytest.mark.parametrize("labels", [3, 30])
def test_runs_the_file_without_edgecnn(tmp_path: Path, picture: Path, kind: str, labels: int) -> None:
    names = tuple(f"class {index}" for index in range(labels))
    graph = tiny.Graph(
        {"logits": np.linspace(0, 2, labels, dtype=np.float32)[None] ** 2},
        metadata={"edgecnn.card": card_of(labels=names).to_json()},
    )
    path = tiny.write(tmp_path, kind, graph)
    program = tmp_path / "program.py"
    program.write_text(snippet(describe(path), "python"))
    assert "import edgecnn" not in program.read_text()
    run = subprocess.run([sys.executable, "-I", program, picture], cwd=tmp_path, capture_output=True, text=True, check=True)
    with Predictor(path) as predictor:
        expected = predictor(cv2.imread(str(picture))).score
    best = np.argsort(-expected)[:5]
    assert run.stdout.splitlines() == [f"{expected[index]:.5f} {names[index]}" for index in best]


@pytest.mark.parametrize("resize", ["letterbox", "corner", "stretch", "crop"])
@pytest.mark.parametrize(
    ("color", "mean", "std"), [("bgr", (0,), (1,)), ("rgb", (123.0, 100.0, 90.0), (58.0, 57.0, 56.0)), ("gray", (0,), (255.0,))]
)
@pytest.mark.parametrize(("dtype", "layout"), [("uint8", "NHWC"), ("float32", "NCHW"), ("float32", "NHWC"), ("int8", "NHWC")])
@pytest.mark.parametrize("shape", [(31, 18), (18, 31), (16, 16)])
def test_the_tensor_is_that_of_the_preprocessor(
    resize: Any, color: Any, mean: Any, std: Any, dtype: str, layout: str, shape: Any
) -> None:
    align = "corner" if resize == "corner" else "center"
    rule = "letterbox" if resize == "corner" else resize
    pre = Preprocess(size=(12, 17), resize=rule, align=align, pad_value=100, color=color, mean=mean, std=std)
    spec = TensorSpec("image", (), dtype, layout, *((0.02, -3) if dtype == "int8" else (None, None)))
    spec = replace(spec, shape=tensor_shape(pre, spec))
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    scope: dict[str, Any] = {"np": np, "cv2": cv2, "image": image}
    exec("\n".join(preprocessing(pre, spec)), scope)
    feeds, place = Preprocessor(pre, spec)(image)
    expected = feeds["image"]
    assert (scope["tensor"].dtype, scope["tensor"].shape) == (expected.dtype, expected.shape)
    assert np.abs(scope["tensor"].astype(float) - expected).max() <= 2e-6
    assert (scope["left"], scope["top"]) == (place.offset_x, place.offset_y)


def outputs_of(decoder: str, layout: str, rng: np.random.Generator) -> dict[str, Any]:
    """Random outputs for an input of 64 x 96 with three classes, as the decoder expects them."""
    cells = cell_count((64, 96), (8, 16, 32))
    scores = rng.random((1, cells, 3), np.float32) ** 8
    if decoder == "fcos":
        return {"boxes": rng.random((1, cells, 4), np.float32) * 2, "scores": scores}
    if decoder == "yolox":
        return {
            "o": np.concatenate([rng.normal(size=(1, cells, 4)) * 0.5, np.full((1, cells, 1), 0.9), scores], 2).astype(np.float32)
        }
    centre = rng.random((1, cells, 2), np.float32) * [96, 64]
    sides = 4 + rng.random((1, cells, 2), np.float32) * 30
    if layout == "end2end":
        corners = np.concatenate([centre, centre + sides], 2)[:, :50]
        return {"o": np.concatenate([corners, scores.max(2)[:, :50, None], rng.integers(0, 3, (1, 50, 1))], 2).astype(np.float32)}
    objectness = [np.full((1, cells, 1), 0.8)] if layout == "objectness" else []
    table = np.concatenate([centre, sides, *objectness, scores], 2).astype(np.float32)
    if layout == "unit":
        table[:, :, :4] /= [96, 64, 96, 64]
    return {"o": table.transpose(0, 2, 1) if layout == "columns" else table}


@pytest.mark.parametrize(
    ("decoder", "layout"),
    [
        ("fcos", ""),
        ("yolox", ""),
        ("yolo", "rows"),
        ("yolo", "columns"),
        ("yolo", "objectness"),
        ("yolo", "unit"),
        ("yolo", "end2end"),
    ],
)
@pytest.mark.parametrize("class_agnostic", [False, True])
def test_the_boxes_are_those_of_the_decoder(decoder: str, layout: str, class_agnostic: bool) -> None:
    pre = Preprocess(size=(64, 96))
    options = {"score_threshold": 0.2, "iou_threshold": 0.5, "max_detections": 20, "class_agnostic": class_agnostic}
    card = card_of("detect", decoder, preprocess=pre, decode=Decode(decoder, options))
    outputs = outputs_of(decoder, layout, np.random.default_rng(3))
    expected = decode(outputs, card)
    assert len(expected) == 20
    specs = [TensorSpec(name, array.shape, "float32") for name, array in outputs.items()]
    named = {name: f"v{index}" for index, name in enumerate(outputs)}
    scope: dict[str, Any] = {
        "np": np,
        "cv2": cv2,
        "image": np.zeros((64, 96, 3), np.uint8),
        "left": 0,
        "top": 0,
        "width": 96,
        "height": 64,
    }
    scope |= {named[name]: array for name, array in outputs.items()} | {"labels": card.labels}
    with redirect_stdout(io.StringIO()) as printed:
        exec("\n".join(decoding(card, specs, named)), scope)
    rows = [line.split() for line in printed.getvalue().splitlines()]
    assert [row[1] for row in rows] == [card.labels[index] for index in expected.class_id]
    assert np.allclose([float(row[0]) for row in rows], expected.score, atol=1e-5)
    clipped = expected.xyxy.clip(0, [96, 64, 96, 64])
    assert np.allclose([[float(side) for side in row[2:]] for row in rows], clipped, atol=0.006)


def test_values_are_scaled() -> None:
    card = card_of("regress", "values", ("x", "y"), decode=Decode("values", {"scale": [2.0, 3.0], "offset": [1.0, 0.0]}))
    scope: dict[str, Any] = {"np": np, "labels": card.labels, "v": np.array([[1.5, -1.0]], np.float32)}
    with redirect_stdout(io.StringIO()) as printed:
        exec("\n".join(decoding(card, [TensorSpec("values", (1, 2), "float32")], {"values": "v"})), scope)
    assert printed.getvalue().split() == ["4", "x", "-3", "y"]


def test_outputs_without_a_known_decoder_are_shown() -> None:
    lines = decoding(card_of("detect", "blazeface"), [TensorSpec("boxes", (1, 9, 16), "float32")], {"boxes": "v"})
    with redirect_stdout(io.StringIO()) as printed:
        exec("\n".join(lines), {"v": np.zeros((1, 9, 16), np.float32)})
    assert printed.getvalue().strip() == "boxes (1, 9, 16) float32 0.0 0.0"


def test_refuses_a_file_without_a_card(tmp_path: Path) -> None:
    path = tiny.write(tmp_path, "onnx", tiny.Graph({"a": np.zeros((1, 7, 2, 3, 1), np.float32)}))
    with pytest.raises(InputError, match="has no card"):
        snippet(describe(path), "python")


def test_a_detector_prints_the_boxes_that_are_shown(tmp_path: Path) -> None:
    """Those that `edgecnn run` shows, by the thresholds of the classes, and not the weak ones that only evaluation needs."""
    image = Scene(parse_scene("scene:cups?seed=9100&fps=1&cut=1")).render(0)[0]
    cv2.imwrite(str(tmp_path / "scene.png"), image)
    file = shutil.copy(artifact("cups"), tmp_path)
    done = CliRunner().invoke(main, ["info", str(file), "--snippet", "python"])
    assert done.exit_code == 0
    (tmp_path / "program.py").write_text(done.output)
    words = [sys.executable, "-I", "program.py", "scene.png"]
    lines = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    with Detector("cups") as detect:
        found = detect(image)
    card = describe(Path(file)).card
    assert card is not None
    assert len(set(card.decode.options["class_thresholds"].values())) > 1
    assert [line.split()[1] for line in lines] == [card.labels[index] for index in found.class_id]
    assert np.allclose([float(line.split()[0]) for line in lines], found.score, atol=0.02)
