"""Quantization-aware training: rounding where files round, gradients through it, ranges that move to where they serve."""

from __future__ import annotations

import copy
import operator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.card import ModelCard
from edgecnn.compress import qat
from edgecnn.errors import InputError
from edgecnn.models import create
from edgecnn.models.fake_quant import FakeQuant, FusedLayer, fake_weight
from edgecnn.models.new_card import new_card
from edgecnn.models.quantized import QuantizedModel, insert_fake_quant
from edgecnn.train.schedule import WeightAverage

NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"size": (8, 8), "classes": 3},
    "lecture": {"size": (16, 16), "classes": 3},
    "resnet-8": {"size": (16, 16), "classes": 3},
    "mobilenet": {"size": (16, 16), "width": 0.25, "classes": 3},
    "edgedet": {"size": (64, 64), "widths": (8, 8, 16, 16, 16), "depths": (1, 1, 1, 1), "neck": 8, "head_depth": 1, "classes": 3},
}


def network(name: str) -> tuple[nn.Module, ModelCard, Tensor]:
    torch.manual_seed(0)
    model, card = create(name, **NETWORKS[name]), new_card(name, NETWORKS[name], ("a", "b", "c"))
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return model.eval(), card, torch.rand(4, *card.inputs[0].shape[1:])


def outputs(model: nn.Module, example: Tensor) -> list[Tensor]:
    found: Any = model(example)
    return list(found) if isinstance(found, tuple) else [found]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_prepared_network_is_close_and_without_rounding_the_same(name: str) -> None:
    model, card, batch = network(name)
    before = copy.deepcopy(model.state_dict())
    net = qat.prepare(model, card, [batch])
    with torch.no_grad():
        for expected, rounded, plain in zip(outputs(model, batch), outputs(net, batch), outputs(net.plain(), batch), strict=True):
            torch.testing.assert_close(plain, expected, rtol=1e-4, atol=1e-5)
            gap = float((rounded - expected).abs().mean() / expected.abs().max())
            assert 0 < gap < 0.05
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_has_a_gradient_through_the_rounding(name: str) -> None:
    model, card, batch = network(name)
    net = qat.prepare(model, card, [batch]).train()
    sum((output - 0.3).square().sum() for output in outputs(net, batch)).backward()  # type: ignore[union-attr]
    without = [key for key, value in net.named_parameters() if value.grad is None and not key.endswith("stretch")]
    assert not without


def test_a_detector_gives_logits_in_training_and_scores_in_inference() -> None:
    model, card, batch = network("edgedet")
    net = qat.prepare(model, card, [batch])
    with torch.no_grad():
        logits, scores = outputs(net.train(), batch)[1], outputs(net.eval(), batch)[1]
    torch.testing.assert_close(scores, logits.sigmoid(), rtol=0, atol=1e-3)


def test_rounding_sits_where_files_round() -> None:
    """Behind a convolution or its ReLU, behind a sum, behind an average; not behind what hands numbers on."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(1, 4, 3, padding=1)
            self.norm = nn.BatchNorm2d(4)
            self.relu = nn.ReLU()
            self.pool = nn.MaxPool2d(2)
            self.second = nn.Conv2d(4, 4, 1)
            self.head = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.pool(self.relu(self.norm(self.first(x))))
            y = F.interpolate(self.second(x) + x, scale_factor=2.0, mode="nearest")
            z = torch.cat([y.mean((2, 3)), y.amax((2, 3))], 1)
            return self.head(z).softmax(1)  # type: ignore[no-any-return]

    net = insert_fake_quant(Net().eval(), torch.rand(1, 1, 8, 8))
    assert list(net.points) == ["relu", "second", "add", "mean", "amax", "cat", "head"]
    assert [name for name, point in net.points.items() if point.is_output] == ["head"]
    assert [type(layer.norm) for layer in net.modules() if isinstance(layer, FusedLayer)] == [
        nn.BatchNorm2d,
        type(None),
        type(None),
    ]


def test_a_hard_sigmoid_is_rounded_with_its_convolution() -> None:
    gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.Hardsigmoid(), nn.Conv2d(4, 2, 1))
    assert list(insert_fake_quant(gate.eval(), torch.rand(1, 4, 6, 6)).points) == ["_0", "_2", "_3"]


class NormWithRelu(nn.BatchNorm2d):
    """Like timm's BatchNormAct2d: checks the shape, normalizes by the function, and applies its own activation."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.drop, self.act = nn.Identity(), nn.ReLU()

    def forward(self, input: Tensor) -> Tensor:
        """Normalized and activated (B, C, H, W)."""
        torch._assert(input.ndim == 4, "four dimensions")
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        normed = F.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum or 0.1, self.eps
        )
        return self.act(self.drop(normed))  # type: ignore[no-any-return]


