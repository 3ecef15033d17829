"""Restoration as a task: agreement of pictures, and datasets of any images."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.data.for_task import for_task
from edgecnn.data.sample import Dataset, Sample
from edgecnn.degrade import enlarged
from edgecnn.errors import InputError
from edgecnn.parity import TOLERANCES
from edgecnn.synthetic_inputs import pattern
from edgecnn.tasks import check_outputs, compare
from edgecnn.tasks.evaluate import evaluate
from edgecnn.types import Image, Picture, TensorSpec

OPTIONS = {"scale": 255.0, "color": "rgb", "upscale": 2, "noise": 0.0}
CARD = ModelCard(name="r", task="restore", labels=(), preprocess=Preprocess((16, 24)), decode=Decode("picture", OPTIONS))


def off_by(levels: float) -> Picture:
    """A grey picture with errors of that standard deviation."""
    errors = np.random.default_rng(0).normal(0, levels, (32, 48, 3))
    return Picture(np.clip(np.rint(128 + errors), 0, 255).astype(np.uint8))


@pytest.mark.parametrize(("levels", "agreeing"), [(0.4, ("fp32", "fp16", "int8")), (3, ("int8",)), (12, ())])
def test_pictures_agree_by_their_psnr(levels: float, agreeing: tuple[str, ...]) -> None:
    grey = Picture(np.full((32, 48, 3), 128, np.uint8))
    assert tuple(name for name in TOLERANCES if compare(grey, off_by(levels), TOLERANCES[name]).same) == agreeing


def test_a_picture_of_another_size_does_not_agree() -> None:
    assert compare(off_by(0), Picture(np.full((32, 47, 3), 128, np.uint8)), TOLERANCES["int8"]).same == 0


def test_images_of_any_dataset_become_degraded_ones() -> None:
    samples = [Sample("a.png", lambda: pattern("noise", 40, 60))]
    dataset = for_task(Dataset("set", "classify", (), samples), CARD)
    sample = dataset.samples[0]
    assert sample.read().shape == (16, 24, 3)
    assert sample.original is not None
    assert np.array_equal(sample.original(), pattern("noise", 40, 60)[4:36, 6:54])

    def bicubic(image: Image) -> Picture:
        return Picture(enlarged(image, 2))

    score = evaluate(bicubic, dataset)
    assert score.task == "restore"
    assert score.primary == score.values["psnr_input"]


@pytest.mark.parametrize("shapes", [[(1, 10)], [(1, 21, 32, 48)], [(1, 3, 30, 48)], [(1, 3, 32, 24)], [(1, 3, 32, 48)] * 2])
def test_outputs_that_are_no_enlarged_image_are_refused(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(InputError, match="--task restore needs"):
        check_outputs([TensorSpec(f"o{n}", shape, "float32") for n, shape in enumerate(shapes)], CARD)
    check_outputs([TensorSpec("o", (1, 32, 48, 3), "float32")], CARD)
