"""The engine that opens a file: the default of its format, or the one asked for, in the precision asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import BackendError, InputError
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.backends.engines import EngineChoice, extras_of_options, installed_engines, own_format, parse_engine
from edgecnn.runtime.backends.onnx_metadata import onnx_texts
from edgecnn.runtime.backends.trial_load import open_checked
from edgecnn.runtime.model.predictor import Predictor
from tests.contracts.backend import one_line
from tests.contracts.tiny import Graph, write

GRAPH = Graph(
    {"scores": np.float32([[0.1, 0.2, 0.3]])}, shape=(1, 4, 4, 3), dtype="float32", metadata={"edgecnn.card": "é", "names": "{}"}
)
IMAGE = np.random.default_rng(3).random((1, 4, 4, 3), np.float32)


def test_an_onnx_file_gives_the_same_outputs_and_texts_in_openvino(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    path = write(tmp_path, "onnx", GRAPH)
    default, other = open_backend(path), open_backend(path, engine="openvino", threads=1)
    assert type(default).__name__ == "OrtBackend"
    assert type(other).__name__ == "OvBackend"
    np.testing.assert_allclose(other.run({"image": IMAGE})["scores"], GRAPH.expected(IMAGE)["scores"], rtol=1e-5)
    assert other.metadata == default.metadata == {"edgecnn.card": "é", "names": "{}"}
    assert other.inputs == default.inputs


def test_the_precision_asked_for_is_computed_in_or_refused(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    path = write(tmp_path, "onnx", Graph({"scores": np.float32([[0.0]])}, shape=(1, 4, 4, 3), dtype="float32", gain=1.0))
    image = np.full((1, 4, 4, 3), 1.003, np.float32)  # bfloat16 has 8 significant bits: 1.0 or 1.0078
    native = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert open_backend(path, engine="openvino:fp32").run({"image": image})["scores"] == pytest.approx(1.003, abs=1e-6)
    for precision in ("bf16", "fp16"):
        if precision.upper() in native:
            assert open_backend(path, engine=f"openvino:{precision}").run({"image": image})["scores"] == pytest.approx(
                1.003, abs=0.01
            )
        else:
            with pytest.raises(BackendError, match=f"does not compute in {precision}; use .*fp32"):
                open_backend(path, engine=f"openvino:{precision}")


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("tensorflow", "there is no engine 'tensorflow'; use one of onnxruntime, openvino"),
        ("onnx", "onnx is a format of files, not an engine; use onnxruntime or openvino for its files"),
        ("tflite", "tflite is a format of files, not an engine; use litert for its files"),
        ("litert", "litert does not open tiny.onnx; use onnxruntime or openvino"),
        ("openvino:int4", "the engine openvino does not compute in 'int4'; use openvino:fp32"),
        ("onnxruntime:bf16", "the engine onnxruntime computes in the precision of the file; use onnxruntime"),
    ],
)
def test_an_engine_that_can_not_do_it_is_one_line(engine: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", GRAPH)
    for opener in (open_backend, open_checked):
        with pytest.raises(InputError) as caught:
            opener(path, engine=engine)
        assert said in str(caught.value)
        assert one_line(caught.value)


def test_a_wrong_argument_of_the_predictor_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the argument engine is int"):
        Predictor(write(tmp_path, "onnx", GRAPH), engine=3)  # type: ignore[arg-type]


def test_names_are_read_with_their_precision() -> None:
    assert parse_engine(" OpenVINO:bf16 ") == EngineChoice("openvino", "bf16")
    assert str(parse_engine("openvino:bf16")) == "openvino:bf16"
    assert str(parse_engine("litert")) == "litert"
    assert own_format("litert") == "tflite"
    assert installed_engines("onnx")[0] == "onnxruntime"


def test_a_file_is_tried_once_for_each_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGECNN_TRIAL_LOAD", raising=False)
    path = write(tmp_path, "onnx", GRAPH)
    counts = []
    for engine in (None, "openvino", None, "openvino"):
        open_checked(path, engine=engine).close()
        counts.append(len(list((tmp_path / "cache" / "edgecnn" / "loaded").iterdir())))
    assert counts == [1, 2, 2, 2]


def test_texts_of_an_onnx_file_are_read_without_an_engine(tmp_path: Path) -> None:
    assert onnx_texts(write(tmp_path, "onnx", GRAPH)) == {"edgecnn.card": "é", "names": "{}"}


@pytest.mark.parametrize(
    ("words", "extras"),
    [
        ((), set()),
        (("cups.onnx", "--engine"), set()),
        (("cups.onnx", "--engine", "openvino:bf16"), {"openvino"}),
        (("cups.onnx", "--device=npu"), {"openvino"}),
        (("cups.onnx", "--device", "cuda:1"), set()),
    ],
)
def test_engine_and_device_among_the_words_of_a_command_name_their_extra(words: tuple[str, ...], extras: set[str]) -> None:
    assert extras_of_options(words) == extras
