"""Runs ONNX models with ONNX Runtime, the engine of the base install."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from edgecnn.backend_errors import closed_error, inference_error, load_error
from edgecnn.cpus import usable_cpus
from edgecnn.errors import BackendError
from edgecnn.runtime.backends import Device
from edgecnn.runtime.backends.io_binding import Shapes
from edgecnn.tensors import check_feeds, image_layout
from edgecnn.types import Array, Tensors, TensorSpec

ENGINE = "ONNX Runtime"
GPU_PROVIDERS = ("CUDAExecutionProvider", "ROCMExecutionProvider", "DmlExecutionProvider", "CoreMLExecutionProvider")
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}


class OrtBackend:
    """Runs an ONNX model in one session; any number of threads can call ``run`` at the same time."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    concurrency: int

    def __init__(self, session: Any, concurrency: int) -> None:
        self._session = session
        self.inputs = tuple(_spec(node, is_input=True) for node in session.get_inputs())
        self.outputs = tuple(_spec(node) for node in session.get_outputs())
        self.metadata = dict(session.get_modelmeta().custom_metadata_map)
        self.concurrency = concurrency
        self._names = [spec.name for spec in self.outputs]

    def run(self, feeds: Tensors) -> dict[str, Array]:
        """Return outputs by name, as arrays of the caller. Raises ``BackendError`` for feeds that do not fit."""
        check_feeds(feeds, self.inputs)
        if self._session is None:
            raise closed_error()
        try:
            return dict(zip(self._names, self._session.run(self._names, feeds), strict=True))
        except Exception as error:
            raise inference_error(ENGINE, error) from error

    def bind(self, shapes: Shapes) -> OrtBinding:
        """Create buffers that the session reads and, for outputs of a fixed size, writes."""
        if self._session is None:
            raise closed_error()
        return OrtBinding(self, self._session, shapes)

    @property
    def is_closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._session is None

    def close(self) -> None:
        """Free the session; calling it again does nothing."""
        self._session = None


class OrtBinding:
    """Binds the inputs and outputs of a session to arrays.

    Output arrays are bound after the first run, because a file may declare wrong shapes. From then on, outputs of the declared
    shape are written into the same array; the others are allocated by each run.
    """

    inputs: Mapping[str, Array]

    def __init__(self, backend: OrtBackend, session: Any, shapes: Shapes) -> None:
        self._backend, self._session, self._binding = backend, session, session.io_binding()
        self.inputs = {spec.name: np.zeros(shapes[spec.name], spec.dtype) for spec in backend.inputs}
        self._outputs: dict[str, Array] | None = None
        for name, array in self.inputs.items():
            # On the CPU the OrtValue shares the memory of the array: what is written to the array is the input of the next run.
            self._binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
        for spec in backend.outputs:
            self._binding.bind_output(spec.name)

    def run(self) -> dict[str, Array]:
        """Run inference; return outputs by name, valid until the next run. Raises ``BackendError``."""
        if self._backend.is_closed:
            raise closed_error()
        try:
            self._session.run_with_iobinding(self._binding)
            if self._outputs is not None and len(self._outputs) == len(self._backend.outputs):
                return self._outputs
            made = [value.numpy() for value in self._binding.get_outputs()]
        except Exception as error:
            raise inference_error(ENGINE, error) from error
        found = dict(zip((spec.name for spec in self._backend.outputs), made, strict=True))
        if self._outputs is None:
            self._outputs = self._bind_outputs(found)
        return found

    def _bind_outputs(self, found: Mapping[str, Array]) -> dict[str, Array]:
        kept = {}
        for spec in self._backend.outputs:
            if found[spec.name].shape == spec.shape:
                kept[spec.name] = np.zeros(spec.shape, spec.dtype)
                self._binding.bind_ortvalue_output(spec.name, ort.OrtValue.ortvalue_from_numpy(kept[spec.name]))
        return kept


def engine_version() -> str:
    """The version of ONNX Runtime."""
    return f"{ENGINE} {ort.__version__}"


def open_file(path: Path, device: Device, *, threads: int | None, requests: int) -> OrtBackend:
    """Load an .onnx file. Raises ``BackendError`` if the engine cannot load it or the device does not exist."""
    providers = _providers(device)
    try:
        session = ort.InferenceSession(str(path), _options(threads, requests), providers=providers)
    except Exception as error:
        raise load_error(path, ENGINE, error) from error
    # ONNX Runtime continues on the CPU if a provider can't start, for example for lack of a driver.
    if device == "gpu" and session.get_providers()[0] not in GPU_PROVIDERS:
        raise BackendError(f"{providers[0]} did not start", "check the driver of the GPU, or use --device cpu")
    return OrtBackend(session, requests)


def _options(threads: int | None, requests: int) -> Any:
    """Return session options without log output and with at most ``threads`` active threads, including the callers of ``run``.

    Each caller computes, too, and ONNX Runtime counts one caller as part of the pool. So with ``requests`` callers the pool gets
    threads - requests + 1 threads.
    """
    options = ort.SessionOptions()
    # 4 is "fatal": errors are raised as exceptions, too.
    options.log_severity_level = 4
    if threads is not None or requests > 1:
        options.intra_op_num_threads = max((threads or usable_cpus()) - requests + 1, 1)
    # Threads spin during a run and stop at its end. On two cores at 30 frames/s this is as fast as spinning all the time (8.6 ms per
    # frame; 11.9 ms without spinning) and takes 17 ms of processor time per frame instead of 43.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _providers(device: Device) -> list[str]:
    available = [name for name in GPU_PROVIDERS if name in ort.get_available_providers()] if device != "cpu" else []
    if device == "gpu" and not available:
        raise BackendError(
            "the installed ONNX Runtime has no GPU provider",
            "install onnxruntime-gpu in place of onnxruntime, or use --device cpu",
        )
    # The CPU runs the operators that the GPU provider does not support.
    return [*available[:1], "CPUExecutionProvider"]


def _spec(node: Any, is_input: bool = False) -> TensorSpec:
    if node.type not in _DTYPES:
        raise BackendError(
            f"the tensor {node.name} has the unsupported type {node.type}", f"export it as one of {', '.join(_DTYPES.values())}"
        )
    # ONNX Runtime gives a dynamic dimension as its name or as None.
    shape = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in node.shape)
    return TensorSpec(node.name, shape, _DTYPES[node.type], image_layout(shape) if is_input else "")
