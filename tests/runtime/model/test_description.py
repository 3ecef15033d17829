from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecnn import shipped
from edgecnn.runtime.model import shipped_models
from edgecnn.runtime.model.description import describe


def test_a_file_of_edgecnn_is_described_by_its_own_card() -> None:
    description = describe(shipped.artifact("cups"))
    assert description.card is not None
    assert not description.inferred
    lines = description.lines()
    assert lines[0].split() == ["file", "cups.onnx,", "onnx,", f"{description.size_bytes / 1e6:.2f}", "MB"]
    assert any(line.startswith("labels") and "mug" in line for line in lines)
    assert not any(line.startswith("edgecnn.") for line in lines)
    document = json.loads(json.dumps(description.to_document()))
    assert document["card"]["labels"] == list(description.card.labels)


def test_a_file_without_a_card_is_described_by_its_tensors(tmp_path: Path) -> None:
    description = describe(_foreign(tmp_path))
    assert description.inferred
    assert description.card is None
    assert description.card_problem
    assert any(line.startswith("card") and description.card_problem in line for line in description.lines())
    assert description.to_document()["card"] is None


def _foreign(folder: Path) -> Path:
    """Two values in, two values out: no task can be inferred."""
    onnx = pytest.importorskip("onnx")
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["a"], ["b"])],
        "foreign",
        [info("a", onnx.TensorProto.FLOAT, [1, 2])],
        [info("b", onnx.TensorProto.FLOAT, [1, 2])],
    )
    path = folder / "foreign.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_a_shipped_model_has_its_size_in_bytes_by_suffix() -> None:
    sizes = shipped_models.to_document("cups")["size_bytes"]
    assert sizes == {"safetensors": shipped.checkpoint("cups").stat().st_size, "onnx": shipped.artifact("cups").stat().st_size}
