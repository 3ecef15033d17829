"""Networks trained for int8: what was trained is what the file holds, in every format, and no calibration is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from edgecnn.card import ModelCard
from edgecnn.cli import main
from edgecnn.compress import qat
from edgecnn.compress.cost import count_macs
from edgecnn.compress.prune import mark_pruned, prune_to
from edgecnn.errors import InputError
from edgecnn.export import Artifact, Calibration
from edgecnn.export.exporter import evidence_of, export
from edgecnn.export.prepared import PreparedModel, prepare
from edgecnn.export.quantize.pair_limits import RECORD_UNSIGNED
from edgecnn.export.quantize.qat_ranges import trained_ranges
from edgecnn.models import create, load_checkpoint, save_checkpoint
from edgecnn.models.new_card import new_card
from edgecnn.models.quantized import QuantizedModel
from edgecnn.types import Image

FORMATS = ("onnx", "tflite", "openvino")
NETWORKS: dict[str, dict[str, Any]] = {
    "lecture": {"size": (16, 16), "classes": 3, "filters": 8},
    "resnet-s": {"size": (16, 16), "classes": 3, "channels": 3, "widths": (8, 16, 16), "depths": (1, 1, 1)},
    "resnet-8": {"size": (16, 16), "classes": 3, "width": 0.5},
    "edgedet": {"size": (64, 64), "widths": (8, 8, 16, 16, 16), "depths": (1, 1, 1, 1), "neck": 8, "head_depth": 1, "classes": 3},
}


def network(name: str, options: dict[str, Any] | None = None) -> tuple[nn.Module, ModelCard]:
    """A network with statistics that are not trivial."""
    torch.manual_seed(3)
    options = options or NETWORKS[name]
    model = create(name, **options)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.2)
    return model.eval(), new_card(name, options, ("a", "b", "c"))


def rounding(name: str) -> tuple[QuantizedModel, ModelCard]:
    """The network with ranges that nothing but training could have given: all a little off."""
    model, card = network(name)
    torch.manual_seed(4)
    batches = [torch.rand(4, *card.inputs[0].shape[1:]) for _ in range(2)]
    net = qat.prepare(model, card, batches)
    for point in net.points.values():
        if not point.is_output:
            point.stretch.data.uniform_(-0.2, 0.2)
    net, record = qat.finish(net)
    return net, qat.mark_quantized(card, record)


@pytest.fixture(scope="module", params=NETWORKS)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[QuantizedModel, PreparedModel, dict[str, Artifact]]:
    """A network, and its int8 files in all formats."""
    net, card = rounding(str(request.param))
    prepared, out = prepare(net, card, "int8"), tmp_path_factory.mktemp("trained_ranges")
    evidence = evidence_of(prepared, photos(6), "noise")
    return (
        net,
        prepared,
        {format: export(prepared, card, out, format=format, precision="int8", verify_with=evidence) for format in FORMATS},
    )


def photos(count: int) -> list[Image]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(count)]


def scales_of_onnx(path: Path) -> tuple[list[float], list[float]]:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    activations = [float(constants[node.input[1]]) for node in graph.node if node.op_type == "QuantizeLinear"]
    weights = [
        constants[node.input[1]]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and constants.get(node.input[0], np.zeros(0)).ndim in (2, 4)
    ]
    return activations, [float(scale) for scales in weights for scale in scales.reshape(-1)]


def scales_of_tflite(path: Path) -> tuple[list[float], list[float]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    activations, weights = [], []
    for detail in interpreter.get_tensor_details():
        scales = detail["quantization_parameters"]["scales"]
        if detail["dtype"] is np.int8 and len(scales) == 1 and detail["shape"][0] == 1:
            activations.append(float(scales[0]))
        elif detail["dtype"] is np.int8:
            weights += [float(scale) for scale in scales]
    return activations, weights


def scales_of_openvino(path: Path) -> tuple[list[float], list[float]]:
    activations, weights = [], []
    for node in openvino.Core().read_model(path).get_ordered_ops():
        if node.get_type_name() == "FakeQuantize":
            low, high = (node.input_value(port).get_node().get_data().item() for port in (1, 2))
            activations.append((high - low) / 255)
        sources = [node.input_value(index).get_node() for index in range(node.get_input_size())]
        if node.get_type_name() == "Multiply" and sources[0].get_type_name() == "Convert":
            constant = sources[0].input_value(0).get_node()
            if constant.get_type_name() == "Constant" and constant.get_element_type() == openvino.Type.i8:
                weights += sources[1].get_data().reshape(-1).tolist()
    return activations, weights


READERS: dict[str, Callable[[Path], tuple[list[float], list[float]]]] = {
    "onnx": scales_of_onnx,
    "tflite": scales_of_tflite,
    "openvino": scales_of_openvino,
}


def missing(wanted: list[float], found: list[float]) -> list[float]:
    return [value for value in wanted if not np.isclose(found, value, rtol=1e-4, atol=1e-9).any()]


@pytest.mark.parametrize("format", FORMATS)
def test_the_file_holds_the_trained_scales(format: str, case: tuple[QuantizedModel, PreparedModel, dict[str, Artifact]]) -> None:
    """All of them: only behind the last weights does a format that can computes in real numbers."""
    net, _, artifacts = case
    activations, _ = READERS[format](artifacts[format].path)
    wanted = {name: (point.ends()[1] - point.ends()[0]) / 255 for name, point in net.points.items()}
    inner = [scale for name, scale in wanted.items() if format == "tflite" or not net.points[name].is_output]
    assert len(inner) >= 8
    assert not missing(inner, activations)


@pytest.mark.parametrize("format", FORMATS)
def test_the_file_holds_the_weights_on_the_grid_they_were_trained_on(
    format: str, case: tuple[QuantizedModel, PreparedModel, dict[str, Artifact]]
) -> None:
    _, prepared, artifacts = case
    _, found = READERS[format](artifacts[format].path)
    layers = [layer for layer in prepared.graph.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    wanted = [float(scale) for layer in layers for scale in layer.weight.detach().abs().flatten(1).amax(1) / 127]
    assert len(found) >= len(wanted)
    assert not missing(wanted, found)


@pytest.mark.parametrize("format", FORMATS)
def test_the_file_gives_what_the_rounding_network_gives(
    format: str, case: tuple[QuantizedModel, PreparedModel, dict[str, Artifact]]
) -> None:
    _, _, artifacts = case
    row = artifacts[format].parity.rows[0]
    assert row.kind == "real"
    assert row.worst.mean < 0.006  # of the range of the outputs, whose last rounding alone is up to 1/510
    assert row.worst.cosine > 0.999


@pytest.mark.parametrize("format", FORMATS)
def test_the_card_says_where_the_ranges_are_from(
    format: str, case: tuple[QuantizedModel, PreparedModel, dict[str, Artifact]]
) -> None:
    card = case[2][format].card
    assert card.calibration == {"ranges": "trained"} | (RECORD_UNSIGNED if format == "onnx" else {})
    assert card.precision == "int8"
    assert card.outputs == case[1].card.outputs


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    net, card = rounding("resnet-s")
    save_checkpoint(tmp_path / "net.safetensors", net, card)
    return tmp_path / "net.safetensors"


def test_a_checkpoint_keeps_the_ranges(checkpoint: Path) -> None:
    net, _ = rounding("resnet-s")
    loaded, card = load_checkpoint(checkpoint)
    assert isinstance(loaded, QuantizedModel)
    assert card.model["quantized"]["ranges"] == len(net.points)
    assert [point.ends() for point in loaded.points.values()] == [point.ends() for point in net.points.values()]
    image = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(loaded(image), net(image), rtol=0, atol=0)


def test_the_command_needs_no_calibration_for_it_and_exports_it_unrounded_too(checkpoint: Path, tmp_path: Path) -> None:
    run = ["export", str(checkpoint), "--format", "onnx", "--precision", "int8,fp32", "--out", str(tmp_path), "--name", "n"]
    result = CliRunner().invoke(main, run)
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.glob("n-*.onnx")} == {"n-int8.onnx", "n-fp32.onnx"}


def test_float_files_give_what_the_network_gives_without_rounding(checkpoint: Path, tmp_path: Path) -> None:
    model, card = load_checkpoint(checkpoint)
    artifact = export(model, card, tmp_path, format="onnx")
    assert artifact.parity.rows[0].worst.largest < 1e-5
    assert not artifact.card.calibration


def test_a_pruned_network_can_be_trained_for_int8_too(tmp_path: Path) -> None:
    model, card = network("resnet-s")
    example = torch.rand(card.inputs[0].shape)
    found = prune_to(model, example, target_macs=count_macs(model, example) // 2, finetune=lambda _: None, rounds=1)
    net = qat.prepare(found.model, card, [example])
    save_checkpoint(tmp_path / "n.safetensors", net, qat.mark_quantized(mark_pruned(card)))
    loaded, loaded_card = load_checkpoint(tmp_path / "n.safetensors")
    torch.testing.assert_close(loaded(example), net(example), rtol=0, atol=0)
    assert count_macs(loaded, example) == found.macs_after
    assert export(loaded, loaded_card, tmp_path, format="onnx", precision="int8").parity.passed


def test_a_mean_is_taken_from_pixels_in_int8_as_well(tmp_path: Path) -> None:
    model, card = network("resnet-s")
    pre = card.preprocess.__class__(size=(16, 16), resize="stretch", mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4))
    card = card.replace(preprocess=pre)
    net = qat.prepare(model, card, [torch.randn(8, 3, 16, 16) * 1.3])
    for format in FORMATS:
        row = export(net, card, tmp_path, format=format, precision="int8", verify_with=photos(4)).parity.rows[0]
        assert row.worst.mean < 0.01


def test_a_range_without_a_place_is_not_lost_in_silence() -> None:
    net, card = rounding("resnet-s")
    found = trained_ranges(net, card)
    tensors = {f"t{index}": point.values[0] for index, point in enumerate(found.points)}
    assert set(found.match(tensors).values()) == {point.range for point in found.points}
    del tensors["t5"]
    with pytest.raises(InputError, match=f"no tensor for {found.points[5].name}"):
        found.match(tensors)


def test_a_model_prepared_for_int8_makes_no_other_file(tmp_path: Path) -> None:
    net, card = rounding("resnet-s")
    with pytest.raises(ValueError, match="prepared for int8"):
        export(prepare(net, card, "int8"), card, tmp_path, format="onnx", precision="fp32")


def test_trained_ranges_are_closer_than_measured_ones(tmp_path: Path) -> None:
    """The same rounding network against a file with its ranges and against one with ranges of a calibration."""
    net, card = rounding("resnet-s")
    with_ranges = prepare(net, card, "int8")
    calibration = Calibration(photos(64), "noise")
    program = prepare(net, card).lowered("onnx", "int8", calibration)
    errors = [_error(net, card, lowered) for lowered in (with_ranges.lowered("onnx", "int8", None), program)]
    assert errors[0] < errors[1] / 3


def _error(net: QuantizedModel, card: ModelCard, program: Any) -> float:
    import onnxruntime

    from edgecnn.export.graph import wrap

    graph, _ = wrap(net, card)
    session = onnxruntime.InferenceSession(program.SerializeToString())
    total = 0.0
    for seed in range(8):
        image = np.random.default_rng(seed).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
        with torch.no_grad():
            expected = graph(torch.from_numpy(image))["logits"].numpy()
        total += float(np.abs(session.run(None, {"image": image})[0] - expected).mean())
    return total


def test_no_path_of_the_machine_is_inside(case: tuple[QuantizedModel, PreparedModel, dict[str, Artifact]]) -> None:
    folder = tempfile.gettempdir().encode()
    for artifact in case[2].values():
        assert folder not in artifact.path.read_bytes()
        assert b"site-packages" not in artifact.path.read_bytes()
