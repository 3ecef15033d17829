"""The inputs that a measurement takes where no dataset is named."""

from __future__ import annotations

from edgecnn.benchmarks.measure.inputs import default_inputs
from edgecnn.shipped import read


def test_a_model_of_signals_gets_windows_of_its_length() -> None:
    card, _ = read("bearing")
    assert card.preprocess.signal is not None
    inputs = default_inputs(card, 3)
    assert inputs.description == f"3 random windows of {card.preprocess.size[1]} values"
    assert [image.shape for image in inputs.images] == [(*card.preprocess.size, 3)] * 3
