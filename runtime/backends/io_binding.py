"""An inference with buffers that stay: the image is resized straight into the engine's input, outputs are read where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from edgecnn.runtime.backends import Backend
from edgecnn.types import Array

Shapes = Mapping[str, tuple[int, ...]]


class IoBinding(Protocol):
    """One inference after the other for one thread: write into ``inputs``, then ``run``."""

    inputs: Mapping[str, Array]

    def run(self) -> Mapping[str, Array]:
        """Outputs by name, valid until the next run. Raises ``BackendError``."""
        ...


@runtime_checkable
class SupportsBinding(Protocol):
    """A backend that can keep buffers for a thread."""

    def bind(self, shapes: Shapes) -> IoBinding:
        """Buffers for inputs of these shapes, which fit what the file declares."""
        ...


def bind_io(backend: Backend, shapes: Shapes) -> IoBinding:
    """Buffers of ``backend`` for inputs of ``shapes``; where it can't keep any, arrays that it reads anew at each run."""
    return backend.bind(shapes) if isinstance(backend, SupportsBinding) else _CopyingBinding(backend, shapes)


class _CopyingBinding:
    """Buffers beside a backend that has none of its own."""

    def __init__(self, backend: Backend, shapes: Shapes) -> None:
        self._backend = backend
        self.inputs: Mapping[str, Array] = {spec.name: np.zeros(shapes[spec.name], spec.dtype) for spec in backend.inputs}

    def run(self) -> Mapping[str, Array]:
        """Outputs by name."""
        return self._backend.run(self.inputs)
