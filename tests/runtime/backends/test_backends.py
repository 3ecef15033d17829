from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import BackendError, InputError, MissingExtraError
from edgecnn.runtime.backends import open_backend
from tests.contracts.backend import BackendContract, Tiny, one_line
from tests.contracts.tiny import Graph, write

RNG = np.random.default_rng(7)
OUTPUTS = {"scores": RNG.random((1, 6, 2), np.float32), "boxes": RNG.random((1, 6, 4), np.float32)}
KEYS = {"onnx": "edgecnn.card", "openvino": "edgecnn.card", "tflite": "edgecnn.card"}
TEXT = '{"a": "<é&\\"">", "b": [1, 2]}'


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (1, 8, 8, 3), np.uint8)


class _Contract(BackendContract):
    kind = ""

    @pytest.fixture
    def tiny(self, tmp_path: Path) -> Tiny:
        graph = Graph(OUTPUTS, metadata={KEYS[self.kind]: TEXT})
        (tmp_path / "model").mkdir()
        return Tiny(write(tmp_path / "model", self.kind, graph), pixels, graph.expected, (KEYS[self.kind], TEXT))


class TestOnnxRuntime(_Contract):
    kind = "onnx"


class TestOpenVino(_Contract):
    kind = "openvino"


class TestLiteRt(_Contract):
    kind = "tflite"


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        pytest.param((1, 8, 8, 3), "NHWC", id="nhwc"),
        pytest.param((1, 3, 8, 8), "NCHW", id="nchw"),
        pytest.param((1, 1, 8, 8), "NCHW", id="gray-nchw"),
        pytest.param((1, 8, 8, 1), "NHWC", id="gray-nhwc"),
        pytest.param((1, 7), "", id="no-image"),
    ],
)
def test_layout_from_the_shape(kind: str, shape: tuple[int, ...], layout: str, tmp_path: Path) -> None:
    backend = open_backend(write(tmp_path, kind, Graph(OUTPUTS, shape=shape, dtype="float32")))
    assert backend.inputs[0].layout == layout
    assert all(spec.layout == "" for spec in backend.outputs)


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_free_sizes_take_what_comes(kind: str, tmp_path: Path) -> None:
    graph = Graph(OUTPUTS, shape=(1, -1, -1, 3))
    backend = open_backend(write(tmp_path, kind, graph))
    assert backend.inputs[0].shape == (1, -1, -1, 3)
    for size in (8, 16, 16, 4):
        image = np.random.default_rng(size).integers(0, 256, (1, size, size, 3), np.uint8)
        np.testing.assert_allclose(backend.run({"image": image})["boxes"], graph.expected(image)["boxes"], rtol=1e-4)


def test_quantized_outputs_stay_integers_and_say_their_scale(tmp_path: Path) -> None:
    path = write(tmp_path, "tflite", Graph({"logits": np.zeros((1, 3), np.float32)}, gain=0.01, quantized={"logits": (0.5, -3)}))
    backend = open_backend(path)
    (spec,) = backend.outputs
    assert (spec.dtype, spec.scale, spec.zero_point) == ("int8", 0.5, -3)
    image = np.full((1, 8, 8, 3), 200, np.uint8)
    np.testing.assert_array_equal(backend.run({"image": image})["logits"], np.full((1, 3), 1, np.int8))


def test_a_tflite_cut_inside_its_zip_is_said_to_be_cut(tmp_path: Path) -> None:
    path = write(tmp_path, "tflite", Graph(OUTPUTS, metadata={"edgecnn.card": "x" * 3000}))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(BackendError, match="is truncated"):
        open_backend(path)


def test_an_ir_without_its_weights(tmp_path: Path) -> None:
    path = write(tmp_path, "openvino", Graph(OUTPUTS))
    path.with_suffix(".bin").unlink()
    with pytest.raises(BackendError, match="bin file") as caught:
        open_backend(path)
    assert one_line(caught.value)


@pytest.mark.parametrize(
    ("kind", "modules", "command"),
    [
        pytest.param("openvino", ["openvino"], "edgecnn[openvino]", id="openvino"),
        pytest.param(
            "tflite", ["ai_edge_litert", "ai_edge_litert.interpreter", "tflite_runtime"], "edgecnn[tflite]", id="tflite"
        ),
    ],
)
def test_an_engine_that_is_not_installed(
    kind: str, modules: list[str], command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, kind, Graph(OUTPUTS))
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install") as caught:
        open_backend(path)
    assert command in str(caught.value)
    assert one_line(caught.value)