def test_a_norm_that_also_activates_is_folded_like_the_two_layers() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), NormWithRelu(4), nn.Conv2d(4, 2, 1))
    for _ in range(3):
        model.train()(torch.rand(8, 3, 6, 6) * 5)
    batch = torch.rand(2, 3, 6, 6)
    net = insert_fake_quant(model.eval(), batch[:1])
    assert list(net.points) == ["_1_act", "_2"]
    assert [type(layer.norm) for layer in net.modules() if isinstance(layer, FusedLayer)] == [nn.BatchNorm2d, type(None)]
    with torch.no_grad():
        torch.testing.assert_close(net.plain()(batch), model(batch), rtol=1e-4, atol=1e-5)
    assert not any("num_batches" in str(node.target) for node in net._train_net[0].graph.nodes)


def test_weights_are_on_the_grid_of_each_channel() -> None:
    torch.manual_seed(1)
    weight = torch.randn(4, 3, 3, 3) * torch.tensor([1e-3, 1.0, 30.0, 0.0]).reshape(4, 1, 1, 1)
    scale = weight.abs().amax((1, 2, 3), keepdim=True) / 127
    found = fake_weight(weight)
    levels = found[:3] / scale[:3]
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)
    assert float((found - weight).abs().max()) <= float(scale.max()) / 2 * 1.001
    assert not found[3].any()


@pytest.mark.parametrize(
    ("low", "high"),
    [
        pytest.param(0.0, 2.0, id="after-a-relu"),
        pytest.param(-1.3, 2.0, id="both-signs"),
        pytest.param(-3.0, 0.0, id="negative"),
        pytest.param(-0.7, 0.7, id="even"),
    ],
)
def test_an_activation_is_on_256_levels_of_which_one_is_zero(low: float, high: float) -> None:
    point = FakeQuant().eval()
    point.set(low, high)
    x = torch.linspace(low - 1, high + 1, 5001)
    with torch.no_grad():
        found = point(x)
    levels = found.unique()
    assert len(levels) == 256
    assert float(levels.abs().min()) == 0.0
    torch.testing.assert_close((float(levels[0]), float(levels[-1])), point.ends(), rtol=1e-5, atol=1e-6)
    inside = (x > low) & (x < high)
    assert float((found - x)[inside].abs().max()) < (high - low) / 255 * 1.01


def test_ends_go_to_where_the_error_is_least() -> None:
    """From ten times too wide and from ten times too narrow to nearly the same place."""
    torch.manual_seed(2)
    found = []
    for start in (30.0, 0.3):
        point = FakeQuant().train()
        point.set(0.0, start)
        optimizer = torch.optim.Adam(point.parameters(), lr=0.03)
        for _ in range(400):
            x = torch.randn(4096).relu()
            optimizer.zero_grad()
            (point(x) - x).square().sum().backward()
            optimizer.step()
        found.append(point.ends()[1])
    assert 2.5 < found[0] < 5
    assert 2.5 < found[1] < 5


def test_ranges_start_around_what_the_images_give() -> None:
    model, card, batch = network("resnet-8")
    net = qat.prepare(model, card, [batch])
    values = net.values(lambda: net(batch))
    for name, point in net.points.items():
        low, high = point.ends()
        assert low >= float(values[name].min()) * 1.05 - 1e-3
        assert 0.3 * float(values[name].max()) < high < float(values[name].max()) * 1.05 + 1e-3


