from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.data import Boxes, Dataset, Sample
from edgecnn.data.ensemble import Consensus, Trust
from edgecnn.data.pseudo_labels import PseudoLabeler, PseudoLabelled, pseudo_label
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


NAMES = ("a", "b", "car", "d", "e", "dog", "g", "Face")


def teacher(found: Finder, threshold: float = 0.5, lower: float = 0.2, name: str = "t.onnx", **more: Any) -> PseudoLabeler:
    own = {key: more.pop(key) for key in ("sha256", "settings") if key in more}
    return PseudoLabeler(found, NAMES, name, **{"sha256": "abc", **own}, lower=lower, trust=Trust(threshold, **more))


def boxes_of(labelled: PseudoLabelled, index: int = 0) -> Boxes:
    boxes = labelled.dataset.samples[index].boxes
    assert boxes is not None
    return boxes


def test_only_what_is_not_labelled_is_filled(finder: Finder) -> None:
    labelled = pseudo_label(faces(), [teacher(finder)])
    boxes = boxes_of(labelled, 1)
    assert boxes.class_id.tolist() == [FACE, CAR, CAR]
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, False, True]
    assert boxes.xyxy[1].tolist() == [1, 1, 10.25, 10]
    assert labelled.dataset.unlabelled == labelled.dataset.samples[1].unlabelled == frozenset()
    assert (labelled.boxes, labelled.agreed, labelled.ignored, labelled.images) == ({"car": 3}, {"car": 0}, {"car": 3}, 3)


def test_without_a_lower_threshold_nothing_is_ignored(finder: Finder) -> None:
    boxes = boxes_of(pseudo_label(faces(), [teacher(finder, 0.5, 0.5)]))
    assert boxes.class_id.tolist() == [FACE, CAR]


def test_a_box_that_is_true_already_is_the_same_object() -> None:
    labelled = faces(1, frozenset({CAR}))
    sample = labelled.samples[0]
    half = dataclasses.replace(sample, unlabelled=frozenset({FACE, CAR}))
    found = Finder(((12, 12, 18, 17), 0.9, THEIR_FACE), ((12, 12, 18, 18), 0.9, THEIR_CAR))
    boxes = boxes_of(pseudo_label(dataclasses.replace(labelled, samples=[half]), [teacher(found)]))
    assert boxes.class_id.tolist() == [FACE, CAR]


def test_where_all_is_labelled_nobody_is_asked(finder: Finder) -> None:
    dataset = faces(2, frozenset())
    labelled = pseudo_label(dataset, [teacher(finder)])
    assert labelled.dataset.samples[0] is dataset.samples[0]
    assert (finder.asked, labelled.record) == (0, {})


def test_the_record_names_the_teachers_and_what_they_gave(finder: Finder) -> None:
    record = pseudo_label(faces(), [teacher(finder)], Consensus(votes=3, iou=0.6)).record
    assert record == {
        "teachers": [
            {
                "teacher": "t.onnx",
                "sha256": "abc",
                "lower": 0.2,
                "threshold": 0.5,
                "alone": 0.8,
                "weight": 1.0,
                "classes": ["car"],
            }
        ],
        "votes": 3,
        "iou": 0.6,
        "images": 3,
        "boxes": {"car": 3},
        "agreed": {"car": 0},
        "ignored": {"car": 3},
    }


def test_settings_are_in_the_record(finder: Finder) -> None:
    [one] = pseudo_label(faces(1), [teacher(finder, settings={"decode": "yolox"})]).record["teachers"]
    assert one["settings"] == {"decode": "yolox"}


def test_several_teachers_of_a_class_must_agree(finder: Finder) -> None:
    other = Finder(((1, 1, 10.25, 8), 0.3, THEIR_CAR), ((1, 20, 10, 29), 0.7, THEIR_CAR))
    labelled = pseudo_label(faces(1), [teacher(finder), teacher(other, name="u.onnx")])
    boxes = boxes_of(labelled)
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [False, False, True, True]
    assert np.allclose(boxes.xyxy[1], [1, 1, 10.25, 9.5])  # the mean of 10 and 8 with the weights 0.9 and 0.3
    assert (labelled.boxes, labelled.agreed, labelled.ignored) == ({"car": 1}, {"car": 1}, {"car": 2})


def test_a_teacher_alone_for_a_class_decides_by_its_threshold(finder: Finder) -> None:
    faces_only = PseudoLabeler(Finder(), ("face",), "f.onnx")
    both = faces(1, frozenset({FACE, CAR}))
    labelled = pseudo_label(both, [teacher(finder, 0.9, alone=0.9), faces_only])
    assert labelled.boxes == {"face": 0, "car": 1}
    assert labelled.ignored == {"face": 1, "car": 1}


