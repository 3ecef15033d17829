from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.trust.collapse.weights import starved_weights

onnx = pytest.importorskip("onnx")


def file(path: Path, codes: np.ndarray, scales: int) -> Path:
    from onnx import TensorProto, helper, numpy_helper, save_model

    constants = {
        "codes": codes,
        "scale": np.full(scales, 0.1, np.float32) if scales > 1 else np.float32(0.1),
        "zero": np.zeros(scales, np.int8) if scales > 1 else np.int8(0),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["codes", "scale", "zero"], ["w"], axis=0),
        helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    fixed = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], fixed)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def test_small_channels_under_one_scale_are_counted(tmp_path: Path) -> None:
    codes = np.full((10, 3, 1, 1), 100, np.int8)
    codes[:4] = 3
    codes[0] = 0  # a channel of zeros lost nothing
    assert starved_weights(file(tmp_path / "a.onnx", codes, 1)) == (1, 1, pytest.approx(0.3))
    assert starved_weights(file(tmp_path / "b.onnx", codes, 10)) == (0, 0, 0.0)
    assert starved_weights(file(tmp_path / "c.onnx", np.abs(codes) + np.int8(20), 1)) == (1, 0, 0.0)


def test_other_files_have_none(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    assert starved_weights(tmp_path / "broken.onnx") == (0, 0, 0.0)
    assert starved_weights(tmp_path / "a.tflite") == (0, 0, 0.0)
