"""`edgecnn export`, `selftest` and `info` as a user types them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgecnn.cli import main

torch = pytest.importorskip("torch")

FACTORY = """
from torch import nn

def net():
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
"""
MODEL = ["my_net:net", "--weights", "w.pt", "--input", "1x3x24x32", "--labels", "labels.txt", "--task", "classify"]


def edgecnn(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: a module with a factory, its weights, labels, pictures, a checkpoint, a few files that are wrong."""
    from torch import nn

    from edgecnn.models import create, save_checkpoint
    from edgecnn.models.new_card import new_card

    home = tmp_path_factory.mktemp("home")
    torch.manual_seed(3)
    (home / "my_net.py").write_text(FACTORY)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    torch.save(net.state_dict(), home / "w.pt")
    (home / "garbage.pt").write_bytes(b"garbage")
    (home / "labels.txt").write_text("cat\ndog\nbird\n")
    (home / "two.txt").write_text("cat\ndog\n")
    write_pictures(home / "pictures", 88)
    write_pictures(home / "three", 3)
    card = new_card("lecture", {"channels": 1}, [f"class {index}" for index in range(10)])
    save_checkpoint(home / "lecture.safetensors", create("lecture", channels=1), card)
    (home / "broken.safetensors").write_bytes((home / "lecture.safetensors").read_bytes()[:5000])
    return home


def write_pictures(folder: Path, count: int) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(count):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index:03}.png"), cv2.resize(coarse, (64, 48)))


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home)
    monkeypatch.delitem(sys.modules, "my_net", raising=False)
    return home


