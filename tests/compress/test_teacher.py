from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edgecnn.card import Preprocess
from edgecnn.compress.teacher import DistillationTeacher, TeacherNetwork
from edgecnn.errors import InputError
from edgecnn.models import load_checkpoint, read_card

Make = Callable[..., Path]
TINY = {"widths": (8, 8, 16, 16, 16), "depths": (1, 1, 1, 1), "neck": 16, "head_depth": 1, "size": (64, 96)}


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        pytest.param(
            {"name": "mlp"},
            {"name": "edgedet", "labels": ("a", "b"), **TINY},
            "has the task classify, but the student detect|has the task detect, but the student classify",
            id="task",
        ),
        pytest.param({"name": "mlp"}, {"name": "lecture", "labels": ("a", "b")}, "has the labels .*0, 1, 2", id="labels"),
        pytest.param(
            {"name": "mlp"},
            {"name": "lecture", "channels": 3},
            "of lecture has 3 channels, but that of the student 1",
            id="channels",
        ),
    ],
)
def test_a_teacher_that_does_not_match_the_student_is_refused(
    untrained: Make, student: dict[str, object], teacher: dict[str, object], message: str
) -> None:
    card = read_card(untrained(**student))
    with pytest.raises(InputError, match=message):
        DistillationTeacher.load([str(untrained(**teacher))]).check(card)


def test_several_teachers_are_averaged(untrained: Make) -> None:
    paths = [str(untrained(file=f"t{seed}", seed=seed)) for seed in (1, 2)]
    batch = torch.rand(3, 1, 28, 28)
    preprocess = read_card(paths[0]).preprocess
    both, one, other = (DistillationTeacher.load(some)(batch, preprocess)[0] for some in (paths, paths[:1], paths[1:]))
    assert torch.allclose(both, (one + other) / 2, atol=1e-6)
    assert not torch.allclose(one, other, atol=1e-3)


def test_a_batch_is_adapted_to_scale_colour_and_size(untrained: Make) -> None:
    """What the teacher says through the student's batch is what it says to a batch of its own."""
    model, card = load_checkpoint(untrained("resnet-s", channels=3, size=(32, 32)))
    own = Preprocess((32, 32), "stretch", color="bgr", mean=(10.0, 20.0, 30.0), std=(50.0, 60.0, 70.0))
    theirs = Preprocess((32, 32), "stretch", color="rgb", mean=(1.0, 2.0, 3.0), std=(200.0, 255.0, 100.0))
    bgr = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8).numpy()
    inputs = {name: torch.from_numpy(_nchw(bgr, own_or)) for name, own_or in (("own", own), ("theirs", theirs))}
    teacher = DistillationTeacher([TeacherNetwork(model, card.replace(preprocess=own))])
    assert torch.allclose(teacher(inputs["theirs"], theirs)[0], model(inputs["own"]), atol=1e-4)
    larger = torch.nn.functional.interpolate(inputs["theirs"], (48, 48))
    assert teacher(larger, theirs)[0].shape == (1, 10)


def _nchw(bgr: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    image = bgr[..., ::-1] if preprocess.color == "rgb" else bgr
    scaled = (image.astype(np.float32) - np.float32(preprocess.mean)) / np.float32(preprocess.std)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def test_a_teacher_keeps_its_weights_and_gives_no_gradient(untrained: Make) -> None:
    teacher = DistillationTeacher.load([str(untrained("resnet-s"))])
    before = {key: value.clone() for key, value in teacher.networks[0].model.state_dict().items()}
    found = teacher(torch.rand(4, 1, 28, 28), teacher.networks[0].card.preprocess)[0]
    assert not found.requires_grad
    assert all(torch.equal(value, before[key]) for key, value in teacher.networks[0].model.state_dict().items())
