"""Folding flip and scale into the first convolution: same numbers, and only where it is right."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export.fold import fold_preprocessing
from edgecnn.export.graph import Deployable, example, inference_copy, wrap


def card(**preprocess: Any) -> ModelCard:
    return ModelCard(
        name="net",
        task="classify",
        labels=("a", "b"),
        preprocess=Preprocess(size=(16, 24), **preprocess),
        decode=Decode("softmax"),
    )


class Net(nn.Module):
    def __init__(self, channels: int = 3, groups: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 6, 3, padding=1, groups=groups)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.first(x).relu().mean((2, 3)))  # type: ignore[no-any-return]


class LooksTwice(Net):
    """The image goes into a second operator too, which would see it unscaled."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.mean((1, 2, 3))[:, None]


class SharesWeights(Net):
    """The first convolution is used again on something that is no image."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.head(self.first(y[:, :3]).mean((2, 3)))  # type: ignore[no-any-return]


def graphs(model: nn.Module, model_card: ModelCard) -> tuple[Deployable, Deployable]:
    graph, _ = wrap(inference_copy(model), model_card)
    return graph, fold_preprocessing(graph, example(model_card))


IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}


@pytest.mark.parametrize(
    "preprocess",
    [
        pytest.param({"color": "rgb", "std": (255.0,)}, id="rgb-0-to-1"),
        pytest.param({"color": "rgb", **IMAGENET}, id="rgb-mean-and-std"),
        pytest.param({"color": "bgr", **IMAGENET}, id="bgr-mean-and-std"),
        pytest.param({"color": "rgb"}, id="rgb-pixels"),
    ],
)
def test_the_numbers_stay_and_the_operators_go(preprocess: dict[str, Any]) -> None:
    model_card = card(**preprocess)
    before, after = graphs(Net(), model_card)
    assert after.is_plain
    assert not before.is_plain
    with torch.no_grad():
        torch.testing.assert_close(after(example(model_card)), before(example(model_card)), rtol=1e-5, atol=1e-5)


def test_gray_is_scaled_in_the_weights_too() -> None:
    model_card = card(color="gray", mean=(10.0,), std=(50.0,))
    before, after = graphs(Net(channels=1), model_card)
    assert after.is_plain
    with torch.no_grad():
        torch.testing.assert_close(after(example(model_card)), before(example(model_card)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(LooksTwice(), id="image-used-twice"),
        pytest.param(SharesWeights(), id="weights-used-twice"),
        pytest.param(Net(groups=3), id="grouped-convolution"),
        pytest.param(nn.Sequential(nn.Flatten(), nn.Linear(16 * 24 * 3, 2)), id="no-convolution"),
    ],
)
def test_where_it_would_change_the_model_nothing_is_folded(model: nn.Module) -> None:
    before, after = graphs(model, card(color="rgb", std=(255.0,)))
    assert after is before


def test_nothing_to_fold_is_left_alone() -> None:
    before, after = graphs(Net(), card(color="bgr"))
    assert after is before


def test_the_reference_keeps_its_weights() -> None:
    model = Net()
    first = model.first.weight.clone()
    graph, _ = wrap(model, card(color="rgb", std=(255.0,)))
    assert fold_preprocessing(graph, example(card(color="rgb", std=(255.0,)))) is not graph
    torch.testing.assert_close(model.first.weight, first, rtol=0, atol=0)
