from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import Boxes, open_dataset
from edgecnn.errors import InputError
from edgecnn.metrics.average_precision import DetectionAccumulator
from edgecnn.metrics.report import report_lines
from edgecnn.types import Detections

pytest.importorskip("pycocotools")

STATS = {"map": 0, "ap50": 1, "ap75": 2, "ap_small": 3, "ap_medium": 4, "ap_large": 5, "ar": 8}
Row = tuple[float, float, float, float, int]
A, B, C = (0, 0, 10, 10), (20, 0, 60, 40), (100, 0, 220, 120)


def truth(*rows: tuple[tuple[int, ...], int], crowd: list[bool] | None = None) -> Boxes:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return Boxes(boxes, np.array([row[1] for row in rows], np.int64), crowd=None if crowd is None else np.array(crowd))


def found(*rows: tuple[tuple[int, ...], int, float]) -> Detections:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array([row[2] for row in rows], np.float32), np.array([row[1] for row in rows], np.int64))


def test_all_found_is_1_everywhere() -> None:
    accumulator = DetectionAccumulator(("cup", "plate", "unseen"))
    accumulator.add(found((A, 0, 0.9), (B, 1, 0.8), (C, 1, 0.7)), truth((A, 0), (B, 1), (C, 1)))
    score = accumulator.score(("a note",))
    assert score.values == dict.fromkeys(("map", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar"), pytest.approx(1))
    assert score.per_class == {"cup": pytest.approx(1), "plate": pytest.approx(1)}
    assert score.to_dict()["ap50_per_class"] == {"cup": pytest.approx(1), "plate": pytest.approx(1)}
    assert "  AP50" in next(line for line in report_lines(score) if "class " in line)
    assert score.support == {"cup": 1, "plate": 2}
    assert (score.n, score.task, score.notes) == (1, "detect", ("a note",))


def test_nothing_found_is_0_and_no_error() -> None:
    accumulator = DetectionAccumulator(("cup",))
    accumulator.add(Detections.empty(), truth((A, 0)))
    assert accumulator.score(()).primary == 0


def test_a_box_of_iou_07_counts_up_to_that_threshold() -> None:
    accumulator = DetectionAccumulator(("cup",))
    accumulator.add(found(((0, 0, 10, 7), 0, 0.9)), truth((A, 0)))
    values = accumulator.score(()).values
    assert (values["ap50"], values["ap75"]) == (pytest.approx(1), 0)
    assert values["map"] == pytest.approx(0.5)


def test_a_false_box_of_higher_score_halves_precision() -> None:
    accumulator = DetectionAccumulator(("cup",))
    accumulator.add(found((B, 0, 0.9), (A, 0, 0.5)), truth((A, 0)))
    assert accumulator.score(()).values["ap50"] == pytest.approx(0.5)


def test_boxes_on_a_crowd_are_not_false() -> None:
    accumulator = DetectionAccumulator(("cup",))
    accumulator.add(found((B, 0, 0.9), (A, 0, 0.5)), truth((A, 0), (B, 0), crowd=[False, True]))
    score = accumulator.score(())
    assert score.values["ap50"] == pytest.approx(1)
    assert score.support == {"cup": 1}


def test_boxes_on_an_image_without_truth_are_false() -> None:
    accumulator = DetectionAccumulator(("cup",))
    accumulator.add(found((A, 0, 0.9)), truth())
    accumulator.add(found((A, 0, 0.5)), truth((A, 0)))
    assert accumulator.score(()).values["ap50"] == pytest.approx(0.5)


def test_a_dataset_without_boxes_is_refused() -> None:
    accumulator = DetectionAccumulator(("cup",))
    accumulator.add(Detections.empty(), truth())
    with pytest.raises(InputError, match="the dataset has no boxes to measure with; name a dataset or split with boxes"):
        accumulator.score(())


def with_pycocotools(images: list[tuple[Detections, Boxes]], classes: int) -> dict[str, float]:
    """The metrics of the same boxes by pycocotools itself."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    true, guessed = [], []
    for number, (found, boxes) in enumerate(images, 1):
        for row, class_id, is_crowd in zip(boxes.xyxy.tolist(), boxes.class_id.tolist(), boxes.crowd, strict=True):
            bbox = [row[0], row[1], row[2] - row[0], row[3] - row[1]]
            one = {"id": len(true) + 1, "image_id": number, "category_id": class_id, "bbox": bbox, "iscrowd": int(is_crowd)}
            true.append({**one, "area": bbox[2] * bbox[3]})
        for row, class_id, sure in zip(found.xyxy.tolist(), found.class_id.tolist(), found.score.tolist(), strict=True):
            bbox = [row[0], row[1], row[2] - row[0], row[3] - row[1]]
            guessed.append({"image_id": number, "category_id": class_id, "bbox": bbox, "score": sure})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        numbers = [{"id": number} for number in range(1, len(images) + 1)]
        coco.dataset = {"images": numbers, "categories": [{"id": one} for one in range(classes)], "annotations": true}
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(guessed), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return {name: float(run.stats[index]) for name, index in STATS.items()}


@pytest.mark.parametrize("seed", range(4))
def test_the_values_are_those_of_pycocotools(seed: int) -> None:
    """Crowds, all sizes, duplicates, equal scores, false boxes, and more detections of a class than count."""
    draw, accumulator, images = np.random.default_rng(seed), DetectionAccumulator(("a", "b", "c")), []
    for number in range(600 if seed == 3 else 25):
        count = int(draw.integers(0, 3 if seed == 3 else 9))
        corner, side = draw.uniform(0, 300, (count, 2)), draw.choice([20.0, 60.0, 150.0], (count, 1))
        true = np.concatenate([corner, corner + side * draw.uniform(0.5, 1.5, (count, 2))], 1).astype(np.float32)
        ids = draw.integers(0, 3, count)
        times = draw.integers(0, 4, count)
        guess = np.repeat(true, times, 0) + np.repeat(side, times, 0) * draw.normal(0, 0.1, (times.sum(), 4))
        guess_ids = np.where(draw.random(len(guess)) < 0.2, 1, np.repeat(ids, times))
        if number == 3 and seed < 3:
            many = draw.uniform(0, 50, (130, 1)) + np.array([0, 0, 40, 40])
            guess = np.concatenate([guess, many])
            guess_ids = np.concatenate([guess_ids, np.zeros(130, np.int64)])
        sure = (draw.integers(1, 20, len(guess)) / 20).astype(np.float32)
        found = Detections(guess.astype(np.float32), sure, guess_ids.astype(np.int64))
        images.append((found, Boxes(true, ids, crowd=draw.random(count) < 0.15)))
        accumulator.add(*images[-1])
    ours, theirs = accumulator.score(()).values, with_pycocotools(images, 3)
    assert {name: ours[name] for name in STATS} == {name: pytest.approx(theirs[name], abs=1e-9) for name in STATS}


@pytest.mark.real_data
def test_the_values_are_those_of_pycocotools_on_the_coco_file_itself(real_data: Path, tmp_path: Path) -> None:
    """Shifted true boxes as detections, once through our loader, once through pycocotools' own."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    file = real_data / "coco-subset" / "instances_val_first128.json"
    dataset, draw = open_dataset(file), np.random.default_rng(0)
    categories = sorted(one["id"] for one in json.loads(file.read_text())["categories"])
    accumulator, results = DetectionAccumulator(dataset.labels), []
    for sample in dataset.samples:
        assert sample.boxes is not None
        size = np.tile(sample.boxes.xyxy[:, 2:] - sample.boxes.xyxy[:, :2], 2)
        moved = (sample.boxes.xyxy + size * draw.normal(0, 0.08, size.shape)).astype(np.float32)
        guess = Detections(moved, draw.random(len(moved)).astype(np.float32), sample.boxes.class_id)
        accumulator.add(guess, sample.boxes)
        for (x1, y1, x2, y2), score, class_id in zip(moved.tolist(), guess.score.tolist(), guess.class_id, strict=True):
            bbox = [x1, y1, x2 - x1, y2 - y1]
            results.append({"image_id": sample.image_id, "category_id": categories[class_id], "bbox": bbox, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        true = COCO(str(file))
        run = COCOeval(true, true.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    ours = accumulator.score(()).values
    assert {name: ours[name] for name in STATS} == {
        name: pytest.approx(run.stats[index], abs=1e-6) for name, index in STATS.items()
    }
