"""Runs a file that takes several images at once with one image: the other rows of its batch are not read."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np

from edgecnn.runtime.backends import Backend
from edgecnn.runtime.backends.io_binding import IoBinding, Shapes, bind_io
from edgecnn.types import Array, Tensors, TensorSpec


def batch_of(backend: Backend) -> int:
    """The number of images in each input of a file: 1 for most, -1 for any number."""
    shape = backend.inputs[0].shape if backend.inputs else ()
    return shape[0] if len(shape) == 4 else 1


def one_image(backend: Backend, rows: int = 0) -> Backend:
    """The same model for one image: ``backend`` itself unless it takes a batch of several.

    ``rows`` is the batch that a file with a free batch is run with; by default it gets one image.
    """
    if len(backend.inputs) > 1:  # tensors, of which no axis is known to be a batch
        return backend
    batch = batch_of(backend)
    rows = rows if batch == -1 else batch
    return _OneImage(backend, rows) if rows > 1 else backend


class _OneImage:
    """A backend whose inputs and outputs have a batch of one.

    ``run`` puts each image into the next row, beside other images, so that a verification sees every row; bound buffers use the
    first row.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    concurrency: int

    def __init__(self, backend: Backend, rows: int) -> None:
        self._backend, self._rows, self._turn = backend, rows, itertools.count()
        self.inputs = tuple(_one_row(spec, rows) for spec in backend.inputs)
        self.outputs = tuple(_one_row(spec, rows) for spec in backend.outputs)
        self.metadata, self.concurrency = backend.metadata, backend.concurrency
        self._last = {spec.name: np.zeros((1, *spec.shape[1:]), spec.dtype) for spec in self.inputs if -1 not in spec.shape[1:]}

    def run(self, feeds: Tensors) -> dict[str, Array]:
        """Return the outputs of the image by name. Raises ``BackendError`` for feeds that do not fit."""
        row = next(self._turn) % self._rows
        batch = {}
        for name, array in feeds.items():
            other = self._last.get(name, array)
            batch[name] = np.repeat(other if other.shape == array.shape else array, self._rows, axis=0)
            batch[name][row] = array[0]
        self._last = {name: array.copy() for name, array in feeds.items()}
        return {name: _row(array, row, self._rows) for name, array in self._backend.run(batch).items()}

    def bind(self, shapes: Shapes) -> _FirstRow:
        """Create buffers for one thread; the image is the first row of the batch."""
        return _FirstRow(bind_io(self._backend, {name: (self._rows, *shape[1:]) for name, shape in shapes.items()}), self._rows)

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        self._backend.close()


class _FirstRow:
    """The first row of bound buffers."""

    def __init__(self, binding: IoBinding, rows: int) -> None:
        self._binding, self._rows = binding, rows
        self.inputs: Mapping[str, Array] = {name: array[:1] for name, array in binding.inputs.items()}

    def run(self) -> dict[str, Array]:
        """Run inference; return the outputs of the first image by name, valid until the next run."""
        return {name: _row(array, 0, self._rows) for name, array in self._binding.run().items()}


def _one_row(spec: TensorSpec, rows: int) -> TensorSpec:
    batched = spec.shape[:1] in ((rows,), (-1,))
    return dataclasses.replace(spec, shape=(1, *spec.shape[1:])) if batched else spec


def _row(array: Array, row: int, rows: int) -> Array:
    return array[row : row + 1] if array.shape[:1] == (rows,) else array
