from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from edgecnn.compress.distill import DistillConfig, dkd_loss, kd_loss


@pytest.fixture
def logits() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of a student and a teacher, and true classes."""
    rng = np.random.default_rng(0)
    student, teacher = (torch.tensor(rng.normal(0, 3, (6, 5)), dtype=torch.float32) for _ in range(2))
    return student, teacher, torch.tensor(rng.integers(0, 5, 6))


def test_hinton_loss_is_the_divergence_written_out(logits: tuple[torch.Tensor, ...]) -> None:
    student, teacher, _ = logits
    p, q = (part.div(3).softmax(1) for part in (teacher, student))
    wanted = (p * (p / q).log()).sum(1).mean() * 9
    assert kd_loss(student, teacher, 3.0) == pytest.approx(float(wanted), rel=1e-5)


def test_decoupled_loss_with_the_teachers_own_weight_is_that_of_hinton(logits: tuple[torch.Tensor, ...]) -> None:
    """KD = sure + (1 - p_true) * rest, equation 6 of the paper: checked for one image at a time."""
    student, teacher, target = logits
    for row in range(len(target)):
        one = (student[row : row + 1], teacher[row : row + 1])
        beta = 1 - float(one[1].div(2).softmax(1)[0, target[row]])
        assert dkd_loss(*one, target[row : row + 1], 2.0, beta) == pytest.approx(float(kd_loss(*one, 2.0)), rel=1e-4)


def test_no_loss_between_equals_and_slope_towards_the_teacher(logits: tuple[torch.Tensor, ...]) -> None:
    student, teacher, target = logits
    assert kd_loss(teacher, teacher, 4.0) == pytest.approx(0, abs=1e-5)
    assert dkd_loss(teacher, teacher, target, 4.0, 8.0) == pytest.approx(0, abs=1e-4)
    for loss in (lambda x: kd_loss(x, teacher, 4.0), lambda x: dkd_loss(x, teacher, target, 4.0, 8.0)):
        x = student.clone().requires_grad_()
        loss(x).backward()
        assert float(loss(student - 0.05 * F.normalize(x.grad, dim=None))) < float(loss(student))


def test_a_teacher_that_is_certain_gives_finite_gradients() -> None:
    student = torch.zeros(1, 3, requires_grad=True)
    dkd_loss(student, torch.tensor([[200.0, -200.0, 0.0]]), torch.tensor([0]), 1.0, 8.0).backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param({"method": "fitnet"}, "'fitnet' is not a distillation method; use one of kd, dkd, cells", id="method"),
        pytest.param({"weight": 1.5}, "must be 0..1 .* not 1.5 and 4.0", id="weight"),
        pytest.param({"temperature": 0.0}, "temperature above 0, not 0.7 and 0.0", id="temperature"),
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DistillConfig(**wrong)
