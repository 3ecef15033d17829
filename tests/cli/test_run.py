"""`edgecnn run` as a user has it: a process with files, signals, exit codes and one-line errors."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.types import TensorSpec

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

SIDE = 64
CELLS = (SIDE // 8) ** 2 + (SIDE // 16) ** 2 + (SIDE // 32) ** 2
COMMAND = [sys.executable, "-m", "edgecnn", "run"]
SCENE = "scene:cups?size=128x96&fps=60"


def save(path: Path, outputs: dict[str, np.ndarray], card: ModelCard) -> Path:
    """A graph that takes an image and gives ``outputs`` whatever it shows."""
    ones = helper.make_node("ReduceMean", ["real"], ["mean"], keepdims=0)
    nodes = [helper.make_node("Cast", ["image"], ["real"], to=onnx.TensorProto.FLOAT), ones]
    nodes += [helper.make_node("Mul", ["mean", "zero"], ["nothing"])]
    nodes += [helper.make_node("Add", ["nothing", f"{name}_value"], [name]) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, [1, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(value.shape)) for name, value in outputs.items()],
        [numpy_helper.from_array(np.zeros((), np.float32), "zero")]
        + [numpy_helper.from_array(value, f"{name}_value") for name, value in outputs.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {"edgecnn.card": card.to_json()})
    onnx.save(model, str(path))
    return path


def card(task: Any, labels: tuple[str, ...], decode: Decode) -> ModelCard:
    image = TensorSpec("image", (1, SIDE, SIDE, 3), "uint8", "NHWC")
    preprocess = Preprocess((SIDE, SIDE), color="bgr", input_dtype="uint8")
    return ModelCard(name="tiny", task=task, labels=labels, preprocess=preprocess, decode=decode, inputs=(image,))


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finds one mug of 32x32 pixels in the middle of every image."""
    boxes, scores = np.full((1, CELLS, 4), 2.0, np.float32), np.zeros((1, CELLS, 2), np.float32)
    scores[0, 3 * 8 + 3, 0] = 0.75
    path = tmp_path_factory.mktemp("models") / "detector.onnx"
    return save(
        path, {"boxes": boxes, "scores": scores}, card("detect", ("mug", "glass"), Decode("fcos", {"strides": [8, 16, 32]}))
    )


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "classifier.onnx"
    logits = np.log(np.array([[0.7, 0.2, 0.1]], np.float32))
    return save(path, {"logits": logits}, card("classify", ("boot", "bag", "coat"), Decode("softmax")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        cv2.imwrite(str(images / f"img{number}.png"), np.full((96, 128, 3), number * 40, np.uint8))
    return images


@pytest.fixture
def video(tmp_path: Path) -> Path:
    writer = cv2.VideoWriter(str(tmp_path / "in.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (128, 96))
    for index in range(30):
        writer.write(np.full((96, 128, 3), index * 8, np.uint8))
    writer.release()
    return tmp_path / "in.avi"


def run(*args: object, **more: Any) -> subprocess.CompletedProcess[str]:
    env = {"EDGECNN_LOG": "text", **os.environ, **more.pop("env", {})}
    return subprocess.run([*COMMAND, *map(str, args)], capture_output=True, text=True, timeout=60, check=False, env=env, **more)


def ledger(text: str) -> dict[str, int]:
    """The counts of the ledger line of a summary, which must balance."""
    found = re.search(r"ledger: (\d+) captured = (\d+) processed \+ (\d+) dropped.* \+ (\d+) failed", text)
    assert found is not None, text
    captured, processed, dropped, failed = map(int, found.groups())
    assert captured == processed + dropped + failed
    return {"captured": captured, "processed": processed, "dropped": dropped, "failed": failed}


def frames_in(path: Path) -> int:
    video = cv2.VideoCapture(str(path))
    count = 0
    while video.grab():
        count += 1
    return count


def test_an_image_prints_what_is_on_it(detector: Path, folder: Path) -> None:
    done = run(detector, "--source", folder / "img1.png")
    assert done.returncode == 0
    assert re.fullmatch(r"img1\.png  128x96  1 object  \d+\.\d ms\n  mug  0\.75  \d+,\d+ to \d+,\d+\n", done.stdout)
    assert ledger(done.stderr)["processed"] == 1


def test_a_classifier_prints_its_best_classes(classifier: Path, folder: Path) -> None:
    done = run(classifier, "--source", folder)
    assert [line.rpartition("  ")[0] for line in done.stdout.splitlines()] == [
        f"img{number}.png  128x96  boot 0.70, bag 0.20, coat 0.10" for number in range(3)
    ]


def test_a_folder_with_a_broken_image_goes_on_and_names_it(detector: Path, folder: Path) -> None:
    (folder / "img1.png").write_text("no image")
    done = run(detector, "--source", folder)
    assert done.returncode == 0
    assert ledger(done.stderr) == {"captured": 3, "processed": 2, "dropped": 0, "failed": 1}
    assert "failed: img1.png: a file that is no image or is damaged" in done.stderr


def test_a_video_leaves_every_output(detector: Path, video: Path, tmp_path: Path) -> None:
    out = {name: tmp_path / f"out.{name}" for name in ("mp4", "png", "jsonl", "json")}
    options = ["--out", out["mp4"], "--snapshot", out["png"], "--jsonl", out["jsonl"], "--stats", out["json"], "--repeat", 2]
    done = run(detector, "--source", video, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert frames_in(out["mp4"]) == 60
    assert [json.loads(line)["frame"] for line in out["jsonl"].read_text().splitlines()] == list(range(60))
    stats = json.loads(out["json"].read_text())
    assert stats["ledger"] == {
        "captured": 60,
        "processed": 60,
        "dropped": 0,
        "failed": 0,
        "skipped": 0,
        "unfinished": 0,
        "in_flight": 0,
    }
    assert (stats["policy"], stats["end"], stats["throughput_fps"] > 0) == ("all", "done", True)
    assert cv2.imread(str(out["png"])) is not None
    assert "no longer" not in done.stderr
    assert not list(tmp_path.glob(".*"))


def test_json_lines_on_standard_output_are_alone_there(detector: Path, folder: Path) -> None:
    done = run(detector, "--source", folder, "--jsonl", "-")
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["img0.png", "img1.png", "img2.png"]


def test_max_frames_and_duration_end_a_camera(detector: Path) -> None:
    done = run(detector, "--source", SCENE, "--max-frames", 5)
    assert (done.returncode, ledger(done.stderr)["processed"]) == (0, 5)
    assert run(detector, "--source", SCENE, "--duration", 0.3).returncode == 0


@pytest.fixture
def endless(detector: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run on the scene, with all outputs, that has written a few lines."""
    options = ["--out", "live.mp4", "--jsonl", "live.jsonl", "--stats", "live.json", "--snapshot", "live.png"]
    process = subprocess.Popen(
        [*COMMAND, str(detector), "--source", SCENE, *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"EDGECNN_LOG": "text", **os.environ},
    )
    lines, deadline = tmp_path / "live.jsonl", time.perf_counter() + 30
    while not (lines.exists() and lines.read_text().count("\n") > 5) and time.perf_counter() < deadline:
        time.sleep(0.02)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_cleanly(endless: subprocess.Popen[str], tmp_path: Path, number: signal.Signals, code: int) -> None:
    endless.send_signal(number)
    _, err = endless.communicate(timeout=20)
    assert endless.returncode == code
    assert f"stopped by {number.name}" in err
    assert "Traceback" not in err
    counts = ledger(err)
    lines = [json.loads(line) for line in (tmp_path / "live.jsonl").read_text().splitlines()]
    assert len(lines) == counts["processed"]
    assert frames_in(tmp_path / "live.mp4") >= counts["processed"] // 2  # as long as what it shows, at the camera's rate
    assert json.loads((tmp_path / "live.json").read_text())["ledger"]["captured"] == counts["captured"]
    assert {path.name for path in tmp_path.iterdir()} == {"live.mp4", "live.jsonl", "live.json", "live.png"}


def test_a_signal_ends_a_run_whose_camera_hangs(detector: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        command = [*COMMAND, str(detector), "--source", address, "--timeout", "600"]  # only the signal ends it
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={"EDGECNN_LOG": "text", **os.environ})
        silent.settimeout(30)
        connection, _ = silent.accept()  # the device is being opened
        with connection:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err


WRONG: list[Any] = [
    pytest.param(["--source", "absent.mp4"], r"absent\.mp4 does not exist; check the path", id="missing source"),
    pytest.param(["--source", "."], r"\. has no image .* among", id="folder without images"),
    pytest.param(["--source", "97"], r"camera 97", id="no camera"),
    pytest.param(["--source", "http://ann:s3cret@127.0.0.1:1/x"], r"refuses connections on port 1", id="address refuses"),
    pytest.param(["--source", "scene:kitchen"], r"scene", id="no such scene"),
    pytest.param(["--source", SCENE, "--out", "absent/v.mp4"], r"the folder absent does not exist", id="no folder to write"),
    pytest.param(["--source", SCENE, "--out", "v.gif"], r"use one of \.mp4", id="unknown video suffix"),
    pytest.param(["--source", SCENE, "--jsonl", "/proc/x"], r"can't write /proc/x", id="no permission to write"),
    pytest.param(["--source", SCENE, "--stats", "absent/s.json"], r"the folder absent does not exist", id="no folder for stats"),
    pytest.param(["--source", SCENE, "--repeat", "3"], r"--repeat: .* never ends; leave --repeat out", id="repeat a camera"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(detector: Path, tmp_path: Path, options: list[str], message: str) -> None:
    done = run(detector, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert re.search(f"^error: .*{message}", done.stderr)
    assert "s3cret" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_fails_does_not_stop_the_run_but_is_told_at_its_end(detector: Path, video: Path, tmp_path: Path) -> None:
    done = run(detector, "--source", video, "--jsonl", "/dev/full", "--csv", tmp_path / "fine.csv")
    assert done.returncode == 2
    assert ledger(done.stderr)["processed"] == 30
    assert done.stderr.splitlines()[-1].startswith("error: can't write /dev/full: no space left")
    assert len((tmp_path / "fine.csv").read_text().splitlines()) > 30
    assert "Traceback" not in done.stderr


def test_a_full_disk_keeps_the_video_that_was_there(detector: Path, video: Path, tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_text("dear old video")
    done = run(
        detector,
        "--source",
        video,
        "--out",
        tmp_path / "v.mp4",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: can't write {tmp_path / 'v'}")
    assert "wrote" not in done.stderr
    assert (tmp_path / "v.mp4").read_text() == "dear old video"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.avi", "v.mp4"]


def test_a_run_imports_no_training_framework(detector: Path, folder: Path) -> None:
    script = (
        "import sys; from edgecnn.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'matplotlib', 'scipy', 'pandas', 'PIL', 'onnx', 'openvino') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "run", str(detector), "--source", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "[]"
