from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import Boxes, Dataset, Sample
from edgecnn.data.image_files import read_image
from edgecnn.errors import InputError
from edgecnn.metrics import match_labels
from edgecnn.metrics.report import report_lines
from edgecnn.tasks.evaluate import evaluate
from edgecnn.types import Classes, Detections, Image, Prediction


def image(value: int) -> Callable[[], Image]:
    return lambda: np.full((4, 4, 3), value, np.uint8)


def classes(count: int = 6) -> Dataset:
    samples = [Sample(f"{number}.png", image(number), label=number % 2) for number in range(count)]
    return Dataset("two", "classify", ("even", "odd"), samples)


def parity(found: Image) -> Prediction:
    """Right for even pixels, and sure; wrong for odd ones, and less sure."""
    return Classes(np.float32([0.9, 0.1] if found[0, 0, 0] % 2 == 0 else [0.6, 0.4]))


def test_classification() -> None:
    score = evaluate(parity, classes())
    assert (score.primary, score.n, score.per_class) == (0.5, 6, {"even": 1, "odd": 0})
    assert score.values["ece"] == pytest.approx((3 * 0.1 + 3 * 0.6) / 6)


def test_names_of_the_model_decide() -> None:
    score = evaluate(parity, classes(), classes=match_labels(("odd", "even"), ("even", "odd")))
    assert score.per_class == {"even": 0, "odd": 1}


def test_detection() -> None:
    xyxy = np.float32([[0, 0, 3, 3]])
    samples = [Sample(str(number), image(number), boxes=Boxes(xyxy, np.array([0]))) for number in range(3)]
    dataset = Dataset("boxes", "detect", ("cup",), samples)
    score = evaluate(lambda found: Detections(xyxy, np.float32([0.5]), np.array([0])), dataset)
    assert (score.primary, score.n) == (pytest.approx(1), 3)


def test_a_class_that_is_not_labelled_is_not_counted() -> None:
    xyxy = np.float32([[0, 0, 3, 3], [1, 1, 4, 4]])
    found = Detections(xyxy, np.float32([0.5, 0.9]), np.array([0, 1]))
    second = Boxes(xyxy[1:], np.array([1]))
    samples = [
        Sample("cups", image(0), boxes=Boxes(xyxy[:1], np.array([0])), unlabelled=frozenset({1, 2})),
        Sample("both", image(1), boxes=Boxes(xyxy, np.array([0, 1])), unlabelled=frozenset({2})),
        Sample("plates", image(2), boxes=second, unlabelled=frozenset({0, 2})),
    ]
    dataset = Dataset("boxes", "detect", ("cup", "plate", "mug"), samples, unlabelled=frozenset({2}))
    score = evaluate(lambda _: found, dataset)
    assert score.per_class == {"cup": pytest.approx(1), "plate": pytest.approx(1)}
    assert score.notes == ("not labelled in this dataset and not counted: mug",)
    strict = [Sample(one.name, one.read, boxes=one.boxes) for one in samples]
    assert evaluate(lambda _: found, Dataset("boxes", "detect", dataset.labels, strict)).primary < 1


def test_progress_counts_up() -> None:
    seen: list[tuple[int, int]] = []
    evaluate(parity, classes(3), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.fixture
def with_a_bad_image(tmp_path: Path) -> Dataset:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    samples = [*classes().samples, Sample("bad.png", lambda: read_image(bad), label=0)]
    return Dataset("two", "classify", ("even", "odd"), samples)


def test_an_unreadable_image_is_left_out_and_noted(with_a_bad_image: Dataset) -> None:
    score = evaluate(parity, with_a_bad_image)
    assert score.n == 6
    with pytest.raises(InputError) as caught:
        with_a_bad_image.samples[6].read()
    assert "bad.png" in caught.value.problem
    assert score.notes == (f"images that could not be read are left out (1): bad.png ({caught.value.problem})",)


def test_an_unreadable_image_stops_where_strict(with_a_bad_image: Dataset) -> None:
    with pytest.raises(InputError, match=r"bad\.png"):
        evaluate(parity, with_a_bad_image, strict=True)


def test_no_readable_image_at_all_is_an_error(with_a_bad_image: Dataset) -> None:
    with pytest.raises(InputError, match=r"no image of the dataset can be read: .*bad\.png"):
        evaluate(parity, with_a_bad_image.pick([6]))


@pytest.mark.parametrize(
    ("dataset", "predict", "said"),
    [
        pytest.param(
            classes(),
            lambda found: Detections.empty(),
            "a dataset of classes needs a classifier, but the model is a detector; name a dataset",
            id="detector",
        ),
        pytest.param(
            Dataset("x", "classify", (), [Sample("a", image(0))]),
            parity,
            "the dataset has images, but no labels or boxes",
            id="no truth",
        ),
        pytest.param(Dataset("x", "classify", ("a",), []), parity, "the dataset holds no images", id="empty"),
    ],
)
def test_what_does_not_fit_is_one_line(dataset: Dataset, predict: Callable[[Image], Prediction], said: str) -> None:
    with pytest.raises(InputError, match=said):
        evaluate(predict, dataset)


def test_the_report_shows_values_classes_confusions_and_notes() -> None:
    lines = report_lines(evaluate(parity, classes(), classes=match_labels(("even", "odd", "cow"), ("even", "odd"))))
    text = "\n".join(lines)
    assert "top-1                     50.00 %   95 % interval 18.76 % to 81.24 %" in text
    assert "odd           3     0.00 %" in text
    assert "odd  as even: 3 of 3" in text
    assert "note: 1 of the model's 3 classes are not in the dataset, they are ignored: cow" in text


def test_the_report_of_many_classes_is_cut() -> None:
    names = tuple(f"class {index}" for index in range(30))
    samples = [Sample(str(index), image(index), label=index) for index in range(30)]
    score = evaluate(
        lambda found: Classes(np.eye(30, dtype=np.float32)[found[0, 0, 0]]), Dataset("many", "classify", names, samples)
    )
    assert "  and 10 rarer classes (--json FILE has all)" in report_lines(score)
