"""Reads an .npz from an unknown place: the limits are checked before memory is allocated, and no pickle is loaded.

``numpy.load`` allocates what the header of an array asks for, and a ZIP may unpack to any size.
The format of an array: numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgecnn.schema import SchemaError
from edgecnn.types import Array

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_KINDS = "uif"  # whole and floating-point numbers; never objects, which are pickles


def read_npz(data: bytes, *, most_arrays: int, most_bytes: int) -> Mapping[str, Array]:
    """The arrays of an .npz by name, which need at most ``most_bytes`` together; they can't be written to.

    Raises ``SchemaError`` for anything else.
    """
    left = most_bytes
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > most_arrays:
                raise SchemaError(f"it has {len(entries)} arrays, at most {most_arrays} are read")
            for entry in entries:
                with archive.open(entry) as file:
                    # the size that the ZIP states may be wrong, so one byte more than allowed is asked for
                    content = file.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise SchemaError(f"its arrays need more than {most_bytes} bytes")
                name = entry.filename.removesuffix(".npy")
                arrays[name] = _array(content, name)
    # zipfile raises the last four for entries that are encrypted, packed by an unknown method, cut off or damaged
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
        if isinstance(error, SchemaError):
            raise
        raise SchemaError(f"its archive is damaged: {str(error) or type(error).__name__}") from error
    return arrays


def read_npy(data: bytes) -> Array:
    """The array of an .npy, which can't be written to; raises ``SchemaError`` for anything else."""
    return _array(data, "npy")


def picked(arrays: Mapping[str, Array], name: str, dtype: type, columns: int | tuple[int, ...] = 0, *, prefix: str = "") -> Any:
    """The array ``prefix + name``: (n,), or (n, ``columns``) of ``dtype`` with finite values; else ``SchemaError``
    is raised. Several ``columns`` are alternatives."""
    name = prefix + name
    if name not in arrays:
        raise SchemaError(f"the array {name} is missing")
    array = arrays[name]
    shapes = [(number,) if number else () for number in ((columns,) if isinstance(columns, int) else columns)]
    if array.dtype != dtype or array.shape[1:] not in shapes or not array.ndim:
        raise SchemaError(f"the array {name} is {array.dtype} of shape {array.shape}, not {np.dtype(dtype)} of n values")
    if not np.isfinite(array).all():
        raise SchemaError(f"the array {name} has values that are not finite")
    return array


def _array(content: bytes, name: str) -> Array:
    file = io.BytesIO(content)
    try:
        shape, fortran_order, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
    # the header is a Python literal, which NumPy parses
    except (ValueError, KeyError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise SchemaError(f"the array {name[:40]!r} has a damaged header") from error
    if dtype.kind not in _KINDS or fortran_order or any(size < 0 for size in shape):
        raise SchemaError(f"the array {name[:40]!r} is {dtype} of shape {shape}, not plain numbers in rows")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise SchemaError(f"the array {name[:40]!r} does not have the size of its shape {shape}")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape)
