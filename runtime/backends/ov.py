"""Runs OpenVINO models on Intel, AMD and ARM CPUs and on Intel GPUs.

Models run in float32, or in float16 if the card says fp16 and the device supports it natively. By default OpenVINO uses bfloat16
on CPUs that have it; its outputs would differ from those that were verified at export.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from edgecnn.backend_errors import closed_error, inference_error, load_error
from edgecnn.engine_device import Device
from edgecnn.errors import BackendError
from edgecnn.runtime.backends.io_binding import Shapes
from edgecnn.runtime.backends.onnx_metadata import onnx_texts
from edgecnn.runtime.backends.pool import ResourcePool
from edgecnn.system_errors import missing_extra
from edgecnn.tensors import check_feeds, image_layout
from edgecnn.types import Array, Tensors, TensorSpec

ENGINE = "OpenVINO"
# OpenVINO's Python binding initializes C++ statics at the first inference of a process, and at the first access to a tensor's data,
# and acquires the GIL meanwhile. Two threads that do so at the same time deadlock: one holds the GIL and waits for the static, the
# other the reverse. So the first one runs alone.
_FIRST_INFERENCE = threading.Lock()
_CORES: dict[int, Any] = {}  # by process
_is_initialized = False  # an inference has ended in this process
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_DTYPES = {"f32": "float32", "f16": "float16", "u8": "uint8", "i8": "int8", "i32": "int32", "i64": "int64"}


class OvBackend:
    """Runs a compiled OpenVINO model with ``concurrency`` infer requests."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    concurrency: int

    def __init__(self, compiled: Any, metadata: Mapping[str, str], requests: int) -> None:
        self.inputs = tuple(_spec(port, f"input_{index}", is_input=True) for index, port in enumerate(compiled.inputs))
        self.outputs = tuple(_spec(port, f"output_{index}") for index, port in enumerate(compiled.outputs))
        self.metadata = metadata
        self.concurrency = requests
        self._compiled: Any = compiled
        self._requests: ResourcePool[Any] = ResourcePool(compiled.create_infer_request, requests)

    def run(self, feeds: Tensors) -> dict[str, Array]:
        """Return outputs by name, as arrays of the caller. Raises ``BackendError`` for feeds that do not fit."""
        check_feeds(feeds, self.inputs)
        arrays = {index: feeds[spec.name] for index, spec in enumerate(self.inputs)}
        with self._requests.acquire() as request:
            return _infer(request, arrays, self.outputs)

    @property
    def is_closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._compiled is None

    def bind(self, shapes: Shapes) -> OvBinding:
        """Create an infer request for one thread, with its input and output memory as arrays."""
        if self._compiled is None:
            raise closed_error()
        return OvBinding(self._compiled.create_infer_request(), self, shapes)

    def inference_only(self, feeds: Tensors) -> OvInference:
        """Create an infer request with ``feeds`` as its inputs."""
        if self._compiled is None:
            raise closed_error()
        shapes = {name: array.shape for name, array in feeds.items()}
        return OvInference(OvBinding(self._compiled.create_infer_request(), self, shapes), feeds)

    def request_queue(self, feeds: Tensors, count: int) -> OvQueue:
        """Create ``count`` infer requests that run at the same time, each with ``feeds`` as its inputs."""
        if self._compiled is None:
            raise closed_error()
        return OvQueue(self, self._compiled, feeds, count)

    def close(self) -> None:
        """Free the requests; calling it again does nothing."""
        self._compiled = None
        self._requests.close()


class OvBinding:
    """Gives access to the tensors of one infer request as arrays."""

    inputs: Mapping[str, Array]

    def __init__(self, request: Any, backend: OvBackend, shapes: Shapes) -> None:
        self.request, self._backend = request, backend
        tensors = [request.get_input_tensor(index) for index in range(len(backend.inputs))]
        for spec, tensor in zip(backend.inputs, tensors, strict=True):
            # A tensor with a dynamic shape has no memory until it gets a size.
            if -1 in spec.shape:
                tensor.shape = shapes[spec.name]
        with _lock_if_first():
            self.inputs = {spec.name: tensor.data for spec, tensor in zip(backend.inputs, tensors, strict=True)}

    def run(self) -> dict[str, Array]:
        """Run inference; return outputs by name, valid until the next run. Raises ``BackendError``."""
        if self._backend.is_closed:
            raise closed_error()
        return _infer(self.request, None, self._backend.outputs)


