"""Runs inference on persistent buffers, so that preprocessing writes into the engine's input memory without a copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from edgecnn.backend_errors import inference_error
from edgecnn.errors import EdgeCnnError
from edgecnn.runtime.backends import Backend
from edgecnn.types import Array

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


def bind_io(backend: Backend, shapes: Shapes) -> IoBinding:
    """Create buffers of ``backend`` for inputs of ``shapes``; without IO binding, each run copies the arrays.

    Raises ``BackendError`` for shapes that the engine refuses.
    """
    try:
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
