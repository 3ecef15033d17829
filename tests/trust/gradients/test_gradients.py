from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgecnn.errors import InputError  # noqa: E402
from edgecnn.models import create  # noqa: E402
from edgecnn.models.new_card import new_card  # noqa: E402
from edgecnn.trust.attribution.target import Target  # noqa: E402
from edgecnn.trust.gradients.grad_cam import grad_cam  # noqa: E402
from edgecnn.trust.gradients.input_gradients import baseline, gradient, integrated_gradients  # noqa: E402
from edgecnn.trust.gradients.network import GradientNetwork  # noqa: E402
from edgecnn.types import Image  # noqa: E402

SIDE = 32
LABELS = ("a", "b")


def _network(name: str, **options: object) -> GradientNetwork:
    torch.manual_seed(0)
    values = {"classes": 2, "channels": 3, "size": (SIDE, SIDE), **options}
    return GradientNetwork(create(name, **values), new_card(name, values, LABELS))


def _image() -> Image:
    return np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", ["mlp", "lecture"])
def test_integrated_gradients_add_up_to_the_difference_of_the_scores(name: str) -> None:
    network, image, target = _network(name), _image(), Target(1)
    with torch.inference_mode():
        ends = [float(network.score(x, target)) for x in (network.tensor(image), baseline(network, image))]
    heat = integrated_gradients(network, image, target, steps=256)
    assert heat.sum() == pytest.approx(ends[0] - ends[1], abs=0.02 * abs(ends[0] - ends[1]) + 1e-4)


def test_the_gradient_is_that_of_finite_differences() -> None:
    network, image, target = _network("mlp"), _image(), Target(0)
    heat = gradient(network, image, target)
    x, step = network.tensor(image), 1e-2
    with torch.inference_mode():
        slopes = []
        for channel in range(3):
            up, down = x.clone(), x.clone()
            up[0, channel, 5, 7] += step
            down[0, channel, 5, 7] -= step
            slopes.append(float(network.score(up, target) - network.score(down, target)) / (2 * step))
    assert heat[5, 7] == pytest.approx(max(map(abs, slopes)), rel=0.05)


def test_grad_cam_shows_where_the_deciding_map_is_active() -> None:
    network = _network("lecture", filters=2)
    features, head = network.model.features, network.model.head
    with torch.no_grad():
        for layer in (features[0], features[4]):
            layer.weight.zero_()
            layer.bias.zero_()
            layer.weight[0, 0, 1, 1] = 1.0  # channel 0 passes the red channel on
        head[1].weight.fill_(0.01)
        head[1].bias.zero_()
        head[3].weight.fill_(1.0)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[4:12, 20:28, 2] = 255
    heat = grad_cam(network, image, Target(1))
    assert heat[4:12, 20:28].mean() > 10 * max(heat[16:].mean(), 1e-9)
    assert np.unravel_index(heat.argmax(), heat.shape)[0] < 14


def test_grad_cam_needs_a_convolution_and_a_class() -> None:
    with pytest.raises(InputError, match=r"no convolution .*; use --method integrated-gradients"):
        grad_cam(_network("mlp"), _image(), Target(0))
    with pytest.raises(InputError, match="can't explain one object"):
        grad_cam(_detector(), _large(), Target(0, np.array([0, 0, 20, 20], np.float32)))


def _detector() -> GradientNetwork:
    return _network("edgedet-n", size=(64, 64), widths=(8, 8, 16, 16, 16), depths=(1, 1, 1, 1), neck=16)


def _large() -> Image:
    return np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8)


def test_the_gradient_of_an_object_is_that_of_its_cell() -> None:
    network, image = _detector(), _large()
    with torch.inference_mode():
        scores = network.model(network.tensor(image))[1]
        target = Target(1, np.array([34, 34, 46, 46], np.float32))
        score = float(network.score(network.tensor(image), target))
    assert np.isclose(torch.logit(scores[0, :, 1]).numpy(), score, atol=1e-5).any()
    for heat in (gradient(network, image, target), integrated_gradients(network, image, target, steps=8)):
        assert heat.shape == (64, 64)
        assert np.isfinite(heat).all()
        assert np.abs(heat).max() > 0


def test_a_model_without_a_score_to_differentiate_is_refused() -> None:
    values = {"classes": 2, "channels": 3, "size": (SIDE, SIDE), "head": "regress"}
    model, card = create("mlp", **values), new_card("mlp", values, LABELS)
    with pytest.raises(InputError, match="decoder values are not supported; use --method occlusion or rise"):
        GradientNetwork(model, card)