def test_finishing_changes_no_output() -> None:
    model, card, batch = network("resnet-8")
    net = qat.prepare(model, card, [batch])
    for point in net.points.values():
        point.stretch.data.uniform_(-0.3, 0.3)
    with torch.no_grad():
        before = net(batch)
        done, record = qat.finish(net)
        torch.testing.assert_close(done(batch), before, rtol=1e-4, atol=1e-5)
    assert record["ranges"] == len(net.points)
    assert not any(point.stretch.any() for point in net.points.values())


def test_a_copy_shares_nothing_and_both_its_graphs_share_all() -> None:
    """As the average of the weights that training keeps."""
    model, card, batch = network("resnet-8")
    net = qat.prepare(model, card, [batch])
    average = WeightAverage(net, 0.9).model
    assert isinstance(average, QuantizedModel)
    next(iter(net.points.values())).set(0.0, 1e-3)
    with torch.no_grad():
        assert not torch.equal(net(batch), average(batch))
        torch.testing.assert_close(average.train()(batch), average.eval()(batch))


def test_batch_norm_statistics_stay() -> None:
    model, card, batch = network("resnet-8")
    net = qat.prepare(model, card, [batch]).train()
    before = {key: value.clone() for key, value in net.state_dict().items() if "running" in key}
    net(batch * 5)
    assert before
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in before.items())


class DependsOnValues(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if bool(operator.gt(x.sum(), 0)) else -x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(
            lambda net, card: (DependsOnValues(), [torch.rand(1, 3, 16, 16)]),
            "can't be traced for quantization",
            id="control-flow",
        ),
        pytest.param(lambda net, card: (net, []), "training images", id="no-images"),
        pytest.param(
            lambda net, card: (insert_fake_quant(net, torch.rand(1, 3, 16, 16)), []), "is trained for int8 already", id="twice"
        ),
        pytest.param(
            lambda net, card: (nn.Sequential(*[nn.Conv2d(3, 3, 1)] * 2), [torch.rand(1, 3, 16, 16)]),
            "the layer 0 is used 2 times",
            id="shared-layer",
        ),
    ],
)
def test_a_network_that_can_not_be_prepared_is_refused(make: Any, message: str) -> None:
    model, card, _ = network("resnet-8")
    net, batches = make(model, card)
    with pytest.raises(InputError, match=message):
        qat.prepare(net, card, batches)


def test_training_recovers_what_rounding_loses() -> None:
    """A depthwise network whose channels differ a thousandfold in size: rounding per tensor drowns the small ones."""
    torch.manual_seed(0)
    model, card, batch = _uneven()
    truth = _answers(model, batch)
    net = qat.prepare(model, card, [batch])
    before = float((_answers(net, batch) - truth).abs().mean())
    optimizer = torch.optim.Adam(net.train().parameters(), lr=3e-3)
    for _ in range(150):
        inputs = torch.rand(32, 1, 8, 8)
        optimizer.zero_grad()
        (net(inputs) - _answers(model, inputs)).square().mean().backward()
        optimizer.step()
    done, _ = qat.finish(net)
    after = float((_answers(done, batch) - truth).abs().mean())
    assert after < before / 3


def _answers(model: nn.Module, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = model.eval()(inputs) if not isinstance(model, QuantizedModel) else model(inputs)
        return found


def _uneven() -> tuple[nn.Module, ModelCard, Tensor]:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ReLU(),
        nn.Conv2d(8, 4, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ).eval()
    sizes = torch.logspace(-3, 0, 8)
    first, last = model[0], model[4]
    assert isinstance(first, nn.Conv2d)
    assert isinstance(last, nn.Conv2d)
    assert first.bias is not None
    first.weight.data *= sizes.reshape(8, 1, 1, 1)
    first.bias.data *= sizes
    depthwise = model[2]
    assert isinstance(depthwise, nn.Conv2d)
    assert depthwise.bias is not None
    depthwise.bias.data *= sizes
    last.weight.data /= sizes.reshape(1, 8, 1, 1)
    return model, new_card("lecture", {"size": (8, 8), "classes": 4}, ("a", "b", "c", "d")), torch.rand(64, 1, 8, 8)
