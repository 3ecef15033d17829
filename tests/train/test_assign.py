from __future__ import annotations

import numpy as np
import pytest
import torch

from edgecnn.data import Boxes
from edgecnn.train.assign import TOP_K, Assignment, assign, collate
from edgecnn.train.boxes import cells, overlap, to_xyxy
from edgecnn.train.detect import detection_loss

SIZE = (64, 96)


def truth(*rows: tuple[float, float, float, float, int], crowd: tuple[bool, ...] | None = None) -> Boxes:
    xyxy = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    flags = None if crowd is None else np.array(crowd)
    return Boxes(xyxy, np.array([row[4] for row in rows], np.int64), None, flags)


def assigned(boxes: Boxes, *, classes: int = 3, reach: float = 8.0) -> Assignment:
    centres, strides = cells(SIZE)
    xyxy = to_xyxy(torch.full((1, len(centres), 4), 2.0), centres, strides)
    scores = torch.full((1, len(centres), classes), 0.1)
    return assign(scores, xyxy, collate([boxes]), centres, strides, reach)


def test_cells_are_ordered_as_the_outputs() -> None:
    centres, strides = cells(SIZE)
    assert centres[0].tolist() == [4, 4]
    assert centres[1].tolist() == [12, 4]
    assert centres[8 * 12].tolist() == [8, 8]
    assert strides[:, 0].unique(return_counts=True)[1].tolist() == [96, 24, 6]


def test_overlap_of_known_boxes() -> None:
    iou, giou = overlap(torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 1, 3, 3]))
    assert iou.item() == pytest.approx(1 / 7)
    assert giou.item() == pytest.approx(1 / 7 - 2 / 9)


def test_positive_cells_lie_in_their_object_and_want_its_class() -> None:
    found = assigned(truth((20, 20, 60, 50, 2)))
    centres, _ = cells(SIZE)
    chosen = centres[found.positive[0]]
    assert 1 <= len(chosen) <= TOP_K
    assert ((chosen >= torch.tensor([20, 20])) & (chosen <= torch.tensor([60, 50]))).all()
    assert found.score[0, found.positive[0], 2].min() > 0
    assert found.score[0, :, :2].max() == 0


def test_best_cell_wants_the_overlap_that_it_has() -> None:
    found = assigned(truth((20, 20, 60, 50, 0)))
    centres, strides = cells(SIZE)
    iou = overlap(to_xyxy(torch.full((len(centres), 4), 2.0), centres, strides), torch.tensor([20.0, 20, 60, 50]))[0]
    assert found.score.max().item() == pytest.approx(iou[found.positive[0]].max().item(), rel=1e-4)


def test_cell_that_two_objects_want_goes_to_the_one_it_overlaps_more() -> None:
    found = assigned(truth((0, 0, 64, 60, 0), (16, 16, 48, 48, 1)))
    boxes = found.xyxy[found.positive]
    both = found.score[0].gt(0).sum(1)
    assert both.max() == 1
    assert {tuple(box) for box in boxes.tolist()} == {(0, 0, 64, 60), (16, 16, 48, 48)}


def test_object_smaller_than_a_cell_still_gets_one() -> None:
    assert assigned(truth((9, 9, 11, 11, 0))).positive.sum() >= 1


def test_a_small_object_gets_only_the_cells_whose_centre_is_in_its_widened_box() -> None:
    """The object is widened to 8 pixels around (10, 10); other cells could express its sides, but their centre is outside."""
    found = assigned(truth((9, 9, 11, 11, 0)))
    centres, _ = cells(SIZE)
    assert sorted(map(tuple, centres[found.positive[0]].tolist())) == [(8, 8), (12, 12)]


def test_no_cell_is_asked_for_a_side_out_of_its_reach() -> None:
    found = assigned(truth((0, 0, 96, 64, 0)), reach=3.0)
    centres, strides = cells(SIZE)
    chosen = found.positive[0]
    sides = torch.cat([centres, torch.tensor([96.0, 64.0]) - centres], 1) / strides
    assert chosen.any()
    assert sides[chosen].max() <= 3.0


def test_the_class_of_a_crowd_does_not_count_in_it() -> None:
    found = assigned(truth((0, 0, 48, 64, 1), crowd=(True,)))
    centres, _ = cells(SIZE)
    inside = centres[:, 0] <= 48
    assert not found.positive.any()
    assert not found.counts[0, inside, 1].any()
    assert found.counts[0, inside][:, [0, 2]].all()
    assert found.counts[0, ~inside].all()


def test_an_object_within_a_crowd_of_its_class_counts() -> None:
    found = assigned(truth((0, 0, 96, 64, 0), (20, 20, 60, 50, 0), crowd=(True, False)))
    assert found.counts[0, found.positive[0], 0].all()
    assert not found.counts[0, ~found.positive[0], 0].any()
    assert found.counts[..., 1:].all()


def test_an_image_without_objects_is_background() -> None:
    found = assigned(truth())
    assert not found.positive.any()
    assert found.counts.all()
    assert found.score.sum() == 0


def test_crowd_changes_no_gradient_inside_it() -> None:
    centres, _ = cells(SIZE)
    logits = torch.zeros(1, len(centres), 2, requires_grad=True)
    boxes = truth((0, 0, 48, 64, 0), crowd=(True,))
    detection_loss(torch.full((1, len(centres), 4), 2.0), logits, collate([boxes]), SIZE, 8.0).backward()
    assert logits.grad is not None
    assert logits.grad[0, centres[:, 0] <= 48, 0].abs().max() == 0
    assert logits.grad[0, centres[:, 0] > 48].abs().min() > 0
    assert logits.grad[0, :, 1].abs().min() > 0


def test_loss_is_lower_for_the_right_answer() -> None:
    centres, strides = cells(SIZE)
    box = torch.tensor([20.0, 20, 60, 50])
    right = torch.cat([centres - box[:2], box[2:] - centres], 1) / strides
    inside = right.amin(1) > 0
    logits = torch.where(inside[:, None] & torch.tensor([True, False]), 4.0, -6.0)[None]
    targets = collate([truth((20, 20, 60, 50, 0))])
    good = detection_loss(right.clamp(0, 8)[None], logits, targets, SIZE, 8.0)
    wrong_box = detection_loss((right.clamp(0, 8) + 1)[None], logits, targets, SIZE, 8.0)
    wrong_class = detection_loss(right.clamp(0, 8)[None], logits.flip(2), targets, SIZE, 8.0)
    assert good < wrong_box
    assert good < wrong_class


def test_batch_fills_up_to_the_image_with_most_objects() -> None:
    batch = collate([truth((0, 0, 5, 5, 1)), truth((0, 0, 5, 5, 0), (9, 9, 20, 20, 2), crowd=(False, True)), truth()])
    assert batch.xyxy.shape == (3, 2, 4)
    assert batch.real.tolist() == [[True, False], [True, False], [False, False]]
    assert batch.crowd.tolist() == [[False, False], [False, True], [False, False]]
