"""How often the quantized values inside a network are at the ends of their range, for one image at a time.

A value that is beyond the range of its tensor becomes the code at the end: what the network computes from it is wrong. Each format is
read by its own engine, with the tensors inside as outputs: nothing but the base install, and the extra of the format, is needed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from edgecnn.runtime.backends import file_format
from edgecnn.trust.collapse.inner_formats import OnnxInner, OpenvinoInner, TfliteInner
from edgecnn.trust.collapse.quantized_tensor import InnerTensors
from edgecnn.types import Array, Tensors

INPUTS = 2  # the first tensors, among which that of the image is
_READERS: Mapping[str, Callable[[Path], InnerTensors]] = {"onnx": OnnxInner, "tflite": TfliteInner, "openvino": OpenvinoInner}


def open_inner(path: Path) -> InnerTensors | None:
    """The quantized tensors inside an ONNX, TFLite or OpenVINO file; None where it has none, or none can be read."""
    opened: InnerTensors | None = None
    try:
        reader = _READERS.get(file_format(path))
        opened = None if reader is None else reader(path)
    # whatever the reader of a format raises: the cause is then looked for elsewhere
    except Exception:
        return None
    return opened if opened is not None and opened.tensors else None


def end_shares(inner: InnerTensors, feeds: Tensors, limits: tuple[float, float]) -> tuple[Array, list[int]]:
    """The share of values of each tensor (T,) at an end of its range that is no natural one, and a checksum of its values.

    ``limits``: the lowest and highest value that the input can have; white is right at the end of the range of the image.
    """
    size = max(array.size for array in feeds.values())
    found, checks = np.zeros(len(inner.tensors)), []
    for index, (tensor, array) in enumerate(zip(inner.tensors, inner.values(feeds), strict=True)):
        checks.append(zlib.crc32(np.ascontiguousarray(array).tobytes()))
        natural_low, natural_high = tensor.natural_low, tensor.natural_high
        if array.size == size and index < INPUTS:
            slack = 0.02 * (limits[1] - limits[0])
            natural_low, natural_high = tensor.low <= limits[0] + slack, tensor.high >= limits[1] - slack
        low, high = inner.ends(index)
        slack = (high - low) * 1e-3
        at_low = 0.0 if natural_low else float((array <= low + slack).mean())
        at_high = 0.0 if natural_high else float((array >= high - slack).mean())
        found[index] = at_low + at_high
    return found, checks
