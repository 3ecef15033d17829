"""What every backend does alike: check what goes in, guess an image layout, and shorten an engine's complaint to one line."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.errors import BackendError
from edgecnn.types import Tensors, TensorSpec


def check_feeds(feeds: Tensors, inputs: Sequence[TensorSpec]) -> None:
    """Raise ``BackendError`` where names, shapes or dtypes of ``feeds`` are not those of ``inputs``; -1 in a shape fits any size."""
    if feeds.keys() != {spec.name for spec in inputs}:
        raise BackendError(
            f"inputs named {', '.join(spec.name for spec in inputs)}", ", ".join(feeds) or "none", "feed each input by its name"
        )
    for spec in inputs:
        array = feeds[spec.name]
        fits = len(array.shape) == len(spec.shape) and all(
            want in (-1, size) for want, size in zip(spec.shape, array.shape, strict=True)
        )
        if not fits or array.dtype != spec.dtype:
            raise BackendError(
                f"{spec.name} as {spec.dtype} {spec.shape}", f"{array.dtype} {array.shape}", "convert the array before running"
            )


def image_layout(shape: Sequence[int]) -> str:
    """NCHW or NHWC where only one of them puts 1 or 3 channels (or 4) into a shape of four sizes; "" where it is no image."""
    if len(shape) != 4:
        return ""
    for channels in ((1, 3), (1, 3, 4)):
        first, last = shape[1] in channels, shape[3] in channels
        if first != last:
            return "NCHW" if first else "NHWC"
    return ""


def complaint(error: Exception, limit: int = 300) -> str:
    """The line of an engine's message that says something, at most ``limit`` characters; not where in its source it said so."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    said = telling[0] if telling else type(error).__name__
    if said.startswith("[ONNXRuntimeError]"):  # code, its name and the path again come before the reason
        said = said.partition(" failed:")[2] or said.split(" : ", 3)[-1]
    if said.startswith("/onnxruntime_src/"):  # file, line and signature of a C++ function
        said = said.rpartition(") ")[2]
    return said[:limit]


def refused(path: object, engine: str, error: Exception) -> BackendError:
    """The error for a file that an engine can't load."""
    return BackendError(f"a model that {engine} can load", f"{path}: {complaint(error)}", "export or copy the file again")
