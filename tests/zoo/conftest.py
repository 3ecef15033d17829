"""A tiny network, a server on loopback that has it, and a data folder of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.zoo.faulty_server import FaultyServer, handler

PADDING = 200_000  # bytes of metadata, so that a transfer has several chunks


@pytest.fixture(scope="session")
def network() -> bytes:
    """An ONNX file of 200 KB that gives three scores for an image of 8 x 8 pixels."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("pooch")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Softmax", ["flat"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", number, [1, 3, 8, 8])
    scores = helper.make_tensor_value_info("scores", number, [1, 3])
    graph = helper.make_graph(nodes, "tiny", [image], [scores])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"padding": "x" * PADDING})
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def server(network: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    served = FaultyServer(network)
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(served))
    http.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that hang up are wanted here
    served.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield served
    served.go_on.set()
    http.shutdown()
    http.server_close()
    thread.join(5)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models that were got."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "edgecnn" / "models"
