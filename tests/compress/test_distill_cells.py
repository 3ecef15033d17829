from __future__ import annotations

import pytest
import torch

from edgecnn.compress.distill import DistillConfig
from edgecnn.compress.distill_cells import cells_loss
from edgecnn.errors import InputError

SIZE = (64, 64)
CELLS = 64 + 16 + 4


def teacher() -> tuple[torch.Tensor, torch.Tensor]:
    """One object of class 1, seen by cell 20."""
    scores = torch.full((1, CELLS, 3), 0.01)
    scores[0, 20, 1] = 0.9
    return torch.full((1, CELLS, 4), 2.0), scores


def test_a_student_that_agrees_has_no_loss_to_lose() -> None:
    distances, scores = teacher()
    logits = scores.logit().requires_grad_()
    loss = cells_loss((distances.clone(), logits), (distances, scores), SIZE)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-3)
    assert logits.grad is not None
    assert logits.grad.abs().max().item() < 1e-5


def test_gradient_goes_to_the_teachers_object_not_to_the_background() -> None:
    distances, scores = teacher()
    own = torch.full((1, CELLS, 4), 1.0, requires_grad=True)
    logits = torch.full((1, CELLS, 3), -4.0, requires_grad=True)
    cells_loss((own, logits), (distances, scores), SIZE).backward()
    assert own.grad is not None
    assert logits.grad is not None
    assert logits.grad.flatten().argmin() == 20 * 3 + 1
    others = logits.grad.clone()
    others[0, 20, 1] = 0
    assert float(others.abs().sum()) < 0.1 * float(logits.grad[0, 20, 1].abs())
    assert own.grad.abs().sum(-1).argmax() == 20


def test_steps_against_the_gradient_come_nearer() -> None:
    distances, scores = teacher()
    own, logits = torch.full((1, CELLS, 4), 1.0, requires_grad=True), torch.full((1, CELLS, 3), -4.0, requires_grad=True)
    optimizer = torch.optim.Adam([own, logits], lr=0.2)
    for _ in range(60):
        optimizer.zero_grad()
        cells_loss((own, logits), (distances, scores), SIZE).backward()
        optimizer.step()
    assert logits[0, 20, 1].sigmoid().item() == pytest.approx(0.9, abs=0.1)
    assert torch.allclose(own[0, 20], torch.full((4,), 2.0), atol=0.2)


def test_a_teacher_with_other_cells_is_refused() -> None:
    distances, scores = teacher()
    with pytest.raises(InputError, match="84, 3"):
        cells_loss((distances, scores.logit()), (distances[:, :80], scores[:, :80]), SIZE)


def test_the_method_is_the_tasks() -> None:
    assert DistillConfig().for_task("classify").method == "kd"
    assert DistillConfig().for_task("detect").record() == {"method": "cells", "weight": 0.7}
    with pytest.raises(InputError, match="--method: dkd is not for the task detect; use one of cells"):
        DistillConfig(method="dkd").for_task("detect")
    with pytest.raises(InputError, match="a model for the task regress can't be distilled, only one for classify or detect"):
        DistillConfig().for_task("regress")