class OvInference:
    """Runs one infer request on inputs that were set before; outputs are not read."""

    def __init__(self, binding: OvBinding, feeds: Tensors) -> None:
        for name, array in feeds.items():
            binding.inputs[name][...] = array
        if not _is_initialized:
            binding.run()  # the first inference of a process is guarded there
        self._binding, self._request = binding, binding.request

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds of the last inference from start to completion, as OpenVINO counts them."""
        return float(self._request.latency)

    def __call__(self) -> object:
        """Run inference."""
        return self._request.infer()


class OvQueue:
    """Infer requests that one thread starts and OpenVINO's own threads run; inputs were set before, outputs are not read."""

    def __init__(self, backend: OvBackend, compiled: Any, feeds: Tensors, count: int) -> None:
        from openvino import AsyncInferQueue

        self._queue: Any = AsyncInferQueue(compiled, count)
        for request in self._queue:
            for name, array in OvBinding(request, backend, {name: array.shape for name, array in feeds.items()}).inputs.items():
                array[...] = feeds[name]

    def idle(self) -> int:
        """Wait until a request is idle; its number."""
        return int(self._queue.get_idle_request_id())

    def start(self) -> None:
        """Start the idle request."""
        self._queue.start_async()

    def latency_ms(self, request: int) -> float:
        """Milliseconds of the last inference of a request, from start to completion, as OpenVINO counts them."""
        return float(self._queue[request].latency)

    def wait(self) -> None:
        """Wait until all requests are idle. Raises ``BackendError``."""
        try:
            self._queue.wait_all()
        except Exception as error:
            raise inference_error(ENGINE, error) from error


def _infer(request: Any, arrays: Mapping[int, Array] | None, outputs: Sequence[TensorSpec]) -> dict[str, Array]:
    """Run a request on ``arrays``, or on its own memory if None; then the outputs are views of its memory, too."""
    global _is_initialized  # noqa: PLW0603 - the statics belong to the process, too
    try:
        with _lock_if_first():
            found = request.infer(arrays, share_inputs=True, share_outputs=arrays is None)
            read = {spec.name: found[index] for index, spec in enumerate(outputs)}
            _is_initialized = True
            return read
    except Exception as error:
        raise inference_error(ENGINE, error) from error


def _lock_if_first() -> AbstractContextManager[object]:
    return nullcontext() if _is_initialized else _FIRST_INFERENCE


def engine_version() -> str:
    """The version of OpenVINO; without a number where it is not installed."""
    try:
        import openvino
    except ImportError:
        return ENGINE
    return f"{ENGINE} {openvino.__version__}"


def open_file(
    path: Path, device: Device, *, threads: int | None, requests: int, precision: str = "", profiling: bool = False
) -> OvBackend:
    """Load an IR (.xml with its .bin) or an ONNX file.

    ``profiling`` counts the time of each operator.
    ``precision`` is what the device computes in, "" that of the file. Raises ``BackendError`` if the engine cannot load the file, and
    where the device does not exist or does not compute in that precision.
    """
    core = _core()
    place = _device(core, device)
    if path.suffix.lower() == ".xml":
        _check_is_ir(path)
    try:
        model = core.read_model(str(path))
        # OpenVINO does not show the texts of an ONNX file
        metadata = onnx_texts(path) if path.suffix.lower() == ".onnx" else dict(_texts(model.get_rt_info()))
        hint = _precision_hint(core, place, metadata, precision)
        config = _config(place, hint, threads, requests) | ({"PERF_COUNT": True} if profiling else {})
        compiled = core.compile_model(model, place, config)
    except BackendError:
        raise
    except Exception as error:
        raise load_error(path, ENGINE, error) from error
    return OvBackend(compiled, metadata, requests)


