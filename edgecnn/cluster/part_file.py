"""The results of one part of a run as bytes: written by a worker while it runs, kept on disk, read again one by one."""

from __future__ import annotations

import dataclasses
import gzip
import io
import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from edgecnn.packed_values import read_packed
from edgecnn.types import Event, Result

Item: TypeAlias = Result | Event


@dataclass(frozen=True, slots=True)
class PartEnd:
    """How a part ended: the summary of its camera as of --stats, problem and fix of the error that ended it, warnings of the model."""

    summary: dict[str, Any]
    error: tuple[str, str] | None
    warnings: tuple[str, ...]


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
            shift = read_packed(stream) - (time.time() - time.perf_counter())
            while not (isinstance(item := read_packed(stream), tuple) and len(item) == 3):
                yield _here(item, shift)
            self.end = PartEnd(*item)


def _here(item: Any, shift: float) -> Item:
    if isinstance(item, Event):
        return dataclasses.replace(item, at=item.at + shift)
    (height, width), result = item
    black = np.broadcast_to(np.uint8(0), (height, width, 3))
    frame = dataclasses.replace(result.frame, image=black, captured_at=result.frame.captured_at + shift)
    events = tuple(dataclasses.replace(event, at=event.at + shift) for event in result.events)
    found: Result = dataclasses.replace(result, frame=frame, events=events)
    return found
