"""Runs ONNX models with ONNX Runtime, the engine of the base install."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort

from edgecnn.backend_errors import closed_error, inference_error, load_error
from edgecnn.cpus import usable_cpus
from edgecnn.engine_device import Device
from edgecnn.errors import BackendError
from edgecnn.runtime.backends.io_binding import Shapes
from edgecnn.runtime.backends.ort_binding import ENGINE, OrtBinding, OrtDeviceBinding
from edgecnn.runtime.backends.ort_providers import Provider, open_session
from edgecnn.tensors import check_feeds, image_layout
from edgecnn.types import Array, Tensors, TensorSpec

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

    def __init__(self, session: Any, concurrency: int, provider: Provider | None = None) -> None:
        self._session, self._provider = session, provider
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

    def bind_device(self, shapes: Shapes) -> OrtDeviceBinding | None:
        """Create buffers in the memory of the GPU; None where the session computes in the host's."""
        if self._session is None:
            raise closed_error()
        if self._provider is None or not self._provider.memory:
            return None
        return OrtDeviceBinding(self, self._session, shapes, self._provider.memory, self._provider.index)

    @property
    def is_closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._session is None

    def close(self) -> None:
        """Free the session; calling it again does nothing."""
        self._session = None


def engine_version() -> str:
    """The version of ONNX Runtime."""
    return f"{ENGINE} {ort.__version__}"


def open_file(path: Path, device: Device, *, threads: int | None, requests: int) -> OrtBackend:
    """Load an .onnx file. Raises ``BackendError`` if the engine cannot load it or the device does not exist."""
    try:
        session, provider = open_session(path, session_options(threads, requests), device)
    except BackendError:
        raise
    except Exception as error:
        raise load_error(path, ENGINE, error) from error
    return OrtBackend(session, requests, provider)


def session_options(threads: int | None, requests: int) -> Any:
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


def _spec(node: Any, is_input: bool = False) -> TensorSpec:
    if node.type not in _DTYPES:
        raise BackendError(
            f"the tensor {node.name} has the unsupported type {node.type}", f"export it as one of {', '.join(_DTYPES.values())}"
        )
    # ONNX Runtime gives a dynamic dimension as its name or as None.
    shape = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in node.shape)
    return TensorSpec(node.name, shape, _DTYPES[node.type], image_layout(shape) if is_input else "")