def _core() -> Any:
    """The ``openvino.Core`` of this process, which lives as long as the process.

    OpenVINO's CPU plugin gives the thread that starts it a stack for signal handlers, and the thread that frees it takes the memory away.
    Where these are two threads, the next signal of the first one, such as Ctrl-C, ends the process with a segmentation fault.
    A fork has a core of its own: the threads of the first one are not there.
    """
    try:
        import openvino
    except ImportError as error:
        raise missing_extra(error, "openvino", "openvino") from error
    return _CORES.get(os.getpid()) or _CORES.setdefault(os.getpid(), openvino.Core())


def _check_is_ir(path: Path) -> None:
    """Raise ``BackendError`` for a file that is not an IR.

    OpenVINO would try all of its file readers, some of which print errors to the terminal.
    """
    with path.open("rb") as file:
        if b"<net" not in file.read(4096):
            raise BackendError(f"{path} is no OpenVINO IR: it has no <net> element", "export or copy the file again")


def _device(core: Any, device: Device) -> str:
    if device.through not in ("", "openvino"):
        raise BackendError(
            f"--device {device}: {ENGINE} computes on the CPU and on Intel GPUs and NPUs only",
            "use the ONNX file, or --device openvino:gpu",
        )
    if device.is_cpu:
        return "CPU"
    hardware = "GPU" if device.hardware == "auto" else device.hardware.upper()
    found = [name for name in core.available_devices if name.partition(".")[0] == hardware]  # GPU, or GPU.0 and GPU.1
    if device.index < len(found):
        return str(found[device.index])
    if device.hardware == "auto":
        return "CPU"
    fix = f"install the driver of the {hardware}, or use --device cpu" if not found else "they are counted from 0"
    count = f"{len(found)} {hardware}{'s' if len(found) > 1 else ''}" if found else f"no {hardware}"
    raise BackendError(f"--device {device}: OpenVINO finds {count}, only {', '.join(core.available_devices)}", fix)


def _precision_hint(core: Any, place: str, metadata: Mapping[str, str], asked: str) -> str:
    """The value of INFERENCE_PRECISION_HINT. Raises ``BackendError`` for a precision that the device does not compute in."""
    native = core.get_property(place, "OPTIMIZATION_CAPABILITIES")
    if asked and asked.upper() not in native:
        known = [name.lower() for name in native if name.lower() in _HINTS]
        raise BackendError(f"OpenVINO's {place} here does not compute in {asked}", f"use {' or '.join(known)}")
    # Searched as text: the card is parsed and checked only after the model is compiled.
    is_fp16 = '"precision":"fp16"' in metadata.get("edgecnn.card", "") and "FP16" in native
    # an NPU does not compute in float32
    return _HINTS[asked or ("fp16" if is_fp16 or "FP32" not in native else "fp32")]


def _config(place: str, hint: str, threads: int | None, requests: int) -> dict[str, Any]:
    config: dict[str, Any] = {
        "PERFORMANCE_HINT": "THROUGHPUT" if requests > 1 else "LATENCY",
        "PERFORMANCE_HINT_NUM_REQUESTS": requests,
        "INFERENCE_PRECISION_HINT": hint,
    }
    if threads is not None and place == "CPU":
        config["INFERENCE_NUM_THREADS"] = threads
    return config


def _texts(info: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Iterate over the leaf values of rt_info as text, with their keys joined by dots."""
    for key, entry in info.items():
        value = getattr(entry, "value", entry)
        if hasattr(value, "items"):
            yield from _texts(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value)


def _spec(port: Any, fallback: str, is_input: bool = False) -> TensorSpec:
    name = port.get_any_name() if port.get_names() else fallback
    kind = port.element_type.get_type_name()
    if kind not in _DTYPES:
        raise BackendError(
            f"the tensor {name} has the unsupported type {kind}", f"export it as one of {', '.join(_DTYPES.values())}"
        )
    shape = tuple(size.get_length() if size.is_static else -1 for size in port.partial_shape)
    return TensorSpec(name, shape, _DTYPES[kind], image_layout(shape) if is_input else "")