@pytest.mark.parametrize(
    "name",
    [pytest.param("model.pt", id="suffix"), pytest.param("model", id="no-suffix"), pytest.param(".", id="folder")],
)
def test_paths_that_are_no_model_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"x")
    (tmp_path / "model").write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        open_backend(tmp_path / name)
    assert one_line(caught.value)


def test_openvino_computes_in_float32_what_bfloat16_would_blur(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    ops = openvino.opset13
    image = ops.parameter([1, 64, 8, 8], np.float32, name="image")
    weights = np.random.default_rng(0).normal(size=(64, 64, 3, 3)).astype(np.float32)
    total = ops.convolution(image, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    total.output(0).get_tensor().set_names({"out"})
    image.output(0).get_tensor().set_names({"image"})
    openvino.save_model(openvino.Model([ops.result(total)], [image]), str(tmp_path / "c.xml"), compress_to_fp16=False)
    x = np.random.default_rng(1).normal(size=(1, 64, 8, 8)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(x[0], (3, 3), axis=(1, 2)).astype(np.float64)
    exact = np.einsum("chwij,ocij->ohw", windows, weights.astype(np.float64))
    found = open_backend(tmp_path / "c.xml").run({"image": x})["out"][0]
    assert np.abs(found - exact).max() < 1e-3


FIRST_TOGETHER = """
import sys, threading
import numpy as np
from edgecnn.runtime.backends import open_backend

backend = open_backend(sys.argv[1], requests=4)
feed = {backend.inputs[0].name: np.zeros(backend.inputs[0].shape, backend.inputs[0].dtype)}
together = threading.Barrier(4)
threads = [threading.Thread(target=lambda: (together.wait(), backend.run(feed))) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_whose_first_inference_is_openvinos_first_do_not_wait_for_each_other(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    path = write(tmp_path, "openvino", Graph(OUTPUTS))
    for _ in range(6):  # without a guard, one process in twelve hung
        subprocess.run([sys.executable, "-c", FIRST_TOGETHER, str(path)], check=True, timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize(
    ("threads", "requests", "pool"),
    [
        pytest.param(4, 1, 4, id="one-caller"),
        pytest.param(4, 2, 3, id="two-callers"),
        pytest.param(5, 3, 3, id="three-callers"),
        pytest.param(2, 4, 1, id="more-callers-than-threads"),
    ],
)
def test_onnx_runtime_has_as_many_threads_as_allowed_with_its_callers(
    threads: int, requests: int, pool: int, tmp_path: Path
) -> None:
    """A pool of n threads counts a caller of ``run`` in, so that the session starts n - 1; the other callers are the rest."""
    path = write(tmp_path, "onnx", Graph(OUTPUTS))
    open_backend(path, threads=1).close()  # the first session of a process starts a thread that stays
    before = set(Path("/proc/self/task").iterdir())
    backend = open_backend(path, threads=threads, requests=requests)
    started = set(Path("/proc/self/task").iterdir()) - before
    backend.close()
    assert len(started) == pool - 1
    assert backend.concurrency == requests


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_onnx_runtime_shares_all_processors_where_threads_are_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "onnx", Graph(OUTPUTS))
    open_backend(path, threads=1).close()
    monkeypatch.setattr("edgecnn.runtime.backends.ort.usable_cpus", lambda: 6)
    before = set(Path("/proc/self/task").iterdir())
    backend = open_backend(path, requests=3)
    assert len(set(Path("/proc/self/task").iterdir()) - before) == 6 - 3
    backend.close()


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux")
@pytest.mark.parametrize("suffix", [".onnx", ".tflite", ".xml"])
def test_a_name_that_is_no_utf8_is_the_cause_that_is_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"caf\udce9{suffix}"
    path.write_bytes(b"1")
    with pytest.raises(InputError, match=r"the name of the model file .* is not UTF-8 text; rename it"):
        open_backend(path)


INTERRUPTED = """
import signal, sys, threading
from edgecnn.engine_device import CPU
from edgecnn.runtime.backends import open_backend
backend = [open_backend(sys.argv[1], CPU)]
closing = threading.Thread(target=lambda: backend.pop().close())
closing.start()
closing.join()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_an_interrupt_after_another_thread_closed_the_model(kind: str, tmp_path: Path) -> None:
    if kind != "onnx":
        pytest.importorskip({"openvino": "openvino", "tflite": "ai_edge_litert"}[kind])
    path = write(tmp_path, kind, Graph(OUTPUTS))
    command = [sys.executable, "-c", INTERRUPTED, str(path)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "interrupted\n"), ended.stderr
