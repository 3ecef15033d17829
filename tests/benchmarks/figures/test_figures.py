from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgecnn.benchmarks.figures import accuracy, figure, speedup, third_party, tracking
from edgecnn.benchmarks.measure.record import Record
from edgecnn.errors import InputError
from edgecnn.metrics.tracking import TrackScore

FILES = ["cups.safetensors", "cups-fp32.onnx", "cups-fp16.onnx", "cups-int8.onnx", "cups-int8.tflite"]


def test_rows_of_the_speedup_refer_to_pytorch_and_sizes_to_fp32(record_of: Callable[..., Record]) -> None:
    record = record_of(FILES)
    rows = {own["name"]: own for own in (speedup.row(record, own) for own in record.files)}
    assert rows["cups.safetensors"]["speedup"] == 1.0
    assert rows["cups-int8.onnx"]["speedup"] > rows["cups-fp32.onnx"]["speedup"] > 1
    assert rows["cups-fp16.onnx"]["size_of_fp32"] == 0.5
    assert rows["cups-int8.tflite"]["size_of_fp32"] is None


def test_the_speedup_is_reached_by_all_formats_or_not_at_all(record_of: Callable[..., Record]) -> None:
    rows = [
        {"format": "onnx", "precision": "int8", "speedup": 5.0},
        {"format": "tflite", "precision": "int8", "speedup": 3.9},
    ]
    assert "not reached" in speedup.conclusion(rows)
    assert ": reached" in speedup.conclusion(rows[:1])
    assert speedup.conclusion([]) == "no int8 file in the folder"


def test_accuracy_is_lost_in_points_and_judged_by_the_worst() -> None:
    base = {"precision": "fp32", "format": "torch", "task": "detect", "points_lost": 0.0}
    good, bad = (
        {**base, "precision": "int8", "format": name, "points_lost": lost} for name, lost in (("onnx", 0.4), ("tflite", 1.2))
    )
    assert ": reached" in accuracy.conclusion([base, good])
    assert "not reached" in accuracy.conclusion([base, good, bad])


def test_files_are_ordered_by_precision_then_format(tmp_path: Path) -> None:
    for name in ("a-int8.onnx", "a-fp32.xml", "a-fp32.bin", "a-fp32.onnx", "a-fp16.tflite", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in figure.artifacts(tmp_path)] == ["a-fp32.onnx", "a-fp32.xml", "a-fp16.tflite", "a-int8.onnx"]


def test_a_folder_without_files_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.onnx.* file; run edgecnn export"):
        figure.artifacts(tmp_path)
    with pytest.raises(InputError, match="missing does not exist"):
        figure.artifacts(tmp_path / "missing")


def test_a_record_has_its_command_without_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["speedup.py", "cups", "--artifacts", "/some/where/files", "--data", "scene:cups?a=1/2"])
    figure.record(tmp_path / "out.json", "speedup", {"rows": [1.0, 2.0]})
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["command"] == "python -m edgecnn.benchmarks.figures.speedup cups --artifacts files --data scene:cups?a=1/2"
    assert found["rows"] == [1.0, 2.0]
    assert found["device"]["slug"]


@pytest.mark.parametrize("command", [pytest.param(speedup.command, id="speedup"), pytest.param(accuracy.command, id="accuracy")])
def test_help_names_the_options(command: click.Command) -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0
    assert "--artifacts" in result.output


def test_a_failure_of_a_figure_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fails() -> None:
        raise InputError("a is missing", "add it")

    monkeypatch.setattr("sys.argv", ["fails"])
    with pytest.raises(SystemExit) as ended:
        figure.run(fails)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: a is missing; add it\n"


def test_files_of_other_weights_have_no_figure(record_of: Callable[..., Record]) -> None:
    card = record_of().files[0].card.replace(sha256="a" * 64)
    figure.check_weights("same.onnx", card, card)
    figure.check_weights("silent.onnx", card, card.replace(sha256=""))
    with pytest.raises(InputError, match=r"other\.onnx was exported from other weights"):
        figure.check_weights("other.onnx", card, card.replace(sha256="b" * 64))


