"""The decoder of segmentation networks: layouts, class ids, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.postprocess.argmax import argmax


def card(labels: tuple[str, ...] = ("background", "cup", "plate"), size: tuple[int, int] = (16, 24)) -> ModelCard:
    return ModelCard(name="seg", task="segment", labels=labels, preprocess=Preprocess(size), decode=Decode("argmax"))


def scores(height: int = 4, width: int = 6) -> np.ndarray:
    maps = np.zeros((1, 3, height, width), np.float32)
    maps[0, 0] = 0.5
    maps[0, 1, :, : width // 2] = 2
    maps[0, 2, : height // 2] = 5
    return maps


def test_scores_in_both_layouts_are_enlarged_before_the_highest_is_taken() -> None:
    first = argmax({"out": scores()}, card()).class_id
    second = argmax({"out": scores().transpose(0, 2, 3, 1)}, card()).class_id
    assert first.shape == (16, 24)
    assert (first == second).all()
    assert (first[0] == 2).all()
    assert (first[-1, :12] == 1).all()
    # interpolated: where 2 falls to 0 between the middles of two cells, it is below the 0.5 of the background in the last quarter
    assert (first[-1, 12:15] == [1, 0, 0]).all()


def test_the_output_of_torchvision_has_an_auxiliary_one() -> None:
    found = argmax({"out": scores(), "aux": np.zeros((1, 3, 4, 6), np.float32)}, card())
    assert found.class_id[0, 0] == 2


def test_class_ids_of_any_integer_type_are_taken_as_they_are() -> None:
    ids = np.arange(16 * 24).reshape(1, 16, 24) % 3
    for array in (
        ids.astype(np.int64),
        ids.astype(np.int32)[..., None],
        ids.astype(np.float32),
        ids[0].astype(np.uint8)[None, None],
    ):
        assert (argmax({"ids": array}, card()).class_id == ids[0]).all()


def test_one_label_has_a_logit() -> None:
    logit = np.full((1, 1, 4, 6), -1.0, np.float32)
    logit[..., 3:] = 1
    found = argmax({"out": logit}, card(("cup",))).class_id
    assert found[0, 0] == 0
    assert found[0, -1] == 1


def test_a_class_without_a_label_is_named() -> None:
    with pytest.raises(ArtifactError, match="class 9, but its 3 labels are classes 0 to 2"):
        argmax({"ids": np.full((1, 16, 24), 9, np.int64)}, card())


@pytest.mark.parametrize("shape", [(1, 1000), (1, 7, 4, 6), (1, 84, 2100)])
def test_other_outputs_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArtifactError, match="map"):
        argmax({"out": np.random.default_rng(0).random(shape).astype(np.float32)}, card())
