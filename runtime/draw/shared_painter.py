"""Draws each result once for all outputs that show it from different threads."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field
from typing import Protocol

from edgecnn.types import Image, Result


class ResultPainter(Protocol):
    """Draws a result on its frame."""

    def paint(self, result: Result) -> Image:
        """Return the annotated frame, which callers must not modify."""
        ...


@dataclass(slots=True)
class _CachedDrawing:
    """A cached drawing of ``content``; ``frame`` is a weak reference to the frame, whose callback drops the drawing."""

    content: tuple[object, ...]
    frame: weakref.ref[Image]
    lock: threading.Lock = field(default_factory=threading.Lock)
    image: Image | None = None


class SharedPainter:
    """Calls ``painter`` once per result and caches the drawing as long as the frame is referenced. Thread-safe."""

    def __init__(self, painter: ResultPainter) -> None:
        self._painter = painter
        self._lock, self._drawing = threading.Lock(), threading.Lock()
        self._drawn: dict[int, _CachedDrawing] = {}

    def paint(self, result: Result) -> Image:
        """Return the annotated frame, which callers must not modify; the first thread that calls this draws it."""
        drawn = self._place(result)
        with drawn.lock:
            if drawn.image is None:
                with self._drawing:  # painters are not thread-safe: they cache their last result
                    drawn.image = self._painter.paint(result)
            return drawn.image

    def _place(self, result: Result) -> _CachedDrawing:
        image, content = result.frame.image, (result.prediction, result.events, result.trails)
        with self._lock:
            # Python reuses the id of a freed array, hence the check of the weak reference below.
            drawn = self._drawn.get(id(image))
            if (
                drawn is None
                or drawn.frame() is not image
                or any(a is not b for a, b in zip(drawn.content, content, strict=True))
            ):
                drawn = self._drawn[id(image)] = _CachedDrawing(content, weakref.ref(image, self._evict_callback(id(image))))
            return drawn

    def _evict_callback(self, place: int) -> _Evict:
        return _Evict(weakref.ref(self), place)

    def _evict(self, place: int, frame: weakref.ref[Image]) -> None:
        # Without the lock: a weak reference's callback may run between any two bytecodes, also of a thread that holds the lock.
        drawn = self._drawn.get(place)
        if drawn is not None and drawn.frame is frame:
            self._drawn.pop(place, None)


@dataclass(frozen=True, slots=True)
class _Evict:
    """Drops a drawing when its frame is garbage-collected; refers weakly to the painter, so that frames do not keep it alive."""

    painter: weakref.ref[SharedPainter]
    place: int

    def __call__(self, frame: weakref.ref[Image]) -> None:
        painter = self.painter()
        if painter is not None:
            painter._evict(self.place, frame)