@pytest.fixture(scope="module")
def exported(home: Path) -> tuple[Path, str]:
    """What a user's own model becomes, and what was printed meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        more = ["--format", "onnx", "--precision", "fp32,int8", "--calibration", "pictures", "--out", "done", "--name", "pets"]
        result = edgecnn("export", *MODEL, *more)
    assert result.exit_code == 0, result.output
    return home / "done", result.output


def test_anybodys_model_is_exported_and_a_table_printed(exported: tuple[Path, str]) -> None:
    done, printed = exported
    assert {path.name for path in done.glob("*.onnx")} == {"pets-fp32.onnx", "pets-int8.onnx"}
    assert "input 24x32 rgb, crop, (pixel - 0) / 255" in printed
    assert len(re.findall(r"^real +16 .* ok$", printed, re.MULTILINE)) == 2
    assert re.search(r"pets-int8\.onnx +0\.0\d MB, verified in [\d.]+ s", printed)


def test_parity_and_calibration_are_recorded(exported: tuple[Path, str]) -> None:
    result = edgecnn("info", str(exported[0] / "pets-int8.onnx"), "--json")
    card = json.loads(result.output)["card"]
    assert card["calibration"]["dataset"] == "pictures"
    assert card["calibration"]["count"] == 72  # 88 pictures, 16 of which verify
    assert card["parity"]["passed"] is True
    assert card["parity"]["real_inputs"] == "others of pictures"


def test_the_goldens_pass_where_the_file_is(exported: tuple[Path, str]) -> None:
    result = edgecnn("selftest", str(exported[0] / "pets-int8.onnx"))
    assert result.exit_code == 0, result.output
    assert "All goldens agree with PyTorch." in result.output
    assert "Graph, weights, card and goldens are those of the export, SHA-256 " in result.output
    assert "int8 outputs against those recorded by onnxruntime " in result.output
    document = json.loads(edgecnn("selftest", str(exported[0] / "pets-int8.onnx"), "--json").output)
    assert (document["schema"], document["version"]) == ("edgecnn.selftest", 2)
    assert [row["kind"] for row in document["rows"]] == ["real", "black", "noise"]
    assert len(document["graph_sha256"]) == 64


def test_other_weights_with_a_right_digest_fail_the_goldens(exported: tuple[Path, str], tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    from edgecnn.card import CARD_KEY, ModelCard
    from edgecnn.integrity.digest import sealed

    model = onnx.load(exported[0] / "pets-fp32.onnx")
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1.05, weight.name))
    onnx.save(model, tmp_path / "damaged.onnx")
    texts = {item.key: item.value for item in model.metadata_props}
    _, content = sealed(tmp_path / "damaged.onnx", ModelCard.from_json(texts.pop(CARD_KEY)), texts)
    (tmp_path / "damaged.onnx").write_bytes(content)
    result = edgecnn("selftest", str(tmp_path / "damaged.onnx"))
    assert result.exit_code == 1
    assert "OUT OF TOLERANCE" in result.output
    assert "error: damaged.onnx differs from PyTorch on this device: " in result.output


def test_info_says_what_the_card_says(exported: tuple[Path, str]) -> None:
    result = edgecnn("info", str(exported[0] / "pets-int8.onnx"))
    assert result.exit_code == 0, result.output
    for text in (
        "labels       cat, dog, bird",
        "image        24 x 32 bgr, crop, raw pixels",
        "precision    int8",
        "parity       passed",
    ):
        assert text in result.output


def test_info_of_a_file_without_a_card_shows_its_tensors(exported: tuple[Path, str], tmp_path: Path) -> None:
    import onnx

    model = onnx.load(exported[0] / "pets-fp32.onnx")
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {"author": "somebody"})
    onnx.save(model, tmp_path / "bare.onnx")
    result = edgecnn("info", str(tmp_path / "bare.onnx"))
    assert result.exit_code == 0, result.output
    assert "image uint8 1x24x32x3 NHWC" in result.output
    assert "logits float32 1x3" in result.output
    assert "somebody" in result.output


def test_a_checkpoint_is_exported_in_a_process_of_its_own(here: Path, tmp_path: Path) -> None:
    """What third parties print, log or report would show on its terminal."""
    command = [sys.executable, "-m", "edgecnn", "export", "lecture.safetensors", "--format", "openvino", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "warning: verified with blurred noise, because no real images were given; set --verify-data\n"
    assert done.stdout.startswith("lecture: classify, 10 classes, input 28x28 gray")
    assert len(done.stdout.splitlines()) == 12
    assert {path.name for path in tmp_path.iterdir()} == {f"lecture-fp32.{end}" for end in ("xml", "bin", "xml.parity.json")}


INT8 = ["--format", "onnx", "--precision", "int8"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([*MODEL, *INT8], "int8 needs calibration data", id="int8-without-calibration"),
        pytest.param([*MODEL, *INT8, "--calibration", "three"], "needs at least 64 images", id="three-images"),
        pytest.param([*MODEL, *INT8, "--calibration", "nowhere"], "nowhere", id="missing-calibration-data"),
        pytest.param([*MODEL, "--format", "onnx,coreml"], "--format: 'coreml' is not one of onnx, tflite, openvino", id="format"),
        pytest.param([*MODEL, "--precision", "int4"], "--precision: 'int4' is not one of fp32, fp16, int8", id="precision"),
        pytest.param([*MODEL, "--labels", "two.txt"], "--labels: 2 class names for 3 classes", id="wrong-number-of-labels"),
        pytest.param([*MODEL, "--weights", "none.pt"], "--weights: none.pt does not exist", id="missing-weights"),
        pytest.param(
            [*MODEL, "--weights", "garbage.pt"],
            "--weights: garbage.pt is damaged, or neither a .safetensors file",
            id="garbage-weights",
        ),
        pytest.param(["my_net:nothing", *MODEL[1:]], "my_net has no function or class 'nothing'", id="missing-factory"),
        pytest.param(["no_module:net", *MODEL[1:]], "no_module can't be imported: no module named no_module", id="no-module"),
        pytest.param([*MODEL, "--input", "1x3x8x8", "--color", "gray"], "1x1x8x8", id="channels-that-do-not-fit"),
        pytest.param(["nothing.safetensors"], "the checkpoint nothing.safetensors does not exist", id="missing-checkpoint"),
        pytest.param(["broken.safetensors"], "broken.safetensors", id="truncated-checkpoint"),
        pytest.param(["labels.txt"], "labels.txt", id="not-a-checkpoint"),
        pytest.param([*MODEL, "--format", "onnx", "--out", "labels.txt"], "--out: labels.txt is a file", id="out-is-a-file"),
        pytest.param([*MODEL, "--verify-data", "nowhere"], "nowhere", id="missing-verify-data"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments: list[str], message: str, here: Path) -> None:
    before = set(here.rglob("*"))
    out = [] if "--out" in arguments else ["--out", "new"]
    result = edgecnn("export", *arguments, *out)
    assert result.exit_code == 2, result.output
    last = result.output.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert "Traceback" not in result.output
    assert {path for path in here.rglob("*") if "__pycache__" not in path.parts} <= before


@pytest.mark.parametrize("command", ["info", "selftest"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("nothing.onnx", "the model file nothing.onnx does not exist", id="missing"),
        pytest.param("labels.txt", "labels.txt is no model file of a supported format; use one of .onnx", id="no-model"),
        pytest.param("empty.onnx", "the model file empty.onnx is empty", id="empty"),
        pytest.param("cut.onnx", "cut.onnx", id="truncated"),
    ],
)
def test_files_that_are_no_models(command: str, name: str, message: str, here: Path, exported: tuple[Path, str]) -> None:
    (here / "empty.onnx").write_bytes(b"")
    (here / "cut.onnx").write_bytes((exported[0] / "pets-fp32.onnx").read_bytes()[:2000])
    result = edgecnn(command, name)
    assert result.exit_code == 2, result.output
    assert result.output.count("\n") == 1
    assert message in result.output
