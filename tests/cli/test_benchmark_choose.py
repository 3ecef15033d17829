"""`edgecnn benchmark --choose` and `edgecnn run --auto` on tiny models, and what they say to bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecnn.benchmarks.choose import race
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.cli import main
from tests.benchmarks.conftest import make_classifier, make_detector


@pytest.fixture(autouse=True)
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    for name, value in {"SHORT_S": 0.001, "LONG_S": 0.001, "SCREENED": 1, "LEAST_TURNS": 1, "MOST_TURNS": 1}.items():
        monkeypatch.setattr(race, name, value)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_classifier(tmp_path_factory.mktemp("models") / "tiny-fp32.onnx")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in class folders."""
    import cv2
    import numpy as np

    folder = tmp_path_factory.mktemp("digits")
    for index, name in enumerate(("mug", "glass", "bowl", "plate")):
        (folder / name).mkdir()
        for number in range(2):
            image = np.random.default_rng(10 * index + number).integers(0, 256, (64, 64, 3), np.uint8)
            cv2.imwrite(str(folder / name / f"{number}.png"), image)
    return folder


def edgecnn(*words: object) -> Result:
    return CliRunner().invoke(main, [*map(str, words)])


def choose(*words: object) -> Result:
    return edgecnn("benchmark", *words, "--choose", "--engine", "onnxruntime", "--threads", "1")


def failure(result: Result) -> str:
    assert result.exit_code == 2, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert "Traceback" not in result.output
    return lines[0]


def test_a_choice_is_printed_written_kept_and_used_again(model: Path, digits: Path, tmp_path: Path) -> None:
    told = tmp_path / "choice.json"
    words = (model, "--data", digits, "--max-latency", "10s", "--max-memory", "2GB", "--json", told)
    first = choose(*words)
    assert first.exit_code == 0, first.output
    lines = first.output.splitlines()
    assert any(line.startswith("choice: tiny-fp32.onnx in onnxruntime, 1 thread, ") for line in lines)
    assert any("top-1" in line for line in lines)
    document = json.loads(told.read_text())
    assert document["schema"] == "edgecnn.choice"
    assert document["chosen"]["path"] == "tiny-fp32.onnx"
    assert str(model.parent) not in told.read_text()
    assert str(digits.parent) not in told.read_text()
    assert (document["chosen"]["metric"], document["chosen"]["images"]) == ("top1", 8)
    assert [len(one["rounds_ms"]) >= 2 for one in document["candidates"]] == [True]
    (kept,) = (tmp_path / "home").rglob("*.json")
    in_full = json.loads(kept.read_text())
    assert in_full["chosen"] == {**document["chosen"], "path": str(model.resolve())}
    assert in_full["candidates"][0]["rounds_ms"] == document["candidates"][0]["rounds_ms"]
    second = choose(*words)
    assert second.exit_code == 0
    assert "kept from" in second.output
    assert json.loads(kept.read_text())["made"] == document["made"]
    kept.write_text(kept.read_text().replace(document["made"], "2020-01-01"))
    assert "kept from 2020-01-01" in choose(*words).output
    assert "kept from" not in choose(*words, "--again").output
    assert json.loads(kept.read_text())["made"] > "2026"


def test_nothing_keeps_to_the_limits(model: Path, tmp_path: Path) -> None:
    result = choose(model, "--max-memory", "1MB")
    assert result.exit_code == 1
    assert "nothing keeps to the limits" in result.output
    assert "nearest: tiny-fp32.onnx in onnxruntime" in result.output
    assert " MB is above --max-memory" in result.output
    assert not [*(tmp_path / "home").rglob("*.json")]


def test_a_device_that_is_not_there_is_named_with_what_mends_it(model: Path, tmp_path: Path) -> None:
    said = failure(choose(model, "--device", "cuda", "--json", tmp_path / "x.json"))
    assert said.startswith("error: no candidate can be run here: --device cuda: ")
    assert "onnxruntime-gpu" in said


def test_files_of_two_models_are_refused(model: Path, tmp_path: Path) -> None:
    detector = make_detector(tmp_path / "boxes.onnx")
    other, renamed = (
        make_classifier(tmp_path / "other.onnx", ("a", "b")),
        make_classifier(tmp_path / "renamed.onnx", ("p", "q", "r", "s")),
    )
    assert "not the same model: one is for classify, the other for detect" in failure(choose(model, detector))
    assert "not the same model: their classes differ" in failure(choose(model, other))
    assert "not the same model: their classes differ" in failure(choose(model, renamed))


def test_files_with_other_weights_need_data(model: Path, digits: Path, tmp_path: Path) -> None:
    files = [make_weights(tmp_path / f"{name}.onnx", name) for name in ("a", "b")]
    assert "a.onnx and b.onnx have other weights" in failure(choose(*files))
    assert choose(*files, "--data", digits).exit_code == 0


