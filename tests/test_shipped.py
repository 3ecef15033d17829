from __future__ import annotations

import struct
from pathlib import Path

import pytest

from edgecnn import shipped
from edgecnn.errors import ArtifactError
from edgecnn.runtime.model.description import describe


def test_names_are_those_of_the_checkpoints() -> None:
    assert "cups" in shipped.names()
    assert all(shipped.checkpoint(name).is_file() for name in shipped.names())


def test_every_shipped_model_has_an_int8_file() -> None:
    for name in shipped.names():
        assert shipped.artifact(name) == shipped.FOLDER / f"{name}.onnx"


def test_int8_files_of_fashion_mnist_lose_little_and_hold_a_rendered_golden() -> None:
    cards = [describe(path).card for path in shipped.FOLDER.glob("fashion-*.onnx")]
    assert len(cards) == 3
    for card in cards:
        assert card is not None
        # one of the real inputs is stored in the file: images of the dataset are not ours to ship
        assert card.parity["real_inputs"] == "scene:cups"
        accuracy = card.parity["accuracy"]
        assert (accuracy["data"], accuracy["n"]) == ("fashion-mnist", 10_000)
        assert accuracy["pytorch"] - accuracy["artifact"] < 0.005


def test_artifacts_are_of_the_checkpoints_beside_them() -> None:
    from edgecnn.runtime.backends import open_backend
    from edgecnn.runtime.model.card_inference import CardOptions, card_for

    for path in shipped.FOLDER.glob("*.onnx"):
        backend = open_backend(path)
        card = card_for(backend, path, CardOptions())
        backend.close()
        assert len(card.graph_sha256) == 64, "run: python -m edgecnn.benchmarks.figures.seal_shipped"
        assert card.sha256 == shipped.read(path.stem)[0].sha256
        assert card.parity["passed"]


def test_a_file_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped.artifact("cups").parent == shipped.FOLDER
    Path("cups").write_text("mine")
    assert shipped.artifact("cups") == Path("cups")
    assert shipped.artifact("no-such-model.onnx") == Path("no-such-model.onnx")


def test_parameters_are_counted_without_statistics() -> None:
    card, parameters = shipped.read("cups")
    assert card.task == "detect"
    assert parameters == 908_216


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(struct.pack("<Q", 10**12) + b"{}", id="cut"),
        pytest.param(struct.pack("<Q", 4) + b"oops", id="no-json"),
        pytest.param(struct.pack("<Q", 2) + b"{}", id="no-card"),
    ],
)
def test_a_broken_file_is_one_line(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    (tmp_path / "mine.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match="install edgecnn again"):
        shipped.read("mine")


def test_a_model_without_an_onnx_file_is_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    (tmp_path / "mine.safetensors").write_bytes(b"1")
    assert shipped.artifact("mine") == tmp_path / "mine.safetensors"


def test_a_model_that_was_got_is_its_file_but_a_shipped_one_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    place = tmp_path / "edgecnn" / "models"
    place.mkdir(parents=True)
    for name in ("mine.tflite", "cups.onnx", ".hidden.onnx"):
        (place / name).write_bytes(b"x")
    assert shipped.artifact("mine") == place / "mine.tflite"
    assert shipped.artifact("cups").parent == shipped.FOLDER
    for name in (".hidden", "../models/mine", ""):
        assert shipped.artifact(name) == Path(name)
