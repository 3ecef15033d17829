"""Arrays against the tensors that a model declares: do they fit, and is one of them an image?"""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.errors import BackendError
from edgecnn.types import Tensors, TensorSpec


def check_feeds(feeds: Tensors, inputs: Sequence[TensorSpec]) -> None:
    """Raise ``BackendError`` where names, shapes or dtypes of ``feeds`` differ from ``inputs``; -1 in a shape fits any size."""
    if feeds.keys() != {spec.name for spec in inputs}:
        named = ", ".join(spec.name for spec in inputs)
        raise BackendError(
            f"the inputs of the model are named {named}, those given {', '.join(feeds) or '(none)'}",
            "feed each input by its name",
        )
    for spec in inputs:
        array = feeds[spec.name]
        fits = len(array.shape) == len(spec.shape) and all(
            declared in (-1, size) for declared, size in zip(spec.shape, array.shape, strict=True)
        )
        if not fits or array.dtype != spec.dtype:
            raise BackendError(
                f"the model's input {spec.name} is {spec.dtype} {spec.shape}, but the array is {array.dtype} {array.shape}",
                "convert the array before running",
            )


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
