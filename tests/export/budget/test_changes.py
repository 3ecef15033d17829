"""Changes of the network that cost no speed: cross-layer equalization and bias correction."""

from __future__ import annotations

import torch

from edgecnn.export import Calibration
from edgecnn.export.budget.bias_correction import corrected
from edgecnn.export.budget.equalize import equalized
from edgecnn.export.graph import Deployable
from tests.export.budget.conftest import uneven


def weights(graph: Deployable, layer: str) -> torch.Tensor:
    return graph.get_parameter(f"model.{layer}.weight").detach()


def test_equalization_keeps_the_function_and_evens_the_channels(uneven_calibration: Calibration) -> None:
    model = uneven(homogeneous=True)
    feeds = uneven_calibration.feeds(model.card)
    changed = equalized(model.graph, feeds)
    assert changed is not None
    image = torch.from_numpy(feeds[0]["image"])
    with torch.no_grad():
        torch.testing.assert_close(changed(image)["logits"], model.graph(image)["logits"], rtol=1e-3, atol=1e-4)
    before, after = (weights(graph, "wide").abs().amax((1, 2, 3)) for graph in (model.graph, changed))
    assert before.max() / before.min() > 500
    assert after.max() / after.min() < 5


def test_channels_are_not_rescaled_over_a_function_that_is_not_homogeneous(uneven_calibration: Calibration) -> None:
    model = uneven(homogeneous=False)
    changed = equalized(model.graph, uneven_calibration.feeds(model.card))
    assert changed is not None  # other pairs are equalized
    after = weights(changed, "wide").abs().amax((1, 2, 3))
    assert after.max() / after.min() > 500


def test_corrected_biases_keep_the_mean_of_rounded_weights(uneven_calibration: Calibration) -> None:
    model = uneven(homogeneous=True)
    changed = corrected(model.graph, uneven_calibration.feeds(model.card))
    assert changed is not None
    shift = changed.get_parameter("model.mix.bias") - model.graph.get_parameter("model.mix.bias")
    # beside 1, the weights of 1e-3 for the large channel round to zero; what they added on average comes back by the bias
    before = model.graph.model.mix.weight.detach()  # type: ignore[union-attr,operator]
    assert float(before[0, 3].abs().max()) < float(before[0].abs().max()) / 254
    assert shift[:3].min() > 0.1
    assert torch.allclose(shift[:3], shift[:3].mean(), rtol=0.05)
