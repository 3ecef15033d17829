"""Runs TFLite models on CPUs, with the package ai-edge-litert or tflite_runtime."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.backend_errors import check_cpu, inference_error, load_error
from edgecnn.cpus import usable_cpus
from edgecnn.engine_device import Device
from edgecnn.errors import BackendError, MissingExtraError
from edgecnn.runtime.backends.appended_zip import zip_texts
from edgecnn.runtime.backends.native_lines import without_lines
from edgecnn.runtime.backends.pool import ResourcePool
from edgecnn.system_errors import missing_extra
from edgecnn.tensors import check_feeds, image_layout
from edgecnn.types import Array, Tensors, TensorSpec

ENGINE = "LiteRT"
_MOVES = ("RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS")  # operators that do not change values


class LiteRtBackend:
    """Runs a TFLite model on ``concurrency`` interpreters; an interpreter is not thread-safe, so each run uses a free one."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    concurrency: int

    def __init__(self, interpreters: list[Any], metadata: Mapping[str, str]) -> None:
        first = interpreters[0]
        names_in, names_out = _signature_names(first)
        self.inputs = tuple(_spec(detail, names_in, is_input=True) for detail in first.get_input_details())
        self.outputs = tuple(_spec(detail, names_out) for detail in first.get_output_details())
        self.metadata = metadata
        self.concurrency = len(interpreters)
        self._inputs = [detail["index"] for detail in first.get_input_details()]
        self._outputs = [detail["index"] for detail in first.get_output_details()]
        self._in_turn = itertools.cycle(interpreters)
        self._interpreters: ResourcePool[Any] = ResourcePool([*interpreters].pop, len(interpreters))

    def run(self, feeds: Tensors) -> dict[str, Array]:
        """Return outputs by name, as arrays of the caller.

        Quantized outputs are integers (see ``TensorSpec.scale``). Raises ``BackendError`` for feeds that do not fit.
        """
        check_feeds(feeds, self.inputs)
        with self._interpreters.acquire() as interpreter:
            try:
                self._feed(interpreter, feeds)
                interpreter.invoke()
                # get_tensor copies, so the next run of this interpreter does not overwrite the arrays.
                arrays = [interpreter.get_tensor(index) for index in self._outputs]
            except Exception as error:
                raise inference_error(ENGINE, error) from error
        return {spec.name: array for spec, array in zip(self.outputs, arrays, strict=True)}

    def _feed(self, interpreter: Any, feeds: Tensors) -> None:
        if any(-1 in spec.shape for spec in self.inputs):
            self._resize(interpreter, feeds)
        for spec, index in zip(self.inputs, self._inputs, strict=True):
            interpreter.set_tensor(index, feeds[spec.name])

    def _resize(self, interpreter: Any, feeds: Tensors) -> None:
        """Reallocate the tensors if a dynamic size differs from the last run."""
        details = interpreter.get_input_details()
        arrays = [feeds[spec.name] for spec in self.inputs]
        if all(tuple(detail["shape"]) == array.shape for detail, array in zip(details, arrays, strict=True)):
            return
        for index, array in zip(self._inputs, arrays, strict=True):
            interpreter.resize_tensor_input(index, array.shape)
        interpreter.allocate_tensors()

    def inference_only(self, feeds: Tensors) -> LiteRtInference:
        """Set the inputs of the next interpreter in turn; do not call ``run`` while the returned object is in use."""
        interpreter = next(self._in_turn)
        self._feed(interpreter, feeds)
        return LiteRtInference(interpreter)

    def quantized_sources(self) -> dict[str, tuple[str, float, int]]:
        """Return type, scale and zero-point of the integers that a DEQUANTIZE turns into float outputs, by output."""
        with self._interpreters.acquire() as interpreter:
            details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
            made_by = {index: operator for operator in interpreter._get_ops_details() for index in operator["outputs"]}
        found = {}
        for spec, output in zip(self.outputs, self._outputs, strict=True):
            index = output
            while index in made_by and made_by[index]["op_name"] in _MOVES and made_by[index]["inputs"][0] != index:
                index = made_by[index]["inputs"][0]
            operator = made_by.get(index)
            source = details.get(operator["inputs"][0]) if operator is not None and operator["op_name"] == "DEQUANTIZE" else None
            if source is not None and len(source["quantization_parameters"]["scales"]) == 1:
                scale, zero_point = source["quantization"]
                found[spec.name] = (np.dtype(source["dtype"]).name, float(scale), int(zero_point))
        return found

    def tensor_types(self) -> set[str]:
        """Return the types of all tensors, such as float32 and int8; of integers only those that stand for real numbers."""
        with self._interpreters.acquire() as interpreter:
            details = interpreter.get_tensor_details()
        kinds = {np.dtype(detail["dtype"]).name for detail in details if len(detail["quantization_parameters"]["scales"])}
        return kinds | {np.dtype(detail["dtype"]).name for detail in details if np.dtype(detail["dtype"]).kind == "f"}

    def close(self) -> None:
        """Free the interpreters; calling it again does nothing."""
        self._interpreters.close()