def options(cache: Path) -> dict[str, Any]:
    return {"cache": lambda teacher: cache}


def test_it_is_done_once(finder: Finder, tmp_path: Path) -> None:
    cache = tmp_path / "made" / "pseudo.json"
    first, second, third = (
        pseudo_label(faces(), [teacher(finder, threshold, lower)], **options(cache))
        for threshold, lower in ((0.5, 0.2), (0.25, 0.2), (0.5, 0.4))
    )
    assert finder.asked == 3
    boxes, again, fewer = boxes_of(first, 2), boxes_of(second, 2), boxes_of(third, 2)
    assert np.allclose(boxes.xyxy, again.xyxy, atol=0.01)
    assert again.crowd is not None
    assert not again.crowd.any()  # another upper threshold needs no other boxes
    assert len(fewer) == len(boxes) - 1  # what was kept from a lower score on holds those of a higher one
    record = json.loads(cache.read_text())
    assert [image["file_name"] for image in record["images"]] == ["0.png", "1.png", "2.png"]
    assert record["annotations"][0] == {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9.25, 9], "score": 0.9}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sha256": "other"}, id="another teacher"),
        pytest.param({"lower": 0.1}, id="a lower threshold"),
        pytest.param({"settings": {"decode": "yolox"}}, id="other settings"),
    ],
)
def test_what_another_asked_for_is_not_used(finder: Finder, tmp_path: Path, change: dict[str, Any]) -> None:
    for more in ({}, change):
        pseudo_label(faces(), [teacher(finder, **more)], **options(tmp_path / "pseudo.json"))
    assert finder.asked == 6


def test_predictions_of_a_stopped_run_are_kept(finder: Finder, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pseudo_label(faces(), [teacher(finder)], progress=stop, **options(tmp_path / "pseudo.json"))
    pseudo_label(faces(), [teacher(finder)], **options(tmp_path / "pseudo.json"))
    assert finder.asked == 3


def test_predictions_for_other_classes_are_not_used(finder: Finder, tmp_path: Path) -> None:
    pseudo_label(faces(), [teacher(finder)], **options(tmp_path / "pseudo.json"))
    other = dataclasses.replace(faces(), labels=("face", "dog"))
    pseudo_label(other, [teacher(finder)], **options(tmp_path / "pseudo.json"))
    assert finder.asked == 6


def test_new_images_are_added(finder: Finder, tmp_path: Path) -> None:
    for count in (2, 5):
        labelled = pseudo_label(faces(count), [teacher(finder)], **options(tmp_path / "pseudo.json"))
    assert (finder.asked, labelled.images) == (5, 5)


def test_a_broken_file_is_one_line(finder: Finder, tmp_path: Path) -> None:
    (tmp_path / "pseudo.json").write_text('{"info"')
    with pytest.raises(InputError, match=r"pseudo.json can't be read .*delete the file"):
        pseudo_label(faces(), [teacher(finder)], **options(tmp_path / "pseudo.json"))


@pytest.mark.parametrize(
    ("lower", "trust"),
    [
        pytest.param(0.6, Trust(0.5), id="lower above"),
        pytest.param(0.0, Trust(0.5), id="lower zero"),
        pytest.param(0.2, Trust(1.5, 1.5), id="threshold above one"),
        pytest.param(0.2, Trust(0.5, 0.4), id="alone below"),
        pytest.param(0.2, Trust(weight=0.0), id="no weight"),
    ],
)
def test_thresholds_are_checked(finder: Finder, lower: float, trust: Trust) -> None:
    with pytest.raises(ValueError, match="are not 0 < lower <= threshold <= alone <= 1"):
        PseudoLabeler(finder, NAMES, "t.onnx", lower=lower, trust=trust)


def test_a_dataset_of_labels_has_no_place_for_boxes(finder: Finder) -> None:
    dataset = Dataset("digits", "classify", ("face", "car"), [])
    with pytest.raises(InputError, match="one to classify"):
        pseudo_label(dataset, [teacher(finder)])


def test_a_teacher_knows_classes_by_name(finder: Finder) -> None:
    labeler = PseudoLabeler(finder, ("dog", "vehicle", "Face", "vehicle"), "t.onnx")
    assert labeler.classes(("face", "vehicle")) == {1: 1, 2: 0, 3: 1}
    with pytest.raises(InputError, match=r"t\.onnx knows none of bird, but dog, vehicle, Face, vehicle"):
        labeler.classes(("bird",))
