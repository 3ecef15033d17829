"""Runs inference on persistent buffers, so that preprocessing writes into the engine's input memory without a copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from edgecnn.backend_errors import inference_error
from edgecnn.errors import EdgeCnnError
from edgecnn.runtime.backends import Backend
from edgecnn.types import Array, Tensors

Shapes = Mapping[str, tuple[int, ...]]


class IoBinding(Protocol):
    """Input and output buffers for one thread: write into ``inputs``, then call ``run``."""

    inputs: Mapping[str, Array]

    def run(self) -> Mapping[str, Array]:
        """Run inference; return outputs by name, valid until the next run. Raises ``BackendError``."""
        ...


@runtime_checkable
class SupportsBinding(Protocol):
    """A backend with IO binding."""

    def bind(self, shapes: Shapes) -> IoBinding:
        """Create buffers for inputs of these shapes, which must fit the declared ones."""
        ...


class DeviceBinding(IoBinding, Protocol):
    """Buffers in the memory of a GPU. ``spent_ms``: milliseconds of the last run for upload, compute and download."""

    spent_ms: Mapping[str, float]

    def run(self, feeds: Tensors | None = None) -> Mapping[str, Array]:
        """Run inference on ``feeds`` in place of ``inputs``."""
        ...


@runtime_checkable
class SupportsDeviceBinding(Protocol):
    """A backend that can keep inputs and outputs in the memory of a GPU."""

    def bind_device(self, shapes: Shapes) -> DeviceBinding | None:
        """Create such buffers; None where the model runs on a processor."""
        ...


def bind_device(backend: Backend, shapes: Shapes) -> DeviceBinding | None:
    """Create buffers in the memory of a GPU, whose runs say how long each step took; None where ``backend`` does not use one."""
    return backend.bind_device(shapes) if isinstance(backend, SupportsDeviceBinding) else None


def bind_io(backend: Backend, shapes: Shapes) -> IoBinding:
    """Create buffers of ``backend`` for inputs of ``shapes``, in the memory of its GPU where it uses one.

    Without IO binding, each run copies the arrays.
    Raises ``BackendError`` for shapes that the engine refuses.
    """
    try:
        on_device = bind_device(backend, shapes)
        if on_device is not None:
            return on_device
        return backend.bind(shapes) if isinstance(backend, SupportsBinding) else _CopyingBinding(backend, shapes)
    except EdgeCnnError:
        raise
    # Shapes come from the file: an engine may refuse them, or there is not enough memory.
    except Exception as error:
        raise inference_error("the engine", error) from error


class _CopyingBinding:
    """Passes its arrays to each run of a backend without IO binding."""

    def __init__(self, backend: Backend, shapes: Shapes) -> None:
        self._backend = backend
        self.inputs: Mapping[str, Array] = {spec.name: np.zeros(shapes[spec.name], spec.dtype) for spec in backend.inputs}

    def run(self) -> Mapping[str, Array]:
        """Run inference; return outputs by name."""
        return self._backend.run(self.inputs)
