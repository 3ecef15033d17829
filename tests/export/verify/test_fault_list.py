"""The list of faults that a diagnosis tries: complete, none equal to the right preprocessing, each with effect."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from edgecnn.card import Preprocess
from edgecnn.export.verify.diagnose import Fault, faults
from edgecnn.preprocess import resize_into, to_tensor
from edgecnn.types import Array, TensorSpec

RIGHT = Preprocess(size=(24, 24), color="rgb", mean=(100.0, 110.0, 120.0), std=(60.0, 50.0, 40.0))


def tensor(preprocess: Preprocess) -> Array:
    """A float NCHW tensor of an image that is not square and has no symmetry."""
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    pixels = np.empty((*preprocess.size, preprocess.channels), np.uint8)
    resize_into(image, preprocess, pixels)
    return to_tensor(pixels, preprocess, TensorSpec("x", (), "float32", "NCHW"))


def simulated(fault: Fault) -> Array:
    made = tensor(fault.preprocess)
    return made if fault.twist is None else fault.twist(made)


def test_all_faults_of_a_colour_model() -> None:
    found = [(fault.cause, fault.what.partition(" instead of ")[0]) for fault in faults(RIGHT)]
    assert found == [
        ("channel order", "BGR"),
        ("scale", "pixels of 0..255"),
        ("scale", "pixels of 0..1"),
        ("scale", "pixels of -1..1"),
        ("scale", "no mean"),
        ("scale", "no std"),
        ("scale", "mean and std of ImageNet"),
        ("scale", "pixels scaled twice"),
        ("resize rule", "stretched images"),
        ("resize rule", "cropped images"),
        ("resize rule", "images letterboxed into the corner"),
        ("resize rule", "letterboxed images padded with 0"),
        ("resize rule", "letterboxed images padded with 127"),
        ("resize rule", "letterboxed images padded with 255"),
        ("layout", "NHWC memory read as NCHW"),
        ("layout", "height and width swapped"),
    ]


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        pytest.param({"color": "gray", "mean": (0.0,), "std": (255.0,)}, {"channel order"}, id="gray"),
        pytest.param({"size": (24, 32)}, set(), id="not-square"),
        pytest.param({"resize": "stretch"}, set(), id="stretch"),
    ],
)
def test_every_kind_of_fault_is_tried(change: dict[str, Any], missing: set[str]) -> None:
    right = dataclasses.replace(RIGHT, **change)
    assert {fault.cause for fault in faults(right)} == {"channel order", "scale", "resize rule", "layout"} - missing


@pytest.mark.parametrize("fault", list(faults(RIGHT)), ids=lambda fault: fault.what)
def test_every_fault_changes_the_tensor(fault: Fault) -> None:
    assert not np.allclose(simulated(fault), tensor(RIGHT), atol=1e-3)
