"""Arrays against the tensors that a model declares: do they fit, and is one of them an image?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.errors import BackendError
from edgecnn.types import Tensors, TensorSpec

# NumPy makes each of these once, so identity is equality, and quicker by a microsecond than comparing with a name.
_DTYPES = {name: np.dtype(name) for name in ("uint8", "int8", "float32", "float16", "int32", "int64")}


def check_feeds(feeds: Tensors, inputs: Sequence[TensorSpec]) -> None:
    """Raise ``BackendError`` where names, shapes or dtypes of ``feeds`` differ from ``inputs``; -1 in a shape fits any size."""
    # this runs in each call of an engine, and a network may take 0.1 ms
    for spec in inputs:
        array = feeds.get(spec.name)
        if array is None or len(feeds) != len(inputs):
            named = ", ".join(each.name for each in inputs)
            raise BackendError(
                f"the inputs of the model are named {named}, those given {', '.join(feeds) or '(none)'}",
                "feed each input by its name",
            )
        same_type = array.dtype is _DTYPES.get(spec.dtype) or array.dtype == spec.dtype
        if not same_type or not (array.shape == spec.shape or _fits(array.shape, spec.shape)):
            raise BackendError(
                f"the model's input {spec.name} is {spec.dtype} {spec.shape}, but the array is {array.dtype} {array.shape}",
                "convert the array before running",
            )


def _fits(shape: tuple[int, ...], declared: Sequence[int]) -> bool:
    return len(shape) == len(declared) and all(own in (-1, size) for own, size in zip(declared, shape, strict=True))


def image_layout(shape: Sequence[int]) -> str:
    """NCHW or NHWC where only one of them puts 1 or 3 channels (or 4) into a shape of four sizes; "" where it is no image."""
    if len(shape) != 4:
        return ""
    # 4 (RGBA) is tried last: (1, 3, 224, 4) is rather a narrow NCHW image than one with four channels
    for channels in ((1, 3), (1, 3, 4)):
        first, last = shape[1] in channels, shape[3] in channels
        if first != last:
            return "NCHW" if first else "NHWC"
    return ""
