"""What int8 files keep in float: the operators behind the last layers, where boxes and scores meet in one tensor."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export.config import DEFAULT_FORMATS, FORMATS
from edgecnn.export.graph import Deployable, example, wrap
from edgecnn.export.quantize.head import behind_layers
from edgecnn.export.quantize.layers import LayerOperator, onnx_operators
from edgecnn.export.quiet import quiet
from edgecnn.runtime.backends import open_backend
from edgecnn.types import TensorSpec

BINS = 8


def operators(*rows: tuple[str, str, str, bool]) -> list[LayerOperator]:
    return [LayerOperator(name, "", tuple(given.split()), tuple(made.split()), layer) for name, given, made, layer in rows]


def test_only_what_reaches_no_layer_is_behind_the_layers() -> None:
    graph = operators(
        ("stem", "image w0", "a", True),
        ("relu", "a", "b", False),
        ("boxes", "b w1", "c", True),
        ("scores", "b w2", "d", True),
        ("exp", "c", "e", False),
        ("sigmoid", "d", "f", False),
        ("join", "e f", "out", False),
    )
    assert behind_layers(graph) == {"exp", "sigmoid", "join"}


def test_an_operator_that_also_feeds_a_layer_is_not_behind() -> None:
    graph = operators(
        ("a", "image w", "x", True), ("swish", "x", "y", False), ("b", "y w", "z", True), ("out", "y z", "o", False)
    )
    assert behind_layers(graph) == {"out"}


def test_a_graph_without_layers_has_nothing_behind_them() -> None:
    assert behind_layers(operators(("mean", "image", "out", False))) == set()


def test_an_expected_value_of_a_distribution_is_no_layer() -> None:
    bins = np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1)
    noise = np.random.default_rng(0).normal(size=(1, 16, 1, 1)).astype(np.float32)
    assert [is_layer(bins), is_layer(noise), is_layer(np.ones_like(bins)), is_layer(None)] == [False, True, True, True]


def is_layer(weights: np.ndarray[Any, Any] | None) -> bool:
    """Whether a convolution by ``weights``, or by a tensor that is computed, is a layer."""
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    constants = [] if weights is None else [numpy_helper.from_array(weights, "w")]
    (operator,) = onnx_operators(helper.make_graph([node], "net", [], [], constants))
    return operator.is_layer


class Detector(nn.Module):
    """A head as YOLOv8 has it: distributions of four distances, their expected value, boxes in pixels and scores in one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, stride=8, padding=1), nn.SiLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
        self.distances, self.scores = nn.Conv2d(16, 4 * BINS, 1), nn.Conv2d(16, 2, 1)
        self.dfl = nn.Conv2d(BINS, 1, 1, bias=False)
        self.dfl.weight.data = torch.arange(BINS, dtype=torch.float32).reshape(1, BINS, 1, 1)
        rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
        self.register_buffer("centres", torch.stack([columns, rows]).reshape(1, 2, 64) + 0.5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.body(image)
        parts = self.distances(x).reshape(1, 4, BINS, 64).transpose(1, 2).softmax(1)
        low, high = self.dfl(parts).reshape(1, 4, 64).chunk(2, 1)
        corners = self.centres - low, self.centres + high
        box = torch.cat([(corners[0] + corners[1]) / 2, corners[1] - corners[0]], 1) * 8
        return torch.cat([box, self.scores(x).reshape(1, 2, 64).sigmoid()], 1)


@pytest.fixture(scope="module")
def prepared() -> tuple[Deployable, ModelCard]:
    torch.manual_seed(0)
    net = Detector().eval()
    for part in (net.distances, net.scores):  # confident outputs, as after training
        part.weight.data *= 16
    image = (TensorSpec("image", (1, 3, 64, 64), "float32", "NCHW"),)
    card = ModelCard(
        name="tiny",
        task="detect",
        labels=("a", "b"),
        preprocess=Preprocess((64, 64), std=(255.0,)),
        decode=Decode("yolo"),
        inputs=image,
    )
    return wrap(net, card)


@pytest.mark.parametrize("format", DEFAULT_FORMATS)
def test_scores_beside_boxes_keep_their_precision_in_int8(
    format: str, prepared: tuple[Deployable, ModelCard], tmp_path: Any
) -> None:
    """With one scale for 0..64 pixels, a step of a score would be 0.25."""
    graph, card = prepared
    images = [np.random.default_rng(seed).integers(0, 256, (1, 64, 64, 3), np.uint8) for seed in range(8)]
    module, path = import_module(FORMATS[format]), tmp_path / "model"
    with quiet():
        program = module.lower(module.convert(graph, example(card)), "int8", [{"image": image} for image in images])
        module.save(program, path.with_suffix(module.SUFFIX))
    backend = open_backend(path.with_suffix(module.SUFFIX))
    try:
        (found,) = backend.run({"image": images[0]}).values()
    finally:
        backend.close()
    with torch.no_grad():
        expected = graph(torch.from_numpy(images[0]))["output_0"].numpy()
    assert np.ptp(expected[:, 4:]) > 0.3
    assert np.abs(found - expected)[:, 4:].mean() < 0.02
    assert np.abs(found - expected)[:, :4].mean() < 1.0
    # the same scores in steps of 0.25 would have few values
    assert len(np.unique(found[:, 4:])) > 20
