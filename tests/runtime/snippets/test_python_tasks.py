"""The programs of all tasks print what edgecnn predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.card import Decode, SignalInput
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.signals.window_image import to_image
from tests.runtime.snippets.programs import file_of, picture_of, predicted, printed


@pytest.mark.parametrize("decoder", ["sigmoid", "label-scores"])
def test_multilabel(decoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.float32([[0.9, 0.1, 0.6]]) if decoder == "label-scores" else np.float32([[3, -2, 0.5]])
    file = file_of(tmp_path, "multilabel", Decode(decoder, {"label_threshold": 0.55}), ("a", "b", "c"), {"scores": scores})
    path, image = picture_of(tmp_path)
    found = predicted(file, image)
    assert printed(file, path, monkeypatch) == [[f"{found.score[index]:.5f}", "abc"[index]] for index in (0, 2)]


def test_embed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(tmp_path, "embed", Decode("embedding"), (), {"vector": [[3.0, -1.0, 2.0, 0.5]]})
    path, image = picture_of(tmp_path)
    (row,) = printed(file, path, monkeypatch)
    assert np.allclose([float(word) for word in row], predicted(file, image).vector, atol=2e-6)


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize("layout", ["planes", "pixels"])
def test_segment(layout: str, resize: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = np.random.default_rng(3).random((1, 3, 8, 12), np.float32)
    maps = maps if layout == "planes" else maps.transpose(0, 2, 3, 1)
    file = file_of(tmp_path, "segment", Decode("argmax"), ("a", "b", "c"), {"logits": maps}, resize=resize)
    path, image = picture_of(tmp_path)
    rows = printed(file, path, monkeypatch)
    expected = predicted(file, image).class_id
    assert len(np.unique(expected)) >= 3
    assert np.array_equal(cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_UNCHANGED), expected)
    assert rows == [[f"{(expected == index).mean():.5f}", label] for index, label in enumerate("abc")]


def poses(decoder: str) -> dict[str, Any]:
    """Outputs with several objects of three key points."""
    rng = np.random.default_rng(5)
    if decoder == "centres":
        return {"centres": rng.random((1, 1, 8, 12)) ** 3, "offsets": rng.normal(size=(1, 6, 8, 12)) * 0.3}
    if decoder == "heatmaps":
        return {"maps": rng.random((1, 3, 8, 12))}
    if decoder == "movenet":
        return {"poses": rng.random((1, 6, 14))}
    centre = rng.random((1, 2, 40)) * [[[48], [32]]]
    return {
        "rows": np.concatenate([centre, 5 + rng.random((1, 2, 40)) * 9, rng.random((1, 1, 40)), rng.random((1, 9, 40)) * 30], 1)
    }


@pytest.mark.parametrize("decoder", ["centres", "heatmaps", "movenet", "yolo-pose"])
def test_pose(decoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"score_threshold": 0.5, "max_detections": 9} | ({"iou_threshold": 0.4} if decoder == "yolo-pose" else {})
    file = file_of(tmp_path, "pose", Decode(decoder, options), ("a", "b", "c"), poses(decoder))
    path, image = picture_of(tmp_path)
    rows = printed(file, path, monkeypatch)
    found = predicted(file, image)
    assert len(found) == len(rows) > 0
    assert np.allclose([float(row[0]) for row in rows], found.score, atol=1e-4)
    assert [row[1::2] for row in rows] == [["a", "b", "c"]] * len(rows)
    points = [[[float(side) for side in word.split(",")] for word in row[2::2]] for row in rows]
    assert np.allclose(points, found.points[..., :2], atol=0.02)


def test_no_pose_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {name: array * 0 for name, array in poses("centres").items()}
    file = file_of(tmp_path, "pose", Decode("centres", {"score_threshold": 0.5}), ("a", "b", "c"), outputs)
    assert printed(file, picture_of(tmp_path)[0], monkeypatch) == []


@pytest.mark.parametrize("shape", [(32, 48), (50, 131), (20, 30)])
@pytest.mark.parametrize("enlarged", [1, 2])
def test_restore(shape: tuple[int, int], enlarged: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planes = np.random.default_rng(7).random((1, 3, 32 * enlarged, 48 * enlarged), np.float32)
    file = file_of(tmp_path, "restore", Decode("picture", {"upscale": enlarged}), (), {"picture": planes})
    path, image = picture_of(tmp_path, *shape)
    rows = printed(file, path, monkeypatch)
    expected = predicted(file, image).image
    assert np.array_equal(cv2.imread(str(tmp_path / "restored.png")), expected)
    assert rows == [[str(expected.shape[1]), str(expected.shape[0])]]


def test_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = SignalInput(rate_hz=100.0, hop=16, channels=("x", "z"))
    outputs = {"logits": [[0.5, 1.5, 0.1]]}
    pre = {"size": (2, 32), "color": "gray", "signal": signal, "resize": "stretch"}
    file = file_of(tmp_path, "signal", Decode("window-softmax"), ("a", "b", "c"), outputs, **pre)
    samples = np.random.default_rng(2).normal(size=(70, 3)).astype(np.float32)
    path = tmp_path / "log.csv"
    path.write_text("x,y,z\n" + "\n".join(",".join(map(repr, map(float, row))) for row in samples))
    rows = printed(file, path, monkeypatch)
    assert [row for row in rows if row[0] == "sample"] == [["sample", str(start)] for start in (0, 16, 32)]
    with Predictor(file) as predictor:
        for index, start in enumerate((0, 16, 32)):
            score = predictor(to_image(samples[start : start + 32, [0, 2]])).score
            best = np.argsort(-score)
            assert rows[4 * index + 1 : 4 * index + 4] == [[f"{score[one]:.5f}", "abc"[one]] for one in best]


def test_raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(tmp_path, "raw", Decode("raw"), (), {"a": np.ones((1, 5)), "b": np.zeros((1, 2, 3))})
    path, image = picture_of(tmp_path)
    rows = printed(file, path, monkeypatch)
    found = predicted(file, image).tensors
    for row, (name, array) in zip(rows, found.items(), strict=True):
        assert " ".join(row[:-2]) == f"{name} {array.shape} {array.dtype}"
        assert np.allclose([float(word) for word in row[-2:]], [array.min(), array.max()])
