"""`edgecnn thresholds`, and what the commands that show boxes make of its result."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("onnx")

import edgecnn
from edgecnn import shipped
from edgecnn.card import Decode
from edgecnn.cli import main
from edgecnn.errors import ArtifactError, InputError
from edgecnn.integrity.digest import check_digests
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest
from edgecnn.shipped import artifact
from edgecnn.trust.card_file import own_card, write_card
from tests.trust.class_thresholds.planted import BEST, IMAGES, detector, photos


def call(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


def refused(*words: object) -> str:
    result = call("thresholds", *words)
    assert result.exit_code == 2, result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: "), result.output
    return line


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return detector(tmp_path / "planted.onnx")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return photos(tmp_path / "photos")


@pytest.fixture
def chosen(file: Path, data: Path) -> Path:
    """The file with the thresholds in its card."""
    result = call("thresholds", file, "--data", data, "--write")
    assert result.exit_code == 0, result.output
    return file


def test_the_planted_thresholds_are_found_and_only_told(file: Path, data: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    result = call("thresholds", file, "--data", data, "--json", tmp_path / "t.json")
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line.split() for line in result.output.splitlines() if line}
    assert rows["face"][1:] == ["24", "0.65", "100.0", "100.0", "100.0", "0.3", "50.0", "100.0", "66.7"]
    assert rows["hat"][1:] == ["24", "0.05", "100.0", "100.0", "100.0", "0.3", "0.0", "0.0", "0.0"]
    assert rows["cap"][1:3] == ["5", "0.3"]
    assert "kept: 5 objects, fewer than 20" in result.output
    assert f"{IMAGES} images of photos" in result.output
    found = json.loads((tmp_path / "t.json").read_text())
    assert found["class_thresholds"] == BEST
    assert found["classes"][2]["chosen"] is None
    assert file.read_bytes() == content


def test_the_card_holds_them_and_the_file_stays_whole(chosen: Path) -> None:
    card = own_card(chosen, "")
    assert card.decode.options == {"score_threshold": 0.3, "class_thresholds": BEST}
    note = {"data": ["photos"], "images": IMAGES, "criterion": "largest F1 at an overlap of 0.5", "classes": ["face", "hat"]}
    assert card.training == {"seed": 1, "thresholds": note}
    assert check_digests(chosen) is not None
    assert "shown from  face 0.65, hat 0.05, others 0.3" in call("info", chosen).output


def test_a_class_that_can_not_be_judged_keeps_the_threshold_that_it_has(chosen: Path, data: Path, tmp_path: Path) -> None:
    result = call("thresholds", chosen, "--data", data, "--write", "--least-objects", 25, "--json", tmp_path / "t.json")
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split() for line in result.output.splitlines() if line}
    assert (rows["face"][2], rows["face"][6]) == ("0.65", "0.65")
    assert own_card(chosen, "").decode.options == {"score_threshold": 0.3, "class_thresholds": BEST}
    assert [one["present"]["threshold"] for one in json.loads((tmp_path / "t.json").read_text())["classes"]] == [0.65, 0.05, 0.3]


def test_a_second_choice_replaces_the_first(chosen: Path, data: Path) -> None:
    options = {"score_threshold": 0.3, "class_thresholds": {"face": 0.9, "hat": 0.9}}
    write_card(chosen, chosen, own_card(chosen, "").replace(decode=Decode("ssd", options)), None, str)
    assert call("thresholds", chosen, "--data", data, "--write").exit_code == 0
    assert own_card(chosen, "").decode.options["class_thresholds"] == BEST


def test_several_datasets_are_one(file: Path, tmp_path: Path) -> None:
    folders = [photos(tmp_path / name) for name in "abcd"]
    result = call("thresholds", file, *[word for folder in folders for word in ("--data", folder)], "--json", tmp_path / "t.json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "t.json").read_text())
    assert [one["objects"] for one in found["classes"]] == [96, 96, 20]
    assert (found["images"], found["data"]) == (96, ["a", "b", "c", "d"])
    assert found["class_thresholds"]["cap"] == 0.1  # the middle of 0.01 to 0.2


def test_the_validation_split_is_taken_although_there_is_a_test_split(file: Path, tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        photos(tmp_path / "set", split)
    result = call("thresholds", file, "--data", tmp_path / "set")
    assert f"{IMAGES} images of set, val;" in result.output, result.output


def shown(*words: object) -> list[tuple[str, float]]:
    """Class and score of the boxes that `edgecnn run` shows."""
    result = call("run", *words, "--jsonl", "-", "--log", "off")
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    return [(one["label"], round(one["score"], 2)) for one in json.loads(line)["detections"]]


def test_run_shows_each_class_from_its_own_score(chosen: Path, data: Path, tmp_path: Path) -> None:
    image = data / "images" / "00.png"
    source = ("--source", image)
    assert shown(chosen, *source) == [("face", 0.9), ("hat", 0.1)]
    assert shown(chosen, *source, "--score-threshold", 0.15) == [("face", 0.9), ("face", 0.4), ("cap", 0.2)]
    assert shown(chosen, *source, "--class-thresholds", "hat=0.2,CAP=0.2") == [("face", 0.9), ("cap", 0.2)]
    both = ("--score-threshold", 0.95, "--class-thresholds", "face=0.4")
    assert shown(chosen, *source, *both) == [("face", 0.9), ("face", 0.4)]
    cameras = tmp_path / "cameras.toml"
    cameras.write_text(f"[[camera]]\nsource = '{image}'\nmodel = '{chosen}'\nclass-thresholds = {{ face = 0.4, hat = 0.5 }}\n")
    assert shown("--cameras", cameras) == [("face", 0.9), ("face", 0.4)]
    result = call("run", chosen, *source, "--class-thresholds", "dog=0.4")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: --class-thresholds: the model has no class dog; choose from face, hat, cap\n",
    )


def test_python_shows_the_same(chosen: Path, data: Path) -> None:
    import cv2

    image = cv2.imread(str(data / "images" / "00.png"))

    def found(**options: object) -> list[tuple[int, float]]:
        with edgecnn.Detector(chosen, **options) as detect:  # type: ignore[arg-type]
            boxes = detect(image)
        return [(int(class_id), round(float(score), 2)) for class_id, score in zip(boxes.class_id, boxes.score, strict=True)]

    assert found() == [(0, 0.9), (1, 0.1)]
    assert found(score_threshold=0.15) == [(0, 0.9), (0, 0.4), (2, 0.2)]
    assert found(score_threshold=None) == [(0, 0.9), (0, 0.4)]  # all from the 0.3 of the decoder
    assert found(score_threshold={"face": 0.4, "hat": 0.5}) == [(0, 0.9), (0, 0.4)]
    with pytest.raises(InputError, match=r"score_threshold\.face is 2"):
        found(score_threshold={"face": 2})
    (result,) = edgecnn.stream(data / "images" / "00.png", chosen)
    assert result.prediction.class_id.tolist() == [0, 1]


def test_the_map_does_not_change_and_the_working_point_does(file: Path, data: Path, tmp_path: Path) -> None:
    own = photos(tmp_path / "others")

    def measured() -> dict[str, object]:
        result = call("evaluate", file, "--data", own, "--json", tmp_path / "score.json")
        assert result.exit_code == 0, result.output
        return {"text": result.output, **json.loads((tmp_path / "score.json").read_text())}

    before = measured()
    assert call("thresholds", file, "--data", data, "--write").exit_code == 0
    after = measured()
    for key in ("values", "per_class"):
        assert before["score"][key] == after["score"][key]  # type: ignore[index]
    points = [one["detail"]["at_threshold"] for one in (before, after)]  # type: ignore[index]
    assert [one["face"]["precision"]["value"] for one in points] == [0.5, 1]
    assert [one["hat"]["recall"]["value"] for one in points] == [0, 1]
    assert points[1]["hat"]["threshold"] == 0.05
    assert "shown from" in str(after["text"])
    assert "precision from 0.3" in str(before["text"])


def test_a_checkpoint_holds_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    checkpoint = Path(shutil.copy(Path(artifact("cups")).with_name("cups.safetensors"), tmp_path))
    words = ("--data", "scene:cups?size=160x120&fps=1&cut=1&seed=3&count=12", "--least-objects", 1, "--write")
    result = call("thresholds", checkpoint, *words)
    assert result.exit_code == 0, result.output
    own = own_card(checkpoint, "").decode.options["class_thresholds"]
    assert own
    from edgecnn.export.config import ModelOptions
    from edgecnn.export.source import load_model
    from edgecnn.runtime.model.card_inference import CardOptions

    assert load_model(str(checkpoint), ModelOptions())[1].decode.options["class_thresholds"] == own
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    assert "shown from" in call("models", "cups").output
    given = ModelOptions(card=CardOptions(class_thresholds=(("bowl", 0.77),)))
    assert load_model(str(checkpoint), given)[1].decode.options["class_thresholds"] == {**own, "bowl": 0.77}


def test_goldens_and_signature_stay_right(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    copy, key = Path(shutil.copy(artifact("cups"), tmp_path / "cups.onnx")), tmp_path / "owner"
    words = ("--data", "scene:cups?size=160x120&fps=1&cut=1&seed=3&count=12", "--least-objects", 1, "--write")
    assert call("sign", "--new-key", key).exit_code == 0
    assert call("sign", copy, "--key", key).exit_code == 0
    content = copy.read_bytes()
    assert "is signed, and another card makes its signature invalid" in refused(copy, *words)
    assert copy.read_bytes() == content
    result = call("thresholds", copy, *words, "--key", key)
    assert result.exit_code == 0, result.output
    assert call("verify", copy, "--key", key.with_name("owner.pub")).exit_code == 0
    with Predictor(copy) as predictor:
        assert not selftest(predictor.backend, predictor.card, copy).violations
        assert predictor.card.decode.options["class_thresholds"]


def test_what_can_not_be_is_refused_before_the_work(file: Path, data: Path, tmp_path: Path) -> None:
    assert "--out does nothing without --write" in refused(file, "--data", data, "--out", tmp_path / "b.onnx")
    assert "has another suffix than planted.onnx" in refused(file, "--data", data, "--write", "--out", tmp_path / "b.tflite")
    assert "belongs to the installed package; write a copy with --out" in refused("cups", "--data", data, "--write")
    assert "is no detector, its task is classify" in refused("fashion-resnet-xs", "--data", data)
    assert "face-not-there" in refused(file, "--data", tmp_path / "face-not-there")
    assert "would be overwritten" in refused(file, "--data", data, "--json", file) or file.stat().st_size


def test_a_card_with_a_class_that_the_model_lacks_is_broken(file: Path) -> None:
    from edgecnn.card import ModelCard

    text = own_card(file, "").to_json().replace('"score_threshold":0.3', '"class_thresholds":{"dog":0.3}')
    with pytest.raises(ArtifactError, match="class_thresholds names dog, which is no class of the model"):
        ModelCard.from_json(text)
    with pytest.raises(ArtifactError, match=r"class_thresholds\.face is 1\.5"):
        ModelCard.from_json(text.replace('{"dog":0.3}', '{"face":1.5}'))
