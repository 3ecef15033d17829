"""Encodes the newest annotated frame of each camera as JPEG, once for all viewers and only on request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cv2

from edgecnn.runtime.draw.shared_painter import ResultPainter
from edgecnn.types import Image, Result

JPEG_QUALITY = 80
MAX_SIDE_PX = 1280  # more is not visible in the page and costs encoding time and bandwidth
MAX_FPS = 25.0
_WAIT_S = 0.5

Ready = Callable[[], None]


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A JPEG and its number; numbers increase across all cameras."""

    number: int
    jpeg: bytes


@dataclass
class _Slot:
    newest: Result | None = None
    encoded: Result | None = None
    encoded_at: float = 0.0
    image: EncodedFrame | None = None
    waiting: list[tuple[int, Ready]] = field(default_factory=list)


class FrameImages:
    """Takes results by ``show`` and encodes the newest one when a viewer requests it; frames are not queued.

    ``painters`` by camera draw the annotations, in a thread of this object. Use it as a context manager.
    """

    def __init__(self, painters: Mapping[str, ResultPainter]) -> None:
        self._painters = painters
        self._slots: dict[str, _Slot] = {}
        self._number = 0
        self._changed = threading.Condition()
        self._done = False
        self.problem = ""
        self._thread = threading.Thread(target=self._work, name="edgecnn-frame-images", daemon=True)

    def __enter__(self) -> FrameImages:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop encoding, and notify all waiting viewers."""
        with self._changed:
            self._done = True
            self._changed.notify_all()
            waiting = [ready for slot in self._slots.values() for _, ready in slot.waiting]
            self._slots.clear()
        _notify(waiting)
        if self._thread.is_alive():
            self._thread.join(1.0)

    def show(self, camera: str, result: Result) -> None:
        """Store a result until a newer one arrives; it is drawn only on request."""
        with self._changed:
            slot = self._slots.setdefault(camera, _Slot())
            slot.newest = result
            # Without a viewer the thread sleeps, and a frame costs no processor time here.
            if slot.waiting:
                self._changed.notify()

    def newest(self, camera: str, after: int) -> EncodedFrame | None:
        """Return the newest image if its number is above ``after`` and no newer result waits to be drawn, else None."""
        with self._changed:
            slot = self._slots.get(camera)
            if slot is None or slot.image is None or slot.image.number <= after:
                return None
            # A newer result may exist, but MAX_FPS does not allow to encode it yet.
            recent = time.perf_counter() - slot.encoded_at < 1 / MAX_FPS
            return slot.image if recent or slot.newest is slot.encoded else None

    def remove(self, camera: str) -> None:
        """Remove a camera, and notify its waiting viewers."""
        with self._changed:
            slot = self._slots.pop(camera, _Slot())
        _notify([ready for _, ready in slot.waiting])

    def request(self, camera: str, after: int, ready: Ready) -> Callable[[], None]:
        """Call ``ready`` once an image above ``after`` exists or none will come; return a function that cancels the request.

        ``ready`` can be called in any thread, with the lock held, and must not block.
        """
        entry = after, ready
        with self._changed:
            if self._done:
                ready()
                return lambda: None
            slot = self._slots.setdefault(camera, _Slot())
            slot.waiting.append(entry)
            self._changed.notify()

        def cancel() -> None:
            with self._changed:
                if entry in slot.waiting:
                    slot.waiting.remove(entry)

        return cancel

    def _work(self) -> None:
        while (due := self._next()) is not None:
            camera, slot, result = due
            # Without the lock: `show` is called by the pipeline and must not wait for the encoder.
            jpeg = self._encode(camera, result)
            with self._changed:
                slot.encoded, slot.encoded_at = result, time.perf_counter()
                if jpeg is not None:
                    self._number += 1
                    slot.image = EncodedFrame(self._number, jpeg)
                number = slot.image.number if slot.image else 0
                served = [entry for entry in slot.waiting if entry[0] < number]
                slot.waiting = [entry for entry in slot.waiting if entry[0] >= number]
            _notify([ready for _, ready in served])

    def _next(self) -> tuple[str, _Slot, Result] | None:
        """Wait for the next frame to encode, that of the camera with the oldest image, to serve all alike; None at the end."""
        with self._changed:
            while not self._done:
                now = time.perf_counter()
                due = [
                    (slot.encoded_at, name)
                    for name, slot in self._slots.items()
                    if slot.waiting and slot.newest is not None and slot.newest is not slot.encoded
                ]
                if due:
                    encoded_at, name = min(due)
                    early = encoded_at + 1 / MAX_FPS - now
                    if early <= 0:
                        slot = self._slots[name]
                        assert slot.newest is not None
                        return name, slot, slot.newest
                    self._changed.wait(early)
                else:
                    self._changed.wait(_WAIT_S)
            return None

    def _encode(self, camera: str, result: Result) -> bytes | None:
        """Encode a frame, without annotations if these can't be drawn; None if it can't be encoded."""
        painter = self._painters.get(camera)
        try:
            return _jpeg(painter.paint(result) if painter is not None else result.frame.image)
        except Exception as error:
            self.problem = f"can't draw the annotations of {camera or 'the camera'}: {error}"
        try:
            return _jpeg(result.frame.image)
        except Exception:
            return None


def _jpeg(image: Image) -> bytes | None:
    ratio = MAX_SIDE_PX / max(image.shape[:2])
    if ratio < 1:
        size = max(round(image.shape[1] * ratio), 1), max(round(image.shape[0] * ratio), 1)
        # INTER_AREA averages pixels, which avoids aliasing when an image is reduced.
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes() if done else None


def _notify(waiting: list[Ready]) -> None:
    for ready in waiting:
        ready()
