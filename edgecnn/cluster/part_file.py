"""The results of one part of a run as bytes: written by a worker while it runs, kept on disk, read again one by one."""

from __future__ import annotations

import dataclasses
import gzip
import io
import pickle
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from edgecnn.errors import InputError
from edgecnn.types import Event, Result

Item: TypeAlias = Result | Event


@dataclass(frozen=True, slots=True)
class PartEnd:
    """How a part ended: the summary of its camera as of --stats, problem and fix of the error that ended it, warnings of the model."""

    summary: dict[str, Any]
    error: tuple[str, str] | None
    warnings: tuple[str, ...]


_MODULES: Final = frozenset({"edgecnn.types", "edgecnn.errors"})
_NAMES: Final = frozenset({"_reconstruct", "_frombuffer", "scalar", "ndarray", "dtype"})  # what an array is made of, in numpy


class PartWriter:
    """Packs results and events as they come; pixels, trails and overlays are left out, since text outputs do not need them."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._stream = gzip.GzipFile(fileobj=self._buffer, mode="wb", compresslevel=1, mtime=0)
        self._put(time.time() - time.perf_counter())

    def result(self, result: Result) -> None:
        """Add a result."""
        frame = result.frame
        small = dataclasses.replace(frame, image=np.zeros((1, 1, 3), np.uint8))
        self._put((frame.image.shape[:2], dataclasses.replace(result, frame=small, trails={}, overlays=())))

    def event(self, event: Event) -> None:
        """Add an event."""
        self._put(event)

    def finish(self, end: PartEnd) -> bytes:
        """All of it."""
        self._put((end.summary, end.error, end.warnings))
        self._stream.close()
        return self._buffer.getvalue()

    def _put(self, item: Any) -> None:
        pickle.dump(item, self._stream, protocol=5)


class PartReader:
    """The results and events of a part, with black images of their sizes, at times of this process's ``perf_counter``.

    ``end`` is how it ended, after the iteration. Iterating raises ``InputError`` for bytes that are no part; only values that edgecnn
    writes are read.
    """

    end: PartEnd

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[Item]:
        with gzip.open(io.BytesIO(self._content)) as stream:
            shift = _read(stream) - (time.time() - time.perf_counter())
            while not (isinstance(item := _read(stream), tuple) and len(item) == 3):
                yield _here(item, shift)
            self.end = PartEnd(*item)


def pack_values(values: list[Any]) -> bytes:
    """Predictions, errors and numbers as bytes."""
    return gzip.compress(pickle.dumps(values, protocol=5), 1)


def unpack_values(content: bytes) -> list[Any]:
    """The values of ``pack_values``. Raises ``InputError`` as ``PartReader``."""
    with gzip.open(io.BytesIO(content)) as stream:
        found: list[Any] = _read(stream)
    return found


def _here(item: Any, shift: float) -> Item:
    if isinstance(item, Event):
        return dataclasses.replace(item, at=item.at + shift)
    (height, width), result = item
    black = np.broadcast_to(np.uint8(0), (height, width, 3))
    frame = dataclasses.replace(result.frame, image=black, captured_at=result.frame.captured_at + shift)
    events = tuple(dataclasses.replace(event, at=event.at + shift) for event in result.events)
    found: Result = dataclasses.replace(result, frame=frame, events=events)
    return found


def _read(stream: Any) -> Any:
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
