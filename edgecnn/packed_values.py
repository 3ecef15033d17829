"""Predictions and other plain values as bytes that are kept on disk, and read again without trusting them."""

from __future__ import annotations

import gzip
import io
import pickle
import zlib
from typing import Any, Final

from edgecnn.errors import InputError

_MODULES: Final = frozenset({"edgecnn.types", "edgecnn.errors"})
_NAMES: Final = frozenset({"_reconstruct", "_frombuffer", "scalar", "ndarray", "dtype"})  # what an array is made of, in numpy


def pack_values(values: list[Any]) -> bytes:
    """Predictions, errors and numbers as bytes."""
    return gzip.compress(pickle.dumps(values, protocol=5), 1)


def unpack_values(content: bytes) -> list[Any]:
    """The values of ``pack_values``. Raises ``InputError`` for bytes that are no part; only values that edgecnn writes are read."""
    with gzip.open(io.BytesIO(content)) as stream:
        found: list[Any] = read_packed(stream)
    return found


def read_packed(stream: Any) -> Any:
    """The next value of a stream. Raises ``InputError`` for bytes that are no part."""
    try:
        return _PlainValues(stream).load()
    except (OSError, EOFError, zlib.error, pickle.UnpicklingError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise InputError("a finished part can't be read", "delete the folder of parts, and run again") from error


class _PlainValues(pickle.Unpickler):
    """Reads values and arrays only: a changed file can't name a function to call."""

    def find_class(self, module: str, name: str) -> Any:
        """The classes that results consist of."""
        plain = module in _MODULES or (module.startswith("numpy") and name in _NAMES)
        if not plain or "." in name:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a result")
        return super().find_class(module, name)
