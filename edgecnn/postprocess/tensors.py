"""Helpers of all decoders for raw output tensors: dequantization, selection, removal of the batch axis."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from edgecnn.errors import ArtifactError
from edgecnn.types import Array, Float32, Int64, Tensors, TensorSpec


def dequantize(outputs: Tensors, specs: Iterable[TensorSpec]) -> Tensors:
    """Quantized outputs as float32: real = scale * (q - zero_point). Outputs whose spec has no scale are returned unchanged."""
    scaled = {spec.name: spec for spec in specs if spec.scale is not None}
    if not scaled:
        return outputs
    return {name: _dequantize_one(array, scaled[name]) if name in scaled else array for name, array in outputs.items()}


def _dequantize_one(array: Array, spec: TensorSpec) -> Array:
    if array.dtype.kind == "f" or spec.scale is None:
        return array
    real: Float32 = (array.astype(np.float32) - np.float32(spec.zero_point or 0)) * np.float32(spec.scale)
    return real


def single(outputs: Tensors, decoder: str) -> Array:
    """The only output; raises ``ArtifactError`` where there are several or none."""
    if len(outputs) != 1:
        raise unexpected_outputs(decoder, "one output", outputs)
    return next(iter(outputs.values()))


def first_image(array: Array) -> Float32:
    """The first image of a batch as float32, without a copy where it is float32 already."""
    first: Float32 = array[0].astype(np.float32, copy=False)
    return first


def class_ids(numbers: Float32, labels: int) -> Int64:
    """Class ids (n,) that a graph gives as numbers; raises ``ArtifactError`` for a class without one of the ``labels``."""
    # With a single label the class is known: exports count it as 0 or as 1.
    if labels == 1 and (np.abs(numbers) <= 1).all():
        return np.zeros(len(numbers), np.int64)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < labels:
        worst = numbers.max() if numbers.min() >= 0 else numbers.min()
        raise ArtifactError(
            f"the model found class {worst:.0f}, but its {labels} labels are classes 0 to {labels - 1}", "correct --labels"
        )
    found: Int64 = numbers.astype(np.int64)
    return found


def unexpected_outputs(
    decoder: str, expected: str, outputs: Tensors, fix: str = "name another decoder with --decode"
) -> ArtifactError:
    """The error for outputs that a decoder does not support; ``expected`` describes those that it does."""
    shapes = ", ".join(f"{name} {tuple(array.shape)}" for name, array in outputs.items())
    return ArtifactError(
        f"the decoder {decoder} needs {expected}, but the model's outputs are {shapes or 'empty'}",
        fix,
    )