class LiteRtInference:
    """Invokes one interpreter on inputs that were set before; outputs are not read."""

    latency_ms: float | None = None  # the engine does not count it

    def __init__(self, interpreter: Any) -> None:
        self._invoke = interpreter.invoke

    def __call__(self) -> object:
        """Run inference."""
        return self._invoke()


def engine_version() -> str:
    """The version of the package that runs TFLite models; without a number where it has none."""
    package = sys.modules.get(_package_name())
    return f"{ENGINE} {getattr(package, '__version__', '')}"


def _package_name() -> str:
    try:
        return str(_interpreter_class().__module__).partition(".")[0]
    except MissingExtraError:
        return ""


def open_file(path: Path, device: Device, *, threads: int | None, requests: int) -> LiteRtBackend:
    """Load a .tflite file. Raises ``BackendError`` if the engine cannot load it, and for a device that is not the CPU.

    Each of the ``requests`` interpreters gets an equal share of ``threads``, or of all CPUs.
    """
    interpreter_class = _interpreter_class()
    check_cpu(device, ENGINE)
    _check_is_tflite(path)
    metadata = zip_texts(path)
    # At least one thread each, even if there are more interpreters than threads.
    share = max((threads or usable_cpus()) // requests, 1)
    try:
        with without_lines(b"INFO: "):
            interpreters = [interpreter_class(model_path=str(path), num_threads=share) for _ in range(requests)]
            for interpreter in interpreters:
                interpreter.allocate_tensors()
    except Exception as error:
        raise load_error(path, ENGINE, error) from error
    return LiteRtBackend(interpreters, metadata)


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError:
            raise missing_extra(error, "ai-edge-litert", "tflite") from error
    return Interpreter


def _check_is_tflite(path: Path) -> None:
    with path.open("rb") as file:
        # A FlatBuffer begins with the offset of its root table (4 bytes), then the file identifier (4 bytes).
        if file.read(8)[4:] != b"TFL3":
            raise BackendError(f"{path} is no TFLite model: its identifier TFL3 is missing", "export or copy the file again")


def _signature_names(interpreter: Any) -> tuple[dict[int, str], dict[int, str]]:
    """Return names by tensor index from the only signature of the file; the converter generates the names of tensors."""
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        return {}, {}
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    return {d["index"]: name for name, d in inputs.items()}, {d["index"]: name for name, d in outputs.items()}


def _spec(detail: Mapping[str, Any], names: Mapping[int, str], is_input: bool = False) -> TensorSpec:
    name, dtype = names.get(detail["index"], detail["name"]), np.dtype(detail["dtype"]).name
    try:
        shape = tuple(int(size) for size in detail.get("shape_signature", detail["shape"]))
        scale, zero_point = detail["quantization"]
        quantized = (float(scale), int(zero_point)) if scale else (None, None)
        return TensorSpec(name, shape, dtype, image_layout(shape) if is_input else "", *quantized)
    except ValueError as error:
        raise BackendError(f"the tensor {name} has the unsupported type {dtype}", "export the model without it") from error
