"""The exporter to ONNX."""

from __future__ import annotations

from collections import Counter
from typing import Any

import onnx
from onnx import numpy_helper
from torch import nn

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.export import Artifact, Calibration, prepare
from tests.contracts.exporter import ExporterContract

Artifacts = dict[tuple[str, str], Artifact]


def graph_of(artifact: Artifact) -> Any:
    return onnx.load(artifact.path).graph


def constants(graph: Any) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


class TestOnnx(ExporterContract):
    format = "onnx"

    def test_int8_weights_are_per_channel(self, artifacts: Artifacts) -> None:
        graph = graph_of(artifacts["classify", "int8"])
        values = constants(graph)
        scales = [values[node.input[1]] for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in values]
        assert {scale.shape for scale in scales} >= {(19,), (160,), (3,)}

    def test_int8_results_are_real_numbers_from_the_last_weights_on(self, artifacts: Artifacts) -> None:
        graph = graph_of(artifacts["detect", "int8"])
        after = Counter(node.op_type for node in graph.node if set(node.output) & {"boxes", "scores"})
        assert after == Counter(Concat=2)
        (scores,) = (node for node in graph.node if "scores" in node.output)
        makers = {name: node.op_type for node in graph.node for name in node.output}
        assert {makers[name] for name in scores.input} == {"Reshape"}

    def test_fp16_halves_the_weights_and_keeps_the_arithmetic(self, artifacts: Artifacts) -> None:
        graph = graph_of(artifacts["classify", "fp16"])
        values = constants(graph)
        halves = {name for name, value in values.items() if value.dtype == "float16"}
        assert sum(values[name].size for name in halves) > 0.98 * sum(value.size for value in values.values())
        readers = {node.op_type for node in graph.node if set(node.input) & halves}
        assert readers == {"Cast"}

    def test_old_engines_know_the_version_of_the_file_and_its_operators(self, artifacts: Artifacts) -> None:
        for artifact in artifacts.values():
            model = onnx.load(artifact.path)
            assert model.ir_version == 8  # the oldest one for opset 18; ONNX Runtime 1.14 reads it
            assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]

    def test_no_path_of_the_machine_is_inside(self, artifacts: Artifacts) -> None:
        content = artifacts["detect", "fp32"].path.read_bytes()
        assert b"site-packages" not in content
        assert b".py" not in content


def test_int8_pixels_go_into_the_first_convolution_as_they_are(calibration: Calibration) -> None:
    """Flip and scale are in its weights, so nothing is left to compute on the whole image."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    card = ModelCard(
        name="net",
        task="classify",
        labels=("a", "b"),
        preprocess=Preprocess(size=(32, 32), std=(255.0,)),
        decode=Decode("softmax"),
    )
    graph = prepare(net, card).lowered("onnx", "int8", calibration).graph
    (moved,) = (node for node in graph.node if "image" in node.input)
    (pixels,) = (node for node in graph.node if moved.output[0] in node.input)
    assert (moved.op_type, pixels.op_type) == ("Transpose", "DequantizeLinear")
    values = constants(graph)
    assert [float(values[name]) for name in pixels.input[1:]] == [1.0, 0.0]
    assert "Cast" not in {node.op_type for node in graph.node}
    assert graph.node[-1].op_type == "Gemm"
