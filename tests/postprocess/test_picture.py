"""Pictures of image-to-image models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError
from edgecnn.postprocess.picture import picture


def card(**options: Any) -> ModelCard:
    return ModelCard(name="p", task="classify", labels=("a",), preprocess=Preprocess((2, 2)), decode=Decode("picture", options))


RGB = np.array([1.0, 0.5, 0.0], np.float32).reshape(1, 3, 1, 1).repeat(4, 2).repeat(5, 3)


def test_values_of_0_to_1_become_a_bgr_image() -> None:
    for output in (RGB, RGB.transpose(0, 2, 3, 1)):
        found = picture({"image": output}, card()).image
        assert found.shape == (4, 5, 3)
        assert found.flags.c_contiguous
        assert found[0, 0].tolist() == [0, 128, 255]


def test_the_order_of_channels_and_the_scale_are_options() -> None:
    assert picture({"image": RGB * 255}, card(scale=1, color="bgr")).image[0, 0].tolist() == [255, 128, 0]


def test_values_out_of_range_are_clipped_and_nan_is_black() -> None:
    output = np.array([[-1.0, 2.0, np.nan]], np.float32).reshape(1, 1, 1, 3)
    assert picture({"image": output}, card()).image[0, :, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize(
    "outputs", [{"a": np.zeros((1, 10))}, {"a": np.zeros((1, 21, 8, 8))}, {"a": np.zeros((1, 3, 8, 8)), "b": np.zeros(1)}]
)
def test_outputs_that_are_no_image_are_refused(outputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(ArtifactError, match="the decoder picture needs one"):
        picture(outputs, card())
