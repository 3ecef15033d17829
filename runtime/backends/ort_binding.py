"""Buffers of ONNX Runtime that stay: in the host's memory, or in that of a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort

from edgecnn.backend_errors import closed_error, inference_error
from edgecnn.runtime.backends.io_binding import Shapes
from edgecnn.types import Array, Tensors, TensorSpec

ENGINE = "ONNX Runtime"


class Owner(Protocol):
    """The backend whose session the buffers belong to."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def is_closed(self) -> bool:
        """Whether the session was freed."""
        ...


class OrtBinding:
    """Binds the inputs and outputs of a session to arrays.

    Output arrays are bound after the first run, because a file may declare wrong shapes. From then on, outputs of the declared
    shape are written into the same array; the others are allocated by each run.
    """

    inputs: Mapping[str, Array]

    def __init__(self, backend: Owner, session: Any, shapes: Shapes) -> None:
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


class OrtDeviceBinding:
    """Keeps inputs and outputs in the memory of a GPU and times its three steps, each until the GPU has ended it.

    ``spent_ms``: milliseconds of the last run for ``upload``, ``compute`` and ``download``.
    """

    inputs: Mapping[str, Array]

    def __init__(self, backend: Owner, session: Any, shapes: Shapes, memory: str, index: int) -> None:
        self._backend, self._session, self._binding = backend, session, session.io_binding()
        self.inputs = {spec.name: np.zeros(shapes[spec.name], spec.dtype) for spec in backend.inputs}
        self.spent_ms: Mapping[str, float] = {}
        self._held = {name: ort.OrtValue.ortvalue_from_numpy(array, memory, index) for name, array in self.inputs.items()}
        for name, value in self._held.items():
            self._binding.bind_ortvalue_input(name, value)
        for spec in backend.outputs:
            self._binding.bind_output(spec.name, memory, index)

    def run(self, feeds: Tensors | None = None) -> dict[str, Array]:
        """Run inference on ``feeds``, or on ``inputs``; return outputs by name. Raises ``BackendError``."""
        if self._backend.is_closed:
            raise closed_error()
        try:
            started = perf_counter()
            for name, array in (feeds or self.inputs).items():
                self._held[name].update_inplace(array)
            self._binding.synchronize_inputs()
            uploaded = perf_counter()
            self._session.run_with_iobinding(self._binding)
            self._binding.synchronize_outputs()
            computed = perf_counter()
            made = self._binding.copy_outputs_to_cpu()
        except Exception as error:
            raise inference_error(ENGINE, error) from error
        moments = (started, uploaded, computed, perf_counter())
        steps = zip(("upload", "compute", "download"), moments, moments[1:], strict=False)
        self.spent_ms = {name: (after - before) * 1e3 for name, before, after in steps}
        return dict(zip((spec.name for spec in self._backend.outputs), made, strict=True))
