from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import Boxes, Dataset, Sample
from edgecnn.data.pseudo_labels import PseudoLabeler, pseudo_label
from edgecnn.errors import InputError
from edgecnn.types import Detections, Image

FACE, CAR = 0, 1
THEIR_CAR, THEIR_FACE, THEIR_DOG = 2, 7, 5


class Finder:
    """Finds the same boxes in each image, and counts how often it is asked."""

    def __init__(self, *rows: tuple[tuple[float, float, float, float], float, int]) -> None:
        xyxy = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
        score, class_id = np.array([row[1] for row in rows], np.float32), np.array([row[2] for row in rows], np.int64)
        self.found, self.asked = Detections(xyxy, score, class_id), 0

    def __call__(self, image: Image) -> Detections:
        self.asked += 1
        return self.found


@pytest.fixture
def finder() -> Finder:
    return Finder(
        ((1, 1, 10.25, 10), 0.9, THEIR_CAR),
        ((20, 1, 29, 10), 0.3, THEIR_CAR),
        ((1, 20, 10, 29), 0.1, THEIR_CAR),
        ((20, 20, 29, 29), 0.8, THEIR_FACE),
        ((5, 5, 9, 9), 0.8, THEIR_DOG),
    )


def faces(count: int = 3, unlabelled: frozenset[int] = frozenset({CAR})) -> Dataset:
    """Images in which a face is labelled."""
    face = Boxes(np.float32([[12, 12, 18, 18]]), np.array([FACE]))
    samples = [
        Sample(f"{number}.png", lambda: np.zeros((32, 32, 3), np.uint8), boxes=face, unlabelled=unlabelled)
        for number in range(count)
    ]
    return Dataset("faces", "detect", ("face", "car"), samples, unlabelled=unlabelled)


CLASSES = {THEIR_CAR: CAR, THEIR_FACE: FACE}


def test_only_what_is_not_labelled_is_filled(finder: Finder) -> None:
    labelled = pseudo_label(faces(), finder, CLASSES, 0.5, lower=0.2)
    boxes = labelled.dataset.samples[1].boxes
    assert boxes is not None
    assert boxes.class_id.tolist() == [FACE, CAR, CAR]
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, False, True]
    assert boxes.xyxy[1].tolist() == [1, 1, 10.25, 10]
    assert labelled.dataset.unlabelled == labelled.dataset.samples[1].unlabelled == frozenset()
    assert (labelled.boxes, labelled.ignored, labelled.images) == ({"face": 0, "car": 3}, {"face": 0, "car": 3}, 3)


def test_without_a_lower_threshold_nothing_is_ignored(finder: Finder) -> None:
    boxes = pseudo_label(faces(), finder, CLASSES, 0.5).dataset.samples[0].boxes
    assert boxes is not None
    assert boxes.class_id.tolist() == [FACE, CAR]


def test_a_box_that_is_true_already_is_the_same_object() -> None:
    both = faces(1, frozenset({FACE, CAR}))
    found = Finder(((12, 12, 18, 17), 0.9, THEIR_FACE), ((12, 12, 18, 18), 0.9, THEIR_CAR))
    boxes = pseudo_label(both, found, CLASSES, 0.5).dataset.samples[0].boxes
    assert boxes is not None
    assert boxes.class_id.tolist() == [FACE, CAR]


def test_where_all_is_labelled_nobody_is_asked(finder: Finder) -> None:
    dataset = faces(2, frozenset())
    assert pseudo_label(dataset, finder, CLASSES, 0.5).dataset.samples[0] is dataset.samples[0]
    assert finder.asked == 0


def test_it_is_done_once(finder: Finder, tmp_path: Path) -> None:
    cache = tmp_path / "made" / "pseudo.json"
    first, second = (
        pseudo_label(faces(), finder, CLASSES, threshold, lower=0.2, cache=cache, key="abc").dataset for threshold in (0.5, 0.25)
    )
    assert finder.asked == 3
    boxes, again = first.samples[2].boxes, second.samples[2].boxes
    assert boxes is not None
    assert again is not None
    assert np.allclose(boxes.xyxy, again.xyxy, atol=0.01)
    assert again.crowd is not None
    assert not again.crowd.any()  # another upper threshold needs no other boxes
    record = json.loads(cache.read_text())
    assert [image["file_name"] for image in record["images"]] == ["0.png", "1.png", "2.png"]
    assert record["annotations"][0] == {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9.25, 9], "score": 0.9}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"key": "other"}, id="another teacher"),
        pytest.param({"lower": 0.1}, id="a lower threshold"),
        pytest.param({"classes": {THEIR_FACE: CAR}}, id="other classes"),
    ],
)
def test_what_another_asked_for_is_not_used(finder: Finder, tmp_path: Path, change: dict[str, object]) -> None:
    options = {"classes": {THEIR_CAR: CAR}, "lower": 0.2, "cache": tmp_path / "pseudo.json", "key": "abc"}
    pseudo_label(faces(), finder, threshold=0.5, **options)  # type: ignore[arg-type]
    pseudo_label(faces(), finder, threshold=0.5, **options | change)  # type: ignore[arg-type]
    assert finder.asked == 6


def test_new_images_are_added(finder: Finder, tmp_path: Path) -> None:
    for count in (2, 5):
        labelled = pseudo_label(faces(count), finder, CLASSES, 0.5, cache=tmp_path / "pseudo.json")
    assert (finder.asked, labelled.images) == (5, 5)


def test_a_broken_file_is_one_line(finder: Finder, tmp_path: Path) -> None:
    (tmp_path / "pseudo.json").write_text('{"info"')
    with pytest.raises(InputError, match=r"pseudo.json can't be read .*delete the file"):
        pseudo_label(faces(), finder, CLASSES, 0.5, cache=tmp_path / "pseudo.json")


@pytest.mark.parametrize(("lower", "threshold"), [(0.6, 0.5), (0.0, 0.5), (0.2, 1.5)])
def test_thresholds_are_checked(finder: Finder, lower: float, threshold: float) -> None:
    with pytest.raises(ValueError, match="are not 0 < lower <= threshold <= 1"):
        pseudo_label(faces(), finder, CLASSES, threshold, lower=lower)


def test_a_dataset_of_labels_has_no_place_for_boxes(finder: Finder) -> None:
    dataset = Dataset("digits", "classify", ("face", "car"), [])
    with pytest.raises(InputError, match="one to classify"):
        pseudo_label(dataset, finder, CLASSES, 0.5)


def test_a_teacher_knows_classes_by_name(finder: Finder) -> None:
    teacher = PseudoLabeler(finder, ("dog", "vehicle", "Face", "vehicle"), "t.onnx")
    assert teacher.classes(("face", "vehicle")) == {1: 1, 2: 0, 3: 1}
    with pytest.raises(InputError, match=r"t\.onnx knows none of bird, but dog, vehicle, Face, vehicle"):
        teacher.classes(("bird",))