def test_a_figure_that_is_no_number_reaches_nothing() -> None:
    nan = float("nan")
    rows = [{"format": name, "precision": "int8", "speedup": value} for name, value in (("onnx", 5.0), ("tflite", nan))]
    assert "not reached" in speedup.conclusion(rows)
    lost = [{"precision": "int8", "format": "onnx", "task": "detect", "points_lost": nan}]
    assert "not reached" in accuracy.conclusion(lost)
    row = {"name": "net", "metric": "map", "measured": nan, "known": 20.0}
    assert "not net map" in third_party.conclusion([row])
    assert third_party.conclusion([]) == "nothing was measured"


def test_trackers_that_were_compared_on_nothing_reach_nothing() -> None:
    def rows(*, boxes: int, mota: float) -> list[tracking.TrackerResult]:
        score = TrackScore(mota, 0, 0, 0, 0, 0, 0, 0, boxes, 0, 0)
        return [tracking.TrackerResult(name, {}, score, 1, 1) for name in ("edgecnn", "trackers")]

    assert tracking.conclusion(rows(boxes=0, mota=0)) == "nothing was counted: the ground truth has no box"
    assert "not reached: MOTA of trackers" in tracking.conclusion(rows(boxes=3, mota=float("nan")))
    assert ": reached; " in tracking.conclusion(rows(boxes=3, mota=0.5))


def test_decibels_are_lost_in_decibels() -> None:
    for metric, lost in (("top-1", 50.0), ("PSNR in dB", 0.5)):
        rows = [{"metric": metric, "accuracy": value} for value in (1.0, 0.5)]
        assert accuracy._lost(*rows) == lost
    row = {"precision": "int8", "format": "onnx", "task": "restore", "points_lost": 0.2}
    assert accuracy.conclusion([row]) == "lost by int8: onnx +0.20; there is no target for this metric"


def test_datasets_of_cards_are_found_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "val.json").touch()
    (tmp_path / "fashion").mkdir()
    assert accuracy.located("val.json?rename=a:b", tmp_path) == f"{tmp_path}/coco/val.json?rename=a:b"
    assert accuracy.located("fashion", tmp_path) == f"{tmp_path}/fashion"
    assert accuracy.located("scene:cups?seed=1&count=2", None) == "scene:cups?seed=1&count=2"
    with pytest.raises(InputError, match="is not in"):
        accuracy.located("other", tmp_path)
    with pytest.raises(InputError, match="with --data"):
        accuracy.located("fashion", None)


def test_int8_files_of_shipped_models_are_measured_on_the_data_of_their_cards(tmp_path: Path) -> None:
    record = tmp_path / "int8.json"
    done = CliRunner().invoke(
        accuracy.command, ["--shipped", "bearing", "--limit", "8", "--json", str(record)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    found = json.loads(record.read_text())
    whole, own = found["rows"]
    assert [whole["precision"], own["precision"]] == ["fp32", "int8"]
    assert (own["model"], own["images"], own["target_points"]) == ("bearing", 8, 0.5)
    assert own["data"].startswith("scene:bearing?")
    assert own["points_lost"] == pytest.approx(100 * (whole["accuracy"] - own["accuracy"]))
    assert found["left_out"] == []
    assert "int8 within the target" in done.output


def test_losses_beyond_the_target_are_named() -> None:
    row = {"model": "a", "data": "set", "precision": "int8", "target_points": 0.5, "points_lost": 0.6}
    rows = [row, {**row, "points_lost": 0.5}, {**row, "target_points": None}, {**row, "points_lost": float("nan")}]
    assert accuracy.shipped_conclusion(rows) == "int8 within the target: 1 of 3, not a +0.60 on set; a +nan on set"


@pytest.mark.parametrize(
    ("words", "error", "what"),
    [
        (["--shipped", "nothing"], InputError, "nothing is not a shipped model"),
        (["--shipped", "person-face-vehicle"], InputError, "nothing could be measured"),
        (["--shipped", "--artifacts", "x"], click.UsageError, "does not go with"),
        (["cups"], click.UsageError, "name one MODEL"),
    ],
)
def test_wrong_options_of_the_accuracy_are_said(words: list[str], error: type[Exception], what: str) -> None:
    with pytest.raises(error, match=what):
        accuracy.command.main(words, standalone_mode=False)
