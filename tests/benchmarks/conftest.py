"""For the benchmark's tests: tiny real models with their cards inside, and a record of made-up samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.benchmarks.measure.protocol import CLOCKS, FULL, Clock, Protocol
from edgecnn.benchmarks.measure.record import ClockRecord, ColdStart, FileRecord, Record, Throughput
from edgecnn.benchmarks.measure.timing import WarmUp
from edgecnn.benchmarks.measure.verdict import judge
from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.devices import DeviceProfile, Environment
from edgecnn.devices.counters import Disturbance
from edgecnn.metrics import Score
from edgecnn.runtime.backends import SUFFIXES
from edgecnn.types import TensorSpec

SIZE = 64
LABELS = ("mug", "glass", "bowl", "plate")


def _save(path: Path, nodes: list[Any], weights: dict[str, np.ndarray], outputs: dict[str, list[int]], card: ModelCard) -> Path:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, [1, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    onnx.save(model, path)
    return path


def _card(name: str, decode: Decode, labels: tuple[str, ...], precision: str = "fp32") -> ModelCard:
    return ModelCard(
        name=name,
        task="detect" if decode.name == "fcos" else "classify",
        labels=labels,
        preprocess=Preprocess((SIZE, SIZE), color="bgr", input_dtype="uint8"),
        decode=decode,
        inputs=(TensorSpec("image", (1, SIZE, SIZE, 3), "uint8", "NHWC"),),
        precision=precision,
    )


def make_classifier(path: Path, labels: tuple[str, ...] = LABELS, precision: str = "fp32") -> Path:
    """Mean colour, then one dense layer: logits (1, C)."""
    node = pytest.importorskip("onnx").helper.make_node
    random = np.random.default_rng(0)
    nodes = [
        node("Cast", ["image"], ["real"], to=1),
        node("ReduceMean", ["real"], ["mean"], axes=[1, 2], keepdims=0),
        node("MatMul", ["mean", "weight"], ["logits"]),
    ]
    weights = {"weight": random.normal(size=(3, len(labels))).astype(np.float32)}
    card = _card("tiny-classifier", Decode("softmax"), labels, precision)
    return _save(path, nodes, weights, {"logits": [1, len(labels)]}, card)


def make_detector(path: Path, precision: str = "fp32") -> Path:
    """One convolution a stride, boxes (1, N, 4) and scores (1, N, C) as the fcos decoder wants them.

    Whatever it sees, each cell says: a mug, one stride wide, with a score of 0.047, just below the card's threshold.
    """
    node = pytest.importorskip("onnx").helper.make_node
    random = np.random.default_rng(0)
    nodes = [node("Cast", ["image"], ["real"], to=1), node("Transpose", ["real"], ["chw"], perm=[0, 3, 1, 2])]
    weights = {"shape": np.array([1, 4 + len(LABELS), -1], np.int64), "split": np.array([4, len(LABELS)], np.int64)}
    weights["bias"] = np.array([0.5, 0.5, 0.5, 0.5, -3, -6, -6, -6], np.float32)
    for stride in (8, 16, 32):
        weights[f"w{stride}"] = random.normal(scale=1e-5, size=(4 + len(LABELS), 3, stride, stride)).astype(np.float32)
        nodes.append(node("Conv", ["chw", f"w{stride}", "bias"], [f"map{stride}"], strides=[stride, stride]))
        nodes.append(node("Reshape", [f"map{stride}", "shape"], [f"cells{stride}"]))
    cells = sum((SIZE // stride) ** 2 for stride in (8, 16, 32))
    nodes += [
        node("Concat", ["cells8", "cells16", "cells32"], ["all"], axis=2),
        node("Transpose", ["all"], ["rows"], perm=[0, 2, 1]),
        node("Split", ["rows", "split"], ["distance", "logit"], axis=2),
        node("Relu", ["distance"], ["boxes"]),
        node("Sigmoid", ["logit"], ["scores"]),
    ]
    decode = Decode("fcos", {"strides": [8, 16, 32], "score_threshold": 0.05, "iou_threshold": 0.6, "max_detections": 20})
    outputs = {"boxes": [1, cells, 4], "scores": [1, cells, len(LABELS)]}
    return _save(path, nodes, weights, outputs, _card("tiny-detector", decode, LABELS, precision))


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_classifier(tmp_path_factory.mktemp("models") / "tiny-fp32.onnx")


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("models") / "boxes-fp32.onnx")


def make_record(files: Sequence[str] = ("cups-fp32.onnx", "cups-int8.onnx"), *, scored: bool = True, seed: int = 0) -> Record:
    """A Record as a measurement would give it, from made-up samples; faster files for int8, slower for .safetensors."""
    random = np.random.default_rng(seed)
    disturbance = dict.fromkeys(CLOCKS, Disturbance(other_load_share=0.01))
    return Record(
        started="2026-01-02T03:04:05+00:00",
        protocol=FULL,
        device=DeviceProfile("Test Board 5", "aarch64", "Cortex-A76", 4, 4, ("neon", "dotprod"), 8000, ("onnx",)),
        environment=Environment(
            "0.1.0", "0123456789ab", "CPython 3.11.7", "Test OS", "Linux 6", packages={"onnxruntime": "1.32.0"}
        ),
        engine_device="cpu",
        threads=4,
        inputs="64 images of scene:cups",
        data="scene:cups" if scored else "",
        disturbance=disturbance,
        files=tuple(_file_record(Path(name), random, scored) for name in files),
    )


def _file_record(path: Path, random: np.random.Generator, scored: bool) -> FileRecord:
    precision = next((name for name in ("int8", "fp16") if name in path.name), "fp32")
    file_format = SUFFIXES[path.suffix]
    base = {"int8": 4.0, "fp16": 9.0, "fp32": 10.0}[precision] * {"torch": 2.2, "onnx": 1.0, "tflite": 1.3, "openvino": 0.8}[
        file_format
    ]
    score = Score("detect", 200, LABELS, {"map": 0.84 - 0.01 * random.random()}, {}, {}, metric="map") if scored else None
    clocks = {clock: _clock_record(clock, base + extra, random) for clock, extra in zip(CLOCKS, (0.0, 1.5, 2.5), strict=True)}
    return FileRecord(
        path=path,
        name=path.name,
        format=file_format,
        card=_card("cups", Decode("fcos"), LABELS, precision),
        size_bytes=int({"int8": 1.1e6, "fp16": 2.0e6, "fp32": 4.0e6}[precision]),
        sha256="0" * 64,
        cold_starts=tuple(ColdStart(30, 200, 20 * base, 2 * base + extra) for extra in (0.0, 3.0, 1.0)),
        peak_memory_mib=(90.0, 92.0, 91.0),
        clocks=clocks,
        throughput=Throughput(4, {"model": 4000 / base, "task": 3500 / base}),
        score=score,
    )


def _clock_record(clock: Clock, base: float, random: np.random.Generator) -> ClockRecord:
    rounds = tuple(tuple(base * random.gamma(400, 1 / 400, 34) + random.exponential(0.03 * base, 34)) for _ in range(20))
    stages = {"preprocess": (1.0,) * 3, "infer": (base - 1.5,) * 3, "postprocess": (0.5,) * 3} if clock == "task" else {}
    ledger = {"captured": 700, "processed": 680, "dropped": 20, "failed": 0} if clock == "age" else {}
    warm = WarmUp(40, 1.0, True)
    return ClockRecord(clock, rounds, warm, judge(clock, rounds, warm, Disturbance()), stages, ledger)


@pytest.fixture
def record_of() -> Callable[..., Record]:
    return make_record


@pytest.fixture
def brief() -> Protocol:
    """A protocol that ends at once: the tests check what is measured, never how long it takes."""
    return Protocol(
        "brief",
        runs=8,
        duration_s=0.0,
        rounds=2,
        cold_starts=2,
        throughput_s=0.02,
        warm_up_s=0.0,
        warm_up_limit_s=0.2,
        input_count=4,
        camera_fps=200,
    )
