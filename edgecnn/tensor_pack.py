"""The inputs of a model that takes tensors, as one grey image that holds their bytes.

So samples of tensors take the way of images: through sources, pipelines, calibration, goldens and benchmarks. Nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.errors import InputError
from edgecnn.types import Array, Image, Tensors, TensorSpec

WIDTH = 4096  # most bytes in a row of the image
DTYPE = "float32"


def pack_size(specs: Sequence[TensorSpec]) -> tuple[int, int]:
    """Height and width of the image that holds tensors of these ``specs``."""
    count = sum(_bytes(spec) for spec in specs)
    width = min(count, WIDTH)
    return -(-count // width), width


def pack(tensors: Tensors, specs: Sequence[TensorSpec], where: str = "the sample") -> Image:
    """(height, width, 3) uint8 with the bytes of ``tensors`` in the order of ``specs``; a missing batch axis of 1 is added.

    Raises ``InputError``, which begins with ``where``, for tensors that are missing, have another shape, or are not finite.
    """
    parts = [_fitting(tensors, spec, where).reshape(-1).view(np.uint8) for spec in specs]
    height, width = pack_size(specs)
    image = np.zeros(height * width, np.uint8)
    joined = np.concatenate(parts)
    image[: len(joined)] = joined
    return np.ascontiguousarray(image.reshape(height, width, 1).repeat(3, 2))


def unpack(image: Image, specs: Sequence[TensorSpec]) -> dict[str, Array]:
    """The tensors by name of an image that ``pack`` made, or of one of its channels; new arrays.

    Raises ``InputError`` for an image of another size.
    """
    if image.shape[:2] != pack_size(specs):
        names = ", ".join(spec.name for spec in specs)
        raise InputError(f"the model takes tensors ({names}), not images", "name .npy or .npz files, or a folder of them")
    content = np.ascontiguousarray(image[:, :, 0]).reshape(-1)
    found, start = {}, 0
    for spec in specs:
        end = start + _bytes(spec)
        found[spec.name] = content[start:end].view(np.float32).reshape(spec.shape).copy()
        start = end
    return found


def held(image: Image, specs: Sequence[TensorSpec], block: int) -> Image:
    """The image with the first of each ``block`` values of a tensor in the place of all of them, which compresses better."""
    repeated = {
        name: np.repeat(array.reshape(-1)[::block], block)[: array.size].reshape(array.shape)
        for name, array in unpack(image, specs).items()
    }
    return pack(repeated, specs)


def sample(kind: str, specs: Sequence[TensorSpec], seed: int = 0) -> Image:
    """Tensors of zeros ("black"), ones ("white") or normally distributed values (any other ``kind``), packed."""
    random = np.random.default_rng(seed)
    constant = {"black": 0.0, "white": 1.0}.get(kind)
    made = {
        spec.name: random.standard_normal(spec.shape, np.float32)
        if constant is None
        else np.full(spec.shape, constant, np.float32)
        for spec in specs
    }
    return pack(made, specs)


def _bytes(spec: TensorSpec) -> int:
    return int(np.prod(spec.shape)) * 4


def _fitting(tensors: Tensors, spec: TensorSpec, where: str) -> Array:
    if spec.name not in tensors:
        raise InputError(
            f"{where} has no array {spec.name!r}, only {', '.join(tensors) or 'nothing'}", "name arrays as the inputs"
        )
    array = np.asarray(tensors[spec.name])
    if array.shape == spec.shape[1:] and spec.shape[0] == 1:
        array = array[None]
    if array.shape != spec.shape or array.dtype.kind not in "fiu":
        raise InputError(
            f"{where}: the array {spec.name} is {array.dtype} {array.shape}, the input of the model {spec.dtype} {spec.shape}",
            "store it in the shape of the input",
        )
    array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{where}: the array {spec.name} has values that are not finite", "store finite numbers")
    return array
