"""Reading raw output tensors: dequantize them, find the one that is meant, drop the batch axis."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from edgecnn.errors import ArtifactError
from edgecnn.types import Array, Float32, Tensors, TensorSpec


def real_outputs(outputs: Tensors, specs: Iterable[TensorSpec]) -> Tensors:
    """Outputs with quantized ones as float32: real = scale * (q - zero_point); outputs without a scale stay as they are."""
    scaled = {spec.name: spec for spec in specs if spec.scale is not None}
    if not scaled:
        return outputs
    return {name: _real(array, scaled[name]) if name in scaled else array for name, array in outputs.items()}


def _real(array: Array, spec: TensorSpec) -> Array:
    if array.dtype.kind == "f" or spec.scale is None:
        return array
    real: Float32 = (array.astype(np.float32) - np.float32(spec.zero_point or 0)) * np.float32(spec.scale)
    return real


def single(outputs: Tensors, decoder: str) -> Array:
    """The only output; raises ``ArtifactError`` where there are more."""
    if len(outputs) != 1:
        raise misfit(decoder, "one output", outputs)
    return next(iter(outputs.values()))


def rows(array: Array) -> Float32:
    """One image of a batch, as float32; a batch of one costs no copy."""
    first: Float32 = array[0].astype(np.float32, copy=False)
    return first


def misfit(decoder: str, wanted: str, outputs: Tensors) -> ArtifactError:
    """The error for outputs that a decoder can't read."""
    found = ", ".join(f"{name} {tuple(array.shape)}" for name, array in outputs.items())
    return ArtifactError(f"{wanted} for the decoder {decoder}", found or "none", "name another decoder with --decode")
