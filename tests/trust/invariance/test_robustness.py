"""Curves, the corruption error and the documents, on predictors that are known."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn.cli import main
from edgecnn.data import Boxes, Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.json_text import dump_json
from edgecnn.metrics.classmap import identity
from edgecnn.metrics.left_out import jackknife_interval, left_out
from edgecnn.trust.invariance import run
from edgecnn.trust.invariance.catalogue import find_transformation
from edgecnn.trust.invariance.corruption_error import corruption_error
from edgecnn.trust.invariance.document import to_csv, to_document
from edgecnn.trust.invariance.evidence import BoxEvidence
from edgecnn.trust.invariance.measure import measure_level, robustness_at
from edgecnn.trust.invariance.page import to_html
from edgecnn.trust.invariance.result import FileRobustness, LevelResult, Robustness
from edgecnn.trust.invariance.text import to_table, worst_classes
from edgecnn.trust.judgement import judge
from edgecnn.types import Classes, Detections, Image, Prediction

LABELS = ("left", "right")


def halves(count: int = 12) -> Dataset:
    """Images whose bright half is the class."""

    def sample(index: int) -> Sample:
        image = np.full((24, 24, 3), 40, np.uint8)
        image[:, 12 * (index % 2) : 12 * (index % 2) + 12] = 220
        return Sample(f"image-{index}", lambda: image, label=index % 2)

    return Dataset("halves", "classify", LABELS, [sample(index) for index in range(count)])


def brighter_half(image: Image) -> Prediction:
    left, right = image[:, :12].mean(), image[:, 12:].mean()
    return Classes(np.array([left > right, left <= right], np.float32))


def boxes(count: int = 8) -> Dataset:
    def sample(index: int) -> Sample:
        x = 10 + 4 * index
        image = np.full((60, 80, 3), 30, np.uint8)
        image[20:40, x : x + 20] = 230
        return Sample(
            f"image-{index}", lambda: image, boxes=Boxes(np.array([[x, 20, x + 20, 40]], np.float32), np.array([index % 2]))
        )

    return Dataset("boxes", "detect", LABELS, [sample(index) for index in range(count)])


def finds_bright(image: Image) -> Prediction:
    """Both classes at the bright part, so that half of what it says is wrong."""
    rows, columns = np.nonzero(image[..., 0] > 120)
    if not len(rows):
        return Detections.empty()
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return Detections(np.array([box, box], np.float32), np.array([0.9, 0.8], np.float32), np.array([0, 1]))


def test_a_turn_by_180_degrees_swaps_the_halves() -> None:
    clean, turned, quarter = robustness_at(brighter_half, halves(), [("rotate", 180), ("jpeg", 50)])
    assert (clean.value, turned.value, quarter.value) == (1.0, 0.0, 1.0)
    assert turned.per_class == {"left": 0.0, "right": 0.0}
    assert (turned.consistency, quarter.consistency) == (0.0, 1.0)
    assert clean.metric == "top1"


def test_boxes_that_move_with_the_image_are_found_and_consistent() -> None:
    found = robustness_at(finds_bright, boxes(), [("rotate", 90), ("shift", 5), ("scale", 0.5)])
    assert all(one.metric == "ap50" for one in found)
    assert [one.value for one in found] == pytest.approx([found[0].value] * 4)
    assert [one.consistency for one in found[1:]] == [1.0, 1.0, 1.0]
    assert found[0].low is not None


def test_the_evidence_of_boxes_gives_the_ap50_of_pycocotools() -> None:
    dataset, evidence = boxes(), BoxEvidence()
    for sample in dataset.samples:
        evidence.add(judge(finds_bright(sample.read()), sample, identity(2), threshold=0.001))
    (clean,) = robustness_at(finds_bright, dataset, [])
    assert 0 < clean.value < 1
    assert evidence.value(np.ones(len(dataset), np.int64)) == pytest.approx(clean.value)
    assert clean.class_intervals.keys() == clean.per_class.keys()
    assert all(low <= clean.per_class[label] <= high for label, (low, high) in clean.class_intervals.items())


def test_the_jackknife_gives_the_interval_of_a_mean() -> None:
    right = np.random.default_rng(0).random(320) < 0.7
    found = jackknife_interval(right.mean(), left_out(len(right), lambda kept: right[kept].mean()))
    assert found is not None
    half = 2.04 * (right.std() / 320**0.5)
    assert found == pytest.approx((right.mean() - half, right.mean() + half), abs=0.02)
    assert jackknife_interval(0.5, (0.5, 0.4)) is None


def test_unreadable_images_are_left_out_and_noted() -> None:
    dataset = halves()

    def broken() -> Image:
        raise InputError("it is cut off", "copy it again")

    samples = [*dataset.samples[:-1], replace(dataset.samples[-1], read=broken)]
    found = robustness_at(brighter_half, replace(dataset, samples=samples), [("rotate", 180)])
    assert [one.images for one in found] == [11, 11]
    assert "it is cut off" in found[1].notes[0]


def file_of(name: str, clean: float, errors: dict[str, list[float]]) -> FileRobustness:
    """A file whose errors are known; without evidence, so without intervals."""

    def level(transformation: str | None, at: float, value: float) -> LevelResult:
        own = None if transformation is None else find_transformation(transformation)
        per_class = {"left": value, "right": max(value - 0.1, 0.0)}
        return LevelResult(
            transformation=own,
            level=at,
            metric="top1",
            value=value,
            low=value,
            high=value,
            per_class=per_class,
            support={"left": 30, "right": 12},
            images=50,
        )

    levels = [level(key, at, 1 - error) for key, row in errors.items() for at, error in enumerate(row, 1)]
    return FileRobustness(
        name=name, model="m", file=name, format="onnx", precision="fp32", clean=level(None, 0, clean), levels=tuple(levels)
    )


def test_the_corruption_error_is_that_of_the_paper() -> None:
    own = file_of("a.onnx", 0.9, {"noise": [0.2, 0.4], "fog": [0.3, 0.3], "rotate": [1.0]})
    base = file_of("b.onnx", 0.8, {"noise": [0.4, 0.8], "fog": [0.5, 0.5], "rotate": [1.0]})
    found = corruption_error(own, base)
    assert found is not None
    assert found.by_corruption == pytest.approx({"noise": 0.5, "fog": 0.6})
    assert found.mean == pytest.approx(0.55)
    # above the errors without corruption: (.1 + .3) / (.2 + .6) and (.2 + .2) / (.3 + .3)
    assert found.relative == pytest.approx((0.4 / 0.8 + 0.4 / 0.6) / 2)
    itself = corruption_error(base, base)
    assert itself is not None
    assert (itself.mean, itself.relative) == pytest.approx((1, 1))
    plain = corruption_error(own)
    assert plain is not None
    assert (plain.baseline, plain.mean) == ("", pytest.approx(0.3))
    assert plain.relative == pytest.approx(0.2)
    assert corruption_error(file_of("c.onnx", 1, {"rotate": [0.5]})) is None


def robustness() -> Robustness:
    own = file_of("a.onnx", 0.9, {"noise": [0.2, 0.4], "jpeg": [0.1]})
    chosen = ((find_transformation("noise"), (1.0, 2.0)), (find_transformation("jpeg"), (1.0,)))
    return Robustness(
        dataset="halves", split="test", images=50, available=100, labels=LABELS, seed=0, transformations=chosen,
        files=(replace(own, corruption_error=corruption_error(own)), replace(own, name="b.onnx")),
    )  # fmt: skip


def test_table_document_csv_and_page_say_the_same() -> None:
    found = robustness()
    table = to_table(found)
    assert "50 of 100 images, evenly spread" in table
    assert "70.0, 60.0 at 2" in table
    assert "not divided by that of a baseline" in table
    document = json.loads(dump_json(to_document(found)))
    assert (document["schema"], document["version"]) == ("edgecnn.robustness", 2)
    assert document["files"][0]["levels"][1]["value"] == pytest.approx(0.6)
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert len(rows) == 2 * 4 * 3
    assert {row["class"] for row in rows} == {"", *LABELS}
    page = to_html(found, halves())
    assert page.count("<svg") == 2 * (1 + 2) * 2
    assert "data:image/jpeg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_classes_that_lose_most_come_first() -> None:
    own = file_of("a.onnx", 0.9, {"noise": [0.95]})
    assert worst_classes(own, "noise") == [("left", pytest.approx(0.85)), ("right", pytest.approx(0.8))]
    assert worst_classes(own, "noise", least=20) == [("left", pytest.approx(0.85))]


def test_the_command_measures_files_on_a_scene(tmp_path: Path) -> None:
    scene = "scene:cups?seed=5&size=128x96&count=3&cut=1&fps=1"
    words = ["robustness", "cups", "--data", scene, "--transform", "turn=90", "--transform", "jpeg=50", "--threads", "1"]
    done = CliRunner().invoke(main, [*words, "--json", str(tmp_path / "r.json"), "--html", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "r.json").read_text())
    assert [one["transformation"] for one in document["files"][0]["levels"]] == ["turn", "jpeg"]
    assert document["complete"]
    assert "objects turned 90°" in done.output


def test_a_parameter_of_the_address_gives_way_to_the_level_and_a_metric_without_interval_says_so() -> None:
    scene = "scene:cups?turn=20&size=96x64&count=2&cut=1&fps=1"
    done = CliRunner().invoke(main, ["robustness", "cups-segment", "--data", scene, "--transform", "turn=90", "--threads", "1"])
    assert done.exit_code == 0, done.output
    assert "mean IoU has no interval: 2 images may be too few to tell" in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--transform", "rain,hail"], "'hail' is not a transformation"),
        (["--transform", "turn", "--data", "DIR?labels=mug"], "turn is done by the renderer of a scene"),
        (["--transform", "jpeg", "--data", "DIR?labels=car"], "the dataset has car; map the classes"),
    ],
)
def test_wrong_options_are_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    given = [word.replace("DIR", str(tmp_path)) for word in words]
    data = [] if "--data" in given else ["--data", "scene:cups?count=1&size=64x64"]
    done = CliRunner().invoke(main, ["robustness", "cups", *data, *given])
    assert done.exit_code == 2
    assert done.stderr.count("error:") == 1
    assert message in done.stderr


@pytest.mark.parametrize(
    ("after", "code", "message"), [(1, 2, "interrupted before one level was complete"), (2, 130, "only complete levels")]
)
def test_an_interrupt_keeps_complete_levels(
    after: int, code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def interrupted(*given: object, **named: object) -> list[LevelResult]:
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return measure_level(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "measure_level", interrupted)
    scene = "scene:cups?seed=5&size=96x64&count=2&cut=1&fps=1"
    words = ["robustness", "cups", "--data", scene, "--transform", "jpeg=50,25", "--threads", "1"]
    done = CliRunner().invoke(main, [*words, "--json", str(tmp_path / "r.json")])
    assert done.exit_code == code
    assert message in done.stderr + done.stdout
    if after == 2:
        document = json.loads((tmp_path / "r.json").read_text())
        assert not document["complete"]
        assert [one["level"] for one in document["files"][0]["levels"]] == [50]
        assert document["files"][0]["corruption_error"] is None
    else:
        assert not (tmp_path / "r.json").exists()
