"""Drawing once for all outputs that show the same result, each in its own thread."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field
from typing import Protocol

from edgecnn.types import Image, Result


class ResultPainter(Protocol):
    """Draws a result on its frame."""

    def paint(self, result: Result) -> Image:
        """The annotated frame, which is not to be written to."""
        ...


@dataclass(slots=True)
class _Drawn:
    """One drawing; ``content`` is what is on it, ``frame`` lets go of it when nobody holds the frame any more."""

    content: tuple[object, ...]
    frame: weakref.ref[Image]
    lock: threading.Lock = field(default_factory=threading.Lock)
    image: Image | None = None


class SharedPainter:
    """Lets ``painter`` draw each result once, whichever thread asks first, and keeps the drawing for as long as the frame lives."""

    def __init__(self, painter: ResultPainter) -> None:
        self._painter = painter
        self._lock, self._drawing = threading.Lock(), threading.Lock()
        self._drawn: dict[int, _Drawn] = {}

    def paint(self, result: Result) -> Image:
        """The annotated frame, which is not to be written to."""
        drawn = self._place(result)
        with drawn.lock:
            if drawn.image is None:
                with self._drawing:  # a painter may remember its last result
                    drawn.image = self._painter.paint(result)
            return drawn.image

    def _place(self, result: Result) -> _Drawn:
        image, content = result.frame.image, (result.prediction, result.events, result.trails)
        with self._lock:
            drawn = self._drawn.get(id(image))
            if (
                drawn is None
                or drawn.frame() is not image
                or any(a is not b for a, b in zip(drawn.content, content, strict=True))
            ):
                drawn = self._drawn[id(image)] = _Drawn(content, weakref.ref(image, self._forget(id(image))))
            return drawn

    def _forget(self, place: int) -> _Forget:
        return _Forget(weakref.ref(self), place)

    def _gone(self, place: int, frame: weakref.ref[Image]) -> None:
        # without the lock: this may run in the middle of any line, also one that holds it
        drawn = self._drawn.get(place)
        if drawn is not None and drawn.frame is frame:
            self._drawn.pop(place, None)


@dataclass(frozen=True, slots=True)
class _Forget:
    """What a frame calls when it is gone; does not keep the painter alive."""

    painter: weakref.ref[SharedPainter]
    place: int

    def __call__(self, frame: weakref.ref[Image]) -> None:
        painter = self.painter()
        if painter is not None:
            painter._gone(self.place, frame)