def make_weights(path: Path, sha256: str) -> Path:
    """A classifier whose card says that it comes from these weights."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(make_classifier(path))
    (card,) = (one for one in model.metadata_props if one.key == CARD_KEY)
    card.value = ModelCard.from_json(card.value, "").replace(sha256=64 * sha256).to_json()
    onnx.save(model, path)
    return path


def test_data_that_do_not_fit_are_refused(model: Path, digits: Path) -> None:
    assert "--min-map is no limit for a classifier" in failure(choose(model, "--data", digits, "--min-map", "0.5"))
    assert "needs labelled data; add --data" in failure(choose(model, "--min-top1", "50%"))
    assert "does not exist" in failure(choose(model, "--data", digits / "missing"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--max-latency", "fast"), "--max-latency: 'fast' is not a time; write one such as 100ms"),
        (("--min-map", "55"), "--min-map: 55 is above 1; write a share such as 0.55 or 55%"),
        (("--min-top1", "high"), "--min-top1: 'high' is not a number"),
        (("--max-memory", "little"), "--max-memory: 'little' is not a size"),
        (("--min-map", "0.5", "--min-accuracy", "0.5"), "--min-accuracy and --min-map exclude each other"),
        (("--quick",), "--quick does nothing with --choose; leave it out"),
        (("--html", "x.html"), "--html does nothing with --choose; leave it out"),
    ],
)
def test_limits_that_are_none(words: tuple[str, ...], said: str, model: Path) -> None:
    assert said in failure(choose(model, *words))


def test_limits_without_choose_and_candidates_without_an_engine(model: Path, tmp_path: Path) -> None:
    assert "--max-latency does nothing without --choose; add --choose" in failure(
        edgecnn("benchmark", model, "--max-latency", "9ms")
    )
    assert "holds no model file" in failure(choose(tmp_path))
    assert "litert does not open it" in failure(edgecnn("benchmark", model, "--choose", "--engine", "litert"))


def test_a_checkpoint_is_exported_first(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from edgecnn.variants import ExportedVariants

    asked: list[object] = []

    def exported(*words: object) -> ExportedVariants:
        asked.extend(words[:5])
        return ExportedVariants((model,), ("net-int8.onnx could not be exported: no way; find one",))

    monkeypatch.setattr("edgecnn.variants.export_variants", exported)
    checkpoint = tmp_path / "net.safetensors"
    checkpoint.touch()
    words = (checkpoint, "--export", tmp_path / "out", "--calibration", "digits", "--max-size", "9MB")
    result = choose(*words, "--json", tmp_path / "choice.json")
    assert result.exit_code == 0, result.output
    assert asked == [checkpoint, tmp_path / "out", ["onnx"], ("fp32", "fp16"), "digits"]
    assert "not tried: net-int8.onnx could not be exported: no way; find one" in result.output
    assert json.loads((tmp_path / "choice.json").read_text())["untried"] == [
        "net-int8.onnx could not be exported: no way; find one"
    ]
    none = edgecnn("benchmark", checkpoint, "--choose", "--export", tmp_path / "out", "--engine", "executorch")
    assert "--engine executorch opens none of the formats onnx, openvino, tflite" in failure(none)
    assert "--export takes one checkpoint" in failure(choose(model, "--export", tmp_path / "out"))
    assert "--export takes one checkpoint" in failure(choose(checkpoint, checkpoint, "--export", tmp_path / "out"))
    named = failure(edgecnn("benchmark", checkpoint, "--choose", "--export", tmp_path / "out", "--engine", "onnx"))
    assert named == "error: --engine: onnx is a format of files, not an engine; use onnxruntime or openvino for its files"
    assert "--calibration does nothing without --export" in failure(choose(model, "--calibration", "digits"))
    assert "--export does nothing without --choose" in failure(edgecnn("benchmark", checkpoint, "--export", "out"))


def run_auto(model: Path, *words: object) -> Result:
    return edgecnn("run", model, "--auto", "--source", "scene:cups?count=3", "--log", "text", *words)


def test_run_auto_uses_the_kept_choice(model: Path) -> None:
    assert choose(model).exit_code == 0
    result = run_auto(model)
    assert result.exit_code == 0, result.output
    assert "choice: tiny-fp32.onnx in onnxruntime, 1 thread" in result.output
    assert "measuring" not in result.output


def test_run_auto_measures_first_and_again_when_the_file_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.benchmarks.choose.candidates.installed_engines", lambda _: ("onnxruntime",))
    monkeypatch.setattr("edgecnn.benchmarks.choose.config.thread_counts", lambda _: (1,))
    file = make_classifier(tmp_path / "net.onnx")
    first = run_auto(file)
    assert first.exit_code == 0, first.output
    assert "no choice is kept for this model on this device: measuring its candidates" in first.output
    make_classifier(file, precision="int8")
    again = run_auto(file)
    assert again.exit_code == 0, again.output
    assert "does not hold any more, since a file changed: measuring again" in again.output
    assert "measuring" not in run_auto(file).output


def test_run_auto_refuses_what_contradicts_it(model: Path, tmp_path: Path) -> None:
    assert "--auto chooses engine, threads and requests itself" in failure(run_auto(model, "--threads", "1"))
    assert "--auto chooses engine, threads and requests itself" in failure(run_auto(model, "--engine", "openvino"))
    (tmp_path / "cameras.toml").write_text("")
    assert "--auto does not work with --cameras" in failure(edgecnn("run", "--auto", "--cameras", tmp_path / "cameras.toml"))
