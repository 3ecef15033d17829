"""IO binding: inference with persistent buffers, so that preprocessing writes into the engine's input memory without a copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from edgecnn.runtime.backends import Backend
from edgecnn.types import Array

Shapes = Mapping[str, tuple[int, ...]]


class IoBinding(Protocol):
    """Buffers for one thread: write into ``inputs``, then ``run``."""

    inputs: Mapping[str, Array]

    def run(self) -> Mapping[str, Array]:
        """Outputs by name, valid until the next run. Raises ``BackendError``."""
        ...


@runtime_checkable
class SupportsBinding(Protocol):
    """A backend with IO binding."""

    def bind(self, shapes: Shapes) -> IoBinding:
        """Buffers for inputs of these shapes, which must fit the declared ones."""
        ...


def bind_io(backend: Backend, shapes: Shapes) -> IoBinding:
    """Buffers of ``backend`` for inputs of ``shapes``; arrays that each run copies where the backend has no IO binding."""
    return backend.bind(shapes) if isinstance(backend, SupportsBinding) else _CopyingBinding(backend, shapes)


class _CopyingBinding:
    """For a backend without IO binding: arrays that are passed to each run."""

    def __init__(self, backend: Backend, shapes: Shapes) -> None:
        self._backend = backend
        self.inputs: Mapping[str, Array] = {spec.name: np.zeros(shapes[spec.name], spec.dtype) for spec in backend.inputs}

    def run(self) -> Mapping[str, Array]:
        """Outputs by name."""
        return self._backend.run(self.inputs)
