"""The figures that measure detectors on many sources and draw them: rows, losses by int8, pages, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import click
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn import shipped
from edgecnn.benchmarks.figures import detector_sheet, detector_sources, montage
from edgecnn.benchmarks.figures.detector_cases import (
    PEERS,
    SOURCES,
    DetectorFile,
    DetectorSource,
    detectors,
    open_source,
    present_peers,
    sources,
)
from edgecnn.benchmarks.measure.progress import no_progress
from edgecnn.benchmarks.measure.protocol import Protocol
from edgecnn.data import overlap
from edgecnn.data.address import parse_address
from edgecnn.data.overlap import OverlapError
from edgecnn.errors import InputError
from edgecnn.metrics.object_match import BACKGROUND
from edgecnn.reference_profile.content_hash import content_hash
from edgecnn.reference_profile.seen_images import SeenImages
from edgecnn.trust.judgement import MISSED, FalsePositives, Judgement
from edgecnn.types import Detections, Image

SCENE = "scene:cups?seed=77&count=4&size=160x120&fps=1&cut=1"
SHORT = Protocol(
    "test",
    runs=4,
    duration_s=0,
    rounds=2,
    cold_starts=1,
    throughput_s=0,
    warm_up_runs=1,
    warm_up_s=0,
    warm_up_limit_s=1,
    input_count=2,
)


@pytest.fixture(scope="module")
def cups() -> list[DetectorFile]:
    return detectors(["cups"], None, both=True)


def test_a_shipped_name_is_its_int8_file_and_its_checkpoint(cups: list[DetectorFile]) -> None:
    assert [(one.path, one.card.precision) for one in cups] == [
        (shipped.artifact("cups"), "int8"),
        (shipped.checkpoint("cups"), "fp32"),
    ]
    assert [(small.name, whole.name) for whole, small in detector_sources.pairs(cups)] == [(cups[0].name, cups[1].name)]
    others = [cups[0], replace(cups[1], card=cups[1].card.replace(sha256="0" * 64))]
    assert detector_sources.pairs(others) == []


def test_names_of_files_and_options_in_the_address() -> None:
    (one,) = detectors(["cups?rename=mug,glass:vessel"], None)
    assert (one.name, one.classes) == ("cups.onnx", {"vessel", "bowl", "plate"})
    with pytest.raises(InputError, match=r"threshold= of cups\.onnx is for a teacher"):
        detectors(["cups?threshold=0.4"], None)
    with pytest.raises(InputError, match=r"bearing\.onnx is not a detector"):
        detectors(["bearing"], None)


def test_sources_that_are_there_are_taken(tmp_path: Path) -> None:
    for place in ("facemask853", "mot15/TUD-Campus"):
        (tmp_path / place).mkdir(parents=True)
    assert [one.name for one in sources([], tmp_path)] == ["tud-campus", "faces"]
    assert sources(["faces"], tmp_path)[0].address.startswith(f"{tmp_path}/facemask853?merge=face&")
    assert sources([SCENE], None) == [DetectorSource(SCENE, SCENE)]
    for names, data, words in (
        ([], None, "neither --data nor --source"),
        ([], tmp_path / "facemask853", "has none of the datasets"),
        (["coco"], tmp_path, "does not exist"),
        (["coco"], None, "name that folder with --data"),
    ):
        with pytest.raises(InputError, match=words):
            sources(names, data)


def test_each_row_of_the_tables_is_an_address(tmp_path: Path) -> None:
    assert len({one.name for one in SOURCES}) == len(SOURCES)
    assert all(parse_address(one.address).place for one in SOURCES)
    assert present_peers(tmp_path) == present_peers(None) == []
    for text in PEERS.values():
        file = tmp_path / "models" / text.partition("?")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert present_peers(tmp_path) == list(PEERS)


def test_int8_and_checkpoint_on_a_scene(tmp_path: Path) -> None:
    record = tmp_path / "sources.json"
    done = CliRunner().invoke(
        detector_sources.command, ["cups", "--source", SCENE, "--clock", "none", "--json", str(record)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    found = json.loads(record.read_text())
    assert found["figure"] == "detector_sources"
    assert [one["precision"] for one in found["files"]] == ["int8", "fp32"]
    means = {row["model"]: row for row in found["rows"] if row["class"] == "mean"}
    small, whole = means["cups.onnx"], means["cups.safetensors"]
    assert small["images"] == whole["images"] == 4
    assert 0.3 < small["ap50"]["low"] <= small["ap50"]["value"] <= 1
    by_class = [row["ap"]["value"] for row in found["rows"] if row["model"] == "cups.onnx" and row["class"] != "mean"]
    assert np.mean(by_class) == pytest.approx(small["ap"]["value"], abs=1e-4)
    (lost,) = [row for row in found["int8"] if row["class"] == "mean"]
    # records hold four decimals
    assert lost["ap_points"] == pytest.approx(100 * (whole["ap"]["value"] - small["ap"]["value"]), abs=0.011)
    assert "lost by int8" in done.output
    assert f"{small['ap50']['value'] * 100:.1f}" in done.output


def test_groups_are_measured_one_by_one(cups: list[DetectorFile]) -> None:
    source = DetectorSource("scene", SCENE, by_group=True)
    rows = detector_sources.measure_source(source, open_source(source), cups[:1], no_progress)
    boxes = Counter[str]()
    for row in rows:
        if row["class"] != "mean":
            boxes["all" if row["part"] == detector_sources.ALL else "parts"] += row["boxes"]
    assert len({row["part"] for row in rows}) == 1 + 4  # a group for each cut of the scene
    assert boxes["all"] == boxes["parts"] > 4


def test_a_detector_without_a_class_of_the_source_is_not_measured() -> None:
    source = DetectorSource("scene", SCENE)
    assert (
        detector_sources.measure_source(source, open_source(source), detectors(["person-face-vehicle"], None), no_progress) == []
    )


def test_images_of_the_training_are_refused(cups: list[DetectorFile], monkeypatch: pytest.MonkeyPatch) -> None:
    source = DetectorSource("training", SCENE)
    dataset = open_source(source)
    seen = SeenImages.of("training", "album", [content_hash(sample.read()) for sample in dataset.samples[:2]])
    monkeypatch.setattr(overlap, "seen_images", lambda card, file: (seen,))
    with pytest.raises(OverlapError, match=r"2 of 4 images compared are in the training data of cups\.onnx"):
        detector_sources.measure_source(source, dataset, cups[:1], no_progress)
    with pytest.raises(OverlapError, match="2 of 4 images"):
        detector_sheet.pictures(source, dataset, cups[0], range(4), 0.3, 200, Counter(), no_progress)


def test_latencies_refer_to_the_first_file_without_yolox() -> None:
    files = detectors(["cups", "person-face-vehicle"], None)
    rows = detector_sources.measure_latency(files, open_source(DetectorSource("scene", SCENE)), "task", SHORT, no_progress)
    assert [row["reference"] for row in rows] == ["cups.onnx"] * 2
    assert rows[0]["ratio"] == 1
    assert rows[1]["ratio"] == pytest.approx(rows[1]["p50_ms"] / rows[0]["p50_ms"])
    assert "of cups.onnx" in detector_sources.latency_table(rows)


def color_at(image: Image, x: int, y: int) -> tuple[int, ...]:
    return tuple(image[y, x].tolist())


def test_boxes_have_the_colors_of_the_judgement() -> None:
    boxes = np.float32([[10, 30, 40, 90], [60, 30, 90, 90]])
    one, two = np.array([1]), np.array([0, 1])
    extra = FalsePositives(one, np.float32([0.6]), np.float32([[110, 30, 140, 90]]), np.array([BACKGROUND]), np.array([-1]))
    judgement = Judgement(
        "a.png", two, np.array([0, MISSED]), np.array([True, False]), np.float32([0.9, 0]), boxes, np.array([0, -1]), extra
    )
    found = Detections(np.float32([[14, 34, 42, 92]]), np.float32([0.9]), np.array([0]))
    ignored = np.float32([[150, 30, 158, 90]])
    image = np.zeros((100, 160, 3), np.uint8)
    canvas = detector_sheet.drawn(image, judgement, found, ignored, ("mug", "glass"), width=320)
    assert canvas.shape == (200, 320, 3)
    assert not image.any()
    assert color_at(canvas, 20, 140) == detector_sheet.TRUTH
    assert color_at(canvas, 28, 140) == detector_sheet.RIGHT
    assert color_at(canvas, 120, 140) == detector_sheet.MISSED
    assert color_at(canvas, 220, 140) == detector_sheet.WRONG
    assert color_at(canvas, 300, 140) == detector_sheet.TRUTH


def test_a_page_has_the_pictures_of_one_image_beside_each_other() -> None:
    rows = [
        [detector_sheet.SheetPicture(np.full((height, 100, 3), value, np.uint8), "words") for value in (90, 200)]
        for height in (60, 80, 70)
    ]
    sheet = detector_sheet.page(rows, 2, "head")
    gap, words, band = detector_sheet.GAP, detector_sheet.WORDS, detector_sheet.BAND
    assert sheet.shape == (band + 80 + 70 + 2 * (words + gap), 4 * (100 + gap) + gap, 3)
    assert (sheet[band : band + 60, gap : gap + 100] == 90).all()
    assert (sheet[band : band + 80, gap + 3 * (100 + gap) :][:, :100] == 200).all()


def test_sheets_of_the_scene(tmp_path: Path) -> None:
    out = tmp_path / "sheet.jpg"
    words = ["cups", "--source", SCENE, "--count", "3", "--per-page", "2", "--width", "200", "--out", str(out)]
    done = CliRunner().invoke(detector_sheet.command, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet-1.jpg", "sheet-2.jpg"]
    first = cv2.imread(str(tmp_path / "sheet-1.jpg"))
    assert first is not None
    assert first.shape[1] == 2 * (200 + detector_sheet.GAP) + detector_sheet.GAP
    assert "cups.onnx  mug" in done.output


@pytest.mark.parametrize(
    ("models", "error", "words"),
    [
        (["person-face-vehicle"], InputError, "has none of the classes"),
        (["cups", "cups", "cups"], click.UsageError, "3 models are named"),
    ],
)
def test_sheets_that_can_not_be_made_leave_nothing(tmp_path: Path, models: list[str], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        detector_sheet.command.main([*models, "--source", SCENE, "--out", str(tmp_path / "a.jpg")], standalone_mode=False)
    assert not any(tmp_path.iterdir())


def test_a_score_threshold_leaves_weaker_boxes_out(cups: list[DetectorFile]) -> None:
    source = DetectorSource("scene", SCENE)
    dataset = open_source(source)
    boxes = []
    for threshold in (0.05, None, 0.999):
        tally = Counter[tuple[str, str]]()
        detector_sheet.pictures(source, dataset, cups[0], range(4), threshold, 200, tally, no_progress)
        boxes.append(sum(count for (_, kind), count in tally.items() if kind not in ("missed", "nearly")))
    assert boxes[0] > boxes[1] > boxes[2] == 0


def test_a_montage_shows_frames_beside_each_other(tmp_path: Path) -> None:
    words = ["cups", "--source", "scene:cups?seed=5&size=320x240&fps=1&cut=1", "--count", "3", "--out", str(tmp_path / "m.jpg")]
    done = CliRunner().invoke(montage.command, words)
    assert done.exit_code == 0, done.output
    assert cv2.imread(str(tmp_path / "m.jpg")).shape == (480, 640, 3)
